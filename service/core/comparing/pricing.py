"""What a plan costs at the price of each of many sellers, all at once.

Sellers who sell in the same pieces and count time alike have the same lines, and differ in the
price alone. Their bills are written once. The formulas are then replayed over a matrix that has a
row for each seller.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from msgspec import UNSET, Struct
from msgspec.structs import replace

from service.core.argument import Argument, Cursor
from service.core.bills.bills import PricedStage, bills_of, priced_stages
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.bills.lines import DraftBill, Priced
from service.core.bills.places import site_of_supply
from service.core.bills.power import totals_of
from service.core.bills.prices.price import Price, price_of
from service.core.bills.sold import RUN_CLUSTER, Terms, terms_of_sale
from service.core.catalog.catalog import Catalog
from service.core.catalog.market import Panel, Seat, Wanted
from service.core.comparing.numbers import NamedRows, Number, View, added, leaves_of
from service.core.comparing.plans import Branch, RunPlan, branch_at
from service.core.comparing.prices import SellerPrices
from service.core.draws.memo import Memo
from service.core.draws.quantiles import Levels
from service.core.draws.vectors import central
from service.core.figures.arrays import Array
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BasisName
from service.core.printing.money import amount_of, sum_of_amounts
from service.core.request.accounting import Options
from service.core.request.request import Cluster, Market, Owned, QuoteRequest, Supply
from service.core.request.supplies import wanted_of

LOADED: Final[BasisName] = "fully_loaded"
UNUSED: Final = "unused_commitment"


class Offered(Struct, frozen=True, kw_only=True):
    """A way to get the cluster: the supply to ask a quote for, and the seller behind it."""

    supply: Supply
    seat: Seat | None = None

    @property
    def hardware(self) -> BasisName:
        """The basis that has its hardware."""
        return "owned" if isinstance(self.supply, Owned) else "rental"


class Unpriceable(NamedTuple):
    """A way to get the cluster that has no price, and why."""

    offered: Offered
    reason: str
    detail: str


class Way(NamedTuple):
    """A way to get the cluster, its place among others, and how the cluster is sold."""

    place: int
    offered: Offered
    terms: Terms


class WrittenWays(NamedTuple):
    """The bills of ways with the same terms, written once, and the ways.

    They are written at `price`, that of the first way. `prices` are those of all ways. There are
    none of devices that are owned, and none if nobody says any.
    """

    branch: Branch
    price: Term | None
    prices: Sequence[Term]
    drafts: Mapping[BasisName, DraftBill]
    energy: Term | None
    carbon: Term | None
    billed_hours: float
    ways: Sequence[Way]


class Held(NamedTuple):
    """Hours on the clock and device-hours, which are the same for all ways."""

    wall_clock_hours: Number
    device_hours: Number


class Costed(Struct, frozen=True, kw_only=True):
    """A candidate: a plan with a way to get its cluster, and all that it comes to.

    `costs` are totals by basis, over draws. Amounts as a quote prints them are added up when they
    are asked for.
    """

    plan: RunPlan
    offered: Offered
    terms: Terms
    usd_per_device_hour: float | None
    costs: Mapping[BasisName, Number]
    lines: Mapping[BasisName, "Lines"]
    wall_clock_hours: Number
    billed_hours: float
    device_hours: Number
    energy_kwh: Number | None
    carbon_kg_co2e: Number | None

    @property
    def hardware_cost(self) -> Number:
        """The cost of the basis that has its hardware."""
        return self.costs[self.offered.hardware]

    def amount(self, basis: BasisName) -> Decimal:
        """The total of a basis as a quote prints it: the sum of its lines as printed."""
        return sum_of_amounts(amount for _, amount in self.lines[basis].amounts())

    @property
    def unused(self) -> Decimal:
        """What a commitment costs beyond the hours of the run."""
        lines = self.lines.get("rental")
        amounts = () if lines is None else lines.amounts()
        return sum_of_amounts(amount for item, amount in amounts if item == UNUSED)


Outcome: TypeAlias = Costed | Unpriceable


class Lines(NamedTuple):
    """The priced lines of a bill at one price: their items, and quantities and rates by line."""

    items: Sequence[str]
    quantities: Array
    rates: Array

    def amounts(self) -> Iterator[tuple[str, Decimal]]:
        """The item and the amount of each line, as it is printed."""
        for item, quantity, rate in zip(self.items, self.quantities, self.rates, strict=True):
            yield item, amount_of(quantity=float(quantity), rate=float(rate))


class Pricer:
    """Prices one plan in many ways, each in a branch of the plan's argument."""

    def __init__(
        self,
        plan: RunPlan,
        memo: Memo,
        levels: Levels,
        base_quote: BaseTotals | None,
        prices: SellerPrices,
    ) -> None:
        self._plan = plan
        self._base_quote = base_quote
        self._prices = prices
        self._of_stages = _markets_of_stages(plan.request, plan.argument.catalog)
        ledger = plan.argument.ledger
        hours = [one.device_hours for one in plan.efforts if isinstance(one.device_hours, Term)]
        self._view = View(leaves_of(ledger), memo, levels)
        self._view.bring((term.name for term in (plan.wall_clock_hours, *hours)), ledger)
        self.held = Held(self._view.number(plan.wall_clock_hours), self._view.sum_of(hours))
        """How long the run takes and holds its devices."""

    def costed(self, ways: Sequence[Offered], *, loaded: bool = False) -> list[Outcome]:
        """What the plan costs in each of some ways to get its cluster, in their order.

        If it is to be fully loaded as well, each way has bills of its own: which costs of staff and
        of data are known depends on the cost of the hardware.
        """
        groups: dict[Hashable, list[Way]] = {}
        aside = self._plan.argument.aside()
        for place, way in enumerate(ways):
            self._seat(way)
            cluster = self._cluster(aside, way)
            terms = self._terms(cluster)
            alike = place if loaded else self._alike(cluster, terms)
            groups.setdefault(alike, []).append(Way(place, way, terms))
        bases: tuple[BasisName, ...] = (LOADED,) if loaded else ()
        written = [self._written(group, bases) for group in groups.values()]
        found: dict[int, Outcome] = {}
        for outcomes in self._looked_at(written):
            found |= outcomes
        return [found[place] for place in range(len(ways))]

    def _seat(self, way: Offered) -> None:
        """Let nobody but its seller vote where the way is priced."""
        if way.seat is not None and isinstance(way.supply, Market):
            argument = self._plan.argument
            wanted = wanted_of(self._plan.request.cluster, way.supply, catalog=argument.catalog)
            argument.found[wanted] = Panel(seats=(way.seat,), left_out={})

    def _cluster(self, argument: Argument, way: Offered) -> Cursor[Cluster]:
        cluster = replace(self._plan.request.cluster, supply=way.supply)
        return argument.at(cluster, pointer="/cluster", prefix="cluster")

    def _terms(self, cluster: Cursor[Cluster]) -> Terms:
        plan = self._plan
        return terms_of_sale(cluster, plan.efforts[0].devices, plan.wall_clock_hours)

    def _alike(self, cluster: Cursor[Cluster], terms: Terms) -> Hashable:
        """What the lines of a bill depend on besides the price: how it is sold, and its power.

        A way at whose price a stage rents a cluster of its own is like no other: there the stage
        keeps that price.
        """
        said, supply = cluster.said, cluster.said.supply
        if not isinstance(supply, Market):
            return supply
        catalog, where = cluster.argument.catalog, ""
        if self._of_stages and wanted_of(said, supply, catalog=catalog) in self._of_stages:
            return supply
        if supply.region is not UNSET:
            site = site_of_supply(cluster)
            where = "" if site is None else site.id
        return supply.term, terms.odd_devices, terms.increments, where

    def _written(self, ways: Sequence[Way], bases: tuple[BasisName, ...]) -> WrittenWays:
        """The bills of ways that are alike, at the price of the first of them."""
        plan, way = self._plan, ways[0].offered
        options = Options(bases=(way.hardware, *bases), detail="summary")
        branch = branch_at(
            replace(plan.request, options=options), plan.argument, plan.efforts, way.supply
        )
        argument, request = branch.argument, branch.request
        at = argument.at(request.accounting, pointer="/accounting", prefix="accounting")
        stages = priced_stages(branch.efforts, at)
        price = self._price(argument, stages, way)
        bills = bills_of(argument, request, stages, base_quote=self._base_quote)
        consumed = totals_of(argument, tuple(stage.consumption for stage in stages))
        return WrittenWays(
            branch=branch,
            price=price,
            prices=() if price is None else self._prices_of(ways, price),
            drafts={draft.basis: draft for draft in bills.drafts},
            energy=None if consumed is None else consumed.kwh["facility_kwh"],
            carbon=None if consumed is None else consumed.kg_co2e.get("location_based"),
            billed_hours=self._billed_hours(argument),
            ways=ways,
        )

    def _price(
        self, argument: Argument, stages: Sequence[PricedStage], way: Offered
    ) -> Term | None:
        """The price of the run's cluster, which its stages have if any of them is on it."""
        if isinstance(way.supply, Owned):
            return None
        of_stages = (one.price for one in stages if one.effort.cluster_pointer == RUN_CLUSTER)
        price = next(of_stages, None) or price_of(self._cluster(argument, way))
        return price.usd_per_device_hour if isinstance(price, Price) else None

    def _prices_of(self, ways: Sequence[Way], first: Term) -> Sequence[Term]:
        """The price of each way, if that of the first is known."""
        supply = ways[0].offered.supply
        seats = [way.offered.seat for way in ways if way.offered.seat is not None]
        if len(ways) == 1 or not isinstance(supply, Market):
            return (first,)
        return self._prices.usd_per_device_hour(seats, supply.term)

    def _billed_hours(self, argument: Argument) -> float:
        """Hours that the seller bills: those that are held unless the bill rounds them."""
        billed = "rental/cluster/billed_hours"
        if billed in argument.ledger:
            return argument.ledger.term(billed).central
        return self._plan.wall_clock_hours.central

    def _looked_at(self, written: Sequence[WrittenWays]) -> Iterator[dict[int, Outcome]]:
        """All numbers of each group, from one set of rows for what the groups share."""
        ground = self._plan.argument.ledger
        ledgers = [one.branch.argument.ledger for one in written]
        view = self._view.widened((*self._prices.leaves, *leaves_of(ground, ledgers)))
        tapes = [added(ground, ledger) for ledger in ledgers]
        shared = {name for tape in tapes for step in tape for name in step.names.values()}
        view.bring((name for name in shared if name in ground), ground)
        several = [one for one in written if len(one.ways) > 1]
        prices = self._prices.rows_in(view, [each for one in several for each in one.prices])
        bills = []
        for one, tape in zip(written, tapes, strict=True):
            if one.price is None or len(one.ways) == 1:
                rows = view.replayed(tape, view.rows)
            else:
                matrix = np.array([prices[each.name] for each in one.prices])
                rows = view.replayed_with(one.price.name, matrix, tape)
            bills.append(WayBills(one, view, rows))
        costs = _costs_of(bills, view)
        for place, of_group in enumerate(bills):
            own = {basis: found[place] for basis, found in costs.items() if place in found}
            yield of_group.outcomes(self._plan, self.held, own)


class WayBills:
    """The bills of ways that are alike, over the rows of their prices."""

    def __init__(self, written: WrittenWays, view: View, rows: NamedRows) -> None:
        self._written = written
        self._view = view
        self._rows = rows
        self._count = len(written.ways)

    @property
    def totals(self) -> dict[BasisName, Array]:
        """The rows of each total that is known, one for each way."""
        drafts = self._written.drafts.items()
        return {
            basis: self._matrix(draft.total) for basis, draft in drafts if draft.total is not None
        }

    def outcomes(
        self, plan: RunPlan, held: Held, costs: Mapping[BasisName, Sequence[Number]]
    ) -> dict[int, Outcome]:
        """A candidate for each way, or why it has no total."""
        written = self._written
        lines = {basis: self._lines(written.drafts[basis]) for basis in costs}
        energy, carbon = (
            None if term is None else self._view.number(term, self._rows)
            for term in (written.energy, written.carbon)
        )
        found: dict[int, Outcome] = {}
        for index, (place, way, terms) in enumerate(written.ways):
            if way.hardware not in costs:
                found[place] = Unpriceable(way, *_why_unpriced(written.drafts[way.hardware]))
                continue
            found[place] = Costed(
                plan=plan,
                offered=way,
                terms=terms,
                usd_per_device_hour=written.prices[index].central if written.prices else None,
                costs={basis: each[index] for basis, each in costs.items()},
                lines={basis: each[index] for basis, each in lines.items()},
                wall_clock_hours=held.wall_clock_hours,
                billed_hours=written.billed_hours,
                device_hours=held.device_hours,
                energy_kwh=energy,
                carbon_kg_co2e=carbon,
            )
        return found

    def _lines(self, draft: DraftBill) -> list[Lines]:
        """The lines of each way."""
        priced = [line for line in draft.lines if isinstance(line, Priced)]
        items = [line.item for line in priced]
        quantities = np.array([self._centres(line.quantity) for line in priced])
        rates = np.array([self._centres(line.rate) for line in priced])
        return [Lines(items, quantities[:, n], rates[:, n]) for n in range(self._count)]

    def _matrix(self, term: Term) -> Array:
        shape = (self._count, self._view.width)
        return np.broadcast_to(self._view.row(term, self._rows), shape)

    def _centres(self, term: Term) -> Array:
        row = self._rows.get(term.name)
        middle = term.central if row is None else central(row)
        return np.broadcast_to(middle, (self._count,))


def _markets_of_stages(request: QuoteRequest, catalog: Catalog) -> frozenset[Wanted]:
    """The markets in which stages with a cluster of their own rent it."""
    own = [stage.cluster for stage in request.run.stages if stage.cluster is not UNSET]
    return frozenset(
        wanted_of(cluster, cluster.supply, catalog=catalog)
        for cluster in own
        if isinstance(cluster.supply, Market)
    )


def _costs_of(bills: Sequence[WayBills], view: View) -> dict[BasisName, dict[int, list[Number]]]:
    """The costs of all ways, by basis and by the place of their bills."""
    totals: dict[BasisName, dict[int, Array]] = defaultdict(dict)
    for place, one in enumerate(bills):
        for basis, matrix in one.totals.items():
            totals[basis][place] = matrix
    return {
        basis: dict(zip(found, view.numbers_of(list(found.values())), strict=True))
        for basis, found in totals.items()
    }


def _why_unpriced(draft: DraftBill) -> tuple[str, str]:
    """Why a bill has no total: its first line without a price."""
    line = next(line for line in draft.lines if not isinstance(line, Priced))
    return line.reason, line.detail
