"""What a loss asks for besides its training step: frozen models that run forward, or no logits.

A preference is learned from two answers, and most of its losses compare the model with a frozen
copy of itself. A model that judges has one output in place of the vocabulary. A student is compared
with its teacher. All of it is counted in FLOP of the step, and frozen weights stand in memory.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from msgspec import Struct, structs

from service.core.argument import Cursor, Unknown
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import PreferenceLoss
from service.core.model.architecture import Architecture
from service.core.model.flop import forward_flop_per_token_causal, train_flop_per_token_causal
from service.core.model.named import NamedModel, named_model
from service.core.model.parameters import params_total
from service.core.request.work import (
    Distillation,
    Finetuning,
    Preference,
    RewardModelling,
    Tuning,
)
from service.core.training.trainable import TrainableShare

ANSWERS_OF_A_PAIR: Final = 2.0
PASSES_OF_FULL_TRAINING: Final = 3.0
PASSES_OF_ADAPTERS: Final = 2.0
"""Forward passes that a head costs under adapters: its own, and the gradient of its input."""


class LossPasses(Struct, frozen=True, kw_only=True):
    """What a loss on preferences runs for each answer that is learned from.

    `reference_passes` are forward passes of the frozen copy, `policy_passes` those of the model
    itself without gradients.
    """

    answers_per_example: float = ANSWERS_OF_A_PAIR
    reference_passes: float = 0.0
    policy_passes: float = 0.0


# Source: the papers, DPO (arXiv 2305.18290), IPO (arXiv 2310.12036), ORPO (arXiv 2403.07691), SimPO
# (arXiv 2405.14734) and KTO (arXiv 2402.01306). KTO estimates a divergence on answers of other
# prompts, which both models run forward, as TRL's trainer does.
LOSS_PASSES: Final[Mapping[PreferenceLoss, LossPasses]] = MappingProxyType(
    {
        "dpo": LossPasses(reference_passes=1.0),
        "ipo": LossPasses(reference_passes=1.0),
        "kto": LossPasses(answers_per_example=1.0, reference_passes=2.0, policy_passes=1.0),
        "orpo": LossPasses(),
        "simpo": LossPasses(),
    }
)


class Objective(Struct, frozen=True, kw_only=True):
    """The loss of a stage: answers of an example, and what it adds to a training step.

    `frozen_flop_per_token` are the FLOP of forward passes without gradients, and
    `unused_flop_per_token` those of logits that are not computed. `frozen_models` are weights that
    stand in memory, as many times as the model has itself. `measured` says whether the time of runs
    with this loss is published.
    """

    answers_per_example: float = 1.0
    frozen_flop_per_token: Term | None = None
    unused_flop_per_token: Term | None = None
    frozen_models: float = 0.0
    measured: bool = True


@formula("frozen_flop_per_token_of_passes", unit="flop/token")
def forward_flop_per_token(
    *, architecture: Architecture, sequence_length: Real, passes: float
) -> Real:
    """FLOP per token of forward passes without gradients, causal attention.

        passes * forward

    Source: Narayanan et al. 2021 (arXiv 2104.04473, appendix), for a forward pass.
    """
    forward = forward_flop_per_token_causal(
        architecture=architecture, sequence_length=sequence_length
    )
    return passes * forward.total


@formula("unused_logit_flop_per_token", unit="flop/token")
def logit_flop_per_token(
    *, architecture: Architecture, sequence_length: Real, passes: float
) -> Real:
    """FLOP per token of the logits that a model with one output does not compute.

        passes * logits

    Source: Narayanan et al. 2021 (arXiv 2104.04473, appendix), for the product of the head.
    """
    forward = forward_flop_per_token_causal(
        architecture=architecture, sequence_length=sequence_length
    )
    return passes * forward.logits


@formula("objective_flop_per_token", unit="flop/token")
def objective_flop_per_token(
    *, trained_flop_per_token: Real, frozen: Real = 0.0, unused: Real = 0.0
) -> Real:
    """FLOP per token of a step with all that its loss asks for.

        trained_flop_per_token + frozen - unused

    Source: definition.
    """
    return trained_flop_per_token + frozen - unused


@formula("objective_flop_ratio", unit="ratio")
def objective_flop_ratio(
    *,
    flop_per_token: Real,
    trained_flop_per_token: Real,
    seconds_over_flop: Real,
    flop_ratio: Real = 1.0,
) -> Real:
    """FLOP of a step with all that its loss asks for, over those of the step that is timed.

        flop_ratio * flop_per_token / trained_flop_per_token * seconds_over_flop

    A forward pass is taken to reach the same share of the peak as the step beside it.
    `seconds_over_flop` is the error of that.

    Source: definition; backward is twice forward, as in Narayanan et al. 2021 (arXiv 2104.04473).
    """
    return flop_ratio * flop_per_token / trained_flop_per_token * seconds_over_flop


def objective_of(work: Cursor[Tuning], model: NamedModel) -> Objective | Unknown:
    """What the loss of a stage asks for, or why its teacher is not known."""
    return OBJECTIVES[type(work.said)](work, model)


def answers_per_example(work: Cursor[Any]) -> float:
    """Answers of an example that are learned from."""
    said = work.said
    if isinstance(said, Preference):
        return LOSS_PASSES[said.loss].answers_per_example
    return ANSWERS_OF_A_PAIR if isinstance(said, RewardModelling) else 1.0


def _next_token(*_of_any: object) -> Objective:
    return Objective()


def _preference(work: Cursor[Preference], model: NamedModel) -> Objective:
    """Passes of the frozen copy. Under adapters, the model without them is its own copy."""
    said, loss = work.said, LOSS_PASSES[work.said.loss]
    reference = loss.reference_passes if said.reference_pass else 0.0
    passes = reference + loss.policy_passes
    copied = reference > 0.0 and said.method.__struct_config__.tag in ("full", "frozen")
    return Objective(
        frozen_flop_per_token=_forward(work, model, passes) if passes else None,
        frozen_models=1.0 if copied else 0.0,
        measured=said.loss == "dpo",
    )


def _judging(work: Cursor[RewardModelling], model: NamedModel) -> Objective:
    adapters = work.said.method.__struct_config__.tag in ("lora", "qlora")
    return Objective(
        unused_flop_per_token=work.derive(
            logit_flop_per_token,
            "unused_flop_per_token",
            architecture=model.fixed,
            sequence_length=work.fixed("sequence_length"),
            passes=PASSES_OF_ADAPTERS if adapters else PASSES_OF_FULL_TRAINING,
        ),
        measured=False,
    )


def _distillation(work: Cursor[Distillation], model: NamedModel) -> Objective | Unknown:
    teacher = named_model(work.at("teacher"))
    if isinstance(teacher, Unknown):
        return teacher
    taught, own = teacher.architecture, model.architecture
    return Objective(
        frozen_flop_per_token=_forward(work, teacher, 1.0),
        frozen_models=float(params_total(architecture=taught) / params_total(architecture=own)),
    )


def _forward(work: Cursor[Any], model: NamedModel, passes: float) -> Term:
    return work.derive(
        forward_flop_per_token,
        "frozen_flop_per_token",
        architecture=model.fixed,
        sequence_length=work.fixed("sequence_length"),
        passes=passes,
    )


LossReader: TypeAlias = Callable[[Cursor[Any], NamedModel], Objective | Unknown]
OBJECTIVES: Final[Mapping[type[Tuning], LossReader]] = MappingProxyType(
    {
        Finetuning: _next_token,
        Preference: _preference,
        RewardModelling: _judging,
        Distillation: _distillation,
    }
)
"""What reads the loss of each kind of tuning."""


def with_objective(
    work: Cursor[Tuning], model: NamedModel, trainable: TrainableShare, objective: Objective
) -> TrainableShare:
    """What is trained, with what the loss adds to a step and to memory."""
    added = {
        name: term
        for name, term in (
            ("frozen", objective.frozen_flop_per_token),
            ("unused", objective.unused_flop_per_token),
        )
        if term is not None
    }
    if isinstance(work.said, Finetuning):
        return trainable
    trained = trainable.flop_per_token or work.derive(
        train_flop_per_token_causal,
        "trained_flop_per_token",
        architecture=model.fixed,
        sequence_length=work.fixed("sequence_length"),
    )
    whole = work.derive(
        objective_flop_per_token,
        "objective_flop_per_token",
        trained_flop_per_token=trained,
        **added,
    )
    of_method = {} if trainable.flop_ratio is None else {"flop_ratio": trainable.flop_ratio}
    return structs.replace(
        trainable,
        frozen_models=objective.frozen_models,
        flop_per_token=whole,
        flop_ratio=work.derive(
            objective_flop_ratio,
            "objective_flop_ratio",
            flop_per_token=whole,
            trained_flop_per_token=trained,
            seconds_over_flop=_seconds_over_flop(work, objective),
            **of_method,
        ),
    )


def _seconds_over_flop(work: Cursor[Tuning], objective: Objective) -> Term:
    if objective.measured:
        return work.assume("finetuning.seconds_over_flop.measured", member="mfu")
    work.warn(
        "unmeasured_loss",
        "no published run with this loss tells its time; its FLOP are counted",
        member="kind",
    )
    return work.assume("finetuning.seconds_over_flop.unmeasured", member="mfu")
