"""Bytes of a device by what holds them, worked by hand on small models."""

from typing import Any

import pytest
from msgspec.structs import replace as replaced

from service.core.model.shape import architecture_of
from service.core.request.transformer import LatentAttention, MixtureOfExperts, Transformer
from service.core.training.formats import FORMAT_BYTES, OPTIMIZER_BYTES, STACK_BYTES, MemoryRecipe
from service.core.training.memory import (
    ActivationBytes,
    DeviceMemory,
    activation_bytes_per_token_layer,
    bytes_per_device,
    memory_per_device,
)
from service.core.training.parallelism import Layout

approx = pytest.approx
DENSE = Transformer(
    layers=6, hidden_size=512, heads=8, kv_heads=2, ffn_size=1024, vocab_size=1000, norm="rms"
)
MIXTURE = replaced(
    DENSE,
    moe=MixtureOfExperts(
        experts=16, experts_per_token=2, moe_ffn_size=256, shared_experts=1, first_dense_layers=2
    ),
)
LATENT = replaced(
    DENSE,
    kv_heads=8,
    mla=LatentAttention(
        q_lora_rank=96, kv_lora_rank=64, qk_nope_head_dim=48, qk_rope_head_dim=16, v_head_dim=32
    ),
)
SEQUENCE = 128.0
QUERIES_AND_OUTPUT, KEYS_AND_VALUES = 2 * 512 * 512, 2 * 512 * 2 * 64
NORMS = 2 * 512
FEED_FORWARD = 3 * 512 * 1024
EXPERT = SHARED = 3 * 512 * 256
ROUTER = 512 * 16
VOCABULARY = 512 * 1000
LAYER = QUERIES_AND_OUTPUT + KEYS_AND_VALUES + NORMS + FEED_FORWARD


def held(transformer: Transformer, *, global_batch: float = 64.0, **given: Any) -> DeviceMemory:
    """The memory of a layout whose members are given, beside those of the recipe."""
    recipe = {name: given.pop(name) for name in MemoryRecipe._fields if name in given}
    return memory_per_device(
        architecture=architecture_of(transformer),
        layout=Layout(**given),
        sequence_length=SEQUENCE,
        global_batch=global_batch,
        recipe=MemoryRecipe(**recipe),
    )


def kept(transformer: Transformer, *, precision: Any = "bf16", **layout: float) -> ActivationBytes:
    return activation_bytes_per_token_layer(
        architecture=architecture_of(transformer),
        layout=Layout(**layout),
        format_bytes=FORMAT_BYTES[precision],
    )


def test_tensor_parallelism_repeats_norms_and_the_keys_that_there_are_too_few_of():
    """Two key-value heads are on each of eight ranks a half, not an eighth."""
    layer = (QUERIES_AND_OUTPUT + FEED_FORWARD) / 8 + KEYS_AND_VALUES / 2 + NORMS
    memory = held(DENSE, tensor_parallel=8.0)
    assert memory.weights == approx(2 * (6 * layer + 2 * VOCABULARY / 8))
    assert memory.gradients == approx(2 * memory.weights)


def test_every_rank_keeps_the_down_projections_of_latent_attention_whole():
    down = 512 * 96 + 96 + 512 * (64 + 16) + 64
    up = 96 * 8 * 64 + 64 * 8 * (48 + 32) + 8 * 32 * 512
    layer = down + (up + FEED_FORWARD) / 4 + NORMS
    memory = held(LATENT, tensor_parallel=4.0)
    assert memory.weights == approx(2 * (6 * layer + 2 * VOCABULARY / 4))


def test_a_device_holds_its_share_of_the_experts_and_all_of_the_router():
    """Two dense layers and four of 16 experts, of which each of four ranks owns four."""
    attention = (QUERIES_AND_OUTPUT + KEYS_AND_VALUES) / 2 + NORMS
    dense, shared = 2 * FEED_FORWARD / 2, 4 * (SHARED / 2 + ROUTER)
    experts = 4 * 16 / 4 * EXPERT
    memory = held(MIXTURE, tensor_parallel=2.0, data_parallel=8.0, expert_parallel=4.0)
    common = 6 * attention + dense + shared + 2 * VOCABULARY / 2
    assert memory.weights == approx(2 * (common + experts))
    assert memory.optimizer_states == approx(12 * (common / 8 + experts / (2 * 8 / 4)))


def test_experts_may_be_split_over_tensor_parallel_ranks_too():
    layout = {"tensor_parallel": 2.0, "data_parallel": 8.0, "expert_parallel": 4.0}
    whole, split = (held(MIXTURE, **layout, expert_tensor_parallel=n).weights for n in (1.0, 2.0))
    assert whole - split == approx(2 * 4 * 16 / 4 * EXPERT / 2)


def test_states_are_sharded_over_fewer_ranks_where_a_layout_says_so():
    of_all, of_four = (
        held(DENSE, data_parallel=16.0, shard_ranks=ranks).optimizer_states for ranks in (0.0, 4.0)
    )
    parameters = 6 * LAYER + 2 * VOCABULARY
    assert of_all == approx(12 * parameters / 16)
    assert of_four == approx(12 * parameters / 4)


def test_the_first_of_two_stages_has_the_dense_layers_and_the_embedding():
    """Three layers: two dense, and one with experts; the last stage has three with experts."""
    memory = held(MIXTURE, pipeline_parallel=2.0)
    attention = QUERIES_AND_OUTPUT + KEYS_AND_VALUES + NORMS
    first = 3 * attention + 2 * FEED_FORWARD + SHARED + ROUTER + 16 * EXPERT + VOCABULARY
    last = 3 * attention + 3 * (SHARED + ROUTER + 16 * EXPERT) + VOCABULARY
    assert 2 * first < 2 * last == approx(memory.weights)
    assert memory.logits > 0


def test_the_second_of_three_stages_is_counted_like_the_first_without_its_dense_layers():
    memory = held(MIXTURE, pipeline_parallel=3.0, micro_batch=8.0, global_batch=1024.0)
    attention = QUERIES_AND_OUTPUT + KEYS_AND_VALUES + NORMS
    stage = 2 * attention + 2 * (SHARED + ROUTER + 16 * EXPERT) + VOCABULARY
    assert memory.weights == approx(2 * stage)


def test_a_tied_head_has_no_copy_beside_its_embedding_but_one_on_a_stage_of_its_own():
    tied = replaced(DENSE, tied_embeddings=True)
    assert held(DENSE).weights - held(tied).weights == approx(2 * VOCABULARY)
    staged = {"pipeline_parallel": 2.0}
    assert held(DENSE, **staged).weights == held(tied, **staged).weights


def test_learned_positions_stand_beside_the_embedding():
    learned = replaced(DENSE, learned_positions=2048)
    assert held(learned).weights - held(DENSE).weights == 2 * 2048 * 512


@pytest.mark.parametrize(
    ("transformer", "feed_forward"),
    [(DENSE, FEED_FORWARD), (MIXTURE, 16 * EXPERT + SHARED + ROUTER)],
)
def test_multi_token_prediction_has_a_layer_a_map_of_two_states_and_its_own_activations(
    transformer, feed_forward
):
    more = replaced(transformer, mtp_layers=1)
    without, having = held(transformer), held(more)
    module = LAYER - FEED_FORWARD + feed_forward + 2 * 512 * 512 + 3 * 512
    assert having.weights - without.weights == approx(2 * module)
    assert having.logits == 2 * without.logits
    per_token = kept(transformer).kept
    assert having.activations - without.activations == approx(SEQUENCE * per_token)


def test_a_llama_layer_keeps_what_its_products_and_norms_need():
    """Two norm inputs and two product inputs, queries, keys, values, output, gate, up and act."""
    residual = (2 + 2) * 2 * 512
    attention = 2 * (8 * 64 + 2 * 2 * 64 + 8 * 64)
    feed_forward = 2 * (2 * 1024 + 1024)
    assert kept(DENSE).kept == residual + attention + feed_forward
    narrow = residual / 4 + 2 * (8 * 64 + 8 * 64) / 4 + 2 * 2 * 2 * 64 / 2 + feed_forward / 4
    assert kept(DENSE, tensor_parallel=4.0).kept == approx(narrow)


def test_a_mixture_keeps_what_it_dispatches_and_what_the_experts_of_a_token_need():
    """Four of six layers have experts; routing keeps 8 bytes for each of 16 experts."""
    difference = (4 / 6) * (2 * 3 * (2 * 256 + 256) - 2 * 3 * 1024 + 2 * 2 * 512 + 8 * 16)
    assert kept(MIXTURE).kept - kept(DENSE).kept == approx(difference)


def test_a_layer_of_latent_attention_keeps_its_latent_vectors_too():
    latent = 2 * 2 * (96 + 64) + 2 * 16
    residual = (2 + 2) * 2 * 512
    attention = 2 * (8 * 64 + 8 * (64 + 32) + 8 * 32)
    feed_forward = 2 * 3 * 1024
    assert kept(LATENT).kept == residual + latent + attention + feed_forward


def test_8_bits_keep_quantised_inputs_of_products_and_of_the_output_map():
    residual = (2 * 2 + 2 * 1) * 512
    attention = 2 * (8 * 64 + 2 * 2 * 64) + (2 + 1) * 8 * 64
    feed_forward = 2 * 2 * 1024 + 1 * 1024
    assert kept(DENSE, precision="fp8").kept == residual + attention + feed_forward


def test_selective_recompute_drops_normed_inputs_and_activations_and_what_latents_project_to():
    dropped = 2 * 2 * 512 + 2 * 1024
    for transformer, more in ((DENSE, 0), (LATENT, 2 * (8 * 64 + 8 * (64 + 32)))):
        none, selective = (kept(transformer, recompute=code) for code in (0.0, 1.0))
        assert none.kept - selective.kept == dropped + more
        assert none.working == selective.working == none.kept


def test_full_recompute_keeps_the_inputs_of_as_many_layers_as_it_applies_to():
    whole = kept(DENSE).kept
    assert kept(DENSE, recompute=2.0).kept == 2 * 512
    assert kept(DENSE, recompute=2.0, tensor_parallel=4.0).kept == 2 * 512 / 4
    some = kept(DENSE, recompute=2.0, recompute_share=0.25).kept
    assert some == approx(0.25 * 2 * 512 + 0.75 * whole)
    assert kept(DENSE, offload_share=0.3).kept == approx(0.7 * whole)


def test_activations_are_those_of_the_micro_batches_in_flight_and_of_the_layer_at_work():
    memory = held(DENSE, pipeline_parallel=3.0, context_parallel=2.0, micro_batch=2.0)
    tokens, stages, layers = 2 * SEQUENCE / 2, 3, 2
    assert memory.activations == approx(tokens * kept(DENSE).kept * (stages * layers + 1))


def test_before_flash_attention_scores_are_kept_in_five_bytes():
    scores = 5 * 8 * SEQUENCE
    old, new = (held(DENSE, stack=STACK_BYTES[name]) for name in ("megatron_2021", "megatron_core"))
    assert old.activations - new.activations == approx(SEQUENCE * scores * (6 + 1))


@pytest.mark.parametrize(
    ("layout", "elements"),
    [
        ({}, 0),
        ({"tensor_parallel": 2.0}, 512),
        ({"pipeline_parallel": 2.0}, 2 * 512),
        ({"tensor_parallel": 4.0, "pipeline_parallel": 2.0}, 512 + 2 * 512 / 4),
        (
            {"tensor_parallel": 4.0, "pipeline_parallel": 2.0, "sequence_parallel": 0.0},
            512 + 2 * 512,
        ),
        ({"context_parallel": 2.0}, 2 * 2 * 2 * 64 / 2),
        ({"context_parallel": 2.0, "tensor_parallel": 2.0}, (512 + 2 * 2 * 2 * 64 / 2) / 2),
        ({"expert_parallel": 4.0, "data_parallel": 4.0}, 2 * 2 * 512),
        (
            {"expert_parallel": 4.0, "data_parallel": 4.0, "tensor_parallel": 2.0},
            512 + 2 * 2 * 512 / 2,
        ),
    ],
)
def test_each_kind_of_parallelism_has_its_buffers(layout, elements):
    """In 16 bits, for the tokens of a micro-batch on the device."""
    assert held(MIXTURE, **layout).buffers == approx(2 * SEQUENCE * elements)


def test_sharded_weights_are_gathered_two_layers_at_a_time_and_gradients_reduced_behind_them():
    """What is not on the device itself: three quarters of four ranks' weights."""
    memory = held(DENSE, data_parallel=4.0, zero_stage=3.0)
    weights = 2 * (2 * LAYER + 2 * VOCABULARY)
    gradients = 2 * (LAYER + 2 * VOCABULARY)
    assert memory.buffers == approx(3 / 4 * (weights + gradients))
    assert memory.weights == approx(2 * (6 * LAYER + 2 * VOCABULARY) / 4)
    second = held(DENSE, data_parallel=4.0, zero_stage=2.0)
    assert second.buffers == approx(3 / 4 * gradients)
    assert second.gradients == approx(4 * (6 * LAYER + 2 * VOCABULARY) / 4)


def test_xla_gathers_half_a_layer_and_keeps_sharded_weights_once_in_fp32():
    memory = held(DENSE, data_parallel=4.0, zero_stage=3.0, stack=STACK_BYTES["xla"])
    assert memory.weights == 0.0
    half = 3 / 4 * 2 * (LAYER + 2 * VOCABULARY) / 2
    assert memory.buffers == approx(half + half)


def test_experts_are_gathered_over_their_own_replicas():
    """Of sixteen experts a rank owns four; its two replicas share their weights."""
    memory = held(MIXTURE, data_parallel=8.0, expert_parallel=4.0, zero_stage=3.0)
    attention = QUERIES_AND_OUTPUT + KEYS_AND_VALUES + NORMS
    common = attention + (2 * FEED_FORWARD + 4 * (SHARED + ROUTER)) / 6
    owned = 4 / 6 * 16 / 4 * EXPERT
    layer = 7 / 8 * common + 1 / 2 * owned
    vocabulary = 7 / 8 * 2 * VOCABULARY
    exchange = 2 * SEQUENCE * 2 * 2 * 512
    assert memory.buffers == approx(
        exchange + 2 * (2 * layer + vocabulary) + 2 * (layer + vocabulary)
    )


def test_frozen_weights_have_neither_gradients_nor_states_and_may_be_narrow():
    parameters = 6 * LAYER + 2 * VOCABULARY
    memory = held(DENSE, trained_share=0.01, weight_bytes=0.5)
    assert memory.weights == approx(0.5 * 6 * LAYER + 2 * 2 * VOCABULARY)  # 16 bits at both ends
    assert memory.gradients == approx(0.01 * 4 * parameters)
    assert memory.optimizer_states == approx(0.01 * 12 * parameters)


@pytest.mark.parametrize(
    ("recipe", "weight", "states"),
    [
        ({}, 2, 4 + 8),
        ({"precision": "fp32"}, 4, 8),
        ({"optimizer": OPTIMIZER_BYTES["adamw_bf16_states"]}, 2, 4 + 4),
        ({"optimizer": OPTIMIZER_BYTES["adamw_8bit"]}, 2, 4 + 2),
        ({"optimizer": OPTIMIZER_BYTES["adafactor"]}, 2, 4 + 0.1),
        ({"optimizer": OPTIMIZER_BYTES["muon"]}, 2, 4 + 4),
        ({"optimizer": OPTIMIZER_BYTES["sgd_momentum"]}, 2, 4 + 4),
    ],
)
def test_weights_and_states_take_the_bytes_of_their_formats(recipe, weight, states):
    parameters = 6 * LAYER + 2 * VOCABULARY
    memory = held(DENSE, **recipe)
    assert memory.weights == approx(weight * parameters)
    assert memory.optimizer_states == approx(states * parameters)


@pytest.mark.parametrize("stages", [1.0, 2.0, 3.0])
def test_the_total_is_that_of_the_fuller_stage(stages):
    layout = Layout(pipeline_parallel=stages)
    total = bytes_per_device(
        architecture=architecture_of(MIXTURE),
        layout=layout,
        sequence_length=SEQUENCE,
        global_batch=64.0,
        recipe=MemoryRecipe(),
    )
    assert total == held(MIXTURE, pipeline_parallel=stages).total
