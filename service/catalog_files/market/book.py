"""The price book: rates that a caller has negotiated, beside what sellers ask of everybody.

A rate is an offer that only its holder has. It is asked for by its name, is in no list of the
catalog, and votes in no market. It holds as agreed, so it has no range and does not age.
"""

from collections.abc import Container
from contextlib import suppress
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.market.offers import PRICE_UNITS, Currency, Price, check_per_device
from service.catalog_files.sources import HIGH, LOW, SourceRow
from service.catalog_files.texts import BOOK
from service.core.catalog.catalog import BOOK_FIGURES, Offer, PriceKind, Slug
from service.core.figures.sources import AsOf, Datum, Published

TITLE: Final = "Price book"
BASIS: Final = "exact: a rate of the price book, as agreed"


class BookRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of a price book: the columns of an offer, most of which may be left out.

    `id` is the name by which a request asks for the rate, `observed_on` the day of the agreement.
    """

    id: Slug
    provider: Slug
    accelerator: Slug
    price_per_device_hour: Price
    observed_on: AsOf
    source: Slug
    devices: Annotated[int, Meta(ge=1, le=100_000)] = 1
    price_per_hour: Price | UnsetType = UNSET
    price_kind: PriceKind = "on_demand"
    currency: Currency = "USD"
    region: str = ""
    instance_type: str = ""
    form_factor: Literal["stated", "assumed"] = "stated"
    date_basis: Literal["source", "commit", "estimated"] = "source"
    recalled: bool = False
    seller: str = ""
    country: str = ""
    vcpus: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    ram_gb: Price | UnsetType = UNSET
    network_gbps: Price | UnsetType = UNSET
    note: str = ""


def read_book(files: DataFiles, accelerators: Container[str]) -> dict[str, Offer]:
    """The rates of the price book by name. None if there is no book."""
    if not any(name.startswith(BOOK) for name in files.texts):
        return {}
    sources = {row.id: row for _, row in files.csv_rows(f"{BOOK}sources.csv", SourceRow)}
    found: dict[str, Offer] = {}
    for place, row in files.csv_rows(f"{BOOK}offers/*.csv", BookRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            if row.accelerator not in accelerators:
                place.report(f"unknown accelerator {row.accelerator!r}")
            if row.source not in sources:
                raise place.refusal(f"unknown source {row.source!r}")
            found[row.id] = _rate(place, row, sources[row.source])
    return found


def _rate(place: Place, row: BookRow, source: SourceRow) -> Offer:
    place.check_day(row.observed_on)
    if row.price_per_hour is not UNSET:
        check_per_device(place, row.price_per_hour, row.devices, row.price_per_device_hour)
    price = row.price_per_device_hour
    return Offer(
        id=row.id,
        provider=row.provider,
        accelerator=row.accelerator,
        price_kind=row.price_kind,
        price_per_device_hour=Datum(
            name=f"{BOOK_FIGURES}{row.id}/price_per_device_hour",
            _value=price,
            unit=PRICE_UNITS[row.currency],
            source=Published(
                title=f"{TITLE}: {source.title}",
                locator=source.locator,
                as_of=row.observed_on,
                url=source.url or UNSET,
                confidence=LOW if row.recalled or source.recalled else HIGH,
            ),
            low=price,
            high=price,
            range_basis=BASIS,
        ),
        observed_on=row.observed_on,
        date_basis=row.date_basis,
        region=row.region,
        instance_type=row.instance_type,
        devices=row.devices,
        seller=row.seller,
        country=row.country,
        form_factor=row.form_factor,
        vcpus=row.vcpus,
        ram_gb=row.ram_gb,
        network_gbps=row.network_gbps,
        licence=source.licence,
        note=row.note,
    )
