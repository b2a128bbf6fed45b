"""Adapters and frozen parts: published counts and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.model.adapters import (
    adapter_flop_per_token,
    adapters,
    frozen_flop_per_token,
    largest_rank,
    trained_share_of_adapters,
)
from service.core.model.flop import forward_flop_per_token_causal, train_flop_per_token_causal
from service.core.model.shape import architecture_of
from service.core.request.transformer import MixtureOfExperts, Transformer

LLAMA_2_70B = architecture_of(
    Transformer(layers=80, hidden_size=8192, heads=64, kv_heads=8, ffn_size=28672, vocab_size=32000)
)
LLAMA_2_7B = architecture_of(
    Transformer(layers=32, hidden_size=4096, heads=32, ffn_size=11008, vocab_size=32000)
)
MIXTURE = architecture_of(
    Transformer(
        layers=8,
        hidden_size=1024,
        heads=8,
        vocab_size=32000,
        ffn_size=4096,
        moe=MixtureOfExperts(
            experts=16,
            experts_per_token=2,
            moe_ffn_size=512,
            shared_experts=1,
            first_dense_layers=1,
        ),
    )
)
MODELS = st.sampled_from([LLAMA_2_7B, LLAMA_2_70B, MIXTURE])
TARGETS = st.sampled_from(["attention", "query_value", "mlp", "all_linear"])
ranks = st.floats(1.0, 1e5)
lengths = st.sampled_from([128.0, 4_096.0, 1_048_576.0])


def test_rank_8_on_queries_and_values_of_llama_7b_trains_four_million_parameters():
    """32 layers * 2 matrices * 8 * (4096 + 4096), the 4.2M of the usual examples."""
    added = adapters(architecture=LLAMA_2_7B, rank=8.0, target="query_value")
    assert added.params == 32 * 2 * 8 * (4_096 + 4_096) == 4_194_304


def test_rank_16_on_the_attention_of_llama_70b_trains_its_four_maps():
    per_layer = (8_192 + 8_192) * 2 + (8_192 + 1_024) * 2
    added = adapters(architecture=LLAMA_2_70B, rank=16.0, target="attention")
    assert added.params == 80 * 16 * per_layer


def test_lora_needs_two_thirds_of_the_flop_of_full_training_and_its_attention():
    forward = forward_flop_per_token_causal(architecture=LLAMA_2_7B, sequence_length=4_096.0)
    lora = adapter_flop_per_token(
        architecture=LLAMA_2_7B, sequence_length=4_096.0, rank=1e-9, target="query_value"
    )
    assert lora == pytest.approx(2 * forward.total + forward.attention_core)
    assert 0.66 < lora / (3 * forward.total) < 0.70


@given(model=MODELS, target=TARGETS, rank=ranks, length=lengths)
def test_adapters_never_need_more_flop_than_full_training(model, target, rank, length):
    lora = adapter_flop_per_token(
        architecture=model, sequence_length=length, rank=rank, target=target
    )
    assert lora <= train_flop_per_token_causal(architecture=model, sequence_length=length) * (
        1 + 1e-12
    )


@given(model=MODELS, target=TARGETS, low=ranks, high=ranks)
def test_a_higher_rank_trains_no_fewer_parameters_and_never_more_than_a_third(
    model, target, low, high
):
    low, high = sorted((low, high))
    few, many = (
        trained_share_of_adapters(architecture=model, rank=rank, target=target)
        for rank in (low, high)
    )
    assert 0.0 < few <= many <= 1 / 3


@given(model=MODELS, length=lengths, share=st.floats(0.0, 1.0))
def test_frozen_layers_cost_between_a_third_and_the_whole(model, length, share):
    whole = train_flop_per_token_causal(architecture=model, sequence_length=length)
    some = frozen_flop_per_token(architecture=model, sequence_length=length, frozen_share=share)
    assert whole / 3 <= some * (1 + 1e-12)
    assert some <= whole * (1 + 1e-12)


@given(model=MODELS, target=TARGETS)
def test_below_the_largest_rank_adapters_grow_with_their_rank(model, target):
    rank = largest_rank(architecture=model, target=target)
    half, whole = (
        adapters(architecture=model, rank=r, target=target).params for r in (rank / 2, rank)
    )
    assert whole == pytest.approx(2 * half)


def test_an_adapter_stands_beside_every_matrix_of_a_mixture_and_a_token_meets_its_own_experts():
    """One dense layer; seven of 16 experts of 512 and a shared one, of which a token meets two."""
    rank = 4.0
    dense, of_expert = 3 * (1_024 + 4_096), 3 * (1_024 + 512)
    added = adapters(architecture=MIXTURE, rank=rank, target="mlp")
    assert added.params == rank * (dense + 7 * (16 + 1) * of_expert)
    assert added.flop_per_token == 2 * rank * (dense + 7 * (2 + 1) * of_expert)


def test_all_linear_layers_are_those_of_attention_and_of_the_feed_forward():
    for model in (LLAMA_2_70B, MIXTURE):
        whole, *parts = (
            adapters(architecture=model, rank=8.0, target=target).params
            for target in ("all_linear", "attention", "mlp")
        )
        assert whole == sum(parts)


def test_trained_flop_of_adapters_are_those_of_their_own_three_passes():
    length = 4_096.0
    without, having = (
        adapter_flop_per_token(
            architecture=MIXTURE, sequence_length=length, rank=rank, target="mlp"
        )
        for rank in (0.0, 4.0)
    )
    added = adapters(architecture=MIXTURE, rank=4.0, target="mlp").flop_per_token
    assert having - without == pytest.approx(3 * added)


def test_from_the_largest_rank_on_an_adapter_is_a_third_of_its_matrix():
    """Of maps from 4,096 to 4,096 that is rank 4,096 / 2 / 3."""
    most = largest_rank(architecture=LLAMA_2_7B, target="attention")
    assert most == pytest.approx(4_096 / 2 / 3)
    at, beyond = (
        adapters(architecture=LLAMA_2_7B, rank=rank, target="attention").params
        for rank in (most, 2 * most)
    )
    assert at == pytest.approx(beyond) == pytest.approx(32 * 4 * 4_096 * 4_096 / 3)
