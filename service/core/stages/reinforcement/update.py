"""One reinforcement step before it is timed: what it writes, what it learns from, and on what."""

from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Argument
from service.core.cluster.hardware import Unsuited
from service.core.figures.ledger import Term
from service.core.model.named import Contradictory, Described
from service.core.request.work import Reinforcement
from service.core.serving.lengths import Texts
from service.core.serving.replicas import Load, Office
from service.core.stages.hours import Place
from service.core.stages.reinforcement.formulas import (
    TRAINING_PASSES,
    at_least_one,
    steps_sharing_rollout,
    tokens_per_update,
)
from service.core.training.step import Step, step_of
from service.core.training.step_spec import Ask

STREAMED: Final = ("queue_seconds", "drain_seconds", "flow_seconds", "longest_seconds")
"""What batches that follow one another take."""


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
    """A stage's model on its devices, what a step learns from, and how often."""

    work: Reinforcement
    steps: Term
    epochs: Term
    place: Place
    described: Described
    office: Office
    batch: Batch


def load_of(bench: Bench, split: Split, steps_per_rollout: Term | None) -> Load:
    """What is written at once: the responses of a rollout, and of the batches ahead."""
    return Load(
        samples=bench.batch.samples,
        prompts=bench.batch.prompts,
        texts=bench.batch.texts,
        batches=max(1.0, split.batches_ahead),
        times=steps_per_rollout,
    )


def update_of(
    argument: Argument, bench: Bench, devices: Term, *, prefix: str
) -> Step | Contradictory | Unsuited:
    """One mini-batch of samples of mean length, as a training step."""
    work, place = bench.work, bench.place
    length = bench.batch.sequence_length
    sequences = float(max(1, round(bench.batch.samples.central / work.updates_per_step)))
    tokens = argument.ledger.derive(
        tokens_per_update,
        name=f"{prefix}/tokens_per_update",
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


def learning_seconds(argument: Argument, bench: Bench, learners: float) -> float | None:
    """Seconds that so many devices of their own learn in a step, or nothing where none fits."""
    scratch = Argument(argument.catalog)
    outcome = update_of(scratch, bench, Term("learners", learners), prefix="scratch")
    if not isinstance(outcome, Step) or outcome.seconds is None:
        return None
    work = bench.work
    forward = (not work.rollout_log_probabilities) + work.reference_model
    passes = bench.epochs.central + forward / TRAINING_PASSES
    slowdown = scratch.assume("reinforcement.update_slowdown").central
    return outcome.seconds.central * work.updates_per_step * passes * slowdown


def rollout_of(argument: Argument, bench: Bench, split: Split) -> Rollout:
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
        inputs={
            "samples": bench.batch.samples,
            "devices": split.generating,
            "samples_per_device": argument.assume(
                "reinforcement.samples_per_device", pointer=pointer
            ),
            "updates_per_rollout": argument.assume(
                "reinforcement.updates_per_rollout", pointer=pointer
            ),
            "steps": bench.steps,
        },
        fixed={"updates_per_step": work.updates_per_step},
        stands={"updates_per_step": f"{place.work_pointer}/updates_per_step"},
    )
    argument.warn(
        "assumed_rollout",
        f"how many steps share a rollout is not given; {steps.central:g} were taken",
        pointer=pointer,
    )
    return steps
