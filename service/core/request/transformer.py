"""A transformer as a user or the catalog describes it. Usual values may be left out."""

from typing import Annotated, Literal, TypeAlias

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
MixerKind: TypeAlias = Literal["mamba2", "gated_deltanet", "linear_attention"]


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


class Mixer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State-space or linear-attention mixers of a hybrid, in `layers` that have no attention.

    `heads` of `head_dim` each have a state of `state_dim` (by default `head_dim`) per element.
    `groups` share what is written into the state and read from it: 1 by default, or as many as
    heads. Mamba-2 (arXiv 2405.21060), Gated DeltaNet (arXiv 2412.06464), linear attention as in
    MiniMax-01 (arXiv 2501.08313).
    """

    kind: MixerKind
    layers: Layers
    heads: PositiveCount
    head_dim: Width
    state_dim: Width | UnsetType = UNSET
    groups: PositiveCount | UnsetType = UNSET
    conv_width: Count = 4.0


class Indexer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sparse attention: an indexer of few narrow heads selects the keys that a query sees.

    Source: DeepSeek-V3.2 (arXiv 2512.02556, section 2.1).
    """

    heads: PositiveCount
    head_dim: Width
    selected_tokens: Width


class Encoder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An encoder beside the decoder, of layers as wide: `layers` counts both stacks.

    Tokens and sequences count inputs and targets together. `input_share` of them are inputs.
    """

    layers: Layers
    input_share: LayerShare = 0.8


class VisionTower(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tower that makes tokens of images, by its parameters, its projector among them.

    It sees `patches_per_token` patches for each token that the model reads of an image. A `frozen`
    tower runs forward only.
    """

    parameters: Annotated[float, Meta(ge=1e5, le=1e12)]
    patches_per_token: Annotated[float, Meta(ge=0.01, le=1e4)] = 4.0
    frozen: bool = False


class Transformer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transformer. Four numbers suffice; the others have usual values.

    Layers have attention and a feed-forward, unless `mixer` or `ffn_layers` say otherwise: with
    `ffn_layers`, layers are one or the other, as in Nemotron-H, and `attention_layers` count those
    with attention. `bidirectional` attention has no causal mask; the head sees `head_share` of the
    positions. With `vision`, `image_share` of the tokens come of images: their number times the
    tokens of each, over the tokens of a sample.
    """

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
    attention_layers: Layers | UnsetType = UNSET
    ffn_layers: Layers | UnsetType = UNSET
    attention_gate: bool = False
    mixer: Mixer | UnsetType = UNSET
    indexer: Indexer | UnsetType = UNSET
    bidirectional: bool = False
    head_share: LayerShare = 1.0
    encoder: Encoder | UnsetType = UNSET
    vision: VisionTower | UnsetType = UNSET
    image_share: LayerShare | UnsetType = UNSET


def attention_layers(transformer: Transformer) -> float:
    """Layers with attention."""
    if transformer.attention_layers is not UNSET:
        return float(transformer.attention_layers)
    mixer = transformer.mixer
    return float(transformer.layers - (0.0 if mixer is UNSET else mixer.layers))


def ffn_layers(transformer: Transformer) -> float:
    """Layers with a feed-forward or with experts."""
    stated = transformer.ffn_layers
    return float(transformer.layers if stated is UNSET else stated)


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
    if transformer.ffn_size == 0 and moe_layers(transformer) < ffn_layers(transformer):
        found.append(("ffn_size", "must not be 0 where some layers are dense"))
    found += _of_kinds(transformer)
    moe = transformer.moe
    if moe is not UNSET and moe.experts_per_token > moe.experts:
        found.append(("moe/experts_per_token", "must not exceed experts"))
    if moe is not UNSET:
        found += _of_groups(moe)
    if moe is not UNSET and moe.first_dense_layers > transformer.layers:
        found.append(("moe/first_dense_layers", "must not exceed layers"))
    return tuple(found)


def _of_kinds(transformer: Transformer) -> list[tuple[str, str]]:
    """Contradictions between what layers are and how many there are."""
    layers, mixer, encoder = transformer.layers, transformer.mixer, transformer.encoder
    mixers = 0.0 if mixer is UNSET else mixer.layers
    attending = attention_layers(transformer)
    feeding = ffn_layers(transformer)
    apart = encoder is not UNSET and (
        transformer.moe is not UNSET or mixer is not UNSET or transformer.bidirectional
    )
    checks = (
        ("mixer/layers", "must leave a layer that has attention", mixers >= layers),
        ("attention_layers", "must not exceed layers less those of mixers",
         attending + mixers > layers),
        ("ffn_layers", "must not exceed layers", feeding > layers),
        ("moe/first_dense_layers", "leave fewer layers with a feed-forward than experts are in",
         moe_layers(transformer) > feeding),
        ("encoder/layers", "must leave a layer to the decoder",
         encoder is not UNSET and encoder.layers >= layers),
        ("encoder", "goes with neither experts, mixers nor bidirectional attention", apart),
        ("image_share", "needs vision: the parameters of a tower",
         transformer.image_share is not UNSET and transformer.vision is UNSET),
    )  # fmt: skip
    return [(member, why) for member, why, broken in checks if broken]


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
    return float(max(0, ffn_layers(transformer) - moe.first_dense_layers) // moe.moe_every)
