"""10%, 50% and 90% quantiles of numbers over joint draws, corrected by their linear parts.

Columns of a finite sample are correlated by chance, which shifts quantiles. For the linear part of
a number the shift is known: its slopes follow from the ends, and its distribution is normal. That
shift is subtracted.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core.draws.columns import DRAWS, SCORES, Sample
from service.core.figures.arrays import Array
from service.core.figures.units import Z_90

Excess: TypeAlias = tuple[float, float, float]
"""By how much three drawn quantiles exceed the exact ones."""

LEVELS: Final[Array] = np.array([0.1, 0.5, 0.9])
NORMAL_QUANTILES: Final[Array] = np.interp(LEVELS, (np.arange(DRAWS) + 0.5) / DRAWS, SCORES)
PLACES: Final[Array] = LEVELS * DRAWS - 0.5
"""The place of a level among sorted draws. The i-th draw is the middle of the i-th stratum."""
BELOW: Final[NDArray[np.intp]] = PLACES.astype(np.intp)
BEYOND: Final[Array] = PLACES - BELOW
LOOKED_AT: Final[NDArray[np.intp]] = np.array([*BELOW, *(BELOW + 1), 0, DRAWS - 1])
"""The sorted draws from which quantiles follow: next to each level, the least and the most."""
DIRECTION_STEPS: Final = 1e9
"""The precision by which slopes are told apart, in parts of their length."""
MOST_KNOWN: Final = 4096
"""Most directions that are remembered for a set of figures, before all are forgotten."""
STEP_BYTES: Final = 4
"""Bytes of a direction's step along one figure, which is at most DIRECTION_STEPS: 32 bits."""
DIRECTION_BYTES: Final = 350
"""Bytes of a direction besides its steps: the headers of its key and of its three numbers, these
numbers, and its share of a table (measured: 330 bytes)."""
NAME_BYTES: Final = 150
"""Bytes of a figure's name in a key: 49 of header, a reference and up to 90 characters."""
FEW_FIGURES: Final = 64
"""Up to this number of figures it is faster to sum over all than to find those that matter."""
BLOCK: Final = 12
"""Numbers that are sorted together: 96 KiB, which fit in a core's own cache."""


def quantiles(draws: Sequence[Array], ends: Array, sample: Sample) -> Array:
    """10%, 50% and 90% quantiles of numbers, each corrected by its slopes; shape `[numbers, 3]`.

        u = sum over figures of slope * z,  slope = (f(high) - f(low)) / (2 * 1.645)
        quantile of f = drawn quantile of f - (drawn quantile of u - its quantile)

    Here u is normal with variance sum(slope^2), and f is the logarithm of numbers that have one
    sign. If f is linear in the scores, the answer is exact for any sample. Between two draws a
    quantile is interpolated linearly, or by logarithms for numbers of one sign. `draws` have shape
    `[1024]`, over the columns of `sample`. `ends` have shape `[numbers, 2 figures]`: low and high
    of one figure after the other.

    Source: Hesterberg and Nelson, "Control variates for probability and quantile estimation"
    (Management Science 44, 1998).
    """
    below, above, least, most = _order_statistics(draws)
    positive = (least[:, 0] > 0.0) & (ends.min(axis=1) > 0.0)
    negative = (most[:, 0] < 0.0) & (ends.max(axis=1) < 0.0)
    geometric = positive | negative
    heights = ends.copy()
    heights[geometric] = np.log(np.abs(ends[geometric]))
    excess = _excess(_slopes(heights), sample)
    excess[negative] = excess[negative, ::-1]
    found = below + BEYOND * (above - below) - excess
    factor = (above[geometric] / below[geometric]) ** BEYOND * np.exp(-excess[geometric])
    found[geometric] = below[geometric] * factor
    found = np.minimum(np.maximum(found, least), most)
    found.sort(axis=1)
    return found


def _slopes(heights: Array) -> Array:
    """How much a number rises with each score. Zero for a number with a single figure."""
    slopes: Array = (heights[:, 1::2] - heights[:, ::2]) / (2.0 * Z_90)
    slopes[np.count_nonzero(slopes, axis=1) < 2] = 0.0
    return slopes


def _excess(slopes: Array, sample: Sample) -> Array:
    """By how much drawn quantiles of sum(slope * z) exceed those of its normal distribution.

    The excess is proportional to the length of the slopes.
    """
    excess = np.zeros((len(slopes), len(LEVELS)))
    length = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
    mixed = np.flatnonzero(length)
    if mixed.size:
        directions = np.rint(slopes[mixed] / length[mixed] * DIRECTION_STEPS)
        excess[mixed] = length[mixed] * _excess_of(directions, sample)
    return excess


def _excess_of(directions: Array, sample: Sample) -> Array:
    """The excess for slopes of length one, in steps. Quotes share most directions.

    New directions are computed together, and summed figure by figure. So the excess of a direction
    does not depend on the others, nor on the number of threads.
    """
    known: dict[bytes, Excess] = sample.memo.get("excess", sample.figures) or {}
    keys = [direction.tobytes() for direction in directions.astype(np.int32)]
    new = {key: index for index, key in enumerate(keys) if key not in known}
    computed = _computed_excess(directions[list(new.values())], sample) if new else []
    found = dict(zip(new, computed, strict=True))
    excess = np.array([found.get(key) or known[key] for key in keys])
    if found:
        _remember(known, found, sample)
    return excess


def _computed_excess(directions: Array, sample: Sample) -> list[Excess]:
    slopes = directions / DIRECTION_STEPS
    below, above, _, _ = _order_statistics(_linear_parts(slopes, sample))
    deviation = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
    computed = below + BEYOND * (above - below) - deviation * NORMAL_QUANTILES
    return [(low, middle, high) for low, middle, high in computed.tolist()]


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


def _remember(known: dict[bytes, Excess], found: dict[bytes, Excess], sample: Sample) -> None:
    """Add directions to those known of these figures. If there are too many, forget the others."""
    memo, figures = sample.memo, sample.figures
    bytes_each = DIRECTION_BYTES + len(figures) * STEP_BYTES
    most = min(MOST_KNOWN, memo.largest_bytes // bytes_each)
    if len(known) > most:
        known.clear()
    known.update(found)
    of_figures = len(figures) * NAME_BYTES
    memo.put("excess", figures, known, size_bytes=of_figures + len(known) * bytes_each)


def _order_statistics(draws: Sequence[Array] | Array) -> tuple[Array, Array, Array, Array]:
    """For each number, the draws below and above each level, the least and the most draw."""
    looked_at = []
    for start in range(0, len(draws), BLOCK):
        block = np.array(draws[start : start + BLOCK])
        block.sort(axis=1)
        looked_at.append(block.take(LOOKED_AT, axis=1))
    found = np.concatenate(looked_at)
    return found[:, :3], found[:, 3:6], found[:, 6:7], found[:, 7:]
