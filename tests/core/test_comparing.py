"""A comparison is many quotes: the same amounts, the same ranking, and laws of choosing."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from service.api.contract.decisions.examples import COMPARISONS, LLAMA_8B, LORA_70B
from service.core.catalog.errors import NotQuotable
from service.core.catalog.market import Wanted, panel_of
from tests.comparing import Json, compare, cost_at, hardware_of, hours_of, quote_of, total_of
from tests.worlds import embedded

H100, H200, B200 = "nvidia-h100-sxm-80gb", "nvidia-h200-sxm-141gb", "nvidia-b200-sxm"
LATE_FOR_SOME = 1500.0
"""Hours that 64 H100 exceed, at 80%, and all other clusters of the brute force keep."""
RUN = LLAMA_8B.request["run"]
METERED: Json = {
    "name": "r",
    "stages": [{"name": "s", "work": {"kind": "metered", "device_hours": 1e5}}],
}


def asked(**said: Any) -> Json:
    choices = {"accelerators": [H100], "devices": [64.0, 96.0]} | said.pop("choices", {})
    return {"run": RUN, "choices": choices, "confidence": 0.8, **said}


def best_usd(answer: Any) -> Decimal:
    return cost_at(answer.candidates[0], "p80") if answer.candidates else Decimal("Infinity")


@pytest.mark.parametrize("example", COMPARISONS, ids=lambda example: example.name)
def test_the_first_ten_are_single_quotes_to_the_cent(example):
    answer = compare(example.request)
    assert answer.candidates
    for candidate in answer.candidates[:10]:
        quote = quote_of(example.request, candidate.cluster)
        priced = {bill.basis for bill in quote.bases if total_of(quote, bill.basis)}
        both = {hardware_of(candidate), "fully_loaded"}
        assert {cost.basis for cost in candidate.costs} == priced & both
        for cost in candidate.costs:
            bill = total_of(quote, cost.basis)
            assert bill is not None, cost.basis
            assert cost.total == bill.total
            assert (cost.p50, cost.p80) == (bill.budget.p50, bill.budget.p80)
            assert cost.p90 == bill.interval.p90
        hours = hours_of(quote)
        told = candidate.wall_clock_hours
        assert (told.central, told.p50, told.p90) == (hours.central, hours.p50, hours.p90)
        held: list[Any] = [stage.device_hours for stage in quote.stages]
        total = sum(one.central for one in held)
        assert candidate.device_hours.central == pytest.approx(total, rel=1e-12)


def every_way(said: Json) -> list[Json]:
    """Every cluster that a comparison may choose, made without it."""
    choices = said["choices"]
    return [
        {
            "accelerator": accelerator,
            "devices": devices,
            "supply": {"kind": "market", "term": term, "provider": seat.seller},
        }
        for accelerator in choices["accelerators"]
        for devices in choices["devices"]
        for term in choices["terms"]
        for seat in panel_of(
            embedded(), Wanted(accelerator=accelerator, devices=devices, term=term)
        ).seats
        if seat.seller in choices["sellers"]
    ]


def test_brute_force_over_few_choices_has_the_same_ranking_and_frontier():
    said = asked(
        choices={
            "accelerators": [H100, H200],
            "devices": [64.0, 100.0, 256.0],
            "terms": ["on_demand", "reserved_1y"],
            "sellers": ["crusoe", "lambda", "nebius"],
        },
        constraints={"deadline_hours": LATE_FOR_SOME},
        most=100,
    )
    answer, rows = compare(said), []
    for cluster in every_way(said):
        quote = quote_of(said, cluster)
        bill, hours = total_of(quote, "rental"), hours_of(quote)
        assert bill is not None
        # Quantile 16 of 20 is the least that is at or above 80%; p80 itself is in the comparison.
        rows.append((Decimal(bill.budget.p80), hours.outcomes[15], cluster))
    late = [row for row in rows if row[1] > LATE_FOR_SOME]
    kept = sorted((row for row in rows if row[1] <= LATE_FOR_SOME), key=lambda row: row[0])
    assert len(answer.candidates) == len(kept)
    assert [cost_at(one, "p80") for one in answer.candidates] == [row[0] for row in kept]
    assert [one.cluster.supply.provider for one in answer.candidates] == [
        row[2]["supply"]["provider"] for row in kept
    ]
    (too_late,) = (group for group in answer.infeasible if group.reason == "deadline")
    assert too_late.count == len(late)
    undominated = {
        (row[2]["accelerator"], row[2]["devices"])
        for row in kept
        if not any(
            other[0] <= row[0] and other[1] <= row[1] and other[:2] != row[:2] for other in kept
        )
    }
    assert {
        (one.cluster.accelerator, one.cluster.devices) for one in answer.frontier
    } == undominated


@pytest.mark.parametrize("term", ["on_demand", "reserved_1y"])
def test_a_stage_on_a_cluster_of_its_own_keeps_its_price_whoever_sells_the_other(term):
    sellers = [
        seat.seller
        for seat in panel_of(embedded(), Wanted(accelerator=H100, devices=64.0, term=term)).seats
    ]
    for seller in sellers:
        supply = {"kind": "market", "term": term, "provider": seller}
        cluster = {"accelerator": H100, "devices": 64, "supply": supply}
        (stage,) = METERED["stages"]
        run = {"name": "r", "stages": [stage, {**stage, "name": "own", "cluster": cluster}]}
        choices = {"accelerators": [H100], "devices": [64.0], "terms": [term]}
        answer = compare({"run": run, "choices": choices, "confidence": 0.8, "most": 100})
        costs = [cost_at(one, "p80") for one in answer.candidates]
        assert len(costs) == len(sellers)
        assert costs == sorted(costs), seller
        for point in answer.frontier:
            assert Decimal(point.cost) == costs[point.rank - 1], seller


accelerators = st.sets(st.sampled_from([H100, H200, B200]), min_size=1, max_size=2)
sizes = st.sets(st.sampled_from([16.0, 64.0, 100.0, 512.0]), min_size=1, max_size=2)
terms = st.sets(st.sampled_from(["on_demand", "reserved_1y", "owned"]), min_size=1, max_size=2)


@settings(max_examples=12)
@given(
    few=st.tuples(accelerators, sizes, terms),
    more=st.tuples(accelerators, sizes, terms),
    deadline=st.sampled_from([500.0, 2000.0, 8000.0]),
)
def test_adding_a_choice_never_makes_the_best_worse(few, more, deadline):
    def best(*chosen: set[Any]) -> Decimal:
        names = ("accelerators", "devices", "terms")
        choices = dict(zip(names, map(sorted, chosen), strict=True))
        constraints = {"deadline_hours": deadline}
        return best_usd(
            compare(
                {"run": METERED, "choices": choices, "constraints": constraints, "confidence": 0.8}
            )
        )

    both = (one | other for one, other in zip(few, more, strict=True))
    assert best(*both) <= best(*few)


@settings(max_examples=6)
@given(st.lists(st.floats(100.0, 8000.0), min_size=3, max_size=3).map(sorted))
def test_a_looser_deadline_never_costs_more_at_the_same_confidence(deadlines):
    costs = [
        best_usd(
            compare(
                {
                    "run": RUN,
                    "choices": {"accelerators": [H100, B200]},
                    "constraints": {"deadline_hours": deadline},
                    "confidence": 0.8,
                }
            )
        )
        for deadline in deadlines
    ]
    assert all(later <= sooner for sooner, later in pairwise(costs))


def test_probabilities_are_shares_of_the_draws_that_a_quote_shows():
    said = asked(constraints={"deadline_hours": 1500, "budget_usd": 5e5}, confidence=0.5, most=100)
    answer = compare(said)
    shares = [one.probability_cheapest for one in answer.candidates]
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    for candidate in answer.candidates[:3]:
        quote = quote_of(said, candidate.cluster)
        bill, hours = total_of(quote, "rental"), hours_of(quote)
        assert bill is not None
        in_time = sum(one <= 1500 for one in hours.outcomes) / len(hours.outcomes)
        within = sum(Decimal(one) <= 500_000 for one in bill.outcomes) / len(bill.outcomes)
        assert candidate.keeps.deadline == pytest.approx(in_time, abs=0.06)
        assert candidate.keeps.budget == pytest.approx(within, abs=0.06)
        assert candidate.keeps.all <= min(in_time, within) + 0.06


def test_a_tie_is_said_to_be_one_where_the_difference_may_be_of_either_sign():
    answer = compare(asked(most=100))
    first, *others = answer.candidates
    assert first.versus_first == UNSET
    for one in others:
        versus = one.versus_first
        low, high = Decimal(versus.more.p10), Decimal(versus.more.p90)
        assert versus.tie == (low <= 0 <= high)
        assert (versus.probability_cheaper > 0.1) == versus.tie or versus.probability_cheaper < 0.2
    assert any(one.versus_first.tie for one in others)
    assert not all(one.versus_first.tie for one in others)


def test_a_single_card_is_no_cluster_and_is_never_priced_at_nothing():
    """1,024 single V100s of a marketplace cannot be ordered as a cluster, whatever they cost."""
    v100 = "nvidia-v100-sxm2-16gb"
    choices = {"accelerators": [v100], "devices": [1024.0], "terms": ["spot", "on_demand"]}
    answer = compare(asked(choices=choices))
    assert all(one.price.makes_cluster != "no" for one in answer.candidates)
    reasons = {group.reason for group in answer.infeasible}
    assert reasons & {"single_node", "not_an_operator", "component", "no_price"}
    assert all(cost_at(one, "p50") > 0 for one in answer.candidates)


def test_the_cheapest_listed_is_apart_from_the_cheapest_cluster():
    answer = compare(asked(choices={"devices": [256.0]}))
    listed = answer.cheapest_listed
    assert listed.makes_cluster == "no"
    first = answer.candidates[0]
    assert Decimal(listed.usd_per_device_hour) < Decimal(first.price.usd_per_device_hour)
    assert "nobody can order 256 devices" in listed.detail


def test_reasons_are_told_apart_each_with_the_nearest_change():
    limits = {"deadline_hours": 2000, "budget_usd": 200_000, "max_devices": 512}
    choices = {"devices": [8.0, 128.0, 1024.0]}
    answer = compare(asked(choices=choices, constraints=limits))
    groups = {group.reason: group for group in answer.infeasible}
    assert {"deadline", "budget", "max_devices"} <= groups.keys()
    assert "would be done in" in groups["deadline"].nearest
    assert "would cost $" in groups["budget"].nearest
    assert all(group.count >= len(group.examples) for group in groups.values())
    assert sum(group.count for group in answer.infeasible) == answer.counts.infeasible
    tiny = compare(asked(choices={"accelerators": ["nvidia-t4"], "devices": [1.0]}))
    assert [group.reason for group in tiny.infeasible if group.reason == "does_not_fit"]
    assert tiny.candidates == ()


def test_wasteful_sizes_take_as_long_as_smaller_ones():
    answer = compare(asked(choices={"devices": [96.0, 100.0, 128.0]}))
    (wasteful,) = answer.wasteful
    assert (wasteful.devices, wasteful.as_fast_with) == (100.0, 96.0)
    assert wasteful.more_device_hours > 0


def test_whole_nodes_are_ordered():
    answer = compare(asked(choices={"devices": [100.0]}))
    one = answer.candidates[0]
    assert one.nodes * one.devices_per_node == one.devices_sold == 104
    assert one.billed_hours >= one.wall_clock_hours.central
    assert one.billed_days == pytest.approx(one.billed_hours / 24)


def test_the_objective_chooses_and_ties_have_one_order():
    by = {
        objective: compare(asked(objective=objective, most=100))
        for objective in ("cost", "time", "carbon")
    }
    hours = [one.wall_clock_hours.p80 for one in by["time"].candidates]
    carbon = [one.carbon_kg_co2e.p80 for one in by["carbon"].candidates]
    assert hours == sorted(hours)
    assert carbon == sorted(carbon)

    def names(answer: Any) -> list[Any]:
        return [(one.cluster.devices, one.price.seller) for one in answer.candidates]

    assert sorted(names(by["time"])) == sorted(names(by["cost"]))
    again = compare(asked(objective="time", most=100))
    assert names(again) == names(by["time"])
    same_hours = by["time"].candidates[:5]
    assert len({one.wall_clock_hours.p80 for one in same_hours}) == 1
    costs = [cost_at(one, "p80") for one in same_hours]
    assert costs == sorted(costs)


def test_prices_of_a_day_and_places_are_those_of_its_quotes():
    said = asked(as_of="2026-06-01", choices={"regions": ["us"], "devices": [64.0]})
    answer = compare(said)
    for candidate in answer.candidates[:3]:
        bill = total_of(quote_of(said, candidate.cluster), "rental")
        assert bill is not None
        assert candidate.costs[0].total == bill.total
        assert candidate.price.observed_on <= "2026-06-01"
        assert candidate.cluster.supply.region


def test_unknown_names_are_refused_with_their_places():
    with pytest.raises(NotQuotable) as refused:
        compare(asked(choices={"accelerators": ["h100-of-nobody"], "sellers": ["nobody-at-all"]}))
    assert [error.pointer for error in refused.value.errors] == [
        "/choices/accelerators/0",
        "/choices/sellers/0",
    ]


def test_sizes_are_bounded_and_what_is_cut_is_counted(monkeypatch):
    monkeypatch.setattr("service.core.comparing.searching.MOST_PLANS", 2)
    answer = compare(asked(choices={"devices": [16.0, 32.0, 64.0, 128.0]}))
    assert answer.counts.plans == 2
    assert answer.counts.cut_plans == 2


def test_a_lora_is_cheapest_on_a_few_devices():
    answer = compare(LORA_70B.request)
    assert answer.candidates[0].cluster.devices <= 16
    assert answer.candidates[0].on_frontier


@pytest.mark.parametrize("term", ["on_demand", "reserved_1y", "reserved_3y", "spot"])
def test_sellers_of_every_segment_are_compared_or_counted(term):
    segments = ["hyperscaler", "neocloud", "marketplace"]
    answer = compare(asked(run=METERED, choices={"segments": segments, "terms": [term]}))
    assert all(one.cluster.supply.provider for one in answer.candidates)
    assert answer.counts.feasible + answer.counts.infeasible > 0
