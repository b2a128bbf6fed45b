"""What a catalog knew on a day: prices that had been read by then, dated rows and past prices."""

from collections.abc import Iterable, Iterator
from typing import Final, cast, get_args

from msgspec.structs import replace

from service.core.catalog.catalog import Catalog, IndexKind, Offer, PriceKind, PricePoint
from service.core.catalog.dates import day_of
from service.core.catalog.market import listed_offers

INDICES: Final[frozenset[str]] = frozenset(get_args(IndexKind))
EVERYWHERE: Final = ""
"""The region and the country of a past price, which its source does not say in a code."""


def known_on(catalog: Catalog, day: str, accelerators: Iterable[str]) -> Catalog:
    """The catalog with only the prices of these accelerators that had been read by a day.

    Past prices of a seller are offers of that day. A restated price is none: it is what a list
    would have been on other terms. All that is no price for a device-hour stays as it is.
    """
    devices = dict.fromkeys(accelerators)
    asked = {
        device: tuple(
            price for price in catalog.asked_prices.get(device, ()) if is_by(price.observed_on, day)
        )
        for device in devices
    }
    rows = {device: tuple(rows_on(catalog, day, device)) for device in devices}
    return replace(
        catalog,
        price_rows=rows,
        listed=listed_offers(catalog, rows),
        asked_prices=catalog.asked_prices | asked,
    )


def rows_on(catalog: Catalog, day: str, accelerator: str) -> list[Offer]:
    """The prices of an accelerator that had been read by a day: newest first, then cheapest first.

    From the day of the edition on they are its offers. Before it past prices fill the gaps.
    """
    rows = list(catalog.price_rows.get(accelerator, ()))
    if day < catalog.day:
        rows += past_offers(catalog.price_history.get(accelerator, ()))
    known = [row for row in rows if is_by(row.observed_on, day)]
    known.sort(key=lambda row: (catalog.usd_by_offer[row.id], row.id))
    known.sort(key=lambda row: row.observed_on, reverse=True)
    return known


def is_by(as_of: str, day: str) -> bool:
    """Whether a date has come by a day. A month or a year has come on its last day."""
    return day_of(as_of) <= day_of(day)


def past_offers(points: Iterable[PricePoint]) -> Iterator[Offer]:
    """Past prices of sellers as offers of a device, which may be named nowhere."""
    for point in points:
        if point.provider and not point.restated and point.price_kind not in INDICES:
            yield Offer(
                id=point.price_per_device_hour.name,
                provider=point.provider,
                accelerator=point.accelerator,
                price_kind=cast("PriceKind", point.price_kind),
                price_per_device_hour=point.price_per_device_hour,
                observed_on=point.date,
                date_basis="source",
                region=EVERYWHERE,
                instance_type=point.scope,
                devices=1,
                note=point.note,
            )
