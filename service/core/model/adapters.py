"""Fine-tuning fewer parameters than the model has: frozen parts, LoRA and QLoRA.

A frozen matrix still runs forward, and backward for the gradient of its input. Only the gradient
of its weight is saved. An adapter is a narrow pair of matrices beside it, trained in full. So
training takes at best a third less compute, and no memory for the frozen weights' gradients and
optimizer.
"""

from typing import Final, NamedTuple

from service.core.figures.arrays import Real, minimum
from service.core.figures.formulas import formula
from service.core.figures.vocabulary import AdapterTarget
from service.core.model.architecture import Architecture
from service.core.model.flop import forward_flop_per_token_causal
from service.core.model.parameters import params_total

# NF4 keeps 4 bits per weight and one 8-bit scale per 64 of them, with scales of their own.
# Source: QLoRA (arXiv 2305.14314, section 3): 4 + 0.127 bits per parameter.
# Vector-wise 8 bits keep a scale for each row. Source: LLM.int8() (arXiv 2208.07339).
QLORA_BYTES_PER_WEIGHT: Final[dict[str, float]] = {"nf4": 4.127 / 8.0, "int8": 1.0}


class Matrix(NamedTuple):
    """One linear map of the model: its shape, how often it occurs, how often a token meets it."""

    rows: float
    columns: float
    copies: float
    met: float


class Adapters(NamedTuple):
    """What adapters of one rank add to a model."""

    params: Real  # trained parameters, all copies
    flop_per_token: Real  # forward


def matrices_of(*, architecture: Architecture, target: AdapterTarget) -> tuple[Matrix, ...]:
    """The linear maps that `target` names. Matrices of experts stand apart, with their number.

    `attention` is query, key, value and output. `query_value` is the choice of LoRA's authors.
    `mlp` is the feed-forward matrices: dense, shared and routed. `all_linear` is both.
    """
    attention = _attention(architecture)
    if target == "query_value":
        return attention[0:1] + attention[2:3]
    if target == "attention":
        return attention
    mlp = _mlp(architecture)
    return mlp if target == "mlp" else attention + _mixers(architecture) + mlp


def _attention(a: Architecture) -> tuple[Matrix, ...]:
    """Query, key, value and output maps. Under MLA, the maps up from the latent vectors."""
    d, layers = a.hidden_size, a.attention_layers
    across = a.layers - a.encoder_layers if a.encoder_layers else 0.0
    met = layers * a.passes + across * 0.5

    def each(rows: float, columns: float) -> Matrix:
        return Matrix(rows, columns, layers + across, met)

    if a.latent:
        query = each(a.q_lora_rank or d, a.heads * a.head_dim)
        key = each(a.kv_lora_rank, a.heads * a.qk_nope_head_dim)
        value = each(a.kv_lora_rank, a.heads * a.v_head_dim)
    else:
        query = each(d, a.heads * a.head_dim)
        key = each(d, a.kv_heads * a.head_dim)
        value = each(d, a.kv_heads * a.v_head_dim)
    return query, key, value, each(a.heads * a.v_head_dim, d)


def _mixers(a: Architecture) -> tuple[Matrix, ...]:
    """Maps into and out of the mixers of a hybrid, as one of each width."""
    layers = a.layers * a.mixer_share
    if not layers:
        return ()
    return (Matrix(a.hidden_size, a.mixer_matrix_params / a.hidden_size, layers, layers),)


def _mlp(a: Architecture) -> tuple[Matrix, ...]:
    d, n = a.hidden_size, a.ffn_matrices
    blocks = (
        (a.ffn_size, a.dense_layers * n, a.dense_layers * n * a.passes),
        (
            a.shared_ffn_size,
            a.moe_layers * a.shared_experts * n,
            a.moe_layers * a.shared_experts * n,
        ),
        (
            a.moe_ffn_size,
            a.moe_layers * a.experts * n,
            a.moe_layers * a.experts_per_token * n,
        ),
    )
    return tuple(Matrix(d, width, copies, met) for width, copies, met in blocks if width * copies)


def adapters(*, architecture: Architecture, rank: Real, target: AdapterTarget) -> Adapters:
    """Parameters and forward FLOP per token of adapters of this rank.

        params = sum of min(rank * (rows + columns), rows * columns / 3)
        flop = 2 * params met by a token

    An adapter beyond a third of its matrix would cost more than training the matrix itself. It is
    counted as a third, so that the answer never exceeds full training.

    Source: LoRA (arXiv 2106.09685, section 4.1).
    """
    params: Real = 0.0
    flop: Real = 0.0
    for matrix in matrices_of(architecture=architecture, target=target):
        size = minimum(rank * (matrix.rows + matrix.columns), matrix.rows * matrix.columns / 3.0)
        params = params + matrix.copies * size
        flop = flop + 2.0 * matrix.met * size
    return Adapters(params=params, flop_per_token=flop)


def trained_share_of_adapters(
    *, architecture: Architecture, rank: Real, target: AdapterTarget
) -> Real:
    """Trained parameters of adapters over all parameters of the model."""
    trained = adapters(architecture=architecture, rank=rank, target=target).params
    return trained / params_total(architecture=architecture)


@formula("adapter_flop_per_token", unit="flop/token")
def adapter_flop_per_token(
    *, architecture: Architecture, sequence_length: Real, rank: Real, target: AdapterTarget
) -> Real:
    """Model FLOP per token of LoRA or QLoRA, causal attention.

        2 * forward + attention_core + 3 * adapters

    Everything runs forward, and backward to its inputs. The attention core has no weights, so both
    of its backward products remain. Adapters are trained in full.

    Source: the method of LoRA (arXiv 2106.09685), its products counted as in Narayanan et al. 2021
    (arXiv 2104.04473, appendix).
    """
    forward = forward_flop_per_token_causal(
        architecture=architecture, sequence_length=sequence_length
    )
    added = adapters(architecture=architecture, rank=rank, target=target).flop_per_token
    return 2.0 * forward.total + forward.attention_core + 3.0 * added


@formula("frozen_flop_per_token", unit="flop/token")
def frozen_flop_per_token(
    *, architecture: Architecture, sequence_length: Real, frozen_share: Real
) -> Real:
    """Model FLOP per token when the first layers are frozen.

        forward + (1 - frozen_share) * 2 * forward

    `frozen_share` is the share of the parameters, nearest to the input, that is frozen. No
    gradient has to pass through them, so they run forward only.

    Source: backward is twice forward, as in Narayanan et al. 2021 (arXiv 2104.04473, appendix).
    """
    forward = forward_flop_per_token_causal(
        architecture=architecture, sequence_length=sequence_length
    )
    return forward.total * (3.0 - 2.0 * frozen_share)


def largest_rank(*, architecture: Architecture, target: AdapterTarget) -> float:
    """The rank from which on some adapter is as costly as training its matrix."""
    return min(
        matrix.rows * matrix.columns / (matrix.rows + matrix.columns) / 3.0
        for matrix in matrices_of(architecture=architecture, target=target)
    )


@formula("adapter_flop_ratio", unit="ratio")
def adapter_flop_ratio(
    *, architecture: Architecture, sequence_length: Real, rank: Real, target: AdapterTarget
) -> Real:
    """FLOP of adapters of this rank over those of frozen weights alone.

        adapter_flop_per_token(rank) / adapter_flop_per_token(0)

    Source: definition; see `adapter_flop_per_token`.
    """

    def flop(rank: Real) -> Real:
        return adapter_flop_per_token(
            architecture=architecture, sequence_length=sequence_length, rank=rank, target=target
        )

    return flop(rank) / flop(0.0)


@formula("frozen_flop_ratio", unit="ratio")
def frozen_flop_ratio(*, frozen_share: Real) -> Real:
    """FLOP of partly frozen training over full training.

        (3 - 2 * frozen_share) / 3

    Source: definition; see `frozen_flop_per_token`.
    """
    return (3.0 - 2.0 * frozen_share) / 3.0
