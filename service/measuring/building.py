"""The class of transformers that a described model is built of, and the members it is given.

Only what the class runs as it is described is built. All else is refused by name.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from service.core.model.architecture import Architecture
from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.measuring.case import AdapterCase

Members = dict[str, Any]

ATTENTION: Final = ("q_proj", "k_proj", "v_proj", "o_proj")
QUERY_VALUE: Final = ("q_proj", "v_proj")
GATED: Final = ("gate_proj", "up_proj", "down_proj")
PLAIN: Final = ("c_fc", "c_proj")
NOT_BUILT: Final = {
    "mla": "multi-head latent attention",
    "mtp_layers": "prediction of further tokens",
    "attention_layers": "a model of which not every layer has attention",
    "ffn_layers": "a model of which not every layer has a feed-forward",
    "attention_gate": "gated attention",
    "mixer": "another mixer than attention",
    "indexer": "sparse attention by an indexer",
    "bidirectional": "attention without a causal mask",
    "head_share": "a head that sees some of the positions",
    "encoder": "an encoder beside the decoder",
    "vision": "a vision tower",
    "image_share": "a share of image tokens",
}
"""Members that no class here runs, in words."""


class NotMeasured(Exception):
    """What cannot be timed here, and why"""


class Built(Struct, frozen=True, kw_only=True):
    """A configuration of transformers: its class, and what the class is given."""

    config: str
    members: Members


def built_of(transformer: Transformer, *, sequence_length: int) -> Built:
    """What a model is built of. Raises `NotMeasured`."""
    reasons = tuple(_unbuilt(transformer, sequence_length))
    if reasons:
        raise NotMeasured("; ".join(reasons))
    a = architecture_of(transformer)
    members: Members = {
        "num_hidden_layers": int(a.layers),
        "hidden_size": int(a.hidden_size),
        "intermediate_size": int(a.ffn_size or a.moe_ffn_size),
        "num_attention_heads": int(a.heads),
        "num_key_value_heads": int(a.kv_heads),
        "head_dim": int(a.head_dim),
        "vocab_size": int(a.vocab_size),
        "tie_word_embeddings": a.tied_embeddings,
        "max_position_embeddings": sequence_length,
        "use_cache": False,
    }
    if transformer.moe is not UNSET:
        return _with_experts(a, members, every=int(transformer.moe.moe_every))
    if not transformer.gated_ffn:
        bias = transformer.qkv_bias or transformer.ffn_bias
        dropout = dict.fromkeys(("residual_dropout", "embedding_dropout"), 0.0)
        plain = members | dropout | {"use_bias": bias, "sliding_window": None}
        return Built(config="Starcoder2Config", members=plain)
    if transformer.qk_norm is not UNSET:
        return Built(config="Qwen3Config", members=members)
    if transformer.qkv_bias and not transformer.out_bias:
        return Built(config="Qwen2Config", members=members)
    biases = {"attention_bias": transformer.out_bias, "mlp_bias": transformer.ffn_bias}
    return Built(config="LlamaConfig", members=members | biases)


def _unbuilt(t: Transformer, sequence_length: int) -> Iterator[str]:
    """What of the description no class here runs."""
    for member in msgspec.structs.fields(t):
        words = NOT_BUILT.get(member.name)
        if words is not None and getattr(t, member.name) != member.default:
            yield f"{words} ({member.name}) is not timed"
    windowed = t.sliding_window is not UNSET and 0 < t.sliding_window < sequence_length
    if windowed and t.sliding_window_share > 0:
        yield "windowed attention (sliding_window below the sequence) is not timed"
    if t.heads * _head_dim(t) != t.hidden_size and not t.gated_ffn:
        yield "heads that are not hidden_size wide together are timed with gated_ffn only"
    if t.moe is not UNSET and not t.gated_ffn:
        yield "experts without gates are not timed"


def _head_dim(t: Transformer) -> float:
    return t.hidden_size / t.heads if t.head_dim is UNSET else t.head_dim


def _with_experts(a: Architecture, members: Members, *, every: int) -> Built:
    """Routed experts in some layers, with shared ones or without."""
    routed = members | {
        "num_experts": int(a.experts),
        "num_experts_per_tok": int(a.experts_per_token),
        "moe_intermediate_size": int(a.moe_ffn_size),
        "mlp_only_layers": _dense_layers(a, every),
        "decoder_sparse_step": 1,
        "output_router_logits": False,
    }
    if not a.shared_experts:
        return Built(config="Qwen3MoeConfig", members=routed)
    shared = int(a.shared_experts * a.shared_ffn_size)
    return Built(
        config="Qwen2MoeConfig", members=routed | {"shared_expert_intermediate_size": shared}
    )


def _dense_layers(a: Architecture, every: int) -> list[int]:
    """Which layers have no experts: the first ones, and all but the last of each group."""
    first = int(a.first_dense_layers)
    rest = range(first, int(a.layers))
    return [*range(first), *(at for at in rest if (at - first + 1) % every)]


def adapted_modules(transformer: Transformer, adapters: AdapterCase) -> str | tuple[str, ...]:
    """The linear maps that adapters stand beside, as peft names them. Raises `NotMeasured`."""
    if transformer.moe is not UNSET:
        raise NotMeasured("adapters of a mixture of experts are not timed")
    if adapters.target == "all_linear":
        return "all-linear"
    if adapters.target == "query_value":
        return QUERY_VALUE
    if adapters.target == "attention":
        return ATTENTION
    return GATED if transformer.gated_ffn else PLAIN
