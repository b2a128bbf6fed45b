"""What mixes the tokens of a sequence: attention of every kind, and the mixers beside it.

A layer of attention may see all tokens before its own, all of the sequence, those of a window, or
those that an indexer selects. A layer of a hybrid may have a state-space or a linear-attention
mixer in its place. An encoder-decoder sends some tokens through each of its two stacks.

Symbols: d hidden_size, H heads, h head_dim, v v_head_dim, K kv_heads, s sequence_length.
"""

from service.core.figures.arrays import Real, minimum
from service.core.model.architecture import Architecture


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


def attention_core_flop_per_token(*, architecture: Architecture, keys: Real) -> Real:
    """FLOP per token and layer of scores and weighted values, forward: 2 keys H (h + v)."""
    return 2 * keys * architecture.heads * (architecture.head_dim + architecture.v_head_dim)


def core_flop_per_token(
    *, architecture: Architecture, sequence_length: Real, window: float = 0.0, square: bool = False
) -> Real:
    """FLOP per token of what attention does in one layer that has it, forward.

        2 keys H (h + v), and 2 keys of an indexer's scores where it selects what is seen

    With `square`, the causal mask is not counted.
    """
    a = architecture
    if a.encoder_layers:
        return _core_of_two_stacks(a, sequence_length, square=square)
    keys_of = mean_keys_full if square or a.bidirectional else mean_keys_causal
    keys = keys_of(sequence_length=sequence_length, window=window)
    if not a.indexed_keys:
        return attention_core_flop_per_token(architecture=a, keys=keys)
    seen = keys_of(sequence_length=sequence_length, window=a.indexed_keys)
    core = attention_core_flop_per_token(architecture=a, keys=minimum(keys, seen))
    return core + keys * a.indexer_flop_per_key


def _core_of_two_stacks(a: Architecture, sequence_length: Real, *, square: bool) -> Real:
    """FLOP of attention in a mean layer: encoder, decoder, and across from one to the other."""
    inputs, targets = a.input_share * sequence_length, (1 - a.input_share) * sequence_length
    decoder_layers = a.layers - a.encoder_layers
    own = targets if square else targets / 2

    def core(keys: Real) -> Real:
        return attention_core_flop_per_token(architecture=a, keys=keys)

    encoding = a.encoder_layers * a.input_share * core(inputs)
    decoding = decoder_layers * (1 - a.input_share) * (core(own) + core(inputs))
    return (encoding + decoding) / a.layers


def projection_flop_per_token(*, architecture: Architecture) -> Real:
    """FLOP per token of attention's projections in a mean layer, forward.

    Cross-attention makes its queries and outputs of the targets, its keys and values of the inputs.
    """
    a = architecture
    own = 2 * (matrix_params_attention(a) - a.q_lora_rank - a.kv_lora_rank)
    own = a.attention_share * a.passes * own
    if a.indexed_keys:
        own = own + 2 * a.indexer_params
    if not a.encoder_layers:
        return own
    share = (a.layers - a.encoder_layers) / a.layers
    inner, shared = 2 * a.heads * a.head_dim, 2 * a.kv_heads * a.head_dim
    across = 2 * a.hidden_size * (inner * (1 - a.input_share) + shared * a.input_share)
    return own + share * across


def mixer_flop_per_token(*, architecture: Architecture) -> Real:
    """FLOP per token of mixers other than attention in a mean layer, forward.

        2 matrices + 7 inner width * state size

    Source: the counter of Megatron-LM (megatron/training/training.py, mamba_layer_flops).
    """
    a = architecture
    return a.mixer_share * (2 * a.mixer_matrix_params + a.mixer_scan_flop)


def matrix_params_attention(a: Architecture) -> float:
    """Parameters of a layer's attention without biases, with the norms inside MLA."""
    d, heads = a.hidden_size, a.heads
    if not a.latent:
        gate = d * heads * a.head_dim if a.attention_gate else 0.0
        return 2 * d * heads * a.head_dim + 2 * d * a.kv_heads * a.head_dim + gate
    q, c = a.q_lora_rank, a.kv_lora_rank
    query = d * q + q + q * heads * a.head_dim if q else d * heads * a.head_dim
    key_value = d * (c + a.qk_rope_head_dim) + c + c * heads * (a.qk_nope_head_dim + a.v_head_dim)
    return query + key_value + heads * a.v_head_dim * d
