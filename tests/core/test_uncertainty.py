"""Intervals and drivers of a ledger: laws, and cases with a known answer."""

import math
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from service.core.argument import middle
from service.core.draws.columns import Leaf, draws_of
from service.core.draws.spread import Spread
from service.core.figures.ledger import Ledger
from service.core.figures.units import Z_90
from tests.worlds import MEMO, datum, unregistered

Z_80 = NormalDist().inv_cdf(0.9)


@given(
    ends=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted),
    unit=st.sampled_from(["share", "usd"]),
)
@example(ends=[2.225e-313, 2.225e-311], unit="share")
def test_the_middle_of_an_interval_is_a_number_inside_it(ends, unit):
    low, high = ends
    assert low <= middle(low, high, unit=unit) <= high


def test_middles_are_medians_of_their_distributions():
    assert middle(1.0, 4.0, unit="usd") == 2.0
    assert middle(0.2, 0.8, unit="share") == pytest.approx(0.5)
    assert middle(0.5, 0.9, unit="share") == pytest.approx(0.75)  # odds 1 and 9, their middle 3
    assert middle(1.0, 4.0, unit="count") == 2.0


@unregistered
def product(**factors):
    return math.prod(factors.values())


@unregistered
def total(**terms):
    return sum(terms.values())


def spread_of(formula, *leaves, unit="usd"):
    """The spread of a formula of leaves, each low, central, high."""
    ledger = Ledger()
    terms = {}
    for index, (low, central, high) in enumerate(leaves):
        taken = ledger.take(datum(f"leaf {index}", central, unit, low=low, high=high))
        terms[f"x{index}"] = taken
    ledger.derive(formula, name="y", inputs=terms)
    return Spread(ledger, MEMO, totals=["y"])


def around(central, factor):
    return (central / factor, central, central * factor)


factors = st.floats(1.01, 8.0)
centres = st.floats(0.01, 1e6)


@given(parts=st.lists(st.tuples(centres, factors), min_size=1, max_size=8))
def test_p50_is_the_central_value_where_the_formula_is_linear(parts):
    interval = spread_of(product, *(around(*part) for part in parts)).interval("y")
    assert interval.p50 == pytest.approx(math.prod(centre for centre, _ in parts), rel=1e-4)


@given(parts=st.lists(factors, min_size=2, max_size=8))
def test_independent_factors_add_in_quadrature(parts):
    interval = spread_of(product, *(around(1.0, factor) for factor in parts)).interval("y")
    sigma = math.sqrt(sum(math.log(factor) ** 2 for factor in parts)) / Z_90
    assert math.log(interval.p90) == pytest.approx(Z_80 * sigma, rel=2e-3)
    assert math.log(interval.p10) == pytest.approx(-Z_80 * sigma, rel=2e-3)


@given(
    parts=st.lists(st.tuples(centres, factors), min_size=2, max_size=6),
    wider=st.floats(1.05, 3.0),
    formula=st.sampled_from([product]),
)
def test_widening_any_one_input_never_narrows_the_interval(parts, wider, formula):
    before = spread_of(formula, *(around(*part) for part in parts)).interval("y")
    (centre, factor), *rest = parts
    changed = [(centre, factor * wider), *rest]
    after = spread_of(formula, *(around(*part) for part in changed)).interval("y")
    assert after.p90 - after.p10 >= (before.p90 - before.p10) * (1 - 1e-9)


# Columns of 1,024 scores are correlated by up to a tenth, so that a small summand that is widened
# may take back a little of a large one.
SLIGHT_CORRELATION = 0.03


@given(parts=st.lists(st.floats(1.05, 3.0), min_size=2, max_size=6), wider=st.floats(1.5, 3.0))
def test_widening_a_summand_never_narrows_the_interval_of_the_sum(parts, wider):
    before = spread_of(total, *(around(1.0, factor) for factor in parts)).interval("y")
    widened = [parts[0] * wider, *parts[1:]]
    after = spread_of(total, *(around(1.0, factor) for factor in widened)).interval("y")
    assert after.p90 - after.p10 >= (before.p90 - before.p10) * (1 - SLIGHT_CORRELATION)


def test_quantiles_agree_with_a_million_draws():
    leaves = [(1.0, 2.0, 3.5), (0.5, 1.0, 4.0), (2.0, 2.2, 3.0), (0.1, 1.0, 2.0)]

    @unregistered
    def bill(*, x0, x1, x2, x3):
        return x0 * x1 + x2 * x3

    interval = spread_of(bill, *leaves).interval("y")
    z = np.random.default_rng(7).standard_normal((4, 1_000_000))
    columns = []
    for scores, (low, central, high) in zip(z, leaves, strict=True):
        below, above = math.log(central / low) / Z_90, math.log(high / central) / Z_90
        columns.append(central * np.exp(np.where(scores < 0, below, above) * scores))
    exact = np.quantile(bill(**{f"x{i}": c for i, c in enumerate(columns)}), [0.1, 0.5, 0.9])
    width = exact[2] - exact[0]
    found = [interval.p10, interval.p50, interval.p90]
    assert np.abs(np.array(found) - exact).max() < 0.05 * width


@given(parts=st.lists(st.floats(1.05, 2.5), min_size=1, max_size=8))
def test_shares_and_interactions_make_one(parts):
    drivers = spread_of(product, *(around(1.0, factor) for factor in parts)).drivers("y")
    shares = sum(driver.share for driver in drivers.ranked)
    assert shares + drivers.interactions == pytest.approx(1.0, abs=0.05)


@given(parts=st.lists(st.floats(1.1, 2.0), min_size=2, max_size=5))
def test_shares_are_the_sobol_indices_of_a_product_of_log_normals(parts):
    drivers = spread_of(product, *(around(1.0, factor) for factor in parts)).drivers("y")
    variances = [(math.log(factor) / Z_90) ** 2 for factor in parts]
    exact = [math.expm1(v) / math.expm1(sum(variances)) for v in variances]
    found = {driver.figure: driver.share for driver in drivers.ranked}
    for index, share in enumerate(exact):
        assert found.get(f"leaf {index}", 0.0) == pytest.approx(share, abs=0.08)


def test_figures_that_act_only_together_are_reported_as_interactions():
    ledger = Ledger()
    pair = {name: ledger.take(datum(name, 1.0, "usd", low=0.25, high=4.0)) for name in ("a", "b")}

    @unregistered
    def product_of_logs(*, a, b):
        return np.log(a) * np.log(b)

    ledger.derive(product_of_logs, name="y", inputs=pair)
    drivers = Spread(ledger, MEMO, totals=["y"]).drivers("y")
    assert drivers.interactions > 0.9


def test_figures_beyond_the_regressed_have_the_shares_that_their_ends_suggest():
    """Sixty alike: 24 are regressed together, the others are taken to be linear.

    The regression of 72 terms on 1,024 draws counts a part of the noise as its own.
    """
    drivers = spread_of(total, *[around(1.0, 1.05)] * 60).drivers("y")
    shares = [driver.share for driver in drivers.ranked]
    (share, times), *_ = Counter(shares).most_common(1)
    assert times == 60 - 24
    assert share == pytest.approx(1 / 60, rel=0.2)
    assert sum(shares) + drivers.interactions == pytest.approx(1.0, abs=0.1)


def test_drivers_are_ranked_and_say_what_the_total_is_at_their_ends():
    drivers = spread_of(total, around(1.0, 1.5), around(10.0, 1.5)).drivers("y").ranked
    assert [driver.figure for driver in drivers] == ["leaf 1", "leaf 0"]
    assert drivers[0].total_if_low == pytest.approx(1.0 + 10.0 / 1.5)
    assert drivers[0].total_if_high == pytest.approx(1.0 + 10.0 * 1.5)


def test_an_entry_without_uncertain_leaves_has_no_spread_and_no_drivers():
    ledger = Ledger()
    leaf = ledger.take(datum("leaf", 3.0, "usd"))
    ledger.derive(total, name="y", inputs={"x": leaf})
    spread = Spread(ledger, MEMO, totals=["y"])
    assert spread.interval("y").p10 == spread.interval("y").p90 == 3.0
    assert spread.drivers("y").ranked == ()


def test_a_negative_amount_has_its_quantiles_in_order():
    @unregistered
    def discount(*, x0, x1):
        return -x0 * x1

    interval = spread_of(discount, around(2.0, 2.0), around(3.0, 1.5)).interval("y")
    assert interval.p10 < interval.p50 < interval.p90 < 0.0
    assert interval.p50 == pytest.approx(-6.0, rel=1e-4)


def test_each_of_many_entries_has_the_quantiles_that_it_has_alone():
    leaves = [around(1.0 + index, 1.1 + index / 10) for index in range(20)]
    alone = [spread_of(total, *leaves[: index + 2]).interval("y") for index in range(18)]
    ledger = Ledger()
    terms = [
        ledger.take(datum(f"leaf {index}", central, "usd", low=low, high=high))
        for index, (low, central, high) in enumerate(leaves)
    ]
    for index in range(18):
        inputs = {f"x{at}": term for at, term in enumerate(terms[: index + 2])}
        ledger.derive(total, name=f"y{index}", inputs=inputs)
    together = Spread(ledger, MEMO)
    for index, interval in enumerate(alone):
        found = together.interval(f"y{index}")
        assert found.p10 == pytest.approx(interval.p10, rel=1e-9)
        assert found.p50 == pytest.approx(interval.p50, rel=1e-9)
        assert found.p90 == pytest.approx(interval.p90, rel=1e-9)


@pytest.mark.parametrize(
    ("unit", "low", "central", "high"),
    [("usd", 1.0, 3.0, 4.0), ("share", 0.2, 0.3, 0.9), ("usd", 0.0, 1.0, 2.0)],
)
def test_a_leaf_has_the_quantiles_of_its_own_draws(unit, low, central, high):
    ledger = Ledger()
    ledger.take(datum("leaf", central, unit, low=low, high=high))
    interval = Spread(ledger, MEMO).interval("leaf")
    drawn = np.quantile(draws_of(Leaf("leaf", unit, low, central, high), MEMO), [0.1, 0.5, 0.9])
    found = np.array([interval.p10, interval.p50, interval.p90])
    assert np.abs(found - drawn).max() < 0.005 * (high - low)
    assert interval.p50 == pytest.approx(central)


def test_sums_and_products_that_change_sign_are_ordered_and_bracket_their_centre():
    @unregistered
    def saving(*, x0, x1):
        return x0 - x1

    interval = spread_of(saving, around(2.0, 1.5), around(2.0, 1.5)).interval("y")
    assert interval.p10 < 0.0 < interval.p90
    assert interval.p50 == pytest.approx(0.0, abs=0.05)
    assert interval.p10 == pytest.approx(-interval.p90, rel=0.1)


def test_what_is_derived_from_something_uncertain_has_a_range_and_nothing_else_has():
    ledger = Ledger()
    sure = ledger.take(datum("sure", 3.0, "usd"))
    unsure = ledger.take(datum("unsure", 3.0, "usd", low=2.0, high=4.0))
    ledger.derive(total, name="of sure", inputs={"x": sure})
    ledger.derive(total, name="of both", inputs={"x": sure, "y": unsure})
    spread = Spread(ledger, MEMO)
    assert list(spread.derived) == ["of both"]
    figures = ledger.figures(spread.derived)
    both = figures["of both"]
    assert isinstance(both.p10, float)
    assert isinstance(both.p90, float)
    assert both.p10 < 6.0 < both.p90
    for name in ("sure", "unsure", "of sure"):
        assert figures[name].p10 is figures[name].p90 is UNSET
