"""FLOP per token of a transformer. Each function says whether attention is causal or full.

Symbols: d hidden_size, H heads, h head_dim, v v_head_dim, s sequence_length.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real, minimum
from service.core.figures.formulas import formula
from service.core.model.architecture import Architecture
from service.core.model.parameters import layer_params, matrix_params_attention


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
    """Mean number of keys that a query sees: itself and the tokens before it.

        s/2;  within a window of k < s:  k - k^2 / (2s)

    This is the continuous limit, as in all published conventions. Packed documents see fewer keys.
    """
    if window <= 0:
        return sequence_length / 2
    keys: Real = minimum(sequence_length, window)
    return keys - keys * keys / (2 * sequence_length)


def mean_keys_full(*, sequence_length: Real, window: float = 0.0) -> Real:
    """Keys per query without the causal mask: the whole sequence, or the whole window."""
    keys: Real = minimum(sequence_length, window) if window > 0 else sequence_length
    return keys


def forward_flop_per_token_causal(
    *, architecture: Architecture, sequence_length: Real
) -> FlopPerToken:
    """FLOP per token of the forward pass, with causal attention."""
    whole = mean_keys_causal(sequence_length=sequence_length)
    window = mean_keys_causal(sequence_length=sequence_length, window=architecture.sliding_window)
    return _forward_flop_per_token(architecture=architecture, keys=whole, keys_in_window=window)


def forward_flop_per_token_full_attention(
    *, architecture: Architecture, sequence_length: Real
) -> FlopPerToken:
    """FLOP per token of the forward pass, with attention over the full square of the sequence.

    This is the convention of Megatron-LM until 2025 and of PaLM's appendix B. It counts about twice
    the attention that is needed.
    """
    whole = mean_keys_full(sequence_length=sequence_length)
    window = mean_keys_full(sequence_length=sequence_length, window=architecture.sliding_window)
    return _forward_flop_per_token(architecture=architecture, keys=whole, keys_in_window=window)


@formula("train_flop_per_token_causal", unit="flop/token")
def train_flop_per_token_causal(*, architecture: Architecture, sequence_length: Real) -> Real:
    """Model FLOP per trained token, forward and backward, causal attention: what MFU counts here.

        forward + backward = 3 * forward

    Recomputed activations are not in it.
    Source: Narayanan et al. 2021 (arXiv 2104.04473, appendix), with the causal half of attention.
    """
    flop = forward_flop_per_token_causal(architecture=architecture, sequence_length=sequence_length)
    return 3 * flop.total


def train_flop_per_token_full_attention(
    *, architecture: Architecture, sequence_length: Real
) -> Real:
    """Model FLOP per trained token with full attention, to compare with older publications."""
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
    projections = 2 * (matrix_params_attention(a) - a.q_lora_rank - a.kv_lora_rank)
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
