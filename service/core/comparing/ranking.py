"""Which candidates keep the constraints, which is best, and how sure that is.

All candidates are drawn together: what they share, such as the step time of one device, moves them
alike. So a difference between two is surer than either of them.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import UNSET, Struct
from numpy.typing import NDArray

from service.core.comparing.numbers import Number
from service.core.comparing.pricing import LOADED, Costed
from service.core.draws.columns import DRAWS
from service.core.figures.arrays import Array
from service.core.request.decisions.compare import CompareRequest

Kept = dict[str, float]


class Ranked(Struct, frozen=True, kw_only=True):
    """A candidate that keeps the constraints, its place, and the draws in which it is best."""

    costed: Costed
    rank: int
    probability_cheapest: float
    on_frontier: bool


class Outside(Struct, frozen=True):
    """A candidate that does not keep a constraint, which one, and by how much it fails."""

    costed: Costed
    reason: str
    factor: float


class Ranking(Struct, frozen=True, kw_only=True):
    """The candidates that keep the constraints, best first, and those that do not."""

    ranked: tuple[Ranked, ...]
    outside: tuple[Outside, ...]
    frontier: tuple[Ranked, ...]


class Ranks:
    """How candidates are told apart: by a quantile of what is asked for."""

    def __init__(self, asked: CompareRequest, *, level: int, horizon_hours: float) -> None:
        self._asked = asked
        self._level = level
        self._horizon = horizon_hours

    def cost(self, one: Costed) -> Number | None:
        """The cost that counts. None if that basis has no total."""
        basis = LOADED if self._asked.basis == "fully_loaded" else one.offered.hardware
        return one.costs.get(basis)

    def sure(self, number: Number) -> float:
        """The quantile of a number at the confidence."""
        return number.quantile(self._level)

    def order(self, one: Costed) -> tuple[object, ...]:
        """The place of a candidate among others. Ties go to the cheaper, the sooner, by name."""
        cost = self.cost(one)
        assert cost is not None, "it has no total"
        usd, hours = self.sure(cost), self.sure(one.wall_clock_hours)
        if self._asked.objective == "carbon":
            first = self._sure_kg_co2e(one)
        else:
            first = usd if self._asked.objective == "cost" else hours
        plan, supply = one.plan, one.offered.supply
        return (
            first,
            usd,
            hours,
            plan.accelerator,
            plan.devices,
            getattr(supply, "term", "owned"),
            one.offered.seat.seller if one.offered.seat else "",
        )

    def _sure_kg_co2e(self, one: Costed) -> float:
        """Emissions at the confidence. Infinite if they are not known."""
        return self.sure(one.carbon_kg_co2e) if one.carbon_kg_co2e else float("inf")

    def broken(self, one: Costed) -> Outside | None:
        """The first constraint that a candidate does not keep at the confidence."""
        limits = self._asked.constraints
        cost = self.cost(one)
        if cost is None:
            return Outside(one, "no_price", float("inf"))
        found = [("deadline", self.sure(one.wall_clock_hours), self._horizon)]
        if limits.budget_usd is not UNSET:
            found.append(("budget", self.sure(cost), limits.budget_usd))
        if limits.max_carbon_kg_co2e is not UNSET:
            found.append(("max_carbon", self._sure_kg_co2e(one), limits.max_carbon_kg_co2e))
        for reason, number, most in found:
            if number > most:
                return Outside(one, reason, number / most)
        return None

    def keeps(self, one: Costed) -> Kept:
        """Shares of the draws in which a candidate keeps each constraint that is given, and all."""
        limits = self._asked.constraints
        kept: dict[str, NDArray[np.bool_]] = {}
        cost = self.cost(one)
        if limits.deadline_hours is not UNSET:
            kept["deadline"] = one.wall_clock_hours.draws <= limits.deadline_hours
        if limits.budget_usd is not UNSET and cost is not None:
            kept["budget"] = cost.draws <= limits.budget_usd
        if limits.max_carbon_kg_co2e is not UNSET and one.carbon_kg_co2e is not None:
            kept["max_carbon"] = one.carbon_kg_co2e.draws <= limits.max_carbon_kg_co2e
        together = np.ones(DRAWS, dtype=bool)
        for each in kept.values():
            together &= each
        return {name: float(each.mean()) for name, each in kept.items()} | {
            "all": float(together.mean())
        }

    def ranking(self, some: Sequence[Costed]) -> Ranking:
        """All candidates in order, and those outside the constraints."""
        outside, inside = list[Outside](), list[Costed]()
        for one in some:
            broken = self.broken(one)
            if broken is None:
                inside.append(one)
            else:
                outside.append(broken)
        inside.sort(key=self.order)
        cheapest = self._shares_of_cheapest(inside)
        best = self._frontier(inside)
        ranked = tuple(
            Ranked(
                costed=one,
                rank=place + 1,
                probability_cheapest=cheapest[place],
                on_frontier=place in best,
            )
            for place, one in enumerate(inside)
        )
        return Ranking(
            ranked=ranked,
            outside=tuple(outside),
            frontier=tuple(ranked[place] for place in best),
        )

    def _shares_of_cheapest(self, inside: Sequence[Costed]) -> list[float]:
        """For each candidate the share of the draws in which none is cheaper. Ties are shared."""
        if not inside:
            return []
        costs = [_draws(self.cost(one)) for one in inside]
        least = costs[0].copy()
        for cost in costs:
            np.minimum(least, cost, out=least)
        at_least = np.array([cost == least for cost in costs])
        ever, shares = at_least.any(axis=1), np.zeros(len(costs))
        shares[ever] = (at_least[ever] / at_least.sum(axis=0)).mean(axis=1)
        found: list[float] = shares.tolist()
        return found

    def _frontier(self, inside: Sequence[Costed]) -> list[int]:
        """Places of those that nothing beats in both cost and time, soonest done first."""
        costs = [self.sure(cost) for one in inside if (cost := self.cost(one)) is not None]
        hours = [self.sure(one.wall_clock_hours) for one in inside]
        order = sorted(range(len(inside)), key=lambda place: (hours[place], costs[place], place))
        found, least = [], float("inf")
        for place in order:
            if costs[place] < least:
                found.append(place)
                least = costs[place]
        return found


def _draws(number: Number | None) -> Array:
    assert number is not None, "it has no total"
    return number.draws
