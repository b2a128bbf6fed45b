"""Parameters of a transformer, in total, per token and by what holds them.

Symbols: d hidden_size, H heads, K kv_heads, h head_dim, w a feed-forward width, V vocab_size;
q, c, n, r, v the ranks and head sizes of latent attention (MLA).
"""

from typing import NamedTuple

from service.core.model.architecture import Architecture
from service.core.model.mixing import matrix_params_attention


class LayerParams(NamedTuple):
    """Parameters of one layer, by part."""

    attention: float  # projections and their biases, or what a mean layer has in their place
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
        attention=_mixing_params(a),
        ffn=a.ffn_matrices * d * a.ffn_size + a.ffn_bias * (bias * a.ffn_size + d),
        expert=a.ffn_matrices * d * a.moe_ffn_size + a.expert_bias * (bias * a.moe_ffn_size + d),
        shared=a.ffn_matrices * d * a.shared_ffn_size * a.shared_experts,
        router=(d + a.router_bias) * a.experts,
        norms=a.norms_per_layer * a.norm_params + a.attention_share * a.qk_norm_params,
    )


def _mixing_params(a: Architecture) -> float:
    """Parameters of what mixes tokens in a mean layer, with its share of a vision tower.

    Cross-attention of a decoder has a norm and matrices of its own.
    """
    attention = matrix_params_attention(a) + a.attention_bias_params
    if a.indexed_keys:
        attention = attention + a.indexer_params
    mean = a.attention_share * attention
    if a.mixer_share:
        mean = mean + a.mixer_share * (a.mixer_matrix_params + a.mixer_other_params)
    if a.encoder_layers:
        decoding = (a.layers - a.encoder_layers) / a.layers
        mean = mean + decoding * (attention + a.norm_params)
    return mean + a.tower_params / a.layers


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
        + a.norm_params * (2.0 if a.encoder_layers else 1.0)
        + a.extra_params
    )


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
