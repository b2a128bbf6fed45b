"""Quantiles of rows of draws, found together, and once for rows of one shape."""

from collections.abc import Sequence
from math import floor, log10
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct

from service.core.draws.columns import DRAWS, Sample
from service.core.draws.quantiles import (
    ALL_LEVELS,
    INTERVAL,
    INTERVAL_LEVELS,
    WITH_OUTCOMES,
    Levels,
    quantiles,
)
from service.core.figures.arrays import Array

ENDS: Final = slice(DRAWS + 1, None)
"""The part of a row that has the number with each figure alone at its low and high end."""
PLACES_OF_INTERVAL: Final = [ALL_LEVELS.index(level) for level in INTERVAL_LEVELS]
PROBED: Final = slice(0, 32)
"""The draws by which two numbers are found to be multiples of one another."""
STEPS: Final = 1e11
"""The precision of that, in parts of the largest of these draws."""
DIGITS: Final = 11
"""Least number of digits of a quantile. The last digits of a float differ by processor."""
EXPONENTS: Final = range(-1074, 1025)
"""The exponents of floats in base two."""
DECIMALS: Final = [DIGITS - 1 - floor((exponent - 1) * log10(2.0)) for exponent in EXPONENTS]
"""For each exponent, the decimals that keep the first digits of a number."""
RAISED: Final[Array] = np.array([float(f"1e{min(max(at, 0), 300)}") for at in DECIMALS])
"""Ten to the power of the decimals, within the range of a float."""
LOWERED: Final[Array] = np.array([float(f"1e{min(max(at, 0), 300) - at}") for at in DECIMALS])
"""Ten to the power of the digits before the point that are not kept."""

NOTHING_BELOW: Final = 1e-290
"""Rows below this size look alike: no row can be scaled to another through a smaller number."""

Rows: TypeAlias = dict[str, Array]


class Quantiles(Struct, frozen=True):
    """Three quantiles of the joint draws."""

    p10: float
    p50: float
    p90: float


class Seen(NamedTuple):
    """A row that was looked at: its size, which multiples are scaled by, and its quantiles."""

    size: float
    quantiles: list[float]


class Shapes:
    """The quantiles of rows at some levels, found once for rows of one shape.

    Rows that are positive multiples of one another, judged by some draws, are looked at once.
    Stages differ in hours and lines in rates, but few differ in shape.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.seen: dict[bytes, Seen] = {}

    def copy(self) -> "Shapes":
        """The same shapes, to which more can be added independently."""
        other = Shapes(self._levels)
        other.seen |= self.seen
        return other

    def quantiles_of(self, rows: Sequence[Array], sample: Sample) -> Array:
        """The quantiles of each row, ascending, shape `[rows, levels]`."""
        probes = np.array([row[PROBED] for row in rows])
        sizes = np.abs(probes).max(axis=1)
        sizes[sizes < 1e-150] = 1.0
        keys = _keys_of(np.rint(probes / sizes[:, None] * STEPS))
        new: dict[bytes, int] = {}
        for index, key in enumerate(keys):
            if key not in self.seen:
                new.setdefault(key, index)
        if new:
            found = quantiles(
                [rows[index][:DRAWS] for index in new.values()],
                np.array([rows[index][ENDS] for index in new.values()]),
                sample,
                self._levels,
            )
            for (key, index), row in zip(new.items(), found.tolist(), strict=True):
                self.seen[key] = Seen(float(sizes[index]), row)
        like = [self.seen[key] for key in keys]
        factors = sizes / [one.size for one in like]
        return rounded(np.array([one.quantiles for one in like]) * factors[:, None])


class Looks:
    """The intervals of rows by name, and all quantiles of those with outcomes."""

    def __init__(self) -> None:
        self.intervals: dict[str, Quantiles] = {}
        self.with_outcomes: dict[str, list[float]] = {}
        """Quantiles at `ALL_LEVELS`, which include those of the interval."""
        self.shapes = Shapes(INTERVAL)
        self._shapes_with_outcomes = Shapes(WITH_OUTCOMES)

    def copy(self) -> "Looks":
        """The same looks, to which more can be added independently."""
        other = Looks()
        other.intervals |= self.intervals
        other.with_outcomes |= self.with_outcomes
        other.shapes = self.shapes.copy()
        other._shapes_with_outcomes = self._shapes_with_outcomes.copy()
        return other

    def add(self, rows: Rows, sample: Sample) -> None:
        """Find the intervals of several rows at once."""
        if not rows:
            return
        found = self.shapes.quantiles_of(list(rows.values()), sample)
        for name, row in zip(rows, found.tolist(), strict=True):
            self.intervals[name] = Quantiles(*row)

    def add_with_outcomes(self, rows: Rows, sample: Sample) -> None:
        """Find the quantiles of several rows at all levels. Those of the interval are among them.

        Found together they ascend, so that outcomes lie on their side of the interval's quantiles.
        """
        if not rows:
            return
        found = self._shapes_with_outcomes.quantiles_of(list(rows.values()), sample).tolist()
        for name, row in zip(rows, found, strict=True):
            self.with_outcomes[name] = row
            self.intervals[name] = Quantiles(*(row[place] for place in PLACES_OF_INTERVAL))


def _keys_of(shapes: Array) -> list[bytes]:
    """The rows of a matrix as bytes."""
    width, packed = shapes.shape[1] * shapes.itemsize, shapes.tobytes()
    return [packed[start : start + width] for start in range(0, len(packed), width)]


def rounded(numbers: Array) -> Array:
    """Numbers rounded to their first 11 digits, and some to 12, as decimals.

    Logarithms and sums differ between processors in the last digit of a float, but the answer to a
    question must be the same on all of them.
    """
    exponents = np.frexp(numbers)[1] - EXPONENTS.start
    raised, lowered = RAISED[exponents], LOWERED[exponents]
    nearest: Array = np.rint(numbers * raised / lowered) / raised * lowered
    return nearest
