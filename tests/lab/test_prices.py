"""How far prices move by age: what was fitted, and how often it holds."""

import math
from datetime import date, timedelta

import numpy as np
import pytest

from lab.prices import fit
from lab.prices.backtest import (
    QUARTER,
    Constants,
    constants_of,
    coverage,
    interval_of,
    known_before,
    newest_day,
    predicted_from,
)
from lab.prices.observations import Prices, Product, prices_of
from lab.prices.report import FILE, OPENS, backtests
from lab.upkeep.agreement import Tolerance, agree
from service.core.bills.aging.formulas import listed_at_age
from service.core.catalog.dates import days_between
from tests.worlds import embedded

LEAST, MOST = 0.75, 0.88


@pytest.fixture(scope="module")
def prices() -> Prices:
    return prices_of(embedded())


@pytest.fixture(scope="module")
def shipped() -> Constants:
    return constants_of(embedded())


def test_the_prices_of_the_newest_quarter_lie_between_p10_and_p90_as_often_as_they_should(
    prices: Prices, shipped: Constants
) -> None:
    """From what was known 30, 90 and 180 days before, and from prices as old as today's."""
    until = newest_day(prices)
    today = days_between(until.isoformat(), embedded().day)
    for days in (30, today, 90, 180):
        known = predicted_from(prices, since=until - QUARTER, until=until, days_before=days)
        found = coverage(known, shipped)
        assert LEAST <= round(found["all"].inside, 2) <= MOST, days
        assert LEAST <= round(found["listed"].inside, 2) <= MOST, days
        assert found["all"].votes >= 60
        assert found["hyperscaler"].inside > 0.9


def test_the_prices_of_the_newest_month_lie_where_the_edition_before_it_had_them(
    prices: Prices, shipped: Constants
) -> None:
    *_, before = backtests(prices, shipped, 180.0, edition=embedded().day)
    assert before.known.startswith("on 2026-08-31")
    assert before.shipped["all"].votes > 100
    assert LEAST <= round(before.shipped["all"].inside, 2) <= MOST
    assert before.shipped["all"].above < 0.15  # it was 14 of 23 with falling prices assumed


def test_the_page_tells_the_coverage_by_widths_that_had_not_seen_the_quarter() -> None:
    """In the summer of 2026 they did not hold, and the page must not hide it."""
    _, _, report = FILE.read_text(encoding="utf-8").partition(OPENS)
    assert "widths fitted before the quarter" in report
    assert "2026-07-12 to 2026-10-10" in report


def test_no_price_is_predicted_from_one_that_was_not_known(prices: Prices) -> None:
    until = newest_day(prices)
    changes = list(predicted_from(prices, since=until - QUARTER, until=until, days_before=90))
    assert changes
    assert all(change.days >= 90 for change in changes)
    earlier = known_before(prices, until - QUARTER)
    assert newest_day(earlier) < until - QUARTER
    on = date(2026, 8, 31)
    assert all(
        change.before <= on
        for change in predicted_from(prices, since=until - QUARTER, until=until, known_on=on)
    )


def test_the_ends_of_an_interval_hold_a_tenth_each(shipped: Constants) -> None:
    """A million moves through the formula that quotes use."""
    moves = np.random.default_rng(1).standard_normal(1_000_000)
    by = listed_at_age
    drawn = by(price_per_device_hour=1.0, move=moves, age_days=180.0, **shipped["listed"])
    low, high = interval_of(shipped, "listed", 180)
    assert np.mean(drawn < low) == pytest.approx(0.1, abs=0.002)
    assert np.mean(drawn > high) == pytest.approx(0.1, abs=0.002)


def made_prices(*, rises: float, seed: int = 7) -> Prices:
    """Prices of 40 sellers over three years, which move by the formula from month to month."""
    draws = np.random.default_rng(seed)
    found = {}
    for index in range(40):
        product = Product(f"s{index}", "d1", "on_demand", "listed", "by 8", "usd/device_hour")
        price, of_product = 2.0, {}
        for month in range(36):
            of_product[date(2023, 1, 15) + timedelta(days=30 * month)] = price
            if draws.random() < 0.15:
                price *= math.exp(
                    abs(draws.normal(0.0, 0.15)) * (1 if draws.random() < rises else -1)
                )
        found[product] = of_product
    return found


def test_a_fit_finds_which_way_prices_went() -> None:
    up, down = (fit.fitted(made_prices(rises=share), 180.0) for share in (0.9, 0.1))
    rising, falling = up.constants["listed"], down.constants["listed"]
    assert rising["rise_threshold"] < rising["fall_threshold"]
    assert falling["rise_threshold"] > falling["fall_threshold"]


def test_sellers_that_move_apart_are_not_alike() -> None:
    measured = fit.alike_by_lag(fit.changes_of(made_prices(rises=0.5)))
    assert all(abs(value) < 0.1 for value in measured.values())
    assert list(measured) == list(fit.LAGS)


def test_changes_of_one_seller_and_device_share_one_vote(prices: Prices) -> None:
    listed = [change for change in fit.changes_of(prices) if change.product.mover == "listed"]
    votes: dict[object, float] = {}
    for change, weight in zip(listed, fit.weights_of(listed), strict=True):
        key = (change.votes_as, fit.lag_of(change))
        votes[key] = votes.get(key, 0.0) + float(weight)
    assert all(total == pytest.approx(1.0) for total in votes.values())


def test_the_committed_constants_are_those_of_the_catalog_s_prices(prices: Prices) -> None:
    """Within what other processors make of a search for the best fit."""
    (made,) = fit.made(embedded()).values()
    assert agree(fit.FILE.read_text(encoding="utf-8"), made, Tolerance(relative=0.01))
