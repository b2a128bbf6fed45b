"""One reinforcement step before it is timed: its samples, its mini-batches, its devices."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from service.core.argument import Cursor, Fixed, Unknown
from service.core.figures.ledger import Term
from service.core.model.named import NamedModel
from service.core.request.work import Reinforcement
from service.core.serving.lengths import TokenLengths
from service.core.serving.replicas import RequestBatch, Server
from service.core.stages.hours import StageContext
from service.core.stages.reinforcement.formulas import (
    at_least_one,
    steps_sharing_rollout,
    tokens_per_update,
)
from service.core.training.step import Step, seconds_on_each, step_of
from service.core.training.step_spec import StepSpec

STREAMED: Final = ("queue_seconds", "drain_seconds", "flow_seconds", "longest_seconds")
"""The parts of the time of batches that follow one another."""


class Split(Struct, frozen=True, kw_only=True):
    """Which devices generate and which learn. Colocated devices do both."""

    generating: Term
    learning: Term
    batches_ahead: float = 0.0

    @property
    def side_by_side(self) -> bool:
        """Whether batches are written while others are learned from."""
        return self.batches_ahead > 0.0


class Rollout(Struct, frozen=True, kw_only=True):
    """How many steps share one rollout, and how many such batches are under way.

    Both are one if they are left out.
    """

    steps: Term | None = None
    batches_ahead: Term | None = None

    @property
    def per_step(self) -> dict[str, Term]:
        """The factors that turn the seconds of a rollout into those of a step."""
        return {} if self.steps is None else {"steps_per_rollout": self.steps}

    @property
    def ahead(self) -> dict[str, Term]:
        """The factors that turn the seconds of all batches under way into those of a rollout."""
        return {} if self.batches_ahead is None else {"batches_ahead": self.batches_ahead}


class StepBatch(Struct, frozen=True, kw_only=True):
    """What one step learns from, and how many prompts and samples are written for that."""

    prompts: Term
    samples: Term
    written_prompts: Term
    written_samples: Term
    lengths: TokenLengths

    @property
    def sequence_length(self) -> float:
        """Tokens of a mean sample with its prompt, as a whole number."""
        mean = self.lengths.prompt_tokens.central + self.lengths.kept_tokens.central
        return float(max(1, round(mean)))


class RlStage(Struct, frozen=True, kw_only=True):
    """A stage of reinforcement learning before it is timed.

    It has the policy on the devices that serve it, the batch of a step, the number of steps, and
    how often a step goes over its batch.
    """

    context: StageContext
    work: Cursor[Reinforcement]
    steps: Term
    epochs: Term
    server: Server
    batch: StepBatch

    @property
    def policy(self) -> NamedModel:
        """The model that is trained."""
        return self.server.model


def requests_of(stage: RlStage, split: Split, steps_per_rollout: Term | None) -> RequestBatch:
    """What is written at once: the responses of a rollout, for all batches under way."""
    return RequestBatch(
        samples=stage.batch.written_samples,
        prompts=stage.batch.written_prompts,
        lengths=stage.batch.lengths,
        batches=max(1.0, split.batches_ahead),
        times=steps_per_rollout,
    )


def update_of(stage: RlStage, devices: Term) -> Step | Unknown:
    """One mini-batch of samples of mean length, as a training step."""
    return step_of(_update_spec(stage), stage.context.cluster, devices)


def mini_batch_seconds(stage: RlStage, learners: Sequence[float]) -> tuple[float | None, ...]:
    """Seconds of one mini-batch on each of some numbers of devices. None where nothing fits."""
    tried = aside_of(stage)
    return seconds_on_each(_update_spec(tried), tried.context.cluster, learners)


def _update_spec(stage: RlStage) -> StepSpec:
    work, batch = stage.work, stage.batch
    updates = work.said.updates_per_step
    sequences = Fixed(
        float(max(1, round(batch.samples.central / updates))), stands=batch.samples.name
    )
    length = Fixed(batch.sequence_length, stands=batch.lengths.kept_tokens.name)
    tokens = work.derive(tokens_per_update, sequences=sequences, sequence_length=length)
    return StepSpec(
        work=work,
        at=work,
        model=stage.policy,
        sequence_length=length,
        global_batch_tokens=Fixed(sequences.value * length.value, tokens.name),
        precision=work.fixed("precision"),
        tokens=tokens,
    )


def aside_of(stage: RlStage) -> RlStage:
    """The same stage in an argument of its own, whose figures and warnings are thrown away."""
    aside = stage.context.argument.aside()
    return structs.replace(stage, work=stage.work.on(aside))


def rollout_of(stage: RlStage, split: Split) -> Rollout:
    """How many steps share a rollout: as given, or as many as fill the devices.

    Agents need an environment for each sample, so that theirs are not widened.
    """
    work = stage.work
    given = work.states("steps_per_rollout")
    steps = work.quantity("steps_per_rollout", unit="count") if given else None
    if split.side_by_side:
        behind = work.at("placement").quantity("off_policy_steps", unit="count")
        return Rollout(steps=steps, batches_ahead=work.derive(at_least_one, steps=behind))
    if work.states("agent"):
        return Rollout(steps=steps)
    return Rollout(steps=steps or _widened(stage, split))


def _widened(stage: RlStage, split: Split) -> Term:
    """Steps that share a rollout if the request does not say, with a warning."""
    work, member = stage.work, "steps_per_rollout"
    steps = work.derive(
        steps_sharing_rollout,
        member,
        samples=stage.batch.written_samples,
        devices=split.generating,
        samples_per_device=work.assume("reinforcement.samples_per_device", member=member),
        updates_per_rollout=work.assume("reinforcement.updates_per_rollout", member=member),
        steps=stage.steps,
        updates_per_step=work.fixed("updates_per_step"),
    )
    work.warn(
        "assumed_rollout",
        f"how many steps share a rollout is not given; {steps.central:g} were taken",
        member=member,
    )
    return steps
