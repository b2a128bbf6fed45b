"""Warnings about a finished quote: old prices, weak figures, wide intervals."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from service.core.argument import Argument
from service.core.bills.lines import DraftBill
from service.core.catalog.dates import days_between
from service.core.draws.spread import Spread
from service.core.figures.ledger import Entry
from service.core.figures.sources import Judged, Published
from service.core.figures.units import Unit

PRICE_UNITS: Final[frozenset[Unit]] = frozenset(
    ("usd/device_hour", "eur/device_hour", "usd/device", "usd/kwh", "eur/kwh", "gbp/kwh")
)
DATE_LENGTH: Final = len("2026-01-01")


class OldPrice(NamedTuple):
    """A price that enters a total, and its age when the catalog was published."""

    entry: Entry
    as_of: str
    days: int


def caution(argument: Argument, bills: Sequence[DraftBill], spread: Spread) -> None:
    """Warn of stale prices, of weak figures that drive a total, and of wide intervals."""
    totals = [(bill.basis, bill.total.name) for bill in bills if bill.total is not None]
    _caution_of_old_prices(argument, [name for _, name in totals])
    entries = {entry.name: entry for entry in argument.ledger}
    for basis, name in totals:
        _caution_of_width(argument, basis, name, spread)
        for driver in spread.drivers(name).ranked:
            weakness = weakness_of(entries[driver.figure])
            if driver.share > argument.catalog.policy.driving_share and weakness:
                argument.warn(
                    "weak_driver",
                    f"{driver.figure}, {weakness}, makes {driver.share:.0%} of the variance of"
                    f" the {basis} total",
                    pointer=entries[driver.figure].pointer or "",
                )


def weakness_of(entry: Entry) -> str:
    """Why a figure is weak, in a word. Empty if it is not."""
    source = entry.source
    if isinstance(source, Judged):
        return "judged"
    if isinstance(source, Published) and source.confidence == "low":
        return "recalled, not read"
    return ""


def _caution_of_width(argument: Argument, basis: str, total: str, spread: Spread) -> None:
    interval = spread.interval(total)
    most = argument.catalog.policy.wide_interval_ratio
    if interval.p10 > 0.0 and interval.p90 > most * interval.p10:
        argument.warn(
            "wide_interval",
            f"p90 of the {basis} total is {interval.p90 / interval.p10:.1f} times its p10",
            pointer="",
        )


def _caution_of_old_prices(argument: Argument, totals: Sequence[str]) -> None:
    """One warning for each member of the request that leads to old prices."""
    limit = argument.catalog.policy.stale_price_days
    oldest: dict[str, OldPrice] = {}
    for price in prices_of(argument, totals):
        pointer = price.entry.pointer or ""
        if price.days > limit and (pointer not in oldest or price.days > oldest[pointer].days):
            oldest[pointer] = price
    for pointer, price in oldest.items():
        argument.warn(
            "stale_price",
            f"{price.entry.name} is of {price.as_of}, {price.days} days before this catalog;"
            f" prices are called stale after {limit}",
            pointer=pointer,
        )


def prices_of(argument: Argument, totals: Sequence[str]) -> Iterator[OldPrice]:
    """The published prices that any of the totals depends on, with their age."""
    upstream = argument.ledger.upstream_of(totals)
    today = argument.catalog.published_at[:DATE_LENGTH]
    for entry in argument.ledger:
        source = entry.source
        if entry.unit in PRICE_UNITS and isinstance(source, Published) and entry.name in upstream:
            yield OldPrice(entry, source.as_of, days_between(source.as_of, today))
