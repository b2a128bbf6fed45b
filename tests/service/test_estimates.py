"""Estimates of CPU agree with what was measured, and rise with what is asked for."""

import pytest

from service.api.contract.examples import REQUESTS
from service.computing.kinds import estimated_cpu_s
from service.formula_reference.requests import MORE_REQUESTS
from service.settings import Settings
from tests.bench.estimates import (
    all_requests,
    asked,
    beyond,
    digest_of,
    estimated,
    off,
    recorded,
    trial_requests,
)
from tests.requests import around, metered
from tests.varied import WORKS, stages_of
from tests.worlds import embedded


def seconds(request):
    return estimated_cpu_s(asked(request, embedded()), embedded())


def test_estimates_are_within_a_factor_of_two_of_what_was_measured():
    """`make check-fits` measures again. Here nothing waits for a clock."""
    assert off(estimated(all_requests(), embedded()), recorded().times) == {}


def test_what_was_measured_are_the_requests_of_today():
    """Where this fails, run `python -m tests.bench.estimates --record`, and fit the costs."""
    requests = all_requests()
    assert recorded().times.keys() == requests.keys()
    assert recorded().requests == digest_of(requests)


def test_a_smallest_cluster_takes_no_more_than_its_estimate():
    trials, record = trial_requests(), recorded()
    assert record.trials.keys() == trials.keys()
    assert record.trial_requests == digest_of(trials)
    assert beyond(estimated(trials, embedded()), record.trials) == {}


@pytest.mark.parametrize("kind", WORKS)
def test_more_stages_are_never_estimated_to_take_less(kind):
    for numbers in ("as they are", "of owned clusters", "with intervals"):
        few, more = (stages_of(WORKS[kind], count, numbers=numbers) for count in (2, 3))
        assert seconds(few) < seconds(more)


def test_intervals_and_clusters_of_their_own_are_counted():
    plain, owned, ranged = (
        seconds(stages_of(WORKS["metered"], 4, numbers=numbers))
        for numbers in ("as they are", "of owned clusters", "with intervals")
    )
    assert plain < owned < ranged


def test_a_layout_that_is_searched_for_once_is_counted_once():
    alike = stages_of(WORKS["disaggregated"], 16, alike=True)
    assert seconds(alike) < seconds(stages_of(WORKS["disaggregated"], 16)) * 0.7


def test_each_model_that_is_tried_is_counted():
    asked = all_requests()
    found = [seconds(asked[f"one of {count} models of pretraining"]) for count in (1, 3, 5)]
    assert found[0] * 2 < found[1] < found[2]


def test_a_layout_that_no_number_of_tokens_changes_is_counted_once():
    dear = stages_of(WORKS["pretraining of many divisors"], 1)
    find = {"find": {"kind": "tokens"}, "limits": {"budget_usd": 1e6}}
    assert seconds(dear) < seconds(dear | find) < seconds(dear) * 1.5


def test_no_text_of_a_caller_counts_as_an_interval():
    plain = metered("a name", {"stage": 1000.0}, devices=8)
    odd = metered('"low":1,"low":2', {'"low":': 1000.0}, devices=8)
    assert seconds(odd) == seconds(plain)


@pytest.mark.parametrize("example", [*REQUESTS, *MORE_REQUESTS], ids=lambda one: one.name)
def test_every_example_is_estimated(example):
    """One of them describes its device, which has no id yet."""
    assert seconds(example.request) > 0.0


def test_what_names_nothing_known_is_estimated_too():
    work = WORKS["pretraining"] | {"model": {"kind": "preset", "id": "no-such-model"}}
    assert 0.0 < seconds(stages_of(work, 1)) < seconds(stages_of(WORKS["pretraining"], 1))


def test_a_contradictory_model_is_estimated_too():
    model = {"kind": "parameters", "total": 1e9, "active": 2e9}
    assert seconds(stages_of(WORKS["pretraining"] | {"model": model}, 1)) > 0.0


def test_stages_whose_models_have_very_many_layouts_are_dear_and_usual_ones_can_be_computed():
    most_s, usual_s = Settings().compute_max_s, seconds(stages_of(WORKS["pretraining"], 64))
    assert seconds(stages_of(WORKS["pretraining of many divisors"], 64)) > 5 * usual_s
    assert usual_s < seconds(stages_of(WORKS["disaggregated experts"], 64)) < most_s


def test_requests_of_all_kinds_can_be_estimated():
    for request in all_requests().values():
        assert seconds(request) > 0.001


def test_a_described_device_is_estimated_too():
    described = {"name": "own", "generation": "hopper", "memory_gb": around(100.0)}
    request = stages_of(WORKS["disaggregated"], 2, alike=True)
    request["cluster"] = request["cluster"] | {"accelerator": described}
    assert seconds(request) > seconds(stages_of(WORKS["disaggregated"], 1))
