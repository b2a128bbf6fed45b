"""What the constants of the step-time engine come to for a machine, a format and a year."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.figures.constants import Constants
from service.core.training.steptime import Machine, coefficients_of, traits_of
from service.core.training.steptime.constants import Coefficients
from service.core.training.steptime.machine import Recipe
from tests.worlds import embedded

approx = pytest.approx
GPU = Machine(
    peak_flop_per_s=1e15,
    bf16_peak_flop_per_s=1e15,
    memory_bandwidth_byte_per_s=3e12,
    scale_up_byte_per_s=4e11,
    scale_up_domain=8.0,
    scale_out_byte_per_s=5e10,
)
VALUES = {name: 1.0 + place / 64 for place, name in enumerate(embedded().engine.constants.values)}
"""A number of its own for each constant."""
TPU = GPU._replace(kind="tpu")


def stood(machine=GPU, **recipe) -> Coefficients:
    """The constants as they stand for a machine and a recipe, without effects."""
    constants = Constants(VALUES, {})
    traits = traits_of(machine=machine, recipe=Recipe(**recipe), constants=constants)
    return coefficients_of(traits=traits, values=VALUES)


@pytest.mark.parametrize(
    ("member", "before", "since"),
    [
        ("attention_backward", 2.0, VALUES["attention_backward"]),
        ("unfused_attention", 1.0, 0.0),
        ("layer_host_s", VALUES["layer_host_s_2022"], VALUES["layer_host_s"]),
        ("tensor_exposed", VALUES["tensor_exposed_2022"], VALUES["tensor_exposed"]),
        ("data_exposed", VALUES["data_exposed_2022"], VALUES["data_exposed"]),
        ("data_bytes", 4.0, 6.0),
        ("shard_slowdown", VALUES["shard_slowdown_2022"], 1.0),
        ("gemm_share", VALUES["gemm_share_gpu"] * VALUES["gemm_ratio_2022"], None),
        ("gemm_share_16_bit", VALUES["gemm_share_gpu"] * VALUES["gemm_ratio_2022"], None),
    ],
)
def test_flash_attention_and_its_frameworks_came_from_2022_to_2023(member, before, since):
    expected = VALUES["gemm_share_gpu"] if since is None else since
    assert getattr(stood(software_year=2022.5), member) == approx(before)
    assert getattr(stood(software_year=2023.0), member) == approx((before + expected) / 2)
    assert getattr(stood(software_year=2023.5), member) == approx(expected)


def test_the_first_flash_kernels_were_slower_on_gpus_until_2024():
    gpu, tpu = VALUES["attention_share_gpu"], VALUES["attention_share_tpu"]
    ratio = VALUES["attention_ratio_2023"]
    assert stood(software_year=2023.5).attention_share == approx(gpu * ratio)
    assert stood(software_year=2023.875).attention_share == approx(gpu * (1 + ratio) / 2)
    assert stood(software_year=2024.25).attention_share == approx(gpu)
    assert stood(TPU, software_year=2023.5).attention_share == approx(tpu)


@given(st.floats(2018.0, 2027.0))
def test_no_day_changes_a_constant_by_more_than_two_percent(year):
    today, tomorrow = (
        stood(software_year=when, precision="mxfp8") for when in (year, year + 1 / 365)
    )
    assert tomorrow == approx(today, rel=0.02, abs=0.02)


@pytest.mark.parametrize(
    ("kernel", "share", "unfused"),
    [
        ("unfused", 1.0, 1.0),
        ("flash_1", VALUES["attention_ratio_2023"], 0.0),
        ("flash_2", 1.0, 0.0),
        ("flash_3", 1.0, 0.0),
    ],
)
def test_a_kernel_that_is_said_holds_in_any_year(kernel, share, unfused):
    for year in (2021.0, 2023.7, 2026.5):
        found = stood(software_year=year, attention_kernel=kernel)
        assert found.attention_share == approx(VALUES["attention_share_gpu"] * share)
        assert found.unfused_attention == unfused


@pytest.mark.parametrize(
    ("generation", "kernel", "share"),
    [
        ("ampere", "flash_2", 1.0),
        ("hopper", "flash_2", VALUES["attention_ratio_ported"]),
        ("hopper", "flash_3", VALUES["attention_ratio_newest"]),
        ("blackwell", "flash_2", VALUES["attention_ratio_ported"] ** 2),
        ("blackwell", "flash_3", VALUES["attention_ratio_ported"]),
        ("blackwell", "flash_4", VALUES["attention_ratio_newest"]),
    ],
)
def test_attention_is_as_good_as_the_device_that_its_kernel_was_written_for(
    generation, kernel, share
):
    found = stood(GPU._replace(generation=generation), attention_kernel=kernel)
    assert found.attention_share == approx(VALUES["attention_share_gpu"] * share)
    newest = share == VALUES["attention_ratio_newest"]
    assert found.attention_keys == (VALUES["attention_keys"] if newest else 0.0)


def test_frameworks_take_up_the_newest_kernels_within_a_year():
    hopper = GPU._replace(generation="hopper")
    before, since = (
        stood(hopper, framework="hf_eager", software_year=year).attention_share
        for year in (2025.5, 2026.5)
    )
    share = VALUES["attention_share_gpu"]
    assert before == approx(share * VALUES["attention_ratio_ported"])
    assert since == approx(share * VALUES["attention_ratio_newest"])
    assert stood(hopper, software_year=2026.5).attention_share == approx(share)


@pytest.mark.parametrize(
    ("generation", "framework", "behind"),
    [
        ("grace-blackwell", "torch_compile", True),
        ("grace-blackwell", "megatron", False),
        ("cdna-2", "hf_eager", True),
        ("cdna-3", "torch_compile", True),
        ("cdna-3", "megatron", False),
        ("hopper", "torch_compile", False),
        ("ampere", "hf_eager", False),
    ],
)
def test_products_wait_for_frameworks_that_have_not_caught_up_with_the_device(
    generation, framework, behind
):
    found = stood(GPU._replace(generation=generation), framework=framework)
    ratio = VALUES["young_gemm_ratio"] if behind else 1.0
    assert found.gemm_share == approx(VALUES["gemm_share_gpu"] * ratio)


@pytest.mark.parametrize(
    ("framework", "moved"), [("megatron", "score_bytes"), ("hf_eager", "score_bytes_eager")]
)
def test_scores_that_stand_in_memory_are_moved_by_each_kernel(framework, moved):
    assert stood(framework=framework).score_bytes == approx(VALUES[moved])


@pytest.mark.parametrize(
    ("recipe", "host"),
    [
        ({"framework": "megatron"}, "layer_host_s"),
        ({"framework": "megatron", "compiled": False}, "layer_host_s"),
        ({"framework": "torch_compile"}, "layer_host_s_compiled"),
        ({"framework": "torch_compile", "compiled": False}, "layer_host_s_eager"),
        ({"framework": "hf_eager"}, "layer_host_s_eager"),
        ({"framework": "hf_eager", "compiled": True}, "layer_host_s_compiled"),
        ({"framework": "deepspeed"}, "layer_host_s_eager"),
    ],
)
def test_the_host_takes_as_long_as_the_framework_lets_it(recipe, host):
    assert stood(**recipe).layer_host_s == approx(VALUES[host])
    assert stood(TPU, **recipe).layer_host_s == 0.0


def test_adapters_take_more_host_time_and_passes_and_a_quantised_base_is_unpacked():
    plain, tuned = stood(), stood(frozen_weights=True, quantised_base=True)
    ratio = VALUES["adapter_host_ratio"]
    assert tuned.layer_host_s == approx(plain.layer_host_s * ratio)
    assert tuned.hidden_passes == approx(plain.hidden_passes * VALUES["adapter_pass_ratio"])
    assert (plain.unpacked_bytes, tuned.unpacked_bytes) == (0.0, VALUES["unpacked_bytes"])
    longer = stood(frozen_weights=True, quantised_base=True, unpacking_ratio=1.2)
    assert longer == tuned._replace(unpacked_bytes=1.2 * tuned.unpacked_bytes)


def test_by_2025_stages_are_balanced_tokens_cross_once_and_gradients_travel_in_two_bytes():
    before, since = stood(software_year=2024.5), stood(software_year=2025.25)
    assert since.stage_imbalance == before.stage_imbalance / 2 == VALUES["stage_imbalance"] / 2
    assert (before.expert_dedupes, since.expert_dedupes) == (0.0, 1.0)
    assert (before.data_bytes, since.data_bytes) == (6.0, 4.0)


def test_a_tpu_has_constants_of_its_own_and_does_not_wait_for_its_host():
    gpu, tpu = stood(), stood(TPU, framework="xla")
    assert tpu.gemm_share == VALUES["gemm_share_tpu"]
    assert tpu.narrow_head_ratio == VALUES["narrow_head_ratio_tpu"]
    assert tpu.selective_share == VALUES["selective_share_xla"]
    assert tpu.gemm_launch_s == tpu.layer_host_s == 0.0
    assert gpu.gemm_share == VALUES["gemm_share_gpu"]
    assert gpu.narrow_head_ratio == 1.0
    assert gpu.selective_share == VALUES["selective_share"]
    assert (gpu.gemm_launch_s, gpu.layer_host_s) == (
        VALUES["gemm_launch_s"],
        VALUES["layer_host_s"],
    )


@pytest.mark.parametrize(
    ("recipe", "dense", "experts"),
    [
        ({"precision": "bf16"}, 1.0, VALUES["expert_ratio_16_bit"]),
        ({"precision": "fp16"}, 1.0, VALUES["expert_ratio_16_bit"]),
        ({"precision": "fp8"}, 1.0, 2 * VALUES["expert_ratio_8_bit"]),
        (
            {"precision": "fp8", "rowwise_scales": True},
            VALUES["fp8_rowwise_ratio"],
            2 * VALUES["expert_ratio_8_bit"],
        ),
        (
            {"precision": "nvfp4", "software_year": 2026.0},
            VALUES["nvfp4_ratio"],
            2 * VALUES["expert_ratio_8_bit"],
        ),
        ({"precision": "mxfp8"}, 1.0, 2 * VALUES["expert_ratio_fused"]),
        ({"precision": "int8"}, VALUES["int8_ratio"], 2 * VALUES["expert_ratio_8_bit"]),
    ],
)
def test_formats_reach_shares_of_their_own_peaks_and_experts_those_of_16_bits(
    recipe, dense, experts
):
    found = stood(**recipe)
    assert found.gemm_share == approx(VALUES["gemm_share_gpu"] * dense)
    assert found.gemm_share_16_bit == VALUES["gemm_share_gpu"]
    assert found.expert_share == approx(VALUES["gemm_share_gpu"] * experts)


def test_frozen_weights_take_one_product_backward():
    assert stood().weight_gradient == 2.0
    assert stood(frozen_weights=True).weight_gradient == 1.0


@pytest.mark.parametrize(
    "member",
    [
        "tile_width",
        "memory_share",
        "hidden_passes",
        "ffn_passes",
        "step_host_s",
        "logit_bytes",
        "scale_up_share",
        "scale_out_share",
        "collective_s",
        "transfer_exposed",
        "context_exposed",
        "shard_bytes",
        "shard_sum",
        "odd_width_ratio",
        "expert_tile_width",
        "expert_exposed",
        "expert_exposed_out",
        "scale_per_doubling",
    ],
)
def test_what_depends_on_neither_machine_nor_year_stands_as_it_is(member):
    for machine, year in ((GPU, 2022.0), (TPU, 2026.6)):
        assert getattr(stood(machine, software_year=year), member) == VALUES[member]
