"""Each part of a training step, worked by hand where nothing but that part takes any time.

A device without limits and constants that cost nothing make a step of zero seconds. Each test
gives one limit back and says what the step then takes.
"""

import math

import pytest
from msgspec.structs import replace as replaced

from service.core.model.shape import architecture_of
from service.core.request.transformer import MixtureOfExperts, Transformer
from service.core.training.parallelism import Layout
from service.core.training.steptime import Machine, work_of
from service.core.training.steptime.constants import Coefficients
from service.core.training.steptime.parts import StepParts, parts_of

approx = pytest.approx
BOUNDLESS = 1e40
PEAK, MEMORY, LINK, NETWORK = 1e12, 1e9, 4e8, 1e8

DENSE = Transformer(
    layers=6, hidden_size=512, heads=8, kv_heads=2, ffn_size=1024, vocab_size=1000, norm="none"
)
EXPERTS = Transformer(
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
SEQUENCE, BATCH = 128.0, 32.0
QUERY_MAP = OUTPUT_MAP = 512 * 512
KEY_MAP = VALUE_MAP = 512 * 2 * 64
ATTENTION = QUERY_MAP + KEY_MAP + VALUE_MAP + OUTPUT_MAP
FEED_FORWARD = 3 * 512 * 1024
EXPERT = SHARED = 3 * 512 * 256
ROUTER = 512 * 16
MOE_SHARE = 4 / 6

# Two sequences at once, cut in two over cp, and split over two ranks of tp.
LAYOUT = Layout(
    tensor_parallel=2.0,
    pipeline_parallel=2.0,
    data_parallel=4.0,
    context_parallel=2.0,
    micro_batch=2.0,
)
TOKENS = 2 * 128 / 2
MICRO_BATCHES = 32 / (4 * 2)
LAYERS = 6 / 2
TIMES = MICRO_BATCHES * LAYERS

FREE = Machine(
    peak_flop_per_s=BOUNDLESS,
    bf16_peak_flop_per_s=BOUNDLESS,
    memory_bandwidth_byte_per_s=BOUNDLESS,
    scale_up_byte_per_s=BOUNDLESS,
    scale_up_domain=8.0,
    scale_out_byte_per_s=BOUNDLESS,
)
COSTLESS = Coefficients(
    **dict.fromkeys(Coefficients._fields, 0.0)
    | dict.fromkeys(
        (
            "gemm_share",
            "gemm_share_16_bit",
            "memory_share",
            "attention_share",
            "narrow_head_ratio",
            "scale_up_share",
            "scale_out_share",
            "odd_width_ratio",
            "expert_share",
            "mixer_share",
            "shard_slowdown",
            "shard_host_ratio",
            "trained_share",
        ),
        1.0,
    )
    | {"weight_gradient": 2.0, "attention_backward": 2.5, "expert_dedupes": 1.0}
)


def taken(transformer=DENSE, *, layout=LAYOUT, limits=None, **coefficients) -> StepParts:
    """The step where only these limits of the machine and these coefficients count."""
    return parts_of(
        work=work_of(architecture=architecture_of(transformer), sequence_length=SEQUENCE),
        layout=layout,
        global_batch=BATCH,
        machine=FREE._replace(**(limits or {})),
        coefficients=COSTLESS._replace(**coefficients),
    )


def only(parts: StepParts, *names: str) -> float:
    """The step, which these parts have to make up alone but for the waiting of the pipeline."""
    waiting = {"pipeline_bubble"}
    for name, seconds in parts._asdict().items():
        assert name in {*names, *waiting} or seconds == approx(0.0, abs=1e-15), name
    return math.fsum(getattr(parts, name) for name in names)


def test_without_limits_and_costs_a_step_takes_no_time():
    assert taken().total == approx(0.0, abs=1e-15)
    assert taken(EXPERTS).total == approx(0.0, abs=1e-15)


def test_products_take_their_flop_forward_and_twice_backward():
    parts = taken(limits={"peak_flop_per_s": PEAK}, gemm_share=0.5)
    forward = TOKENS * 2 * (ATTENTION + FEED_FORWARD) / 2 / (0.5 * PEAK)
    assert only(parts, "gemm") == approx(TIMES * 3 * forward)


def test_a_mixture_has_products_of_its_dense_layers_its_shared_experts_and_its_router():
    parts = taken(EXPERTS, limits={"peak_flop_per_s": PEAK})
    each = ATTENTION + (1 - MOE_SHARE) * FEED_FORWARD + MOE_SHARE * (SHARED + ROUTER)
    assert only(parts, "gemm") == approx(TIMES * 3 * TOKENS * 2 * each / 2 / PEAK)


def test_tiles_cost_more_where_tensor_parallelism_makes_products_narrow():
    parts = taken(limits={"peak_flop_per_s": PEAK}, tile_width=32.0)
    projections = ATTENTION * (1 + 32 * 2 / (8 * 64 + 2 * 2 * 64))
    feed_forward = FEED_FORWARD * (1 + 32 * 2 / 1024)
    assert only(parts, "gemm") == approx(
        TIMES * 3 * TOKENS * 2 * (projections + feed_forward) / 2 / PEAK
    )


def test_products_that_are_bound_by_memory_move_weights_and_activations_of_two_bytes():
    parts = taken(limits={"memory_bandwidth_byte_per_s": MEMORY}, memory_share=0.5)
    width = 8 * 64 + 2 * 2 * 64
    projections = 2 * ATTENTION / 2 + TOKENS * 2 * ((width + 512) / 2 + 2 * 512)
    feed_forward = 2 * FEED_FORWARD / 2 + TOKENS * 2 * (3 * 1024 / 2 + 2 * 512)
    assert parts.gemm == approx(TIMES * 3 * (projections + feed_forward) / (0.5 * MEMORY))


def test_a_product_takes_as_long_as_the_slower_of_flop_and_memory_and_a_little_more():
    limits = {"peak_flop_per_s": PEAK, "memory_bandwidth_byte_per_s": 2e10}
    width = 8 * 64 + 2 * 2 * 64
    forward = 0.0
    for parameters, elements in ((ATTENTION, width + 512), (FEED_FORWARD, 3 * 1024)):
        computed = TOKENS * 2 * parameters / 2 / PEAK
        moved = (2 * parameters / 2 + TOKENS * 2 * (elements / 2 + 2 * 512)) / 2e10
        assert 0.2 < computed / moved < 5.0
        forward += (computed**4 + moved**4) ** (1 / 4)
    assert taken(limits=limits).gemm == approx(TIMES * 3 * forward)


def test_each_product_is_launched_for_itself():
    """Two kernels of attention's projections and two of the feed-forward."""
    assert only(taken(gemm_launch_s=1e-6), "gemm") == approx(TIMES * 3 * (2 + 2) * 1e-6)


def test_attention_takes_its_causal_half_and_more_backward():
    parts = taken(
        limits={"bf16_peak_flop_per_s": PEAK}, attention_share=0.5, gemm_share_16_bit=BOUNDLESS
    )
    scores_and_values = 2 * 2 * 8 * 64 * (128 / 2)
    forward = TOKENS * scores_and_values / 2 / (0.5 * PEAK)
    assert only(parts, "attention") == approx(TIMES * (1 + 2.5) * forward)


def test_narrow_heads_take_longer_and_wide_ones_do_not():
    limits = {"bf16_peak_flop_per_s": PEAK}
    wide = replaced(DENSE, heads=4, kv_heads=1)
    assert taken(limits=limits, narrow_head_ratio=1.5).attention == approx(
        1.5 * taken(limits=limits).attention
    )
    assert taken(wide, limits=limits, narrow_head_ratio=1.5) == taken(wide, limits=limits)


def test_before_flash_attention_the_whole_square_is_computed_at_the_rate_of_products():
    limits = {"bf16_peak_flop_per_s": PEAK}
    old = taken(limits=limits, unfused_attention=1.0, attention_share=0.3, gemm_share_16_bit=0.5)
    square = 2 * 2 * 8 * 64 * 128
    assert old.attention == approx(TIMES * (1 + 2.5) * TOKENS * square / 2 / (0.5 * PEAK))


def test_what_only_moves_memory_passes_over_the_residual_stream_and_the_feed_forward():
    parts = taken(
        limits={"memory_bandwidth_byte_per_s": MEMORY},
        hidden_passes=20.0,
        ffn_passes=7.0,
        memory_share=0.5,
    )
    elements = TOKENS * (20 * 512 / 2 + 7 * 1024 / 2)
    assert parts.elementwise == approx(TIMES * 2 * elements / (0.5 * MEMORY))
    whole = taken(
        layout=LAYOUT._replace(sequence_parallel=0.0),
        limits={"memory_bandwidth_byte_per_s": MEMORY},
        hidden_passes=20.0,
    )
    assert whole.elementwise == approx(TIMES * 2 * TOKENS * 20 * 512 / MEMORY)


def test_a_mixture_passes_over_the_experts_that_a_token_meets():
    limits = {"memory_bandwidth_byte_per_s": MEMORY}
    parts = taken(EXPERTS, limits=limits, ffn_passes=7.0)
    widths = (1 - MOE_SHARE) * 1024 + MOE_SHARE * (256 + 2 * 256)
    assert parts.elementwise == approx(TIMES * 2 * TOKENS * 7 * widths / 2 / MEMORY)


def test_the_host_issues_half_as_many_kernels_again_backward():
    assert only(taken(layer_host_s=1e-4), "launch") == approx(TIMES * (1 + 1.5) * 1e-4)


def test_experts_take_the_flop_of_those_that_a_token_meets():
    """All of 16 bits; a third of them forward."""
    parts = taken(
        EXPERTS,
        limits={"bf16_peak_flop_per_s": PEAK},
        expert_share=0.5,
        expert_tile_width=64.0,
        attention_share=BOUNDLESS,
        gemm_share_16_bit=BOUNDLESS,
    )
    forward = TOKENS * 2 * 2 * EXPERT / 2 / (0.5 * PEAK) * (1 + 64 / 256)
    assert only(parts, "experts") == approx(TIMES * MOE_SHARE * 3 * forward)


def test_experts_of_an_odd_width_reach_less():
    limits = {"bf16_peak_flop_per_s": PEAK}
    odd = replaced(EXPERTS, hidden_size=576, head_dim=64)
    assert taken(odd, limits=limits, odd_width_ratio=0.5).experts == approx(
        2 * taken(odd, limits=limits).experts
    )
    assert taken(EXPERTS, limits=limits, odd_width_ratio=0.5) == taken(EXPERTS, limits=limits)


def test_experts_that_are_bound_by_memory_read_all_experts_of_the_device():
    layout = LAYOUT._replace(expert_parallel=4.0)
    parts = taken(EXPERTS, layout=layout, limits={"memory_bandwidth_byte_per_s": MEMORY})
    weights = 2 * 16 / 4 * EXPERT
    activations = TOKENS * 2 / 2 * 2 * (2 * 512 + 3 * 256)
    assert parts.experts == approx(TIMES * MOE_SHARE * 3 * (weights + activations) / MEMORY)


def test_full_recompute_does_the_forward_pass_again_and_selective_a_share_of_it():
    def again(code, **more):
        layout = LAYOUT._replace(recompute=code, **more)
        limits = {"peak_flop_per_s": PEAK}
        return taken(layout=layout, limits=limits, selective_share=0.1)

    forward = TIMES * TOKENS * 2 * (ATTENTION + FEED_FORWARD) / 2 / PEAK
    assert again(0.0).recompute == 0.0
    assert again(1.0).recompute == approx(0.1 * forward)
    assert again(2.0).recompute == approx(forward)
    assert again(2.0, recompute_share=0.25).recompute == approx(0.25 * forward)


def test_full_recompute_repeats_the_exchange_of_tensor_parallelism():
    layout = LAYOUT._replace(recompute=2.0)
    limits = {"scale_up_byte_per_s": LINK}
    parts = taken(layout=layout, limits=limits, tensor_exposed=1.0)
    assert parts.recompute == approx(parts.tensor_parallel / 2)


def test_logits_are_products_in_16_bits_and_a_loss_that_moves_bytes():
    products = taken(
        limits={"bf16_peak_flop_per_s": PEAK}, gemm_share_16_bit=0.5, attention_share=BOUNDLESS
    )
    tokens = MICRO_BATCHES * TOKENS / 2 / 2
    assert products.vocabulary == approx(tokens * 3 * 2 * 512 * 1000 / (0.5 * PEAK))
    loss = taken(limits={"memory_bandwidth_byte_per_s": MEMORY}, logit_bytes=10.0)
    assert loss.vocabulary == approx(tokens * 10 * 1000 / MEMORY)


def test_every_head_of_multi_token_prediction_has_logits_and_a_layer():
    limits = {"memory_bandwidth_byte_per_s": MEMORY}
    more = replaced(DENSE, mtp_layers=2)
    one, three = (taken(t, limits=limits, logit_bytes=10.0) for t in (DENSE, more))
    assert three.vocabulary == approx(3 * one.vocabulary)
    assert three.gemm == approx((6 + 2) / 6 * one.gemm)


@pytest.mark.parametrize(("domain", "rate"), [(8.0, 0.5 * LINK), (1.0, 0.25 * NETWORK)])
def test_tensor_parallelism_reduces_twice_forward_and_twice_backward(domain, rate):
    parts = taken(
        limits={
            "scale_up_byte_per_s": LINK,
            "scale_out_byte_per_s": NETWORK,
            "scale_up_domain": domain,
        },
        tensor_exposed=0.5,
        collective_s=1e-5,
        scale_up_share=0.5,
        scale_out_share=0.25,
    )
    each = 2 * (2 - 1) / 2 * TOKENS * 512 * 2 / rate + 1e-5
    assert only(parts, "tensor_parallel") == approx(TIMES * (2 + 2) * each * 0.5)


@pytest.mark.parametrize(("network", "rate"), [(NETWORK, 2 * NETWORK), (LINK, LINK)])
def test_a_tensor_group_crosses_by_the_adapters_of_all_its_devices_in_a_domain(network, rate):
    """As fast as two adapters together, and never faster than the link inside."""
    limits = {"scale_up_byte_per_s": LINK, "scale_out_byte_per_s": network, "scale_up_domain": 2.0}
    wide = LAYOUT._replace(tensor_parallel=4.0)
    parts = taken(layout=wide, limits=limits, tensor_exposed=1.0)
    each = 2 * (4 - 1) / 4 * TOKENS * 512 * 2 / rate
    assert only(parts, "tensor_parallel") == approx(TIMES * (2 + 2) * each)


@pytest.mark.parametrize(("domain", "rate"), [(4.0, LINK), (2.0, NETWORK)])
def test_context_parallelism_sends_keys_and_values_once_forward_and_twice_backward(domain, rate):
    parts = taken(
        limits={
            "scale_up_byte_per_s": LINK,
            "scale_out_byte_per_s": NETWORK,
            "scale_up_domain": domain,
        },
        context_exposed=0.5,
    )
    forward = (2 - 1) * TOKENS * (2 * 2 * 64) / 2 * 2 / rate * 0.5
    assert only(parts, "context_parallel") == approx(TIMES * 3 * forward)


def test_experts_inside_a_domain_dispatch_and_combine_forward_and_backward():
    layout = LAYOUT._replace(expert_parallel=4.0)
    limits = {"scale_up_byte_per_s": LINK}
    parts = taken(EXPERTS, layout=layout, limits=limits, expert_exposed=0.5)
    once = TOKENS / 2 * 512 * 2 * 2 * (4 - 1) / 4
    assert only(parts, "expert_parallel") == approx(TIMES * MOE_SHARE * 2 * 2 * once / LINK * 0.5)


def test_of_several_domains_each_keeps_its_own_share_of_the_exchange():
    """On four domains a fourth of what leaves a device stays inside."""
    layout = LAYOUT._replace(expert_parallel=16.0, data_parallel=8.0, micro_batch=1.0)
    limits = {"scale_up_byte_per_s": LINK}
    parts = taken(EXPERTS, layout=layout, limits=limits, expert_exposed=0.5)
    once = TOKENS / 2 / 2 * 512 * 2 * 2 * (16 - 1) / 16 / 4 / LINK * 0.5
    assert only(parts, "expert_parallel") == approx(TIMES * MOE_SHARE * 2 * 2 * once)


@pytest.mark.parametrize(
    ("dedupes", "copies"), [(1.0, (4 - 1) * (1 - (1 - 1 / 4) ** 2)), (0.0, 2 * (1 - 1 / 4))]
)
def test_tokens_cross_to_other_domains_once_or_for_each_expert(dedupes, copies):
    """Sixteen experts with two ranks each are on four domains of eight devices."""
    layout = LAYOUT._replace(expert_parallel=16.0, data_parallel=8.0, micro_batch=1.0)
    limits = {"scale_out_byte_per_s": NETWORK}
    parts = taken(
        EXPERTS, layout=layout, limits=limits, expert_exposed_out=0.5, expert_dedupes=dedupes
    )
    once = TOKENS / 2 / 2 * 512 * 2 * copies / NETWORK * 0.5
    assert only(parts, "expert_parallel") == approx(TIMES * MOE_SHARE * 2 * 2 * once)


def test_an_exchange_beside_compute_shows_what_is_longer_and_what_its_kernels_take():
    """Kernels that exchange take 20 of 132 multiprocessors: DeepSeek-V3, section 3.2.2."""
    layout = LAYOUT._replace(expert_parallel=4.0, expert_overlap=1.0)
    slow = taken(
        EXPERTS, layout=layout, limits={"scale_up_byte_per_s": LINK}, expert_exposed=1.0
    ).expert_parallel
    forward = 2 * TOKENS / 2 * 512 * 2 * 2 * (4 - 1) / 4 / LINK
    assert slow == approx(TIMES * MOE_SHARE * 2 * forward)  # there is no compute to hide beside
    for limit, costs in (
        ({"peak_flop_per_s": 1e3}, {}),
        ({"bf16_peak_flop_per_s": 1e3}, {"gemm_share_16_bit": BOUNDLESS}),
        ({"memory_bandwidth_byte_per_s": 1e3}, {"hidden_passes": 20.0}),
    ):
        beside = {"scale_up_byte_per_s": LINK} | limit
        hidden = taken(EXPERTS, layout=layout, limits=beside, expert_exposed=1.0, **costs)
        assert hidden.expert_parallel == approx(slow * 20 / 132)


@pytest.mark.parametrize("computed", ["gemm", "attention", "elementwise"])
def test_an_exchange_is_hidden_beside_half_of_whatever_a_layer_computes(computed):
    """Of a layer's compute a half is forward and a half backward, each with its own exchange."""
    layout = LAYOUT._replace(expert_parallel=4.0, expert_overlap=1.0)
    forward = 2 * TOKENS / 2 * 512 * 2 * 2 * (4 - 1) / 4 / LINK
    limits, costs = {
        "gemm": ({"peak_flop_per_s": PEAK}, {}),
        "attention": (
            {"bf16_peak_flop_per_s": PEAK},
            {"gemm_share_16_bit": BOUNDLESS, "expert_share": BOUNDLESS},
        ),
        "elementwise": (
            {"memory_bandwidth_byte_per_s": 1e10},
            {"ffn_passes": 1e4},
        ),
    }[computed]
    alone = taken(EXPERTS, layout=layout, limits=limits, **costs)
    layer = (alone.gemm + alone.attention + alone.elementwise + alone.experts) / TIMES
    slow_link = LINK * forward / layer  # so that the exchange takes as long as the layer
    both = taken(
        EXPERTS,
        layout=layout,
        limits=limits | {"scale_up_byte_per_s": slow_link},
        expert_exposed=1.0,
        **costs,
    )
    shown = layer - (1 - 20 / 132) * layer / 2
    assert both.expert_parallel == approx(TIMES * MOE_SHARE * 2 * shown)


def test_stages_hand_on_activations_and_gradients():
    limits = {"scale_out_byte_per_s": NETWORK}
    parts = taken(limits=limits, transfer_exposed=0.5)
    handed = 2 * TOKENS * 512 / 2 * 2 / NETWORK * 0.5
    assert parts.pipeline_transfer == approx(MICRO_BATCHES * handed)
    chunks = taken(layout=LAYOUT._replace(virtual_stages=3.0), limits=limits, transfer_exposed=0.5)
    assert chunks.pipeline_transfer == approx(3 * parts.pipeline_transfer)
    flat = LAYOUT._replace(pipeline_parallel=1.0)
    assert taken(layout=flat, limits=limits, transfer_exposed=0.5).total == approx(0, abs=1e-15)


def test_stages_of_one_domain_hand_on_over_its_link():
    limits = {"scale_up_byte_per_s": LINK, "scale_out_byte_per_s": NETWORK, "scale_up_domain": 16.0}
    parts = taken(limits=limits, transfer_exposed=1.0)  # of 2 * 2 * 4 * 2 devices
    apart = parts.pipeline_transfer
    together = taken(limits=limits | {"scale_up_domain": 32.0}, transfer_exposed=1.0)
    assert together.pipeline_transfer == approx(apart * NETWORK / LINK)


def test_filling_and_draining_the_pipeline_takes_a_stage_less_than_there_are():
    for stages, chunks, waited in ((2.0, 1.0, 1.0), (3.0, 1.0, 2.0), (3.0, 2.0, 1.0)):
        layout = LAYOUT._replace(pipeline_parallel=stages, virtual_stages=chunks)
        parts = taken(layout=layout, limits={"peak_flop_per_s": PEAK})
        assert parts.pipeline_bubble == approx(waited * parts.gemm / MICRO_BATCHES)


def test_the_longest_stage_has_a_layer_more_and_the_logits():
    """Six layers on four stages: two on the longest, and one and a half on the mean."""
    layout = LAYOUT._replace(pipeline_parallel=4.0)
    limits = {"bf16_peak_flop_per_s": PEAK}
    parts = taken(layout=layout, limits=limits, stage_imbalance=0.5)
    per_layer = parts.attention / MICRO_BATCHES / 1.5
    logits = parts.vocabulary / MICRO_BATCHES * 4
    longer = 2 * per_layer + logits - (1.5 * per_layer + logits / 4)
    assert parts.pipeline_imbalance == approx(MICRO_BATCHES * 0.5 * longer)


DENSE_PARAMETERS = 6 * (ATTENTION + FEED_FORWARD) + 2 * 512 * 1000
MIXTURE_PARAMETERS = 6 * ATTENTION + 2 * FEED_FORWARD + 4 * (SHARED + ROUTER) + 2 * 512 * 1000


def test_replicas_reduce_gradients_over_the_slower_of_their_links():
    """Of eight replicas four are in a domain, which have its network together."""
    held = DENSE_PARAMETERS / 2 / 2
    volume = 6 * held * (8 - 1) / 8
    exposed = {"data_bytes": 6.0, "data_exposed": 0.5}
    inside = taken(limits={"scale_up_byte_per_s": LINK}, scale_up_share=0.5, **exposed)
    assert only(inside, "data_parallel") == approx(volume / (0.5 * LINK) * 0.5)
    outside = taken(limits={"scale_out_byte_per_s": NETWORK}, scale_out_share=0.5, **exposed)
    assert only(outside, "data_parallel") == approx(volume / (0.5 * NETWORK * 4) * 0.5)


def test_replicas_of_one_domain_do_not_use_the_network():
    layout = LAYOUT._replace(data_parallel=2.0)
    limits = {"scale_out_byte_per_s": NETWORK}
    assert taken(layout=layout, limits=limits, data_bytes=6.0, data_exposed=1.0).total == approx(
        0.0, abs=1e-15
    )


def test_replicas_reduce_the_gradients_of_the_experts_that_a_device_owns():
    """Four ranks of expert parallelism own a quarter each, which tp does not split further."""
    layout = LAYOUT._replace(expert_parallel=4.0)
    limits = {"scale_up_byte_per_s": LINK}
    parts = taken(EXPERTS, layout=layout, limits=limits, data_bytes=6.0, data_exposed=1.0)
    held = (MIXTURE_PARAMETERS / 2 + 4 * 16 * EXPERT / 4) / 2
    assert parts.data_parallel == approx(6 * held * (8 - 1) / 8 / LINK)


def test_dualpipe_reduces_two_stages_over_twice_the_replicas():
    layout = LAYOUT._replace(pipeline_parallel=2.0, pipeline_schedule=2.0)
    parts = taken(
        layout=layout, limits={"scale_up_byte_per_s": LINK}, data_bytes=6.0, data_exposed=1.0
    )
    held = 2 * DENSE_PARAMETERS / 2 / 2
    assert parts.data_parallel == approx(6 * held * (16 - 1) / 16 / LINK)


def test_sharded_weights_are_gathered_beside_each_micro_batch():
    """Where there is no compute beside, all of it shows; where there is as much, the cube root."""
    layout = LAYOUT._replace(zero_stage=3.0)
    volume = 5 * DENSE_PARAMETERS / 2 / 2 * (8 - 1) / 8
    limits = {"scale_up_byte_per_s": LINK}
    alone = taken(layout=layout, limits=limits, shard_bytes=5.0, shard_slowdown=1.5, shard_sum=0.2)
    gathered = volume / LINK * 1.5
    assert only(alone, "data_parallel") == approx(MICRO_BATCHES * gathered)
    stage = taken(layout=layout, limits={"peak_flop_per_s": PEAK}).gemm / MICRO_BATCHES
    even = {"peak_flop_per_s": PEAK, "scale_up_byte_per_s": volume / stage}
    beside = taken(layout=layout, limits=even, shard_bytes=5.0, shard_sum=0.2)
    assert beside.data_parallel == approx(MICRO_BATCHES * stage * (2 ** (1 / 3) - 1 + 0.2))


def test_the_optimizer_moves_the_states_of_what_a_device_answers_for():
    limits = {"memory_bandwidth_byte_per_s": MEMORY}

    def seconds(zero_stage):
        return taken(layout=LAYOUT._replace(zero_stage=zero_stage), limits=limits).optimizer

    held = DENSE_PARAMETERS / 2 / 2
    assert seconds(0.0) == approx(50 * held / MEMORY)
    assert [seconds(stage) for stage in (1.0, 2.0, 3.0)] == approx([50 * held / 8 / MEMORY] * 3)


def test_stragglers_cost_a_share_of_the_step_for_each_doubling_beyond_a_server():
    parts = taken(step_host_s=2.0, scale_per_doubling=0.01)
    assert parts.host == 2.0
    assert only(parts, "host", "stragglers") == approx(2.0 + 2.0 * 0.01 * math.log2(32 / 8))
    small = LAYOUT._replace(data_parallel=1.0, context_parallel=1.0)
    assert taken(layout=small, step_host_s=2.0, scale_per_doubling=0.01).total == 2.0
