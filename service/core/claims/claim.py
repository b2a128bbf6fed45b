"""How a published figure is judged, on one page.

The claim names a run. Its hours are priced by every way of accounting and in every scope, all in
one ledger, so that the draws are made once. Each total is a reading of the claim. The position of
the claim among the draws of a total gives the verdict of that reading.
"""

from collections.abc import Iterable, Iterator

from msgspec import UNSET, Raw

from service.core.answer import (
    CatalogStamp,
    ClaimAnswer,
    Dollars,
    EngineStamp,
    NotCheckable,
    QuoteWarning,
    Reading,
)
from service.core.argument import Argument
from service.core.bills.fully_loaded.bill import BaseTotals
from service.core.catalog.catalog import Catalog
from service.core.catalog.dates import day_of
from service.core.claims import formulas
from service.core.claims.bridging import (
    added_sums,
    claim_bridge,
    draft_omissions,
    money,
    printed_omissions,
    printed_sum,
)
from service.core.claims.hours import HoursOfClaim, hours_of, printed_hours
from service.core.claims.judging import (
    Claimed,
    JudgedReading,
    PrintedTotal,
    claimed_of,
    claimed_usd,
    in_order,
    judged,
)
from service.core.claims.pointers import Pointers
from service.core.claims.priced_day import argument_on, priced_day
from service.core.claims.rates import RatesOfClaim, printed_rates, rates_of, sources_of_history
from service.core.claims.readings import DraftReading, ReadingBuilder, Readings
from service.core.claims.subject import Subject, check_claim, subject_of, with_named_devices
from service.core.claims.words import Wording, overall, wording_of
from service.core.draws.memo import Memo
from service.core.draws.spread import Spread
from service.core.figures.ledger import Ledger, Term
from service.core.figures.sources import Figure, Published
from service.core.printing.cautions import listed
from service.core.printing.estimates import printed_interval
from service.core.printing.money import as_amount, decimal_of
from service.core.printing.warnings import told
from service.core.request.claim import ClaimRequest

__all__ = ["check_claim", "judgement"]


def judgement(
    claim: ClaimRequest,
    catalog: Catalog,
    *,
    id: str,
    canonical_request: bytes,
    engine: EngineStamp,
    valid_until: str,
    memo: Memo,
    base_quote: BaseTotals | None = None,
) -> ClaimAnswer:
    """A claim, judged. Raises `NotQuotable` with every name that nothing is known of.

    The arguments are those of a quote.
    """
    check_claim(claim, catalog)
    claim, catalog, cautions = with_named_devices(claim, catalog)
    priced = priced_day(claim, catalog)
    argument = argument_on(priced, claim, catalog, told=cautions)
    amount = argument.quantity(claimed_usd(claim), pointer="/amount", unit="usd")
    subject = subject_of(argument, claim)
    readings = ReadingBuilder(argument, subject, base_quote=base_quote).readings()
    sums = added_sums(argument, readings)
    left_out = draft_omissions(argument, subject, readings)
    hours = hours_of(argument, subject)
    rates = rates_of(argument, readings, amount=amount, hours=hours.read)
    dollars = dollars_of_today(argument, amount, claim)
    spread = Spread(argument.ledger, memo, outcomes=positioned(readings, hours))
    claimed = claimed_of(claim, amount.central)
    ordered = ordered_readings(readings, claimed, claim, subject, spread)
    words = wording_of(
        subject, stated=None if rates is None else rates.stated, priced_for=priced.day
    )
    at = Pointers(claim)
    named = [*sums.values(), *(one.usd for one in left_out)]
    printed = named_figures(readings, hours, rates, named, dollars)
    return ClaimAnswer(
        id=id,
        issued_at=catalog.published_at,
        valid_until=valid_until,
        engine=engine,
        catalog=CatalogStamp(version=catalog.version, digest=catalog.digest),
        request=Raw(canonical_request),
        amount=money(as_amount(decimal_of(claimed.usd))),
        verdict=overall(ordered, words),
        hours=printed_hours(subject, hours, spread),
        rate=printed_rates(
            argument, subject, rates, spread=spread, said_on=claim.said_on, priced=priced
        ),
        readings=tuple(printed_reading(one, words) for one in ordered),
        omissions=printed_omissions(left_out, subject, ordered, sums=sums, spread=spread),
        bridge=claim_bridge(readings, ordered, claimed.usd) or UNSET,
        dollars=UNSET if dollars is None else dollars,
        sources=sources_of(argument, subject, claim),
        figures=at.figures(figures_behind(argument.ledger, printed, spread)),
        warnings=tuple(map(at.warning, warnings_of(argument, spread))),
        not_checkable=(
            *not_checkable(subject, readings, hours, rates),
            *dollars_not_known(catalog, claim),
        ),
    )


def positioned(readings: Readings, hours: HoursOfClaim) -> tuple[str, ...]:
    """The figures among whose draws positions are looked up."""
    totals = [reading.total.name for reading in readings.priced]
    return tuple(dict.fromkeys((*totals, *hours.predictions)))


def ordered_readings(
    readings: Readings,
    claimed: Claimed,
    claim: ClaimRequest,
    subject: Subject,
    spread: Spread,
) -> tuple[JudgedReading, ...]:
    """All readings that have a total, judged, best first."""
    found = [
        judged(
            reading,
            printed_total(reading, spread),
            claimed,
            hours_disclosed=subject.discloses_hours,
            spread=spread,
        )
        for reading in readings.priced
    ]
    return in_order(found, claimed, scope=claim.scope or None)


def printed_total(reading: DraftReading, spread: Spread) -> PrintedTotal:
    """A total and its interval with the digits that the answer has."""
    total = printed_sum(reading)
    interval = printed_interval(spread.interval(reading.total.name), central=total)
    return PrintedTotal(total=total, interval=interval)


def printed_reading(one: JudgedReading, words: Wording) -> Reading:
    """A judged reading as the answer shows it."""
    return Reading(
        basis=one.reading.basis,
        scope=one.reading.scope,
        what=words.reading(one.reading),
        total=money(one.printed.total),
        interval=one.printed.interval,
        figure=one.reading.total.name,
        position=one.position,
        ratio=one.ratio,
        verdict=one.verdict,
        probability=UNSET if one.probability is None else one.probability,
        holds=UNSET if one.holds is None else one.holds,
    )


def dollars_of_today(argument: Argument, amount: Term, claim: ClaimRequest) -> Dollars | None:
    """The amount in dollars of the newest year of the index. None if that is the same year."""
    prices = argument.catalog.consumer_prices
    said, today = day_of(claim.said_on).year, max(prices, default=0)
    if said not in prices or said == today:
        return None
    usd = argument.ledger.derive(
        formulas.usd_of_another_year,
        name="claim/usd_of_today",
        inputs={
            "usd": amount,
            "index_then": argument.ledger.take(prices[said]),
            "index_now": argument.ledger.take(prices[today]),
        },
    )
    return Dollars(
        said_in=said,
        today=today,
        amount_today=money(as_amount(decimal_of(usd.central))),
        figure=usd.name,
    )


def dollars_not_known(catalog: Catalog, claim: ClaimRequest) -> Iterator[NotCheckable]:
    """Dollars of today, if the claim is older than the index of consumer prices."""
    first = min(catalog.consumer_prices, default=0)
    if day_of(claim.said_on).year < first:
        why = f"the catalog's index of consumer prices begins in {first}"
        yield NotCheckable(what="dollars of today", why=why)


def named_figures(
    readings: Readings,
    hours: HoursOfClaim,
    rates: RatesOfClaim | None,
    others: Iterable[Term | None],
    dollars: Dollars | None,
) -> set[str]:
    """The figures that the answer may name."""
    terms = [hours.disclosed, hours.read, *others]
    if rates is not None:
        terms += [rates.implied, rates.stated]
    named = {term.name for term in terms if term is not None} | set(hours.figures)
    named |= {reading.total.name for reading in readings.priced}
    return named if dollars is None else named | {dollars.figure}


def figures_behind(ledger: Ledger, names: Iterable[str], spread: Spread) -> dict[str, Figure]:
    """These figures and all that they are derived from."""
    behind = ledger.upstream_of(names)
    found = ledger.figures(spread.derived)
    return {name: figure for name, figure in found.items() if name in behind}


def warnings_of(argument: Argument, spread: Spread) -> tuple[QuoteWarning, ...]:
    """What to act on and to check. `not_checkable` tells of unpriced lines."""
    found = told(argument, (), spread).warnings
    return tuple(one for one in found if one.code != "unpriced_line")


def sources_of(argument: Argument, subject: Subject, claim: ClaimRequest) -> tuple[Published, ...]:
    """The sources of the runs, and of past prices."""
    history = sources_of_history(argument, subject, claim.said_on)
    return tuple(dict.fromkeys((*subject.sources, *history)))


def not_checkable(
    subject: Subject, readings: Readings, hours: HoursOfClaim, rates: RatesOfClaim | None
) -> tuple[NotCheckable, ...]:
    """What could not be checked, and why. What is missing for one reason is told once."""
    found = [*subject.missing]
    if hours.disclosed is None and not found:
        found.append(("disclosed hours", "no device-hours are disclosed"))
    unpredicted = [stage.effort.stage.name for stage in subject.stages if stage.predicted is None]
    if unpredicted:
        verb = "are" if len(unpredicted) > 1 else "is"
        why = f"{listed(unpredicted)} {verb} not described well enough to predict them"
        found.append(("predicted hours", why))
    if rates is None:
        found.append(("implied rate", "without device-hours the claim implies none"))
    reasons: dict[str, dict[str, None]] = {}
    for missing in readings.missing:
        reasons.setdefault(missing.why, {})[missing.basis] = None
    found += ((", ".join(bases), why) for why, bases in reasons.items())
    return tuple(NotCheckable(what=what, why=why) for what, why in found)
