"""The rate that a claim implies, and where it stands among prices of its devices."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from service.core.answer import ClaimedRate, PricesNear
from service.core.argument import Argument
from service.core.bills.lines import Priced, total_usd
from service.core.catalog.catalog import PricePoint
from service.core.catalog.dates import days_between
from service.core.claims import formulas
from service.core.claims.priced_day import PricedDay
from service.core.claims.readings import DraftReading, Readings
from service.core.claims.subject import Subject
from service.core.draws.spread import Spread
from service.core.figures.ledger import Term
from service.core.figures.sources import AsOf, Datum, Published
from service.core.printing.estimates import estimate, known
from service.core.request.request import Cluster, Market
from service.core.request.supplies import wanted_of

NEAR_DAYS: Final = 183
"""Past prices count for a claim up to half a year before and after it."""


class RatesOfClaim(Struct, frozen=True, kw_only=True):
    """Dollars for a device-hour: what the claim implies, and what was stated on average."""

    implied: Term
    stated: Term | None


def rates_of(
    argument: Argument, readings: Readings, *, amount: Term, hours: Term | None
) -> RatesOfClaim | None:
    """The rates of a claim, as figures. None if hours are not known."""
    if hours is None:
        return None

    def rate(name: str, usd: Term) -> Term:
        return argument.ledger.derive(
            formulas.usd_for_a_device_hour,
            name=f"claim/{name}_usd_per_device_hour",
            inputs={"usd": usd, "device_hours": hours},
        )

    rental = [
        rent_of_devices(argument, one)
        for one in readings.priced
        if one.basis == "rental_stated" and one.scope == "final_run"
    ]
    return RatesOfClaim(
        implied=rate("implied", amount), stated=rate("stated", rental[0]) if rental else None
    )


def rent_of_devices(argument: Argument, reading: DraftReading) -> Term:
    """What the hours of a reading cost, without unused terms, discounts, taxes and the like."""
    rents = [
        line.usd
        for line in reading.lines
        if line.item == "device_rental" and isinstance(line, Priced)
    ]
    if len(rents) == len(reading.lines):
        return reading.total
    inputs = {f"line_{index}": usd for index, usd in enumerate(rents)}
    return argument.ledger.derive(total_usd, name="claim/stated_usd", inputs=inputs)


def printed_rates(
    argument: Argument,
    subject: Subject,
    rates: RatesOfClaim | None,
    *,
    spread: Spread,
    said_on: str,
    priced: PricedDay,
) -> ClaimedRate | UnsetType:
    """The implied rate beside the stated one, the market's, and prices of half a year around it."""
    if rates is None:
        return UNSET
    clusters = clusters_named(subject)
    return ClaimedRate(
        implied=known(rates.implied, spread),
        stated=estimate(rates.stated, spread),
        judged_at=priced.judged_at,
        priced_for=priced.day,
        market=_among(
            {device: _market(argument, one) for device, one in clusters.items()}, rates.implied
        ),
        history=_among(
            {device: _history(argument, device, said_on) for device in clusters}, rates.implied
        ),
    )


def clusters_named(subject: Subject) -> dict[str, Cluster]:
    """The kinds of devices that the stages run on, each with the largest cluster of it."""
    clusters = [stage.effort.cluster for stage in subject.stages]
    return {one.accelerator: one for one in sorted(clusters, key=lambda one: one.devices)}


def sources_of_history(argument: Argument, subject: Subject, said_on: str) -> tuple[Published, ...]:
    """The sources of the past prices that the claim is compared with."""
    return tuple(
        dict.fromkeys(
            point.price_per_device_hour.source
            for device in clusters_named(subject)
            for point in points_near(argument.catalog.price_history.get(device, ()), said_on)
            if isinstance(point.price_per_device_hour.source, Published)
        )
    )


def _market(argument: Argument, cluster: Cluster) -> list[tuple[float, AsOf]]:
    """The price on demand of each seller that votes for such a cluster, in dollars, with its date.

    They are compared with and enter no total, so no ledger keeps them.
    """
    seats = argument.panel(wanted_of(cluster, Market(), catalog=argument.catalog)).seats
    return [(seat.usd, seat.offer.observed_on) for seat in seats]


def _history(argument: Argument, device: str, said_on: str) -> list[tuple[float, AsOf]]:
    points = points_near(argument.catalog.price_history.get(device, ()), said_on)
    return [(_usd(argument, point.price_per_device_hour), point.date) for point in points]


def points_near(points: Iterable[PricePoint], said_on: str) -> list[PricePoint]:
    """The past prices on demand that are near a date."""
    return [
        point
        for point in points
        if point.price_kind == "on_demand"
        and not point.restated
        and abs(days_between(point.date, said_on)) <= NEAR_DAYS
    ]


def _usd(argument: Argument, price: Datum) -> float:
    """A price in dollars. It is compared with and enters no total, so no ledger keeps it."""
    aside = Argument(argument.catalog)
    native = aside.ledger.take(price).central
    if price.unit == "usd/device_hour":
        return native
    return native * aside.assume(f"usd_per_{price.unit.partition('/')[0]}").central


def _among(
    prices: Mapping[str, Sequence[tuple[float, AsOf]]], implied: Term
) -> tuple[PricesNear, ...]:
    """Where the implied rate stands among the prices of each device that has any."""
    return tuple(_near(device, some, implied) for device, some in prices.items() if some)


def _near(device: str, prices: Sequence[tuple[float, AsOf]], implied: Term) -> PricesNear:
    usd, dates = [price for price, _ in prices], sorted(date for _, date in prices)
    return PricesNear(
        accelerator=device,
        share_below=sum(price < implied.central for price in usd) / len(usd),
        count=len(usd),
        lowest=min(usd),
        median=median(usd),
        highest=max(usd),
        oldest=dates[0],
        newest=dates[-1],
    )
