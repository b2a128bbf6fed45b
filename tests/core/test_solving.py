"""What is solved for is met by the quote that is asked for with it, and by nothing beyond."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.contract.decisions.examples import SOLUTIONS
from service.core.answer import Quote
from service.core.catalog.errors import NotQuotable
from service.core.comparing.solution import Context, solution
from service.core.request.decisions.solve import SolveRequest
from tests.comparing import Json, hours_of, total_of
from tests.worlds import MEMO, TEST_ENGINE, answer, embedded

PRICE, TOKENS, MODEL, DEVICES, OWNING = (one.request for one in SOLUTIONS)


def solve(asked: Json) -> Any:
    """The solution that is asked for, over the embedded catalog, with a stand-in id."""
    return solution(
        msgspec.convert(asked, SolveRequest),
        embedded(),
        Context(
            id="s_" + "0" * 64,
            canonical_request=msgspec.json.encode(asked),
            engine=TEST_ENGINE,
            valid_until="2026-02-01T00:00:00Z",
            memo=MEMO,
        ),
    )


def quoted(found: Any) -> Quote:
    """The quote of a solution."""
    return answer(msgspec.json.decode(bytes(found.quote)), embedded())


def usd(quote: Quote, level: str = "") -> Decimal:
    bill = total_of(quote, "rental")
    assert bill is not None
    return Decimal(getattr(bill.budget, level) if level else bill.total.amount)


@settings(max_examples=15)
@given(
    budget=st.decimals(1000, 10_000_000, places=2),
    device_hours=st.floats(100, 1e6),
    uplift=st.sampled_from([None, 0.07]),
)
def test_a_price_meets_its_budget_to_the_cent(budget, device_hours, uplift):
    asked: Json = PRICE | {
        "run": {
            "name": "r",
            "stages": [{"name": "s", "work": {"kind": "metered", "device_hours": device_hours}}],
        },
        "limits": {"budget_usd": float(budget)},
    }
    if uplift:
        asked["accounting"] = {"uplifts": [{"kind": "markup", "label": "support", "share": uplift}]}
    found = solve(asked)
    price = float(budget) / device_hours / (1 + (uplift or 0))
    if not 2e-4 < price < 5e3:
        return
    assert found.status == "solved"
    total = usd(quoted(found))
    assert total == Decimal(found.cost.total.amount)
    # Two lines that are rounded apart may step over a cent, one line never does.
    assert budget - total <= (Decimal("0.02") if uplift else 0)
    assert total <= budget
    assert found.usd_per_device_hour == pytest.approx(price, rel=1e-3)


def test_the_price_may_be_met_at_a_quantile():
    asked = MODEL | {"find": {"kind": "price"}, "held_at": "p80", "limits": {"budget_usd": 250_000}}
    found = solve(asked)
    assert usd(quoted(found), "p80") == 250_000
    assert Decimal(found.cost.total.amount) < 250_000


def test_the_most_tokens_keep_both_limits_and_a_few_more_do_not():
    found = solve(TOKENS)
    limit = TOKENS["limits"]["budget_usd"]
    assert found.status == "solved"
    assert usd(quoted(found), "p80") <= limit
    request = msgspec.json.decode(bytes(found.quote))
    work = request["run"]["stages"][0]["work"]
    assert work["tokens"] == found.tokens
    work["tokens"] *= 1.0001
    beyond = answer(request, embedded())
    assert usd(beyond, "p80") > limit
    late = solve(TOKENS | {"limits": {"deadline_hours": 48}})
    assert hours_of(quoted(late)).central <= 48
    assert late.tokens < found.tokens


@pytest.mark.parametrize("budget_usd", [3e4, 3e5, 2e6, 5e7])
@pytest.mark.parametrize("held_at", ["total", "p80"])
def test_the_most_tokens_are_closed_in_on_from_both_ends(budget_usd, held_at):
    cluster = {
        "accelerator": "nvidia-h100-sxm-80gb",
        "devices": 256,
        "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
    }
    limits = {"limits": {"budget_usd": budget_usd}, "held_at": held_at}
    found = solve(TOKENS | {"cluster": cluster} | limits)
    assert found.status == "solved"
    assert len(found.tried) <= 16


def test_the_largest_model_is_the_largest_that_keeps_the_limits():
    found = solve(MODEL)
    rows = {row.name: row for row in found.tried}
    assert [row.keeps for row in found.tried] == [True, True, False]
    assert found.model == "llama-3.1-70b"
    assert rows[found.model].cost == found.cost
    assert usd(quoted(found)) == Decimal(found.cost.total.amount)


def test_the_smallest_cluster_is_that_of_brute_force():
    asked = DEVICES | {"limits": {"deadline_hours": 2000}, "held_at": "total"}
    found = solve(asked)
    kept = []
    for devices in (1.0, 2.0, 4.0, *(8.0 * nodes for nodes in range(1, 10))):
        cluster = DEVICES["cluster"] | {"devices": devices}
        quote = answer({"run": DEVICES["run"], "cluster": cluster}, embedded())
        if quote.wall_clock_hours and quote.wall_clock_hours.central <= 2000:
            kept.append(devices)
    assert found.devices == min(kept)
    assert hours_of(quoted(found)).central <= 2000


def test_counts_of_devices_that_are_wasteful_are_named():
    found = solve(DEVICES)
    hours = {row.value: row.wall_clock_hours.central for row in found.tried if row.cost}
    assert found.wasteful
    for devices in found.wasteful:
        assert min(hours[one] for one in hours if one < devices) <= hours[devices]


def test_owning_breaks_even_with_the_best_rental():
    found = solve(OWNING)
    quote = quoted(found)
    (own,) = quote.ownership
    assert found.rental.supply.provider
    assert found.break_even == own.break_even
    rented = own.break_even.usd_per_device_hour_rented.central  # type: ignore[union-attr]
    others = [
        seat.usd
        for seat in embedded().listed["nvidia-h100-sxm-80gb/on_demand"]
        if seat.seller == found.rental.supply.provider
    ]
    assert min(others) <= rented * 1.0001


def test_what_cannot_be_is_said_and_what_is_not_limited_too():
    assert solve(DEVICES | {"limits": {}}).status == "unbounded"
    assert solve(DEVICES | {"limits": {"deadline_hours": 0.1}}).status == "infeasible"
    assert solve(MODEL | {"limits": {"budget_usd": 1}}).status == "infeasible"
    assert solve(TOKENS | {"limits": {"budget_usd": 0.01}}).status == "infeasible"
    assert solve(PRICE | {"limits": {"deadline_hours": 5}}).status == "unbounded"
    no_tokens = solve(PRICE | {"find": {"kind": "tokens"}})
    assert (no_tokens.status, no_tokens.detail) == (
        "infeasible",
        "stage 0 has no number of tokens to find",
    )
    assert solve(PRICE | {"find": {"kind": "model", "models": ["llama-3.1-8b"]}}).status == (
        "infeasible"
    )
    v100s = {"accelerator": "nvidia-v100-sxm2-16gb", "devices": 1}
    assert solve(MODEL | {"cluster": v100s}).status == "infeasible"


def test_unknown_models_are_refused_with_their_places():
    with pytest.raises(NotQuotable) as refused:
        solve(MODEL | {"find": {"kind": "model", "models": ["llama-3.1-8b", "llama-of-nobody"]}})
    assert [error.pointer for error in refused.value.errors] == ["/find/models/1"]
