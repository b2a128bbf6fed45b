"""The comparison of every way to get a cluster for one run: the whole of it on one page."""

from typing import Final, NamedTuple

from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from service.core.answer import CatalogStamp, EngineStamp
from service.core.answer.comparison import CheapestListed, Comparison, ComparisonCounts
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.catalog.known import known_on
from service.core.catalog.market import makes
from service.core.comparing.choices import accelerators_of, request_on
from service.core.comparing.printed import (
    LEVELS,
    Printer,
    infeasible_groups,
    infeasible_of,
    panels_of,
    wasteful_sizes,
)
from service.core.comparing.ranking import Ranking, Ranks
from service.core.comparing.searching import ClusterSearch
from service.core.draws.memo import Memo
from service.core.draws.quantiles import levels_of
from service.core.printing.money import RATE_DECIMALS, printed_rate
from service.core.quote import checked
from service.core.request.decisions.compare import CompareRequest
from service.core.request.names import unknown_names

ON_DEMAND: Final = frozenset({"on_demand", "marketplace", "community"})
"""Kinds of price at which an instance can be rented now."""


def comparison(
    asked: CompareRequest,
    catalog: Catalog,
    *,
    id: str,
    canonical_request: bytes,
    engine: EngineStamp,
    valid_until: str,
    memo: Memo,
    base_quote: BaseTotals | None = None,
) -> Comparison:
    """One run on every cluster that can be had for it. Raises `NotQuotable`, as `quote` does."""
    found = compared(asked, catalog, memo=memo, base_quote=base_quote)
    searched, ranking, ranks = found.search.result, found.ranking, found.ranks
    printer = Printer(ranks, found.levels, panels_of(searched.costed))
    infeasible = (*searched.infeasible, *infeasible_of(ranking.outside, ranks))
    groups = infeasible_groups(infeasible, ranking.ranked)
    shown = ranking.ranked[: int(asked.most)]
    costed = [one.costed for one in shown]
    return Comparison(
        id=id,
        issued_at=catalog.published_at,
        valid_until=valid_until,
        engine=engine,
        catalog=CatalogStamp(version=catalog.version, digest=catalog.digest),
        request=Raw(canonical_request),
        objective=asked.objective,
        confidence=asked.confidence,
        horizon_hours=found.horizon_hours,
        candidates=tuple(
            printer.candidate(one, ranking.ranked[0], loaded)
            for one, loaded in zip(shown, found.search.loaded(costed), strict=True)
        ),
        frontier=printer.frontier(ranking),
        cheapest_listed=cheapest_listed(ranking, found.catalog),
        infeasible=groups,
        wasteful=wasteful_sizes(searched.costed),
        counts=ComparisonCounts(
            feasible=len(ranking.ranked),
            infeasible=sum(group.count for group in groups),
            plans=searched.plans,
            outdone_devices=tuple(searched.outdone),
            cut_plans=searched.cut_plans,
        ),
    )


class Compared(NamedTuple):
    """All candidates of a comparison, ranked."""

    search: ClusterSearch
    ranking: Ranking
    ranks: Ranks
    levels: tuple[float, ...]
    horizon_hours: float
    catalog: Catalog


def compared(
    asked: CompareRequest, catalog: Catalog, *, memo: Memo, base_quote: BaseTotals | None = None
) -> Compared:
    """The search over all choices, and its ranking."""
    asked, catalog = checked_comparison(asked, catalog)
    levels = tuple(sorted({*LEVELS, asked.confidence}))
    level = levels.index(asked.confidence)
    search = ClusterSearch(
        asked,
        catalog,
        memo=memo,
        levels=levels_of(f"compared {asked.confidence!r}", levels),
        level=level,
        base_quote=base_quote,
    )
    searched = search.run()
    ranks = Ranks(asked, level=level, horizon_hours=search.horizon_hours)
    return Compared(
        search, ranks.ranking(searched.costed), ranks, levels, search.horizon_hours, catalog
    )


def check_comparison(asked: CompareRequest, catalog: Catalog) -> None:
    """Raises `NotQuotable` for a request that cannot be compared."""
    checked_comparison(asked, catalog)


def checked_comparison(asked: CompareRequest, catalog: Catalog) -> tuple[CompareRequest, Catalog]:
    """The request with ids for devices that its stages describe, and what its catalog knows of.

    Prices are those known on the day that is asked for. Raises `NotQuotable` with every name of the
    request that stands for nothing.
    """
    if errors := unknown_names(asked, catalog):
        raise NotQuotable(errors)
    accelerators = accelerators_of(asked, catalog)
    named = checked(request_on(asked, accelerators[0], 1.0), catalog)
    asked, catalog = replace(asked, run=named.request.run), named.catalog
    if asked.as_of is not UNSET:
        own = (stage.cluster for stage in asked.run.stages)
        others = (one.accelerator for one in own if one is not UNSET)
        catalog = known_on(catalog, asked.as_of, (*accelerators, *others))
    return asked, catalog


def cheapest_listed(ranking: Ranking, catalog: Catalog) -> CheapestListed | UnsetType:
    """The lowest price on demand that anybody lists for the device of the first candidate."""
    if not ranking.ranked:
        return UNSET
    first = ranking.ranked[0].costed
    accelerator, devices = first.plan.accelerator, first.plan.devices
    listed = [
        one
        for one in catalog.price_rows.get(accelerator, ())
        if one.price_kind in ON_DEMAND and one.complete
    ]
    if not listed:
        return UNSET
    least = min(listed, key=lambda one: (catalog.usd_by_offer[one.id], one.id))
    can = makes(catalog, least, devices)
    seat = first.offered.seat
    if seat is not None and seat.offer.id == least.id:
        words = "the first candidate rents at it"
    elif can == "yes":
        words = f"it makes {devices:,g} devices on one network"
    elif can == "no":
        words = f"nobody can order {devices:,g} devices on one network at it"
    else:
        words = f"it is not known whether {devices:,g} devices on one network can be ordered at it"
    return CheapestListed(
        accelerator=accelerator,
        seller=least.provider,
        offer=least.id,
        usd_per_device_hour=printed_rate(round(catalog.usd_by_offer[least.id], RATE_DECIMALS)),
        observed_on=least.observed_on,
        makes_cluster=can,
        detail=words,
    )
