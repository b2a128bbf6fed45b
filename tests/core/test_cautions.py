"""Warnings about prices, weak drivers and wide intervals, and the shorter quote."""

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalog_files import under_policy
from service.core.catalog.dates import days_between
from service.core.figures.sources import Published
from tests.requests import R1
from tests.worlds import answer, embedded, priced, run_of, told

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


def priced_on(as_of):
    """A quote on an offer of the catalog whose price is of another date."""
    row = next(row for row in embedded().offers.values() if row.price_kind == "on_demand")
    source = Published(title="list", locator="row", as_of=as_of)
    price = msgspec.structs.replace(row.price_per_device_hour, source=source)
    offers = {row.id: msgspec.structs.replace(row, price_per_device_hour=price)}
    cluster = {
        "accelerator": row.accelerator,
        "devices": 8,
        "supply": {"kind": "offer", "id": row.id},
    }
    request = run_of({"work": {"kind": "timed", "hours": 10}}, cluster=cluster)
    catalog = msgspec.structs.replace(embedded(), offers=offers)
    return answer(request | {"options": {"bases": ["rental"]}}, catalog)


def test_a_price_is_stale_by_the_catalogs_date_and_policy():
    assert "stale_price" in codes(priced_on("2020-01-01"))
    assert "stale_price" not in codes(priced_on("2025-12-01"))


def test_another_policy_is_another_digest_so_that_one_id_has_one_answer():
    strict = under_policy(embedded(), stale_price_days=1)
    assert strict.digest != embedded().digest
    assert under_policy(embedded(), stale_price_days=None).digest == embedded().digest
    assert strict.policy.stale_price_days == 1


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
