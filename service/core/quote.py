"""The whole argument on one page: a newcomer starts here.

A request names a run and a cluster. Each stage's work becomes device-hours, each cluster's supply
becomes a price, each basis becomes a bill; the ledger that all of it went through becomes the
figures, and is replayed over draws for the intervals. Nothing here reads a clock, a file, the
network or the environment.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import UNSET, Raw

from service.core.answer import CatalogStamp, EngineStamp, Quote
from service.core.argument import Argument, Cursor
from service.core.bills.bills import PricedStage, bills_of, working_life
from service.core.bills.power import (
    SiteRates,
    consumption_of,
    device_power,
    site_rates,
    totals_of,
    with_embodied,
)
from service.core.bills.prices import price_of
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable, QuoteError, UnknownProvider, UnknownRegion
from service.core.printing.bridges import bridges
from service.core.printing.cautions import caution
from service.core.printing.printing import (
    estimate,
    printed_bill,
    printed_ownership,
    printed_stage,
    printed_totals,
    spread_of_quote,
)
from service.core.printing.summary import as_asked
from service.core.request.accounting import Accounting, BaseRuns
from service.core.request.request import CatalogOffer, Cluster, Market, QuoteRequest
from service.core.request.work import (
    Finetuning,
    Generation,
    Model,
    PresetModel,
    Pretraining,
    Reinforcement,
)
from service.core.stages.effort import Effort, effort_of
from service.core.stages.schedule import order_errors, schedule_of


def quote(
    request: QuoteRequest,
    catalog: Catalog,
    *,
    id: str,
    canonical_request: bytes,
    engine: EngineStamp,
    valid_until: str,
    base_quote_usd: float | None = None,
) -> Quote:
    """One quote; raises `NotQuotable` with everything that the request names and nobody knows.

    `id` and `canonical_request` come from the cache key, `valid_until` from the validity policy,
    `base_quote_usd` is the rental total of the quote that the request names as its base model.
    """
    check_names(request, catalog)
    argument = Argument(catalog)
    _check_stage_names(argument, request)
    sites: dict[str, SiteRates] = {}
    stages = tuple(
        _priced(
            effort_of(
                argument, stage, pointer=pointer, cluster=cluster, cluster_pointer=cluster_pointer
            ),
            argument.at(request.accounting, pointer="/accounting", prefix="accounting"),
            sites,
        )
        for stage, pointer, (cluster, cluster_pointer) in zip(
            request.run.stages,
            _stage_pointers(request),
            _clusters_of_stages(request),
            strict=True,
        )
    )
    bills = bills_of(argument, request, stages, base_quote_usd=base_quote_usd)
    totals = totals_of(argument, tuple(stage.consumption for stage in stages))
    schedule = schedule_of(
        argument, request.run, tuple(stage.effort.wall_clock_hours for stage in stages)
    )
    spread = spread_of_quote(argument.ledger, bills.drafts)
    caution(argument, bills.drafts, spread)
    printed = tuple(printed_bill(bill, spread) for bill in bills.drafts)
    answer = Quote(
        id=id,
        issued_at=catalog.published_at,
        valid_until=valid_until,
        engine=engine,
        catalog=CatalogStamp(version=catalog.version, digest=catalog.digest),
        request=Raw(canonical_request),
        bases=printed,
        bridges=bridges(printed),
        ownership=tuple(printed_ownership(one, spread) for one in bills.ownerships),
        stages=tuple(printed_stage(stage.effort, stage.consumption, spread) for stage in stages),
        totals=printed_totals(totals, spread),
        wall_clock_hours=estimate(schedule and schedule.wall_clock_hours, spread),
        critical_path=()
        if schedule is None
        else tuple(request.run.stages[place].name for place in schedule.critical_path),
        figures=argument.ledger.figures(spread.derived),
        warnings=tuple(argument.warnings),
    )
    return as_asked(answer, request)


def _priced(
    effort: Effort, accounting: Cursor[Accounting], sites: dict[str, SiteRates]
) -> PricedStage:
    """What a stage's device-hours draw from the grid, and what they cost to rent.

    `sites` remembers the site of each cluster, which stages may share.
    """
    cluster = effort.context.cluster
    if cluster.pointer not in sites:
        sites[cluster.pointer] = site_rates(cluster)
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


def check_names(request: QuoteRequest, catalog: Catalog) -> None:
    """Every catalog id of the request must exist; raises `NotQuotable` with all that do not."""
    errors: list[QuoteError] = []
    for cluster, pointer in _clusters(request):
        errors += _unknown_in(cluster, catalog, pointer=pointer)
    base = request.accounting.base_model
    if isinstance(base, BaseRuns):
        for index, run in enumerate(base.ids):
            errors += _missing(catalog.run, run, pointer=f"/accounting/base_model/ids/{index}")
    for model, pointer in _models(request):
        if isinstance(model, PresetModel):
            try:
                catalog.model(model.id, pointer=f"{pointer}/id")
            except QuoteError as error:
                errors.append(error)
    errors += order_errors(request.run)
    if errors:
        raise NotQuotable(tuple(errors))


def _unknown_in(cluster: Cluster, catalog: Catalog, *, pointer: str) -> Iterator[QuoteError]:
    supply = cluster.supply
    yield from _missing(catalog.accelerator, cluster.accelerator, pointer=f"{pointer}/accelerator")
    if cluster.site.id is not UNSET:
        yield from _missing(catalog.site, cluster.site.id, pointer=f"{pointer}/site/id")
    if isinstance(supply, CatalogOffer):
        yield from _missing(catalog.offer, supply.id, pointer=f"{pointer}/supply/id")
    if isinstance(supply, Market):
        if supply.provider is not UNSET and supply.provider not in catalog.providers:
            yield UnknownProvider(
                asked=supply.provider,
                known=tuple(catalog.providers),
                pointer=f"{pointer}/supply/provider",
            )
        if supply.region is not UNSET and supply.region not in catalog.regions:
            yield UnknownRegion(
                asked=supply.region,
                known=tuple(catalog.regions),
                pointer=f"{pointer}/supply/region",
            )


def _missing(look_up: Callable[..., object], asked: str, *, pointer: str) -> Iterator[QuoteError]:
    """The error of a lookup, if it ends in one."""
    try:
        look_up(asked, pointer=pointer)
    except QuoteError as error:
        yield error


def _check_stage_names(argument: Argument, request: QuoteRequest) -> None:
    counts = Counter(stage.name for stage in request.run.stages)
    for index, stage in enumerate(request.run.stages):
        if counts[stage.name] > 1:
            argument.warn(
                "duplicate_stage_name",
                f"{counts[stage.name]} stages are named {stage.name!r}; lines follow their order",
                pointer=f"/run/stages/{index}/name",
            )


def _stage_pointers(request: QuoteRequest) -> Iterator[str]:
    return (f"/run/stages/{index}" for index in range(len(request.run.stages)))


def _clusters_of_stages(request: QuoteRequest) -> Iterator[tuple[Cluster, str]]:
    """The cluster of each stage: its own, or the run's."""
    for pointer, stage in zip(_stage_pointers(request), request.run.stages, strict=True):
        if stage.cluster is UNSET:
            yield request.cluster, "/cluster"
        else:
            yield stage.cluster, f"{pointer}/cluster"


def _models(request: QuoteRequest) -> Iterator[tuple[Model, str]]:
    """Every model that the request names, with where it stands."""
    for pointer, stage in zip(_stage_pointers(request), request.run.stages, strict=True):
        work = stage.work
        if isinstance(work, Pretraining | Finetuning | Generation | Reinforcement):
            yield work.model, f"{pointer}/work/model"
        if isinstance(work, Reinforcement) and work.reward_model is not UNSET:
            yield work.reward_model, f"{pointer}/work/reward_model"
        anchor = work.anchor if isinstance(work, Pretraining) else UNSET
        if anchor is not UNSET and anchor.model is not UNSET:
            yield anchor.model, f"{pointer}/work/anchor/model"


def _clusters(request: QuoteRequest) -> Iterator[tuple[Cluster, str]]:
    """Every cluster that the request describes, once."""
    yield request.cluster, "/cluster"
    for cluster, pointer in _clusters_of_stages(request):
        if pointer != "/cluster":
            yield cluster, pointer
