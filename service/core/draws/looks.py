"""The three quantiles of rows of draws, found together, and once for rows of one shape."""

from math import floor, log10
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct

from service.core.draws.columns import DRAWS, Sample
from service.core.draws.quantiles import quantiles
from service.core.figures.arrays import Array

ENDS: Final = slice(DRAWS + 1, None)
"""The part of a row that has the number with each figure alone at its low and high end."""
PROBED: Final = slice(0, 32)
"""The draws by which two numbers are found to be multiples of one another."""
STEPS: Final = 1e11
"""The precision of that, in parts of the largest of these draws."""
DIGITS: Final = 12
"""Least number of digits of a quantile. The last digits of a float differ by processor."""
EXPONENTS: Final = range(-1074, 1025)
"""The exponents of floats in base two."""
DECIMALS: Final = [DIGITS - 1 - floor((exponent - 1) * log10(2.0)) for exponent in EXPONENTS]
"""For each exponent, the decimals that keep the first digits of a number."""
RAISED: Final[Array] = np.array([float(f"1e{min(max(at, 0), 300)}") for at in DECIMALS])
"""Ten to the power of the decimals, within the range of a float."""
LOWERED: Final[Array] = np.array([float(f"1e{min(max(at, 0), 300) - at}") for at in DECIMALS])
"""Ten to the power of the digits before the point that are not kept."""


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


class Looks:
    """The intervals of rows by name, found once for rows of one shape.

    Rows that are positive multiples of one another, judged by some draws, are looked at once.
    Stages differ in hours and lines in rates, but few differ in shape.
    """

    def __init__(self) -> None:
        self.intervals: dict[str, Quantiles] = {}
        self._seen: dict[bytes, Seen] = {}

    def copy(self) -> "Looks":
        """The same looks, to which more can be added independently."""
        other = Looks()
        other.intervals |= self.intervals
        other._seen |= self._seen
        return other

    def add(self, rows: Rows, sample: Sample) -> None:
        """Find the intervals of several rows at once."""
        if not rows:
            return
        at = list(rows.values())
        probes = np.array([row[PROBED] for row in at])
        sizes = np.abs(probes).max(axis=1)
        sizes[sizes == 0.0] = 1.0
        keys = _keys_of(np.rint(probes / sizes[:, None] * STEPS))
        new: dict[bytes, int] = {}
        for index, key in enumerate(keys):
            if key not in self._seen:
                new.setdefault(key, index)
        if new:
            found = quantiles(
                [at[index][:DRAWS] for index in new.values()],
                np.array([at[index][ENDS] for index in new.values()]),
                sample,
            )
            for (key, index), row in zip(new.items(), found.tolist(), strict=True):
                self._seen[key] = Seen(float(sizes[index]), row)
        like = [self._seen[key] for key in keys]
        factors = sizes / [one.size for one in like]
        scaled = rounded(np.array([one.quantiles for one in like]) * factors[:, None])
        for name, row in zip(rows, scaled.tolist(), strict=True):
            self.intervals[name] = Quantiles(*row)


def _keys_of(shapes: Array) -> list[bytes]:
    """The rows of a matrix as bytes."""
    width, packed = shapes.shape[1] * shapes.itemsize, shapes.tobytes()
    return [packed[start : start + width] for start in range(0, len(packed), width)]


def rounded(numbers: Array) -> Array:
    """Numbers rounded to their first 12 digits, and some to 13, as decimals.

    Logarithms and sums differ between processors in the last digit of a float, but the answer to a
    question must be the same on all of them.
    """
    exponents = np.frexp(numbers)[1] - EXPONENTS.start
    raised, lowered = RAISED[exponents], LOWERED[exponents]
    nearest: Array = np.rint(numbers * raised / lowered) / raised * lowered
    return nearest
