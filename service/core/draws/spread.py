"""p10, p50, p90 of the numbers of a quote, and the drivers of its totals."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from msgspec import Struct

from service.core.draws.columns import DRAWS, Sample
from service.core.draws.looks import ENDS, Quantiles
from service.core.draws.memo import Memo
from service.core.draws.rows import (
    CENTRE,
    Replayed,
    interval_of_leaf,
    leaf_of,
    replayed,
    uncertain_leaves,
)
from service.core.draws.sensitivity import Shares, variance_shares
from service.core.figures.ledger import Ledger

LEAST_SHARE: Final = 1e-3
SHARE_DECIMALS: Final = 6
"""Decimals of a share. Further ones are noise of the draws and differ between processors."""


class TotalDriver(Struct, frozen=True, kw_only=True):
    """A figure, its first-order share of a total's variance, and the total at its two ends."""

    figure: str
    share: float
    total_if_low: float
    total_if_high: float


class Drivers(Struct, frozen=True):
    """The figures that move a total, largest share first, and the share of interactions."""

    ranked: tuple[TotalDriver, ...] = ()
    interactions: float = 0.0


class Spread:
    """The joint draws of one ledger: intervals of its entries, drivers of the totals."""

    def __init__(self, ledger: Ledger, memo: Memo, *, totals: Sequence[str] = ()) -> None:
        self._ledger = ledger
        self._memo = memo
        self._leaves = uncertain_leaves(ledger)
        again = Replayed({}, {})
        if self._leaves:
            again = replayed(ledger, self._leaves, memo, keep=totals)
        self._rows, self._intervals = again
        self._totals = [name for name in totals if name in self._rows]
        self._drivers: dict[str, Drivers] = {}

    @property
    def derived(self) -> Mapping[str, Quantiles]:
        """p10, p50, p90 of every entry that is derived from something uncertain."""
        return self._intervals

    def interval(self, name: str) -> Quantiles:
        """p10, p50, p90 of an entry. They are equal if nothing uncertain enters."""
        found = self._intervals.get(name)
        if found is not None:
            return found
        entry = self._ledger.entry(name)
        leaf = leaf_of(entry)
        if leaf is None:
            return Quantiles(entry.central, entry.central, entry.central)
        return interval_of_leaf(leaf)

    def drivers(self, total: str) -> Drivers:
        """The drivers of a total, without figures below a thousandth of its variance."""
        if total not in self._totals:
            return Drivers()
        if total not in self._drivers:
            self._drivers[total] = self._drivers_of(total)
        return self._drivers[total]

    def _drivers_of(self, total: str) -> Drivers:
        row = self._totals.index(total)
        shares = self._shares.first_order[row].tolist()
        ends = self._rows[total][ENDS].reshape(-1, 2).tolist()
        ranked = [
            TotalDriver(
                figure=leaf.name,
                share=round(share, SHARE_DECIMALS),
                total_if_low=low,
                total_if_high=high,
            )
            for leaf, share, (low, high) in zip(self._leaves, shares, ends, strict=True)
            if share >= LEAST_SHARE
        ]
        ranked.sort(key=lambda driver: -driver.share)
        interactions = float(self._shares.interactions[row])
        return Drivers(tuple(ranked), round(interactions, SHARE_DECIMALS))

    @cached_property
    def _shares(self) -> Shares:
        """The shares of all totals at once, because their regressions share a matrix."""
        rows = np.array([self._rows[name] for name in self._totals])
        deviations = rows[:, ENDS] - rows[:, CENTRE : CENTRE + 1]
        sample = Sample(tuple(leaf.name for leaf in self._leaves), self._memo)
        return variance_shares(rows[:, :DRAWS], sample, deviations.reshape(len(rows), -1, 2))
