"""Laws of the step-time engine: what must hold whatever the constants are."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.figures.constants import Constants
from service.core.model.flop import train_flop_per_token_causal
from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.core.training.frameworks import FRAMEWORKS
from service.core.training.parallelism import SCHEDULE_NAME, Layout, devices_of
from service.core.training.steptime import (
    Machine,
    Recipe,
    coefficients_of,
    effect_names,
    step_parts,
    step_seconds,
    traits_of,
    work_of,
)
from tests.worlds import embedded

CONSTANTS = embedded().engine.constants
MODELS = {
    name: architecture_of(msgspec.convert(embedded().models[name].architecture, Transformer))
    for name in ("llama-3.1-8b", "llama-3.1-405b", "deepseek-v3", "mixtral-8x7b")
}
H100 = Machine(
    peak_flop_per_s=989e12,
    bf16_peak_flop_per_s=989e12,
    memory_bandwidth_byte_per_s=3.35e12,
    scale_up_byte_per_s=450e9,
    scale_up_domain=8.0,
    scale_out_byte_per_s=50e9,
    generation="hopper",
    device="nvidia-h100-sxm-80gb",
)
TPU = H100._replace(kind="tpu", generation="tpu-v5p", scale_up_domain=256.0)

models = st.sampled_from(sorted(MODELS))
machines = st.sampled_from([H100, TPU, H100._replace(generation="unheard-of", device="")])
recipes = st.builds(
    Recipe,
    precision=st.sampled_from(["bf16", "fp16", "fp8", "mxfp8", "nvfp4", "int8"]),
    framework=st.sampled_from(sorted(FRAMEWORKS)),
    software_year=st.sampled_from([2021.5, 2023.5, 2024.5, 2025.5, 2026.5]),
    trained_share=st.sampled_from([0.0, 0.01, 1.0]),
    gathered_bytes=st.sampled_from([0.5, 2.0]),
    host_ratio=st.sampled_from([0.5, 1.0, 3.0]),
    unpacking_ratio=st.sampled_from([0.5, 1.0, 2.5]),
    open_framework=st.sampled_from([0.0, 0.5, 1.0]),
    eager_kernels=st.sampled_from([0.0, 0.5, 1.0]),
)
powers = [1.0, 2.0, 4.0, 8.0]
layouts = st.fixed_dictionaries(
    {
        "tensor_parallel": st.sampled_from(powers),
        "pipeline_parallel": st.sampled_from(powers),
        "data_parallel": st.sampled_from([1.0, 8.0, 64.0]),
        "context_parallel": st.sampled_from(powers),
        "expert_parallel": st.sampled_from(powers),
        "micro_batch": st.sampled_from([1.0, 2.0]),
        "virtual_stages": st.sampled_from([1.0, 2.0]),
        "zero_stage": st.sampled_from([0.0, 1.0, 2.0, 3.0]),
        "sequence_parallel": st.sampled_from([0.0, 1.0]),
        "recompute": st.sampled_from([0.0, 1.0, 2.0]),
        "pipeline_schedule": st.sampled_from(sorted(SCHEDULE_NAME)),
        "expert_overlap": st.sampled_from([0.0, 1.0]),
    }
).map(lambda members: Layout()._replace(**members))
cases = st.fixed_dictionaries(
    {"layout": layouts, "machine": machines, "recipe": recipes, "model": models}
)


def parts(layout, machine, recipe, model, *, batch=1024.0, sequence=8192.0):
    return step_parts(
        architecture=MODELS[model],
        layout=layout,
        sequence_length=sequence,
        global_batch=batch,
        machine=machine,
        recipe=recipe,
        constants=CONSTANTS,
    )


@settings(max_examples=30, deadline=None)
@given(cases)
def test_the_parts_are_not_negative_and_add_up_to_the_step(case):
    found = parts(**case)
    assert all(math.isfinite(part) and part >= -1e-12 for part in found)
    assert found.total == pytest.approx(math.fsum(found), rel=1e-12)
    again = step_seconds(
        architecture=MODELS[case["model"]],
        layout=case["layout"],
        sequence_length=8192.0,
        global_batch=1024.0,
        machine=case["machine"],
        recipe=case["recipe"],
        constants=CONSTANTS,
    )
    assert again == found.total


@settings(max_examples=30, deadline=None)
@given(cases)
def test_more_micro_batches_take_proportionally_longer_beside_what_comes_once_per_step(case):
    one, two, three = (parts(**case, batch=n * 1024.0).total for n in (1, 2, 3))
    assert one < two < three
    assert three - two == pytest.approx(two - one, rel=1e-9)
    assert two < 2 * one


@settings(max_examples=30, deadline=None)
@given(cases, st.floats(1.01, 10.0))
def test_a_faster_device_or_link_is_never_slower(case, factor):
    before = parts(**case).total
    for member in Machine._fields[:6]:
        faster = case["machine"]._replace(**{member: getattr(case["machine"], member) * factor})
        after = parts(**{**case, "machine": faster}).total
        assert after <= before * (1 + 1e-12), member


@settings(max_examples=30, deadline=None)
@given(cases)
def test_mfu_lies_between_zero_and_one_and_hfu_is_not_below_it(case):
    """Where every weight is trained, whose FLOP are those counted here."""
    case["recipe"] = case["recipe"]._replace(frozen_weights=False)
    found, machine = parts(**case), case["machine"]
    architecture = MODELS[case["model"]]
    flop = train_flop_per_token_causal(architecture=architecture, sequence_length=8192.0)
    useful = flop * 1024.0 * 8192.0
    held = found.total * devices_of(case["layout"]) * max(machine[:2])
    mfu = useful / held
    hfu = (useful + useful / 3 * (case["layout"].recompute == 2)) / held
    assert 0 < mfu <= hfu < 1


@settings(max_examples=30, deadline=None)
@given(cases)
def test_more_recompute_is_never_faster(case):
    seconds = [
        parts(**{**case, "layout": case["layout"]._replace(recompute=code)}).total
        for code in (0.0, 1.0, 2.0)
    ]
    assert seconds == sorted(seconds)


@settings(max_examples=30, deadline=None)
@given(cases)
def test_overlapping_the_exchange_of_experts_never_takes_longer(case):
    apart, beside = (
        parts(**{**case, "layout": case["layout"]._replace(expert_overlap=code)})
        for code in (0.0, 1.0)
    )
    assert beside.expert_parallel <= apart.expert_parallel
    assert beside.total <= apart.total * (1 + 1e-12)
    assert (beside.expert_parallel > 0) == (apart.expert_parallel > 0)


@settings(max_examples=30, deadline=None)
@given(cases)
def test_each_schedule_waits_less_for_the_pipeline_than_the_one_before(case):
    layout = case["layout"]._replace(virtual_stages=1.0)
    bubbles = [
        parts(**{**case, "layout": layout._replace(pipeline_schedule=code)}).pipeline_bubble
        for code in sorted(SCHEDULE_NAME)
    ]
    assert bubbles == sorted(bubbles, reverse=True)


def test_a_router_limited_to_groups_sends_to_fewer_domains():
    """DeepSeek-V3 reaches 4 of 8 groups: 3.5 other domains of 8, instead of 7 (1 - (7/8)^8)."""
    layout = Layout(data_parallel=64.0, expert_parallel=64.0)
    limited = MODELS["deepseek-v3"]
    free = limited._replace(expert_groups=1.0, groups_per_token=1.0)

    def outside(architecture):
        """Seconds of what crosses domains: the difference that a faster network makes."""
        slow, fast = (
            step_parts(
                architecture=architecture,
                layout=layout,
                sequence_length=4096.0,
                global_batch=1024.0,
                machine=H100._replace(scale_out_byte_per_s=rate),
                recipe=Recipe(),
                constants=CONSTANTS,
            ).expert_parallel
            for rate in (50e9, 100e9)
        )
        return slow - fast

    expected = 3.5 / (7 * (1 - (7 / 8) ** 8))
    assert outside(limited) / outside(free) == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(st.lists(layouts, min_size=2, max_size=6), machines, recipes, models)
def test_arrays_of_layouts_take_what_each_layout_takes(chosen, machine, recipe, model):
    many = Layout(*(np.array(column) for column in zip(*chosen, strict=True)))
    together = parts(many, machine, recipe, model)
    for place, layout in enumerate(chosen):
        alone = parts(layout, machine, recipe, model)
        for one, all_ in zip(alone, together, strict=True):
            assert np.broadcast_to(all_, len(chosen))[place] == pytest.approx(one, rel=1e-9)


def test_arrays_of_machines_take_what_each_machine_takes():
    layout = Layout(tensor_parallel=8.0, data_parallel=16.0)
    peaks = np.array([500e12, 989e12])
    many = H100._replace(peak_flop_per_s=peaks, bf16_peak_flop_per_s=peaks)
    together = parts(layout, many, Recipe(), "llama-3.1-8b").total
    for place, peak in enumerate(peaks):
        one = H100._replace(peak_flop_per_s=peak, bf16_peak_flop_per_s=peak)
        assert parts(layout, one, Recipe(), "llama-3.1-8b").total == together[place]


def test_an_array_of_software_years_takes_what_each_year_takes():
    layout, years = Layout(data_parallel=64.0), np.array([2021.5, 2023.5, 2026.5])
    together = parts(layout, H100, Recipe(software_year=years), "deepseek-v3").total
    for place, year in enumerate(years):
        alone = parts(layout, H100, Recipe(software_year=float(year)), "deepseek-v3").total
        assert alone == pytest.approx(together[place], rel=1e-12)


def test_the_work_of_a_step_is_the_flop_that_the_architecture_counts():
    for architecture in MODELS.values():
        work = work_of(architecture=architecture, sequence_length=8192.0)
        counted = train_flop_per_token_causal(architecture=architecture, sequence_length=8192.0)
        assert work.train_flop == pytest.approx(counted, rel=1e-12)


def test_a_device_that_was_never_measured_takes_its_generation_else_its_kind():
    effects = {"gemm_share/hopper": 0.1, "gemm_share/nvidia-h100-sxm-80gb": 0.02}
    constants = Constants(CONSTANTS.values, effects)

    def share(machine):
        traits = traits_of(machine=machine, recipe=Recipe(), constants=constants)
        return coefficients_of(traits=traits, values=constants.values).gemm_share

    kind = CONSTANTS.values["gemm_share_gpu"]
    assert share(H100) == pytest.approx(kind * math.exp(0.12))
    assert share(H100._replace(device="nvidia-h200")) == pytest.approx(kind * math.exp(0.1))
    assert share(H100._replace(device="", generation="")) == pytest.approx(kind)
    assert effect_names("gemm_share", H100) == tuple(effects)


def test_frozen_weights_save_the_gradients_of_weights():
    layout = Layout(data_parallel=8.0)
    full = parts(layout, H100, Recipe(), "llama-3.1-8b").gemm
    adapters = parts(layout, H100, Recipe(frozen_weights=True), "llama-3.1-8b").gemm
    assert adapters == pytest.approx(full * 2 / 3)


def test_adapters_are_charged_no_update_no_head_gradient_and_no_reduction_of_the_model():
    apart, sharded = Layout(data_parallel=8.0), Layout(data_parallel=8.0, zero_stage=3.0)
    tuned = Recipe(frozen_weights=True, trained_share=0.005)
    full, adapters = (parts(apart, H100, recipe, "llama-3.1-8b") for recipe in (Recipe(), tuned))
    assert adapters.optimizer == pytest.approx(full.optimizer * 0.005)
    assert adapters.data_parallel == pytest.approx(full.data_parallel * 0.005)
    assert adapters.vocabulary < full.vocabulary
    wide, narrow = (
        parts(sharded, H100, tuned._replace(gathered_bytes=size), "llama-3.1-8b").data_parallel
        for size in (2.0, 0.5)
    )
    assert narrow < wide < parts(sharded, H100, Recipe(), "llama-3.1-8b").data_parallel


def test_fused_kernels_hasten_experts_in_8_bits_and_no_other_format_or_model():
    layout = Layout(data_parallel=64.0, expert_parallel=8.0)

    def timed(model, **recipe):
        return parts(layout, H100, Recipe(**recipe), model)

    grouped = timed("deepseek-v3", precision="fp8", expert_kernels="grouped")
    fused = timed("deepseek-v3", precision="fp8", expert_kernels="fused")
    assert fused.experts < grouped.experts
    assert fused.total < grouped.total
    assert (fused.gemm, fused.attention) == (grouped.gemm, grouped.attention)
    for model, precision in (("deepseek-v3", "bf16"), ("llama-3.1-8b", "fp8")):
        assert timed(model, precision=precision, expert_kernels="fused") == timed(
            model, precision=precision, expert_kernels="grouped"
        )


def test_stacks_fuse_scaled_formats_of_gated_experts_since_2026():
    layout = Layout(data_parallel=64.0, expert_parallel=8.0)

    def usual(**recipe):
        return parts(layout, H100, Recipe(**recipe), "deepseek-v3")

    def said(kernels, **recipe):
        return parts(layout, H100, Recipe(expert_kernels=kernels, **recipe), "deepseek-v3")

    late, early = {"software_year": 2026.5}, {"software_year": 2026.0}
    assert usual(precision="mxfp8", **late) == said("fused", precision="mxfp8", **late)
    assert usual(precision="mxfp8", **early) == said("grouped", precision="mxfp8", **early)
    assert usual(precision="fp8", **late) == said("grouped", precision="fp8", **late)
    plain = {"precision": "mxfp8", "gated_experts": False, **late}
    assert usual(**plain) == said("grouped", **plain)
