"""Seconds of one training step by part, computed analytically.

Symbols: t tokens of a micro-batch on the device, m micro-batches per replica, tp, pp, vp, cp, ep,
dp as in `Layout`. One formula serves a single layout and arrays of them.
"""

from typing import NamedTuple

import numpy as np

from service.core.figures.arrays import Real, cube_root, is_nowhere, log2, maximum, minimum, where
from service.core.figures.constants import Constants
from service.core.model.architecture import Architecture
from service.core.training.parallelism import (
    RECOMPUTE_FULL,
    RECOMPUTE_SELECTIVE,
    Layout,
    devices_of,
    layers_per_stage,
    micro_batches,
    stage_copies,
    stages_waited,
    tokens_per_device,
)
from service.core.training.steptime.constants import Coefficients, coefficients_of, traits_of
from service.core.training.steptime.links import (
    MicroBatch,
    context_parallel_s,
    expert_parallel_beside_s,
    expert_parallel_s,
    replica_rate,
    stage_transfer_s,
    tensor_parallel_s,
)
from service.core.training.steptime.machine import Machine, Recipe
from service.core.training.steptime.work import StepWork, work_of

WEIGHT_BYTES = 2.0
HOST_BYTE_PER_S = 20e9
"""What a device's link to its host carries, one way. Source: PCIe 4.0 x16, at two thirds."""
HOST_UPDATE_BYTES = 4.0
"""Of a parameter, to the host and back: 16 bits of gradient, 16 of weight."""
HOST_UPDATE_S = 2.5e-10
"""Of a parameter's update on a host that does nothing else.

Source: ZeRO-Offload (arXiv 2101.06840, table 4): 0.2 to 0.3 s for a billion parameters.
"""
DEVICES_OF_HOST = 8.0
UPDATE_BYTES = 50.0
"""Bytes that an update reads and writes for each parameter: states, master, gradient and weight.

Judged, for every optimizer; the fitted share of the memory bandwidth goes with it.
"""
NARROW_HEAD = 64.0
LANES = 128.0  # widths that are not a multiple of it waste part of a tile
# The scaling of stragglers is counted from one server.
SERVER_DEVICES = 8.0
# A backward pass issues about half as many kernels again as a forward one.
BACKWARD_HOST = 1.5
SHARDED_WEIGHTS = 3.0


class StepParts(NamedTuple):
    """Seconds of a step by part. The parts add up to the step."""

    gemm: Real  # projections, dense and shared feed-forward
    attention: Real  # scores and weighted values
    elementwise: Real  # norms, activations, residuals, quantisation
    experts: Real  # grouped products, permutation
    recompute: Real
    vocabulary: Real  # logits and loss
    launch: Real  # the device waiting for the host
    tensor_parallel: Real
    context_parallel: Real
    expert_parallel: Real
    pipeline_imbalance: Real  # the longest stage over the mean one
    pipeline_bubble: Real
    pipeline_transfer: Real
    data_parallel: Real  # gradients and weights, sharded or not
    optimizer: Real
    host: Real  # once per step: data, logging, synchronisation
    stragglers: Real

    @property
    def total(self) -> Real:
        """All parts together: the step."""
        total: Real = sum(self)
        return total


class _Layer(NamedTuple):
    """Seconds of a mean layer and micro-batch."""

    gemm: Real
    attention: Real
    elementwise: Real
    experts: Real
    recompute: Real
    launch: Real
    tensor_parallel: Real
    context_parallel: Real
    expert_parallel: Real


def step_seconds(
    *,
    architecture: Architecture,
    layout: Layout,
    sequence_length: float,
    global_batch: Real,
    machine: Machine,
    recipe: Recipe,
    constants: Constants,
) -> Real:
    """The total of `step_parts`."""
    return step_parts(
        architecture=architecture,
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        machine=machine,
        recipe=recipe,
        constants=constants,
    ).total


def step_parts(
    *,
    architecture: Architecture,
    layout: Layout,
    sequence_length: float,
    global_batch: Real,
    machine: Machine,
    recipe: Recipe,
    constants: Constants,
) -> StepParts:
    """Seconds of one step by part. `global_batch` is in sequences, `layout` numbers or arrays.

    (m * longest stage + bubble + replicas + optimizer + host) * stragglers
    """
    traits = traits_of(machine=machine, recipe=recipe, constants=constants)
    return parts_of(
        work=work_of(architecture=architecture, sequence_length=sequence_length),
        layout=layout,
        global_batch=global_batch,
        machine=machine,
        coefficients=coefficients_of(traits=traits, values=constants.values),
    )


def parts_of(
    *,
    work: StepWork,
    layout: Layout,
    global_batch: Real,
    machine: Machine,
    coefficients: Coefficients,
) -> StepParts:
    """`step_parts` for work, machine and coefficients that may also be arrays, one per row."""
    c, pp = coefficients, layout.pipeline_parallel
    tokens = tokens_per_device(layout=layout, sequence_length=work.sequence_length)
    at = MicroBatch(work, layout, tokens, machine, coefficients)
    batches = maximum(1.0, micro_batches(layout=layout, global_batch=global_batch))
    layer = _layer(at)
    vocabulary = _vocabulary_s(at)
    layers = work.layers + work.mtp_layers
    seconds: Real = sum(layer)
    mean_stage = (layers * seconds + vocabulary) / pp
    longest = layers_per_stage(layers=work.layers, pipeline_parallel=pp) * seconds + vocabulary
    imbalance = where(pp > 1, c.stage_imbalance * maximum(0.0, longest - mean_stage), 0.0)
    transfer = stage_transfer_s(at)
    params = _params_on_device(work, layout)
    sharding = _sharding_s(at, params=params, stage=mean_stage + imbalance)
    trained = c.trained_share * params
    replicas = _replicas_s(at, params=trained)
    optimizer = _optimizer_s(at, params=trained)
    stage = mean_stage + imbalance + transfer + sharding
    bubble = stages_waited(layout) * stage
    step = batches * stage + bubble
    step = step + replicas + optimizer + c.step_host_s
    doublings = log2(maximum(1.0, devices_of(layout) / SERVER_DEVICES))
    on_device = batches * layers / pp
    return StepParts(
        gemm=on_device * layer.gemm,
        attention=on_device * layer.attention,
        elementwise=on_device * layer.elementwise,
        experts=on_device * layer.experts,
        recompute=on_device * layer.recompute,
        vocabulary=batches * vocabulary / pp,
        launch=on_device * layer.launch,
        tensor_parallel=on_device * layer.tensor_parallel,
        context_parallel=on_device * layer.context_parallel,
        expert_parallel=on_device * layer.expert_parallel,
        pipeline_imbalance=batches * imbalance,
        pipeline_bubble=bubble,
        pipeline_transfer=batches * transfer,
        data_parallel=batches * sharding + replicas,
        optimizer=optimizer,
        host=c.step_host_s,
        stragglers=c.scale_per_doubling * doublings * step,
    )


def _layer(at: MicroBatch) -> _Layer:
    """Seconds of a mean layer: forward, backward and recomputation."""
    c, moe = at.coefficients, at.moe_share
    gemm, attention, elementwise = _dense_gemm_s(at), _attention_s(at), _elementwise_s(at)
    experts = moe * _experts_s(at)
    products = (1 + c.weight_gradient) * (gemm + experts)
    compute = products + (1 + c.attention_backward) * attention + elementwise
    exchange = _exchange_s(at, compute=compute)
    context = context_parallel_s(at)
    tensor = tensor_parallel_s(at)
    forward = gemm + experts + attention + elementwise / 3 + exchange + context
    backward = (
        c.weight_gradient * (gemm + experts)
        + c.attention_backward * attention
        + elementwise * (2 / 3)
        + exchange
        + 2 * context
    )
    host = _layer_host_s(at)
    waited = _beyond4(forward, host)
    return _Layer(
        gemm=(1 + c.weight_gradient) * gemm,
        attention=(1 + c.attention_backward) * attention,
        elementwise=elementwise,
        experts=(1 + c.weight_gradient) * experts,
        recompute=_recompute_s(at, forward=forward + waited + tensor, attention=attention),
        launch=waited + _beyond4(backward, BACKWARD_HOST * host),
        tensor_parallel=2 * tensor,
        context_parallel=3 * context,
        expert_parallel=2 * exchange,
    )


def _exchange_s(at: MicroBatch, *, compute: Real) -> Real:
    """Seconds, forward, of dispatch and combine in a mean layer."""
    if is_nowhere(at.work.moe_layers):
        return 0.0
    return at.moe_share * where(
        at.layout.expert_overlap > 0,
        expert_parallel_beside_s(at, compute=compute / 2),
        expert_parallel_s(at),
    )


def _layer_host_s(at: MicroBatch) -> Real:
    """Seconds, forward, that the host needs for a mean layer, with experts in a loop."""
    c, layout = at.coefficients, at.layout
    kernels = c.layer_host_s
    loop = at.moe_share * at.work.experts / layout.expert_parallel * c.expert_host_s
    from_stage = where(c.hooked > 0, 0.0, SHARDED_WEIGHTS)
    return (kernels + loop) * where(layout.zero_stage >= from_stage, c.shard_host_ratio, 1.0)


def _unpacking_s(at: MicroBatch, *, params: Real) -> Real:
    """Seconds to unpack quantised weights once, for the products of one pass."""
    return params / at.layout.tensor_parallel * at.coefficients.unpacked_bytes / at.memory_rate


def _dense_gemm_s(at: MicroBatch) -> Real:
    """Seconds, forward, of a mean layer's products outside routed experts."""
    w, moe, d = at.work, at.moe_share, at.work.hidden_size
    queries = w.heads * w.head_dim
    projection = _product_s(
        at,
        flop=w.projection_flop,
        width=minimum(w.projection_width, d * at.layout.tensor_parallel),
        elements=w.projection_width + queries,
        kernels=2.0,
    )
    ffn = _product_s(at, flop=w.ffn_flop, width=w.ffn_width, elements=3 * w.ffn_width, kernels=2.0)
    shared = _product_s(
        at,
        flop=w.shared_flop,
        width=maximum(w.shared_width, NARROW_HEAD),
        elements=3 * w.shared_width,
        kernels=3.0,
    )
    mixer_flop = w.mixer_flop / at.coefficients.mixer_share
    mixer = _product_s(at, flop=mixer_flop, width=d, elements=4 * d, kernels=2.0)
    unpacking = _unpacking_s(at, params=w.layer_params)
    return projection + mixer + (1 - moe) * ffn + moe * shared + unpacking


def _product_s(at: MicroBatch, *, flop: Real, width: Real, elements: Real, kernels: float) -> Real:
    """Seconds of products with this FLOP per token, split over tensor-parallel ranks.

    2MNK / (share * peak) * (1 + tile / width), or weights and activations through memory,
    joined by a 4-norm, and a launch per kernel
    """
    if is_nowhere(flop):
        return 0.0
    c, tp = at.coefficients, at.layout.tensor_parallel
    rate = c.gemm_share * at.machine.peak_flop_per_s
    computed = at.tokens * flop / tp / rate * (1 + c.tile_width * tp / maximum(width, 1.0))
    moved = flop / tp + at.tokens * 2 * (elements / tp + 2 * at.work.hidden_size)
    seconds = _norm4(computed, moved / at.memory_rate) + kernels * c.gemm_launch_s
    return where(flop > 0, seconds, 0.0)


def _experts_s(at: MicroBatch) -> Real:
    """Seconds, forward, of the grouped products of one layer's routed experts."""
    if is_nowhere(at.work.moe_layers):
        return 0.0
    w, layout, c = at.work, at.layout, at.coefficients
    owners = layout.expert_parallel * layout.expert_tensor_parallel
    routed = at.tokens * w.experts_per_token / layout.tensor_parallel
    odd = where(w.hidden_size % LANES > 0, c.odd_width_ratio, 1.0)
    rate = c.expert_share * odd * at.machine.bf16_peak_flop_per_s
    width = maximum(w.expert_width, 1.0)
    computed = at.tokens * w.routed_flop / layout.tensor_parallel / rate
    computed = computed * (1 + c.expert_tile_width / width)
    moved = WEIGHT_BYTES * w.routed_params / owners + routed * 2 * (2 * w.hidden_size + 3 * width)
    products = _norm4(computed, moved / at.memory_rate) + 2 * c.gemm_launch_s
    return where(w.moe_layers > 0, products, 0.0)


def _attention_s(at: MicroBatch) -> Real:
    """Seconds, forward, of a layer's attention core.

    flash    causal FLOP / (share of the bf16 peak)
    before   FLOP of the whole square at the rate of products, and scores through memory

    A third of what a score moves is moved forward.
    """
    w, c, tp = at.work, at.coefficients, at.layout.tensor_parallel
    core = at.tokens * w.core_flop / tp / at.machine.bf16_peak_flop_per_s
    core = core * (1 + c.attention_keys / w.sequence_length)
    narrow = where(w.head_dim <= NARROW_HEAD, c.narrow_head_ratio, 1.0)
    flash = core * narrow / c.attention_share
    scores = at.tokens * w.heads * w.sequence_length / tp
    moved = scores * c.score_bytes / 3 / at.memory_rate
    unfused = w.square_over_core * core / c.gemm_share_16_bit + moved
    return flash + c.unfused_attention * (unfused - flash)


def _elementwise_s(at: MicroBatch) -> Real:
    """Seconds, forward and backward, of work that only moves memory: passes * width * 2 bytes."""
    w, c, tp = at.work, at.coefficients, at.layout.tensor_parallel
    wide = 1 + (tp - 1) * at.layout.sequence_parallel
    routed = w.shared_width + w.experts_per_token * w.expert_width
    inner = ((1 - at.moe_share) * w.ffn_width + at.moe_share * routed) / tp
    elements = w.passes * (c.hidden_passes * w.hidden_size / wide + c.ffn_passes * inner)
    return 2 * at.tokens * elements / at.memory_rate


def _recompute_s(at: MicroBatch, *, forward: Real, attention: Real) -> Real:
    """Seconds of recomputation: the layer forward, or the part that selective recompute drops."""
    layout, c = at.layout, at.coefficients
    cheap = c.selective_share * forward
    part = cheap + c.unfused_attention * (attention - cheap)
    some = where(layout.recompute >= RECOMPUTE_SELECTIVE, part, 0.0)
    again = where(layout.recompute >= RECOMPUTE_FULL, forward, some)
    return again * layout.recompute_share


def _vocabulary_s(at: MicroBatch) -> Real:
    """Seconds of logits and loss, forward and backward: in 16 bits, plus bytes per logit."""
    w, c = at.work, at.coefficients
    flop = (1 + c.weight_gradient) * w.logits_flop
    products = flop / (c.gemm_share_16_bit * at.machine.bf16_peak_flop_per_s)
    loss = c.logit_bytes * w.vocab_size / at.memory_rate
    heads = 1 + w.mtp_layers
    return heads * at.tokens / at.layout.tensor_parallel * (products + loss)


def _params_on_device(work: StepWork, layout: Layout) -> Real:
    """Parameters of a mean stage on one device, before ZeRO."""
    shared = work.layer_params * work.layers + work.vocabulary_params
    owners = layout.expert_parallel * layout.expert_tensor_parallel
    owners = where(layout.expert_parallel > 1, owners, layout.tensor_parallel)
    routed = work.routed_params * work.moe_layers / owners
    return (shared / layout.tensor_parallel + routed) / layout.pipeline_parallel


def _sharding_s(at: MicroBatch, *, params: Real, stage: Real) -> Real:
    """Seconds per micro-batch that ZeRO-3 adds to a stage: gathers and reduces beside compute.

    (stage^3 + comm^3)^(1/3) + sum * min(stage, comm) - stage
    """
    shards = at.layout.zero_stage >= SHARDED_WEIGHTS
    if is_nowhere(shards):
        return 0.0
    c, ranks = at.coefficients, at.layout.data_parallel * at.layout.context_parallel
    volume = c.shard_bytes * params * (ranks - 1) / ranks
    comm = volume / replica_rate(at) * c.shard_slowdown
    beside = cube_root(stage * stage * stage + comm * comm * comm) - stage
    layers = at.work.layers / at.layout.pipeline_parallel
    exposed = beside + c.shard_sum * minimum(stage, comm) + c.shard_layer_s * layers
    fetched = c.shard_bytes * params / ranks / HOST_BYTE_PER_S * at.layout.weight_offload
    return where(shards, exposed + fetched, 0.0)


def _replicas_s(at: MicroBatch, *, params: Real) -> Real:
    """Seconds per step of reducing gradients and, from ZeRO-1 on, gathering weights."""
    c, copies = at.coefficients, stage_copies(at.layout)
    ranks = copies * at.layout.data_parallel * at.layout.context_parallel
    volume = c.data_bytes * copies * params * (ranks - 1) / ranks
    exposed = volume / replica_rate(at) * c.data_exposed
    return where(at.layout.zero_stage < SHARDED_WEIGHTS, exposed, 0.0)


def _optimizer_s(at: MicroBatch, *, params: Real) -> Real:
    """Seconds to update the parameters of a device, through its memory or on the host."""
    ranks = at.layout.data_parallel * at.layout.context_parallel
    mine = params / where(at.layout.zero_stage >= 1, ranks, 1 / stage_copies(at.layout))
    sharing = minimum(ranks, DEVICES_OF_HOST)
    host = (HOST_UPDATE_S * sharing + HOST_UPDATE_BYTES / HOST_BYTE_PER_S) * mine
    return where(at.layout.optimizer_offload > 0, host, UPDATE_BYTES * mine / at.memory_rate)


def _norm4(a: Real, b: Real) -> Real:
    """(a^4 + b^4)^(1/4): the larger of the two, and a little more if they are alike."""
    a2, b2 = a * a, b * b
    joined: Real = np.sqrt(np.sqrt(a2 * a2 + b2 * b2))
    return joined


def _beyond4(a: Real, b: Real) -> Real:
    """(a^4 + b^4)^(1/4) - a, to as many digits where b is small and next to nothing is left.

    b^4 / ((n^2 + a^2) (n + a)), where n is the 4-norm of both
    """
    a2, b2 = a * a, b * b
    squared: Real = np.sqrt(a2 * a2 + b2 * b2)
    return b2 * b2 / ((squared + a2) * (np.sqrt(squared) + a))
