"""A transformer as a user or the catalog describes it. Usual values may be left out."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

# Whole numbers that may be written 4096, 4096.0 or 4.096e3. The bounds keep every product of them
# finite.
Layers = Annotated[float, Meta(ge=1, le=10_000, multiple_of=1)]
Count = Annotated[float, Meta(ge=0, le=100_000, multiple_of=1)]
PositiveCount = Annotated[float, Meta(ge=1, le=100_000, multiple_of=1)]
Width = Annotated[float, Meta(ge=1, le=1_000_000, multiple_of=1)]
WidthOrZero = Annotated[float, Meta(ge=0, le=1_000_000, multiple_of=1)]
Vocabulary = Annotated[float, Meta(ge=1, le=10_000_000, multiple_of=1)]
Positions = Annotated[float, Meta(ge=0, le=100_000_000, multiple_of=1)]
LayerShare = Annotated[float, Meta(ge=0, le=1)]


class MixtureOfExperts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Experts: feed-forward blocks of which each token uses a few.

    A router may be limited to groups of experts. A token's experts then all lie in
    `groups_per_token` of the `expert_groups`, which bounds how many domains it is sent to.
    Source: DeepSeek-V2 (arXiv 2405.04434, section 2.2.2).
    """

    experts: PositiveCount
    experts_per_token: PositiveCount
    moe_ffn_size: Width
    shared_experts: Count = 0.0
    shared_ffn_size: WidthOrZero | UnsetType = UNSET  # as wide as a routed expert
    first_dense_layers: Annotated[float, Meta(ge=0, le=10_000, multiple_of=1)] = 0.0
    moe_every: Annotated[float, Meta(ge=1, le=10_000, multiple_of=1)] = 1.0
    router_bias: bool = False
    expert_bias: bool = False
    expert_groups: PositiveCount = 1.0
    groups_per_token: PositiveCount = 1.0


class LatentAttention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multi-head latent attention: queries, keys and values through low-rank projections.

    `q_lora_rank` 0 leaves the query uncompressed.
    Source: DeepSeek-V2 (arXiv 2405.04434, section 2.1).
    """

    kv_lora_rank: Width
    qk_nope_head_dim: Width
    qk_rope_head_dim: Width
    v_head_dim: Width
    q_lora_rank: WidthOrZero = 0.0


class Transformer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decoder-only transformer. Four numbers suffice; the others have usual values."""

    layers: Layers
    hidden_size: Width
    heads: PositiveCount
    vocab_size: Vocabulary
    kv_heads: PositiveCount | UnsetType = UNSET  # as many as heads; 1 for mqa
    head_dim: Width | UnsetType = UNSET  # hidden_size / heads
    ffn_size: WidthOrZero | UnsetType = (
        UNSET  # 8/3 d gated, 4 d otherwise; 0 where all layers are MoE
    )
    gated_ffn: bool = True
    attention: Literal["mha", "gqa", "mqa", "mla"] | UnsetType = (
        UNSET  # follows from kv_heads and mla
    )
    tied_embeddings: bool = False
    max_sequence: Positions | UnsetType = UNSET
    norm: Literal["rms", "layernorm", "layernorm_nobias", "none"] = "rms"
    norms_per_layer: Annotated[float, Meta(ge=0, le=16, multiple_of=1)] = 2.0
    qk_norm: Literal["per_head", "full"] | UnsetType = UNSET
    qkv_bias: bool = False
    out_bias: bool = False
    ffn_bias: bool = False
    learned_positions: Positions = 0.0
    sliding_window: Positions | UnsetType = UNSET
    sliding_window_share: LayerShare = 1.0  # of the layers, where sliding_window is given
    mtp_layers: Annotated[float, Meta(ge=0, le=16, multiple_of=1)] = 0.0
    extra_params: Annotated[float, Meta(ge=0, le=1e15, multiple_of=1)] = 0.0
    moe: MixtureOfExperts | UnsetType = UNSET
    mla: LatentAttention | UnsetType = UNSET


def contradictions(transformer: Transformer) -> tuple[tuple[str, str], ...]:
    """Contradictions in the description, as (member, why); empty for a sound one."""
    found: list[tuple[str, str]] = []
    kv_heads = transformer.kv_heads
    if kv_heads is not UNSET and (kv_heads > transformer.heads or transformer.heads % kv_heads):
        found.append(("kv_heads", "must divide heads"))
    derived = transformer.head_dim is UNSET and transformer.mla is UNSET
    if derived and transformer.hidden_size % transformer.heads:
        found.append(("heads", "must divide hidden_size unless head_dim is given"))
    if transformer.attention == "mla" and transformer.mla is UNSET:
        found.append(("mla", "attention mla needs its ranks and head sizes"))
    if transformer.mla is not UNSET and transformer.attention not in (UNSET, "mla"):
        found.append(("attention", "must be mla where mla is given"))
    if transformer.ffn_size == 0 and moe_layers(transformer) < transformer.layers:
        found.append(("ffn_size", "must not be 0 where some layers are dense"))
    moe = transformer.moe
    if moe is not UNSET and moe.experts_per_token > moe.experts:
        found.append(("moe/experts_per_token", "must not exceed experts"))
    if moe is not UNSET:
        found += _of_groups(moe)
    if moe is not UNSET and moe.first_dense_layers > transformer.layers:
        found.append(("moe/first_dense_layers", "must not exceed layers"))
    return tuple(found)


def _of_groups(moe: MixtureOfExperts) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if moe.experts % moe.expert_groups:
        found.append(("moe/expert_groups", "must divide experts"))
    if moe.groups_per_token > moe.expert_groups:
        found.append(("moe/groups_per_token", "must not exceed expert_groups"))
    if moe.groups_per_token * moe.experts < moe.experts_per_token * moe.expert_groups:
        found.append(("moe/groups_per_token", "must hold experts_per_token experts"))
    return found


def moe_layers(transformer: Transformer) -> float:
    """Layers whose feed-forward is a mixture of experts."""
    moe = transformer.moe
    if moe is UNSET:
        return 0.0
    return float(max(0, transformer.layers - moe.first_dense_layers) // moe.moe_every)
