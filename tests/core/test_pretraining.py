"""From a model and its tokens to device-hours, through whole quotes."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import PricedBill, UnpricedBill
from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.core.training.formulas import (
    anchored_s,
    device_hours_of_steps,
    executed_over_model_flop,
    hfu_of_mfu,
    mfu_of_step,
    scaled_s,
    seconds_at_mfu,
    steps_of,
    tokens_per_s_per_device,
)
from service.core.training.parallelism import Layout
from tests.worlds import answer, embedded, told

LLAMA = {"kind": "preset", "id": "llama-3.1-8b"}
OWN = {
    "kind": "transformer",
    "layers": 32,
    "hidden_size": 4096,
    "heads": 32,
    "kv_heads": 8,
    "ffn_size": 14336,
    "vocab_size": 128256,
}


def stage_of(devices=64, accelerator="nvidia-h100-sxm-80gb", **work):
    """The one stage of a quote of pretraining, and the quote."""
    body = {"kind": "pretraining", "model": LLAMA, "tokens": 1e12} | work
    quoted = answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": body}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        embedded(),
    )
    return quoted.stages[0], quoted


def codes(quoted):
    return {warning.code for warning in told(quoted)}


def test_the_parts_of_a_step_add_up_to_it_and_the_parts_of_memory_to_the_total():
    stage, _ = stage_of()
    assert sum(stage.step.parts.values()) == pytest.approx(stage.step.predicted_s, rel=1e-12)
    assert sum(stage.memory.parts.values()) == pytest.approx(stage.memory.total_bytes, rel=1e-12)
    assert stage.step.binding == max(stage.step.parts, key=stage.step.parts.get)


def test_device_hours_follow_from_steps_their_time_and_what_runs_lose_beside():
    stage, quoted = stage_of()
    expected = stage.step.steps.central * stage.step.seconds.central * stage.devices
    beside = stage.losses.evaluation_share.central + stage.losses.idle_share.central
    expected /= stage.goodput.central * (1 - beside) * 3600
    expected *= quoted.figures["assumptions/engine.measured_over_predicted.run"].value
    expected += stage.losses.startup_hours.central * stage.devices
    assert stage.device_hours.central == pytest.approx(expected, rel=1e-12)


def test_mfu_is_model_flop_over_the_peak_of_all_devices():
    stage, quoted = stage_of()
    flop = quoted.figures["stages/0/flop_per_token"].value
    rate = stage.tokens_per_s_per_device.central
    assert stage.mfu.central == pytest.approx(flop * rate / 989.4e12, rel=1e-3)
    assert 0.0 < stage.mfu.central < 1.0
    assert stage.hfu.central >= stage.mfu.central


def test_twice_the_tokens_take_twice_the_hours():
    steps, batch = 250_000, 4_194_304
    once, _ = stage_of(tokens=steps * batch, startup_hours=0)
    twice, _ = stage_of(tokens=2 * steps * batch, startup_hours=0)
    assert twice.device_hours.central == pytest.approx(2 * once.device_hours.central, rel=1e-12)
    assert twice.device_hours.p90 == pytest.approx(2 * once.device_hours.p90, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(few=st.integers(1, 512), more=st.integers(1, 512))
def test_more_devices_never_raise_the_wall_clock_of_the_best_layout(few, more):
    few, more = sorted((few, more))
    slow, _ = stage_of(devices=few, goodput=1.0)
    fast, _ = stage_of(devices=more, goodput=1.0)
    if slow.feasibility.status == "fits":
        assert fast.feasibility.status == "fits"
        assert fast.step.predicted_s <= slow.step.predicted_s * (1 + 1e-9)


def test_a_stated_mfu_sets_the_step_time():
    stage, _ = stage_of(mfu=0.4, startup_hours=0)
    assert stage.mfu.central == 0.4
    assert stage.mfu.figure == "request/run/stages/0/work/mfu"
    half, _ = stage_of(mfu=0.2, startup_hours=0)
    assert half.device_hours.central == pytest.approx(2 * stage.device_hours.central, rel=1e-12)


def test_a_preset_and_its_own_description_are_the_same_model():
    preset, _ = stage_of()
    own, _ = stage_of(model=OWN)
    assert own.step.predicted_s == pytest.approx(preset.step.predicted_s, rel=1e-12)


def test_a_model_known_by_its_parameters_is_said_to_be_assumed():
    stage, quoted = stage_of(model={"kind": "parameters", "total": 8.03e9})
    assert "assumed_architecture" in codes(quoted)
    preset, _ = stage_of()
    assert stage.device_hours.central == pytest.approx(preset.device_hours.central, rel=0.1)


def test_what_does_not_fit_is_a_state_and_its_bill_has_no_total():
    stage, quoted = stage_of(devices=8, model={"kind": "preset", "id": "llama-3.1-405b"})
    assert stage.feasibility.status == "does_not_fit"
    assert isinstance(quoted.bases[0], UnpricedBill)
    assert "does_not_fit" in codes(quoted)
    assert stage.memory.total_bytes > stage.memory.capacity_bytes


def test_a_stated_mfu_prices_even_what_does_not_fit_and_says_so():
    model = {"kind": "preset", "id": "llama-3.1-405b"}
    stage, quoted = stage_of(devices=8, model=model, mfu=0.4)
    assert stage.feasibility.status == "does_not_fit"
    assert isinstance(quoted.bases[0], PricedBill)


def test_a_layout_that_cannot_be_is_contradictory_and_points_at_the_member():
    stage, quoted = stage_of(layout={"tensor_parallel": 7})
    assert stage.feasibility.status == "contradictory"
    (warning,) = [each for each in told(quoted) if each.code == "contradictory"]
    assert warning.pointer == "/run/stages/0/work/layout/tensor_parallel"


def test_a_model_that_cannot_be_is_contradictory():
    stage, quoted = stage_of(model={**OWN, "kv_heads": 5})
    assert stage.feasibility.status == "contradictory"
    assert "contradictory" in codes(quoted)


def test_recompute_that_a_layout_leaves_open_is_the_least_that_fits():
    """On 64 devices of 80 GB, replicas of an 8B model keep all of 4,096 tokens, not of 65,536."""
    short, quoted = stage_of(layout={"tensor_parallel": 2})
    assert short.layout.recompute == "none"
    assert not [each for each in told(quoted) if "recompute" in each.detail]
    long, quoted = stage_of(layout={"tensor_parallel": 2}, sequence_length=65536.0)
    assert long.layout.recompute != "none"
    (warning,) = [each for each in told(quoted) if "recompute" in each.detail]
    assert warning.pointer.endswith("/layout/recompute")
    stated, _ = stage_of(
        layout={"tensor_parallel": 2, "recompute": long.layout.recompute}, sequence_length=65536.0
    )
    assert stated.step == long.step
    kept, _ = stage_of(layout={"tensor_parallel": 2, "recompute": "none"}, sequence_length=65536.0)
    assert kept.feasibility.status == "does_not_fit"


def test_a_layout_of_the_caller_may_need_more_by_what_the_estimate_errs():
    """What DeepSeek ran (arXiv 2412.19437, section 3.2) is estimated to need 106% of the memory."""
    layout = {"pipeline_parallel": 16, "expert_parallel": 64, "pipeline_schedule": "dualpipe"}
    work = {
        "accelerator": "nvidia-h800-sxm-80gb",
        "devices": 2048,
        "model": {"kind": "preset", "id": "deepseek-v3"},
        "global_batch_tokens": 15360 * 4096,
        "precision": "fp8",
        "expert_kernels": "fused",
        "optimizer": "adamw_bf16_states",
    }
    stated, quoted = stage_of(layout={**layout, "recompute": "selective"}, **work)
    assert stated.memory.total_bytes > stated.memory.capacity_bytes
    assert stated.feasibility.status == "tight"
    (warning,) = [each for each in told(quoted) if each.code == "memory_tight"]
    assert warning.pointer == "/run/stages/0/work/layout"
    open_, quoted = stage_of(layout=layout, **work)
    assert open_.layout.recompute == "full"
    assert open_.memory.total_bytes <= open_.memory.capacity_bytes
    assert "memory_tight" not in codes(quoted)
    whole, _ = stage_of(layout={**layout, "recompute": "none"}, **work)
    assert whole.feasibility.status == "does_not_fit"


@pytest.mark.parametrize("framework", ["deepspeed", "fsdp_eager", "lightning"])
def test_what_fits_with_fused_kernels_is_not_refused_where_the_framework_leaves_them_open(
    framework,
):
    """The fp32 logits of 250 thousand entries fill a V100: whether there are any, nobody said."""
    wide = OWN | {"layers": 24, "hidden_size": 1024, "heads": 16, "kv_heads": 16} | {
        "ffn_size": 4096, "gated_ffn": False, "tied_embeddings": True, "vocab_size": 250_000,
    }  # fmt: skip

    def status_of(micro_batch=4, **said):
        work = {"model": wide, "sequence_length": 2048, "global_batch_tokens": 2**20}
        layout = {"micro_batch": micro_batch, "zero_stage": 0}
        stage, quoted = stage_of(
            accelerator="nvidia-v100-sxm2-32gb", precision="fp16", layout=layout, **work, **said
        )
        return stage.feasibility, quoted

    open_, quoted = status_of(framework=framework)
    assert open_.status == "tight"
    (warning,) = [each for each in told(quoted) if each.code == "memory_tight"]
    assert "`loss_kernel`" in warning.detail
    assert status_of(framework="hf_trainer")[0].status == "does_not_fit"
    assert status_of(framework=framework, loss_kernel="unfused")[0].status == "does_not_fit"
    assert status_of(framework=framework, loss_kernel="fused")[0].status == "tight"
    assert status_of(8, framework=framework)[0].status == "does_not_fit"


def test_a_layout_of_the_caller_is_taken_as_it_is():
    stage, quoted = stage_of(layout={"tensor_parallel": 2, "recompute": "full"})
    assert stage.layout.tensor_parallel == 2
    assert stage.layout.data_parallel == 32
    assert stage.hfu.central > stage.mfu.central
    assert "assumed_layout" not in codes(quoted)


def test_the_searched_layout_is_at_least_as_fast_as_any_of_its_runners_up():
    stage, _ = stage_of()
    assert stage.runners_up
    assert all(each.step_time_ratio >= 1.0 for each in stage.runners_up)


def test_an_anchor_carries_over_what_the_engine_missed_and_narrows_the_interval():
    layout = {"tensor_parallel": 2}
    plain, _ = stage_of(layout=layout)
    measured = plain.tokens_per_s_per_device.central / 1.25
    anchor = {"tokens_per_s_per_device": measured, "devices": 64, "layout": layout}
    anchored, _ = stage_of(layout=layout, anchor=anchor)
    assert anchored.tokens_per_s_per_device.central == pytest.approx(measured, rel=0.05)
    spread = [each.step.seconds.p90 / each.step.seconds.p10 for each in (anchored, plain)]
    assert spread[0] < spread[1]


def test_a_device_without_rates_is_unknown_and_not_a_zero():
    stage, quoted = stage_of(accelerator="intel-gaudi1")
    assert stage.feasibility.status == "unknown"
    assert isinstance(quoted.bases[0], UnpricedBill)


@pytest.mark.parametrize("model", sorted(embedded().models))
def test_every_preset_is_quoted(model):
    stage, quoted = stage_of(devices=2048, model={"kind": "preset", "id": model}, tokens=1e11)
    assert stage.feasibility.status == "fits"
    json.loads(msgspec.json.encode(quoted))


@pytest.mark.parametrize("accelerator", sorted(embedded().accelerators))
def test_every_accelerator_has_an_answer(accelerator):
    stage, _ = stage_of(devices=64, accelerator=accelerator)
    assert stage.feasibility.status in {"fits", "does_not_fit", "unknown"}
    if stage.feasibility.status == "fits":
        assert 0.0 < stage.mfu.central < 1.0


DENSE = architecture_of(
    Transformer(layers=4, hidden_size=512, heads=8, kv_heads=2, ffn_size=1024, vocab_size=1000)
)
FORWARD_OF_LAYERS = 4 * 2 * (2 * 512 * 512 + 2 * 512 * 128 + 3 * 512 * 1024)
SCORES_AND_VALUES = 4 * 2 * 2 * 8 * 64 * (2048 / 2)
LOGITS = 2 * 512 * 1000


@pytest.mark.parametrize(
    ("recompute", "again"),
    [
        (0.0, 0.0),
        (1.0, SCORES_AND_VALUES),
        (2.0, FORWARD_OF_LAYERS + SCORES_AND_VALUES),
    ],
)
def test_what_is_computed_again_is_attention_or_all_layers_but_no_logits(recompute, again):
    forward = FORWARD_OF_LAYERS + SCORES_AND_VALUES + LOGITS
    for share in (1.0, 0.25):
        ratio = executed_over_model_flop(
            architecture=DENSE,
            layout=Layout(recompute=recompute, recompute_share=share),
            sequence_length=2048.0,
        )
        assert ratio == pytest.approx(1 + share * again / (3 * forward))
    assert hfu_of_mfu(mfu=0.4, executed_over_model_flop=1.25) == 0.5


def test_an_anchor_scales_a_step_by_what_it_measured_over_what_is_predicted_of_it():
    """A million tokens at 500 a second on each of 100 devices are 20 seconds; 16 were predicted."""
    seconds = anchored_s(
        predicted_s=8.0,
        anchor_predicted_s=16.0,
        anchor_tokens_per_step=1e6,
        anchor_tokens_per_s_per_device=500.0,
        anchor_devices=100.0,
        measured_over_predicted=1.1,
    )
    assert seconds == pytest.approx(8 * 20 / 16 * 1.1)


def test_steps_and_their_seconds_make_device_hours_and_throughput():
    """A trillion tokens in steps of four million that take 10 seconds on 1,000 devices."""
    steps = steps_of(tokens=1e12, tokens_per_step=4e6)
    assert steps == 250_000
    hours = device_hours_of_steps(steps=steps, seconds=10.0, devices=1_000.0, goodput=0.8)
    assert hours == pytest.approx(250_000 * 10 * 1_000 / 0.8 / 3_600)
    assert tokens_per_s_per_device(tokens_per_step=4e6, seconds=10.0, devices=1_000.0) == 400.0
    step = {"flop_per_token": 4e10, "tokens_per_step": 4e6, "devices": 1_000.0}
    mfu = mfu_of_step(**step, peak_flop_per_s=1e15, seconds=10.0)
    assert mfu == pytest.approx(4e10 * 4e6 / (1_000 * 1e15 * 10))
    assert seconds_at_mfu(**step, peak_flop_per_s=1e15, mfu=mfu) == pytest.approx(10.0)
    assert scaled_s(predicted_s=10.0, measured_over_predicted=1.2, flop_ratio=0.5) == 6.0


def test_kernels_of_experts_without_a_gate_are_not_fused():
    """Asked for in 2026 and in a scaled format, in which those of gated experts are."""

    def experts(*, gated, **said):
        model = {
            "kind": "transformer",
            "layers": 8,
            "hidden_size": 2048,
            "heads": 16,
            "vocab_size": 32_000,
            "gated_ffn": gated,
            "moe": {"experts": 16, "experts_per_token": 4, "moe_ffn_size": 1024},
        }
        stage, _ = stage_of(
            accelerator="nvidia-b200-sxm",
            model=model,
            precision="nvfp4",
            software_year=2026.5,
            **said,
        )
        return stage.step.parts["experts"]

    assert experts(gated=False) == experts(gated=False, expert_kernels="grouped")
    assert experts(gated=True) == experts(gated=True, expert_kernels="fused")
    assert experts(gated=True) < experts(gated=True, expert_kernels="grouped")
