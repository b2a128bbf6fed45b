"""A comparison as it is printed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import ceil, log
from statistics import median
from typing import Final, TypeAlias

import numpy as np
from msgspec import UNSET, UnsetType

from service.core.answer.base import AmountInterval, Money
from service.core.answer.comparison import (
    CandidateCost,
    CandidateLevels,
    CandidatePanel,
    CandidatePrice,
    ComparedCandidate,
    FrontierPoint,
    InfeasibleCluster,
    InfeasibleGroup,
    OrderedCluster,
    OrderedSupply,
    Probabilities,
    VersusFirst,
    WastefulSize,
)
from service.core.comparing.numbers import Number
from service.core.comparing.pricing import Costed
from service.core.comparing.ranking import Outside, Ranked, Ranking, Ranks
from service.core.comparing.searching import Infeasible
from service.core.figures.units import HOURS_PER_DAY
from service.core.figures.vocabulary import BASES
from service.core.printing.money import RATE_DECIMALS, printed, printed_estimate, printed_rate
from service.core.request.decisions.compare import ComparedTerm
from service.core.request.request import Market

EXAMPLES: Final = 3
PROBABILITY_DECIMALS: Final = 6
P10, P50, P80, P90 = 0.1, 0.5, 0.8, 0.9
LEVELS: Final = (P10, P50, P80, P90)
"""Quantiles that are printed. That at the confidence is looked at beside them."""
AS_FAST: Final = 0.999
"""A larger cluster that takes at least this part of the time is wasteful."""


Panels: TypeAlias = Mapping[tuple[str, float, str], Sequence[float]]
"""The prices of all sellers, by device, size and term."""


class Printer:
    """Prints candidates. `levels` are those at which numbers were looked at."""

    def __init__(self, ranks: Ranks, levels: Sequence[float], panels: Panels) -> None:
        self._ranks = ranks
        self._panels = panels
        self._places = {level: place for place, level in enumerate(levels)}

    def levels(self, number: Number) -> CandidateLevels:
        """A number with its quantiles."""
        return CandidateLevels(
            central=number.central,
            p50=self._at(number, P50),
            p80=self._at(number, P80),
            p90=self._at(number, P90),
        )

    def _at(self, number: Number, level: float) -> float:
        return number.quantile(self._places[level])

    def candidate(self, ranked: Ranked, first: Ranked, loaded: Costed) -> ComparedCandidate:
        """A candidate, beside the first one. `loaded` is the same with all of its bases."""
        one = ranked.costed
        pieces = one.terms.devices_per_piece
        nodes = ceil(one.plan.devices / pieces)
        return ComparedCandidate(
            rank=ranked.rank,
            cluster=ordered_cluster(one),
            term=term_of(one),
            price=self._price(one),
            nodes=nodes,
            devices_per_node=round(pieces),
            devices_sold=round(nodes * pieces),
            billed_hours=one.billed_hours,
            billed_days=one.billed_hours / HOURS_PER_DAY,
            device_hours=self.levels(one.device_hours),
            wall_clock_hours=self.levels(one.wall_clock_hours),
            costs=tuple(self._costs(loaded)),
            unused_commitment=printed(one.unused),
            energy_kwh=self.levels(one.energy_kwh) if one.energy_kwh else UNSET,
            carbon_kg_co2e=self.levels(one.carbon_kg_co2e) if one.carbon_kg_co2e else UNSET,
            keeps=Probabilities(
                **{name: _share(share) for name, share in self._ranks.keeps(one).items()}
            ),
            probability_cheapest=_share(ranked.probability_cheapest),
            versus_first=UNSET if ranked is first else self._versus(one, first.costed),
            on_frontier=ranked.on_frontier,
        )

    def _price(self, one: Costed) -> CandidatePrice | UnsetType:
        seat = one.offered.seat
        if seat is None or one.usd_per_device_hour is None:
            return UNSET
        prices = self._panels[_panel(one)]
        return CandidatePrice(
            seller=seat.seller,
            segment=seat.segment,
            usd_per_device_hour=_rate(one.usd_per_device_hour),
            basis=seat.basis,
            offer=seat.offer.id,
            observed_on=seat.offer.observed_on,
            panel=CandidatePanel(
                sellers=len(prices), median_usd_per_device_hour=_rate(median(prices))
            ),
            makes_cluster="yes" if seat.network_known else "unknown",
            minimum_term=seat.offer.min_term or UNSET,
        )

    def _costs(self, one: Costed) -> Iterable[CandidateCost]:
        for basis in BASES:
            if basis in one.costs:
                number, total = one.costs[basis], one.amount(basis)
                certain = number.quantiles[0] == number.quantiles[-1]
                yield CandidateCost(
                    basis=basis,
                    total=Money(amount=printed(total), currency="USD"),
                    p50=self._amount(number, P50, total, certain=certain),
                    p80=self._amount(number, P80, total, certain=certain),
                    p90=self._amount(number, P90, total, certain=certain),
                )

    def _amount(self, number: Number, level: float, total: Decimal, *, certain: bool) -> str:
        """A quantile as an amount. One without spread is the total as printed."""
        return printed(total) if certain else printed_estimate(self._at(number, level))

    def _versus(self, one: Costed, first: Costed) -> VersusFirst:
        ours, theirs = self._ranks.cost(one), self._ranks.cost(first)
        assert ours is not None
        assert theirs is not None
        more = ours.draws - theirs.draws
        low, middle, high = np.quantile(more, (P10, P50, P90), method="hazen").tolist()
        return VersusFirst(
            more=AmountInterval(
                p10=printed_estimate(low), p50=printed_estimate(middle), p90=printed_estimate(high)
            ),
            probability_cheaper=_share(float((more < 0.0).mean())),
            tie=low <= 0.0 <= high,
        )

    def frontier(self, ranking: Ranking) -> tuple[FrontierPoint, ...]:
        """The frontier, soonest done first."""
        found = []
        for ranked in ranking.frontier:
            cost = self._ranks.cost(ranked.costed)
            assert cost is not None
            found.append(
                FrontierPoint(
                    cluster=ordered_cluster(ranked.costed),
                    rank=ranked.rank,
                    cost=printed_estimate(self._ranks.sure(cost)),
                    hours=self._ranks.sure(ranked.costed.wall_clock_hours),
                )
            )
        return tuple(found)


def _rate(usd: float) -> str:
    return printed_rate(round(usd, RATE_DECIMALS))


def _share(share: float) -> float:
    return round(share, PROBABILITY_DECIMALS)


def ordered_cluster(one: Costed) -> OrderedCluster:
    """The cluster of a candidate, to be put into a request for a quote."""
    supply = one.offered.supply
    if not isinstance(supply, Market):
        ordered = OrderedSupply(kind="owned")
    else:
        ordered = OrderedSupply(
            kind="market",
            term=supply.term,
            provider=supply.provider,
            segment=supply.segment,
            region=supply.region,
        )
    return OrderedCluster(
        accelerator=one.plan.accelerator, devices=one.plan.devices, supply=ordered
    )


def panels_of(some: Iterable[Costed]) -> Panels:
    """The prices for each cluster under each term."""
    found: dict[tuple[str, float, str], list[float]] = defaultdict(list)
    for one in some:
        if one.usd_per_device_hour is not None:
            found[_panel(one)].append(one.usd_per_device_hour)
    return found


def _panel(one: Costed) -> tuple[str, float, str]:
    return one.plan.accelerator, one.plan.devices, term_of(one)


def term_of(one: Costed) -> ComparedTerm:
    """The term under which a candidate gets its cluster."""
    supply = one.offered.supply
    return supply.term if isinstance(supply, Market) else "owned"


def infeasible_of(outside: Sequence[Outside], ranks: Ranks) -> Iterator[Infeasible]:
    """Candidates that keep not all constraints, as clusters that are not feasible."""
    for one in outside:
        plan, seat = one.costed.plan, one.costed.offered.seat
        yield Infeasible(
            accelerator=plan.accelerator,
            devices=plan.devices,
            reason=one.reason,
            sellers=() if seat is None else (seat.seller,),
            excess=one.factor,
            would=_would(one, ranks),
        )


def _would(one: Outside, ranks: Ranks) -> str:
    """In words, what a candidate comes to that does not keep a constraint."""
    plan, costed = one.costed.plan, one.costed
    what = f"{plan.devices:,g} {plan.accelerator}"
    if costed.offered.seat is not None:
        what += f" of {costed.offered.seat.seller}"
    cost = ranks.cost(costed)
    if one.reason == "deadline":
        return f"{what} would be done in {ranks.sure(costed.wall_clock_hours):,.0f} hours"
    if one.reason == "budget" and cost is not None:
        return f"{what} would cost ${ranks.sure(cost):,.0f}"
    if one.reason == "max_carbon" and costed.carbon_kg_co2e is not None:
        return f"{what} would emit {ranks.sure(costed.carbon_kg_co2e):,.0f} kg CO2e"
    return f"{what} has no total of this basis"


def infeasible_groups(
    some: Iterable[Infeasible], ranked: Sequence[Ranked]
) -> tuple[InfeasibleGroup, ...]:
    """What is not feasible, by reason, most first, with the nearest feasible change."""
    groups: dict[str, list[Infeasible]] = defaultdict(list)
    for one in some:
        groups[one.reason].append(one)
    counts = {reason: sum(one.ways for one in found) for reason, found in groups.items()}
    return tuple(
        InfeasibleGroup(
            reason=reason,
            count=counts[reason],
            examples=tuple(map(_example, groups[reason][:EXAMPLES])),
            nearest=_nearest(groups[reason], ranked),
        )
        for reason in sorted(groups, key=lambda reason: (-counts[reason], reason))
    )


def _example(one: Infeasible) -> InfeasibleCluster:
    return InfeasibleCluster(
        accelerator=one.accelerator,
        devices=one.devices,
        detail=one.detail or UNSET,
        sellers=one.sellers,
    )


def _nearest(some: Sequence[Infeasible], ranked: Sequence[Ranked]) -> str | UnsetType:
    """What the closest of them would come to, or else a candidate with the same device.

    Of such candidates it is the one whose size is nearest to one of those that are not feasible.
    """
    closest = min((one for one in some if one.would), key=lambda one: one.excess, default=None)
    if closest is not None:
        return closest.would
    sizes: dict[str, set[float]] = defaultdict(set)
    for one in some:
        sizes[one.accelerator].add(one.devices or 1.0)
    first: dict[tuple[str, float], int] = {}
    for place, other in enumerate(ranked):
        plan = other.costed.plan
        if plan.accelerator in sizes:
            first.setdefault((plan.accelerator, plan.devices), place)

    def distance(cluster: tuple[str, float]) -> float:
        accelerator, devices = cluster
        return min(abs(log(devices / size)) for size in sizes[accelerator])

    if not first:
        return UNSET
    near = ranked[first[min(first, key=lambda one: (distance(one), first[one]))]].costed
    seller = "" if near.offered.seat is None else f" of {near.offered.seat.seller}"
    return f"{near.plan.devices:,g} {near.plan.accelerator}{seller} are feasible"


def wasteful_sizes(some: Iterable[Costed]) -> tuple[WastefulSize, ...]:
    """Sizes that take as long as a smaller one of the same device, and so cost more."""
    plans: dict[str, dict[float, Costed]] = defaultdict(dict)
    for one in some:
        plans[one.plan.accelerator].setdefault(one.plan.devices, one)
    found = []
    for accelerator, by_size in plans.items():
        sizes = sorted(by_size)
        for place, devices in enumerate(sizes):
            own = by_size[devices]
            hours = own.wall_clock_hours.central
            less = [
                n for n in sizes[:place] if by_size[n].wall_clock_hours.central * AS_FAST <= hours
            ]
            if less:
                more = own.device_hours.central - by_size[less[0]].device_hours.central
                found.append(
                    WastefulSize(
                        accelerator=accelerator,
                        devices=devices,
                        as_fast_with=less[0],
                        hours=hours,
                        more_device_hours=more,
                    )
                )
    return tuple(found)
