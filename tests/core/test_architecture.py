"""Is a transformer counted right, and are causal and full attention kept apart?"""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.model.architecture import Architecture
from service.core.model.assumed import plausible_transformer
from service.core.model.flop import (
    forward_flop_per_token_causal,
    forward_flop_per_token_full_attention,
    train_flop_per_token_causal,
    train_flop_per_token_full_attention,
)
from service.core.model.parameters import (
    layer_params,
    params_active,
    params_embedding,
    params_mtp,
    params_total,
)
from service.core.model.shape import architecture_of
from service.core.request.transformer import (
    LatentAttention,
    MixtureOfExperts,
    Transformer,
    contradictions,
)

approx = pytest.approx
MODELS = Path(__file__).parents[2] / "service" / "data" / "models"

LLAMA_8B = Transformer(
    layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn_size=14336, vocab_size=128256
)
GPT3_175B = Transformer(
    layers=96,
    hidden_size=12288,
    heads=96,
    ffn_size=49152,
    gated_ffn=False,
    vocab_size=50257,
    tied_embeddings=True,
    norm="layernorm",
    qkv_bias=True,
    out_bias=True,
    ffn_bias=True,
    learned_positions=2048,
)
DEEPSEEK_V3 = Transformer(
    layers=61,
    hidden_size=7168,
    heads=128,
    ffn_size=18432,
    vocab_size=129280,
    moe=MixtureOfExperts(
        experts=256,
        experts_per_token=8,
        moe_ffn_size=2048,
        shared_experts=1,
        first_dense_layers=3,
        router_bias=True,
    ),
    mla=LatentAttention(
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
    ),
)


def presets() -> list[dict[str, Any]]:
    files = sorted(MODELS.glob("*.toml"))
    return [preset for file in files for preset in tomllib.loads(file.read_text())["model"]]


PRESETS = presets()


@pytest.mark.parametrize("preset", PRESETS, ids=[preset["id"] for preset in PRESETS])
def test_every_preset_has_the_parameters_that_its_fields_give(preset: dict[str, Any]) -> None:
    transformer = msgspec.convert(preset["architecture"], Transformer)
    assert contradictions(transformer) == ()
    architecture = architecture_of(transformer)
    assert params_total(architecture=architecture) == preset["params_total"]
    active = preset.get("params_active", preset["params_total"])
    assert params_active(architecture=architecture) == active
    assert params_embedding(architecture=architecture) == preset["params_embedding"]


def test_llama_8b_by_hand() -> None:
    attention = 2 * 4096 * 4096 + 2 * 4096 * 1024
    layer = attention + 3 * 4096 * 14336 + 2 * 4096
    total = 32 * layer + 2 * 128256 * 4096 + 4096
    assert total == 8_030_261_248
    assert params_total(architecture=architecture_of(LLAMA_8B)) == total


def test_a_layer_of_deepseek_v3_by_hand() -> None:
    layer = layer_params(architecture=architecture_of(DEEPSEEK_V3))
    query = 7168 * 1536 + 1536 + 1536 * 128 * 192
    key_value = 7168 * (512 + 64) + 512 + 512 * 128 * 256
    assert layer.attention == query + key_value + 128 * 128 * 7168
    assert layer.expert == 3 * 7168 * 2048
    assert layer.router == 7168 * 256 + 256


def test_multi_token_prediction_adds_the_14_billion_that_deepseek_v3_states() -> None:
    with_mtp = msgspec.structs.replace(DEEPSEEK_V3, mtp_layers=1)
    assert params_mtp(architecture=architecture_of(with_mtp)) == approx(14e9 - 2.5e9, rel=0.05)
    assert params_mtp(architecture=architecture_of(DEEPSEEK_V3)) == 0
    assert params_total(architecture=architecture_of(with_mtp)) == params_total(
        architecture=architecture_of(DEEPSEEK_V3)
    )


def test_gpt3_flop_agree_with_the_published_formula() -> None:
    """Narayanan et al. 2021, equation 3 without recompute: 72 s l h^2 (1 + s/6h + V/12lh)."""
    layers, hidden, vocab, seq = 96, 12288, 50257, 2048
    published = 72 * layers * hidden**2 * (1 + seq / (6 * hidden) + vocab / (12 * layers * hidden))
    ours = train_flop_per_token_full_attention(
        architecture=architecture_of(GPT3_175B), sequence_length=seq
    )
    assert ours == approx(published, rel=1e-12)


def test_llama_8b_flop_by_hand() -> None:
    matrices = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336) + 128256 * 4096
    attention_causal = 32 * 2 * 2 * (8192 / 2) * 4096
    ours = train_flop_per_token_causal(architecture=architecture_of(LLAMA_8B), sequence_length=8192)
    assert ours == approx(3 * (2 * matrices + attention_causal), rel=1e-12)


def test_deepseek_v3_needs_the_250_gflop_per_token_that_it_states() -> None:
    """Its makers count 250 GFLOP per token at 4,096 tokens (arXiv 2505.09343, table 2)."""
    flop = train_flop_per_token_causal(
        architecture=architecture_of(DEEPSEEK_V3), sequence_length=4096
    )
    assert flop == approx(250e9, rel=0.01)


def test_flop_come_with_their_parts_and_backward_is_twice_forward() -> None:
    forward = forward_flop_per_token_causal(
        architecture=architecture_of(DEEPSEEK_V3), sequence_length=4096
    )
    assert forward.total == sum(forward)
    assert forward.mtp == 0
    whole = train_flop_per_token_causal(
        architecture=architecture_of(DEEPSEEK_V3), sequence_length=4096
    )
    assert 3 * forward.total == approx(whole, rel=1e-12)


def test_a_window_as_long_as_the_sequence_changes_nothing() -> None:
    windowed = msgspec.structs.replace(LLAMA_8B, sliding_window=4096)
    for flop in (train_flop_per_token_causal, train_flop_per_token_full_attention):
        without = flop(architecture=architecture_of(LLAMA_8B), sequence_length=4096)
        assert flop(architecture=architecture_of(windowed), sequence_length=4096) == without


def test_a_window_of_half_the_sequence_saves_a_quarter_of_causal_attention() -> None:
    windowed = msgspec.structs.replace(LLAMA_8B, sliding_window=4096, sliding_window_share=0.5)
    seen = forward_flop_per_token_causal(
        architecture=architecture_of(windowed), sequence_length=8192
    )
    whole = forward_flop_per_token_causal(
        architecture=architecture_of(LLAMA_8B), sequence_length=8192
    )
    assert seen.attention_core == approx(whole.attention_core * (1 + 3 / 4) / 2)


lengths = st.integers(1, 1_000_000)
transformers = st.builds(
    Transformer,
    layers=st.integers(1, 200),
    hidden_size=st.integers(1, 256).map(lambda n: 128 * n),
    heads=st.just(1),
    head_dim=st.integers(1, 512),
    vocab_size=st.integers(1, 300_000),
    sliding_window=st.just(msgspec.UNSET) | st.integers(0, 100_000),
    sliding_window_share=st.floats(0, 1),
    mtp_layers=st.integers(0, 2),
    gated_ffn=st.booleans(),
    moe=st.just(msgspec.UNSET)
    | st.builds(
        MixtureOfExperts,
        experts=st.integers(8, 512),
        experts_per_token=st.integers(1, 8),
        moe_ffn_size=st.integers(1, 20_000),
        shared_experts=st.integers(0, 2),
        moe_every=st.integers(1, 3),
    ),
)


@settings(max_examples=50)
@given(transformer=transformers, sequence=lengths)
def test_full_attention_is_counted_at_least_as_causal_and_at_most_twice(
    transformer: Transformer, sequence: int
) -> None:
    architecture = architecture_of(transformer)
    causal = forward_flop_per_token_causal(architecture=architecture, sequence_length=sequence)
    full = forward_flop_per_token_full_attention(
        architecture=architecture, sequence_length=sequence
    )
    assert causal.attention_core <= full.attention_core <= 2.000001 * causal.attention_core
    assert causal._replace(attention_core=0, mtp=0) == full._replace(attention_core=0, mtp=0)


@settings(max_examples=50)
@given(transformer=transformers)
def test_active_parameters_never_exceed_all_of_them(transformer: Transformer) -> None:
    architecture = architecture_of(transformer)
    assert 0 < params_active(architecture=architecture) <= params_total(architecture=architecture)


@settings(max_examples=50)
@given(transformer=transformers, sequence=lengths)
def test_flop_are_at_least_six_per_active_parameter_outside_the_embedding(
    transformer: Transformer, sequence: int
) -> None:
    architecture: Architecture = architecture_of(transformer)
    matrices = params_active(architecture=architecture) - params_embedding(
        architecture=architecture
    )
    flop = train_flop_per_token_causal(architecture=architecture, sequence_length=sequence)
    norms = architecture.hidden_size * (2 * architecture.layers + 1)
    assert flop >= 6 * (matrices - norms) * (1 - 1e-9)


def test_whole_numbers_may_be_written_as_floats_and_others_are_refused() -> None:
    text = b'{"layers": 3.2e1, "hidden_size": 4096.0, "heads": 32, "vocab_size": 1e5}'
    assert msgspec.json.decode(text, type=Transformer).layers == 32
    for wrong in (b"32.5", b"0", b"1e9", b"true", b'"32"'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(text.replace(b"3.2e1", wrong), type=Transformer)


def routed(*, expert_groups: float = 1.0, groups_per_token: float = 1.0) -> MixtureOfExperts:
    """Eight experts, of which a token needs four."""
    return MixtureOfExperts(
        experts=8,
        experts_per_token=4,
        moe_ffn_size=64,
        expert_groups=expert_groups,
        groups_per_token=groups_per_token,
    )


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"kv_heads": 5}, "kv_heads"),
        ({"kv_heads": 64}, "kv_heads"),
        ({"heads": 33, "kv_heads": msgspec.UNSET}, "heads"),
        ({"attention": "mla"}, "mla"),
        ({"mla": DEEPSEEK_V3.mla, "attention": "gqa"}, "attention"),
        ({"ffn_size": 0}, "ffn_size"),
        (
            {"moe": MixtureOfExperts(experts=2, experts_per_token=4, moe_ffn_size=64)},
            "moe/experts_per_token",
        ),
        ({"moe": routed(expert_groups=3)}, "moe/expert_groups"),
        ({"moe": routed(groups_per_token=2)}, "moe/groups_per_token"),
        ({"moe": routed(expert_groups=4)}, "moe/groups_per_token"),
    ],
)
def test_a_description_that_contradicts_itself_is_told_where(
    changes: dict[str, Any], member: str
) -> None:
    found = contradictions(msgspec.structs.replace(LLAMA_8B, **changes))
    assert member in [where for where, _ in found]


def test_eight_billion_parameters_look_like_llama() -> None:
    assert plausible_transformer(params_total=8.03e9) == Transformer(
        layers=32,
        hidden_size=4096,
        heads=32,
        kv_heads=8,
        head_dim=128,
        ffn_size=14336,
        vocab_size=128256,
    )


@settings(max_examples=100)
@given(total=st.floats(1e7, 1e14))
def test_an_assumed_dense_model_has_its_parameters(total: float) -> None:
    transformer = plausible_transformer(params_total=total)
    assert contradictions(transformer) == ()
    architecture = architecture_of(transformer)
    assert params_total(architecture=architecture) == approx(total, rel=0.02)
    msgspec.convert(msgspec.to_builtins(transformer), Transformer)


@settings(max_examples=100)
@given(active=st.floats(1e8, 1e12), share=st.floats(0.02, 0.8))
def test_an_assumed_mixture_has_its_parameters_and_its_active_ones(
    active: float, share: float
) -> None:
    total = active / share
    transformer = plausible_transformer(params_total=total, params_active=active)
    assert contradictions(transformer) == ()
    architecture = architecture_of(transformer)
    assert params_total(architecture=architecture) == approx(total, rel=0.05)
    assert params_active(architecture=architecture) == approx(active, rel=0.05)
    msgspec.convert(msgspec.to_builtins(transformer), Transformer)
