"""The work of one step, independent of the layout: FLOP, widths and parameters.

All that depends only on the architecture and the sequence length is counted here once, so that
timing a layout is arithmetic on plain numbers. Fields may be arrays, one number per row.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real
from service.core.model.architecture import Architecture
from service.core.model.mixing import (
    core_flop_per_token,
    mixer_flop_per_token,
    projection_flop_per_token,
)
from service.core.model.parameters import (
    layer_params,
    params_embedding,
    params_head,
)


class StepWork(NamedTuple):
    """FLOP are forward, per token and layer of the named kind. Parameters are per such layer."""

    sequence_length: Real
    layers: Real
    moe_layers: Real
    mtp_layers: Real
    hidden_size: Real
    heads: Real
    head_dim: Real
    key_value_width: Real  # elements of keys and values per token and layer
    projection_flop: Real  # attention's projections
    projection_width: Real  # of queries, keys and values together
    core_flop: Real  # scores and weighted values, causal, mean over layers
    ffn_flop: Real  # of a dense layer
    ffn_width: Real
    shared_flop: Real  # of a mixture-of-experts layer: shared experts and router
    shared_width: Real
    routed_flop: Real
    expert_width: Real
    experts: Real
    experts_per_token: Real
    expert_groups: Real
    groups_per_token: Real
    dispatch_width: Real  # elements that experts exchange per token and expert
    logits_flop: Real
    vocab_size: Real
    mixer_flop: Real  # per layer, of sequence mixers other than attention
    layer_params: Real  # of a mean layer, without routed experts
    routed_params: Real  # of a mixture-of-experts layer
    vocabulary_params: Real
    train_flop: Real  # model FLOP per token, forward and backward, causal
    passes: Real = 1.0  # share of the tokens that pass a mean layer
    square_over_core: Real = 2.0  # scores of the whole square over those that are needed


def work_of(*, architecture: Architecture, sequence_length: float) -> StepWork:
    """The work of one architecture at one sequence length."""
    a, layer = architecture, layer_params(architecture=architecture)
    core = core_flop_per_token(architecture=a, sequence_length=sequence_length)
    in_window = core_flop_per_token(
        architecture=a, sequence_length=sequence_length, window=a.sliding_window
    )
    windowed = a.sliding_window_layers / a.layers
    mean_core = (a.attention_share - windowed) * core + windowed * in_window
    projection = projection_flop_per_token(architecture=a)
    mixer = mixer_flop_per_token(architecture=a)
    ffn = 2 * a.ffn_matrices * a.hidden_size * a.ffn_size * a.passes
    routed = 2 * a.ffn_matrices * a.hidden_size * a.moe_ffn_size * a.experts_per_token
    shared = 2 * layer.shared + 2 * a.hidden_size * a.experts
    logits = 2 * a.hidden_size * a.vocab_size * a.head_share
    last = routed + shared if a.moe_layers else ffn
    mtp = projection + core + last + 4 * a.hidden_size * a.hidden_size + logits
    dense_ffn = a.dense_layers * layer.ffn + a.moe_layers * (layer.shared + layer.router)
    forward = (
        a.layers * (projection + mean_core + mixer)
        + a.dense_layers * ffn
        + a.moe_layers * (routed + shared)
        + logits
        + a.mtp_layers * mtp
        + a.tower_flop_per_token
    )
    if a.indexed_keys:
        # Steps of models that select their keys are measured as a whole, at the rate of mixers.
        mixer, projection, mean_core = mixer + projection + mean_core, 0.0, 0.0
    dense = _dense_over_rest(a)
    return StepWork(
        sequence_length=sequence_length,
        layers=a.layers,
        moe_layers=a.moe_layers,
        mtp_layers=a.mtp_layers,
        hidden_size=a.hidden_size,
        heads=a.heads * a.attention_share,
        head_dim=a.head_dim,
        key_value_width=a.kv_heads * (a.head_dim + a.v_head_dim),
        projection_flop=projection + a.tower_flop_per_token / a.layers,
        projection_width=a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.v_head_dim),
        core_flop=mean_core,
        ffn_flop=dense * ffn,
        ffn_width=dense * a.ffn_size,
        shared_flop=shared if a.moe_layers else 0.0,
        shared_width=a.shared_experts * a.shared_ffn_size,
        routed_flop=routed,
        expert_width=a.moe_ffn_size,
        experts=a.experts,
        experts_per_token=a.experts_per_token,
        expert_groups=a.expert_groups,
        groups_per_token=a.groups_per_token,
        dispatch_width=a.hidden_size if a.moe_layers else 0.0,
        logits_flop=logits,
        vocab_size=a.vocab_size * a.head_share,
        mixer_flop=mixer,
        layer_params=layer.attention + layer.norms + dense_ffn / a.layers,
        routed_params=a.experts * layer.expert,
        vocabulary_params=params_embedding(architecture=a) + params_head(architecture=a),
        train_flop=3 * forward,
        passes=a.passes,
        square_over_core=1.0 if a.bidirectional else 2.0,
    )


def _dense_over_rest(a: Architecture) -> float:
    """Layers with a dense feed-forward over those without experts: 1 but for some hybrids."""
    rest = a.layers - a.moe_layers
    return a.dense_layers / rest if a.ffn_share < 1.0 and rest else 1.0
