"""Measured speeds beside the peak of the device: above it refused, close to it warned of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import UnpricedBill
from service.core.catalog.errors import NotQuotable, SpeedAbovePeak
from service.core.training.formulas import mfu_at_speed, mfu_of_step
from tests.worlds import answer, embedded

SPEED_AT = "/run/stages/0/work/anchor/tokens_per_s_per_device"
H100_BF16_FLOP_PER_S = 989.4e12
LLAMA_8B_FLOP_PER_TOKEN = 48.25e9
"""Six times 7.5 billion parameters in matrices, and 3.1e9 for attention over 4,096 tokens."""


def request(speed, *, anchor: dict[str, Any] | None = None, **work):
    """15T tokens through an 8B model on H100s, anchored to a speed."""
    said = {"tokens_per_s_per_device": speed, "devices": 64, "layout": {"tensor_parallel": 1}}
    body = {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": "llama-3.1-8b"},
        "tokens": 15e12,
        "anchor": said | (anchor or {}),
    }
    stages = [{"name": "stage", "work": body | work}]
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    cluster = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64, "supply": supply}
    return {"run": {"name": "run", "stages": stages}, "cluster": cluster}


def quoted(*said, **named):
    return answer(request(*said, **named), embedded())


def refusal(*said, **named):
    with pytest.raises(NotQuotable) as refused:
        quoted(*said, **named)
    (error,) = refused.value.errors
    assert isinstance(error, SpeedAbovePeak)
    return error


def test_the_numbers_of_this_module_are_those_of_the_catalog_and_the_formula():
    figures = quoted(9_000).figures
    peak = figures["accelerators/nvidia-h100-sxm-80gb/peak_bf16_dense"].value
    assert peak == pytest.approx(H100_BF16_FLOP_PER_S, rel=1e-3)
    flop = figures["stages/0/anchor/flop_per_token"].value
    assert flop == pytest.approx(LLAMA_8B_FLOP_PER_TOKEN, rel=1e-2)
    mfu = figures["stages/0/anchor/mfu_at_speed"]
    assert mfu.value == pytest.approx(9_000 * flop / peak)


@pytest.mark.parametrize("work", [{}, {"mfu": 0.4}], ids=["anchored", "at a stated MFU"])
def test_a_speed_above_the_peak_is_refused_at_its_place_with_both_numbers(work):
    """989.4e12 / 48.25e9 = 20,500 tokens/s are an MFU of 1, and 500,000 are one of 24.4."""
    error = refusal(500_000, **work)
    assert error.pointer == SPEED_AT
    assert error.detail.startswith("500,000 tokens/s per device are above the 20,497.8")
    assert "an MFU of 24.4" in error.detail


def test_the_middle_of_an_interval_counts():
    assert refusal({"low": 10_000, "high": 90_000}).pointer == SPEED_AT
    quoted({"low": 8_000, "high": 10_000})


def test_the_anchor_s_own_model_precision_and_length_count():
    small = {"model": {"kind": "parameters", "total": 1e9}}
    quoted(50_000, anchor=small)
    refusal(50_000)
    quoted(30_000, anchor={"precision": "fp8"}, precision="fp8")
    refusal(30_000)


def test_every_such_anchor_is_an_error_of_its_own():
    asked = request(500_000)
    asked["run"]["stages"] += [
        asked["run"]["stages"][0] | {"name": "second"},
        {"name": "third", "work": request(9_000)["run"]["stages"][0]["work"]},
    ]
    with pytest.raises(NotQuotable) as refused:
        answer(asked, embedded())
    assert [error.pointer for error in refused.value.errors] == [
        f"/run/stages/{index}/work/anchor/tokens_per_s_per_device" for index in (0, 1)
    ]


def test_names_come_first():
    """A speed cannot be judged while its model stands for nothing."""
    asked = request(500_000)
    asked["run"]["stages"][0]["work"]["model"]["id"] = "llama-9"
    with pytest.raises(NotQuotable) as refused:
        answer(asked, embedded())
    assert not any(isinstance(error, SpeedAbovePeak) for error in refused.value.errors)


def test_a_speed_close_to_the_peak_is_implausible_at_its_place():
    (warning,) = (one for one in quoted(16_000).warnings if one.code == "implausible_value")
    assert warning.pointer == SPEED_AT
    assert warning.detail.startswith("16,000 tokens/s as an MFU: 0.7806 is far outside")
    assert warning.observed.given == pytest.approx(0.7806, abs=1e-4)
    assert "implausible_value" not in {one.code for one in quoted(9_000).warnings}


def test_a_speed_that_lifts_the_stage_itself_above_the_peak_contradicts_it():
    """Measured with everything computed twice, it says too much of a step that does not."""
    found = quoted(18_000, anchor={"layout": {"tensor_parallel": 8, "recompute": "full"}})
    (warning,) = (one for one in found.warnings if one.code == "contradictory")
    assert warning.pointer == SPEED_AT
    assert "no step runs above the peak" in warning.detail
    assert isinstance(found.bases[0], UnpricedBill)


TUNED = (
    {"kind": "full"},
    {"kind": "frozen", "frozen_share": 0.5},
    {"kind": "lora"},
    {"kind": "qlora"},
)


def tuned(method, anchor=None):
    """100 million tokens of tuning on the Trainer, in micro-batches of one on each of 8 H100s."""
    said = {} if anchor is None else {"anchor": {"layout": {"recompute": "full"}, **anchor}}
    work = {
        "kind": "finetuning",
        "model": {"kind": "preset", "id": "llama-3.2-3b"},
        "data": {"kind": "tokens", "tokens": 1e8},
        "method": method,
        "sequence_length": 2048,
        "global_batch_tokens": 16_384,
        "framework": "hf_eager",
        "layout": {"recompute": "full"},
    }
    asked = request(9_000)
    asked["run"]["stages"] = [{"name": "stage", "work": work | said}]
    return answer(asked | {"cluster": asked["cluster"] | {"devices": 8}}, embedded())


@pytest.mark.parametrize("method", TUNED, ids=lambda method: method["kind"])
def test_fine_tuning_runs_at_the_speed_of_its_anchor_and_is_surer_of_it(method):
    """An anchor of the stage's own step is its speed, whatever the method saves of a step."""
    plain = tuned(method)
    speed = plain.figures["stages/0/tokens_per_s_per_device"].value * 0.8
    anchored = tuned(method, {"tokens_per_s_per_device": speed, "devices": 8})
    assert anchored.figures["stages/0/tokens_per_s_per_device"].value == pytest.approx(speed)
    widths = [
        found.figures["stages/0/step/seconds"].p90 / found.figures["stages/0/step/seconds"].p10
        for found in (anchored, plain)
    ]
    assert widths[0] < widths[1]
    ratio = [found.figures["stages/0/step/seconds"].value for found in (anchored, plain)]
    assert ratio[0] / ratio[1] == pytest.approx(1 / 0.8)


def test_an_anchor_of_a_shorter_sequence_has_the_ratio_of_its_own_flop():
    """Adapters weigh less beside a step of which more is attention, which has no weights."""
    shorter = {"devices": 1, "sequence_length": 512, "global_batch_tokens": 512}
    figures = tuned({"kind": "lora"}, shorter | {"tokens_per_s_per_device": 9_000}).figures
    assert figures["stages/0/anchor/flop_ratio"].value > figures["stages/0/flop_ratio"].value
    found = figures["stages/0/step/seconds"]
    parts = {name: figures[figure].value for name, figure in found.source.inputs.items()}
    assert found.value == pytest.approx(
        parts["predicted_s"]
        * parts["flop_ratio"]
        * (512 / 9_000)
        / (parts["anchor_predicted_s"] * parts["anchor_flop_ratio"])
        * parts["measured_over_predicted"]
    )


def test_the_peak_of_a_tuning_s_speed_is_that_of_its_own_flop():
    """Adapters need two thirds of the FLOP, so that their peak is 1.5 times as fast."""
    plain = tuned({"kind": "lora"})
    most = 1 / plain.figures["stages/0/mfu"].value
    peak = most * plain.figures["stages/0/tokens_per_s_per_device"].value
    tuned({"kind": "lora"}, {"tokens_per_s_per_device": peak * 0.99, "devices": 8})
    with pytest.raises(NotQuotable):
        tuned({"kind": "lora"}, {"tokens_per_s_per_device": peak * 1.01, "devices": 8})
    with pytest.raises(NotQuotable):
        tuned({"kind": "full"}, {"tokens_per_s_per_device": peak * 0.99, "devices": 8})


@given(
    flop=st.floats(1e6, 1e13),
    tokens=st.floats(1.0, 1e9),
    devices=st.integers(1, 100_000),
    peak=st.floats(1e12, 1e16),
    seconds=st.floats(1e-3, 1e5),
)
def test_the_mfu_of_a_speed_is_that_of_the_step_with_that_speed(
    flop, tokens, devices, peak, seconds
):
    speed = tokens / (seconds * devices)
    by_speed = mfu_at_speed(
        flop_per_token=flop, tokens_per_s_per_device=speed, peak_flop_per_s=peak
    )
    by_step = mfu_of_step(
        flop_per_token=flop,
        tokens_per_step=tokens,
        devices=devices,
        peak_flop_per_s=peak,
        seconds=seconds,
    )
    assert by_speed == pytest.approx(by_step)
