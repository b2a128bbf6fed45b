"""A transformer's shape, its parameters and its training FLOP per token.

A `Transformer` is a description as a user or the catalog gives it, with whatever goes without
saying left out. `architecture_of` fills that in, once, and returns an `Architecture` of plain
numbers, which all formulas here, in memory and in step time take.

Symbols: d hidden_size, H heads, K kv_heads, h head_dim, w a feed-forward width, V vocab_size,
s sequence_length; q, c, n, r, v the ranks and head sizes of latent attention (MLA).
"""

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from service.core.arrays import Real, minimum

# Whole numbers that may be written 4096, 4096.0 or 4.096e3. The bounds keep every product of them
# finite.
Layers = Annotated[float, Meta(ge=1, le=10_000, multiple_of=1)]
Count = Annotated[float, Meta(ge=0, le=100_000, multiple_of=1)]
PositiveCount = Annotated[float, Meta(ge=1, le=100_000, multiple_of=1)]
Width = Annotated[float, Meta(ge=1, le=1_000_000, multiple_of=1)]
WidthOrNone = Annotated[float, Meta(ge=0, le=1_000_000, multiple_of=1)]
Vocabulary = Annotated[float, Meta(ge=1, le=10_000_000, multiple_of=1)]
Positions = Annotated[float, Meta(ge=0, le=100_000_000, multiple_of=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


class MixtureOfExperts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The feed-forward blocks of which each token uses a few."""

    experts: PositiveCount
    experts_per_token: PositiveCount
    moe_ffn_size: Width
    shared_experts: Count = 0.0
    shared_ffn_size: WidthOrNone | None = None  # as wide as a routed expert
    first_dense_layers: Annotated[float, Meta(ge=0, le=10_000, multiple_of=1)] = 0.0
    moe_every: Annotated[float, Meta(ge=1, le=10_000, multiple_of=1)] = 1.0
    router_bias: bool = False
    expert_bias: bool = False


class LatentAttention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multi-head latent attention: queries, keys and values through low-rank projections.

    `q_lora_rank` 0 leaves the query uncompressed.
    Source: DeepSeek-V2 (arXiv 2405.04434, section 2.1).
    """

    kv_lora_rank: Width
    qk_nope_head_dim: Width
    qk_rope_head_dim: Width
    v_head_dim: Width
    q_lora_rank: WidthOrNone = 0.0


class Transformer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decoder-only transformer as described: four numbers do, the rest has usual values."""

    layers: Layers
    hidden_size: Width
    heads: PositiveCount
    vocab_size: Vocabulary
    kv_heads: PositiveCount | None = None  # as many as heads; 1 for mqa
    head_dim: Width | None = None  # hidden_size / heads
    ffn_size: WidthOrNone | None = None  # 8/3 d gated, 4 d otherwise; 0 where all layers are MoE
    gated_ffn: bool = True
    attention: Literal["mha", "gqa", "mqa", "mla"] | None = None  # follows from kv_heads and mla
    tied_embeddings: bool = False
    max_sequence: Positions | None = None
    norm: Literal["rms", "layernorm", "layernorm_nobias", "none"] = "rms"
    norms_per_layer: Annotated[float, Meta(ge=0, le=16, multiple_of=1)] = 2.0
    qk_norm: Literal["per_head", "full"] | None = None
    qkv_bias: bool = False
    out_bias: bool = False
    ffn_bias: bool = False
    learned_positions: Positions = 0.0
    sliding_window: Positions | None = None
    sliding_window_share: Share = 1.0  # of the layers, where sliding_window is given
    mtp_layers: Annotated[float, Meta(ge=0, le=16, multiple_of=1)] = 0.0
    extra_params: Annotated[float, Meta(ge=0, le=1e15, multiple_of=1)] = 0.0
    moe: MixtureOfExperts | None = None
    mla: LatentAttention | None = None


class Architecture(NamedTuple):
    """A transformer with nothing left to guess, all plain numbers; 0 where it has no such part."""

    layers: float
    moe_layers: float  # of `layers`, those whose feed-forward is a mixture of experts
    first_dense_layers: float  # dense layers before the first of those
    hidden_size: float
    heads: float
    kv_heads: float
    head_dim: float  # of queries and keys: n + r under MLA
    v_head_dim: float
    ffn_size: float
    ffn_matrices: float  # 3 gated, 2 otherwise
    vocab_size: float
    tied_embeddings: bool
    experts: float
    experts_per_token: float
    moe_ffn_size: float
    shared_experts: float
    shared_ffn_size: float
    sliding_window: float  # tokens; 0 without windows
    sliding_window_layers: float
    mtp_layers: float
    q_lora_rank: float
    kv_lora_rank: float  # 0 unless MLA
    qk_nope_head_dim: float
    qk_rope_head_dim: float
    norm_params: float  # per norm
    norms_per_layer: float
    qk_norm_params: float  # per layer
    attention_bias_params: float  # per layer
    ffn_bias: bool
    router_bias: bool
    expert_bias: bool
    learned_positions: float
    extra_params: float

    @property
    def dense_layers(self) -> float:
        """Layers with an ordinary feed-forward block."""
        return self.layers - self.moe_layers

    @property
    def latent(self) -> bool:
        """Whether attention is MLA."""
        return self.kv_lora_rank > 0


def contradictions(transformer: Transformer) -> tuple[tuple[str, str], ...]:
    """What in the description cannot be true together: (member, why), empty for a sound one."""
    found: list[tuple[str, str]] = []
    kv_heads = transformer.kv_heads
    if kv_heads is not None and (kv_heads > transformer.heads or transformer.heads % kv_heads):
        found.append(("kv_heads", "must divide heads"))
    derived = transformer.head_dim is None and transformer.mla is None
    if derived and transformer.hidden_size % transformer.heads:
        found.append(("heads", "must divide hidden_size unless head_dim is given"))
    if transformer.attention == "mla" and transformer.mla is None:
        found.append(("mla", "attention mla needs its ranks and head sizes"))
    if transformer.mla is not None and transformer.attention not in (None, "mla"):
        found.append(("attention", "must be mla where mla is given"))
    if transformer.ffn_size == 0 and _moe_layers(transformer) < transformer.layers:
        found.append(("ffn_size", "must not be 0 where some layers are dense"))
    moe = transformer.moe
    if moe is not None and moe.experts_per_token > moe.experts:
        found.append(("moe/experts_per_token", "must not exceed experts"))
    if moe is not None and moe.first_dense_layers > transformer.layers:
        found.append(("moe/first_dense_layers", "must not exceed layers"))
    return tuple(found)


def architecture_of(transformer: Transformer) -> Architecture:
    """The description with everything that goes without saying filled in."""
    moe, mla, d = transformer.moe, transformer.mla, float(transformer.hidden_size)
    heads = float(transformer.heads)
    kv_heads = float(transformer.kv_heads or (1 if transformer.attention == "mqa" else heads))
    head_dim = float(transformer.head_dim or max(1, d // heads))
    window = float(transformer.sliding_window or 0)
    qk_norm = {None: 0.0, "per_head": 2 * head_dim, "full": (heads + kv_heads) * head_dim}
    norm = {"rms": d, "layernorm_nobias": d, "layernorm": 2 * d, "none": 0.0}
    biases = (heads + 2 * kv_heads) * head_dim * transformer.qkv_bias + d * transformer.out_bias
    return Architecture(
        layers=float(transformer.layers),
        moe_layers=_moe_layers(transformer),
        first_dense_layers=float(moe.first_dense_layers) if moe else float(transformer.layers),
        hidden_size=d,
        heads=heads,
        kv_heads=heads if mla else kv_heads,
        head_dim=float(mla.qk_nope_head_dim + mla.qk_rope_head_dim) if mla else head_dim,
        v_head_dim=float(mla.v_head_dim) if mla else head_dim,
        ffn_size=_ffn_size(transformer),
        ffn_matrices=3.0 if transformer.gated_ffn else 2.0,
        vocab_size=float(transformer.vocab_size),
        tied_embeddings=transformer.tied_embeddings,
        experts=float(moe.experts) if moe else 0.0,
        experts_per_token=float(moe.experts_per_token) if moe else 0.0,
        moe_ffn_size=float(moe.moe_ffn_size) if moe else 0.0,
        shared_experts=float(moe.shared_experts) if moe else 0.0,
        shared_ffn_size=_shared_ffn_size(moe),
        sliding_window=window,
        sliding_window_layers=transformer.layers * transformer.sliding_window_share * (window > 0),
        mtp_layers=float(transformer.mtp_layers),
        q_lora_rank=float(mla.q_lora_rank) if mla else 0.0,
        kv_lora_rank=float(mla.kv_lora_rank) if mla else 0.0,
        qk_nope_head_dim=float(mla.qk_nope_head_dim) if mla else 0.0,
        qk_rope_head_dim=float(mla.qk_rope_head_dim) if mla else 0.0,
        norm_params=norm[transformer.norm],
        norms_per_layer=float(transformer.norms_per_layer),
        qk_norm_params=qk_norm[transformer.qk_norm],
        attention_bias_params=biases,
        ffn_bias=transformer.ffn_bias,
        router_bias=moe.router_bias if moe else False,
        expert_bias=moe.expert_bias if moe else False,
        learned_positions=float(transformer.learned_positions),
        extra_params=float(transformer.extra_params),
    )


def _moe_layers(transformer: Transformer) -> float:
    moe = transformer.moe
    if moe is None:
        return 0.0
    return float(max(0, transformer.layers - moe.first_dense_layers) // moe.moe_every)


def _ffn_size(transformer: Transformer) -> float:
    if transformer.ffn_size is not None:
        return float(transformer.ffn_size)
    if _moe_layers(transformer) == transformer.layers:
        return 0.0
    if not transformer.gated_ffn:
        return 4.0 * transformer.hidden_size
    return 256.0 * -(-8 * transformer.hidden_size // (3 * 256))  # 8/3 d, up to the next 256


def _shared_ffn_size(moe: MixtureOfExperts | None) -> float:
    if moe is None or not moe.shared_experts:
        return 0.0
    return float(moe.moe_ffn_size if moe.shared_ffn_size is None else moe.shared_ffn_size)


class LayerParams(NamedTuple):
    """Parameters of one layer, by what must know them apart."""

    attention: float  # projections and their biases
    ffn: float  # of a dense layer
    expert: float  # one routed expert
    shared: float  # all shared experts
    router: float
    norms: float


def layer_params(*, architecture: Architecture) -> LayerParams:
    """Parameters of one layer.

        attention  2dHh + 2dKh, or MLA: dq + q + qH(n+r)  +  d(c+r) + c + cH(n+v)  +  Hvd
        ffn        3dw gated, 2dw otherwise

    Source: the reference implementations; MLA from DeepSeek-V2 (arXiv 2405.04434, section 2.1).
    """
    a = architecture
    bias = a.ffn_matrices - 1
    d = a.hidden_size
    return LayerParams(
        attention=_attention_params(a) + a.attention_bias_params,
        ffn=a.ffn_matrices * d * a.ffn_size + a.ffn_bias * (bias * a.ffn_size + d),
        expert=a.ffn_matrices * d * a.moe_ffn_size + a.expert_bias * (bias * a.moe_ffn_size + d),
        shared=a.ffn_matrices * d * a.shared_ffn_size * a.shared_experts,
        router=(d + a.router_bias) * a.experts,
        norms=a.norms_per_layer * a.norm_params + a.qk_norm_params,
    )


def _attention_params(a: Architecture) -> float:
    d, heads = a.hidden_size, a.heads
    if not a.latent:
        return 2 * d * heads * a.head_dim + 2 * d * a.kv_heads * a.head_dim
    q, c = a.q_lora_rank, a.kv_lora_rank
    query = d * q + q + q * heads * a.head_dim if q else d * heads * a.head_dim
    key_value = d * (c + a.qk_rope_head_dim) + c + c * heads * (a.qk_nope_head_dim + a.v_head_dim)
    return query + key_value + heads * a.v_head_dim * d


def params_latent_down(*, architecture: Architecture) -> float:
    """Parameters of a layer's down-projections into the ranks of MLA and their norms; 0 without."""
    a = architecture
    if not a.latent:
        return 0.0
    key_value = a.hidden_size * (a.kv_lora_rank + a.qk_rope_head_dim) + a.kv_lora_rank
    return (a.hidden_size + 1) * a.q_lora_rank + key_value


def params_embedding(*, architecture: Architecture) -> float:
    """Parameters of the input embedding, Vd, without learned positions."""
    return architecture.vocab_size * architecture.hidden_size


def params_head(*, architecture: Architecture) -> float:
    """Parameters of an output head of its own, Vd; 0 where it shares the input embedding."""
    return architecture.vocab_size * architecture.hidden_size * (not architecture.tied_embeddings)


def params_total(*, architecture: Architecture) -> float:
    """All parameters of the main model, as makers count them: without multi-token prediction."""
    a, layer = architecture, layer_params(architecture=architecture)
    return (
        a.layers * (layer.attention + layer.norms)
        + a.dense_layers * layer.ffn
        + a.moe_layers * (a.experts * layer.expert + layer.shared + layer.router)
        + params_embedding(architecture=a)
        + params_head(architecture=a)
        + a.learned_positions * a.hidden_size
        + a.norm_params
        + a.extra_params
    )


def params_routed(*, architecture: Architecture) -> float:
    """Parameters of all routed experts: what expert parallelism divides."""
    layer = layer_params(architecture=architecture)
    return architecture.moe_layers * architecture.experts * layer.expert


def params_active(*, architecture: Architecture) -> float:
    """Parameters that one token meets, embeddings counted in full."""
    a, layer = architecture, layer_params(architecture=architecture)
    idle_experts = a.experts - a.experts_per_token
    return params_total(architecture=a) - a.moe_layers * idle_experts * layer.expert


def params_mtp(*, architecture: Architecture) -> float:
    """Parameters that multi-token prediction adds while training.

        per module: one more layer of the last layer's kind, a 2d x d projection, three norms

    Embedding and head are shared with the main model.
    Source: DeepSeek-V3 (arXiv 2412.19437, section 2.2).
    """
    a, layer = architecture, layer_params(architecture=architecture)
    ffn = a.experts * layer.expert + layer.shared + layer.router if a.moe_layers else layer.ffn
    projection = 2 * a.hidden_size * a.hidden_size + 3 * a.norm_params
    return a.mtp_layers * (layer.attention + layer.norms + ffn + projection)


class FlopPerToken(NamedTuple):
    """FLOP per token by part; the parts add up to the whole."""

    attention_projections: Real
    attention_core: Real  # scores and weighted values
    ffn: Real  # dense layers
    experts: Real  # routed ones that the token meets
    shared_experts: Real
    router: Real
    logits: Real
    mtp: Real  # multi-token prediction, with its attention core and logits

    @property
    def total(self) -> Real:
        """All parts together."""
        total: Real = sum(self)
        return total


def mean_keys_causal(*, sequence_length: Real, window: float = 0.0) -> Real:
    """Keys that a query sees on average when it sees itself and what came before.

        s/2;  within a window of k < s:  k - k^2 / (2s)

    In the continuous limit, as all published FLOP conventions count it; packed documents see fewer.
    """
    if window <= 0:
        return sequence_length / 2
    keys: Real = minimum(sequence_length, window)
    return keys - keys * keys / (2 * sequence_length)


def mean_keys_full(*, sequence_length: Real, window: float = 0.0) -> Real:
    """Keys per query when the mask is not credited: the whole sequence, or the whole window."""
    keys: Real = minimum(sequence_length, window) if window > 0 else sequence_length
    return keys


def forward_flop_per_token_causal(
    *, architecture: Architecture, sequence_length: Real
) -> FlopPerToken:
    """FLOP per token of the forward pass, attention only as far as the causal mask allows."""
    whole = mean_keys_causal(sequence_length=sequence_length)
    window = mean_keys_causal(sequence_length=sequence_length, window=architecture.sliding_window)
    return _forward_flop_per_token(architecture=architecture, keys=whole, keys_in_window=window)


def forward_flop_per_token_full_attention(
    *, architecture: Architecture, sequence_length: Real
) -> FlopPerToken:
    """FLOP per token of the forward pass, attention counted over the full square of the sequence.

    The convention of Megatron-LM until 2025 and of PaLM's appendix B: about twice the attention
    that is needed.
    """
    whole = mean_keys_full(sequence_length=sequence_length)
    window = mean_keys_full(sequence_length=sequence_length, window=architecture.sliding_window)
    return _forward_flop_per_token(architecture=architecture, keys=whole, keys_in_window=window)


def train_flop_per_token_causal(*, architecture: Architecture, sequence_length: Real) -> Real:
    """Model FLOP per trained token, forward and backward, causal attention: what MFU counts here.

        3 * forward

    Each matrix product forward is two backward. Recomputed activations are not in it.
    Source: Narayanan et al. 2021 (arXiv 2104.04473, appendix), with the causal half of attention.
    """
    flop = forward_flop_per_token_causal(architecture=architecture, sequence_length=sequence_length)
    return 3 * flop.total


def train_flop_per_token_full_attention(
    *, architecture: Architecture, sequence_length: Real
) -> Real:
    """Model FLOP per trained token with full attention: to compare with older publications."""
    flop = forward_flop_per_token_full_attention(
        architecture=architecture, sequence_length=sequence_length
    )
    return 3 * flop.total


def attention_core_flop_per_token(*, architecture: Architecture, keys: Real) -> Real:
    """FLOP per token and layer of scores and weighted values, forward: 2 keys H (h + v)."""
    return 2 * keys * architecture.heads * (architecture.head_dim + architecture.v_head_dim)


def _forward_flop_per_token(
    *, architecture: Architecture, keys: Real, keys_in_window: Real
) -> FlopPerToken:
    a, layer = architecture, layer_params(architecture=architecture)
    d, matrices = a.hidden_size, a.ffn_matrices
    core = attention_core_flop_per_token(architecture=a, keys=keys)
    core_in_window = attention_core_flop_per_token(architecture=a, keys=keys_in_window)
    projections = 2 * (_attention_params(a) - a.q_lora_rank - a.kv_lora_rank)
    ffn = 2 * matrices * d * a.ffn_size
    experts = 2 * matrices * d * a.moe_ffn_size * a.experts_per_token
    shared, router = 2 * layer.shared, 2 * d * a.experts
    logits = 2 * d * a.vocab_size
    last_ffn = experts + shared + router if a.moe_layers else ffn
    return FlopPerToken(
        attention_projections=a.layers * projections,
        attention_core=(a.layers - a.sliding_window_layers) * core
        + a.sliding_window_layers * core_in_window,
        ffn=a.dense_layers * ffn,
        experts=a.moe_layers * experts,
        shared_experts=a.moe_layers * shared,
        router=a.moe_layers * router,
        logits=logits,
        mtp=a.mtp_layers * (projections + core + last_ffn + 4 * d * d + logits),
    )
