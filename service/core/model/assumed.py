"""A plausible transformer for a model of which only parameter counts are known.

The shape is an assumption and must be shown as one, because step time depends on more than the
number of parameters. The shapes follow what was published from 2023 to 2026: gated feed-forward
of 3.5 d, heads of 128, 8 key-value heads, hidden size about 128 times the layers (80 times with
experts), 8 routed experts and a shared one per token.
"""

import math

import numpy as np
from msgspec import UNSET, UnsetType

from service.core.figures.arrays import Array
from service.core.request.transformer import MixtureOfExperts, Transformer

HEAD_DIM = 128.0
KV_HEADS = 8.0
FFN_RATIO = 3.5  # feed-forward width over hidden size
HIDDEN_PER_LAYER = 128.0  # Llama 3: 128 at 8B, 102 at 70B, 130 at 405B
HIDDEN_PER_LAYER_MOE = 80.0  # 43 (Qwen3-235B) to 128 (Mixtral), DeepSeek-V3 117
EXPERTS_PER_TOKEN = 8.0
EXPERT_RATIO = 0.3  # expert width over hidden size; DeepSeek-V3 0.29, Qwen3-235B 0.375
# From 512 experts on, they are a multiple of the power of two at or below so small a part of them.
DEGREES_OF_EXPERTS = 32.0
MAX_EXPERTS = 10_000.0  # a smaller active share is not reached
# From this share of active parameters on, a model is taken to be dense.
DENSE_ACTIVE_SHARE = 0.9
# Vocabularies in use, largest first; that is taken which leaves most parameters to the layers.
VOCABULARIES = (128256.0, 50304.0, 32000.0, 8192.0, 1024.0, 256.0)
MAX_EMBEDDING_SHARE = 0.2
UNTIED_FROM_PARAMS = 4e9  # smaller models share one matrix for embedding and head


def plausible_transformer(
    *, params_total: float, params_active: float | None = None
) -> Transformer:
    """A transformer with about this many parameters.

    It is within 2% of the count from 10 million on. A mixture is within 5% of both counts if at
    least 100 million are active.
    """
    if params_active is None or params_active >= DENSE_ACTIVE_SHARE * params_total:
        return _dense(params_total)
    return _mixture(params_total, params_active)


def _dense(params: float) -> Transformer:
    per_layer = 2 + 3 * FFN_RATIO  # times d^2, key-value projections apart
    hidden = _hidden(params * HIDDEN_PER_LAYER / per_layer)
    vocab, copies = _vocabulary(params, hidden)
    attention = _attention(hidden)
    rest = max(1.0, params - copies * vocab * hidden)
    layers = max(1.0, round(rest / (attention + 3 * FFN_RATIO * hidden * hidden)))
    ffn = max(8.0, 8 * round((rest / layers - attention) / (3 * hidden) / 8))
    return _transformer(hidden, layers, vocab, copies, ffn=ffn)


def _mixture(total: float, active: float) -> Transformer:
    met = EXPERTS_PER_TOKEN + 1
    hidden = _hidden(active * HIDDEN_PER_LAYER_MOE / (2 + 3 * EXPERT_RATIO * met))
    vocab, copies = _vocabulary(active, hidden)
    attention = _attention(hidden)
    embedding = copies * vocab * hidden
    around = hidden / HIDDEN_PER_LAYER_MOE * np.linspace(0.5, 1.5, 41)
    layers = np.unique(np.maximum(1.0, np.round(around)))[:, None]
    width = (active - embedding - layers * attention) / (layers * 3 * hidden * met)
    width = np.maximum(8.0, 8 * np.round(width / 8))
    every = (total - embedding) / layers - attention - 3 * hidden * width
    wanted = np.maximum(1.0, every / (3 * hidden * width + hidden))
    step = _expert_steps(wanted)
    experts = np.clip(step * np.round(wanted / step), met, MAX_EXPERTS)
    blocks = 3 * hidden * width
    got_total = embedding + layers * (attention + (experts + 1) * blocks + hidden * experts)
    got_active = embedding + layers * (attention + met * blocks + hidden * experts)
    miss = np.abs(got_total / total - 1) + np.abs(got_active / active - 1)
    unusual = 0.02 * np.abs(np.log(width / (EXPERT_RATIO * hidden))) + 0.02 / step
    row, column = np.unravel_index(np.argmin(miss + unusual), miss.shape)
    moe = MixtureOfExperts(
        experts=float(experts[row, column]),
        experts_per_token=EXPERTS_PER_TOKEN,
        moe_ffn_size=float(width[row, 0]),
        shared_experts=1.0,
    )
    return _transformer(hidden, float(layers[row, 0]), vocab, copies, ffn=0.0, moe=moe)


def _expert_steps(experts: Array) -> Array:
    """Of what the number of experts is a multiple: many devices must be able to share them."""
    coarse = 2.0 ** np.floor(np.log2(experts / DEGREES_OF_EXPERTS))
    return np.where(coarse > 8.0, coarse, np.array([8.0, 4.0, 1.0]))


def _transformer(
    hidden: float,
    layers: float,
    vocab: float,
    copies: float,
    *,
    ffn: float,
    moe: MixtureOfExperts | UnsetType = UNSET,
) -> Transformer:
    return Transformer(
        layers=layers,
        hidden_size=hidden,
        heads=_heads(hidden),
        kv_heads=_kv_heads(hidden),
        head_dim=hidden / _heads(hidden),
        ffn_size=ffn,
        vocab_size=vocab,
        tied_embeddings=copies == 1,
        moe=moe,
    )


def _hidden(cubed: float) -> float:
    """The hidden size of about this cube, rounded to a multiple of up to 1,024."""
    near: float = cubed ** (1 / 3)
    step = min(1024.0, math.ldexp(1.0, max(3, math.floor(math.log2(max(near, 1.0))) - 2)))
    return max(step, step * float(round(near / step)))


def _heads(hidden: float) -> float:
    return max(1.0, hidden // HEAD_DIM) if hidden % HEAD_DIM == 0 else 1.0


def _kv_heads(hidden: float) -> float:
    return float(math.gcd(int(_heads(hidden)), int(KV_HEADS)))


def _attention(hidden: float) -> float:
    head_dim = hidden / _heads(hidden)
    return 2 * hidden * hidden + 2 * hidden * _kv_heads(hidden) * head_dim


def _vocabulary(params: float, hidden: float) -> tuple[float, float]:
    """The size of the vocabulary, and how many matrices of that size there are."""
    copies = 2.0 if params >= UNTIED_FROM_PARAMS else 1.0
    for vocab in VOCABULARIES:
        if copies * vocab * hidden <= MAX_EMBEDDING_SHARE * params:
            return vocab, copies
    return VOCABULARIES[-1], copies
