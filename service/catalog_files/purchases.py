"""`prices/purchase_prices.csv`: what devices were sold for, by date."""

from collections.abc import Container
from contextlib import suppress
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct

from service.catalog_files.files import DataFiles, RefusedError
from service.catalog_files.sources import Text, Url
from service.core.catalog.catalog import PastPurchase, Slug
from service.core.figures.sources import AsOf, Datum, Published

Price = Annotated[float, Meta(gt=0, le=1e7)]


class PurchaseRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `prices/purchase_prices.csv`."""

    accelerator: Slug
    date: AsOf
    usd_per_device: Price
    includes_server: bool
    sold_as: Text
    title: Text
    confidence: Literal["high", "medium", "low"]
    url: Url | None = None
    licence: str = ""
    note: str = ""


def read_purchase_prices(
    files: DataFiles, accelerators: Container[str]
) -> dict[str, tuple[PastPurchase, ...]]:
    """Purchase prices by accelerator, in the order of the file."""
    found: dict[str, list[PastPurchase]] = {}
    for place, row in files.csv_rows("prices/purchase_prices.csv", PurchaseRow):
        with suppress(RefusedError):
            if row.accelerator not in accelerators:
                raise place.refusal(f"unknown accelerator {row.accelerator!r}")
            place.check_date(row.date)
            rows = found.setdefault(row.accelerator, [])
            rows.append(_purchase(row, len(rows)))
    return {accelerator: tuple(rows) for accelerator, rows in found.items()}


def _purchase(row: PurchaseRow, index: int) -> PastPurchase:
    return PastPurchase(
        accelerator=row.accelerator,
        date=row.date,
        includes_server=row.includes_server,
        usd_per_device=Datum(
            name=f"purchase_prices/{row.accelerator}/{index}/usd_per_device",
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
