"""Quantiles of numbers over joint draws, corrected by their linear parts.

Columns of a finite sample are correlated by chance, which shifts quantiles. For the linear part of
a number the shift is known: its slopes follow from the ends, and its distribution is normal. That
shift is subtracted.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core.draws.columns import DRAWS, SCORES, Sample
from service.core.figures.arrays import Array
from service.core.figures.units import Z_90

Excess: TypeAlias = tuple[float, ...]
"""By how much the drawn quantile at each level exceeds the exact one."""

DRAW_LEVELS: Final[Array] = (np.arange(DRAWS) + 0.5) / DRAWS
"""The levels of the sorted draws. The i-th draw is the middle of the i-th stratum."""


class Levels(NamedTuple):
    """Levels of quantiles, ascending and symmetric about one half, and where draws have them."""

    name: str
    normal: Array
    """The quantiles of the standard normal distribution."""
    beyond: Array
    """How far each level lies from the draw below it to the draw above it."""
    looked_at: NDArray[np.intp]
    """The sorted draws that are needed: below and above each level, the least and the most."""

    @property
    def size(self) -> int:
        """The number of levels."""
        return len(self.beyond)


def levels_of(name: str, levels: Sequence[float]) -> Levels:
    """Where the draws have these levels."""
    places = np.array(levels) * DRAWS - 0.5
    below = places.astype(np.intp)
    above = np.minimum(below + 1, DRAWS - 1)
    return Levels(
        name=name,
        normal=np.interp(levels, DRAW_LEVELS, SCORES),
        beyond=places - below,
        looked_at=np.array([*below, *above, 0, DRAWS - 1]),
    )


OUTCOMES: Final = 20
OUTCOME_LEVELS: Final = tuple((index + 0.5) / OUTCOMES for index in range(OUTCOMES))
"""The middles of parts of equal probability."""
BUDGETED: Final = 0.8
"""The level of a budget that is kept in four cases of five."""
INTERVAL_LEVELS: Final = (0.1, 0.5, 0.9)
ALL_LEVELS: Final = tuple(sorted((*OUTCOME_LEVELS, *INTERVAL_LEVELS, 1.0 - BUDGETED, BUDGETED)))
INTERVAL: Final = levels_of("interval", INTERVAL_LEVELS)
WITH_OUTCOMES: Final = levels_of("with outcomes", ALL_LEVELS)
DIRECTION_STEPS: Final = 1e9
"""The precision by which slopes are told apart, in parts of their length."""
MOST_KNOWN: Final = 4096
"""Most directions that are remembered for a set of figures, before all are forgotten."""
STEP_BYTES: Final = 4
"""Bytes of a direction's step along one figure, which is at most DIRECTION_STEPS: 32 bits."""
DIRECTION_BYTES: Final = 250
"""Bytes of a direction besides its steps and its numbers: the headers of its key and of its tuple,
and its share of a table (measured: 234 bytes)."""
EXCESS_BYTES: Final = 32
"""Bytes of one number of a direction, and of the reference to it."""
NAME_BYTES: Final = 150
"""Bytes of a figure's name in a key: 49 of header, a reference and up to 90 characters."""
FEW_FIGURES: Final = 64
"""Up to this number of figures it is faster to sum over all than to find those that matter."""
SUMMED_AT_ONCE: Final = 8 * 12
"""Directions whose linear parts are there at once: 768 KiB."""
BLOCK: Final = 12
"""Numbers that are sorted together: 96 KiB, which fit in a core's own cache."""


def interpolated(drawn: Array, levels: Levels = INTERVAL) -> Array:
    """Quantiles of sorted draws, shape `[..., 1024]`, not corrected by slopes."""
    looked_at = drawn[..., levels.looked_at]
    below, above = looked_at[..., : levels.size], looked_at[..., levels.size : -2]
    found: Array = below + levels.beyond * (above - below)
    return found


def quantiles(
    draws: Sequence[Array], ends: Array, sample: Sample, levels: Levels = INTERVAL
) -> Array:
    """Quantiles of numbers, each corrected by its slopes; ascending, shape `[numbers, levels]`.

        u = sum over figures of slope * z,  slope = (f(high) - f(low)) / (2 * 1.645)
        quantile of f = drawn quantile of f - (drawn quantile of u - its quantile)

    Here u is normal with variance sum(slope^2), and f is the logarithm of numbers that have one
    sign. If f is linear in the scores, the answer is exact for any sample. Between two draws a
    quantile is interpolated linearly, or by logarithms for numbers of one sign. `draws` have shape
    `[1024]`, over the columns of `sample`. `ends` have shape `[numbers, 2 figures]`: low and high
    of one figure after the other. No correction goes beyond draws that are equal, whichever other
    levels are asked for: a price that has not moved is what it was, and not a little more.

    Source: Hesterberg and Nelson, "Control variates for probability and quantile estimation"
    (Management Science 44, 1998).
    """
    return corrected(order_statistics(draws, levels), ends, sample, levels)


def corrected(ordered: "Ordered", ends: Array, sample: Sample, levels: Levels) -> Array:
    """The same of draws that were looked at."""
    below, above, least, most, floors, ceilings = ordered
    positive = (least > 0.0) & (ends.min(axis=1) > 0.0)
    negative = (most < 0.0) & (ends.max(axis=1) < 0.0)
    geometric = positive | negative
    heights = ends.copy()
    heights[geometric] = np.log(np.abs(ends[geometric]))
    excess = _excess(_slopes(heights), sample, levels)
    excess[negative] = excess[negative, ::-1]
    found = below + levels.beyond * (above - below) - excess
    factor = (above[geometric] / below[geometric]) ** levels.beyond * np.exp(-excess[geometric])
    found[geometric] = below[geometric] * factor
    found = np.minimum(np.maximum(found, floors), ceilings)
    found.sort(axis=1)
    return found


def _slopes(heights: Array) -> Array:
    """How much a number rises with each score. Zero for a number with a single figure."""
    slopes: Array = (heights[:, 1::2] - heights[:, ::2]) / (2.0 * Z_90)
    slopes[(slopes != 0.0).sum(axis=1) < 2] = 0.0
    return slopes


def _excess(slopes: Array, sample: Sample, levels: Levels) -> Array:
    """By how much drawn quantiles of sum(slope * z) exceed those of its normal distribution.

    The excess is proportional to the length of the slopes.
    """
    excess = np.zeros((len(slopes), levels.size))
    length = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
    mixed = np.flatnonzero(length)
    if mixed.size:
        directions = np.rint(slopes[mixed] / length[mixed] * DIRECTION_STEPS)
        excess[mixed] = length[mixed] * _excess_of(directions, sample, levels)
    return excess


def _excess_of(directions: Array, sample: Sample, levels: Levels) -> Array:
    """The excess for slopes of length one, in steps. Quotes share most directions.

    New directions are computed together, and summed figure by figure. So the excess of a direction
    does not depend on the others, nor on the number of threads.
    """
    known: dict[bytes, Excess] = sample.memo.get("excess", (levels.name, sample.figures)) or {}
    keys = [direction.tobytes() for direction in directions.astype(np.int32)]
    new = {key: index for index, key in enumerate(keys) if key not in known}
    computed = _computed_excess(directions[list(new.values())], sample, levels) if new else []
    found = dict(zip(new, computed, strict=True))
    each = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    excess = np.array([found.get(key) or known[key] for key in each])
    if found:
        _remember(known, found, sample, levels)
    return excess[[each[key] for key in keys]]


def _computed_excess(directions: Array, sample: Sample, levels: Levels) -> list[Excess]:
    slopes = directions / DIRECTION_STEPS
    blocks = (slopes[at : at + SUMMED_AT_ONCE] for at in range(0, len(slopes), SUMMED_AT_ONCE))
    below, above, *_ = joined(
        order_statistics(_linear_parts(block, sample), levels) for block in blocks
    )
    deviation = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
    computed = below + levels.beyond * (above - below) - deviation * levels.normal
    return [tuple(excess) for excess in computed.tolist()]


def _linear_parts(slopes: Array, sample: Sample) -> Array:
    """sum(slope * z) over the draws, shape `[numbers, 1024]`.

    Most numbers of a stage depend on few figures, and many on the same ones. Those are summed
    together, over these figures only.
    """
    hangs = slopes != 0.0
    any_hangs = hangs.any(axis=0)
    if np.count_nonzero(any_hangs) <= FEW_FIGURES:
        return _summed(slopes, any_hangs, sample)
    alike: dict[bytes, list[int]] = {}
    for index, row in enumerate(hangs):
        alike.setdefault(row.tobytes(), []).append(index)
    drawn = np.empty((len(slopes), DRAWS))
    for rows in alike.values():
        drawn[rows] = _summed(slopes[rows], hangs[rows[0]], sample)
    return drawn


def _summed(slopes: Array, hangs: NDArray[np.bool_], sample: Sample) -> Array:
    """sum(slope * z) over the figures that `hangs` marks. All others have a slope of zero."""
    at = np.flatnonzero(hangs)
    drawn: Array = np.einsum("nf,fd->nd", slopes[:, at], sample.scores(at.tolist()))
    return drawn


def _remember(
    known: dict[bytes, Excess], found: dict[bytes, Excess], sample: Sample, levels: Levels
) -> None:
    """Add directions to those known of these figures. If there are too many, forget the others."""
    memo, figures = sample.memo, sample.figures
    bytes_each = DIRECTION_BYTES + levels.size * EXCESS_BYTES + len(figures) * STEP_BYTES
    most = min(MOST_KNOWN, memo.largest_bytes // bytes_each)
    if len(known) > most:
        known.clear()
    known.update(found)
    of_figures = len(figures) * NAME_BYTES
    memo.put(
        "excess", (levels.name, figures), known, size_bytes=of_figures + len(known) * bytes_each
    )


class Ordered(NamedTuple):
    """What sorted draws say of each number: of shape `[numbers, levels]` or `[numbers]`."""

    below: Array
    above: Array
    least: Array
    most: Array
    floors: Array
    """The nearest equal draws at or below each level, or else the least draw."""
    ceilings: Array
    """The nearest equal draws at or above each level, or else the most draw."""


def order_statistics(draws: Sequence[Array] | Array, levels: Levels) -> Ordered:
    """For each number, the draws about each level, the least and the most."""
    blocks = []
    for start in range(0, len(draws), BLOCK):
        block = np.array(draws[start : start + BLOCK])
        block.sort(axis=1)
        equal = block[:, 1:] == block[:, :-1]
        rows = np.flatnonzero(equal.any(axis=1))
        blocks.append(_ordered(block, levels, rows, equal[rows]))
    return joined(blocks)


def joined(parts: Iterable[Ordered]) -> Ordered:
    """What is said of all numbers of some parts."""
    return Ordered(*map(np.concatenate, zip(*parts, strict=True)))


class OneOrder:
    """Sorts the draws of numbers that are mostly in one order, as those of one shape are.

    Each row is put in the order of the first. If it rises then from draw to draw, it is sorted, and
    has no equal draws. Every other row is sorted by itself, so the answer is always that of a sort.
    Where most rows are others, all that come later are sorted.
    """

    def __init__(self) -> None:
        self._order: NDArray[np.intp] | None = None
        self._is_common = True

    def sorted(self, draws: Array) -> tuple[Array, NDArray[np.intp]]:
        """Draws in ascending order, shape `[numbers, 1024]`, and the rows that may have equal ones.

        What is given stays as it is.
        """
        if not self._is_common:
            return np.sort(draws, axis=1), np.arange(len(draws))
        if self._order is None:
            self._order = np.argsort(draws[0])
        found = draws.take(self._order, axis=1)
        left = np.flatnonzero(~(found[:, 1:] > found[:, :-1]).all(axis=1))
        self._is_common = 2 * left.size <= len(draws)
        if left.size:
            found[left] = np.sort(draws[left], axis=1)
        return found, left

    def statistics(self, draws: Array, levels: Levels) -> Ordered:
        """What `order_statistics` says of the same draws."""
        found, left = self.sorted(draws)
        rows = found if left.size == len(found) else found[left]
        equal = rows[:, 1:] == rows[:, :-1]
        are_equal = equal.any(axis=1)
        return _ordered(found, levels, left[are_equal], equal[are_equal])


def _ordered(
    block: Array, levels: Levels, rows: NDArray[np.intp], equal: NDArray[np.bool_]
) -> Ordered:
    """What sorted draws say. `equal` is where draws of `rows` are those before them."""
    looked_at = block.take(levels.looked_at, axis=1)
    below, above = looked_at[:, : levels.size], looked_at[:, levels.size : -2]
    least, most = looked_at[:, -2], looked_at[:, -1]
    floors, ceilings = (np.repeat(end[:, None], levels.size, axis=1) for end in (least, most))
    if rows.size:
        floors[rows], ceilings[rows] = _equal_about(block[rows], equal, levels)
    return Ordered(below, above, least, most, floors, ceilings)


def _equal_about(block: Array, equal: NDArray[np.bool_], levels: Levels) -> tuple[Array, Array]:
    """The nearest draws at or below and at or above each level that are equal to another."""
    stands = np.zeros(block.shape, dtype=np.bool_)
    stands[:, 1:] |= equal
    stands[:, :-1] |= equal
    floors = np.maximum.accumulate(np.where(stands, block, block[:, :1]), axis=1)
    others = np.where(stands, block, block[:, -1:])[:, ::-1]
    ceilings = np.minimum.accumulate(others, axis=1)[:, ::-1]
    below, above = levels.looked_at[: levels.size], levels.looked_at[levels.size : -2]
    return floors[:, below], ceilings[:, above]
