"""What a quote searched for once is taken again for the same numbers, and for no others."""

import pytest

from service.core.argument import Argument
from service.core.figures.ledger import Term
from service.core.stages.effort import efforts_of
from tests.worlds import asked, embedded, run_of

CLUSTER = {
    "accelerator": "nvidia-h100-sxm-80gb",
    "devices": 64,
    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
}
TUNING = {
    "kind": "finetuning",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "data": {"kind": "tokens", "tokens": 1e9},
}
LEARNING = {
    "kind": "reinforcement",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "steps": 100,
    "prompts_per_step": 64,
    "samples_per_prompt": 8,
    "responses": {"mean_tokens": 1_000, "most_tokens": 8_192},
    "placement": {"kind": "disaggregated"},
}


def found(*stages):
    """How many layouts stages search for, and their hours."""
    argument = Argument(embedded())
    efforts = efforts_of(argument, asked(run_of(*stages, cluster=CLUSTER)))
    hours = [one.device_hours for one in efforts]
    return len(argument.found), [term.central for term in hours if isinstance(term, Term)]


@pytest.mark.parametrize("work", [TUNING, LEARNING])
def test_stages_of_one_model_on_one_cluster_search_once(work):
    once, (alone,) = found({"work": work})
    shared, hours = found({"work": work}, {"work": work}, {"work": work})
    assert shared == once
    assert hours == [alone] * 3


def test_stages_that_differ_in_what_a_step_does_not_depend_on_search_once():
    more = TUNING | {"data": {"kind": "tokens", "tokens": 2e9}}
    dearer = CLUSTER | {"supply": {"kind": "rate", "usd_per_device_hour": 3.0}}
    searches, _ = found({"work": TUNING}, {"work": more}, {"work": TUNING, "cluster": dearer})
    assert searches == 1


@pytest.mark.parametrize(
    "other",
    [
        {"work": TUNING | {"model": {"kind": "preset", "id": "llama-3.1-70b"}}},
        {"work": TUNING | {"sequence_length": 8_192}},
        {"work": TUNING | {"global_batch_tokens": 524_288}},
        {"work": TUNING | {"precision": "fp8"}},
        {"work": TUNING | {"optimizer": "adamw_8bit"}},
        {"work": TUNING | {"method": {"kind": "lora"}}},
        {"work": TUNING | {"software_year": 2022}},
        {"work": TUNING, "cluster": CLUSTER | {"devices": 128}},
        {"work": TUNING, "cluster": CLUSTER | {"accelerator": "nvidia-h800-sxm-80gb"}},
        {"work": TUNING, "cluster": CLUSTER | {"network_gbit_per_s_per_device": 100}},
    ],
)
def test_stages_that_differ_in_a_step_have_the_hours_of_each_alone(other):
    searches, hours = found({"work": TUNING}, other)
    assert searches == 2
    assert hours == [*found({"work": TUNING})[1], *found(other)[1]]


def test_a_split_is_chosen_among_layouts_that_are_found_once():
    """Of seven splits, the middle one and the three best are timed in full, and one is used."""
    searches, _ = found({"work": LEARNING})
    assert searches <= 4
