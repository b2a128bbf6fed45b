"""p10, p50, p90 of the numbers of a quote, and outcomes, positions and drivers of some of them."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct

from service.core.draws.columns import DRAWS, Sample, draws_of
from service.core.draws.looks import ENDS, Quantiles, rounded
from service.core.draws.memo import Memo
from service.core.draws.quantiles import (
    ALL_LEVELS,
    BUDGETED,
    DRAW_LEVELS,
    OUTCOME_LEVELS,
    OUTCOMES,
    interpolated,
)
from service.core.draws.rows import (
    CENTRE,
    Replayed,
    interval_of_leaf,
    leaf_of,
    replayed,
    uncertain_leaves,
)
from service.core.draws.sensitivity import Shares, variance_shares
from service.core.figures.arrays import Array, Real
from service.core.figures.ledger import Application, Ledger, replay
from service.core.figures.sources import Datum

LEAST_SHARE: Final = 1e-3
PLACES_OF_OUTCOMES: Final = [ALL_LEVELS.index(level) for level in OUTCOME_LEVELS]
PLACE_OF_BUDGET: Final = ALL_LEVELS.index(BUDGETED)
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


class Outcomes(NamedTuple):
    """Equally likely values of a number, ascending, and its 80% quantile."""

    values: tuple[float, ...]
    p80: float


class Supposition(NamedTuple):
    """That some figures are known, and the entries whose intervals are asked for then."""

    names: Collection[str]
    known: Mapping[str, float]
    """The values that these figures have for certain."""
    spread_as: Mapping[str, Datum] = MappingProxyType({})
    """Figures that vary as another one does."""
    instead: Sequence[Application] = ()
    """How entries are derived in place of how the ledger derives them."""


class Spread:
    """The joint draws of one ledger: intervals of its entries, outcomes and drivers of some.

    Drivers are those of the `totals`. Outcomes and positions are those of the totals and of the
    entries in `outcomes`.
    """

    def __init__(
        self,
        ledger: Ledger,
        memo: Memo,
        *,
        totals: Sequence[str] = (),
        outcomes: Sequence[str] = (),
    ) -> None:
        self._ledger = ledger
        self._memo = memo
        self._leaves = uncertain_leaves(ledger)
        again = Replayed({}, {}, {})
        if self._leaves:
            again = replayed(ledger, self._leaves, memo, keep=(*totals, *outcomes))
        self._rows, self._intervals, self._with_outcomes = again
        self._kept: dict[str, Array] = {name: row[:DRAWS] for name, row in self._rows.items()}
        self._sample = Sample(tuple(leaf.name for leaf in self._leaves), memo)
        self._totals = [name for name in totals if name in self._rows]
        self._drivers: dict[str, Drivers] = {}

    @property
    def ledger(self) -> Ledger:
        """What was drawn."""
        return self._ledger

    @property
    def derived(self) -> Mapping[str, Quantiles]:
        """p10, p50, p90 of every entry that is derived from something uncertain."""
        return self._intervals

    def ask_all(self) -> None:
        """Say that every interval will be asked for. Here all of them are found at once anyhow."""

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

    def intervals_if(self, supposed: Sequence[Supposition]) -> list[dict[str, Quantiles]]:
        """p10, p50, p90 of the entries that each supposition asks for."""
        return [self._intervals_if(one) for one in supposed]

    def _intervals_if(self, supposed: Supposition) -> dict[str, Quantiles]:
        """Rows that do not depend on what is known are kept for the next supposition."""
        names, known, spread_as, instead = supposed
        ledger = self._ledger
        others = {tuple(other.parts.values()): other for other in instead}
        replaced = tuple(name for names in others for name in names)
        moved = ledger.marked(dict.fromkeys((*known, *spread_as, *replaced), 1))
        wanted, needed = set(names), []
        for applied in (*reversed(ledger.tape.of_run), *reversed(ledger.tape.standing)):
            asked = wanted.intersection(applied.parts.values())
            if not asked or all(one in self._kept and one not in moved for one in asked):
                continue
            one = others.get(tuple(applied.parts.values()), applied)
            needed.append(one)
            wanted.update(one.names.values())
        rows = {one: self._kept[one] for one in wanted - moved.keys() & self._kept.keys()}
        for leaf in self._leaves:
            if leaf.name in wanted and leaf.name not in known:
                rows[leaf.name] = draws_of(leaf, self._memo)
        for other, datum in spread_as.items():
            if other in wanted:
                rows[other] = self._row_as(datum)
        for other, value in known.items():
            if other in wanted and value != ledger.entry(other).central:
                rows[other] = np.array([value])
        again = replay(reversed(needed), rows)
        self._kept |= {
            one: row
            for one, row in again.items()
            if isinstance(row, np.ndarray) and one not in moved
        }
        return {name: _interval_of(again.get(name, ledger.entry(name).central)) for name in names}

    def _row_as(self, datum: Datum) -> Array:
        """The draws of a figure that is not in the ledger."""
        aside = Ledger()
        entry = aside.entry(aside.take(datum).name)
        leaf = leaf_of(entry)
        return np.array([entry.central]) if leaf is None else draws_of(leaf, self._memo)

    def outcomes(self, name: str) -> Outcomes:
        """Equally likely values of an entry. They are equal if nothing uncertain enters."""
        if self._row_of(name) is None:
            central = self._ledger.entry(name).central
            return Outcomes((central,) * OUTCOMES, central)
        quantiles = self._with_outcomes[name]
        return Outcomes(
            tuple(quantiles[place] for place in PLACES_OF_OUTCOMES), quantiles[PLACE_OF_BUDGET]
        )

    def position(self, number: float, *, name: str) -> float:
        """The share of the draws of an entry that lie below a number. Ties count as half.

        It takes one of the totals, or of the outcomes. It is the inverse of the quantiles that are
        printed: the position of p10 is 0.1. Between them it follows the draws.
        """
        row = self._row_of(name)
        if row is None:
            return position_among(rounded(np.array([self._ledger.entry(name).central])), number)
        draws = np.sort(row[:DRAWS])
        drawn = np.interp(ALL_LEVELS, DRAW_LEVELS, draws)
        moved = _moved(number, np.array(self._with_outcomes[name]), drawn)
        return position_among(rounded(draws), moved)

    def _row_of(self, name: str) -> Array | None:
        """The row of an entry. None if nothing uncertain enters. KeyError if it was not kept."""
        row = self._rows.get(name)
        if row is None and (name in self._intervals or leaf_of(self._ledger.entry(name))):
            raise KeyError(name)
        return row

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
        return variance_shares(rows[:, :DRAWS], self._sample, deviations.reshape(len(rows), -1, 2))


def _interval_of(row: Real) -> Quantiles:
    """p10, p50, p90 of draws, or of one number."""
    drawn = np.sort(np.broadcast_to(np.atleast_1d(row), DRAWS))
    return Quantiles(*rounded(interpolated(drawn)).tolist())


def _moved(number: float, start: Array, end: Array) -> float:
    """A number moved as the points of `start` move to those of `end`, both ascending."""
    if number < start[0]:
        return float(number + (end[0] - start[0]))
    if number > start[-1]:
        return float(number + (end[-1] - start[-1]))
    return float(np.interp(number, start, end))


def position_among(draws: Array, number: float) -> float:
    """The share of ascending draws below a number, with half of those that equal it.

    Between two draws it is interpolated. Each draw is the middle of a part of equal probability.
    Numbers are equal if their first 11 digits are.
    """
    wanted = float(rounded(np.array(number)))
    below = int(np.searchsorted(draws, wanted, side="left"))
    up_to = int(np.searchsorted(draws, wanted, side="right"))
    if below < up_to or below in {0, len(draws)}:
        return (below + up_to) / 2 / len(draws)
    least, most = draws[below - 1], draws[below]
    return float(below - 0.5 + (wanted - least) / (most - least)) / len(draws)
