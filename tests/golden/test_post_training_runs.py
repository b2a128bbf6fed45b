"""Published fine-tuning and reinforcement runs, predicted from their descriptions alone."""

import math
import statistics

import msgspec
import pytest
from msgspec import UNSET

from service.scoring.runs.post_training import request_of
from tests.worlds import answer, embedded, told

RUNS = {run.id: run for run in embedded().runs.values() if run.kind in ("rl", "sft", "generation")}


def quoted(run):
    request = request_of(run, embedded())
    if isinstance(request, str):
        return None
    priced = msgspec.to_builtins(request)
    priced["cluster"]["supply"] = {"kind": "rate", "usd_per_device_hour": 1.0}
    return answer(priced, embedded())


def log_ratios(kind):
    """Logarithm of predicted over disclosed hours, of every run that is described enough."""
    found = {}
    for run in RUNS.values():
        if run.kind != kind or run.benchmark_grade == "D" or run.device_hours is UNSET:
            continue
        quote = quoted(run)
        if quote is not None and all(stage.device_hours for stage in quote.stages):
            hours = sum(stage.device_hours.central for stage in quote.stages)
            found[run.id] = math.log(hours / run.device_hours._value)
    return found


@pytest.mark.parametrize(("kind", "fewest"), [("rl", 18), ("sft", 10)])
def test_half_of_the_runs_are_within_a_factor_of_one_and_a_half(kind, fewest):
    ratios = log_ratios(kind)
    assert len(ratios) >= fewest
    assert statistics.median(map(abs, ratios.values())) <= math.log(1.5), ratios


def test_r1_zero_follows_from_its_description():
    """10,400 steps of 32 x 16 samples, caps of 32,768 and 65,536, 512 H800: 101K hours."""
    quote = quoted(RUNS["deepseek-r1-zero"])
    first, second = quote.stages
    assert first.phases["step_seconds"].central < second.phases["step_seconds"].central
    hours = first.device_hours.central + second.device_hours.central
    assert 1 / 1.5 <= hours / 101_000 <= 1.5
    (bill,) = (bill for bill in quote.bases if bill.basis == "rental")
    assert float(bill.interval.p10) <= 101_000 <= float(bill.interval.p90)


def test_r1_zero_follows_without_the_width_of_its_rollouts():
    """The 8,192 outputs of a rollout are in the paper; who does not know them gets them assumed."""
    run = RUNS["deepseek-r1-zero"]
    rl = {name: fact for name, fact in run.facts["rl"].items() if name != "outputs_per_rollout"}
    quote = quoted(msgspec.structs.replace(run, facts=run.facts | {"rl": rl}))
    assert quote.figures["stages/0/steps_per_rollout"].value == 16
    assert "assumed_rollout" in {warning.code for warning in told(quote)}
    hours = sum(stage.device_hours.central for stage in quote.stages)
    assert 1 / 1.5 <= hours / 101_000 <= 1.5
    (bill,) = (bill for bill in quote.bases if bill.basis == "rental")
    assert float(bill.interval.p10) <= 101_000 <= float(bill.interval.p90)


def test_r1_zero_s_quote_says_that_it_hangs_on_the_response_length():
    quote = quoted(RUNS["deepseek-r1-zero"])
    (bill,) = (bill for bill in quote.bases if bill.basis == "rental")
    assert bill.drivers[0].figure == "assumptions/inference.response_tokens"
    (said,) = (w for w in told(quote) if w.code == "assumed_response_length")
    assert said.pointer == "/run/stages/0/work/responses/mean_tokens"
    assert said.also_at == ("/run/stages/1/work/responses/mean_tokens",)


@pytest.mark.parametrize("id", sorted(RUNS))
def test_every_row_is_a_request_or_says_what_it_lacks(id):
    request = request_of(RUNS[id], embedded())
    if isinstance(request, str):
        assert request
    else:
        assert quoted(RUNS[id]).stages


def test_verl_s_devices_gain_little_from_64_to_128():
    """Fully asynchronous verl: 189 s a step on 64 H20, 151 s on 128."""
    few, many = (
        quoted(RUNS[f"verl-qwen7b-h20-{n}-async"]).stages[0].phases["step_seconds"].central
        for n in (64, 128)
    )
    assert many / few > 0.5
