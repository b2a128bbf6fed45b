"""The work of one step, independent of the layout: FLOP, widths and parameters.

All that depends only on the architecture and the sequence length is counted here once, so that
timing a layout is arithmetic on plain numbers. Fields may be arrays, one number per row.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real
from service.core.model.architecture import Architecture
from service.core.model.flop import attention_core_flop_per_token, mean_keys_causal
from service.core.model.parameters import (
    layer_params,
    matrix_params_attention,
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


def work_of(*, architecture: Architecture, sequence_length: float) -> StepWork:
    """The work of one architecture at one sequence length."""
    a, layer = architecture, layer_params(architecture=architecture)
    core = attention_core_flop_per_token(
        architecture=a, keys=mean_keys_causal(sequence_length=sequence_length)
    )
    in_window = attention_core_flop_per_token(
        architecture=a,
        keys=mean_keys_causal(sequence_length=sequence_length, window=a.sliding_window),
    )
    windowed = a.sliding_window_layers / a.layers
    mean_core = (1 - windowed) * core + windowed * in_window
    projection = 2 * (matrix_params_attention(a) - a.q_lora_rank - a.kv_lora_rank)
    ffn = 2 * a.ffn_matrices * a.hidden_size * a.ffn_size
    routed = 2 * a.ffn_matrices * a.hidden_size * a.moe_ffn_size * a.experts_per_token
    shared = 2 * layer.shared + 2 * a.hidden_size * a.experts
    logits = 2 * a.hidden_size * a.vocab_size
    last = routed + shared if a.moe_layers else ffn
    mtp = projection + core + last + 4 * a.hidden_size * a.hidden_size + logits
    dense_ffn = a.dense_layers * layer.ffn + a.moe_layers * (layer.shared + layer.router)
    forward = (
        a.layers * (projection + mean_core)
        + a.dense_layers * ffn
        + a.moe_layers * (routed + shared)
        + logits
        + a.mtp_layers * mtp
    )
    return StepWork(
        sequence_length=sequence_length,
        layers=a.layers,
        moe_layers=a.moe_layers,
        mtp_layers=a.mtp_layers,
        hidden_size=a.hidden_size,
        heads=a.heads,
        head_dim=a.head_dim,
        key_value_width=a.kv_heads * (a.head_dim + a.v_head_dim),
        projection_flop=projection,
        projection_width=a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.v_head_dim),
        core_flop=mean_core,
        ffn_flop=ffn,
        ffn_width=a.ffn_size,
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
        vocab_size=a.vocab_size,
        mixer_flop=0.0,
        layer_params=layer.attention + layer.norms + dense_ffn / a.layers,
        routed_params=a.experts * layer.expert,
        vocabulary_params=params_embedding(architecture=a) + params_head(architecture=a),
        train_flop=3 * forward,
    )
