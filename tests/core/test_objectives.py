"""Preferences, judges and students: what a loss adds to a training step, and to memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import UnpricedBill
from tests.worlds import answer, embedded, told

SMALL = {"kind": "preset", "id": "llama-3.1-8b"}
LARGE = {"kind": "preset", "id": "llama-3.1-70b"}
# Shares nothing that a search could choose differently.
LAYOUT = {"zero_stage": 3, "recompute": "full"}
TERMS = {
    "model": SMALL,
    "data": {"kind": "examples", "examples": 10_000, "mean_tokens": 1_000, "epochs": 2},
    "layout": LAYOUT,
}
LOSS_ERROR = 1.15
"""The central value of what a forward pass takes over its FLOP."""


def quoted(kind, **members):
    work = {"kind": kind} | TERMS | members
    return answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": work}]},
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 16,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        embedded(),
    )


def stage(kind, **members):
    found = quoted(kind, **members).stages[0]
    assert found.feasibility.status == "fits", found.feasibility
    return found


def seconds_per_token(kind, **members):
    return 1.0 / stage(kind, **members).tokens_per_s_per_device.central


def spread(kind, **members):
    hours = stage(kind, **members).device_hours
    return hours.p90 / hours.p10


def weight_bytes(kind, **members):
    """Bytes of weights besides their master copies."""
    return stage(kind, **members).memory.parts.get("weights", 0.0)


def codes(found):
    return {warning.code for warning in told(found)}


@pytest.mark.parametrize(
    ("loss", "passes"), [("dpo", 1), ("ipo", 1), ("kto", 3), ("orpo", 0), ("simpo", 0)]
)
def test_each_forward_pass_of_a_frozen_copy_is_a_third_of_a_training_step(loss, passes):
    plain = seconds_per_token("finetuning")
    with_copy = seconds_per_token("preference", loss=loss)
    assert with_copy / plain == pytest.approx((1 + passes / 3) * LOSS_ERROR, rel=1e-6)


def test_a_pass_that_is_at_hand_is_not_computed_again():
    without = seconds_per_token("preference", reference_pass=False)
    assert without == pytest.approx(seconds_per_token("finetuning") * LOSS_ERROR, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "members", "answers"),
    [
        ("preference", {}, 2),
        ("preference", {"loss": "kto"}, 1),
        ("reward_modelling", {}, 2),
        ("distillation", {"teacher": LARGE}, 1),
    ],
)
def test_both_answers_of_a_pair_are_trained_on(kind, members, answers):
    trained = stage(kind, **members).tokens["trained"].central
    assert trained == answers * 10_000 * 1_000 * 2


def test_a_frozen_copy_stands_in_memory_once_and_adapters_are_their_own():
    """8.03e9 weights of two bytes, sharded over 16 devices."""
    plain = weight_bytes("finetuning")
    assert weight_bytes("preference") - plain == pytest.approx(8.03e9 * 2 / 16, rel=0.01)
    assert weight_bytes("preference", reference_pass=False) == plain
    lora = {"method": {"kind": "lora"}}
    assert weight_bytes("preference", **lora) == weight_bytes("finetuning", **lora)


def test_a_judge_computes_no_logits():
    """Three products of 4,096 x 128,256 a token, of 3 x 2 x 7.5e9 and attention, are left out."""
    left_out = seconds_per_token("reward_modelling") / seconds_per_token("finetuning") / LOSS_ERROR
    head = 2 * 4096 * 128256
    layers = 2 * (8.03e9 - 2 * 4096 * 128256) + 2 * 32 * 4096 * 4096
    assert left_out == pytest.approx(layers / (layers + head), rel=0.01)


def test_a_teacher_runs_forward_and_its_weights_stand_beside_the_student():
    """70.6e9 parameters beside 8.03e9: its forward pass is near nine of the student's."""
    plain = seconds_per_token("finetuning")
    taught = seconds_per_token("distillation", teacher=LARGE)
    assert taught / plain / LOSS_ERROR == pytest.approx(1 + 70.6 / 8.03 / 3, rel=0.02)
    added = weight_bytes("distillation", teacher=LARGE) - weight_bytes("finetuning")
    assert added == pytest.approx(70.55e9 * 2 / 16, rel=0.01)
    assert seconds_per_token("distillation", teacher=SMALL) == pytest.approx(
        seconds_per_token("preference")
    )


def test_a_loss_that_nobody_measured_says_so_and_is_wider():
    assert "unmeasured_loss" not in codes(quoted("preference"))
    measured = spread("preference", reference_pass=False)
    for kind, members in (("reward_modelling", {}), ("preference", {"loss": "simpo"})):
        assert "unmeasured_loss" in codes(quoted(kind, **members))
        assert spread(kind, **members) > measured


def test_a_stated_mfu_leaves_no_room_for_an_error_of_passes():
    at = {"mfu": 0.4}
    ratio = seconds_per_token("preference", **at) / seconds_per_token("finetuning", **at)
    assert ratio == pytest.approx(4 / 3, rel=1e-9)


def test_a_teacher_that_is_unknown_is_a_state_and_not_a_price():
    teacher = {"kind": "parameters", "total": 7e9, "active": 70e9}
    found = quoted("distillation", teacher=teacher)
    assert found.stages[0].feasibility.status == "contradictory"
    assert all(isinstance(bill, UnpricedBill) for bill in found.bases)


@settings(max_examples=15)
@given(
    total=st.floats(min_value=1e9, max_value=100e9), factor=st.floats(min_value=1.1, max_value=1.9)
)
def test_a_larger_teacher_never_takes_less_time_or_memory(total, factor):
    small, large = (
        stage("distillation", teacher={"kind": "parameters", "total": total * by})
        for by in (1.0, factor)
    )
    assert large.device_hours.central >= small.device_hours.central
    assert large.memory.total_bytes >= small.memory.total_bytes
