"""From a described transformer to its architecture, with all usual values filled in."""

from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType

from service.core.model.architecture import Architecture
from service.core.request.transformer import (
    Mixer,
    MixerKind,
    MixtureOfExperts,
    Transformer,
    attention_layers,
    ffn_layers,
    moe_layers,
)

ASSUMED_IMAGE_SHARE: Final = 0.5
"""Of the tokens of a vision-language model, where nothing is said of its images."""
SCAN_FLOP: Final = 7.0
"""Per token and element of a mixer's state, forward: written, decayed and read.

Source: the counter of Megatron-LM (megatron/training/training.py, mamba_layer_flops).
"""


class _OfMixer(NamedTuple):
    """What one kind of mixer has besides its inputs, outputs and state."""

    gates: float  # per head and token
    scalars: float  # parameters per head
    conv_bias: float
    norm_of_inner: bool  # a norm over all heads, or over one
    groups_are_heads: bool  # by default


MIXERS: Final[dict[MixerKind, _OfMixer]] = {
    "mamba2": _OfMixer(1.0, 3.0, 1.0, norm_of_inner=True, groups_are_heads=False),
    "gated_deltanet": _OfMixer(2.0, 2.0, 0.0, norm_of_inner=False, groups_are_heads=True),
    "linear_attention": _OfMixer(0.0, 0.0, 0.0, norm_of_inner=True, groups_are_heads=True),
}
"""Mamba-2 (arXiv 2405.21060), Gated DeltaNet (arXiv 2412.06464), MiniMax-01 (arXiv 2501.08313)."""

MEASURED_MIXERS: Final = frozenset[MixerKind]({"mamba2"})
"""Kinds of mixers of which the engine's measurements have steps."""


def architecture_of(transformer: Transformer) -> Architecture:
    """The description with all usual values filled in."""
    moe, mla, d = transformer.moe, transformer.mla, float(transformer.hidden_size)
    heads = float(transformer.heads)
    kv_heads = float(transformer.kv_heads or (1 if transformer.attention == "mqa" else heads))
    head_dim = float(transformer.head_dim or max(1, d // heads))
    window = float(transformer.sliding_window or 0)
    qk_norm = {UNSET: 0.0, "per_head": 2 * head_dim, "full": (heads + kv_heads) * head_dim}
    norm = {"rms": d, "layernorm_nobias": d, "layernorm": 2 * d, "none": 0.0}
    biases = (heads + 2 * kv_heads) * head_dim * transformer.qkv_bias + d * transformer.out_bias
    return Architecture(
        layers=float(transformer.layers),
        moe_layers=moe_layers(transformer),
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
        expert_groups=float(moe.expert_groups) if moe else 1.0,
        groups_per_token=float(moe.groups_per_token) if moe else 1.0,
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
        attention_share=attention_layers(transformer) / transformer.layers,
        ffn_share=ffn_layers(transformer) / transformer.layers,
        attention_gate=transformer.attention_gate,
        bidirectional=transformer.bidirectional,
        **_mixer(transformer),
        **_indexer(transformer, d),
        **_encoder(transformer),
        **_tower(transformer),
        unmeasured=is_unmeasured(transformer),
    )


def is_unmeasured(transformer: Transformer) -> bool:
    """Whether it is of a kind that no measured step is of."""
    mixer = transformer.mixer
    parts = (transformer.vision, transformer.encoder, transformer.indexer)
    return any(part is not UNSET for part in parts) or (
        mixer is not UNSET and mixer.kind not in MEASURED_MIXERS
    )


def _mixer(transformer: Transformer) -> dict[str, Any]:
    """Mixers of a hybrid: their matrices, their scan, and what they keep of a token."""
    mixer = transformer.mixer
    if mixer is UNSET:
        return {}
    of, d = MIXERS[mixer.kind], transformer.hidden_size
    inner, state = mixer.heads * mixer.head_dim, _state(mixer)
    groups = (mixer.heads if of.groups_are_heads else 1.0) if not mixer.groups else mixer.groups
    convolved = inner + 2 * groups * state
    width = inner + convolved + of.gates * mixer.heads
    conv = mixer.conv_width if mixer.kind != "linear_attention" else 0.0
    return {
        "mixer_share": mixer.layers / transformer.layers,
        "mixer_matrix_params": float(d * width + inner * d),
        "mixer_other_params": float(
            convolved * (conv + of.conv_bias)
            + of.scalars * mixer.heads
            + (inner if of.norm_of_inner else mixer.head_dim)
        ),
        "mixer_scan_flop": SCAN_FLOP * inner * state,
        "mixer_width": float(width + inner),
        "mixer_state": float(inner * state + convolved * conv),
    }


def _state(mixer: Mixer) -> float:
    return float(mixer.head_dim if mixer.state_dim is UNSET else mixer.state_dim)


def _indexer(transformer: Transformer, d: float) -> dict[str, Any]:
    """An indexer: queries from the latent vector where there is one, one key, a weight a head."""
    indexer, mla = transformer.indexer, transformer.mla
    if indexer is UNSET:
        return {}
    inner = indexer.heads * indexer.head_dim
    source = mla.q_lora_rank if mla and mla.q_lora_rank else d
    return {
        "indexed_keys": float(indexer.selected_tokens),
        "indexer_params": float(
            source * inner + d * (indexer.head_dim + indexer.heads) + 2 * indexer.head_dim
        ),
        "indexer_flop_per_key": 2.0 * inner,
        "indexer_head_dim": float(indexer.head_dim),
    }


def _encoder(transformer: Transformer) -> dict[str, Any]:
    """An encoder, whose inputs the head never sees."""
    encoder = transformer.encoder
    if encoder is UNSET:
        return {"head_share": float(transformer.head_share)}
    return {
        "encoder_layers": float(encoder.layers),
        "input_share": float(encoder.input_share),
        "head_share": (1.0 - encoder.input_share) * transformer.head_share,
    }


def _tower(transformer: Transformer) -> dict[str, Any]:
    """A vision tower: two FLOP for each parameter and patch, forward.

    What is trained runs backward twice as long. A frozen tower does not, so that a third of its
    forward pass stands for it where three are counted.
    """
    tower, share = transformer.vision, transformer.image_share
    if tower is UNSET:
        return {}
    patches = tower.patches_per_token * (ASSUMED_IMAGE_SHARE if share is UNSET else share)
    return {
        "tower_params": float(tower.parameters),
        "tower_flop_per_token": 2.0 * tower.parameters * patches / (3.0 if tower.frozen else 1.0),
    }


def _ffn_size(transformer: Transformer) -> float:
    if transformer.ffn_size is not UNSET:
        return float(transformer.ffn_size)
    if moe_layers(transformer) == ffn_layers(transformer):
        return 0.0
    if not transformer.gated_ffn:
        return 4.0 * transformer.hidden_size
    return 256.0 * -(-8 * transformer.hidden_size // (3 * 256))  # 8/3 d, up to the next 256


def _shared_ffn_size(moe: MixtureOfExperts | UnsetType) -> float:
    if moe is UNSET or not moe.shared_experts:
        return 0.0
    return float(moe.moe_ffn_size if moe.shared_ffn_size is UNSET else moe.shared_ffn_size)
