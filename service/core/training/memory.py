"""Bytes that a training step holds on the fullest device of a layout, with their parts.

Either of two pipeline stages can be the fullest: the first keeps most micro-batches in flight, and
the last holds the logits. Both are counted, and the larger one is the answer.

Symbols: t tokens of a micro-batch on one device, d hidden_size, w a feed-forward width, tp, pp, vp
as in `Layout`, m micro-batches per step.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real, maximum, minimum, where
from service.core.figures.formulas import formula
from service.core.model.architecture import Architecture
from service.core.model.parameters import (
    layer_params,
    params_active,
    params_embedding,
    params_head,
    params_latent_down,
    params_mtp,
)
from service.core.training.formats import (
    FORMAT_BYTES,
    SCORE_BYTES,
    FormatBytes,
    MemoryRecipe,
    OptimizerBytes,
    StackBytes,
)
from service.core.training.parallelism import (
    RECOMPUTE_FULL,
    RECOMPUTE_NONE,
    Layout,
    devices_of,
    expert_data_parallel,
    layers_per_stage,
    micro_batches,
    stage_copies,
    tokens_per_device,
)

FP32_BYTES = 4.0
NARROW_TOWER = 2.0
"""Activations of a vision tower for its products, over those of the layers: its width is half."""
GATELESS_MATRICES = 2.0
"""Matrices of a feed-forward that has no gate."""
ALLOCATOR_SHARE = 0.985
"""Share of the device that an allocator may take before it gives blocks back."""


class DeviceMemory(NamedTuple):
    """Bytes on the fullest device, by part. The parts add up to the whole."""

    weights: Real
    gradients: Real
    optimizer_states: Real
    activations: Real
    logits: Real
    buffers: Real  # of collectives, and weights gathered under ZeRO-3
    reserve: Real

    @property
    def total(self) -> Real:
        """All parts together."""
        total: Real = sum(self)
        return total


@formula("memory_per_device", parts=dict.fromkeys((*DeviceMemory._fields, "total"), "byte"))
def memory_per_device(
    *,
    architecture: Architecture,
    layout: Layout,
    sequence_length: Real,
    global_batch: Real,
    recipe: MemoryRecipe,
    capacity_bytes: Real = 0.0,
) -> DeviceMemory:
    """Bytes on the fullest device at its fullest moment, by part. `global_batch` is in sequences.

        states       of the stage's parameters, divided by tp, ep and what ZeRO shards
        activations  in flight * layers of the stage * bytes per layer + one layer's working set
        reserve      context, communicators and fragments, and blocks that are kept while there is
                     room for them in `capacity_bytes`

    Source: ZeRO (arXiv 1910.02054), Narayanan et al. 2021 (arXiv 2104.04473), Korthikanti et al.
    2022 (arXiv 2205.05198), generalised to grouped and latent attention, gated blocks and experts.
    """
    first, last = _first_and_last_stage(
        architecture=architecture,
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        recipe=recipe,
    )
    ends = [_with_blocks(stage, capacity_bytes) for stage in (first, last)]
    first_is_fuller = ends[0].total >= ends[1].total
    return DeviceMemory(*(where(first_is_fuller, a, b) for a, b in zip(*ends, strict=True)))


def bytes_per_device(
    *,
    architecture: Architecture,
    layout: Layout,
    sequence_length: Real,
    global_batch: Real,
    recipe: MemoryRecipe,
) -> Real:
    """Bytes without which the layout cannot run: no block is kept that could be given back."""
    first, last = _first_and_last_stage(
        architecture=architecture,
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        recipe=recipe,
    )
    return maximum(first.memory.total, last.memory.total)


class _Held(NamedTuple):
    """What a device must hold, and blocks that its allocator keeps while there is room."""

    memory: DeviceMemory
    blocks: Real


def _with_blocks(held: _Held, capacity_bytes: Real) -> DeviceMemory:
    memory = held.memory
    room = maximum(0.0, ALLOCATOR_SHARE * capacity_bytes - memory.total)
    return memory._replace(reserve=memory.reserve + minimum(held.blocks, room))


def _first_and_last_stage(
    *,
    architecture: Architecture,
    layout: Layout,
    sequence_length: Real,
    global_batch: Real,
    recipe: MemoryRecipe,
) -> tuple[_Held, _Held]:
    stack, optimizer = recipe.stack, recipe.optimizer
    format_bytes = FORMAT_BYTES[recipe.precision]
    if recipe.precision == "fp32":
        optimizer = optimizer._replace(master=0.0)
    if optimizer.pure:
        stack = stack._replace(gradient=format_bytes.weight, casts_weights=False)
    unfused = recipe.unfused_attention if stack.flash_attention else 1.0
    scores = unfused * SCORE_BYTES * architecture.heads * sequence_length
    per_layer = activation_bytes_per_token_layer(
        architecture=architecture,
        layout=layout,
        format_bytes=format_bytes,
        score_bytes=scores,
        fused_experts=recipe.fused_experts,
        eager_copies=stack.eager_copies,
    )
    batches = micro_batches(layout=layout, global_batch=global_batch)
    stage = _Stage(
        architecture=architecture,
        layout=layout,
        format_bytes=format_bytes,
        optimizer=optimizer,
        stack=stack,
        recipe=recipe,
        tokens=tokens_per_device(layout=layout, sequence_length=sequence_length),
        micro_batches=maximum(1.0, batches),
        kept_per_token_layer=per_layer.kept,
        working_per_token=stack.layer_at_work * per_layer.working
        + stack.dispatch_copies * format_bytes.activation * dispatched_per_token(architecture),
    )
    ends_meet = (layout.pipeline_parallel <= 1) | (stage_copies(layout) > 1)
    only = where(ends_meet, 1.0, 0.0)
    return _stage_memory(stage, first=1.0, last=only), _stage_memory(stage, first=only, last=1.0)


class ActivationBytes(NamedTuple):
    """Activation bytes of one layer per token of a micro-batch on a device."""

    kept: Real  # from forward to backward
    working: Real  # of the layer at work: recomputed activations, or gradients of kept ones


def activation_bytes_per_token_layer(
    *,
    architecture: Architecture,
    layout: Layout,
    format_bytes: FormatBytes,
    score_bytes: Real = 0.0,
    fused_experts: bool = False,
    eager_copies: float = 0.0,
) -> ActivationBytes:
    """Activation bytes of a mean layer, per token of the micro-batch on a device.

        residual   norm inputs, inputs of the attention and feed-forward products   / tp if sequence
                   parallel
        attention  queries, keys, values, output; scores unless flash attention     / tp
        ffn        pre-activations and activation, k-fold for k experts per token   / tp

    For a GPT (w = 4d, no flash attention) this is the 34 d + 5 H s of Korthikanti et al. 2022
    (arXiv 2205.05198, equation 1) less the dropout masks. Selective recompute drops the scores, the
    outputs of norms and activation functions and what MLA projects up; full recompute keeps the
    layer's input only. Eager kernels keep more: a copy in fp32 of what enters a root-mean-square
    norm, and the activated gate beside its product. Fused kernels keep the pre-activations of
    experts in the format of the product (DeepSeek-V3, arXiv 2412.19437, section 3.3.3).
    """
    a, tp = architecture, layout.tensor_parallel
    wide = 1 + (tp - 1) * layout.sequence_parallel  # ranks that share the residual stream
    element, matmul = format_bytes.activation, format_bytes.matmul_input
    width = _ffn_elements_per_token(a)
    latent = 2 * element * (a.q_lora_rank + a.kv_lora_rank) + element * a.qk_rope_head_dim
    residual = a.hidden_size * (max(1.0, a.norms_per_layer) * element + 2 * matmul) + latent
    attention = a.attention_share * (2.0 - a.encoder_layers / a.layers if a.encoder_layers else 1.0)
    kv = attention * element * a.kv_heads * (a.head_dim + a.v_head_dim) / minimum(tp, a.kv_heads)
    query = attention * element * a.heads * a.head_dim / tp
    quantised_output = matmul if matmul < element else 0.0
    output = attention * (element + quantised_output) * a.heads * a.v_head_dim / tp
    mixer = a.mixer_share * element * a.mixer_width / tp
    expert_element = matmul if fused_experts else element
    inner = element * (width.inner - width.experts) + expert_element * width.experts
    pre_activations = (a.ffn_matrices - 1) * inner / tp
    activated = matmul * width.inner / tp
    dispatched = (matmul * width.dispatched + 8 * a.experts * a.moe_layers / a.layers) / tp
    scores = attention * score_bytes / tp
    whole = (
        residual / wide + query + kv + output + scores + pre_activations + activated + dispatched
    )
    if a.mixer_share or a.encoder_layers or a.tower_params:
        whole = (whole + mixer) * a.passes * (1.0 + _tower_over_layers(a))
    if eager_copies:
        gate = element * width.inner / tp if a.ffn_matrices > GATELESS_MATRICES else 0.0
        whole_norms = a.norm_params <= a.hidden_size
        norms = FP32_BYTES * a.norms_per_layer * a.hidden_size * whole_norms / wide
        whole = whole + eager_copies * (gate + norms)
    normed = 2 * matmul * a.hidden_size / wide
    dropped = scores + activated + normed + (query + kv if a.latent else 0.0)
    full = element * a.hidden_size / wide
    recomputed = where(layout.recompute >= RECOMPUTE_FULL, full, whole - dropped)
    kept = where(
        layout.recompute <= RECOMPUTE_NONE, whole, _mix(layout.recompute_share, recomputed, whole)
    )
    return ActivationBytes(kept=kept * (1 - layout.offload_share), working=whole)


def _tower_over_layers(a: Architecture) -> float:
    """What a vision tower keeps over what the layers keep, as their products are to each other.

    Its layers are narrower, so that they keep more for a product than the model's do.
    """
    ends = params_embedding(architecture=a) + params_head(architecture=a)
    layers = 2.0 * (params_active(architecture=a) - ends - a.tower_params)
    return NARROW_TOWER * a.tower_flop_per_token / layers


def in_flight_first_stage(*, layout: Layout, micro_batches: Real) -> Real:
    """Micro-batches whose activations the first stage holds at once, in whole stages.

        min(m, pp)  under 1F1B and zero bubble;  min(m, pp + (pp - 1) / vp)  interleaved
        min(m, pp + 1)  under DualPipe, of its two stages together

    Source: Korthikanti et al. 2022 (arXiv 2205.05198, section 4.2.3); DeepSeek-V3 (arXiv
    2412.19437, table 2).
    """
    pp, vp = layout.pipeline_parallel, layout.virtual_stages
    interleaved = where(vp > 1, (pp - 1) / vp, 0.0)
    return minimum(micro_batches, pp + interleaved + stage_copies(layout) - 1)


def in_flight_last_stage(*, layout: Layout, micro_batches: Real) -> Real:
    """Micro-batches whose activations the last stage holds at once, in whole stages.

        1 under 1F1B;  min(m, ((vp - 1) pp + 1) / vp)  interleaved

    Source: the warm-up of the interleaved schedule, Narayanan et al. 2021 (arXiv 2104.04473, 2.2).
    """
    pp, vp = layout.pipeline_parallel, layout.virtual_stages
    return minimum(micro_batches, ((vp - 1) * pp + 1) / vp)


def dispatched_per_token(a: Architecture) -> float:
    """Elements of a token that a layer with experts sends to them. 0 without such layers."""
    return a.experts_per_token * a.hidden_size if a.moe_layers else 0.0


class _FfnElements(NamedTuple):
    inner: float  # elements between products of the feed-forward, mean over layers
    experts: float  # those of them in routed and shared experts
    dispatched: float  # elements sent to experts, mean over layers


def _ffn_elements_per_token(a: Architecture) -> _FfnElements:
    moe = a.moe_layers / a.layers
    routed = a.experts_per_token * a.moe_ffn_size + a.shared_experts * a.shared_ffn_size
    return _FfnElements(
        inner=(a.ffn_share - moe) * a.ffn_size + moe * routed,
        experts=moe * routed,
        dispatched=moe * a.experts_per_token * a.hidden_size,
    )


class _Stage(NamedTuple):
    architecture: Architecture
    layout: Layout
    format_bytes: FormatBytes
    optimizer: OptimizerBytes
    stack: StackBytes
    recipe: MemoryRecipe
    tokens: Real
    micro_batches: Real
    kept_per_token_layer: Real
    working_per_token: Real


class _Shard(NamedTuple):
    """Parameters on one device before ZeRO, and how many devices ZeRO splits them over."""

    params: Real
    ranks: Real


def _stage_memory(stage: _Stage, *, first: Real, last: Real) -> _Held:
    """Memory of a device in a stage that holds the embedding (first), the head (last) or both.

    Under DualPipe, a device holds a stage from either end. Another device holds the same two.
    """
    a, layout = stage.architecture, stage.layout
    copies = stage_copies(layout)
    layers = layers_per_stage(layers=a.layers, pipeline_parallel=layout.pipeline_parallel)
    vocabulary = _vocabulary_params(a, layout, first=first, last=last)
    held = copies * layers
    moe_layers = copies * _moe_layers_of_stage(a, layout, layers=layers, first=first)
    shared = _shared_params(a, layout, layers=held, moe_layers=moe_layers, last=last)
    shared = _Shard(shared.params + vocabulary, copies * shared.ranks)
    routed = _routed_params(a, layout, moe_layers=moe_layers, last=last)
    routed = _Shard(routed.params, copies * routed.ranks)
    states = _states(stage, shared=shared, routed=routed, vocabulary=vocabulary)
    passes = _passes(stage, first=first, last=last, layers=layers)
    buffers = _collective_bytes(stage) + _gathered_bytes(
        stage, layers=held, vocabulary=vocabulary, shared=shared, routed=routed
    )
    return _at_its_fullest(stage, states, passes, buffers)


def _gathers(layout: Layout) -> Real:
    """1 where weights are gathered from other devices, 0 where each has its own."""
    ranks = layout.data_parallel * layout.context_parallel
    return where((layout.zero_stage >= 3) & (ranks > 1), 1.0, 0.0)


class _States(NamedTuple):
    """Bytes of a stage's parameters."""

    weights: Real
    gradients: Real
    optimizer_states: Real
    step_copies: Real  # while the optimizer runs


def _states(stage: _Stage, *, shared: _Shard, routed: _Shard, vocabulary: Real) -> _States:
    """Weights, gradients and optimizer states, with what ZeRO splits of them."""
    stack, recipe, zero = stage.stack, stage.recipe, stage.layout.zero_stage
    optimizer, weight = stage.optimizer, stage.format_bytes.weight
    sharded_weight = _sharded_weight_bytes(stage)
    narrowed = (recipe.weight_bytes or weight) - weight
    weights: Real = 0.0
    gradients: Real = 0.0
    updated: Real = 0.0
    for part, wide in ((shared, vocabulary), (routed, 0.0)):
        split = part.params / part.ranks
        weights = weights + where(zero >= 3, sharded_weight * split, weight * part.params)
        if narrowed:
            narrow = narrowed * (part.params - wide)
            weights = weights + where(zero >= 3, narrow / part.ranks, narrow)
        if recipe.frozen_models:
            beside = recipe.frozen_models * weight
            weights = weights + beside * where(zero >= 3, split, part.params)
        gradients = gradients + where(zero >= 2, split, part.params)
        updated = updated + where(zero >= 1, split, part.params)
    here, layout = 1.0 - stage.layout.optimizer_offload, stage.layout
    updated = recipe.trained_share * updated * here
    gradients = gradients * where(zero >= 2, here, 1.0)
    return _States(
        weights=weights * (1.0 - layout.weight_offload),
        gradients=recipe.trained_share * stack.gradient * gradients,
        optimizer_states=(optimizer.master + optimizer.states) * updated,
        step_copies=stack.step_copies * (optimizer.master or weight) * updated,
    )


def _sharded_weight_bytes(stage: _Stage) -> float:
    """Bytes of a sharded weight besides its master, which may be all that is kept of it."""
    stack, recipe, weight = stage.stack, stage.recipe, stage.format_bytes.weight
    if not stack.casts_weights or recipe.weight_bytes:
        return weight
    frozen = 1.0 if recipe.adapters else 1.0 - recipe.trained_share
    return (FP32_BYTES if stack.casts_frozen else weight) * frozen


class _Passes(NamedTuple):
    """Bytes of the forward and backward pass when they are most."""

    activations: Real
    logits: Real
    kept_logits: Real  # blocks of the loss that no later tensor needs


def _passes(stage: _Stage, *, first: Real, last: Real, layers: Real) -> _Passes:
    """Activations and logits: both at once, or the fuller of loss and backward pass."""
    a, layout, stack, tokens = stage.architecture, stage.layout, stage.stack, stage.tokens
    flight_first = in_flight_first_stage(layout=layout, micro_batches=stage.micro_batches)
    flight_last = in_flight_last_stage(layout=layout, micro_batches=stage.micro_batches)
    flight = where(first > 0, flight_first, flight_last)
    kept = tokens * stage.kept_per_token_layer * (flight * layers + a.mtp_layers * last)
    heads = last * (1 + a.mtp_layers) * a.vocab_size * a.head_share / layout.tensor_parallel
    logits = tokens * heads * stack.logit
    kept_logits = tokens * heads * stack.logit_blocks if stack.logit_blocks else 0.0
    working = tokens * stage.working_per_token
    if not stack.loss_apart:
        return _Passes(kept + working, logits, kept_logits)
    inputs = stage.format_bytes.activation * a.hidden_size * layers * tokens
    sharded = _gathers(layout) * stage.recipe.adapters
    working = working + stack.adapter_gradients * sharded * inputs
    loss_is_fuller = logits >= working
    return _Passes(
        activations=kept + where(loss_is_fuller, 0.0, working),
        logits=where(loss_is_fuller, logits, 0.0),
        kept_logits=kept_logits,
    )


def _at_its_fullest(stage: _Stage, states: _States, passes: _Passes, buffers: Real) -> _Held:
    """A device in the backward pass or in the optimizer's step, whichever needs more.

    What the other needs stays in the allocator's blocks, unless it fits into those of the fuller.
    """
    stack = stage.stack
    reserve = stack.context + minimum(devices_of(stage.layout) - 1.0, 1.0) * stack.collective
    if stack.standing_gradients and not stack.step_copies and not stack.fragmentation:
        memory = DeviceMemory(
            weights=states.weights,
            gradients=states.gradients,
            optimizer_states=states.optimizer_states,
            activations=passes.activations,
            logits=passes.logits,
            buffers=buffers,
            reserve=reserve,
        )
        return _Held(memory, passes.kept_logits)
    backward = passes.activations + passes.logits + buffers
    fragments = stack.fragmentation + stack.sharded_fragmentation * _gathers(stage.layout)
    accumulates = where(stage.micro_batches > 1, 1.0, 0.0)
    standing = 1.0 if stack.standing_gradients else accumulates
    unbuilt = (1.0 - standing) * states.gradients
    step = unbuilt + states.step_copies
    steps = step > backward
    memory = DeviceMemory(
        weights=states.weights,
        gradients=standing * states.gradients + where(steps, unbuilt, 0.0),
        optimizer_states=states.optimizer_states,
        activations=where(steps, 0.0, passes.activations),
        logits=where(steps, 0.0, passes.logits),
        buffers=where(steps, states.step_copies, buffers),
        reserve=reserve + fragments * maximum(step, backward),
    )
    return _Held(memory, passes.kept_logits + stack.block_share * minimum(step, backward))


def _vocabulary_params(a: Architecture, layout: Layout, *, first: Real, last: Real) -> Real:
    """Embedding and head on the device. A tied head has a copy on the last stage."""
    copies = maximum(first, last) if a.tied_embeddings else first + last
    return (
        copies * params_embedding(architecture=a) + first * a.learned_positions * a.hidden_size
    ) / layout.tensor_parallel


def _moe_layers_of_stage(a: Architecture, layout: Layout, *, layers: Real, first: Real) -> Real:
    """Mixture-of-experts layers of the stage.

    Dense layers come first, so the last stages have none. With more than two stages, the second
    one has no dense layers and nearly as many micro-batches in flight as the first. The first is
    therefore counted as if it had no dense layers either.
    """
    if not a.moe_layers:
        return 0.0
    led_by_dense = first * where(layout.pipeline_parallel > 2, 0.0, a.first_dense_layers)
    after = a.layers - a.first_dense_layers
    return a.moe_layers / after * minimum(after, maximum(0.0, layers - led_by_dense))


def _shared_params(
    a: Architecture, layout: Layout, *, layers: Real, moe_layers: Real, last: Real
) -> _Shard:
    """Parameters of a stage's layers that all data-parallel ranks have in common."""
    per_layer = layer_params(architecture=a)
    tp = layout.tensor_parallel
    down = params_latent_down(architecture=a)  # whole on every tensor-parallel rank
    keys_values = 0.0 if a.latent else a.hidden_size * a.kv_heads * (a.head_dim + a.v_head_dim)
    down, keys_values = a.attention_share * down, a.attention_share * keys_values
    attention = (per_layer.attention - down - keys_values) / tp + down
    attention = attention + keys_values / minimum(tp, a.kv_heads) + per_layer.norms
    dense = (layers - moe_layers) * per_layer.ffn / tp
    moe = moe_layers * (per_layer.shared / tp + per_layer.router)
    mtp = last * (params_mtp(architecture=a) - _routed_params_mtp(a)) / tp
    data_ranks = layout.data_parallel * layout.context_parallel
    return _Shard(layers * attention + dense + moe + mtp, _sharded_over(layout, data_ranks))


def _routed_params(a: Architecture, layout: Layout, *, moe_layers: Real, last: Real) -> _Shard:
    """Parameters of a stage's routed experts on one device."""
    per_layer = layer_params(architecture=a)
    owners = layout.expert_parallel * layout.expert_tensor_parallel
    routed = moe_layers * a.experts * per_layer.expert + last * _routed_params_mtp(a)
    expert_ranks = maximum(1.0, expert_data_parallel(layout))
    return _Shard(routed / owners, _sharded_over(layout, expert_ranks))


def _sharded_over(layout: Layout, ranks: Real) -> Real:
    return where(layout.shard_ranks > 0, minimum(ranks, layout.shard_ranks), ranks)


def _routed_params_mtp(a: Architecture) -> float:
    """Parameters of the routed experts of multi-token prediction."""
    per_layer = layer_params(architecture=a)
    return a.mtp_layers * a.experts * per_layer.expert if a.moe_layers else 0.0


def _collective_bytes(stage: _Stage) -> Real:
    """Buffers of tensor, pipeline, context and expert communication, in the activation format."""
    a, layout, element = stage.architecture, stage.layout, stage.format_bytes.activation
    tp = layout.tensor_parallel
    wide = 1 + (tp - 1) * layout.sequence_parallel
    gathered = where(tp > 1, a.hidden_size, 0.0)
    sent = where(layout.pipeline_parallel > 1, 2 * a.hidden_size / wide, 0.0)
    ring = where(
        layout.context_parallel > 1,
        2 * a.kv_heads * (a.head_dim + a.v_head_dim) / minimum(tp, a.kv_heads),
        0.0,
    )
    routed = a.experts_per_token * a.hidden_size
    exchanged = where(layout.expert_parallel > 1, 2 * routed / tp, 0.0)
    return element * stage.tokens * (gathered + sent + ring + exchanged)


def _gathered_bytes(
    stage: _Stage, *, layers: Real, vocabulary: Real, shared: _Shard, routed: _Shard
) -> Real:
    """Weights gathered under ZeRO-3 and gradients not yet reduced from ZeRO-2 on."""
    shared_layer = (shared.params - vocabulary) / layers * (1 - 1 / shared.ranks)
    layer = shared_layer + routed.params / layers * (1 - 1 / routed.ranks)
    vocabulary = vocabulary * (1 - 1 / shared.ranks)
    held = stage.stack.gathered_layers
    part = min(1.0, held)
    gradient = min(stage.format_bytes.weight, stage.stack.gradient)
    gradients = stage.recipe.trained_share * gradient * part * (layer + vocabulary)
    weight = stage.recipe.weight_bytes or stage.format_bytes.weight
    weights = weight * minimum(held, layers) * layer
    weights = weights + stage.format_bytes.weight * part * vocabulary
    unreduced = where(stage.layout.zero_stage >= 2, gradients, 0.0)
    return unreduced + where(stage.layout.zero_stage >= 3, weights, 0.0)


def _mix(share: Real, some: Real, rest: Real) -> Real:
    return share * some + (1 - share) * rest
