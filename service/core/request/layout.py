"""What a request may say of a layout: how a step is spread over devices."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from service.core.figures.vocabulary import PipelineSchedule, Recompute

Degree = Annotated[float, Meta(ge=1, le=10_000_000, multiple_of=1)]


class LayoutRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layout as asked for. Members left out have the value in their comment, or are searched."""

    tensor_parallel: Degree = 1.0
    pipeline_parallel: Degree = 1.0
    context_parallel: Degree = 1.0
    expert_parallel: Degree = 1.0
    data_parallel: Degree | UnsetType = UNSET  # the devices left over
    micro_batch: Annotated[float, Meta(ge=1, le=1_000_000, multiple_of=1)] = 1.0
    virtual_stages: Annotated[float, Meta(ge=1, le=10_000, multiple_of=1)] = 1.0
    zero_stage: Annotated[float, Meta(ge=0, le=3, multiple_of=1)] = 1.0
    sequence_parallel: bool | UnsetType = UNSET  # on where tensor_parallel is above 1
    recompute: Recompute | UnsetType = UNSET  # the least that fits
    recompute_share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    offload_share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    optimizer_offload: bool = False  # optimizer states live in the host's memory
    weight_offload: bool = False  # sharded weights too, until they are gathered
    pipeline_schedule: PipelineSchedule = "1f1b"  # interleaved where virtual_stages is above 1
    expert_overlap: bool | UnsetType = UNSET  # on under dualpipe
