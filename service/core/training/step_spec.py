"""What a step is, apart from the cluster: the model, the batch, the precision, the layout."""

from typing import Any, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Cursor, Fixed, Unknown
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import ExpertKernels
from service.core.model.named import NamedModel, named_model
from service.core.request.layout import LayoutRequest
from service.core.request.work import Anchor, Finetuning, Pretraining, Reinforcement, Tuning
from service.core.training.parallelism import whole_batch
from service.core.training.trainable import TrainableShare, trainable_share

Learning: TypeAlias = Cursor[Pretraining] | Cursor[Tuning] | Cursor[Reinforcement]
"""Work whose steps are timed here."""


class StepSpec(Struct, frozen=True, kw_only=True):
    """What a step is, apart from the cluster.

    `work` says which optimizer and software it runs with. `at` is the place that says the layout:
    the work itself, or an anchor in it; figures of the step begin with its prefix. `tokens` are
    those of a step, if they follow from other figures.
    """

    work: Learning
    at: Cursor[Any]
    model: NamedModel
    sequence_length: Fixed
    global_batch_tokens: Fixed
    precision: Fixed
    trainable: TrainableShare = TrainableShare()
    tokens: Term | None = None

    @property
    def anchor(self) -> Cursor[Anchor] | None:
        """The measured speed that the work names, if it names one."""
        takes_one = isinstance(self.work.said, Pretraining | Finetuning)
        if not takes_one or not self.work.states("anchor"):
            return None
        return self.work.at("anchor")

    @property
    def cuts_model(self) -> bool:
        """Whether a layout is said that cuts the model or its sequences."""
        layout: LayoutRequest | UnsetType = self.at.said.layout
        if layout is UNSET:
            return False
        degrees = (
            layout.tensor_parallel,
            layout.pipeline_parallel,
            layout.context_parallel,
            layout.expert_parallel,
        )
        return max(degrees) > 1

    @property
    def expert_kernels(self) -> ExpertKernels | None:
        """How products of routed experts run, if the work says so."""
        said = self.work.said
        return said.expert_kernels or None if isinstance(said, Pretraining) else None


def spec_of(
    work: Cursor[Pretraining] | Cursor[Tuning],
    model: NamedModel,
    *,
    trainable: TrainableShare | None = None,
) -> StepSpec:
    """The step of work that states its sequences and its batch."""
    return StepSpec(
        work=work,
        at=work,
        model=model,
        sequence_length=work.fixed("sequence_length"),
        global_batch_tokens=work.fixed("global_batch_tokens"),
        precision=work.fixed("precision"),
        trainable=trainable or TrainableShare(),
    )


def spec_of_anchor(spec: StepSpec, anchor: Cursor[Anchor]) -> StepSpec | Unknown:
    """The step that an anchor measured: the stage's own, with what the anchor states instead.

    What is trained of the model, and by which method, is as in the stage.
    """
    model: NamedModel | Unknown = spec.model
    if anchor.states("model"):
        model = named_model(anchor.at("model"))
    if isinstance(model, Unknown):
        return model

    def stated(member: str, otherwise: Fixed) -> Fixed:
        return anchor.fixed(member) if anchor.states(member) else otherwise

    at, length = (
        anchor.under(f"{spec.at.prefix}/anchor"),
        stated("sequence_length", spec.sequence_length),
    )
    trainable = TrainableShare()
    if isinstance(spec.work.said, Finetuning):
        trainable = trainable_share(spec.work.under(at.prefix), model, sequence_length=length)
    return StepSpec(
        work=spec.work,
        at=at,
        model=model,
        sequence_length=length,
        global_batch_tokens=stated("global_batch_tokens", spec.global_batch_tokens),
        precision=stated("precision", spec.precision),
        trainable=trainable,
    )


def sequences_of(spec: StepSpec) -> float:
    """Sequences per step. A batch that cannot be divided is rounded, with a warning."""
    tokens, length = spec.global_batch_tokens.value, spec.sequence_length.value
    batch = whole_batch(global_batch_tokens=tokens, sequence_length=length)
    if batch * length != tokens:
        spec.at.argument.warn(
            "batch_rounded",
            f"{tokens:g} tokens were taken as {batch:g} sequences of {length:g}",
            pointer=spec.global_batch_tokens.stands,
        )
    return batch
