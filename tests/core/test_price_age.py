"""A price that was read some days ago: how far it may have moved, and with what it moves."""

from math import exp, log, sqrt
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import PricedLine
from service.core.bills.aging.aged import mover_of
from service.core.bills.aging.formulas import listed_at_age, price_move, spot_at_age
from service.core.draws.columns import column_of
from tests.worlds import MEMO, answer, device, embedded, number, offer, priced, run_of, world

DAYS = st.floats(1.0, 4000.0)
SCORES = st.floats(-4.0, 4.0)
LISTED = {
    "rise_threshold": 0.2,
    "fall_threshold": 0.5,
    "threshold_per_log_year": 0.4,
    "rise_per_deviation": 0.3,
    "fall_per_deviation": 0.2,
}
SPOT = {
    "settles_after_days": 180.0,
    "growth": 0.5,
    "rise_per_deviation": 0.6,
    "fall_per_deviation": 0.4,
}


def listed(move, days, usd=1.0):
    return listed_at_age(price_per_device_hour=usd, move=move, age_days=days, **LISTED)


def test_a_list_price_of_a_year_rises_by_what_its_move_exceeds_the_threshold():
    """At 365 days the threshold is 0.2: exp(0.3 x (1.2 - 0.2)) and exp(-0.2 x (1.5 - 0.5))."""
    assert listed(1.2, 365.0, 2.0) == pytest.approx(2.0 * exp(0.3))
    assert listed(-1.5, 365.0, 2.0) == pytest.approx(2.0 * exp(-0.2))
    assert listed(0.2, 365.0, 2.0) == listed(-0.5, 365.0, 2.0) == 2.0


def test_the_younger_a_price_is_the_larger_a_move_it_takes():
    """After 36.5 days the threshold is 0.2 + 0.4 x ln(10) = 1.121."""
    assert listed(1.1, 36.5) == 1.0
    assert listed(1.2, 36.5) == pytest.approx(exp(0.3 * (1.2 - 0.2 - 0.4 * log(10))))


@given(move=SCORES, first=DAYS, second=DAYS)
def test_a_price_moves_no_less_far_the_older_it_is(move, first, second):
    young, old = sorted((first, second))
    for by in (listed, spot):
        assert abs(log(by(move, young))) <= abs(log(by(move, old))) + 1e-12


@given(moves=st.tuples(SCORES, SCORES), days=DAYS)
def test_a_price_rises_with_its_move(moves, days):
    low, high = sorted(moves)
    assert listed(low, days) <= listed(high, days)
    assert spot(low, days) <= spot(high, days)


@given(days=DAYS)
def test_the_middle_of_what_a_price_may_be_is_the_price_as_it_was_read(days):
    assert listed(0.0, days, 3.5) == 3.5
    assert spot(0.0, days) == 1.0


def spot(move, days):
    return spot_at_age(price_per_device_hour=1.0, move=move, age_days=days, **SPOT)


def test_a_spot_price_moves_at_once_and_settles():
    """After 90 days exp(0.6 x 1 x sqrt(90 / 365)); after a year no more than after 180 days."""
    assert spot(1.0, 90.0) == pytest.approx(exp(0.6 * sqrt(90 / 365)))
    assert spot(-1.0, 365.0) == spot(-1.0, 180.0) == pytest.approx(exp(-0.4 * sqrt(180 / 365)))


@given(days=DAYS)
def test_floats_and_draws_move_alike(days):
    moves = np.linspace(-3.0, 3.0, 100)
    for by in (listed, spot):
        assert np.allclose(by(moves, days), [by(float(move), days) for move in moves], rtol=1e-12)


def test_two_sellers_of_a_device_are_as_alike_as_their_common_part():
    """0.6 x 300 / (300 + 100) = 0.45 of the variance is of the device."""
    columns = {name: column_of(name, MEMO) for name in ("device", "one", "other")}

    def move(seller):
        return price_move(
            device_move=columns["device"],
            seller_move=columns[seller],
            age_days=300.0,
            most_alike=0.6,
            half_alike_days=100.0,
        )

    assert np.corrcoef(move("one"), move("other"))[0, 1] == pytest.approx(0.45, abs=0.05)
    assert np.std(move("one")) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("price_kind", "seller", "mover"),
    [
        ("on_demand", "hyperscaler", "hyperscaler"),
        ("reserved_1y", "hyperscaler", "committed"),
        ("capacity_block", "hyperscaler", "listed"),
        ("spot", "hyperscaler", "spot"),
        ("spot", "gpu_cloud", "spot"),
        ("on_demand", "gpu_cloud", "listed"),
        ("reserved_1y", "regional_cloud", "listed"),
        ("marketplace", "marketplace", "listed"),
    ],
)
def test_what_is_sold_says_how_its_price_moves(price_kind, seller, mover):
    assert mover_of(price_kind, seller) == mover


def quoted(supply, *offers, version="2026-01-01", **kinds):
    catalog = msgspec.structs.replace(
        world(device("d1"), device("d2"), offers=offers, **kinds), version=version
    )
    cluster = {"accelerator": "d1", "devices": 8, "supply": supply}
    return answer(run_of({"work": {"kind": "timed", "hours": 10}}, cluster=cluster), catalog)


def span(quote):
    interval = priced(quote.bases[0]).interval
    return float(interval.p10), float(interval.p90)


ONE = {"kind": "offer", "id": "a"}


def test_a_price_of_the_day_that_is_priced_for_is_exact():
    quote = quoted(ONE, offer("a", "a", "d1", 2.0))
    assert span(quote) == (160.0, 160.0)
    assert not [name for name in quote.figures if name.startswith("price_moves/")]


def test_an_older_price_is_exact_as_it_was_read_and_its_amount_is_not():
    quote = quoted(ONE, offer("a", "a", "d1", 2.0), version="2026-07-01")
    low, high = span(quote)
    assert low <= 160.0 < high
    assert priced(quote.bases[0]).interval.p50 == "160.00"
    (line,) = quote.bases[0].lines
    assert isinstance(line, PricedLine)
    assert line.amount == "160.00"
    read = quote.figures["offers/a/price_per_device_hour"]
    assert read.low is msgspec.UNSET
    moved = quote.figures["offers/a/price_per_device_hour/on/2026-07-01"]
    assert moved.source.formula == "listed_price_at_age"
    assert moved.source.structure["age_days"].startswith("offers/a/price_per_device_hour: ")
    assert "2026-01-01" in moved.source.structure["age_days"]


def test_a_price_is_less_sure_the_older_it_is():
    spans = [
        span(quoted(ONE, offer("a", "a", "d1", 2.0), version=day))
        for day in ("2026-01-31", "2026-04-01", "2026-07-01", "2027-01-01")
    ]
    widths = [log(high / low) for low, high in spans]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_a_price_that_is_given_stays_exact_on_every_day():
    given_rate = {"kind": "rate", "usd_per_device_hour": 2.0}
    assert span(quoted(given_rate, offer("a", "a", "d1", 2.0), version="2030-01-01")) == (160, 160)


def test_an_assumed_rate_does_not_age():
    row = offer("a", "a", "d1", 2.0, price_kind="reference")
    assert span(quoted(ONE, row, version="2030-01-01", a="reference")) == (160.0, 160.0)


def test_a_hyperscaler_stands_nearly_still():
    large = quoted(ONE, offer("a", "a", "d1", 2.0), version="2026-07-01", a="hyperscaler")
    assert span(large) == (160.0, 160.0)
    moved = large.figures["offers/a/price_per_device_hour/on/2026-07-01"]
    assert moved.p10 == moved.p90 == 2.0


def test_sellers_of_a_device_share_its_score_and_devices_of_a_seller_share_the_seller_s():
    rows = (
        offer("a", "a", "d1", 2.0),
        offer("b", "b", "d1", 2.0),
        offer("c", "a", "d2", 3.0),
    )
    catalog = msgspec.structs.replace(
        world(device("d1"), device("d2"), offers=rows), version="2026-07-01"
    )
    stage = {"work": {"kind": "timed", "hours": 1}}
    clusters = [
        {"accelerator": "d1", "devices": 8, "supply": {"kind": "offer", "id": "a"}},
        {"accelerator": "d1", "devices": 8, "supply": {"kind": "offer", "id": "b"}},
        {"accelerator": "d2", "devices": 8, "supply": {"kind": "offer", "id": "c"}},
    ]
    stages = [stage | {"cluster": one} for one in clusters]
    figures = answer(run_of(*stages, cluster=clusters[0]), catalog).figures
    scores = {name for name in figures if figures[name].unit == "standard_deviation"}
    assert {name for name in scores if name.startswith("price_moves/devices/")} == {
        "price_moves/devices/d1/listed",
        "price_moves/devices/d2/listed",
    }
    assert {name for name in scores if name.startswith("price_moves/sellers/")} == {
        "price_moves/sellers/a/listed",
        "price_moves/sellers/b/listed",
    }
    assert figures["price_moves/devices/d1/listed"].high == pytest.approx(
        NormalDist().inv_cdf(0.95)
    )


def test_a_median_of_many_sellers_is_surer_than_one_but_not_as_sure_as_if_they_were_apart():
    """Eight sellers of one price, half a year old. Apart, their errors would shrink to 35%."""
    rows = [offer(f"s{index}", f"s{index}", "d1", 2.0) for index in range(8)]
    market = quoted({"kind": "market"}, *rows, version="2026-07-01")
    alone = quoted({"kind": "offer", "id": "s0"}, *rows, version="2026-07-01")
    width = [log(high / low) for low, high in (span(market), span(alone))]
    assert width[0] < width[1]


def test_every_kind_of_price_has_its_constants():
    for mover in ("listed", "hyperscaler", "committed"):
        for name in LISTED:
            assert f"prices.{mover}.{name}" in embedded().assumptions
    assert all(f"prices.spot.{name}" in embedded().assumptions for name in SPOT)


def notes(quote, code):
    return [one.detail for one in quote.notes if one.code == code]


def test_a_price_that_seldom_moves_is_told_in_words_and_its_steps_stay_in_the_outcomes():
    """At a year a rise takes a move above 2.05 (2.0% of them), a fall one below -1.88 (3.0%)."""
    quote = quoted(ONE, offer("a", "a", "d1", 2.0), version="2027-01-01", a="hyperscaler")
    (note,) = notes(quote, "price_seldom_moves")
    assert note == (
        "a: of list prices like this one 2% have risen and 3% have fallen between 2026-01-01 and "
        "2027-01-01; p10 and p90 are the price as it was read"
    )
    assert span(quote) == (160.0, 160.0)
    assert float(priced(quote.bases[0]).outcomes[0]) < 160.0


def test_rarer_steps_than_were_seen_are_told_as_such():
    """After 36.5 days the thresholds are 0.92 higher: 0.15% and 0.26%."""
    quote = quoted(ONE, offer("a", "a", "d1", 2.0), version="2026-02-06", a="hyperscaler")
    (note,) = notes(quote, "price_seldom_moves")
    assert "under 1% have risen and under 1% have fallen" in note


@pytest.mark.parametrize(
    ("supply", "version", "kind"),
    [
        (ONE, "2026-04-01", "neocloud"),
        (ONE, "2026-01-01", "hyperscaler"),
        ({"kind": "rate", "usd_per_device_hour": 2.0}, "2027-01-01", "hyperscaler"),
        ({"kind": "market"}, "2027-01-01", "neocloud"),
    ],
)
def test_a_price_that_moves_or_is_of_the_day_or_is_given_is_not_said_to_stand(
    supply, version, kind
):
    quote = quoted(supply, offer("a", "a", "d1", 2.0), version=version, a=kind)
    assert notes(quote, "price_seldom_moves") == []


def test_prices_rose_in_2026_as_far_as_those_of_may_leave_room_for():
    """Three prices that lay above the interval that expected falling prices, 140 days on.

    DigitalOcean's H100 from 3.39 to 4.41 lies within p10 and p90, Verda's from 2.29 to 3.63 within
    p5 and p95, and its A100 40GB from 0.72 to 1.29, the farthest of 23, within p2 and p98.
    """
    known = embedded().assumption
    constants = {part: number(known(f"prices.listed.{part}")) for part in LISTED}
    for before, after, level in ((3.39, 4.41, 0.9), (2.29, 3.63, 0.95), (0.72, 1.29, 0.98)):
        move = NormalDist().inv_cdf(level)
        assert after < listed_at_age(
            price_per_device_hour=before, move=move, age_days=140.0, **constants
        )
