"""The joint draws of some quotes that are argued together."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from service.core.draws.columns import Sample
from service.core.draws.looks import Quantiles
from service.core.draws.memo import Memo
from service.core.draws.quantiles import INTERVAL
from service.core.draws.rows import leaf_of, uncertain_leaves
from service.core.draws.sensitivity import (
    LEAST_REGRESSED,
    Shares,
    those_that_matter,
    variance_by_ends,
    variance_shares,
)
from service.core.draws.spread import (
    LEAST_SHARE,
    SHARE_DECIMALS,
    Drivers,
    Outcomes,
    Spread,
    Supposition,
    TotalDriver,
)
from service.core.figures.arrays import Array
from service.core.figures.lanes import Group, Inexpressible, Lanes, first_lanes
from service.core.figures.ledger import Ledger
from service.core.together.ledger import LaneLedger
from service.core.together.replaying import quantiles_of_leaf
from service.core.together.rows import CENTRE_COLUMN, END_COLUMNS, LaneRows, LooksInLanes


class LaneSpread(Spread):
    """Intervals, outcomes and drivers, each number of which may differ by lane."""

    def __init__(
        self,
        ledger: Ledger,
        memo: Memo,
        *,
        totals: Sequence[str] = (),
        outcomes: Sequence[str] = (),
    ) -> None:
        assert isinstance(ledger, LaneLedger)
        self._group: Group = ledger.group
        self._ledger = ledger
        self._memo = memo
        self._leaves = uncertain_leaves(ledger)
        looks = LooksInLanes()
        self._found = LaneRows(
            ledger,
            self._leaves,
            ledger.group,
            memo,
            totals=totals,
            outcomes=(*totals, *outcomes),
            looks=looks,
        )
        self._shapes = looks.shapes
        self._rows, self._intervals = self._found.rows, looks.intervals
        self._with_outcomes = looks.with_outcomes
        self._sample = Sample(tuple(leaf.name for leaf in self._leaves), memo)
        self._totals = [name for name in totals if name in self._rows]
        self._drivers: dict[str, Drivers] = {}

    def ask_all(self) -> None:
        """Say that every interval will be asked for, so that they are found together."""
        for name in self._intervals:
            self._ask(name)

    def _ask(self, name: str) -> None:
        if name in self._shapes:
            self._found.ask(self._shapes[name])

    @property
    def derived(self) -> Mapping[str, Quantiles]:
        """p10, p50, p90 of every entry that is derived from something uncertain."""
        self.ask_all()
        return self._intervals

    def interval(self, name: str) -> Quantiles:
        """p10, p50, p90 of an entry. They are equal if nothing uncertain enters."""
        self._ask(name)
        leaf = None if name in self._intervals else leaf_of(self._ledger.entry(name))
        if leaf is None or first_lanes(leaf) is None:
            return super().interval(name)
        return Quantiles(*quantiles_of_leaf(leaf, INTERVAL))

    def outcomes(self, name: str) -> Outcomes:
        """Equally likely values of an entry. They are equal if nothing uncertain enters."""
        self._ask(name)
        return super().outcomes(name)

    def position(self, number: float, *, name: str) -> float:
        """No question that is argued together with others asks for it."""
        raise Inexpressible(f"the position of {number} in {name}")

    def intervals_if(self, supposed: Sequence[Supposition]) -> list[dict[str, Quantiles]]:
        """p10, p50, p90 of the entries that each supposition asks for."""
        ledger = self._ledger
        plans = []
        for one in supposed:
            if one.instead or one.spread_as:
                raise Inexpressible("a prediction")
            for other, value in one.known.items():
                if value != ledger.entry(other).central:
                    raise Inexpressible("another value than the ledger's")
            plans.append((one.names, ledger.marked(dict.fromkeys(one.known, 1)).keys()))
        return self._found.intervals_if(plans)

    def _drivers_of(self, total: str) -> Drivers:
        row = self._totals.index(total)
        shares = self._shares.first_order[row]
        ends = np.atleast_2d(self._rows[total])[:, END_COLUMNS]
        ranked = []
        for place, leaf in enumerate(self._leaves):
            share: Any = Lanes(self._group, shares[:, place])
            if share >= LEAST_SHARE:
                ranked.append(
                    TotalDriver(
                        figure=leaf.name,
                        share=round(share, SHARE_DECIMALS),
                        total_if_low=self._lanes(ends[:, 2 * place]),
                        total_if_high=self._lanes(ends[:, 2 * place + 1]),
                    )
                )
        ranked.sort(key=lambda driver: -driver.share)
        interactions: Any = Lanes(self._group, self._shares.interactions[row])
        return Drivers(tuple(ranked), round(interactions, SHARE_DECIMALS))

    def _lanes(self, numbers: Array) -> Any:
        return Lanes(self._group, np.broadcast_to(numbers, (self._group.size,)))

    @cached_property
    def _shares(self) -> Shares:
        """The shares of all totals of all lanes, found for a few lanes at a time."""
        size, totals = self._group.size, self._totals
        rows = [np.atleast_2d(self._rows[name]) for name in totals]
        ends = np.array(
            [
                np.broadcast_to(
                    row[:, END_COLUMNS] - row[:, CENTRE_COLUMN : CENTRE_COLUMN + 1],
                    (size, row.shape[1] - CENTRE_COLUMN - 1),
                )
                for row in rows
            ]
        ).reshape(len(totals), size, -1, 2)
        regressed = self._regressed(ends)
        first_order, interactions, start = [], [], 0
        for draws in self._found.draws_of_all(totals):
            shape = draws.shape[:2]
            of_block = ends[:, start : start + shape[1]]
            found = variance_shares(
                draws.reshape(-1, draws.shape[2]),
                self._sample,
                of_block.reshape(-1, *ends.shape[2:]),
                regressed=regressed,
            )
            first_order.append(found.first_order.reshape(*shape, -1))
            interactions.append(found.interactions.reshape(shape))
            start += shape[1]
        return Shares(np.concatenate(first_order, axis=1), np.concatenate(interactions, axis=1))

    def _regressed(self, ends: Array) -> Array:
        """The figures to regress, which are the same in all lanes."""
        alone = variance_by_ends(ends)
        whole = alone.sum(axis=2, keepdims=True)
        part = (alone / np.where(whole > 0.0, whole, 1.0)).max(axis=0)
        shapes = np.packbits(part > LEAST_REGRESSED, axis=1)
        _, codes = np.unique(shapes, axis=0, return_inverse=True)
        lane = self._group.agree_on(codes.reshape(-1))
        return those_that_matter(alone[:, lane])
