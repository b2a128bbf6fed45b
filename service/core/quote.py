"""The whole argument on one page: a newcomer starts here.

A request names a run and a cluster. Each stage's work becomes device-hours, each cluster's supply
becomes a price, and each basis becomes a bill. All numbers go through one ledger. Its entries
become the figures, and its formulas are replayed over draws for the intervals. Nothing here reads a
clock, a file, the network or the environment.
"""

from itertools import chain

from msgspec import UNSET, Raw

from service.core.answer import CatalogStamp, EngineStamp, Quote
from service.core.argument import Argument, Caution
from service.core.bills.bills import bills_of, priced_stages
from service.core.bills.currency import in_currency_of
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.bills.market import given_rates
from service.core.bills.power import totals_of
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.catalog.known import known_on
from service.core.cluster.described import Named, with_ids
from service.core.draws.memo import Memo
from service.core.draws.spread import Spread
from service.core.figures.ledger import Ledger
from service.core.plausible import warn_of_implausible
from service.core.printing.bills import printed_bill, printed_exclusion, printed_rate_position
from service.core.printing.bridges import bridges
from service.core.printing.cautions import caution
from service.core.printing.estimates import estimate_with_outcomes, spread_of_quote
from service.core.printing.markets import markets_of
from service.core.printing.narrowing import narrowed
from service.core.printing.owning import printed_ownership
from service.core.printing.prices import prices_behind
from service.core.printing.stages import printed_stage, printed_totals
from service.core.printing.summary import as_asked
from service.core.printing.warnings import told
from service.core.request.names import unknown_names
from service.core.request.request import QuoteRequest, devices_of_run
from service.core.stages.effort import efforts_of
from service.core.stages.schedule import order_errors, schedule_of
from service.core.training.anchors import anchor_errors


def quote(
    request: QuoteRequest,
    catalog: Catalog,
    *,
    id: str,
    canonical_request: bytes,
    engine: EngineStamp,
    valid_until: str,
    memo: Memo,
    base_quote: BaseTotals | None = None,
    ledger: Ledger | None = None,
    spread_of: type[Spread] = Spread,
) -> Quote:
    """One quote. Raises `NotQuotable` with every name of the request that nothing is known of.

    `id` and `canonical_request` come from the cache key, `valid_until` from the validity policy.
    `memo` keeps what quotes share, and changes no byte of any. `base_quote` has the totals of the
    quote that the request names as its base model. `ledger` and `spread_of` argue several quotes
    at once, see `service.core.together`.
    """
    named = checked(request, catalog)
    request, catalog = named.request, named.catalog
    argument = argument_of(request, catalog, told=named.cautions, ledger=ledger)
    warn_of_implausible(argument, request, described=named.devices)
    accounting = argument.at(request.accounting, pointer="/accounting", prefix="accounting")
    stages = priced_stages(efforts_of(argument, request), accounting)
    currency = request.options.currency
    bills = in_currency_of(
        argument, bills_of(argument, request, stages, base_quote=base_quote), currency
    )
    totals = totals_of(argument, tuple(stage.consumption for stage in stages))
    schedule = schedule_of(
        argument, request.run, tuple(stage.effort.wall_clock_hours for stage in stages)
    )
    ends = schedule and schedule.wall_clock_hours
    hours = [
        (one.effort.device_hours, one.effort.wall_clock_hours, one.effort.step_seconds)
        for one in stages
    ]
    spread = spread_of_quote(
        argument.ledger,
        bills.drafts,
        memo,
        hours=(ends, *chain.from_iterable(hours)),
        kind=spread_of,
    )
    full = request.options.detail == "full"
    if full:
        spread.ask_all()
    rates = given_rates(tuple(stage.effort for stage in stages))
    caution(argument, bills.drafts, spread)
    found = told(argument, bills.drafts, spread)
    printed = tuple(
        printed_bill(bill, spread, currency=currency, itemised=full) for bill in bills.drafts
    )
    answer = Quote(
        id=id,
        issued_at=catalog.published_at,
        valid_until=valid_until,
        engine=engine,
        catalog=CatalogStamp(version=catalog.version, digest=catalog.digest),
        request=Raw(canonical_request),
        bases=printed,
        exclusions=tuple(
            printed_exclusion(one, spread, currency=currency) for one in bills.exclusions if full
        ),
        bridges=bridges(printed) if full else (),
        ownership=tuple(
            printed_ownership(one, spread, currency=currency) for one in bills.ownerships if full
        ),
        rate_versus_market=tuple(printed_rate_position(one) for one in rates),
        markets=markets_of(argument.catalog, stages) if full else (),
        stages=tuple(
            printed_stage(
                stage.effort,
                stage.consumption,
                spread,
                begins=schedule and schedule.begins[place],
                ends=schedule and schedule.ends[place],
            )
            for place, stage in enumerate(stages)
        ),
        totals=printed_totals(totals, spread),
        narrow_by=narrowed(
            argument,
            bills.drafts,
            tuple(stage.effort for stage in stages),
            spread,
            currency=currency,
        )
        if full
        else (),
        prices_behind=prices_behind(argument, bills.drafts),
        wall_clock_hours=estimate_with_outcomes(ends, spread),
        critical_path=()
        if schedule is None
        else tuple(request.run.stages[place].name for place in schedule.critical_path),
        figures=argument.ledger.figures(spread.derived) if full else {},
        warnings=found.warnings,
        notes=found.notes,
    )
    return as_asked(answer, request)


def argument_of(
    request: QuoteRequest,
    catalog: Catalog,
    *,
    told: tuple[Caution, ...] = (),
    ledger: Ledger | None = None,
) -> Argument:
    """The state in which a request is quoted: over what was known on the day that it names."""
    day = request.as_of
    if day is UNSET:
        return Argument(catalog, told=told, ledger=ledger)
    devices = devices_of_run(request.run, request.cluster)
    argument = Argument(known_on(catalog, day, devices), priced_for=day, told=told, ledger=ledger)
    argument.warn(
        "priced_as_of",
        f"prices of device-hours are those known on {day}; those of hardware and power, and rates "
        f"of exchange, are those of the edition of {catalog.version}",
        pointer="/as_of",
    )
    return argument


def check_names(request: QuoteRequest, catalog: Catalog) -> None:
    """Raises `NotQuotable` for a request that has no quote."""
    checked(request, catalog)


def checked(request: QuoteRequest, catalog: Catalog) -> Named:
    """The request with ids for the devices that it describes, and a catalog that knows them.

    Raises `NotQuotable` with every name of the request that stands for nothing. If all stand for
    something, it raises with every measured speed above the peak of its device.
    """
    if errors := unknown_names(request, catalog) + order_errors(request.run):
        raise NotQuotable(errors)
    named = with_ids(request, catalog)
    if too_fast := anchor_errors(named.request, named.catalog):
        raise NotQuotable(too_fast)
    return named
