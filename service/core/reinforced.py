"""Reinforcement learning: as many steps as asked for, each as long as its phases take."""

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import UNSET, Struct

from service.core.argument import Argument
from service.core.asks import Ask
from service.core.described import Contradictory, Described, description_of
from service.core.generated import samples_of, tokens_of, unserved, written_of
from service.core.hardware import Unsuited, hardware_of
from service.core.held import held_hours, held_of
from service.core.hours import Hours, Place
from service.core.inference import (
    FORMATS,
    PEAK_PRECISION,
    Load,
    Office,
    Served,
    Unserved,
    office_of,
    served,
)
from service.core.provenance import Term
from service.core.reinforcement import (
    TRAINING_PASSES,
    at_least_one,
    decoding_seconds,
    devices_learning,
    forward_seconds,
    generation_devices,
    reward_passes,
    run_device_hours,
    samples_at_once,
    seconds_per_step,
    stepped,
    steps_sharing_rollout,
    streaming_seconds,
    tokens_per_update,
    training_pass_seconds,
    update_seconds,
    weight_bytes,
    weight_transfer_seconds,
)
from service.core.request import Disaggregated, Reinforcement
from service.core.steps import Step, step_of
from service.core.texts import Texts, texts_of

SPLITS: Final = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8)
"""Shares of the devices that are tried for learning, where the others generate."""
WHOLE: Final = ("queue_seconds", "drain_seconds")
STREAMED: Final = (*WHOLE, "flow_seconds", "longest_seconds")


class Split(Struct, frozen=True, kw_only=True):
    """Which devices generate and which learn; all do both where they are colocated."""

    generating: Term
    learning: Term
    batches_ahead: float = 0.0

    @property
    def side_by_side(self) -> bool:
        """Whether batches are written while others are learned from."""
        return self.batches_ahead > 0.0


class Rollout(Struct, frozen=True, kw_only=True):
    """How many steps share what is written at once, and how many such batches are under way.

    Both are one where they are left out.
    """

    steps: Term | None = None
    batches_ahead: Term | None = None

    @property
    def per_step(self) -> dict[str, Term]:
        """What turns the seconds of a rollout into those of a step."""
        return {} if self.steps is None else {"steps_per_rollout": self.steps}

    @property
    def ahead(self) -> dict[str, Term]:
        """What turns the seconds of all that is under way into those of a rollout."""
        return {} if self.batches_ahead is None else {"batches_ahead": self.batches_ahead}


class Batch(Struct, frozen=True, kw_only=True):
    """What one step learns from."""

    prompts: Term
    samples: Term
    texts: Texts

    @property
    def sequence_length(self) -> float:
        """Tokens of a mean sample with its prompt, whole."""
        mean = self.texts.prompt_tokens.central + self.texts.mean_tokens.central
        return float(max(1, round(mean)))


class Bench(Struct, frozen=True, kw_only=True):
    """A stage's model on its devices, and what a step learns from."""

    work: Reinforcement
    place: Place
    described: Described
    office: Office
    batch: Batch


Found: TypeAlias = tuple[Step, Served] | Hours


def reinforced(argument: Argument, work: Reinforcement, place: Place) -> Hours:
    """Device-hours of one attempt at all steps."""
    at = place.work_pointer
    batch = _batch(argument, work, place)
    tokens = tokens_of(
        argument, place, prompts=batch.prompts, samples=batch.samples, texts=batch.texts
    )
    described = description_of(argument, work.model, pointer=f"{at}/model")
    if isinstance(described, Contradictory):
        return _contradicted(argument, described, tokens)
    hardware = hardware_of(
        argument,
        place.cluster,
        pointer=place.cluster_pointer,
        precision=PEAK_PRECISION[work.serving_precision],
        precision_pointer=f"{at}/serving_precision",
    )
    if isinstance(hardware, Unsuited):
        return Hours(device_hours=None, tokens=tokens, unknown=hardware.detail)
    bench = Bench(
        work=work,
        place=place,
        described=described,
        office=office_of(argument, described, hardware, work.serving_precision),
        batch=batch,
    )
    split = _split(argument, bench)
    if isinstance(split, Contradictory):
        return _contradicted(argument, split, tokens)
    return _run(argument, bench, split, _rollout(argument, bench, split), tokens)


def _contradicted(argument: Argument, found: Contradictory, tokens: Mapping[str, Term]) -> Hours:
    argument.warn("contradictory", found.detail, pointer=found.pointer)
    return Hours(device_hours=None, tokens=tokens, unknown=found.detail, contradictory=True)


def _batch(argument: Argument, work: Reinforcement, place: Place) -> Batch:
    at, given = place.work_pointer, argument.ledger.given
    prompts = given(work.prompts_per_step, pointer=f"{at}/prompts_per_step", unit="count")
    per_prompt = given(work.samples_per_prompt, pointer=f"{at}/samples_per_prompt", unit="count")
    return Batch(
        prompts=prompts,
        samples=argument.ledger.derive(
            samples_of,
            name=f"{place.prefix}/samples_per_step",
            unit="count",
            inputs={"prompts": prompts, "samples_per_prompt": per_prompt},
        ),
        texts=texts_of(
            argument, work.prompt_tokens, work.responses, pointer=at, prefix=place.prefix
        ),
    )


def _load(bench: Bench, split: Split, steps_per_rollout: Term | None) -> Load:
    """What is written at once: the responses of a rollout, and of the batches ahead."""
    batches = max(1.0, split.batches_ahead)
    return Load(
        samples=bench.batch.samples.central * batches,
        prompts=bench.batch.prompts.central * batches,
        texts=bench.batch.texts,
        times=steps_per_rollout,
    )


def _run(
    argument: Argument, bench: Bench, split: Split, rollout: Rollout, tokens: Mapping[str, Term]
) -> Hours:
    work, place = bench.work, bench.place
    found = _found(argument, bench, split, rollout)
    if isinstance(found, Hours):
        return Hours(
            device_hours=None,
            step=found.step,
            tokens=tokens,
            unknown=found.unknown,
            contradictory=found.contradictory,
            does_not_fit=found.does_not_fit,
        )
    step, writing = found
    phases = _phases(argument, bench, rollout, step, writing)
    derive = argument.ledger.derive
    whole = argument.ledger.derive_parts(
        stepped,
        name=f"{place.prefix}/rl_step",
        units={
            "seconds": "second",
            "waiting_generators": "second",
            "waiting_trainers": "second",
        },
        inputs=phases,
        fixed={"side_by_side": split.side_by_side},
    )
    held = held_of(argument, work, place)
    useful = derive(
        run_device_hours,
        name=f"{place.prefix}/device_hours_useful",
        unit="device_hour",
        inputs={
            "step_seconds": whole["seconds"],
            "steps": argument.ledger.given(
                work.steps, pointer=f"{place.work_pointer}/steps", unit="count"
            ),
            "devices": place.devices,
        },
    )
    return Hours(
        device_hours=held_hours(argument, useful, held, place),
        mfu=step.mfu,
        held=held,
        step=step,
        written=written_of(
            argument,
            place,
            writing,
            samples=argument.ledger.derive(
                samples_at_once,
                name=f"{place.prefix}/samples_written_at_once",
                unit="count",
                inputs={"samples": bench.batch.samples} | rollout.per_step | rollout.ahead,
            ),
            texts=bench.batch.texts,
            devices=split.generating,
        ),
        phases=dict(phases) | {f"step_{name}": term for name, term in whole.items()},
        tokens=tokens,
    )


def _found(argument: Argument, bench: Bench, split: Split, rollout: Rollout) -> Found:
    """The update's step and the serving layout, or why there is none."""
    place = bench.place
    outcome = _update(argument, bench, split.learning, prefix=place.prefix)
    if isinstance(outcome, Contradictory):
        argument.warn("contradictory", outcome.detail, pointer=outcome.pointer)
        return Hours(device_hours=None, unknown=outcome.detail, contradictory=True)
    if isinstance(outcome, Unsuited):
        return Hours(device_hours=None, unknown=outcome.detail)
    if outcome.seconds is None:
        return Hours(
            device_hours=None, step=outcome, unknown=getattr(outcome.placement, "detail", "")
        )
    writing = served(
        argument,
        bench.office,
        _load(bench, split, rollout.steps),
        bench.work.serving,
        devices=split.generating.central,
        pointer=f"{place.work_pointer}/serving",
        name=f"{place.prefix}/generation",
    )
    if isinstance(writing, Unserved):
        return unserved(argument, writing)
    if bench.work.serving is UNSET:
        argument.warn(
            "assumed_serving",
            "no serving layout is given; the fastest that fits was chosen",
            pointer=f"{place.work_pointer}/serving",
        )
    return outcome, writing


def _update(
    argument: Argument, bench: Bench, devices: Term, *, prefix: str
) -> Step | Contradictory | Unsuited:
    """One mini-batch of samples of mean length, as a training step."""
    work, place = bench.work, bench.place
    length = bench.batch.sequence_length
    sequences = float(max(1, round(bench.batch.samples.central / work.updates_per_step)))
    tokens = argument.ledger.derive(
        tokens_per_update,
        name=f"{prefix}/tokens_per_update",
        unit="token",
        inputs={},
        fixed={"sequences": sequences, "sequence_length": length},
        stands={
            "sequences": bench.batch.samples.name,
            "sequence_length": bench.batch.texts.mean_tokens.name,
        },
    )
    return step_of(
        argument,
        Ask(
            described=bench.described,
            sequence_length=length,
            global_batch_tokens=sequences * length,
            precision=work.precision,
            optimizer=work.optimizer,
            layout=work.layout,
            software_year=work.software_year,
            pointer=place.work_pointer,
            prefix=prefix,
            tokens=tokens,
        ),
        place.cluster,
        cluster_pointer=place.cluster_pointer,
        devices=devices,
        mfu=None
        if work.mfu is UNSET
        else argument.quantity(work.mfu, pointer=f"{place.work_pointer}/mfu", unit="share"),
    )


def _training_pass(argument: Argument, bench: Bench, seconds: Term) -> Term:
    """Forward and backward over the samples of a step, from the seconds of one mini-batch."""
    work, place, batch = bench.work, bench.place, bench.batch
    inputs = {
        "seconds": seconds,
        "updates": argument.ledger.given(
            work.updates_per_step, pointer=f"{place.work_pointer}/updates_per_step", unit="count"
        ),
        "prompt_tokens": batch.texts.prompt_tokens,
        "response_tokens": batch.texts.mean_tokens,
        "slowdown": argument.assume("reinforcement.update_slowdown"),
    }
    if not isinstance(work.placement, Disaggregated):
        inputs["colocated_slowdown"] = argument.assume("reinforcement.colocated_slowdown")
    return argument.ledger.derive(
        training_pass_seconds,
        name=f"{place.prefix}/phases/training_pass",
        unit="second",
        inputs=inputs,
        fixed={"sequence_length": batch.sequence_length},
    )


def _phases(
    argument: Argument, bench: Bench, rollout: Rollout, step: Step, writing: Served
) -> dict[str, Term]:
    """Seconds of each phase of one step, as figures."""
    work, place = bench.work, bench.place
    at, given, derive = place.work_pointer, argument.ledger.given, argument.ledger.derive
    name = f"{place.prefix}/phases"
    shared = rollout.per_step
    assert step.seconds is not None
    one_pass = _training_pass(argument, bench, step.seconds)
    weights = derive(
        weight_bytes,
        name=f"{name}/weight_bytes",
        unit="byte",
        inputs={},
        fixed={
            "architecture": bench.described.architecture,
            "bytes_per_weight": float(FORMATS[work.serving_precision].weight_bytes),
        },
        stands={"architecture": bench.described.stands_at},
    )
    transfer = derive(
        weight_transfer_seconds,
        name=f"{name}/weight_transfer_of_rollout",
        unit="second",
        inputs={
            "weight_bytes": weights,
            "byte_per_s": argument.assume("reinforcement.weight_transfer_byte_per_s"),
        },
    )

    def seconds(phase: str, formula: object, inputs: Mapping[str, Term], **fixed: object) -> Term:
        return derive(
            formula,  # type: ignore[arg-type]
            name=f"{name}/{phase}",
            unit="second",
            inputs=inputs,
            fixed=fixed,
        )

    def forward(phase: str, passes: float) -> Term:
        return seconds(phase, forward_seconds, {"training_seconds": one_pass}, passes=passes)

    return {
        "prefill": seconds(
            "prefill",
            seconds_per_step,
            {"seconds": writing.batch["prefill_seconds"]} | shared | rollout.ahead,
        ),
        "generation": seconds(
            "generation",
            streaming_seconds if rollout.batches_ahead else decoding_seconds,
            {key: writing.batch[key] for key in (STREAMED if rollout.batches_ahead else WHOLE)}
            | shared
            | rollout.ahead,
        ),
        "log_probabilities": forward(
            "log_probabilities", 0.0 if work.rollout_log_probabilities else 1.0
        ),
        "reference": forward("reference", 1.0 if work.reference_model else 0.0),
        "reward": forward("reward", _reward_passes(argument, bench)),
        "update": seconds(
            "update",
            update_seconds,
            {
                "training_pass": one_pass,
                "epochs": given(
                    work.epochs_per_step, pointer=f"{at}/epochs_per_step", unit="ratio"
                ),
            },
        ),
        "weight_transfer": seconds(
            "weight_transfer", seconds_per_step, {"seconds": transfer} | shared
        ),
        "fixed": seconds(
            "fixed",
            seconds_per_step,
            {"seconds": argument.assume("reinforcement.fixed_seconds")} | shared,
        ),
    }


def _rollout(argument: Argument, bench: Bench, split: Split) -> Rollout:
    """How many steps share a rollout: as given, or as many as fill the devices."""
    work, at, given = bench.work, bench.place.work_pointer, argument.ledger.given
    pointer = f"{at}/steps_per_rollout"
    steps = None
    if work.steps_per_rollout is not UNSET:
        steps = given(work.steps_per_rollout, pointer=pointer, unit="count")
    if split.side_by_side:
        return Rollout(
            steps=steps,
            batches_ahead=argument.ledger.derive(
                at_least_one,
                name=f"{bench.place.prefix}/batches_ahead",
                unit="count",
                inputs={
                    "steps": given(
                        split.batches_ahead,
                        pointer=f"{at}/placement/off_policy_steps",
                        unit="count",
                    )
                },
            ),
        )
    return Rollout(steps=steps or _widened(argument, bench, split, pointer=pointer))


def _widened(argument: Argument, bench: Bench, split: Split, *, pointer: str) -> Term:
    """Steps that share a rollout where the request is silent, with a warning."""
    work, place = bench.work, bench.place
    steps = argument.ledger.derive(
        steps_sharing_rollout,
        name=f"{place.prefix}/steps_per_rollout",
        unit="ratio",
        inputs={
            "samples": bench.batch.samples,
            "devices": split.generating,
            "samples_per_device": argument.assume(
                "reinforcement.samples_per_device", pointer=pointer
            ),
            "updates_per_rollout": argument.assume(
                "reinforcement.updates_per_rollout", pointer=pointer
            ),
        },
        fixed={"updates_per_step": work.updates_per_step, "steps": work.steps},
        stands={
            "updates_per_step": f"{place.work_pointer}/updates_per_step",
            "steps": f"{place.work_pointer}/steps",
        },
    )
    argument.warn(
        "assumed_rollout",
        f"how many steps share a rollout is not given; {steps.central:g} were taken",
        pointer=pointer,
    )
    return steps


def _reward_passes(argument: Argument, bench: Bench) -> float:
    """Forward passes of a reward model, in those of the policy; none where rules judge."""
    if bench.work.reward_model is UNSET:
        return 0.0
    pointer = f"{bench.place.work_pointer}/reward_model"
    reward = description_of(argument, bench.work.reward_model, pointer=pointer)
    if isinstance(reward, Contradictory):
        argument.warn("contradictory", f"no reward pass: {reward.detail}", pointer=reward.pointer)
        return 0.0
    return float(reward_passes(reward=reward.architecture, policy=bench.described.architecture))


def _split(argument: Argument, bench: Bench) -> Split | Contradictory:
    """Which devices generate: all, as many as asked for, or the best share."""
    placement, devices = bench.work.placement, bench.place.devices
    if not isinstance(placement, Disaggregated):
        return Split(generating=devices, learning=devices)
    pointer = f"{bench.place.work_pointer}/placement/generation_devices"
    prefix = bench.place.prefix
    if placement.generation_devices is not UNSET:
        asked = placement.generation_devices
        if asked >= devices.central:
            return Contradictory(
                detail=f"{asked:g} of {devices.central:g} devices generate; none is left to learn",
                pointer=pointer,
            )
        generating = argument.ledger.given(asked, pointer=pointer, unit="count")
    elif devices.central < 2:
        return Contradictory(
            detail="one device cannot be split; it can generate and learn colocated",
            pointer=f"{bench.place.work_pointer}/placement/kind",
        )
    else:
        share = _best_share(argument, bench, placement)
        generating = argument.ledger.derive(
            generation_devices,
            name=f"{prefix}/generation_devices",
            unit="count",
            inputs={"devices": devices},
            fixed={"learning_share": share},
            stands={"learning_share": "reinforced.best_share"},
        )
        argument.warn(
            "assumed_split",
            f"the split is not given; {generating.central:g} of {devices.central:g} devices "
            "generate",
            pointer=pointer,
        )
    return Split(
        generating=generating,
        learning=argument.ledger.derive(
            devices_learning,
            name=f"{prefix}/learning_devices",
            unit="count",
            inputs={"devices": devices, "generation_devices": generating},
        ),
        batches_ahead=placement.off_policy_steps,
    )


def _best_share(argument: Argument, bench: Bench, placement: Disaggregated) -> float:
    """The learning share of the devices with the shortest step, all figures central.

    The update is timed once and taken to scale with the devices; what is written here is thrown
    away.
    """
    devices = bench.place.devices.central
    for base in SPLITS[3:]:
        learners = max(1.0, math.floor(devices * base))
        timed = _learning_seconds(argument, bench, learners)
        if timed is not None:
            break
    else:
        return 0.5

    asked = bench.work.steps_per_rollout
    given = None if asked is UNSET else Term("steps_per_rollout", asked)
    each = 1.0 if asked is UNSET else asked

    def seconds(share: float) -> float:
        learning = max(1.0, math.floor(devices * share))
        split = Split(
            generating=Term("generating", devices - learning),
            learning=Term("learning", learning),
            batches_ahead=placement.off_policy_steps,
        )
        writing = served(
            Argument(argument.catalog),
            bench.office,
            _load(bench, split, given),
            bench.work.serving,
            devices=devices - learning,
            pointer="",
            name="scratch/generation",
        )
        if isinstance(writing, Unserved):
            return math.inf
        batch = {key: term.central for key, term in writing.batch.items()}
        learn = timed * learners / learning
        if not split.side_by_side:
            return batch["seconds"] / each + learn
        decoding = streaming_seconds(
            **{key: batch[key] for key in STREAMED},
            batches_ahead=max(1.0, split.batches_ahead),
            steps_per_rollout=each,
        )
        return max(float(decoding), learn)

    for share in sorted(SPLITS, key=seconds):
        if share >= base or _learning_seconds(
            argument, bench, max(1.0, math.floor(devices * share))
        ):
            return share
    return base


def _learning_seconds(argument: Argument, bench: Bench, learners: float) -> float | None:
    """Seconds that so many devices learn in a step, or nothing where no layout fits."""
    scratch = Argument(argument.catalog)
    outcome = _update(scratch, bench, Term("learners", learners), prefix="scratch")
    if not isinstance(outcome, Step) or outcome.seconds is None:
        return None
    work = bench.work
    forward = (not work.rollout_log_probabilities) + work.reference_model
    passes = work.epochs_per_step + forward / TRAINING_PASSES
    slowdown = scratch.assume("reinforcement.update_slowdown").central
    if not isinstance(work.placement, Disaggregated):
        slowdown *= scratch.assume("reinforcement.colocated_slowdown").central
    return outcome.seconds.central * work.updates_per_step * passes * slowdown
