"""Joint draws: each figure has one fixed column of normal scores, which its name decides.

A column is a Latin hypercube sample: each of 1,024 strata of equal probability is hit once, in an
order that a hash of the figure's name fixes. Nothing else enters. So a figure that stages, bases or
compared offers share moves them together, and a new figure changes none of the others.

docs/decisions/draws-by-name.md compares this with Sobol nets and lattices. Quantiles are corrected
in `service.core.draws.quantiles`.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from math import log
from statistics import NormalDist
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core.draws.memo import Memo
from service.core.figures.arrays import Array
from service.core.figures.units import Z_90, Unit, spread_of

DRAWS: Final = 1024
"""Half the width of a 90% interval in standard deviations."""
SCORES: Final[Array] = np.array(
    [NormalDist().inv_cdf((index + 0.5) / DRAWS) for index in range(DRAWS)]
)
"""The middle of each stratum."""
LARGEST_EXPONENT: Final = 300.0
LEAST_LEFT_OF_ONE: Final = 1e-6
COUNTERS: Final[NDArray[np.uint64]] = np.arange(DRAWS, dtype=np.uint64)


def column_of(name: str, memo: Memo) -> Array:
    """The standard normal scores of the figure of this name, shape `[1024]`, always the same."""
    return memo.array("column", name, lambda: SCORES[np.argsort(_hashed(name), kind="stable")])


class Sample:
    """Figures in an order. Their columns are looked up when they are needed, each once."""

    def __init__(self, figures: tuple[str, ...], memo: Memo) -> None:
        self.figures = figures
        self.memo = memo
        self._columns: dict[int, Array] = {}

    def scores(self, at: Sequence[int]) -> Array:
        """The columns of the figures at these places, shape `[places, 1024]`."""
        found = self._columns
        for place in at:
            if place not in found:
                found[place] = column_of(self.figures[place], self.memo)
        return np.array([found[place] for place in at]).reshape(len(at), DRAWS)


def _hashed(name: str) -> NDArray[np.uint64]:
    """1,024 numbers that the name alone fixes, by integer arithmetic that all machines share.

    Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014) over counters from a SHA-256.
    """
    seed = np.uint64(int.from_bytes(sha256(name.encode()).digest()[:8], "big"))
    mixed = seed + COUNTERS * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


Scale: TypeAlias = Literal["log", "logit", "linear"]
ONTO: Final[dict[Scale, Callable[[float], float]]] = {
    "log": log,
    "logit": lambda share: log(share / (1.0 - share)),
    "linear": float,
}


class Shape(NamedTuple):
    """An uncertain leaf as two half normals on a scale, joined at its central value."""

    scale: Scale
    middle: float
    below: float
    above: float


def shape_of(unit: Unit, low: float, central: float, high: float) -> Shape:
    """How a leaf is spread. Its central value is the median, its ends are the 5% and 95% quantiles.

    Positive scales and counts are normal in the logarithm, shares in the logit. A range that
    touches the end of its scale (0, or 1 for a share) is normal without transformation, or
    log-normal, and cut off at that end. If the ends are not symmetric, the two halves differ in
    width.
    """
    if spread_of(unit) == "logitnormal" and low > 0.0 and high < 1.0:
        scale: Scale = "logit"
    else:
        scale = "log" if low > 0.0 else "linear"
    onto = ONTO[scale]
    middle = onto(central)
    return Shape(scale, middle, (middle - onto(low)) / Z_90, (onto(high) - middle) / Z_90)


def values_at(scores: Array, *, unit: Unit, low: float, central: float, high: float) -> Array:
    """The values of an uncertain leaf at standard normal scores.

    Counts are whole and at least one. No value crosses the zero or the one that its range touches.
    A share whose range ends below one stays below one.
    """
    shape = shape_of(unit, low, central, high)
    values = shape.middle + np.where(scores < 0.0, shape.below, shape.above) * scores
    if shape.scale != "linear":
        values = np.clip(values, -LARGEST_EXPONENT, LARGEST_EXPONENT)
    if shape.scale == "log":
        values = np.exp(values)
    elif shape.scale == "logit":
        values = 1.0 / (1.0 + np.exp(-values))
    spread = spread_of(unit)
    if spread == "discrete":
        values = np.maximum(np.rint(values), 1.0)
    elif spread == "logitnormal":
        values = np.clip(values, 0.0, _most_of_a_share(shape.scale, high))
    elif low == 0.0:
        values = np.maximum(values, 0.0)
    return values


def _most_of_a_share(scale: Scale, high: float) -> float:
    """The largest draw of a share. If its range ends below 1, the draw stays below 1 too."""
    if high >= 1.0:
        return 1.0
    return 1.0 - LEAST_LEFT_OF_ONE if scale == "logit" else (1.0 + high) / 2.0


class Leaf(NamedTuple):
    """An uncertain leaf of the ledger."""

    name: str
    unit: Unit
    low: float
    central: float
    high: float


def draws_of(leaf: Leaf, memo: Memo) -> Array:
    """The draws of a leaf, shape `[1024]`. They are kept, as many quotes share the defaults."""
    name, unit, low, central, high = leaf
    return memo.array(
        "draws",
        leaf,
        lambda: values_at(column_of(name, memo), unit=unit, low=low, central=central, high=high),
    )
