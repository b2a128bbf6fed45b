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
from numpy.typing import NDArray

from service.core.arrays import Array
from service.core.draws import DRAWS, SCORES, Z_90, draws_of, scores_of
from service.core.provenance import Ledger
from service.core.sensitivity import Shares, variance_shares
from service.core.units import Unit

LEVELS: Final[Array] = np.array([0.1, 0.5, 0.9])
NORMAL_QUANTILES: Final[Array] = np.interp(LEVELS, (np.arange(DRAWS) + 0.5) / DRAWS, SCORES)
LEAST_SHARE: Final = 1e-3
PROBED: Final = slice(0, DRAWS, DRAWS // 32)
"""Draws that tell whether two numbers are multiples of one another."""
BLOCK: Final = 12
"""Numbers sorted together; larger arrays would be new memory each time."""


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
        self, ledger: Ledger, *, wanted: Iterable[str] = (), totals: Sequence[str] = ()
    ) -> None:
        self._ledger = ledger
        self._leaves = uncertain_leaves(ledger)
        moved = ledger.replay(columns_of(self._leaves)) if self._leaves else {}
        self._moved = {name: row for name, row in moved.items() if isinstance(row, np.ndarray)}
        self._totals = [name for name in totals if name in self._moved]
        self._intervals: dict[str, Interval] = {}
        self._drivers: dict[str, Drivers] = {}
        self._look_at(name for name in dict.fromkeys((*totals, *wanted)) if name in self._moved)

    def interval(self, name: str) -> Interval:
        """p10, p50, p90 of an entry; all the same where nothing uncertain enters."""
        if name not in self._moved:
            central = self._ledger.term(name).central
            return Interval(central, central, central)
        if name not in self._intervals:
            self._look_at((name,))
        return self._intervals[name]

    def _look_at(self, names: Iterable[str]) -> None:
        """Find the intervals of several entries at once.

        Entries that are positive multiples of one another, judged by some draws, are one to look
        at: stages differ in hours and lines in rates, but few differ in shape.
        """
        wanted = tuple(names)
        if not wanted:
            return
        probes = np.array([self._moved[name][PROBED] for name in wanted])
        sizes = np.abs(probes).max(axis=1)
        shapes = np.round(probes / np.where(sizes > 0.0, sizes, 1.0)[:, None], 11)
        first: dict[bytes, int] = {}
        like = [first.setdefault(row.tobytes(), index) for index, row in enumerate(shapes)]
        looked_at = [wanted[index] for index in first.values()]
        found = quantiles(
            [self._moved[name][:DRAWS] for name in looked_at],
            [self._ends_of(name) for name in looked_at],
            scores_of(self._names_of_leaves),
        )
        known = dict(zip(first.values(), found, strict=True))
        for name, size, other in zip(wanted, sizes.tolist(), like, strict=True):
            ratio = size / sizes.item(other) if sizes[other] > 0.0 else 1.0
            interval = known[other]
            self._intervals[name] = Interval(
                interval.p10 * ratio, interval.p50 * ratio, interval.p90 * ratio
            )

    def _ends_of(self, name: str) -> Array:
        """The entry with each figure alone at its low and at its high end, `[figures, 2]`."""
        return self._moved[name][DRAWS:].reshape(-1, 2)

    def drivers(self, total: str) -> Drivers:
        """What moves a total; figures below a thousandth of its variance are left out."""
        if total not in self._totals:
            return Drivers()
        if total not in self._drivers:
            self._drivers[total] = self._drivers_of(total)
        return self._drivers[total]

    def _drivers_of(self, total: str) -> Drivers:
        row = self._totals.index(total)
        shares = self._shares.first_order[row].tolist()
        ends = self._ends_of(total).tolist()
        ranked = [
            Driver(figure=leaf.name, share=share, total_if_low=low, total_if_high=high)
            for leaf, share, (low, high) in zip(self._leaves, shares, ends, strict=True)
            if share >= LEAST_SHARE
        ]
        ranked.sort(key=lambda driver: -driver.share)
        return Drivers(tuple(ranked), float(self._shares.interactions[row]))

    @property
    def _names_of_leaves(self) -> tuple[str, ...]:
        return tuple(leaf.name for leaf in self._leaves)

    @cached_property
    def _shares(self) -> Shares:
        """Of all totals at once: their regressions have one matrix in common."""
        deviations = [
            self._ends_of(name) - self._ledger.term(name).central for name in self._totals
        ]
        drawn = [self._moved[name][:DRAWS] for name in self._totals]
        return variance_shares(np.array(drawn), self._names_of_leaves, np.array(deviations))


def columns_of(leaves: Sequence[Leaf]) -> dict[str, Array]:
    """For each leaf its draws, and behind them its centre, but for its own two ends."""
    columns = {}
    for index, leaf in enumerate(leaves):
        column = np.empty(DRAWS + 2 * len(leaves))
        column[:DRAWS] = draws_of(*leaf)
        column[DRAWS:] = leaf.central
        own = DRAWS + 2 * index
        column[own : own + 2] = leaf.low, leaf.high
        columns[leaf.name] = column
    return columns


def quantiles(draws: Sequence[Array], ends: Sequence[Array], scores: Array) -> list[Interval]:
    """10%, 50% and 90% quantiles of numbers, each corrected by its slopes.

        u = sum over figures of slope * z,  slope = (f(high) - f(low)) / (2 * 1.645)
        quantile of f = drawn quantile of f - (drawn quantile of u - its quantile)

    where u is normal with variance sum(slope^2), and f is the logarithm of numbers that have one
    sign. If f is linear in the scores the answer is exact, whatever the sample. `draws` has one
    array of shape `[n]` for each number, `ends` one of shape `[figures, 2]`, `scores` has shape
    `[figures, n]`.

    Source: Hesterberg and Nelson, "Control variates for probability and quantile estimation"
    (Management Science 44, 1998).
    """
    found: list[Interval] = []
    for start in range(0, len(draws), BLOCK):
        block = slice(start, start + BLOCK)
        rows = _quantiles_of_block(np.array(draws[block]), np.array(ends[block]), scores)
        found += [Interval(*row) for row in rows.tolist()]
    return found


def _quantiles_of_block(draws: Array, ends: Array, scores: Array) -> Array:
    """Quantiles of `draws` `[numbers, n]`, which are sorted in place; shape `[numbers, 3]`."""
    draws.sort(axis=1)
    least, most = draws[:, :1], draws[:, -1:]
    positive = (np.minimum(least[:, 0], ends.min(axis=(1, 2))) > 0.0)[:, None]
    negative = (np.maximum(most[:, 0], ends.max(axis=(1, 2))) < 0.0)[:, None]
    with np.errstate(divide="ignore"):
        heights = np.where((positive | negative)[..., None], np.log(np.abs(ends)), ends)
    excess = _excess(_slopes(heights), scores)
    drawn = _at_levels(draws, geometric=positive | negative)
    factor = np.exp(-np.where(negative, excess[:, ::-1], np.where(positive, excess, 0.0)))
    corrected = np.where(positive | negative, drawn * factor, drawn - excess)
    return np.sort(np.clip(corrected, least, most), axis=1)


def _slopes(heights: Array) -> Array:
    """How much a number rises with each score; zero where it hangs on a single figure."""
    slopes: Array = (heights[..., 1] - heights[..., 0]) / (2.0 * Z_90)
    slopes[np.count_nonzero(slopes, axis=1) < 2] = 0.0
    return slopes


def _excess(slopes: Array, scores: Array) -> Array:
    """By how much the drawn quantiles of sum(slope * z) miss those of the normal that it is."""
    distinct = {row.tobytes(): row for row in np.round(slopes, 12)}
    combined = np.array(list(distinct.values())) @ scores
    combined.sort(axis=1)
    misses = dict(zip(distinct, _at_levels(combined), strict=True))
    deviation = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
    found = np.array([misses[row.tobytes()] for row in np.round(slopes, 12)])
    excess: Array = found - deviation * NORMAL_QUANTILES
    return excess


def _at_levels(ordered: Array, *, geometric: NDArray[np.bool_] | None = None) -> Array:
    """Quantiles of sorted rows, the i-th value standing in the middle of the i-th stratum.

    Between two values they are found linearly, in `geometric` rows, of one sign, by logarithms.
    """
    at = LEVELS * ordered.shape[1] - 0.5
    place = at.astype(int)
    below, above = ordered[:, place], ordered[:, place + 1]
    found: Array = below + (at - place) * (above - below)
    if geometric is None:
        return found
    ratio = np.where(geometric, above, 1.0) / np.where(geometric, below, 1.0)
    return np.where(geometric, below * ratio ** (at - place), found)
