"""The time of one reinforcement step, from the times of its phases.

Colocated devices generate, judge and learn in turn, and every phase waits for the one before. With
disaggregated devices that are off-policy by k steps, k batches are written while an older one is
learned from, and a step takes as long as the slower side. Samples of a batch then end while those
of the next are written, and the longest one has k steps to end in. So the tail of a batch no longer
delays the trainer.
"""

import math
from typing import NamedTuple

from service.core.figures.arrays import Real, exp, log, maximum, minimum, where
from service.core.figures.formulas import formula
from service.core.model.architecture import Architecture
from service.core.model.parameters import params_active, params_total
from service.core.training.steptime.eras import Era

TRAINING_PASSES = 3.0
"""Forward passes that a training step costs: one forward and twice as much backward."""
TENSOR_BY_TENSOR = Era(2025.5, 2026.5)
"""New weights are gathered tensor by tensor and sent by one rank, before engines reshard in bulk.

Source: checkpoint-engine (2025-09), peer-to-peer updates of Miles (2026-04), NeMo-RL's NCCL reshard
(2026-06); how long until others followed is judged.
"""


class StepPhases(NamedTuple):
    """Seconds of one step by phase, each phase by itself."""

    prefill: Real
    generation: Real  # decoding, until the batch's last sample
    log_probabilities: Real  # of the policy that sampled
    reference: Real
    reward: Real
    values: Real  # of a critic
    update: Real
    critic_update: Real
    weight_transfer: Real
    fixed: Real  # collecting, rewards by rule, logging, hand-over between engines


class RlStep(NamedTuple):
    """Seconds of one step on the clock, and where its devices wait."""

    seconds: Real
    generating: Real
    training: Real
    waiting_generators: Real  # seconds that generating devices wait for the trainer
    waiting_trainers: Real


@formula("forward_seconds", unit="second")
def forward_seconds(*, training_seconds: Real, passes: Real) -> Real:
    """Seconds of forward passes over the batch of a training step that takes `training_seconds`.

        training_seconds * passes / 3

    Source: backward is twice forward, as in Narayanan et al. 2021 (arXiv 2104.04473, appendix).
    """
    return training_seconds * passes / TRAINING_PASSES


@formula("written_for_step", unit="count")
def written_for_step(*, learned: Real, kept_share: Real) -> Real:
    """Prompts or samples that are written for one step, of which a share is learned from.

        learned / kept_share

    Source: dynamic sampling of DAPO (arXiv 2503.14476, section 3.2).
    """
    return learned / kept_share


@formula("domain_byte_per_s", unit="byte/s")
def domain_byte_per_s(
    *,
    scale_up_byte_per_s: Real,
    scale_out_byte_per_s: Real,
    devices: Real,
    generating: Real,
    scale_up_domain: float,
) -> Real:
    """Bytes a second at which all generating devices of a link domain receive the same weights.

        one domain: scale_up_byte_per_s
        several: min(scale_up_byte_per_s, min(generating, scale_up_domain) * scale_out_byte_per_s)

    Each device of a domain takes a part of the weights from the network and shares it inside the
    domain. `generating` of all `devices` generate. Both rates are one way and of one device.

    Source: links of a hierarchy; measured so by prime-rl (pull request 3341: 44 GB/s to each of the
    eight H200 of a server, 354 GB/s to the server).
    """
    links = minimum(generating, scale_up_domain) * scale_out_byte_per_s
    return where(
        devices <= scale_up_domain, scale_up_byte_per_s, minimum(scale_up_byte_per_s, links)
    )


@formula("weight_handling_byte_per_s", unit="byte/s")
def weight_handling_byte_per_s(*, byte_per_s: Real, growth: Real, software_year: Real) -> Real:
    """Bytes a second at which software of a year gathers, renames, packs and loads new weights.

        byte_per_s * growth ** (software_year - 2026),  software_year within 2025.5 and 2026.5

    `byte_per_s` is the rate of 2026.0, and `growth` that of the year around it.

    Source: this service's own model; both are fitted (lab/data/post_training_report.md).
    """
    passed = 0.5 - TENSOR_BY_TENSOR.remains(software_year)
    return byte_per_s * exp(passed * log(growth))


@formula("weight_transfer_seconds", unit="second")
def weight_transfer_seconds(
    *, weight_bytes: Real, link_byte_per_s: Real, handling_byte_per_s: Real
) -> Real:
    """Seconds until the generating engines hold the new weights.

        weight_bytes / min(link_byte_per_s, handling_byte_per_s)

    All weights pass the links of every domain, and the software that gathers them from the
    trainer's ranks tensor by tensor and loads them into the engines. Both run as one pipeline, so
    the slower one counts.

    Source: the pipeline of checkpoint-engine (its README, "Optimized Weight Broadcast"); the rate
    of handling is fitted (lab/data/post_training_report.md).
    """
    return weight_bytes / minimum(link_byte_per_s, handling_byte_per_s)


def generating_seconds(phases: StepPhases) -> Real:
    """Prefill and decoding."""
    return phases.prefill + phases.generation


def training_seconds(phases: StepPhases) -> Real:
    """The work of the trainer on a batch: all passes of policy, reference, reward and critic."""
    judged = phases.log_probabilities + phases.reference + phases.reward + phases.values
    return judged + phases.update + phases.critic_update


def colocated_step(*, phases: StepPhases) -> RlStep:
    """One step on devices that do all in turn: the sum of all phases."""
    generating, training = generating_seconds(phases), training_seconds(phases)
    return RlStep(
        seconds=generating + training + phases.weight_transfer + phases.fixed,
        generating=generating,
        training=training,
        waiting_generators=0.0,
        waiting_trainers=0.0,
    )


def off_policy_step(*, phases: StepPhases) -> RlStep:
    """One step of two sides at once: max(generating, training + fixed) + weight transfer.

    `generation` is per batch, if several are written at once. The fixed time of a step is the
    trainer's. Only new weights stop both sides.
    """
    generating, training = generating_seconds(phases), training_seconds(phases) + phases.fixed
    slower = maximum(generating, training)
    return RlStep(
        seconds=slower + phases.weight_transfer,
        generating=generating,
        training=training,
        waiting_generators=slower - generating,
        waiting_trainers=slower - training,
    )


@formula("run_device_hours", unit="device_hour")
def run_device_hours(
    *, step_seconds: Real, steps: Real, devices: Real, seconds_over_predicted: Real = 1.0
) -> Real:
    """Device-hours of all steps, failures apart.

        step_seconds * steps * devices * seconds_over_predicted / 3600

    `seconds_over_predicted` is that of published steps, or of agents, whose environments fail and
    straggle.

    Source: definition; the ratio is read off published runs (docs/accuracy-runs.md).
    """
    return step_seconds * steps * devices * seconds_over_predicted / 3600.0


@formula("seconds_per_step", unit="second")
def seconds_per_step(
    *, seconds: Real, steps_per_rollout: Real = 1.0, batches_ahead: Real = 1.0
) -> Real:
    """A rollout's share of one step.

        seconds / (steps_per_rollout * batches_ahead)

    Source: definition.
    """
    return seconds / (steps_per_rollout * batches_ahead)


@formula("decoding_seconds", unit="second")
def decoding_seconds(
    *, queue_seconds: Real, drain_seconds: Real, steps_per_rollout: Real = 1.0
) -> Real:
    """Decoding of one step, if the rollout is written as a whole.

        (queue_seconds + drain_seconds) / steps_per_rollout

    Source: definition.
    """
    return (queue_seconds + drain_seconds) / steps_per_rollout


@formula("streaming_seconds", unit="second")
def streaming_seconds(
    *,
    queue_seconds: Real,
    drain_seconds: Real,
    flow_seconds: Real,
    longest_seconds: Real,
    batches_ahead: Real,
    steps_per_rollout: Real = 1.0,
) -> Real:
    """Decoding of one step, if k batches are under way and follow one another.

        min(queue + drain, max(flow, longest)) / (k * steps_per_rollout)

    The next batch takes the places of samples that end. So generation is bound by its flow, or by
    the longest sample, which has k steps to end in. Batches may also be written as a whole. The
    faster of the two is taken.

    Source: this service's own model of generation that does not wait for the trainer.
    """
    whole = queue_seconds + drain_seconds
    streamed = maximum(flow_seconds, longest_seconds)
    return minimum(whole, streamed) / (batches_ahead * steps_per_rollout)


@formula("steps_sharing_rollout", unit="count")
def steps_sharing_rollout(
    *,
    samples: Real,
    devices: Real,
    samples_per_device: Real,
    updates_per_rollout: Real,
    steps: Real,
    updates_per_step: float,
) -> Real:
    """Steps that share a rollout by default: as many as give every device enough to write.

        max(1, min(devices * samples_per_device / samples, updates_per_rollout / updates, steps))

    A device that decodes few samples reads all weights for few tokens. And each rollout ends with a
    wait for its longest sample. So teams write for several updates at once, as long as the last
    update does not learn from samples that are too old.

    Source: judged here from published runs (lab/data/post_training_report.md).
    """
    filling = devices * samples_per_device / samples
    return maximum(1.0, minimum(minimum(filling, updates_per_rollout / updates_per_step), steps))


@formula("batches_ahead", unit="count")
def at_least_one(*, steps: Real) -> Real:
    """Batches under way, for a policy that is `steps` steps behind.

        max(1, steps)

    Source: definition.
    """
    return maximum(1.0, steps)


@formula("generating_seconds_of_step", unit="second")
def generating_seconds_of_step(*, prefill: Real, generation: Real) -> Real:
    """Seconds to write the samples of a step.

        prefill + generation

    Source: definition.
    """
    return prefill + generation


@formula("tokens_per_update", unit="token")
def tokens_per_update(*, sequences: float, sequence_length: float) -> Real:
    """Tokens of one mini-batch, samples of mean length.

        sequences * sequence_length

    Source: definition.
    """
    return sequences * sequence_length


@formula("training_pass_seconds", unit="second")
def training_pass_seconds(
    *,
    seconds: Real,
    updates: Real,
    prompt_tokens: Real,
    response_tokens: Real,
    slowdown: Real,
    sequence_length: float,
    colocated_slowdown: Real = 1.0,
) -> Real:
    """Forward and backward over all samples of a step once.

        seconds * updates * (prompt + response) / sequence_length * slowdown * colocated_slowdown

    `seconds` is the engine's time for one mini-batch of sequences of `sequence_length`. `slowdown`
    is the cost of uneven samples and short batches, compared with a training run.
    `colocated_slowdown` is the cost of sharing the device's memory with an inference engine.

    Source: this service's own model; both ratios are described in lab/data/post_training_report.md.
    """
    tokens = (prompt_tokens + response_tokens) / sequence_length
    return seconds * updates * tokens * slowdown * colocated_slowdown


@formula("update_seconds", unit="second")
def update_seconds(*, training_pass: Real, epochs: Real, passes: float = 1.0) -> Real:
    """Seconds of an update: its passes over the samples.

        training_pass * epochs * passes

    `passes` is what a pass of the model that is updated costs, in passes of the policy.

    Source: definition.
    """
    return training_pass * epochs * passes


def passes_of(*, model: Architecture, policy: Architecture) -> Real:
    """One pass of another model, in passes of the policy: the ratio of active parameters."""
    return params_active(architecture=model) / params_active(architecture=policy)


@formula("weight_bytes", unit="byte")
def weight_bytes(*, architecture: Architecture, bytes_per_weight: Real) -> Real:
    """Bytes of all weights, which pass the links of every domain of generating devices.

        parameters * bytes_per_weight

    Source: definition.
    """
    return params_total(architecture=architecture) * bytes_per_weight


@formula("reinforcement_step", parts=dict.fromkeys(RlStep._fields, "second"))
def stepped(*, side_by_side: bool, **phases: Real) -> RlStep:
    """Seconds of a step from its phases, and the seconds that its devices wait.

        generating = prefill + generation
        training = log_probabilities + reference + reward + values + update + critic_update
        one after the other: generating + training + weight_transfer + fixed
        side by side: max(generating, training + fixed) + weight_transfer

    Source: this service's own model; the phases are those of HybridFlow (arXiv 2409.19256).
    """
    whole = StepPhases(**phases)
    return off_policy_step(phases=whole) if side_by_side else colocated_step(phases=whole)


@formula("devices_learning", unit="count")
def devices_learning(*, devices: Real, generation_devices: Real) -> Real:
    """Devices that learn.

        devices - generation_devices

    Source: definition.
    """
    return devices - generation_devices


@formula("generation_devices", unit="count")
def generation_devices(*, devices: Real, learning_share: float) -> Real:
    """Devices that generate in a chosen split.

        devices - max(1, floor(devices * learning_share))

    Source: definition.
    """
    return devices - max(1.0, math.floor(float(devices) * learning_share))
