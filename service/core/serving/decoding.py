"""Time to generate: prefill at the rate of FLOP, decoding at the rate of memory.

One decoding step writes one token of every active sequence. It reads all weights that the batch
uses once, and the keys and values of every sequence. It computes little. So a batch of one is bound
by memory bandwidth. A larger batch takes hardly longer, until keys and values are as large as the
weights, the memory is full, or FLOP begin to count.

Symbols: b active sequences of one replica, t tensor-parallel ranks, n devices of the replica.
"""

from typing import Final, NamedTuple

from service.core.figures.arrays import Real, maximum, minimum, power, where
from service.core.figures.formulas import formula
from service.core.figures.units import Unit
from service.core.model.architecture import Architecture
from service.core.model.flop import forward_flop_per_token_causal
from service.core.model.parameters import layer_params, params_head, params_total
from service.core.serving.length_formulas import (
    NO_CAP_TOKENS,
    Lengths,
    drain_seconds,
    lengths_of,
    longest_tokens,
    mean_tokens,
    mean_tokens_so_far,
)

BATCH_UNITS: Final[dict[str, Unit]] = {
    "prefill_seconds": "second",
    "queue_seconds": "second",
    "drain_seconds": "second",
    "seconds": "second",
    "flow_seconds": "second",
    "longest_seconds": "second",
    "concurrent": "ratio",
    "longest_tokens": "token",
}


# Context, communicators and workspaces of the inference engine, besides weights and cache.
RESERVE_BYTES_SERVING: Final = 2.0e9
ACTIVATION_BYTES: Final = 2.0
STATE_BYTES: Final = 4.0
"""Of an element that a state-space or linear-attention mixer keeps of a sequence."""


class ServingDevice(NamedTuple):
    """One device that generates, and its links."""

    peak_flop_per_s: Real  # dense, at the precision of the products
    memory_bytes: Real
    memory_byte_per_s: Real
    link_byte_per_s: Real  # one way, inside the fast domain
    network_byte_per_s: Real  # one way, beyond it
    domain_devices: float  # that share the fast link


class ServingSpeed(NamedTuple):
    """The shares of a device's rates that an inference engine reaches, and its fixed times."""

    memory_share: Real  # of the device's memory, for weights and cache
    bandwidth_share: Real  # of the memory bandwidth
    flop_share: Real  # of peak FLOP/s, in decoding and prefill
    layer_seconds: Real  # per layer and step, for kernels too short to be bound by a rate
    expert_layer_seconds: Real  # the same, on top, for a mixture of experts
    exchange_seconds: Real  # one collective inside the fast domain
    far_exchange_seconds: Real  # one that leaves it
    step_seconds: Real  # scheduling, sampling, detokenising
    most_sequences: Real  # that one attention group runs at once


class Serving(NamedTuple):
    """How one replica is spread over devices: one layout, or many as arrays.

    Attention is split over `tensor_parallel` ranks, and each such group has its own sequences.
    Experts are split over all `devices` of the replica. Layers are split over `pipeline_parallel`
    groups of its devices, which work on batches of their own.
    """

    tensor_parallel: Real
    devices: Real
    pipeline_parallel: Real = 1.0


class Formats(NamedTuple):
    """Bytes per weight and per cached element. Embedding and head are not quantised."""

    weight_bytes: Real = 2.0
    cache_bytes: Real = 2.0
    vocabulary_bytes: Real = 2.0
    cache_copies: Real = 1.0  # in memory, where a cache grows by being copied


class Replica(NamedTuple):
    """A model on a server: all that a decoding step depends on, except the batch."""

    architecture: Architecture
    server: ServingDevice
    speed: ServingSpeed
    serving: Serving
    formats: Formats = Formats()


class DecodeStep(NamedTuple):
    """Seconds of one decoding step by part. The parts add up to the step.

    Weights and attention take the slower of memory and FLOP. Their shares that are bound by FLOP
    are 0 or 1.
    """

    weights: Real
    attention: Real
    exchange: Real
    overhead: Real
    weights_bound_by_flop: Real
    attention_bound_by_flop: Real

    @property
    def seconds(self) -> Real:
        """The whole step."""
        return self.weights + self.attention + self.exchange + self.overhead


class Batch(NamedTuple):
    """Seconds to generate a batch, and how many sequences ran at once."""

    prefill_seconds: Real
    queue_seconds: Real  # all places are taken: when a sample ends, the next begins
    drain_seconds: Real  # no sample waits for a place: until the longest is written
    seconds: Real
    flow_seconds: Real  # the same samples if others follow them, so that no place is empty
    longest_seconds: Real  # the longest sample, while all other places are taken
    concurrent: Real  # sequences of one replica at once, at most
    longest_tokens: Real


def cache_bytes_per_sequence(
    *, architecture: Architecture, context_tokens: Real, cache_bytes: Real = 2.0
) -> Real:
    """Keys and values of one sequence in all layers.

        MHA, GQA, MQA  kv_heads * (head_dim + v_head_dim) per token and layer
        MLA            kv_lora_rank + rope_head_dim
        windows        keep their last tokens only
        mixers         keep a state that does not grow, in fp32

    Source: GQA (arXiv 2305.13245), MLA in DeepSeek-V2 (arXiv 2405.04434, section 2.1).
    """
    a = architecture
    elements = (
        a.kv_lora_rank + a.qk_rope_head_dim
        if a.latent
        else a.kv_heads * (a.head_dim + a.v_head_dim)
    )
    elements = elements + a.indexer_head_dim
    windowed = minimum(context_tokens, a.sliding_window) if a.sliding_window else context_tokens
    tokens = (a.attention_layers - a.sliding_window_layers) * context_tokens + (
        a.sliding_window_layers * windowed
    )
    state = a.layers * a.mixer_share * a.mixer_state * STATE_BYTES
    return cache_bytes * elements * tokens + state


def experts_touched(*, experts: float, experts_per_token: float, tokens: Real) -> Real:
    """Distinct experts that a batch of this many tokens uses, if routing is even.

    E * (1 - (1 - k / E)^tokens)
    """
    if not experts:
        return 0.0
    missed = 1.0 - experts_per_token / experts
    if missed <= 0.0:
        return experts
    return experts * (1.0 - power(missed, tokens))


def weight_params_read(*, architecture: Architecture, serving: Serving, active: Real) -> Real:
    """Parameters that one device reads in a decoding step of its replica, besides the head.

        (attention, dense, shared) / t + touched experts / n

    The input embedding is looked up, not read. Under pipeline parallelism, it is all that the
    stages read one after another.
    """
    a = architecture
    routed = a.moe_layers * layer_params(architecture=a).expert
    touched = experts_touched(
        experts=a.experts, experts_per_token=a.experts_per_token, tokens=active
    )
    rest = params_total(architecture=a) - routed * a.experts - _ends_params(a)
    spread = serving.devices / serving.pipeline_parallel
    return rest / serving.tensor_parallel + routed * touched / spread


def _ends_params(a: Architecture) -> float:
    """Parameters of the embedding and the head."""
    return a.vocab_size * a.hidden_size * (2.0 if params_head(architecture=a) else 1.0)


def head_params_read(*, architecture: Architecture, serving: Serving) -> Real:
    """Parameters of the head that one device reads in a decoding step."""
    return architecture.vocab_size * architecture.hidden_size / serving.tensor_parallel


def weight_bytes_held(*, architecture: Architecture, serving: Serving, formats: Formats) -> Real:
    """Bytes of weights that one device of a replica keeps."""
    a, stages = architecture, serving.pipeline_parallel
    routed = a.moe_layers * a.experts * layer_params(architecture=a).expert
    ends = _ends_params(a)
    rest = params_total(architecture=a) - routed - ends
    matrices = rest / serving.tensor_parallel / stages + routed / serving.devices
    # The first stage holds the embedding and the last one the head: a stage holds one of them.
    vocabulary = where(stages > 1.0, a.vocab_size * a.hidden_size, ends) / serving.tensor_parallel
    return matrices * formats.weight_bytes + vocabulary * formats.vocabulary_bytes


def cache_split(*, architecture: Architecture, serving: Serving) -> Real:
    """Ranks over which tensor parallelism divides a sequence's cache: at most one per KV head.

    The latent vectors of MLA belong to all heads, so every rank keeps them whole.
    """
    heads = 1.0 if architecture.latent else architecture.kv_heads
    return minimum(serving.tensor_parallel, heads)


def most_concurrent(*, replica: Replica, context_tokens: Real) -> Real:
    """Sequences of this many tokens that one replica holds at once. Below 1 it cannot serve.

    groups * min(most_sequences, split * (memory - weights - reserve) / cache of a sequence)
    """
    a, serving = replica.architecture, replica.serving
    weights = weight_bytes_held(architecture=a, serving=serving, formats=replica.formats)
    free = (
        replica.server.memory_bytes * replica.speed.memory_share - weights - RESERVE_BYTES_SERVING
    )
    cache = cache_bytes_per_sequence(
        architecture=a,
        context_tokens=context_tokens,
        cache_bytes=replica.formats.cache_bytes,
    )
    groups = serving.devices / (serving.tensor_parallel * serving.pipeline_parallel)
    split = cache_split(architecture=a, serving=serving) * serving.pipeline_parallel
    held = maximum(0.0, free) * split / (cache * replica.formats.cache_copies)
    return groups * minimum(replica.speed.most_sequences, held)


class ServingMemory(NamedTuple):
    """Bytes on a device of a replica, by part, and all together."""

    weights: Real
    cache: Real
    reserve: Real
    total: Real


@formula("serving_memory", parts=dict.fromkeys(ServingMemory._fields, "byte"))
def serving_memory(
    *,
    concurrent: Real,
    prompt_tokens: Real,
    response_tokens: Real,
    architecture: Architecture,
    serving: Serving,
    formats: Formats,
) -> ServingMemory:
    """Bytes on a device of a replica that runs this many sequences of mean length at once.

        weights + concurrent * cache of a sequence / devices that share it + reserve

    Source: definition; see `cache_bytes_per_sequence`.
    """
    cache = cache_bytes_per_sequence(
        architecture=architecture,
        context_tokens=prompt_tokens + response_tokens,
        cache_bytes=formats.cache_bytes,
    )
    groups = serving.devices / (serving.tensor_parallel * serving.pipeline_parallel)
    split = cache_split(architecture=architecture, serving=serving) * serving.pipeline_parallel
    weights = weight_bytes_held(architecture=architecture, serving=serving, formats=formats)
    cached = concurrent / groups * cache * formats.cache_copies / split
    return ServingMemory(
        weights=weights,
        cache=cached,
        reserve=RESERVE_BYTES_SERVING,
        total=weights + cached + RESERVE_BYTES_SERVING,
    )


def attention_flop_per_token(*, architecture: Architecture, context_tokens: Real) -> Real:
    """FLOP of scores and values for one new token in all layers, keys up to `context_tokens`.

    2 keys heads (head_dim + v_head_dim) per layer; MLA works on the latent vectors themselves
    """
    a = architecture
    widths = 2.0 * a.kv_lora_rank + a.qk_rope_head_dim if a.latent else a.head_dim + a.v_head_dim
    seen = minimum(context_tokens, a.indexed_keys) if a.indexed_keys else context_tokens
    windowed = minimum(seen, a.sliding_window) if a.sliding_window else seen
    keys = (a.attention_layers - a.sliding_window_layers) * seen + (
        a.sliding_window_layers * windowed
    )
    indexing = a.attention_layers * context_tokens * a.indexer_flop_per_key
    return 2.0 * keys * a.heads * widths + indexing


def decode_step(*, replica: Replica, active: Real, context_tokens: Real) -> DecodeStep:
    """One decoding step of a replica with this many active sequences of this many tokens.

        weights    max(bytes read / bandwidth, b * FLOP / FLOP/s)
        attention  max(cache bytes / bandwidth, b * FLOP / FLOP/s)
        exchange   two collectives per layer under tensor parallelism, two per expert layer
        overhead   seconds per layer and per step

    Stages of a pipeline each work on a batch of their own: a step takes as long as that of one
    stage's share of the sequences through all stages.

    Source: the roofline of decoding as in Pope et al. 2022 (arXiv 2211.05102).
    """
    a, server, speed, serving = (
        replica.architecture,
        replica.server,
        replica.speed,
        replica.serving,
    )
    bandwidth = server.memory_byte_per_s * speed.bandwidth_share
    rate = server.peak_flop_per_s * speed.flop_share
    active = maximum(minimum(active, 1.0), active / serving.pipeline_parallel)
    spread = serving.devices / serving.pipeline_parallel
    alone = forward_flop_per_token_causal(architecture=a, sequence_length=1.0)
    read = weight_params_read(architecture=a, serving=serving, active=active)
    head = head_params_read(architecture=a, serving=serving)
    formats = replica.formats
    weights_memory = read * formats.weight_bytes + head * formats.vocabulary_bytes
    weights_memory = weights_memory / bandwidth
    weights_flop = active * (alone.total - alone.mtp - alone.tower) / spread / rate
    cache = cache_bytes_per_sequence(
        architecture=a,
        context_tokens=context_tokens,
        cache_bytes=replica.formats.cache_bytes,
    )
    per_group = maximum(1.0, active * serving.tensor_parallel / spread)
    split = cache_split(architecture=a, serving=serving)
    attention_memory = per_group * cache / split / bandwidth
    attention_flop = (
        per_group
        * attention_flop_per_token(architecture=a, context_tokens=context_tokens)
        / minimum(serving.tensor_parallel, a.heads)
        / rate
    )
    return DecodeStep(
        weights=maximum(weights_memory, weights_flop),
        attention=maximum(attention_memory, attention_flop),
        exchange=_exchange_seconds(replica, per_group=per_group),
        overhead=a.layers * speed.layer_seconds
        + a.moe_layers * speed.expert_layer_seconds
        + speed.step_seconds,
        weights_bound_by_flop=where(weights_flop > weights_memory, 1.0, 0.0),
        attention_bound_by_flop=where(attention_flop > attention_memory, 1.0, 0.0),
    )


def _exchange_seconds(replica: Replica, *, per_group: Real) -> Real:
    """Collectives of one step: latency and bytes, inside the fast domain or beyond it."""
    a, server, speed, serving = (
        replica.architecture,
        replica.server,
        replica.speed,
        replica.serving,
    )

    def one(ranks: Real, bytes_sent: Real) -> Real:
        far = ranks > server.domain_devices
        latency = where(far, speed.far_exchange_seconds, speed.exchange_seconds)
        rate = where(far, server.network_byte_per_s, server.link_byte_per_s)
        return where(ranks > 1.0, latency + bytes_sent / rate, 0.0)

    t, n = serving.tensor_parallel, serving.devices / serving.pipeline_parallel
    stream = ACTIVATION_BYTES * per_group * a.hidden_size
    reduced = one(t, 2.0 * stream * (t - 1.0) / t)
    sent = one(n, stream * a.experts_per_token / t)
    apart = where(n > t, 1.0, 0.0)
    return 2.0 * a.layers * reduced + 2.0 * a.moe_layers * sent * apart


def prefill_seconds(
    *,
    replica: Replica,
    replicas: Real,
    prompts: Real,
    prompt_tokens: Real,
    context_tokens: Real | None = None,
) -> Real:
    """Seconds to read each prompt once: FLOP over FLOP/s of all replicas.

    prompts * prompt_tokens * forward FLOP / (replicas * n * peak * share)

    `context_tokens` is the length of the sequence that they are read into, if that is longer.
    """
    flop = forward_flop_per_token_causal(
        architecture=replica.architecture,
        sequence_length=prompt_tokens if context_tokens is None else context_tokens,
    )
    rate = replica.server.peak_flop_per_s * replica.speed.flop_share * replica.serving.devices
    return prompts * prompt_tokens * (flop.total - flop.mtp) / (rate * replicas)


class PerWrittenToken(NamedTuple):
    """What an agent does between tokens that it writes, for each of them. 0 of all without one."""

    read: Real = 0.0
    prefilled: Real = 0.0  # what it reads, and what the engine must read again
    pause_seconds: Real = 0.0


WITHOUT_TURNS: Final = PerWrittenToken()


def batch_seconds(
    *,
    replica: Replica,
    replicas: Real,
    samples: Real,
    prompts: Real,
    prompt_tokens: Real,
    lengths: Lengths,
    turns: PerWrittenToken = WITHOUT_TURNS,
) -> Batch:
    """Seconds until the last of `samples` responses to `prompts` is written.

        queue    (n - B) mean / (B / step(B))   while samples wait, of n samples of a replica
        drain    the last B, until the longest ends
        flow     n mean / (B / step(B))         if the next batch takes the empty places
        longest  longest * step(B)

    B is the number of sequences of mean length that memory holds. Each prompt is read once, and
    shared by the samples that answer it. Agents keep their places while they wait.
    """
    mean = mean_tokens(lengths=lengths)
    longest = longest_tokens(lengths=lengths, samples=samples)
    share = maximum(1.0, samples / replicas)
    kept = mean * (1.0 + turns.read)
    room = maximum(1.0, most_concurrent(replica=replica, context_tokens=prompt_tokens + kept))
    concurrent = minimum(share, room)

    def step_seconds(active: Real, written: Real) -> Real:
        context = prompt_tokens + written * (1.0 + turns.read)
        alone = decode_step(replica=replica, active=active, context_tokens=context).seconds
        if turns is WITHOUT_TURNS:
            return alone
        writing = maximum(1.0, active * alone / (alone + turns.pause_seconds))
        step = decode_step(replica=replica, active=writing, context_tokens=context)
        return step.seconds + turns.pause_seconds

    full = step_seconds(concurrent, mean_tokens_so_far(lengths=lengths))
    queue = (share - concurrent) * mean / concurrent * full
    drain = drain_seconds(
        concurrent=concurrent,
        lengths=lengths,
        longest_tokens=longest,
        step_seconds=step_seconds,
    )
    prefill = prefill_seconds(
        replica=replica, replicas=replicas, prompts=prompts, prompt_tokens=prompt_tokens
    )
    if turns is not WITHOUT_TURNS:
        prefill = prefill + prefill_seconds(
            replica=replica,
            replicas=replicas,
            prompts=samples,
            prompt_tokens=mean * turns.prefilled,
            context_tokens=prompt_tokens + kept,
        )
    return Batch(
        prefill_seconds=prefill,
        queue_seconds=queue,
        drain_seconds=drain,
        seconds=prefill + queue + drain,
        flow_seconds=share * mean / concurrent * full,
        longest_seconds=longest * full,
        concurrent=concurrent,
        longest_tokens=longest,
    )


@formula("served_batch", parts=BATCH_UNITS)
def batch_of_figures(
    *,
    peak_flop_per_s: Real,
    memory_bytes: Real,
    memory_byte_per_s: Real,
    link_byte_per_s: Real,
    network_byte_per_s: Real,
    prompt_tokens: Real,
    response_tokens: Real,
    sigma: Real,
    architecture: Architecture,
    serving: Serving,
    formats: Formats,
    domain_devices: float,
    replicas: Real,
    samples: Real,
    prompts: Real,
    batches: float = 1.0,
    times: Real = 1.0,
    cap_tokens: Real = NO_CAP_TOKENS,
    read_per_written: Real | None = None,
    prefilled_per_written: Real = 0.0,
    pause_seconds: Real = 0.0,
    **speed: Real,
) -> Batch:
    """Seconds of a batch from the figures of devices, links, inference engine and lengths.

        n = samples * batches * times / replicas, B = sequences of mean length that memory holds
        prefill    FLOP of the prompts at the rate of matmuls, each prompt once
        queue      (n - B) * mean / (B / step(B))   while samples wait for a place
        drain      the last B, until the longest ends
        flow       n * mean / (B / step(B))         if the next batch takes the empty places
        longest    longest * step(B)
        seconds    prefill + queue + drain

    `step(b)` is one decoding step of b sequences: weights and caches at the rate of memory, or FLOP
    if they take longer, plus exchanges between devices and a fixed time per layer. An agent's step
    has `pause_seconds` more, in which others write. Its prefill has what it reads, once a sample.

    Source: the roofline model (Williams et al. 2009, doi 10.1145/1498765.1498785) for a step; the
    batch and its drain are this service's own model.
    """
    replica = Replica(
        architecture=architecture,
        server=ServingDevice(
            peak_flop_per_s=peak_flop_per_s,
            memory_bytes=memory_bytes,
            memory_byte_per_s=memory_byte_per_s,
            link_byte_per_s=link_byte_per_s,
            network_byte_per_s=network_byte_per_s,
            domain_devices=domain_devices,
        ),
        speed=ServingSpeed(**speed),
        serving=serving,
        formats=formats,
    )
    return batch_seconds(
        replica=replica,
        replicas=replicas,
        samples=samples * batches * times,
        prompts=prompts * batches * times,
        prompt_tokens=prompt_tokens,
        lengths=lengths_of(mean_tokens=response_tokens, cap_tokens=cap_tokens, sigma=sigma),
        turns=WITHOUT_TURNS
        if read_per_written is None
        else PerWrittenToken(read_per_written, prefilled_per_written, pause_seconds),
    )
