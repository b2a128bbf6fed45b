"""Warnings about a finished quote: old prices, weak figures, wide intervals."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from service.core.argument import Argument
from service.core.bills.lines import DraftBill
from service.core.catalog.catalog import BOOK_FIGURES
from service.core.catalog.dates import days_between
from service.core.draws.spread import Spread
from service.core.figures.ledger import Entry
from service.core.figures.sources import Judged, Published
from service.core.figures.units import Unit
from service.core.figures.vocabulary import BasisName

PRICE_UNITS: Final[frozenset[Unit]] = frozenset(
    (
        "usd/device_hour",
        "eur/device_hour",
        "gbp/device_hour",
        "inr/device_hour",
        "cny/device_hour",
        "jpy/device_hour",
        "usd/device",
        "usd/kwh",
        "eur/kwh",
        "gbp/kwh",
    )
)
OF_DEVICE_HOURS: Final = "/device_hour"
"""What the units of prices of device-hours end with."""


class OldPrice(NamedTuple):
    """A price that enters a total, its age on the day that is priced for, and when it is stale."""

    entry: Entry
    as_of: str
    days: int
    limit_days: int


def caution(argument: Argument, bills: Sequence[DraftBill], spread: Spread) -> None:
    """Warn of stale prices, of weak figures that drive a total, and of wide intervals."""
    totals = {bill.basis: bill.total.name for bill in bills if bill.total is not None}
    _caution_of_old_prices(argument, tuple(totals.values()))
    _caution_of_width(argument, totals, spread)
    _caution_of_drivers(argument, totals, spread)


def _caution_of_drivers(
    argument: Argument, totals: Mapping[BasisName, str], spread: Spread
) -> None:
    """One warning for each weak figure, with its share of every total that it drives."""
    driven: dict[str, list[str]] = {}
    for basis, total in totals.items():
        for driver in spread.drivers(total).ranked:
            if driver.share > argument.catalog.policy.driving_share:
                driven.setdefault(driver.figure, []).append(f"{driver.share:.0%} ({basis})")
    for figure, shares in driven.items():
        entry = argument.ledger.entry(figure)
        if weakness := weakness_of(entry):
            argument.warn(
                "weak_driver",
                f"{figure}, {weakness}, makes {listed(shares)} of the variance of the total",
                pointer=entry.pointer or "",
                figures=(figure,),
            )


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence: a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def weakness_of(entry: Entry) -> str:
    """Why a figure is weak, in a word. Empty if it is not."""
    source = entry.source
    if isinstance(source, Judged):
        return "judged"
    if isinstance(source, Published) and source.confidence == "low":
        return "recalled, not read"
    return ""


def _caution_of_width(argument: Argument, totals: Mapping[BasisName, str], spread: Spread) -> None:
    """One warning for all totals whose interval is wide."""
    most = argument.catalog.policy.wide_interval_ratio
    wide = []
    for basis, total in totals.items():
        interval = spread.interval(total)
        if interval.p10 > 0.0 and interval.p90 > most * interval.p10:
            wide.append(f"{interval.p90 / interval.p10:.1f} ({basis})")
    if wide:
        argument.warn("wide_interval", f"p90 of the total is {listed(wide)} times p10", pointer="")


def _caution_of_old_prices(argument: Argument, totals: Sequence[str]) -> None:
    """One warning for each member of the request at least half of whose prices are old."""
    by_member: dict[str, list[OldPrice]] = {}
    for price in prices_of(argument, totals):
        by_member.setdefault(price.entry.pointer or "", []).append(price)
    oldest: dict[str, OldPrice] = {}
    for pointer, prices in by_member.items():
        old = [price for price in prices if price.days >= price.limit_days]
        if 2 * len(old) >= len(prices):
            oldest[pointer] = max(old, key=lambda price: price.days)
    if oldest:
        _warn_of_old(argument, oldest)


def _warn_of_old(argument: Argument, oldest: Mapping[str, OldPrice]) -> None:
    """One warning that names the oldest price, with all members that lead to old ones."""
    eldest = max(oldest.values(), key=lambda price: price.days)
    words = (
        f"the oldest, {eldest.entry.name}, is of {eldest.as_of}, {eldest.days} days before "
        f"{argument.priced_for}; such prices are called stale from {eldest.limit_days} on"
    )
    for pointer, price in oldest.items():
        argument.warn("stale_price", words, pointer=pointer, figures=(price.entry.name,))


def prices_of(argument: Argument, totals: Sequence[str]) -> Iterator[OldPrice]:
    """The published prices that any of the totals depends on, with their age.

    A negotiated rate holds as it was agreed, so it has no age.
    """
    upstream, policy = argument.ledger.upstream_of(totals), argument.catalog.policy
    for entry in argument.ledger:
        source = entry.source
        if not isinstance(source, Published) or entry.name.startswith(BOOK_FIGURES):
            continue
        if entry.unit in PRICE_UNITS and entry.name in upstream:
            yield OldPrice(
                entry=entry,
                as_of=source.as_of,
                days=days_between(source.as_of, argument.priced_for),
                limit_days=policy.stale_price_days
                if entry.unit.endswith(OF_DEVICE_HOURS)
                else policy.stale_other_price_days,
            )
