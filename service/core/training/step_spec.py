"""What is asked of a step, beside the cluster: the model, the batch, the recipe, the layout."""

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Argument, Unknown
from service.core.figures.ledger import Term
from service.core.model.named import Described, Description, description_of
from service.core.request.quantities import Year
from service.core.request.wire import Interval
from service.core.request.work import (
    Anchor,
    ExpertKernels,
    LayoutTerms,
    OptimizerName,
    Pretraining,
    TrainingPrecision,
)
from service.core.training.parallelism import whole_batch


class Trained(Struct, frozen=True, kw_only=True):
    """Which part of the parameters is trained, and what that saves; by default all of them.

    `adapters` says that no weight of the model itself is trained, but `params_share` of as many
    beside them. `flop_ratio` is what the formula of the method costs over what the engine times.
    """

    params_share: float = 1.0
    adapters: bool = False
    weight_bytes: float = 0.0
    flop_ratio: Term | None = None
    flop_per_token: Term | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """What a step is, beside the cluster; `pointer` is where the work stands in the request.

    `tokens` and `sequence` are terms of its batch and its sequence where they are no members of
    the request but follow from others.
    """

    described: Described
    sequence_length: float
    global_batch_tokens: float
    precision: TrainingPrecision
    optimizer: OptimizerName
    layout: LayoutTerms | UnsetType
    software_year: float | Interval[Year] | UnsetType
    pointer: str
    prefix: str
    expert_kernels: ExpertKernels | None = None
    trained: Trained = Trained()
    tokens: Term | None = None
    sequence: Term | None = None


def ask_of(work: Pretraining, described: Described, *, pointer: str, prefix: str) -> Ask:
    """The step of a pretraining stage."""
    return Ask(
        described=described,
        sequence_length=work.sequence_length,
        global_batch_tokens=work.global_batch_tokens,
        precision=work.precision,
        optimizer=work.optimizer,
        layout=work.layout,
        software_year=work.software_year,
        expert_kernels=work.expert_kernels or None,
        pointer=pointer,
        prefix=prefix,
    )


def ask_of_anchor(argument: Argument, ask: Ask, anchor: Anchor, *, pointer: str) -> Ask | Unknown:
    """The step that an anchor measured: what it does not say is as in the stage."""
    described: Description = ask.described
    if anchor.model is not UNSET:
        described = description_of(argument, anchor.model, pointer=f"{pointer}/model")
    if isinstance(described, Unknown):
        return described
    sequence, batch = anchor.sequence_length, anchor.global_batch_tokens
    return Ask(
        described=described,
        sequence_length=ask.sequence_length if sequence is UNSET else sequence,
        global_batch_tokens=ask.global_batch_tokens if batch is UNSET else batch,
        precision=ask.precision if anchor.precision is UNSET else anchor.precision,
        optimizer=ask.optimizer,
        layout=anchor.layout,
        software_year=ask.software_year,
        expert_kernels=ask.expert_kernels,
        pointer=pointer,
        prefix=f"{ask.prefix}/anchor",
    )


def sequences_of(argument: Argument, ask: Ask) -> float:
    """Sequences per step; a batch that does not divide is rounded, and the quote says so."""
    batch = whole_batch(
        global_batch_tokens=ask.global_batch_tokens, sequence_length=ask.sequence_length
    )
    if batch * ask.sequence_length != ask.global_batch_tokens:
        argument.warn(
            "batch_rounded",
            f"{ask.global_batch_tokens:g} tokens were taken as {batch:g} sequences"
            f" of {ask.sequence_length:g}",
            pointer=f"{ask.pointer}/global_batch_tokens",
        )
    return batch
