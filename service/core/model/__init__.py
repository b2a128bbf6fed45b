"""A transformer: its description, its shape, its parameters and its FLOP per token."""

from service.core.model.assumed import plausible_transformer
from service.core.model.flop import (
    FlopPerToken,
    attention_core_flop_per_token,
    backward_flop_per_token,
    forward_flop_per_token_causal,
    forward_flop_per_token_full_attention,
    mean_keys_causal,
    mean_keys_full,
    train_flop_per_token_causal,
    train_flop_per_token_full_attention,
)
from service.core.model.parameters import (
    LayerParams,
    layer_params,
    matrix_params_attention,
    params_active,
    params_embedding,
    params_head,
    params_latent_down,
    params_mtp,
    params_routed,
    params_total,
)
from service.core.model.shape import Architecture, architecture_of
from service.core.request.transformer import (
    LatentAttention,
    MixtureOfExperts,
    Transformer,
    contradictions,
    moe_layers,
)

__all__ = [
    "Architecture",
    "FlopPerToken",
    "LatentAttention",
    "LayerParams",
    "MixtureOfExperts",
    "Transformer",
    "architecture_of",
    "attention_core_flop_per_token",
    "backward_flop_per_token",
    "contradictions",
    "forward_flop_per_token_causal",
    "forward_flop_per_token_full_attention",
    "layer_params",
    "matrix_params_attention",
    "mean_keys_causal",
    "mean_keys_full",
    "moe_layers",
    "params_active",
    "params_embedding",
    "params_head",
    "params_latent_down",
    "params_mtp",
    "params_routed",
    "params_total",
    "plausible_transformer",
    "train_flop_per_token_causal",
    "train_flop_per_token_full_attention",
]
