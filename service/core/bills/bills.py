"""The bills of one run side by side: the lines of each basis, and what it excludes."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext

from msgspec import UNSET, Struct

from service.core.argument import Argument, Cursor
from service.core.bills.exclusions import (
    DraftExclusion,
    WrittenBills,
    exclusions_of,
    items_left_out,
    rows_that_hold,
)
from service.core.bills.fully_loaded.bill import BaseTotals, write_fully_loaded
from service.core.bills.lines import BillBuilder, DraftBill
from service.core.bills.owned.bill import (
    OwningFigures,
    ownership_of,
    write_rounding,
    write_stage,
)
from service.core.bills.owned.conventions import holding_of
from service.core.bills.owned.terms import ClusterTerms, Holding, cluster_terms, terms_at
from service.core.bills.places import warn_of_place
from service.core.bills.power import (
    Consumption,
    DevicePower,
    SiteRates,
    consumption_of,
    device_power,
    site_rates,
    with_embodied,
)
from service.core.bills.prices.price import NoPrice, Price, price_of
from service.core.bills.rental.bill import Rented, write_rental
from service.core.bills.sold import by_cluster
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BASES, BasisName
from service.core.request.accounting import Accounting
from service.core.request.request import Owned, QuoteRequest
from service.core.stages.effort import Effort


class PricedStage(Struct, frozen=True, kw_only=True):
    """A stage with the site, the power and the price of its cluster."""

    effort: Effort
    site: SiteRates
    power: DevicePower | None
    consumption: Consumption | None
    price: Price | NoPrice


def priced_stages(
    efforts: Iterable[Effort], accounting: Cursor[Accounting]
) -> tuple[PricedStage, ...]:
    """Each stage with what its device-hours draw from the grid and cost to rent."""
    known: dict[str, tuple[SiteRates, Price | NoPrice]] = {}
    return tuple(_priced(effort, accounting, known) for effort in efforts)


def _priced(
    effort: Effort,
    accounting: Cursor[Accounting],
    known: dict[str, tuple[SiteRates, Price | NoPrice]],
) -> PricedStage:
    """A stage with what its device-hours draw from the grid and cost to rent.

    `known` remembers the site and the price of each cluster, which stages may share.
    """
    cluster = effort.context.cluster
    if cluster.pointer not in known:
        known[cluster.pointer] = site_rates(cluster), price_of(cluster)
        warn_of_place(cluster)
    site, price = known[cluster.pointer]
    power = device_power(cluster, site)
    consumption = consumption_of(effort, power)
    if consumption is not None and accounting.said.embodied_carbon:
        life_years, utilisation = working_life(effort, accounting)
        consumption = with_embodied(
            effort, consumption, life_years=life_years, utilisation=utilisation
        )
    return PricedStage(
        effort=effort,
        site=site,
        power=power,
        consumption=consumption,
        price=price,
    )


class Bills(Struct, frozen=True, kw_only=True):
    """The bills that were asked for, in their order, and the figures of owning each cluster."""

    drafts: tuple[DraftBill, ...]
    exclusions: tuple[DraftExclusion, ...]
    ownerships: tuple[OwningFigures, ...]


def bills_of(
    argument: Argument,
    request: QuoteRequest,
    stages: tuple[PricedStage, ...],
    *,
    base_quote: BaseTotals | None,
) -> Bills:
    """Every basis that the request asks for, and what each leaves out.

    The fully loaded one builds on the chosen hardware. A quote in full detail writes it even if it
    is not asked for, because what the others leave out are its lines.
    """
    hardware, full = carried_basis(request), request.options.detail == "full"
    bills: dict[BasisName, BillBuilder] = {}
    holdings: Mapping[str, Holding] = {}
    bases = _bases_to_write(request, hardware)
    terms = terms_by_cluster(argument, request, stages) if full or "owned" in bases else {}
    for basis in bases:
        bills[basis] = bill = BillBuilder(argument, request.accounting, basis)
        with nullcontext() if _is_shown(request, basis, hardware) else argument.unwarned():
            if basis == "rental":
                write_rental(bill, tuple(Rented(one.effort, one.price) for one in stages))
            elif basis == "owned":
                holdings = {pointer: holding_of(one) for pointer, one in terms.items()}
                _write_owned(bill, holdings, stages)
            else:
                write_fully_loaded(bill, bills[hardware].lines, base_quote=base_quote)
    shown = _is_shown(request, "owned", hardware)
    ownerships = _ownerships(holdings, stages) if shown else ()
    rows = rows_that_hold(request, argument.catalog)
    excludes = {
        basis: items_left_out(rows, request.accounting, basis, hardware=hardware)
        for basis in BASES
        if basis in request.options.bases
    }
    drafts = {basis: bill.close(excludes=excludes.get(basis, ())) for basis, bill in bills.items()}
    written = WrittenBills(
        at=argument.at(request.accounting, pointer="/accounting", prefix="excluded"),
        request=request,
        efforts=tuple(stage.effort for stage in stages),
        hardware=hardware,
        bills=bills,
        totals={basis: draft.total for basis, draft in drafts.items()},
        terms=terms,
        holdings=holdings,
        base_quote=base_quote,
    )
    return Bills(
        drafts=tuple(drafts[basis] for basis in excludes),
        exclusions=exclusions_of(written, rows, excludes) if full else (),
        ownerships=ownerships,
    )


def _bases_to_write(request: QuoteRequest, hardware: BasisName) -> tuple[BasisName, ...]:
    """The bases that are asked for, and those that they or their exclusions build on."""
    needed = set(request.options.bases)
    if request.options.detail == "full":
        needed.add("fully_loaded")
    if "fully_loaded" in needed:
        needed.add(hardware)
    return tuple(basis for basis in BASES if basis in needed)


def _is_shown(request: QuoteRequest, basis: BasisName, hardware: BasisName) -> bool:
    """Whether lines of a basis are in a bill that is asked for."""
    asked = request.options.bases
    return basis in asked or (basis == hardware and "fully_loaded" in asked)


def _write_owned(
    bill: BillBuilder, holdings: Mapping[str, Holding], stages: tuple[PricedStage, ...]
) -> None:
    """Write the lines of every stage, and after the last one of a cluster its rounding."""
    clusters = by_cluster(stage.effort for stage in stages)
    for stage in stages:
        pointer = stage.effort.cluster_pointer
        write_stage(bill, stage.effort, holdings[pointer], stage.consumption)
        if stage.effort is clusters[pointer][-1]:
            write_rounding(bill, clusters[pointer], holdings[pointer])


def carried_basis(request: QuoteRequest) -> BasisName:
    """The basis that the fully loaded one builds on: as chosen, or that of the cluster's supply."""
    if request.accounting.hardware is not UNSET:
        return request.accounting.hardware
    return "owned" if isinstance(request.cluster.supply, Owned) else "rental"


def terms_by_cluster(
    argument: Argument, request: QuoteRequest, stages: tuple[PricedStage, ...]
) -> dict[str, ClusterTerms]:
    """The terms under which each cluster is owned, by the cluster's pointer."""
    accounting = argument.at(request.accounting, pointer="/accounting", prefix="owned")
    return {
        stage.effort.cluster_pointer: cluster_terms(
            stage.effort, stage.site, stage.power, accounting=accounting
        )
        for stage in {stage.effort.cluster_pointer: stage for stage in stages}.values()
    }


def working_life(effort: Effort, accounting: Cursor[Accounting]) -> tuple[Term, Term]:
    """Years and utilisation over which embodied carbon of a stage's hardware is spread."""
    terms = terms_at(effort, accounting)
    return (
        terms.assumed("years", unit="year", default="owned.life_years"),
        terms.assumed("utilization", unit="share", default="owned.utilisation"),
    )


def _ownerships(
    holdings: Mapping[str, Holding], stages: tuple[PricedStage, ...]
) -> tuple[OwningFigures, ...]:
    prices = {stage.effort.cluster_pointer: stage.price for stage in stages}
    found = (ownership_of(holding, prices[pointer]) for pointer, holding in holdings.items())
    return tuple(ownership for ownership in found if ownership is not None)
