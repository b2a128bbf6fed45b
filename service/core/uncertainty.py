"""p10, p50, p90 of the numbers of a quote, and what moves its totals.

The ledger is replayed once over an array that holds 1,024 joint draws and, behind them, each
uncertain figure alone at its low and its high end. The ends give slopes, and slopes correct the
quantiles: what the columns of a finite sample have in common by chance is known exactly for the
linear part of an answer, and is taken out of it.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import numpy as np
from msgspec import UNSET, Struct
from numpy.typing import NDArray

from service.core.arrays import Array
from service.core.draws import DRAWS, SCORES, Z_90, draws_of, scores_of, values_at
from service.core.provenance import Entry, Ledger
from service.core.sensitivity import Shares, variance_shares
from service.core.units import Unit

LEVELS: Final[Array] = np.array([0.1, 0.5, 0.9])
NORMAL_QUANTILES: Final[Array] = np.interp(LEVELS, (np.arange(DRAWS) + 0.5) / DRAWS, SCORES)
PLACES: Final[Array] = LEVELS * DRAWS - 0.5
"""Where a level falls among sorted draws; the i-th stands in the middle of the i-th stratum."""
BELOW: Final[NDArray[np.intp]] = PLACES.astype(np.intp)
BEYOND: Final[Array] = PLACES - BELOW
LOOKED_AT: Final[NDArray[np.intp]] = np.array([*BELOW, *(BELOW + 1), 0, DRAWS - 1])
"""The sorted draws that quantiles are read off: on either side of each level, least, most."""
LEAST_SHARE: Final = 1e-3
PROBED: Final = slice(DRAWS - 16, None)
"""Draws that tell, with the ends behind them, whether two numbers are multiples of one another."""
STEPS: Final = 1e11
"""How finely, as parts of the largest of them."""
DIRECTION_STEPS: Final = 1e9
"""How finely slopes are told apart, in parts of their length."""
BLOCK: Final = 12
"""Numbers sorted together: 96 KiB, which stay in a core's own cache."""


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


def leaf_of(entry: Entry) -> Leaf | None:
    """The entry as a leaf with a range of some width, if it is one."""
    low, high = entry.low, entry.high
    if low is UNSET or high is UNSET or low == high:
        return None
    return Leaf(entry.name, entry.unit, low, entry.central, high)


def uncertain_leaves(ledger: Ledger) -> tuple[Leaf, ...]:
    """The ledger's leaves that have a range of some width."""
    return tuple(leaf for entry in ledger if (leaf := leaf_of(entry)) is not None)


class Spread:
    """The joint draws of one ledger: intervals of its entries, drivers of the totals."""

    def __init__(self, ledger: Ledger, *, totals: Sequence[str] = ()) -> None:
        self._ledger = ledger
        self._leaves = uncertain_leaves(ledger)
        self._names_of_leaves = tuple(leaf.name for leaf in self._leaves)
        columns = dict(zip(self._names_of_leaves, columns_of(self._leaves), strict=True))
        again = ledger.replay(columns) if columns else {}
        self._moved = {name: row for name, row in again.items() if isinstance(row, np.ndarray)}
        self._totals = [name for name in totals if name in self._moved]
        self._drivers: dict[str, Drivers] = {}
        self._intervals = self._found([name for name in self._moved if name not in columns])

    @property
    def derived(self) -> Mapping[str, Interval]:
        """p10, p50, p90 of every entry that is derived from something uncertain."""
        return self._intervals

    def interval(self, name: str) -> Interval:
        """p10, p50, p90 of an entry; all the same where nothing uncertain enters."""
        found = self._intervals.get(name)
        if found is not None:
            return found
        entry = self._ledger.entry(name)
        leaf = leaf_of(entry)
        if leaf is None:
            return Interval(entry.central, entry.central, entry.central)
        return interval_of_leaf(leaf)

    def _found(self, names: Sequence[str]) -> dict[str, Interval]:
        """The intervals of several entries at once.

        Entries that are positive multiples of one another, judged by some draws and the ends, are
        one to look at: stages differ in hours and lines in rates, but few differ in shape.
        """
        if not names:
            return {}
        rows = [self._moved[name] for name in names]
        probes = np.array([row[PROBED] for row in rows])
        sizes = np.abs(probes).max(axis=1)
        sizes[sizes == 0.0] = 1.0
        shapes = np.rint(probes * (STEPS / sizes)[:, None])
        width, packed = shapes.shape[1] * shapes.itemsize, shapes.tobytes()
        first: dict[bytes, int] = {}
        like = [
            first.setdefault(packed[start : start + width], index)
            for index, start in enumerate(range(0, len(packed), width))
        ]
        looked_at = list(first.values())
        known = np.empty((len(names), len(LEVELS)))
        known[looked_at] = quantiles(
            [rows[index][:DRAWS] for index in looked_at],
            probes[looked_at, -2 * len(self._leaves) :],
            self._names_of_leaves,
        )
        scaled = known[like] * (sizes / sizes[like])[:, None]
        return {name: Interval(*row) for name, row in zip(names, scaled.tolist(), strict=True)}

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

    @cached_property
    def _shares(self) -> Shares:
        """Of all totals at once: their regressions have one matrix in common."""
        deviations = [
            self._ends_of(name) - self._ledger.term(name).central for name in self._totals
        ]
        drawn = [self._moved[name][:DRAWS] for name in self._totals]
        return variance_shares(np.array(drawn), self._names_of_leaves, np.array(deviations))


@lru_cache(maxsize=32)
def columns_of(leaves: tuple[Leaf, ...]) -> Array:
    """Of each leaf the draws, and behind them its centre, but for its own two ends.

    Shape `[leaves, 1024 + 2 leaves]`; like questions have like leaves.
    """
    columns = np.empty((len(leaves), DRAWS + 2 * len(leaves)))
    for index, leaf in enumerate(leaves):
        column = columns[index]
        column[:DRAWS] = draws_of(*leaf)
        column[DRAWS:] = leaf.central
        own = DRAWS + 2 * index
        column[own], column[own + 1] = leaf.low, leaf.high
    columns.setflags(write=False)
    return columns


def interval_of_leaf(leaf: Leaf) -> Interval:
    """A leaf rises with its score, so its quantiles are its values at those of the score."""
    values = values_at(
        NORMAL_QUANTILES, unit=leaf.unit, low=leaf.low, central=leaf.central, high=leaf.high
    )
    return Interval(*values.tolist())


def quantiles(draws: Sequence[Array], ends: Array, figures: tuple[str, ...]) -> Array:
    """10%, 50% and 90% quantiles of numbers, each corrected by its slopes; shape `[numbers, 3]`.

        u = sum over figures of slope * z,  slope = (f(high) - f(low)) / (2 * 1.645)
        quantile of f = drawn quantile of f - (drawn quantile of u - its quantile)

    where u is normal with variance sum(slope^2), and f is the logarithm of numbers that have one
    sign. If f is linear in the scores the answer is exact, whatever the sample. Between two draws
    a quantile is found linearly, of numbers of one sign by logarithms. `draws` are
    of shape `[1024]`, drawn over the columns of `figures`; `ends`, low and high of one figure after
    the other, `[numbers, 2 figures]`.

    Source: Hesterberg and Nelson, "Control variates for probability and quantile estimation"
    (Management Science 44, 1998).
    """
    below, above, least, most = _order_statistics(draws)
    positive = (least[:, 0] > 0.0) & (ends.min(axis=1) > 0.0)
    negative = (most[:, 0] < 0.0) & (ends.max(axis=1) < 0.0)
    geometric = positive | negative
    heights = ends.copy()
    heights[geometric] = np.log(np.abs(ends[geometric]))
    excess = _excess(_slopes(heights), figures)
    excess[negative] = excess[negative, ::-1]
    found = below + BEYOND * (above - below) - excess
    factor = (above[geometric] / below[geometric]) ** BEYOND * np.exp(-excess[geometric])
    found[geometric] = below[geometric] * factor
    found = np.minimum(np.maximum(found, least), most)
    found.sort(axis=1)
    return found


def _slopes(heights: Array) -> Array:
    """How much a number rises with each score; zero where it hangs on a single figure."""
    slopes: Array = (heights[:, 1::2] - heights[:, ::2]) / (2.0 * Z_90)
    slopes[np.count_nonzero(slopes, axis=1) < 2] = 0.0
    return slopes


def _excess(slopes: Array, figures: tuple[str, ...]) -> Array:
    """By how much the drawn quantiles of sum(slope * z) miss those of the normal that it is.

    They miss by the length of the slopes times what they would miss by at length one.
    """
    excess = np.zeros((len(slopes), len(LEVELS)))
    length = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
    mixed = np.flatnonzero(length)
    if mixed.size:
        steps = np.rint(slopes[mixed] * (DIRECTION_STEPS / length[mixed]))
        missed = [_excess_of(row.tobytes(), figures) for row in steps]
        excess[mixed] = length[mixed] * np.array(missed)
    return excess


@lru_cache(maxsize=4096)
def _excess_of(steps: bytes, figures: tuple[str, ...]) -> tuple[float, ...]:
    """The excess for slopes of length one, packed as steps: quotes differ little in directions."""
    slopes = np.frombuffer(steps) / DIRECTION_STEPS
    drawn = np.sort(slopes @ scores_of(figures))
    below, above = drawn[BELOW], drawn[BELOW + 1]
    excess = below + BEYOND * (above - below) - np.sqrt(slopes @ slopes) * NORMAL_QUANTILES
    return tuple(excess.tolist())


def _order_statistics(draws: Sequence[Array]) -> tuple[Array, Array, Array, Array]:
    """Of numbers over their draws: the draws below and above each level, the least and the most."""
    looked_at = []
    for start in range(0, len(draws), BLOCK):
        block = np.array(draws[start : start + BLOCK])
        block.sort(axis=1)
        looked_at.append(block.take(LOOKED_AT, axis=1))
    found = np.concatenate(looked_at)
    return found[:, :3], found[:, 3:6], found[:, 6:7], found[:, 7:]
