"""Decoding and prefill: hand-worked bytes, published rates and laws."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.model.parameters import params_total
from service.core.model.shape import architecture_of
from service.core.request.transformer import LatentAttention, MixtureOfExperts, Transformer
from service.core.serving.decoding import (
    Formats,
    Replica,
    Serving,
    ServingDevice,
    ServingSpeed,
    attention_flop_per_token,
    batch_seconds,
    cache_bytes_per_sequence,
    decode_step,
    experts_touched,
    head_params_read,
    most_concurrent,
    prefill_seconds,
    serving_memory,
    weight_params_read,
)
from service.core.serving.length_formulas import lengths_of, mean_tokens_so_far

LLAMA_3_8B = Transformer(
    layers=32, hidden_size=4096, heads=32, kv_heads=8, ffn_size=14336, vocab_size=128256
)
LLAMA_2_7B = Transformer(layers=32, hidden_size=4096, heads=32, ffn_size=11008, vocab_size=32000)
DEEPSEEK_V3 = Transformer(
    layers=61,
    hidden_size=7168,
    heads=128,
    ffn_size=18432,
    vocab_size=129280,
    mla=LatentAttention(
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        q_lora_rank=1536,
    ),
    moe=MixtureOfExperts(
        experts=256,
        experts_per_token=8,
        moe_ffn_size=2048,
        shared_experts=1,
        first_dense_layers=3,
    ),
)
H100 = ServingDevice(
    peak_flop_per_s=989e12,
    memory_bytes=80e9,
    memory_byte_per_s=3.35e12,
    link_byte_per_s=450e9,
    network_byte_per_s=50e9,
    domain_devices=8,
)
IDEAL = ServingSpeed(
    memory_share=1.0,
    bandwidth_share=1.0,
    flop_share=1.0,
    layer_seconds=0.0,
    expert_layer_seconds=0.0,
    exchange_seconds=0.0,
    far_exchange_seconds=0.0,
    step_seconds=0.0,
    most_sequences=1e9,
)
ONE = Serving(tensor_parallel=1.0, devices=1.0)


def replica(transformer=LLAMA_3_8B, *, serving=ONE, server=H100, speed=IDEAL, formats=None):
    return Replica(
        architecture=architecture_of(transformer),
        server=server,
        speed=speed,
        serving=serving,
        formats=formats or Formats(),
    )


def batch(samples, *, replicas=1.0, mean=1_000.0, cap=8_192.0, **terms):
    return batch_seconds(
        replica=replica(**terms),
        replicas=replicas,
        samples=samples,
        prompts=samples,
        prompt_tokens=100.0,
        lengths=lengths_of(mean_tokens=mean, cap_tokens=cap, sigma=0.9),
    )


def test_a_cached_token_of_llama_3_8b_takes_128_kib():
    """32 layers * 2 * 8 heads * 128 * 2 bytes."""
    cache = cache_bytes_per_sequence(architecture=architecture_of(LLAMA_3_8B), context_tokens=1.0)
    assert cache == 32 * 2 * 8 * 128 * 2 == 128 * 1024


def test_a_cached_token_of_deepseek_v3_takes_70_kb():
    """The report on V3's hardware gives 70.272 KB: (512 + 64) * 2 bytes in 61 layers."""
    cache = cache_bytes_per_sequence(architecture=architecture_of(DEEPSEEK_V3), context_tokens=1.0)
    assert cache == 61 * (512 + 64) * 2 == 70_272


def test_grouped_queries_divide_the_cache_of_full_heads():
    full, grouped = (
        cache_bytes_per_sequence(architecture=architecture_of(model), context_tokens=4_096.0)
        for model in (LLAMA_2_7B, msgspec.structs.replace(LLAMA_2_7B, kv_heads=8))
    )
    assert full == 4 * grouped


@given(context=st.floats(1.0, 1e6))
def test_layers_with_windows_keep_nothing_before_their_window(context):
    """Half of the 32 layers, 4 KiB for each token and layer."""
    windowed = msgspec.structs.replace(LLAMA_3_8B, sliding_window=4_096, sliding_window_share=0.5)
    less, whole = (
        cache_bytes_per_sequence(architecture=architecture_of(model), context_tokens=context)
        for model in (windowed, LLAMA_3_8B)
    )
    before = max(context - 4_096, 0.0)
    assert less == pytest.approx(whole - 16 * 4_096 * before, rel=1e-9)


def test_one_token_touches_its_own_experts_and_many_touch_all():
    assert experts_touched(experts=256.0, experts_per_token=8.0, tokens=1.0) == pytest.approx(8.0)
    assert experts_touched(experts=256.0, experts_per_token=8.0, tokens=1e4) == pytest.approx(256.0)
    assert experts_touched(experts=0.0, experts_per_token=0.0, tokens=5.0) == 0.0


@given(few=st.floats(1.0, 1e5), many=st.floats(1.0, 1e5))
def test_more_tokens_touch_no_fewer_experts(few, many):
    few, many = sorted((few, many))
    low, high = (
        experts_touched(experts=128.0, experts_per_token=8.0, tokens=n) for n in (few, many)
    )
    assert 8.0 - 1e-9 <= low <= high <= 128.0


def test_a_batch_of_one_reads_every_weight_once_but_the_input_embedding():
    architecture = architecture_of(LLAMA_3_8B)
    read = weight_params_read(architecture=architecture, serving=ONE, active=1.0)
    read += head_params_read(architecture=architecture, serving=ONE)
    assert read == params_total(architecture=architecture) - 128_256 * 4_096


@pytest.mark.parametrize("model", [LLAMA_3_8B, LLAMA_2_7B, DEEPSEEK_V3])
@given(context=st.floats(1.0, 131_072.0))
def test_decoding_at_batch_one_is_bound_by_memory_bandwidth(model, context):
    step = decode_step(replica=replica(model), active=1.0, context_tokens=context)
    assert step.weights_bound_by_flop == 0.0
    assert step.attention_bound_by_flop == 0.0


def test_a_large_batch_is_bound_by_flop():
    step = decode_step(replica=replica(), active=2_000.0, context_tokens=100.0)
    assert step.weights_bound_by_flop == 1.0


def test_llama_3_8b_writes_at_most_two_hundred_tokens_a_second_for_one_reader():
    """15 GB read at 3.35 TB/s: 4.5 ms a token."""
    step = decode_step(replica=replica(), active=1.0, context_tokens=1.0)
    assert step.seconds == pytest.approx(2 * 7.505e9 / 3.35e12, rel=0.01)


def test_latent_attention_computes_on_its_latent_vectors():
    flop = attention_flop_per_token(architecture=architecture_of(DEEPSEEK_V3), context_tokens=1.0)
    assert flop == 61 * 2 * 128 * (512 + 64 + 512)


def test_what_memory_leaves_over_holds_the_sequences():
    """80 GB less 16.06 GB of weights and 2 GB: 461 sequences of 1,024 tokens of 128 KiB."""
    room = most_concurrent(replica=replica(), context_tokens=1_024.0)
    assert room == pytest.approx((80e9 - 16.06e9 - 2e9) / (1_024 * 131_072), rel=1e-3)


def test_a_model_that_does_not_fit_has_no_room():
    assert most_concurrent(replica=replica(DEEPSEEK_V3), context_tokens=1_024.0) == 0.0


def test_experts_spread_over_devices_leave_room():
    spread = Serving(tensor_parallel=1.0, devices=32.0)
    assert (
        most_concurrent(replica=replica(DEEPSEEK_V3, serving=spread), context_tokens=4_096.0) > 32
    )


def test_prefill_takes_its_flop_over_the_peak():
    """16,384 prompts of 1,000 tokens at about 2 * 7.5e9 FLOP a token."""
    seconds = prefill_seconds(
        replica=replica(), replicas=2.0, prompts=16_384.0, prompt_tokens=1_000.0
    )
    assert seconds == pytest.approx(16_384 * 1_000 * 15.3e9 / (2 * 989e12), rel=0.02)


samples = st.floats(1.0, 1e6)


@given(few=samples, factor=st.floats(1.0, 64.0), mean=st.floats(10.0, 8_000.0))
def test_more_samples_never_take_less_time(few, factor, mean):
    less, more = (batch(n, mean=mean).seconds for n in (few, few * factor))
    assert less <= more * (1 + 1e-3)


@given(n=st.floats(64.0, 1e5))
def test_twice_the_replicas_never_take_longer(n):
    one, two = (batch(n, replicas=count).seconds for count in (1.0, 2.0))
    assert two <= one * (1 + 1e-3)


def test_twice_the_replicas_gain_nothing_where_the_longest_sample_holds_them():
    """Weights dominate a step of few sequences: 64 samples on 64 replicas, or on 128."""
    few, many = (
        batch(64.0, replicas=count, mean=1_000.0, cap=16_384.0).drain_seconds
        for count in (64.0, 128.0)
    )
    assert many == few


def test_twice_the_replicas_halve_a_long_queue():
    one, two = (batch(1e6, replicas=count).seconds for count in (4.0, 8.0))
    assert one / two == pytest.approx(2.0, rel=0.02)


def test_prompts_shared_by_samples_are_read_once():
    def prefill(prompts):
        return batch_seconds(
            replica=replica(),
            replicas=1.0,
            samples=512.0,
            prompts=prompts,
            prompt_tokens=4_000.0,
            lengths=lengths_of(mean_tokens=500.0, cap_tokens=2_048.0, sigma=0.9),
        ).prefill_seconds

    assert prefill(512.0) == pytest.approx(16 * prefill(32.0))


BOUNDLESS = ServingDevice(
    peak_flop_per_s=1e40,
    memory_bytes=1e40,
    memory_byte_per_s=1e40,
    link_byte_per_s=1e40,
    network_byte_per_s=1e40,
    domain_devices=8,
)
MIXTURE = Transformer(
    layers=6,
    hidden_size=512,
    heads=8,
    kv_heads=2,
    ffn_size=1024,
    vocab_size=1000,
    norm="none",
    moe=MixtureOfExperts(
        experts=16, experts_per_token=2, moe_ffn_size=256, shared_experts=1, first_dense_layers=2
    ),
)
MIXTURE_ATTENTION = 2 * 512 * 512 + 2 * 512 * 2 * 64
MIXTURE_EXPERT = 3 * 512 * 256
MIXTURE_WITHOUT_EXPERTS = (
    6 * MIXTURE_ATTENTION + 2 * 3 * 512 * 1024 + 4 * (MIXTURE_EXPERT + 512 * 16) + 512 * 1000
)
"""All parameters that are read whatever the experts; the input embedding is not."""


def step_of(*, tp=1.0, devices=1.0, active=1.0, context=100.0, limits=None, formats=None, **costs):
    """A decoding step of the small mixture where only these limits and costs count."""
    return decode_step(
        replica=replica(
            MIXTURE,
            serving=Serving(tensor_parallel=tp, devices=devices),
            server=BOUNDLESS._replace(**(limits or {})),
            speed=IDEAL._replace(**costs),
            formats=formats,
        ),
        active=active,
        context_tokens=context,
    )


def test_a_step_waits_for_its_layers_its_expert_layers_and_its_scheduler():
    step = step_of(layer_seconds=1e-5, expert_layer_seconds=1e-4, step_seconds=1e-2)
    assert step.overhead == pytest.approx(6 * 1e-5 + 4 * 1e-4 + 1e-2)
    assert step.seconds == pytest.approx(step.overhead)


def test_a_step_reads_common_weights_by_the_group_and_experts_by_the_replica():
    """Four groups of two ranks: what is common over two, the experts that are met over eight."""
    step = step_of(
        tp=2.0,
        devices=8.0,
        active=32.0,
        limits={"memory_byte_per_s": 1e9},
        bandwidth_share=0.5,
        formats=Formats(weight_bytes=1.0),
    )
    met = 16 * (1 - (1 - 2 / 16) ** 32)
    head = 512 * 1000  # in 16 bits: once more than the others
    read = (MIXTURE_WITHOUT_EXPERTS + head) / 2 + 4 * met * MIXTURE_EXPERT / 8
    assert step.weights == pytest.approx(read / 5e8)
    assert step.weights_bound_by_flop == 0.0


def test_the_products_of_a_step_are_spread_over_all_devices():
    step = step_of(
        tp=2.0, devices=8.0, active=32.0, limits={"peak_flop_per_s": 1e12}, flop_share=0.5
    )
    per_token = 2 * (MIXTURE_WITHOUT_EXPERTS + 4 * 2 * MIXTURE_EXPERT)
    core_of_one_key = 6 * 2 * 2 * 8 * 64 / 2
    assert step.weights == pytest.approx(32 * (per_token + core_of_one_key) / 8 / 5e11)
    assert step.weights_bound_by_flop == 1.0


def test_keys_and_values_are_read_by_the_ranks_of_a_group_as_far_as_there_are_heads():
    """Two key-value heads: of four ranks two read the same."""
    limits = {"memory_byte_per_s": 1e12}
    for tp, split in ((1.0, 1), (2.0, 2), (4.0, 2)):
        step = step_of(
            tp=tp, devices=8.0, active=64.0, limits=limits, formats=Formats(cache_bytes=1.0)
        )
        of_group = 64 * tp / 8
        cache = 6 * 2 * (64 + 64) * 100
        assert step.attention == pytest.approx(of_group * cache / split / 1e12)


def test_the_scores_of_a_group_are_spread_over_its_ranks():
    limits = {"peak_flop_per_s": 1e12}
    step = step_of(tp=4.0, devices=8.0, active=64.0, limits=limits)
    flop = 6 * 2 * 100 * 8 * (64 + 64)
    assert step.attention == pytest.approx(64 * 4 / 8 * flop / 4 / 1e12)
    assert step.attention_bound_by_flop == 1.0


@pytest.mark.parametrize(("domain", "rate", "latency"), [(8, 1e9, 1e-6), (1, 1e8, 1e-5)])
def test_tensor_parallel_ranks_reduce_twice_a_layer(domain, rate, latency):
    limits = {"domain_devices": domain, "link_byte_per_s": 1e9, "network_byte_per_s": 1e8}
    step = step_of(
        tp=4.0,
        devices=4.0,
        active=16.0,
        limits=limits,
        exchange_seconds=1e-6,
        far_exchange_seconds=1e-5,
    )
    reduced = 2 * (4 - 1) / 4 * 2 * 16 * 512
    assert step.exchange == pytest.approx(6 * 2 * (latency + reduced / rate))


@pytest.mark.parametrize(("devices", "rate", "latency"), [(8.0, 1e9, 1e-6), (16.0, 1e8, 1e-5)])
def test_experts_on_several_groups_are_sent_to_and_sent_back_from(devices, rate, latency):
    """Sixteen sequences a group; the reduction of the two ranks of a group stays inside."""
    limits = {"link_byte_per_s": 1e9, "network_byte_per_s": 1e8}
    step = step_of(
        tp=2.0,
        devices=devices,
        active=16.0 * devices / 2,
        limits=limits,
        exchange_seconds=1e-6,
        far_exchange_seconds=1e-5,
    )
    stream = 2 * 16 * 512
    reduced = 6 * 2 * (1e-6 + 2 * (2 - 1) / 2 * stream / 1e9)
    sent = 4 * 2 * (latency + stream * 2 / 2 / rate)
    assert step.exchange == pytest.approx(reduced + sent)


def test_every_group_holds_sequences_of_its_own_beside_its_part_of_the_weights():
    speed = IDEAL._replace(memory_share=0.5)
    serving = Serving(tensor_parallel=2.0, devices=8.0)
    one = replica(
        MIXTURE,
        serving=serving,
        speed=speed,
        server=BOUNDLESS._replace(memory_bytes=8e9),
        formats=Formats(weight_bytes=1.0, cache_bytes=1.0),
    )
    ends = 2 * 512 * 1000  # embedding and head, which stay in 16 bits
    held = (MIXTURE_WITHOUT_EXPERTS - ends / 2 + 2 * ends) / 2 + 4 * 16 * MIXTURE_EXPERT / 8
    cache = 1_000 * 6 * 2 * (64 + 64)
    room = 4 * (0.5 * 8e9 - held - 2e9) * 2 / cache
    assert most_concurrent(replica=one, context_tokens=1_000.0) == pytest.approx(room)
    few = one._replace(speed=speed._replace(most_sequences=3.0))
    assert most_concurrent(replica=few, context_tokens=1_000.0) == 4 * 3


def test_a_batch_waits_in_line_drains_and_lasts_as_long_as_its_steps():
    """Two replicas with room for 25 sequences each, a second a step, 500 responses."""
    speed = IDEAL._replace(step_seconds=1.0, most_sequences=25.0)
    found = batch_seconds(
        replica=replica(server=BOUNDLESS, speed=speed),
        replicas=2.0,
        samples=500.0,
        prompts=50.0,
        prompt_tokens=100.0,
        lengths=lengths_of(mean_tokens=1_000.0, cap_tokens=4_096.0, sigma=0.9),
    )
    assert found.concurrent == 25.0
    assert found.queue_seconds == pytest.approx((250 - 25) * 1_000 / 25)
    assert found.flow_seconds == pytest.approx(250 * 1_000 / 25)
    assert found.longest_tokens == pytest.approx(4_096.0)
    assert found.longest_seconds == pytest.approx(found.longest_tokens)
    assert found.drain_seconds == pytest.approx(found.longest_tokens, rel=1e-3)
    assert found.seconds == pytest.approx(found.queue_seconds + found.drain_seconds)


def test_a_batch_that_has_room_does_not_wait_in_line():
    found = batch(8.0, replicas=16.0, server=BOUNDLESS, speed=IDEAL._replace(step_seconds=1.0))
    assert found.concurrent == 1.0
    assert found.queue_seconds == 0.0


def test_a_full_batch_steps_at_the_length_at_which_its_sequences_are_met():
    """Prompts of 100 tokens, and what is written on average of a sample that is not yet done."""
    lengths = lengths_of(mean_tokens=1_000.0, cap_tokens=8_192.0, sigma=0.9)
    found = batch(1e5)
    met = 100.0 + mean_tokens_so_far(lengths=lengths)
    step = decode_step(replica=replica(), active=found.concurrent, context_tokens=met).seconds
    assert found.flow_seconds == pytest.approx(1e5 * 1_000 / found.concurrent * step)
    assert found.longest_seconds == pytest.approx(found.longest_tokens * step)
    room = most_concurrent(replica=replica(), context_tokens=100.0 + 1_000.0)
    assert found.concurrent == pytest.approx(room)


def test_stages_of_a_pipeline_work_on_batches_of_their_own():
    """Two stages run 64 sequences in the time that one device runs 32, and hold half the layers."""
    staged = Serving(tensor_parallel=1.0, devices=2.0, pipeline_parallel=2.0)
    both = decode_step(replica=replica(serving=staged), active=64.0, context_tokens=500.0)
    one = decode_step(replica=replica(), active=32.0, context_tokens=500.0)
    assert both.seconds == pytest.approx(one.seconds)
    alone = decode_step(replica=replica(serving=staged), active=1.0, context_tokens=500.0)
    assert alone.seconds == pytest.approx(
        decode_step(replica=replica(), active=1.0, context_tokens=500.0).seconds
    )
    room, roomier = (
        most_concurrent(replica=replica(serving=serving), context_tokens=1_000.0)
        for serving in (ONE, staged)
    )
    assert roomier > 2 * room


def test_a_cache_of_eight_bits_holds_twice_the_sequences():
    wide, narrow = (
        most_concurrent(replica=replica(formats=Formats(cache_bytes=each)), context_tokens=1_000.0)
        for each in (2.0, 1.0)
    )
    assert narrow == pytest.approx(2 * wide)


def test_memory_of_a_server_is_its_weights_and_the_caches_of_all_sequences():
    """Llama 3 8B in 16 bits, 10 sequences of 1,000 tokens, 128 KiB a token."""
    architecture = architecture_of(LLAMA_3_8B)
    memory = serving_memory(
        concurrent=10.0,
        prompt_tokens=200.0,
        response_tokens=800.0,
        architecture=architecture,
        serving=ONE,
        formats=Formats(),
    )
    assert memory.weights == pytest.approx(2 * params_total(architecture=architecture))
    assert memory.cache == 10 * 1_000 * 128 * 1024
    assert memory.total == memory.weights + memory.cache + memory.reserve
