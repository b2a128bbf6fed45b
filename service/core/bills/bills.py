"""The bills of one run side by side: the lines of each basis, and what it excludes."""

from collections.abc import Iterable, Mapping

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Argument, Cursor
from service.core.bills.fully_loaded.bill import BaseTotals, write_fully_loaded
from service.core.bills.lines import BillBuilder, DraftBill
from service.core.bills.owned.bill import (
    OwningFigures,
    ownership_of,
    write_rounding,
    write_stage,
)
from service.core.bills.owned.conventions import holding_of
from service.core.bills.owned.terms import Holding, cluster_terms, terms_at
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
from service.core.bills.prices import NoPrice, Price, price_of
from service.core.bills.rental.bill import Rented, write_rental
from service.core.bills.sold import by_cluster
from service.core.catalog.catalog import ExcludedCost
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BASES, BasisName
from service.core.request.accounting import Accounting, BaseModel, BaseRuns, NoBase
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
    sites: dict[str, SiteRates] = {}
    return tuple(_priced(effort, accounting, sites) for effort in efforts)


def _priced(
    effort: Effort, accounting: Cursor[Accounting], sites: dict[str, SiteRates]
) -> PricedStage:
    """A stage with what its device-hours draw from the grid and cost to rent.

    `sites` remembers the site of each cluster, which stages may share.
    """
    cluster = effort.context.cluster
    if cluster.pointer not in sites:
        sites[cluster.pointer] = site_rates(cluster)
        warn_of_place(cluster)
    site = sites[cluster.pointer]
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
        price=price_of(cluster),
    )


class Bills(Struct, frozen=True, kw_only=True):
    """The bills that were asked for, in their order, and the figures of owning each cluster."""

    drafts: tuple[DraftBill, ...]
    ownerships: tuple[OwningFigures, ...]


def bills_of(
    argument: Argument,
    request: QuoteRequest,
    stages: tuple[PricedStage, ...],
    *,
    base_quote: BaseTotals | None,
) -> Bills:
    """Every basis that the request asks for. The fully loaded one builds on the chosen hardware."""
    asked, accounting = set(request.options.bases), request.accounting
    hardware = carried_basis(request)
    bills: dict[BasisName, BillBuilder] = {}
    ownerships: tuple[OwningFigures, ...] = ()
    if "rental" in asked or ("fully_loaded" in asked and hardware == "rental"):
        bills["rental"] = BillBuilder(argument, accounting, "rental")
        write_rental(bills["rental"], tuple(Rented(one.effort, one.price) for one in stages))
    if "owned" in asked or ("fully_loaded" in asked and hardware == "owned"):
        bills["owned"] = BillBuilder(argument, accounting, "owned")
        holdings = holdings_of(bills["owned"].at, stages)
        _write_owned(bills["owned"], holdings, stages)
        ownerships = _ownerships(holdings, stages)
    if "fully_loaded" in asked:
        bills["fully_loaded"] = BillBuilder(argument, accounting, "fully_loaded")
        write_fully_loaded(bills["fully_loaded"], bills[hardware].lines, base_quote=base_quote)
    return Bills(
        drafts=tuple(
            bills[basis].close(excludes=excluded(argument, request, basis, hardware=hardware))
            for basis in BASES
            if basis in asked
        ),
        ownerships=ownerships,
    )


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


def holdings_of(
    accounting: Cursor[Accounting], stages: tuple[PricedStage, ...]
) -> dict[str, Holding]:
    """The holding of each cluster, by the cluster's pointer."""
    return {
        stage.effort.cluster_pointer: holding_of(
            cluster_terms(stage.effort, stage.site, stage.power, accounting=accounting)
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


def _base_inside(base: BaseModel | UnsetType) -> set[str]:
    """Costs of a base model that a fully loaded bill holds or does not need."""
    if base is UNSET:
        return {"base_model_development"}
    counted = isinstance(base, NoBase) or base.scope == "fully_loaded"
    return {"base_model", "base_model_development"} if counted else {"base_model"}


def excluded(
    argument: Argument, request: QuoteRequest, basis: BasisName, *, hardware: BasisName
) -> tuple[ExcludedCost, ...]:
    """The costs that a bill leaves out: those in the catalog, less those in the request."""
    accounting = request.accounting
    base = accounting.base_model
    inside = set()
    if basis == "rental" or (basis == "fully_loaded" and hardware == "rental"):
        inside |= {name for name in ("storage", "transfer") if getattr(accounting, name)}
        inside |= {"tax"} if any(one.kind == "tax" for one in accounting.uplifts) else set()
    if basis == "fully_loaded":
        inside |= {"capital"} if hardware == "owned" else set()
        inside |= _base_inside(base)
    runs = set(base.ids) if isinstance(base, BaseRuns) else set()
    return tuple(
        row
        for row in argument.catalog.exclusions
        if basis in row.bases
        and row.item not in inside
        and (not row.base_runs or runs.intersection(row.base_runs))
    )
