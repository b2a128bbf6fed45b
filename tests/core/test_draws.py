"""Columns of scores by name, and what uncertain leaves become."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.draws.columns import (
    DRAWS,
    SCORES,
    Leaf,
    Sample,
    column_of,
    draws_of,
    values_at,
)
from service.core.draws.quantiles import (
    ALL_LEVELS,
    INTERVAL,
    INTERVAL_LEVELS,
    WITH_OUTCOMES,
    OneOrder,
    interpolated,
    order_statistics,
    quantiles,
)
from service.core.figures.units import Z_90
from tests.worlds import MEMO

names = st.text(min_size=1, max_size=40)


@given(name=names)
def test_a_column_hits_every_stratum_once(name):
    assert np.array_equal(np.sort(column_of(name, MEMO)), SCORES)


@given(first=names, others=st.lists(names, max_size=5))
def test_a_new_figure_reshuffles_none_of_the_others(first, others):
    (alone,) = Sample((first,), MEMO).scores([0])
    together = Sample((first, *others), MEMO).scores(range(1 + len(others)))
    assert np.array_equal(together[0], alone)


def test_columns_are_the_same_on_every_machine():
    column = column_of("request/cluster/devices", MEMO)
    assert np.searchsorted(SCORES, column[:4]).tolist() == [25, 175, 172, 755]


def test_independent_figures_are_as_uncorrelated_as_any_columns_by_name_can_be():
    scores = np.array([column_of(f"figure {index}", MEMO) for index in range(200)])
    correlations = np.corrcoef(scores)[np.triu_indices(200, 1)]
    bound_of_welch = 1.0 / (DRAWS - 1)
    assert np.mean(correlations**2) == pytest.approx(bound_of_welch, rel=0.05)
    assert np.abs(correlations).max() < 0.2


@pytest.mark.parametrize(
    ("unit", "low", "central", "high"),
    [
        ("usd", 1.0, 3.0, 4.0),
        ("share", 0.2, 0.3, 0.9),
        ("share", 0.5, 0.8, 1.0),
        ("usd", 0.0, 0.0, 1.0),
        ("ratio", 0.5, 1.0, 8.0),
    ],
)
def test_the_ends_are_the_5_and_95_percent_quantiles_and_the_centre_the_median(
    unit, low, central, high
):
    at = np.array([NormalDist().inv_cdf(p) for p in (0.05, 0.5, 0.95)])
    values = values_at(at, unit=unit, low=low, central=central, high=high)
    assert values == pytest.approx([low, central, high])


@given(low=st.floats(0.0, 1.0), middle=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
def test_shares_stay_between_0_and_1(low, middle, high):
    low, middle, high = sorted((low, middle, high))
    drawn = draws_of(Leaf("share", "share", low, middle, high), MEMO)
    assert drawn.min() >= 0.0
    assert drawn.max() <= 1.0


def test_counts_are_whole_and_at_least_one():
    drawn = draws_of(Leaf("count", "count", 1.0, 3.0, 9.0), MEMO)
    assert np.array_equal(drawn, np.rint(drawn))
    assert drawn.min() >= 1.0


@given(high=st.floats(0.01, 0.99), low=st.floats(0.0, 1.0), middle=st.floats(0.0, 1.0))
def test_a_share_whose_range_ends_below_one_leaves_something(high, low, middle):
    central = middle * high
    drawn = draws_of(Leaf("share", "share", low * central, central, high), MEMO)
    assert drawn.max() < 1.0


@pytest.mark.parametrize(
    ("unit", "low", "central", "high", "expected"),
    [
        ("usd", 1.0, 4.0, 16.0, 8.0),  # half way from 4 to 16 in the logarithm
        ("share", 0.1, 0.5, 0.9, 0.75),  # odds 1 and 9, their middle 3
        ("share", 0.0, 0.2, 0.6, 0.4),  # a range that touches 0 is normal as it stands
        ("share", 0.25, 0.36, 1.0, 0.6),  # one that touches 1 is log-normal
        ("usd", 0.0, 2.0, 4.0, 3.0),
    ],
)
def test_half_way_to_an_end_is_half_way_on_the_scale_of_the_unit(
    unit, low, central, high, expected
):
    half = np.array([NormalDist().inv_cdf(0.95) / 2])
    (value,) = values_at(half, unit=unit, low=low, central=central, high=high)
    assert value == pytest.approx(expected)


def flat_above(scores):
    """A number whose log is the sum of the scores, much flatter above its median.

    It stands still at the levels of 0.875 and 0.925.
    """
    ratio = np.sum(scores, axis=0) / len(scores) ** 0.5
    for start, end in ((0.87, 0.88), (0.92, 0.93)):
        low, high = np.interp((start, end), np.linspace(0.0, 1.0, DRAWS), SCORES)
        ratio = np.where((ratio > low) & (ratio < high), low, ratio)
    return np.exp(np.where(ratio > 0.0, np.tanh(2.0 * ratio), 2.0 * ratio))


@pytest.mark.parametrize("name", "abcdef")
def test_a_quantile_does_not_hang_on_which_others_are_asked_for(name):
    sample = Sample(tuple(f"{name}{index}" for index in range(6)), MEMO)
    drawn = flat_above(sample.scores(range(6)))
    ends = [flat_above(side * axis) for axis in np.eye(6) for side in (-Z_90, Z_90)]
    few, many = (
        quantiles([drawn], np.array([ends]), sample, levels)[0].tolist()
        for levels in (INTERVAL, WITH_OUTCOMES)
    )
    assert few == [many[ALL_LEVELS.index(level)] for level in INTERVAL_LEVELS]


@given(names=st.lists(names, min_size=1, max_size=4), power=st.integers(0, 3))
def test_sorted_draws_are_interpolated_linearly_in_a_matrix_as_in_a_row(names, power):
    rows = np.sort(np.exp(power * np.array([column_of(name, MEMO) for name in names])), axis=1)
    for levels, at in ((INTERVAL, INTERVAL_LEVELS), (WITH_OUTCOMES, ALL_LEVELS)):
        found = interpolated(rows, levels)
        assert found.tolist() == [interpolated(row, levels).tolist() for row in rows]
        expected = [np.interp(at, (np.arange(DRAWS) + 0.5) / DRAWS, row) for row in rows]
        assert found == pytest.approx(np.array(expected), rel=1e-12)


FACTORS = st.floats(0.3, 3.0) | st.sampled_from([-1.0, 0.0])


@given(
    name=names,
    others=st.lists(st.tuples(FACTORS, FACTORS, names), min_size=1, max_size=6),
    flat=st.booleans(),
    size=st.integers(1, 3),
)
def test_draws_that_are_put_in_the_order_of_the_first_are_as_sorted(name, others, flat, size):
    column = column_of(name, MEMO)
    first = np.maximum(column, -1.0) if flat else column
    rows = np.array([a * first + (a - b) * column_of(other, MEMO) for a, b, other in others])
    order = OneOrder()
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        for levels in (INTERVAL, WITH_OUTCOMES):
            found, expected = order.statistics(block, levels), order_statistics(block, levels)
            assert all(map(np.array_equal, found, expected))
        assert np.array_equal(order.sorted(block)[0], np.sort(block, axis=1))


def test_draws_in_the_order_of_the_first_are_not_sorted_again():
    column = column_of("a", MEMO)
    order = OneOrder()
    assert order.sorted(np.array([column, 2.0 * column, column + 1e-9]))[1].tolist() == []
    assert order.sorted(np.array([3.0 * column, -column]))[1].tolist() == [1]
