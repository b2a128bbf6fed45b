"""The day at whose prices a claim is judged: that on which it was said, where prices reach back."""

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET, Struct

from service.core.answer.claim import JudgedAt
from service.core.argument import Argument, Caution
from service.core.catalog.catalog import Catalog
from service.core.catalog.dates import day_of, days_between
from service.core.catalog.known import known_on, rows_on
from service.core.catalog.market import operator_of
from service.core.catalog.observed import LEAST_OF_A_DEVICE
from service.core.request.claim import ClaimedRequest, ClaimRequest
from service.core.request.request import devices_of_run

RECENT_DAYS: Final = 365
"""How old a price may be on the day of a claim, to speak of the market of that day."""


class PricedDay(Struct, frozen=True, kw_only=True):
    """A day, and why it is the one that is priced for."""

    day: str
    judged_at: JudgedAt


def priced_day(claim: ClaimRequest, catalog: Catalog) -> PricedDay:
    """The day that the claim names, or that on which it was said, or that of the edition.

    A claim is judged at the prices of its day if each device that is rented out at all was so by
    three sellers in the year before. Otherwise there was no market to speak of.
    """
    if claim.as_of is not UNSET:
        return PricedDay(day=claim.as_of, judged_at="as_of")
    day = day_of(claim.said_on).isoformat()
    devices = [device for device in devices_of_claim(claim, catalog) if sellers(catalog, device)]
    if (
        devices
        and day < catalog.day
        and all(len(sellers(catalog, device, on=day)) >= LEAST_OF_A_DEVICE for device in devices)
    ):
        return PricedDay(day=day, judged_at="said_on")
    return PricedDay(day=catalog.day, judged_at="edition")


def argument_on(
    priced: PricedDay, claim: ClaimRequest, catalog: Catalog, *, told: tuple[Caution, ...] = ()
) -> Argument:
    """The state in which a claim is judged: over what was known on the day that is priced for."""
    if priced.judged_at == "edition":
        return Argument(catalog, told=told)
    devices = devices_of_claim(claim, catalog)
    argument = Argument(known_on(catalog, priced.day, devices), priced_for=priced.day, told=told)
    argument.warn(
        "priced_as_of",
        f"prices of device-hours are those known on {priced.day}; those of hardware and power, and "
        f"rates of exchange, are those of the edition of {catalog.version}",
        pointer=f"/{priced.judged_at}",
    )
    return argument


def devices_of_claim(claim: ClaimRequest, catalog: Catalog) -> tuple[str, ...]:
    """The accelerators that a claim is about, each once."""
    what = claim.what
    if isinstance(what, ClaimedRequest):
        return devices_of_run(what.run, what.cluster)
    ids: Iterable[str] = (catalog.runs[id].accelerator for id in what.ids)
    return tuple(dict.fromkeys(filter(None, ids)))


def sellers(catalog: Catalog, device: str, *, on: str = "") -> frozenset[str]:
    """Who rents out a device on demand, now or in the year before a day."""
    rows = rows_on(catalog, on, device) if on else catalog.price_rows.get(device, ())
    return frozenset(
        operator_of(catalog.providers[row.provider])
        for row in rows
        if row.price_kind == "on_demand"
        and (not on or days_between(row.observed_on, on) <= RECENT_DAYS)
    )
