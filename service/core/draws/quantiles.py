"""10%, 50% and 90% quantiles of numbers over joint draws, corrected by what is known exactly.

What the columns of a finite sample have in common by chance is known for the linear part of a
number, whose slopes its ends give, and is taken out of it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.core.draws.columns import DRAWS, SCORES, scores_of
from service.core.figures.arrays import Array
from service.core.figures.units import Z_90

LEVELS: Final[Array] = np.array([0.1, 0.5, 0.9])
NORMAL_QUANTILES: Final[Array] = np.interp(LEVELS, (np.arange(DRAWS) + 0.5) / DRAWS, SCORES)
PLACES: Final[Array] = LEVELS * DRAWS - 0.5
"""Where a level falls among sorted draws; the i-th stands in the middle of the i-th stratum."""
BELOW: Final[NDArray[np.intp]] = PLACES.astype(np.intp)
BEYOND: Final[Array] = PLACES - BELOW
LOOKED_AT: Final[NDArray[np.intp]] = np.array([*BELOW, *(BELOW + 1), 0, DRAWS - 1])
"""The sorted draws that quantiles are read off: on either side of each level, least, most."""
DIRECTION_STEPS: Final = 1e9
"""How finely slopes are told apart, in parts of their length."""
MOST_KNOWN: Final = 1024
"""Directions remembered for a set of figures, before all of them are forgotten."""
BLOCK: Final = 12
"""Numbers sorted together: 96 KiB, which stay in a core's own cache."""


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
        directions = np.rint(slopes[mixed] / length[mixed] * DIRECTION_STEPS)
        excess[mixed] = length[mixed] * _excess_of(directions, figures)
    return excess


def _excess_of(directions: Array, figures: tuple[str, ...]) -> Array:
    """The excess for slopes of length one, in steps; quotes differ little in directions.

    What is not known yet is computed together, and summed figure by figure, so that a direction's
    excess is the same in any company and on any number of threads.
    """
    known = known_excess(figures)
    keys = [direction.tobytes() for direction in directions]
    found = [known.get(key) for key in keys]
    new = [index for index, row in enumerate(found) if row is None]
    if new:
        slopes = directions[new] / DIRECTION_STEPS
        drawn = np.einsum("nf,fd->nd", slopes, scores_of(figures))
        below, above, _, _ = _order_statistics(drawn)
        deviation = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
        computed = below + BEYOND * (above - below) - deviation * NORMAL_QUANTILES
        if len(known) > MOST_KNOWN:
            known.clear()
        for index, row in zip(new, computed.tolist(), strict=True):
            known[keys[index]] = found[index] = row
    return np.array(found)


@lru_cache(maxsize=32)
def known_excess(
    figures: tuple[str, ...],  # noqa: ARG001 - what the cache tells them apart by
) -> dict[bytes, list[float]]:
    """What was found so far for sums over these figures, by direction."""
    return {}


def _order_statistics(draws: Sequence[Array] | Array) -> tuple[Array, Array, Array, Array]:
    """Of numbers over their draws: the draws below and above each level, the least and the most."""
    looked_at = []
    for start in range(0, len(draws), BLOCK):
        block = np.array(draws[start : start + BLOCK])
        block.sort(axis=1)
        looked_at.append(block.take(LOOKED_AT, axis=1))
    found = np.concatenate(looked_at)
    return found[:, :3], found[:, 3:6], found[:, 6:7], found[:, 7:]
