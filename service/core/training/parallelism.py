"""How a model's work and state are spread over devices.

A `Layout` holds one layout (numbers) or many (arrays of one shape, or of shapes that broadcast).
Formulas take either.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from service.core.figures.arrays import Array, Real, maximum, where
from service.core.figures.vocabulary import PipelineSchedule, Recompute
from service.core.model.architecture import Architecture

# Prime factors of the numbers of pipeline stages that people choose.
USUAL_FACTORS = frozenset((2.0, 3.0, 5.0))
RECOMPUTE_NONE = 0.0
RECOMPUTE_SELECTIVE = 1.0  # cheap parts: the attention core, activation functions, norms
RECOMPUTE_FULL = 2.0  # all but the input of each layer
# Published runs split matrices over 16 devices at most.
MAX_TENSOR_PARALLEL = 16.0
# Shortest piece of a sequence. In shorter ones the exchange would take longer than the attention.
MIN_CONTEXT_PARALLEL_TOKENS = 2048.0
# Largest relative change of the batch that makes it divisible.
MAX_BATCH_CHANGE = 0.05

RECOMPUTE_CODE: dict[Recompute, float] = {
    "none": RECOMPUTE_NONE,
    "selective": RECOMPUTE_SELECTIVE,
    "full": RECOMPUTE_FULL,
}
RECOMPUTE_NAME: dict[float, Recompute] = {code: name for name, code in RECOMPUTE_CODE.items()}

SCHEDULE_CODE: dict[PipelineSchedule, float] = {"1f1b": 0.0, "zero_bubble": 1.0, "dualpipe": 2.0}
SCHEDULE_NAME: dict[float, PipelineSchedule] = {code: name for name, code in SCHEDULE_CODE.items()}
ZERO_BUBBLE, DUALPIPE = SCHEDULE_CODE["zero_bubble"], SCHEDULE_CODE["dualpipe"]


class Layout(NamedTuple):
    """One layout, or many as arrays.

    devices = tensor_parallel * pipeline_parallel * context_parallel * data_parallel. Expert
    parallelism uses the ranks of tensor, context and data parallelism. It does not multiply the
    devices.
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
    offload_share: Real = 0.0  # of the kept activations that are moved to host memory
    optimizer_offload: Real = 0.0  # 1: optimizer states, and gradients from ZeRO-2 on, on the host
    weight_offload: Real = 0.0  # 1: weights that ZeRO-3 splits are on the host
    expert_tensor_parallel: Real = 1.0  # ranks over which one expert's matrices are split
    shard_ranks: Real = (
        0.0  # ranks over which ZeRO splits states; 0: all data- and context-parallel ones
    )
    pipeline_schedule: Real = 0.0  # 0 1F1B or interleaved, 1 zero bubble, 2 DualPipe
    expert_overlap: Real = 0.0  # 1: the all-to-all runs beside another micro-batch's compute


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


def stage_copies(layout: Layout) -> Real:
    """Pipeline stages that one device holds: two under DualPipe, which is fed from both ends.

    Source: DeepSeek-V3 (arXiv 2412.19437, table 2).
    """
    return where(layout.pipeline_schedule >= DUALPIPE, 2.0, 1.0)


def stages_waited(layout: Layout) -> Real:
    """Time to fill and drain the pipeline, in units of one stage's time for a micro-batch.

        1F1B         (pp - 1) / vp
        zero bubble  (pp - 1) (F + B - 2 W)           = (pp - 1) / 3
        DualPipe     (pp / 2 - 1) (F + B + B - 3 W)   = (pp / 2 - 1) 2 / 3

    A third each is forward (F), gradients of inputs, and gradients of weights (W); B has the latter
    two. Source: DeepSeek-V3 (arXiv 2412.19437, table 2), with the thirds of Qi et al. 2023 (arXiv
    2401.10241, section 2); vp as in Narayanan et al. 2021 (arXiv 2104.04473, section 2.2).
    """
    pp, schedule = layout.pipeline_parallel, layout.pipeline_schedule
    dual = maximum(0.0, pp / 2 - 1) * 2 / 3
    filled = where(schedule >= DUALPIPE, dual, (pp - 1) / 3)
    return where(schedule >= ZERO_BUBBLE, filled, (pp - 1) / layout.virtual_stages)


def expert_data_parallel(layout: Layout) -> Real:
    """Replicas of each expert: tp * cp * dp / (ep * etp)."""
    ranks = layout.tensor_parallel * layout.context_parallel * layout.data_parallel
    return ranks / (layout.expert_parallel * layout.expert_tensor_parallel)


def whole_batch(*, global_batch_tokens: float, sequence_length: float) -> float:
    """Sequences per step, close to this many tokens, that data parallelism can divide.

    A whole number of sequences stays as it is. Otherwise it is rounded to the multiple of the
    largest power of two that moves it by at most 5%: 16e6 tokens of 8,192 are 2,048 sequences, not
    1,953.
    """
    sequences = max(1.0, global_batch_tokens / sequence_length)
    if sequences == math.floor(sequences):
        return sequences
    step = 2.0 ** math.floor(math.log2(sequences))
    while step > 1:
        rounded = step * max(1.0, math.floor(sequences / step + 0.5))
        if abs(rounded / sequences - 1) <= MAX_BATCH_CHANGE:
            return rounded
        step /= 2
    return math.floor(sequences + 0.5)


def divisors_of(number: float) -> Array:
    """All divisors of a whole number, ascending."""
    small = np.arange(1.0, math.isqrt(int(number)) + 1)
    small = small[number % small == 0]
    return np.unique(np.concatenate([small, number / small]))


def tensor_degrees(architecture: Architecture, *, limit: float) -> Array:
    """Tensor-parallel degrees that divide the heads, and divide or repeat the key-value heads.

    Source: what Megatron-LM accepts.
    """
    a = architecture
    tp = divisors_of(a.heads)
    shares = (a.kv_heads % tp == 0) | (tp % a.kv_heads == 0)
    widths = (a.ffn_size % tp == 0) & (a.shared_ffn_size % tp == 0)
    legal: Array = tp[shares & widths & (tp <= limit)]
    return legal


def pipeline_degrees(layers: float, *, largest: float) -> Array:
    """Useful numbers of stages: none is empty, and a smaller number would make them longer.

    Stages may be uneven, as in Megatron-Core: ceil(layers / n) for every n. Their numbers are
    products of twos, threes and fives: nobody cuts a model into seven because there are seven
    devices.
    """
    per_stage = np.arange(1.0, layers + 1)
    pp = np.unique(np.ceil(layers / per_stage))
    powers = 2.0 ** np.arange(0, math.floor(math.log2(layers)) + 1)
    pp = np.union1d(pp, powers[(powers - 1) * np.ceil(layers / powers) < layers])
    smooth = np.array([set(_factors(stages)) <= USUAL_FACTORS for stages in pp.tolist()])
    legal: Array = pp[smooth & (pp <= largest)]
    return legal


def _factors(number: float) -> Iterator[float]:
    """The prime factors of a whole number."""
    factor = 2.0
    while number > 1:
        while number % factor == 0:
            yield factor
            number /= factor
        factor += 1


def context_degrees(sequence_length: float) -> Array:
    """Context-parallel degrees: powers of two that cut the sequence into equal, long pieces."""
    most = max(1.0, sequence_length / MIN_CONTEXT_PARALLEL_TOKENS)
    cp = 2.0 ** np.arange(0, math.floor(math.log2(most)) + 1)
    legal: Array = cp[(cp == 1) | (sequence_length % (2 * cp) == 0)]
    return legal


def expert_degrees(architecture: Architecture) -> Array:
    """Expert-parallel degrees: divisors of the number of experts, or 1 without experts."""
    return divisors_of(max(1.0, architecture.experts))


def illegalities(
    *,
    layout: Layout,
    architecture: Architecture,
    devices: float,
    global_batch: float,
    sequence_length: float,
) -> tuple[tuple[str, str], ...]:
    """Why one layout cannot run at all, as (member, why); empty for a legal one."""
    a, tp, pp = architecture, layout.tensor_parallel, layout.pipeline_parallel
    ranks = tp * layout.context_parallel * layout.data_parallel
    owners = layout.expert_parallel * layout.expert_tensor_parallel
    sequences = global_batch / layout.data_parallel
    checks = (
        ("data_parallel", "needs more devices than there are", devices_of(layout) > devices),
        ("tensor_parallel", "must divide the heads", a.heads % tp != 0),
        (
            "tensor_parallel",
            "must divide the key-value heads or be a multiple of them",
            a.kv_heads % tp != 0 and tp % a.kv_heads != 0,
        ),
        ("pipeline_parallel", "leaves a stage without layers", _has_empty_stage(a.layers, pp)),
        ("virtual_stages", "needs a pipeline", layout.virtual_stages > 1 and pp <= 1),
        (
            "virtual_stages",
            "must not exceed the layers of a stage",
            layout.virtual_stages > layers_per_stage(layers=a.layers, pipeline_parallel=pp),
        ),
        (
            "pipeline_schedule",
            "needs a pipeline whose virtual_stages are 1",
            layout.pipeline_schedule >= ZERO_BUBBLE and (pp <= 1 or layout.virtual_stages > 1),
        ),
        (
            "pipeline_schedule",
            "dualpipe needs an even number of stages and twice as many micro-batches",
            layout.pipeline_schedule >= DUALPIPE
            and (pp % 2 != 0 or sequences / layout.micro_batch < 2 * pp),
        ),
        (
            "context_parallel",
            "must divide the sequence",
            sequence_length % layout.context_parallel != 0,
        ),
        ("weight_offload", "needs zero_stage 3", layout.weight_offload > layout.zero_stage / 3),
        ("expert_parallel", "must divide the experts", max(1.0, a.experts) % owners != 0),
        ("expert_parallel", "must divide tensor x context x data parallel", ranks % owners != 0),
        ("data_parallel", "must divide the global batch", sequences % 1 != 0),
        ("micro_batch", "must divide the batch of a rank", sequences % layout.micro_batch != 0),
    )
    return tuple((member, why) for member, why, broken in checks if broken)


def _has_empty_stage(layers: float, pipeline_parallel: Real) -> bool:
    per_stage = layers_per_stage(layers=layers, pipeline_parallel=pipeline_parallel)
    return bool((pipeline_parallel - 1) * per_stage >= layers)
