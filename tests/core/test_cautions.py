"""Warnings about prices, weak drivers and wide intervals, and the shorter quote."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.catalog.dates import days_between
from service.core.figures.sources import Published
from tests.requests import R1
from tests.worlds import answer, device, embedded, offer, priced, run_of, told, world

RENTAL = {"options": {"bases": ["rental"]}}


def codes(quoted):
    return [warning.code for warning in told(quoted)]


@given(first=st.dates(date(1990, 1, 1)), days=st.integers(0, 20000))
def test_days_are_those_of_the_calendar(first, days):
    try:
        second = first + timedelta(days=days)
    except OverflowError:
        return
    assert days_between(first.isoformat(), second.isoformat()) == days


@pytest.mark.parametrize(("cut", "last"), [("2025", "2025-12-31"), ("2024-02", "2024-02-29")])
def test_a_cut_date_is_the_last_day_that_it_can_be(cut, last):
    assert days_between(cut, last) == 0


def priced_on(*dates, **more):
    """A quote at the market's price, of one seller with a price of each date."""
    rows = []
    for place, as_of in enumerate(dates):
        row = offer(f"o{place}", f"s{place}", "d1", 2.0, observed_on=as_of)
        source = Published(title="list", locator="row", as_of=as_of)
        price = msgspec.structs.replace(row.price_per_device_hour, source=source)
        rows.append(msgspec.structs.replace(row, price_per_device_hour=price))
    cluster = {"accelerator": "d1", "devices": 1}
    request = run_of({"work": {"kind": "timed", "hours": 10}}, cluster=cluster)
    return answer(request | more, world(device("d1"), offers=tuple(rows)))


def test_a_price_is_stale_from_90_days_before_the_day_that_is_priced_for():
    """The edition of a test world is of 2026-01-01; 2025-10-03 is 90 days before it."""
    assert "stale_price" in codes(priced_on("2025-10-03"))
    assert "stale_price" not in codes(priced_on("2025-10-04"))
    assert "stale_price" not in codes(priced_on("2025-10-03", as_of="2025-12-31"))
    assert "stale_price" in codes(priced_on("2025-10-04", as_of="2026-01-02"))


def test_a_market_is_stale_if_half_of_its_prices_are_and_the_oldest_is_named():
    old, fresh = ("2025-03-01", "2025-06-01"), ("2025-12-01", "2025-12-20")
    assert "stale_price" not in codes(priced_on(old[0], *fresh))
    stale = [one for one in told(priced_on(*old, *fresh)) if one.code == "stale_price"]
    assert ["offers/o0/" in one.detail for one in stale] == [True]
    assert "of 2025-03-01, 306 days before 2026-01-01" in stale[0].detail


def test_a_judged_figure_that_drives_a_total_is_named():
    quoted = answer(R1, embedded())
    named = [warning.detail for warning in told(quoted) if warning.code == "weak_driver"]
    weak = {
        driver.figure
        for bill in quoted.bases
        for driver in priced(bill).drivers
        if driver.share > embedded().policy.driving_share
        and quoted.figures[driver.figure].source.__class__.__name__ == "Judged"
    }
    assert weak
    assert all(any(detail.startswith(name) for detail in named) for name in weak)


def test_a_wide_interval_is_warned_of():
    supply = {"kind": "rate", "usd_per_device_hour": {"low": 0.1, "high": 10.0}}
    wide = R1 | {"cluster": R1["cluster"] | {"supply": supply}}
    assert "wide_interval" in codes(answer(wide | RENTAL, embedded()))
    assert "wide_interval" not in codes(answer(R1 | RENTAL, embedded()))


def test_a_summary_has_the_same_totals_and_intervals_and_leaves_the_rest_empty():
    full = answer(R1, embedded())
    short = answer(R1 | {"options": {"detail": "summary"}}, embedded())
    bills = [priced(bill) for bill in short.bases]
    assert [(bill.total, bill.interval) for bill in bills] == [
        (bill.total, bill.interval) for bill in map(priced, full.bases)
    ]
    assert [s.device_hours for s in short.stages] == [s.device_hours for s in full.stages]
    assert short.figures == {}
    assert not any(bill.lines or bill.drivers or bill.excludes for bill in bills)
    assert told(short) == told(full)
