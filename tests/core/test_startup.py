"""Whole steps, at least one, and the time that devices are held before the first and after it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.stages.startup import startup_hours
from service.core.training.formulas import steps_of
from tests.worlds import answer, embedded

SMALL = {"kind": "preset", "id": "llama-3.1-8b"}
SMALL_BYTES = 8_030_261_248 * 2
SECONDS = {
    name: embedded().assumptions[f"startup.{name}"]._value
    for name in ("training_seconds", "serving_seconds")
}
BYTE_PER_S = embedded().assumptions["startup.byte_per_s"]._value
NO_LOSSES = {"goodput": 1.0, "evaluation_share": 0.0, "idle_share": 0.0}
LORA = {
    "kind": "finetuning",
    "model": SMALL,
    "method": {"kind": "lora", "rank": 8},
    "data": {"kind": "tokens", "tokens": 500},
    "padding_share": 0.0,
    "global_batch_tokens": 4_096,
}
WORKS = {
    "compute": {"kind": "compute", "flop": 1e18, "mfu": 0.4},
    "pretraining": {"kind": "pretraining", "model": SMALL, "tokens": 1e9},
    "full": LORA | {"method": {"kind": "full"}},
    "lora": LORA,
    "generation": {
        "kind": "generation",
        "model": SMALL,
        "requests": 10,
        "prompt_tokens": 100,
        "responses": {"mean_tokens": 100, "most_tokens": 200},
    },
    "reinforcement": {
        "kind": "reinforcement",
        "model": SMALL,
        "steps": 2,
        "prompts_per_step": 16,
        "samples_per_prompt": 4,
        "prompt_tokens": 100,
        "responses": {"mean_tokens": 100, "most_tokens": 200},
    },
}
PASSES = {"compute": 0, "pretraining": 1, "full": 2, "generation": 1, "reinforcement": 3}
ENGINES = {
    "generation": ["serving_seconds"],
    "reinforcement": ["training_seconds", "serving_seconds"],
}


def quoted(work, devices=8, **stage):
    return answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": work} | stage]},
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
            "options": {"bases": ["rental"]},
        },
        embedded(),
    )


def stage_of(work, **place):
    (stage,) = quoted(work, **place).stages
    return stage


def test_a_lora_of_a_few_hundred_tokens_costs_a_step_and_its_start():
    start = stage_of(LORA).losses.startup_hours.central
    assert start > 0
    answered = quoted(LORA | NO_LOSSES | {"startup_hours": start})
    (stage,) = answered.stages
    assert stage.step.steps.central == 1.0
    one_step = stage.step.seconds.central / 3600
    assert stage.device_hours.central == pytest.approx(8 * (one_step + start), rel=1e-12)
    assert stage.wall_clock_hours.central == pytest.approx(one_step + start, rel=1e-12)
    for whole in (answered, quoted(LORA)):
        assert 1.0 < float(whole.bases[0].total.amount) < 10.0


@pytest.mark.parametrize("kind", WORKS)
def test_whoever_states_all_other_losses_has_divided_the_held_time(kind):
    assert stage_of(WORKS[kind] | NO_LOSSES).losses.startup_hours.central == 0
    for left_out in NO_LOSSES:
        some = {name: share for name, share in NO_LOSSES.items() if name != left_out}
        assert stage_of(WORKS[kind] | some).losses.startup_hours.central > 0


def test_the_start_of_an_adapter_is_its_engine_and_the_weights_that_it_loads():
    start = stage_of(LORA).losses.startup_hours.central
    engine = SECONDS["training_seconds"] / 3600
    loading = SMALL_BYTES / BYTE_PER_S / 3600
    assert engine + loading < start < engine + 1.01 * loading


@pytest.mark.parametrize("kind", PASSES)
def test_what_starts_and_what_is_loaded_and_saved_depends_on_the_work(kind):
    engines = sum(SECONDS[name] for name in ENGINES.get(kind, ["training_seconds"]))
    moved = PASSES[kind] * SMALL_BYTES / BYTE_PER_S
    start = stage_of(WORKS[kind]).losses.startup_hours
    assert start.central == pytest.approx((engines + moved) / 3600, rel=1e-9)
    assert start.p10 < start.central / 1.5 < 1.5 * start.central < start.p90


@pytest.mark.parametrize("kind", WORKS)
def test_a_start_of_no_time_leaves_the_hours_of_the_work(kind):
    whole, bare = stage_of(WORKS[kind]), stage_of(WORKS[kind] | {"startup_hours": 0})
    assert bare.losses.startup_hours.central == 0.0
    start = 8 * whole.losses.startup_hours.central
    assert whole.device_hours.central == pytest.approx(bare.device_hours.central + start)


@pytest.mark.parametrize("kind", WORKS)
def test_a_stated_start_is_added_as_it_is_and_every_attempt_has_it(kind):
    once, bare = (stage_of(WORKS[kind] | {"startup_hours": hours}) for hours in (2.5, 0.0))
    assert once.device_hours.central == pytest.approx(bare.device_hours.central + 2.5 * 8)
    often = stage_of(WORKS[kind] | {"startup_hours": 2.5}, repeat=3)
    assert often.device_hours.central == pytest.approx(3 * once.device_hours.central)


def test_a_throughput_that_was_measured_says_nothing_of_the_start():
    anchor = {"tokens_per_s_per_device": 9_000, "devices": 8, "layout": {"zero_stage": 3}}
    stage = stage_of(WORKS["pretraining"] | {"anchor": anchor})
    assert stage.losses.startup_hours.central > 0.1


@pytest.mark.parametrize(
    "work", [{"kind": "metered", "device_hours": 10.0}, {"kind": "timed", "hours": 1.25}]
)
def test_hours_that_are_given_have_their_start_in_them(work):
    stage = stage_of(work)
    assert stage.device_hours.central == 10.0
    assert not stage.losses


def test_a_default_start_that_is_most_of_a_stage_is_said():
    def said(work):
        return [w.pointer for w in quoted(work).notes if w.code == "assumed_startup"]

    assert said(LORA) == ["/run/stages/0/work/startup_hours"]
    assert said(LORA | {"startup_hours": 0.1}) == []
    assert said(WORKS["pretraining"] | {"tokens": 1e12}) == []


@given(tokens=st.floats(1.0, 1e18), batch=st.floats(1.0, 1e10))
def test_steps_are_whole_and_at_least_one(tokens, batch):
    steps = float(steps_of(tokens=tokens, tokens_per_step=batch))
    assert steps == max(1.0, round(steps))
    assert steps >= tokens / batch * (1 - 1e-8)
    assert steps <= tokens / batch + 1


def test_a_division_that_leaves_a_rounding_error_is_no_step_more():
    assert steps_of(tokens=3.0 * (1 + 1e-15), tokens_per_step=1.0) == 3.0
    assert steps_of(tokens=3.001, tokens_per_step=1.0) == math.ceil(3.001)


@settings(max_examples=25, deadline=None)
@given(
    few=st.floats(1.0, 1e12), more=st.floats(1.0, 1e12), method=st.sampled_from(["lora", "full"])
)
def test_more_tokens_never_take_fewer_hours_and_none_take_less_than_a_step(few, more, method):
    few, more = sorted((few, more))
    less, rest = (
        stage_of(WORKS[method] | {"data": {"kind": "tokens", "tokens": tokens}})
        for tokens in (few, more)
    )
    assert less.device_hours.central <= rest.device_hours.central
    step = less.step.seconds.central * 8 / 3600
    assert less.device_hours.central >= step + less.losses.startup_hours.central * 8


def test_bytes_over_their_rate_and_the_seconds_of_engines_are_the_start():
    hours = startup_hours(
        training_seconds=400.0, serving_seconds=200.0, weight_bytes=9e12, byte_per_s=3e9
    )
    assert hours == pytest.approx((400 + 200 + 3000) / 3600)
