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
    # What few models have. Without it, every layer has causal attention and a feed-forward.
    attention_share: float = 1.0  # of the layers, those with attention
    ffn_share: float = 1.0  # of the layers, those with a feed-forward or experts
    attention_gate: bool = False  # on the output, as wide as the queries
    bidirectional: bool = False
    head_share: float = 1.0  # of the positions, those that the head sees
    mixer_share: float = 0.0  # of the layers, those with another mixer than attention
    mixer_matrix_params: float = 0.0  # per such layer
    mixer_other_params: float = 0.0
    mixer_scan_flop: float = 0.0  # per token and such layer, forward
    mixer_width: float = 0.0  # elements that the products of such a layer make of a token
    mixer_state: float = 0.0  # elements that it keeps of a sequence
    indexed_keys: float = 0.0  # keys that an indexer selects; 0 without one
    indexer_params: float = 0.0  # per layer
    indexer_flop_per_key: float = 0.0
    indexer_head_dim: float = 0.0
    encoder_layers: float = 0.0  # of `layers`, those of an encoder beside the decoder
    input_share: float = 0.0  # of the tokens, those that the encoder reads
    tower_params: float = 0.0  # of a vision tower
    tower_flop_per_token: float = 0.0  # forward, per token of the sequence
    unmeasured: bool = False  # whether it is of a kind that no measured step is of

    @property
    def dense_layers(self) -> float:
        """Layers with an ordinary feed-forward block."""
        return self.layers * self.ffn_share - self.moe_layers

    @property
    def attention_layers(self) -> float:
        """Layers with attention."""
        return self.layers * self.attention_share

    @property
    def passes(self) -> float:
        """Share of the tokens that pass a mean layer: all, but for encoder-decoders."""
        if not self.encoder_layers:
            return 1.0
        decoding = (self.layers - self.encoder_layers) * (1.0 - self.input_share)
        return (self.encoder_layers * self.input_share + decoding) / self.layers

    @property
    def latent(self) -> bool:
        """Whether attention is MLA."""
        return self.kv_lora_rank > 0
