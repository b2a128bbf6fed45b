"""From a described transformer to its architecture, with all usual values filled in."""

from msgspec import UNSET, UnsetType

from service.core.model.architecture import Architecture
from service.core.request.transformer import MixtureOfExperts, Transformer, moe_layers


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
    )


def _ffn_size(transformer: Transformer) -> float:
    if transformer.ffn_size is not UNSET:
        return float(transformer.ffn_size)
    if moe_layers(transformer) == transformer.layers:
        return 0.0
    if not transformer.gated_ffn:
        return 4.0 * transformer.hidden_size
    return 256.0 * -(-8 * transformer.hidden_size // (3 * 256))  # 8/3 d, up to the next 256


def _shared_ffn_size(moe: MixtureOfExperts | UnsetType) -> float:
    if moe is UNSET or not moe.shared_experts:
        return 0.0
    return float(moe.moe_ffn_size if moe.shared_ffn_size is UNSET else moe.shared_ffn_size)
