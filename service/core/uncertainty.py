"""p10, p50, p90 of the numbers of a quote, and what moves its totals.

The ledger is replayed once over an array that holds 1,024 joint draws and, behind them, each
uncertain figure alone at its low and its high end. The ends give slopes, and slopes correct the
quantiles: what the columns of a finite sample have in common by chance is known exactly for the
linear part of an answer, and is taken out of it.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct

from service.core.arrays import Array
from service.core.draws import DRAWS, SCORES, Z_90, column_of, draws_of
from service.core.provenance import Ledger
from service.core.sensitivity import Shares, variance_shares
from service.core.units import Unit

LEVELS: Final[Array] = np.array([0.1, 0.5, 0.9])
NORMAL_QUANTILES: Final[Array] = np.interp(LEVELS, (np.arange(DRAWS) + 0.5) / DRAWS, SCORES)
LEAST_SHARE: Final = 1e-3


class Interval(Struct, frozen=True):
    """Three quantiles of the joint draws."""

    p10: float
    p50: float
    p90: float


class Driver(Struct, frozen=True, kw_only=True):
    """A figure, its first-order share of a total's variance, and the total at its two ends."""

    figure: str
    share: float
    total_if_low: float
    total_if_high: float


class Drivers(Struct, frozen=True):
    """The figures that move a total, the largest share first, and what they do only together."""

    ranked: tuple[Driver, ...] = ()
    interactions: float = 0.0


class Leaf(NamedTuple):
    """An uncertain leaf of the ledger."""

    name: str
    unit: Unit
    low: float
    central: float
    high: float


def uncertain_leaves(ledger: Ledger) -> tuple[Leaf, ...]:
    """The ledger's leaves that have a range of some width."""
    return tuple(
        Leaf(entry.name, entry.unit, entry.low, entry.central, entry.high)
        for entry in ledger
        if entry.is_leaf
        and isinstance(entry.low, float)
        and isinstance(entry.high, float)
        and entry.low != entry.high
    )


class Spread:
    """The joint draws of one ledger: intervals of the wanted entries, drivers of the totals."""

    def __init__(
        self, ledger: Ledger, *, wanted: Iterable[str], totals: Sequence[str] = ()
    ) -> None:
        self._ledger = ledger
        names = dict.fromkeys((*totals, *wanted))
        upstream = ledger.upstream_of(names)
        self._leaves = tuple(leaf for leaf in uncertain_leaves(ledger) if leaf.name in upstream)
        moved = ledger.replay(columns_of(self._leaves), only=upstream) if self._leaves else {}
        self._uncertain = [name for name in names if isinstance(moved.get(name), np.ndarray)]
        self._totals = [name for name in totals if name in self._uncertain]
        values = np.empty((len(self._uncertain), DRAWS + 2 * len(self._leaves)))
        for row, name in zip(values, self._uncertain, strict=True):
            row[:] = moved[name]
        self._scores = scores_of(self._leaves)
        self._ends = values[:, DRAWS:].reshape(len(values), -1, 2)
        self._drawn_totals = values[: len(self._totals), :DRAWS].copy()
        self._intervals = {
            name: Interval(*row)
            for name, row in zip(
                self._uncertain,
                quantiles(values[:, :DRAWS], self._ends, self._scores).tolist(),
                strict=True,
            )
        }

    def interval(self, name: str) -> Interval:
        """p10, p50, p90 of a wanted entry; all the same where nothing uncertain enters."""
        if name in self._intervals:
            return self._intervals[name]
        central = self._ledger.term(name).central
        return Interval(central, central, central)

    def drivers(self, total: str) -> Drivers:
        """What moves a total; figures below a thousandth of its variance are left out."""
        if total not in self._totals:
            return Drivers()
        row = self._totals.index(total)
        shares = self._shares.first_order[row].tolist()
        ends = self._ends[row].tolist()
        ranked = [
            Driver(figure=leaf.name, share=share, total_if_low=low, total_if_high=high)
            for leaf, share, (low, high) in zip(self._leaves, shares, ends, strict=True)
            if share >= LEAST_SHARE
        ]
        ranked.sort(key=lambda driver: -driver.share)
        return Drivers(tuple(ranked), float(self._shares.interactions[row]))

    @cached_property
    def _shares(self) -> Shares:
        """Of all totals at once: their regressions have one matrix in common."""
        central = [[[self._ledger.term(name).central]] for name in self._totals]
        deviations = self._ends[: len(self._totals)] - np.array(central)
        return variance_shares(self._drawn_totals, self._scores, deviations)


def scores_of(leaves: Sequence[Leaf]) -> Array:
    """The leaves' columns of scores, shape `[leaves, 1024]`."""
    scores = np.empty((len(leaves), DRAWS))
    for row, leaf in zip(scores, leaves, strict=True):
        row[:] = column_of(leaf.name)
    return scores


def columns_of(leaves: Sequence[Leaf]) -> dict[str, Array]:
    """For each leaf its draws, and behind them its centre, but for its own two ends."""
    columns = np.empty((len(leaves), DRAWS + 2 * len(leaves)))
    for index, (column, leaf) in enumerate(zip(columns, leaves, strict=True)):
        column[:DRAWS] = draws_of(*leaf)
        column[DRAWS:] = leaf.central
        own = DRAWS + 2 * index
        column[own : own + 2] = leaf.low, leaf.high
    return {leaf.name: column for leaf, column in zip(leaves, columns, strict=True)}


def quantiles(draws: Array, ends: Array, scores: Array) -> Array:
    """10%, 50% and 90% quantiles of each number, shape `[numbers, 3]`, corrected by its slopes.

        u = sum over figures of slope * z,  slope = (f(high) - f(low)) / (2 * 1.645)
        quantile of f = drawn quantile of f - (drawn quantile of u - its quantile)

    where u is normal with variance sum(slope^2), and f is the logarithm of numbers that have one
    sign. If f is linear in the scores the answer is exact, whatever the sample. `draws` has shape
    `[numbers, n]` and is sorted in place, `ends` has `[numbers, figures, 2]`, `scores`
    `[figures, n]`.

    Source: Hesterberg and Nelson, "Control variates for probability and quantile estimation"
    (Management Science 44, 1998).
    """
    ordered = draws
    ordered.sort(axis=1)
    drawn = _at_levels(ordered)
    sign = np.sign(ordered[:, 0]) * _same_sign(ordered, ends)
    logarithmic = sign != 0.0
    with np.errstate(divide="ignore"):
        heights = np.where(logarithmic[:, None, None], np.log(np.abs(ends)), ends)
    slopes = (heights[..., 1] - heights[..., 0]) / (2.0 * Z_90)
    slopes[np.count_nonzero(slopes, axis=1) < 2] = 0.0
    linear = slopes @ scores
    linear.sort(axis=1)
    excess = _at_levels(linear) - np.sqrt((slopes**2).sum(axis=1, keepdims=True)) * NORMAL_QUANTILES
    corrected = np.where(
        logarithmic[:, None],
        drawn * np.exp(-np.where(sign[:, None] < 0.0, excess[:, ::-1], excess)),
        drawn - excess,
    )
    return np.sort(np.clip(corrected, ordered[:, :1], ordered[:, -1:]), axis=1)


def _at_levels(ordered: Array) -> Array:
    """Quantiles of sorted rows, the i-th value standing in the middle of the i-th stratum."""
    at = LEVELS * ordered.shape[1] - 0.5
    below = at.astype(int)
    found: Array = ordered[:, below] * (below + 1 - at) + ordered[:, below + 1] * (at - below)
    return found


def _same_sign(ordered: Array, ends: Array) -> Array:
    """Whether a number has one sign, never zero, over all draws and ends; as 0.0 or 1.0."""
    least = np.minimum(ordered[:, 0], ends.min(axis=(1, 2)))
    most = np.maximum(ordered[:, -1], ends.max(axis=(1, 2)))
    same: Array = ((least > 0.0) | (most < 0.0)).astype(np.float64)
    return same
