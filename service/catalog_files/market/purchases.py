"""`prices/purchase_prices.csv`: dated purchase prices, and the price that follows for each device.

One dealer's page is no market. The price of a device is chosen from its rows by one rule:

1. Rows of a device and of its variants for export count alike: they are sold on one board.
2. Prices of complete servers go before prices of bare devices, and rows of low confidence count
   only where there are no others.
3. Rows more than two years older than the newest of these are left out.
4. Each seller counts once, with its newest price; for several of one day, with their median.
5. What dealers ask for one server and what is reported of purchases (press, analysts) are two kinds
   of evidence. The price is the geometric mean of the medians of the kinds that there are.

The interval holds every row that counts, and is at least as wide as rows usually lie about the
price that is chosen from them.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from statistics import median
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, RefusedError
from service.catalog_files.ranges import Range, Ranges
from service.catalog_files.sources import LOW, Text, Url
from service.core.catalog.catalog import Accelerator, PastPurchase, PurchasePrice, Slug
from service.core.catalog.dates import day_of, days_between
from service.core.figures.sources import AsOf, Confidence, Datum, Published

FILE: Final = "prices/purchase_prices.csv"
WINDOW_DAYS: Final = 730
Kind: TypeAlias = Literal["asked", "reported"]
Usd = Annotated[float, Meta(ge=1.0, le=1e8)]
CONFIDENCES: Final[tuple[Confidence, ...]] = ("high", "medium", "low")


class PurchaseRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody asked for a device, or is reported to have paid, on a day.

    `includes_server` says whether it is a device's share of a complete server. `low` and `high` are
    the ends of the range of which the source prints the middle.
    """

    accelerator: Slug
    date: AsOf
    usd_per_device: Usd
    includes_server: bool
    kind: Kind
    seller: Text
    sold_as: Text
    title: Text
    licence: Text
    confidence: Confidence
    low: Usd | UnsetType = UNSET
    high: Usd | UnsetType = UNSET
    url: Url = ""
    note: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest price that the row speaks of."""
        low = self.usd_per_device if self.low is UNSET else self.low
        return low, self.usd_per_device if self.high is UNSET else self.high


Group: TypeAlias = Callable[[PurchaseRow], bool]
GROUPS: Final[tuple[Group, ...]] = (
    lambda row: row.confidence != LOW and row.includes_server,
    lambda row: row.confidence != LOW,
    lambda row: row.includes_server,
    lambda _: True,
)
"""Which rows count: those of the first group that has any."""


def purchase_prices(
    boards: Mapping[str, Sequence[PurchaseRow]],
    ranges: Ranges,
    accelerators: Mapping[str, Accelerator],
) -> dict[str, PurchasePrice]:
    """The purchase price of each device for which there is a row, or one of a variant."""
    return {
        id: price_of(id, boards[board], ranges)
        for id in accelerators
        if (board := board_of(id, accelerators)) in boards
    }


def purchases(
    boards: Mapping[str, Sequence[PurchaseRow]],
) -> dict[str, tuple[PastPurchase, ...]]:
    """What was asked or paid for each device, in the order of the file."""
    found: dict[str, list[PastPurchase]] = {}
    for row in chain.from_iterable(boards.values()):
        of_device = found.setdefault(row.accelerator, [])
        of_device.append(_purchase(row, len(of_device)))
    return {accelerator: tuple(of_device) for accelerator, of_device in found.items()}


def _purchase(row: PurchaseRow, index: int) -> PastPurchase:
    return PastPurchase(
        accelerator=row.accelerator,
        date=row.date,
        includes_server=row.includes_server,
        usd_per_device=Datum(
            name=f"purchases/{row.accelerator}/{index}/usd_per_device",
            _value=row.usd_per_device,
            unit="usd/device",
            source=Published(
                title=row.title,
                locator=row.sold_as,
                as_of=row.date,
                confidence=row.confidence,
                url=row.url or UNSET,
            ),
        ),
    )


def rows_by_board(
    files: DataFiles, accelerators: Mapping[str, Accelerator]
) -> dict[str, list[PurchaseRow]]:
    """All rows, by the device on whose board each is sold."""
    found: dict[str, list[PurchaseRow]] = {}
    for place, row in files.csv_rows(FILE, PurchaseRow):
        with suppress(RefusedError):
            if row.accelerator not in accelerators:
                raise place.refusal(f"unknown accelerator {row.accelerator!r}")
            place.check_date(row.date)
            low, high = row.ends
            if not low <= row.usd_per_device <= high:
                place.report(f"{row.usd_per_device:g} is not between {low:g} and {high:g}")
            found.setdefault(board_of(row.accelerator, accelerators), []).append(row)
    return found


def board_of(id: str, accelerators: Mapping[str, Accelerator]) -> str:
    """The device whose board this one is sold on: itself, unless it is a variant for export."""
    return accelerators[id].variant_of or id


def price_of(id: str, rows: Sequence[PurchaseRow], ranges: Ranges) -> PurchasePrice:
    """The price of a device, from the rows of its board."""
    counted = counted_of(rows)
    usd = chosen_usd(counted)
    return PurchasePrice(
        accelerator=id,
        includes_server=counted[0].includes_server,
        usd_per_device=Datum(
            name=f"purchase_prices/{id}/usd_per_device",
            _value=usd,
            unit="usd/device",
            source=_source_of(counted),
            **_range_of(usd, counted, ranges),
        ),
    )


def counted_of(rows: Sequence[PurchaseRow]) -> list[PurchaseRow]:
    """The rows that count: of the best group, not too old, and the newest of each seller."""
    best = next(found for group in GROUPS if (found := [row for row in rows if group(row)]))
    newest = max((row.date for row in best), key=day_of)
    recent = [row for row in best if days_between(row.date, newest) <= WINDOW_DAYS]
    last = {row.seller: row.date for row in sorted(recent, key=lambda row: day_of(row.date))}
    return [row for row in recent if day_of(row.date) == day_of(last[row.seller])]


def chosen_usd(counted: Sequence[PurchaseRow]) -> float:
    """The geometric mean of the medians of the kinds of evidence that there are, in cents."""
    medians = [log_median(votes) for votes in votes_by_kind(counted).values()]
    return round(math.exp(sum(medians) / len(medians)), 2)


def votes_by_kind(counted: Iterable[PurchaseRow]) -> dict[Kind, list[float]]:
    """One price for each seller, by kind."""
    by_seller: dict[tuple[Kind, str], list[float]] = {}
    for row in counted:
        by_seller.setdefault((row.kind, row.seller), []).append(row.usd_per_device)
    found: dict[Kind, list[float]] = {}
    for (kind, _), prices in by_seller.items():
        found.setdefault(kind, []).append(math.exp(log_median(prices)))
    return found


def log_median(prices: Iterable[float]) -> float:
    """The median of logarithms: of an even number of prices, the geometric middle of two."""
    return median(math.log(price) for price in prices)


def _range_of(usd: float, counted: Sequence[PurchaseRow], ranges: Ranges) -> Range:
    """The interval of the rows that count, at least as wide as rows usually lie about a price."""
    usual = ranges.of("purchase_price", usd, as_of=counted[0].date)
    return {
        "low": min(usual["low"], *(row.ends[0] for row in counted)),
        "high": max(usual["high"], *(row.ends[1] for row in counted)),
        "range_basis": f"{usual['range_basis']}; and every price that was counted",
    }


def _source_of(counted: Sequence[PurchaseRow]) -> Published:
    """A citation of all rows that count, dated by the newest."""
    newest = max((row.date for row in counted), key=day_of)
    words = [
        f"{row.usd_per_device:,.0f} {row.kind} by {row.seller} ({row.date}, {row.sold_as})"
        for row in counted
    ]
    rule = "; two kinds of evidence count alike" if len({row.kind for row in counted}) > 1 else ""
    return Published(
        title="; ".join(dict.fromkeys(row.title for row in counted)),
        locator="; ".join(dict.fromkeys(words)) + rule,
        as_of=newest,
        url=next((row.url for row in counted if row.url), UNSET),
        confidence=max((row.confidence for row in counted), key=CONFIDENCES.index),
    )
