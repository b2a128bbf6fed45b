"""What a device-hour costs: a rate, one offer, or the median over providers."""

import statistics
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import PricedBill, PricedLine, UnpricedBill, UnpricedLine
from service.core.bills.prices.formulas import at_level
from service.core.catalog.errors import NotQuotable
from tests.worlds import answer, device, offer, priced, run_of, world

METERED = {"work": {"kind": "metered", "device_hours": 10}}


@dataclass
class Case:
    """A cluster of `d1`, by its supply."""

    supply: dict | None

    def request(self):
        cluster = {"accelerator": "d1", "devices": 8}
        return run_of(METERED, cluster=cluster | ({"supply": self.supply} if self.supply else {}))


def only_line(catalog, supply):
    bill = answer(Case(supply).request(), catalog).bases[0]
    (line,) = bill.lines
    return bill, line


def market_rate(*offers, **kinds):
    bill, line = only_line(world(device("d1"), offers=offers, **kinds), None)
    assert isinstance(bill, PricedBill)
    assert isinstance(line, PricedLine)
    return float(line.rate), line.detail


def test_without_a_supply_the_market_is_asked_on_demand():
    rate, detail = market_rate(offer("a1", "a", "d1", 2.0), offer("b1", "b", "d1", 4.0))
    assert rate == 3.0
    assert "2 sellers" in detail


def test_each_provider_counts_once_with_its_newest_price():
    rate, detail = market_rate(
        offer("a-old", "a", "d1", 1.0, observed_on="2025-01-01"),
        offer("a-new", "a", "d1", 5.0, observed_on="2026-01-01"),
        offer("b", "b", "d1", 6.0),
        offer("c", "c", "d1", 7.0),
    )
    assert rate == statistics.median([5.0, 6.0, 7.0])
    assert "3 sellers" in detail


def test_of_equally_new_prices_of_one_provider_the_cheapest_counts():
    rate, _ = market_rate(
        offer("a-1", "a", "d1", 9.0, region="x"), offer("a-2", "a", "d1", 4.0, region="y")
    )
    assert rate == 4.0


@pytest.mark.parametrize(
    "kind", ["reference", "auction_floor", "shared", "marketplace", "community", "spot"]
)
def test_rows_that_are_not_what_was_asked_for_stay_out_of_the_market(kind):
    rate, _ = market_rate(offer("a", "a", "d1", 2.0), offer("b", "b", "d1", 100.0, price_kind=kind))
    assert rate == 2.0


@pytest.mark.parametrize("kind", ["marketplace", "reference", "auction_marketplace"])
def test_sellers_that_are_not_clouds_stay_out_of_the_market(kind):
    rate, _ = market_rate(offer("a", "a", "d1", 2.0), offer("b", "b", "d1", 100.0), b=kind)
    assert rate == 2.0


def test_provider_region_and_term_narrow_the_market():
    offers = (
        offer("a", "a", "d1", 2.0, region="here"),
        offer("a-spot", "a", "d1", 1.0, price_kind="spot", region="here"),
        offer("b", "b", "d1", 8.0, region="there"),
    )
    catalog = world(device("d1"), offers=offers)
    for supply, rate in (
        ({"kind": "market", "provider": "b"}, "8.00"),
        ({"kind": "market", "region": "here"}, "2.00"),
        ({"kind": "market", "term": "spot"}, "1.00"),
    ):
        _, line = only_line(catalog, supply)
        assert isinstance(line, PricedLine)
        assert line.rate == rate


def test_no_price_is_a_state_with_its_reason_and_no_total():
    bill, line = only_line(world(device("d1")), None)
    assert isinstance(bill, UnpricedBill)
    assert isinstance(line, UnpricedLine)
    assert line.reason == "no_offer_for_device"
    assert line.quantity == 10.0


def test_terms_that_nobody_offers_are_another_reason():
    catalog = world(device("d1"), offers=(offer("a", "a", "d1", 2.0),))
    for term in ("spot", "capacity_block"):
        _, line = only_line(catalog, {"kind": "market", "term": term})
        assert line.reason == "no_offer_under_these_terms"


def test_an_offer_of_another_device_is_not_applied():
    catalog = world(device("d1"), device("d2"), offers=(offer("a", "a", "d2", 2.0),))
    _, line = only_line(catalog, {"kind": "offer", "id": "a"})
    assert line.reason == "offer_is_for_another_device"


def test_a_price_in_euro_is_converted_by_a_rate_that_shows_up():
    catalog = world(device("d1"), offers=(offer("a", "a", "d1", 2.0, unit="eur/device_hour"),))
    quoted = answer(Case({"kind": "offer", "id": "a"}).request(), catalog)
    (line,) = quoted.bases[0].lines
    assert isinstance(line, PricedLine)
    assert line.rate == "2.40"
    assert {"currencies/usd_per_eur", "offers/a/price_per_device_hour"} <= set(quoted.figures)


def test_every_unknown_name_is_reported_at_once_with_its_neighbours():
    request = run_of(
        {**METERED, "cluster": {"accelerator": "d3", "devices": 1}},
        cluster={"accelerator": "e1", "devices": 1, "supply": {"kind": "offer", "id": "nope"}},
    )
    with pytest.raises(NotQuotable) as refusal:
        answer(request, world(device("d1"), device("d2"), offers=(offer("a", "a", "d1", 1.0),)))
    assert {error.pointer for error in refusal.value.errors} == {
        "/cluster/accelerator",
        "/cluster/supply/id",
        "/run/stages/0/cluster/accelerator",
    }
    assert "d1" in refusal.value.errors[0].detail


@given(prices=st.lists(st.floats(0.1, 100.0), min_size=1, max_size=9))
def test_half_way_up_the_market_is_the_median_of_each_draw(prices):
    named = {f"p{index}": price for index, price in enumerate(prices)}
    drawn = {name: np.array([price, 1.0]) for name, price in named.items()}
    one, many = at_level(market_level=0.5, **named), at_level(market_level=0.5, **drawn)
    assert one == pytest.approx(statistics.median(prices), rel=1e-15)
    assert np.allclose(many, [float(one), 1.0], rtol=1e-15)


def test_the_market_runs_from_its_cheapest_seller_to_its_dearest():
    prices = {"a": 4.0, "b": 1.0, "c": 2.0}
    levels = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    assert np.asarray(at_level(market_level=levels, **prices)).tolist() == [1.0, 1.5, 2.0, 3.0, 4.0]


def test_a_market_price_is_as_uncertain_as_its_sellers_differ():
    prices = (1.0, 1.5, 2.0, 3.0, 8.0)
    offers = tuple(offer(f"o{price}", f"p{price}", "d1", price) for price in prices)
    quoted = answer(Case(None).request(), world(device("d1"), offers=offers))
    bill = priced(quoted.bases[0])
    assert bill.total.amount == "20.00"
    low, middle, high = (float(getattr(bill.interval, level)) for level in ("p10", "p50", "p90"))
    assert 10.0 <= low < 16.0
    assert middle == pytest.approx(20.0, rel=0.03)
    assert 30.0 < high <= 80.0
    assert [driver.figure for driver in bill.drivers] == ["assumptions/rental.market_level"]


@pytest.mark.parametrize("sellers", [1, 2, 3, 4])
def test_few_sellers_do_not_show_what_others_ask(sellers):
    """All ask 2. A single one is 1.869 off at p95, so 1.869^(1.2816 / 1.6449) = 1.628 at p90.

    Of four sellers the spread among them speaks.
    """
    offers = tuple(offer(f"o{n}", f"p{n}", "d1", 2.0) for n in range(sellers))
    bill = priced(answer(Case(None).request(), world(device("d1"), offers=offers)).bases[0])
    low, high = float(bill.interval.p10), float(bill.interval.p90)
    if sellers < 4:
        assert high / 20.0 == pytest.approx(1.628 ** (1 / sqrt(sellers)), rel=0.01)
        assert 20.0 / low == pytest.approx(1.628 ** (1 / sqrt(sellers)), rel=0.01)
    else:
        assert low == high == 20.0


@pytest.mark.parametrize(
    ("supply", "kind"),
    [
        ({"kind": "market"}, "hyperscaler"),
        ({"kind": "market", "provider": "p"}, "gpu_cloud"),
        ({"kind": "offer", "id": "o"}, "gpu_cloud"),
    ],
)
def test_a_seller_that_is_asked_for_and_hyperscalers_stand_for_themselves(supply, kind):
    catalog = world(device("d1"), offers=(offer("o", "p", "d1", 2.0),), p=kind)
    bill = priced(answer(Case(supply).request(), catalog).bases[0])
    assert bill.interval.p10 == bill.interval.p90 == "20.00"
