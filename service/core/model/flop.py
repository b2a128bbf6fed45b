"""FLOP per token of a transformer. Each function says whether attention is causal or full.

Symbols: d hidden_size, H heads, h head_dim, v v_head_dim, s sequence_length.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.model.architecture import Architecture
from service.core.model.mixing import (
    core_flop_per_token,
    mixer_flop_per_token,
    projection_flop_per_token,
)
from service.core.model.parameters import layer_params


class FlopPerToken(NamedTuple):
    """FLOP per token by part; the parts add up to the whole."""

    attention_projections: Real
    attention_core: Real  # scores and weighted values
    mixers: Real  # in place of attention
    ffn: Real  # dense layers
    experts: Real  # routed ones that the token meets
    shared_experts: Real
    router: Real
    logits: Real
    mtp: Real  # multi-token prediction, with its attention core and logits
    tower: Real  # of a vision tower, for each token of the sequence

    @property
    def total(self) -> Real:
        """All parts together."""
        total: Real = sum(self)
        return total


def forward_flop_per_token_causal(
    *, architecture: Architecture, sequence_length: Real
) -> FlopPerToken:
    """FLOP per token of the forward pass, with causal attention where the model's is causal."""
    return _forward_flop_per_token(architecture, sequence_length, square=False)


def forward_flop_per_token_full_attention(
    *, architecture: Architecture, sequence_length: Real
) -> FlopPerToken:
    """FLOP per token of the forward pass, with attention over the full square of the sequence.

    This is the convention of Megatron-LM until 2025 and of PaLM's appendix B. It counts about twice
    the attention that is needed.
    """
    return _forward_flop_per_token(architecture, sequence_length, square=True)


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


def _forward_flop_per_token(
    architecture: Architecture, sequence_length: Real, *, square: bool
) -> FlopPerToken:
    a, layer = architecture, layer_params(architecture=architecture)
    d, matrices = a.hidden_size, a.ffn_matrices

    def core(window: float = 0.0) -> Real:
        return core_flop_per_token(
            architecture=a, sequence_length=sequence_length, window=window, square=square
        )

    whole, in_window = core(), core(a.sliding_window)
    projections = projection_flop_per_token(architecture=a)
    ffn = 2 * matrices * d * a.ffn_size * a.passes
    experts = 2 * matrices * d * a.moe_ffn_size * a.experts_per_token
    shared, router = 2 * layer.shared, 2 * d * a.experts
    logits = 2 * d * a.vocab_size * a.head_share
    last_ffn = experts + shared + router if a.moe_layers else ffn
    return FlopPerToken(
        attention_projections=a.layers * projections,
        attention_core=(a.attention_layers - a.sliding_window_layers) * whole
        + a.sliding_window_layers * in_window,
        mixers=a.layers * mixer_flop_per_token(architecture=a),
        ffn=a.dense_layers * ffn,
        experts=a.moe_layers * experts,
        shared_experts=a.moe_layers * shared,
        router=a.moe_layers * router,
        logits=logits,
        mtp=a.mtp_layers * (projections + whole + last_ffn + 4 * d * d + logits),
        tower=a.tower_flop_per_token,
    )
