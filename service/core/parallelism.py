"""How a model's work and state are spread over devices.

One `Layout` holds one layout (numbers) or many (arrays of one shape, or of shapes that broadcast);
formulas take either. `LayoutRequest` is what a user may say about it.
"""

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from service.core.arrays import Real

RECOMPUTE_NONE = 0.0
RECOMPUTE_SELECTIVE = (
    1.0  # what is cheap to do again: the attention core, activation functions, norms
)
RECOMPUTE_FULL = 2.0  # all but the input of each layer
Recompute = Literal["none", "selective", "full"]
RECOMPUTE_CODE: dict[Recompute, float] = {
    "none": RECOMPUTE_NONE,
    "selective": RECOMPUTE_SELECTIVE,
    "full": RECOMPUTE_FULL,
}

Degree = Annotated[float, Meta(ge=1, le=10_000_000, multiple_of=1)]


class Layout(NamedTuple):
    """One layout, or many as arrays.

    devices = tensor_parallel * pipeline_parallel * context_parallel * data_parallel. Expert
    parallelism takes its ranks from those of tensor, context and data parallelism, it does not
    multiply the devices.
    """

    tensor_parallel: Real = 1.0
    pipeline_parallel: Real = 1.0
    data_parallel: Real = 1.0
    context_parallel: Real = 1.0
    expert_parallel: Real = 1.0
    micro_batch: Real = 1.0  # sequences that one data-parallel rank runs at once
    virtual_stages: Real = 1.0  # model chunks per device in the interleaved pipeline schedule
    zero_stage: Real = 1.0  # 0 replicas, 1 optimizer states, 2 + gradients, 3 + weights (FSDP)
    sequence_parallel: Real = 1.0  # 1: norms and residuals are split over tensor-parallel ranks too
    recompute: Real = 0.0  # 0 none, 1 selective, 2 full
    recompute_share: Real = 1.0  # of the layers, those to which `recompute` applies
    offload_share: Real = 0.0  # of the kept activations, those that are moved to host memory
    expert_tensor_parallel: Real = 1.0  # ranks over which one expert's matrices are split
    shard_ranks: Real = (
        0.0  # ranks over which ZeRO splits states; 0: all data- and context-parallel ones
    )


class LayoutRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layout as asked for; what is left out takes the value in the comment, or is searched."""

    tensor_parallel: Degree = 1.0
    pipeline_parallel: Degree = 1.0
    context_parallel: Degree = 1.0
    expert_parallel: Degree = 1.0
    data_parallel: Degree | None = None  # the devices left over
    micro_batch: Annotated[float, Meta(ge=1, le=1_000_000, multiple_of=1)] = 1.0
    virtual_stages: Annotated[float, Meta(ge=1, le=10_000, multiple_of=1)] = 1.0
    zero_stage: Annotated[float, Meta(ge=0, le=3, multiple_of=1)] = 1.0
    sequence_parallel: bool | None = None  # on where tensor_parallel is above 1
    recompute: Recompute = "none"
    recompute_share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    offload_share: Annotated[float, Meta(ge=0, le=1)] = 0.0


def layout_of(request: LayoutRequest, *, devices: float) -> Layout:
    """The layout asked for on so many devices, with what was left out filled in."""
    inner = request.tensor_parallel * request.pipeline_parallel * request.context_parallel
    sequence_parallel = request.sequence_parallel
    if sequence_parallel is None:
        sequence_parallel = request.tensor_parallel > 1
    return Layout(
        tensor_parallel=request.tensor_parallel,
        pipeline_parallel=request.pipeline_parallel,
        data_parallel=request.data_parallel or max(1.0, devices // inner),
        context_parallel=request.context_parallel,
        expert_parallel=request.expert_parallel,
        micro_batch=request.micro_batch,
        virtual_stages=request.virtual_stages,
        zero_stage=request.zero_stage,
        sequence_parallel=float(sequence_parallel),
        recompute=RECOMPUTE_CODE[request.recompute],
        recompute_share=request.recompute_share,
        offload_share=request.offload_share,
    )


def devices_of(layout: Layout) -> Real:
    """Devices that a layout occupies: tp * pp * cp * dp."""
    return (
        layout.tensor_parallel
        * layout.pipeline_parallel
        * layout.context_parallel
        * layout.data_parallel
    )


def micro_batches(*, layout: Layout, global_batch: Real) -> Real:
    """Micro-batches that each data-parallel rank runs per step; `global_batch` in sequences."""
    return global_batch / (layout.data_parallel * layout.micro_batch)


def tokens_per_device(*, layout: Layout, sequence_length: Real) -> Real:
    """Tokens of one micro-batch that one device holds between layers: b s / cp."""
    return layout.micro_batch * sequence_length / layout.context_parallel


def layers_per_stage(*, layers: Real, pipeline_parallel: Real) -> Real:
    """Layers of the longest pipeline stage: layers / pp rounded up."""
    return -(-layers // pipeline_parallel)


def expert_data_parallel(layout: Layout) -> Real:
    """Replicas of each expert: tp * cp * dp / (ep * etp)."""
    ranks = layout.tensor_parallel * layout.context_parallel * layout.data_parallel
    return ranks / (layout.expert_parallel * layout.expert_tensor_parallel)
