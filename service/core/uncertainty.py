"""p10, p50, p90 of every number of a quote, and what moves them.

All draws are joint: one fixed column of 1,024 standard normal scores belongs to each figure by
its name, whatever other figures there are, so a figure that two stages, bases or compared offers
share moves them together, and a new figure reshuffles none of the others. A column is a Latin
hypercube sample: every stratum of probability 1/1024 is hit once, in an order that is a
permutation drawn with the figure's name as its seed.
"""

import math
from functools import lru_cache
from hashlib import sha256
from statistics import NormalDist
from typing import Final

import numpy as np
from msgspec import Struct

from service.core.arrays import Array, Real
from service.core.provenance import Entry, Ledger
from service.core.units import spread_of

DRAWS: Final = 1024
Z_90: Final = NormalDist().inv_cdf(0.95)
"""Half the width of a 90% interval in standard deviations."""
SCORES: Final[Array] = np.array(
    [NormalDist().inv_cdf((index + 0.5) / DRAWS) for index in range(DRAWS)]
)
TINY_SHARE: Final = 1e-9


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


@lru_cache(maxsize=4096)
def column_of(name: str) -> Array:
    """The standard normal scores of the figure of this name, shape `[1024]`, always the same.

    NumPy keeps the stream of `RandomState` for ever, so the order is the same on every version.
    """
    seed = int.from_bytes(sha256(name.encode()).digest()[:4], "big")
    column = SCORES[np.random.RandomState(seed).permutation(DRAWS)]
    column.setflags(write=False)
    return column


def draws_of(entry: Entry, z: Real) -> Real:
    """An uncertain leaf at standard normal scores `z`.

    The median is the central value and the 5% and 95% quantiles are the ends of the interval,
    also where they are not symmetric: below and above the middle the scale differs. Positive
    scales are log-normal, shares logit-normal, counts rounded log-normal and at least one.
    """
    assert isinstance(entry.low, float)
    assert isinstance(entry.high, float)
    low, central, high = entry.low, entry.central, entry.high
    spread = spread_of(entry.unit)
    if spread == "logitnormal" and low > 0.0 and high < 1.0:
        return _logistic(_split(_logit(low), _logit(central), _logit(high), z))
    if low <= 0.0:
        return np.clip(_split(low, central, high, z), 0.0, 1.0 if spread == "logitnormal" else None)
    drawn = np.exp(_split(math.log(low), math.log(central), math.log(high), z))
    if spread == "logitnormal":
        return np.minimum(drawn, 1.0)
    return np.maximum(np.rint(drawn), 1.0) if spread == "discrete" else drawn


def _split(low: float, central: float, high: float, z: Real) -> Real:
    """Two half normals joined at the median, through the two ends of a 90% interval."""
    below, above = (central - low) / Z_90, (high - central) / Z_90
    return central + np.where(np.asarray(z) < 0.0, below, above) * z


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def _logistic(logit: Real) -> Real:
    return 1.0 / (1.0 + np.exp(-logit))


def uncertain_leaves(ledger: Ledger) -> tuple[Entry, ...]:
    """The ledger's leaves that have a range of some width."""
    return tuple(entry for entry in ledger if entry.is_uncertain and entry.low != entry.high)


class Spread:
    """The joint draws of one ledger: intervals of any entry, drivers of any total."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._leaves = uncertain_leaves(ledger)
        self._values = (
            ledger.replay(
                {leaf.name: _array(draws_of(leaf, column_of(leaf.name))) for leaf in self._leaves}
            )
            if self._leaves
            else {}
        )
        self._ends = self._replay_ends() if self._leaves else {}

    def interval(self, name: str) -> Interval:
        """p10, p50, p90 of an entry; all the same where nothing uncertain enters."""
        value = self._values.get(name)
        if not isinstance(value, np.ndarray):
            central = self._ledger.term(name).central
            return Interval(central, central, central)
        p10, p50, p90 = quantiles(value)
        return Interval(p10, p50, p90)

    def drivers(self, name: str) -> tuple[Driver, ...]:
        """What moves an entry, the largest share first.

        Shares are first-order Sobol indices, read off a regression of the draws on each figure's
        first three Hermite polynomials; what they leave to 1 is due to figures acting together.
        """
        value = self._values.get(name)
        if not isinstance(value, np.ndarray) or np.ptp(value) == 0.0:
            return ()
        shares = first_order_shares(
            value, np.stack([column_of(leaf.name) for leaf in self._leaves])
        )
        ends = np.broadcast_to(self._ends[name], (2 * len(self._leaves),))
        drivers = [
            Driver(
                figure=leaf.name,
                share=float(share),
                total_if_low=float(ends[2 * index]),
                total_if_high=float(ends[2 * index + 1]),
            )
            for index, (leaf, share) in enumerate(zip(self._leaves, shares, strict=True))
            if share > TINY_SHARE
        ]
        return tuple(sorted(drivers, key=lambda driver: -driver.share))

    def _replay_ends(self) -> dict[str, Real]:
        """The argument once for each end of each uncertain leaf, all others at their centre."""
        count = 2 * len(self._leaves)
        columns = {}
        for index, leaf in enumerate(self._leaves):
            column = np.full(count, leaf.central)
            column[2 * index : 2 * index + 2] = leaf.low, leaf.high
            columns[leaf.name] = column
        return self._ledger.replay(columns)


def quantiles(draws: Array) -> tuple[float, float, float]:
    """10%, 50% and 90% quantiles of draws, linearly between order statistics."""
    ordered = np.sort(draws)
    at = np.array([0.1, 0.5, 0.9]) * (len(ordered) - 1)
    below = at.astype(int)
    above = np.minimum(below + 1, len(ordered) - 1)
    p10, p50, p90 = ordered[below] + (at - below) * (ordered[above] - ordered[below])
    return float(p10), float(p50), float(p90)


def first_order_shares(values: Array, scores: Array) -> Array:
    """Share of the variance of `values` that each figure explains alone, shape `[figures]`.

    `values` has shape `[draws]`, `scores` `[figures, draws]`, standard normal. The values are
    regressed on He1, He2, He3 of every score; a figure's share is the variance of its own part.

    Source: Sudret, "Global sensitivity analysis using polynomial chaos expansions" (2008).
    """
    figures, draws = scores.shape
    basis = np.concatenate((scores, scores**2 - 1.0, scores**3 - 3.0 * scores))
    centred = values - values.mean()
    gram = basis @ basis.T / draws
    gram[np.diag_indices_from(gram)] += 1e-12
    weights = np.linalg.solve(gram, basis @ centred / draws)
    parts = (weights[:, None] * basis).reshape(3, figures, draws).sum(axis=0)
    total = float(centred @ centred) / draws
    shares: Array = parts.var(axis=1) / total
    return shares


def _array(value: Real) -> Array:
    return np.asarray(value, dtype=np.float64)
