"""A transformer with every value stated, as formulas take it."""

from typing import NamedTuple


class Architecture(NamedTuple):
    """A transformer with every value stated, as plain numbers. Parts that it lacks are 0."""

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
    expert_groups: float
    groups_per_token: float  # most expert groups that a token's experts are in
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
