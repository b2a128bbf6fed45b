"""`providers.csv` and `offers/*.csv`: who rents out which device, at which price and date.

A row of an offer need not say what most rows have in common: that its price is complete, that the
seller has devices left, and that one instance is the least that it sells.
"""

from collections.abc import Container, Mapping
from contextlib import suppress
from math import nan
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.ranges import ExactName, Range, Ranges
from service.catalog_files.sources import HIGH, LOW, MEDIUM, Sources, Text
from service.core.catalog.catalog import (
    SEGMENT_OF_OPERATORS,
    Offer,
    PriceKind,
    Provider,
    ProviderKind,
    Slug,
)
from service.core.figures.sources import AsOf, Confidence, Datum
from service.core.figures.units import Unit

Price = Annotated[float, Meta(gt=0, le=1e6)]
Currency = Literal["USD", "EUR", "GBP", "INR", "CNY", "JPY"]
YesNo = Literal["yes", "no"]

PRICE_UNITS: Final[Mapping[Currency, Unit]] = {
    "USD": "usd/device_hour",
    "EUR": "eur/device_hour",
    "GBP": "gbp/device_hour",
    "INR": "inr/device_hour",
    "CNY": "cny/device_hour",
    "JPY": "jpy/device_hour",
}
PRICE_ROUNDING = 1e-3
"""Largest relative difference between the price per device and the instance's over devices."""


class ProviderRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of `providers.csv`."""

    id: Slug
    kind: ProviderKind
    operator: Slug | UnsetType = UNSET
    aliases: str = ""
    clusters: YesNo | UnsetType = UNSET
    clusters_basis: str = ""
    country: str = ""
    country_recalled: bool = False
    note: str = ""


class OfferRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `offers/*.csv`. `price_per_hour` is for the whole instance."""

    id: Slug
    provider: Slug
    region: Text
    instance_type: Text
    accelerator: Slug
    devices: Annotated[int, Meta(ge=1, le=100_000)]
    form_factor: Literal["stated", "assumed"]
    price_kind: PriceKind
    price_per_hour: Price
    price_per_device_hour: Price
    currency: Currency
    observed_on: AsOf
    date_basis: Literal["source", "commit", "estimated"]
    source: Slug
    recalled: bool
    seller: str = ""
    country: str = ""
    vcpus: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    ram_gb: Price | UnsetType = UNSET
    network_gbps: Price | UnsetType = UNSET
    complete: bool = True
    multi_node: YesNo | UnsetType = UNSET
    min_devices: Annotated[int, Meta(ge=1, le=100_000)] = 1
    min_term: str = ""
    prepay: str = ""
    sold_out: bool = False
    note: str = ""


def read_providers(files: DataFiles) -> dict[str, Provider]:
    """All sellers by id. Who operates another's machines is a seller too, and says so itself."""
    found: dict[str, Provider] = {}
    places: dict[str, Place] = {}
    for place, row in files.csv_rows("providers.csv", ProviderRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            found[row.id], places[row.id] = _provider(row), place
    for seller in found.values():
        if seller.operator:
            operator = found.get(seller.operator)
            if operator is None or operator.operator or operator.kind not in SEGMENT_OF_OPERATORS:
                places[seller.id].report(f"{seller.operator!r} is no seller that operates machines")
    return found


def _provider(row: ProviderRow) -> Provider:
    return Provider(
        id=row.id,
        kind=row.kind,
        operator="" if row.operator is UNSET else row.operator,
        aliases=tuple(filter(None, row.aliases.split(";"))),
        clusters="" if row.clusters is UNSET else row.clusters,
        clusters_basis=row.clusters_basis,
        country=row.country,
        country_recalled=row.country_recalled,
        note=row.note,
    )


def read_offers(
    files: DataFiles,
    sources: Sources,
    accelerators: Container[str],
    providers: Container[str],
    ranges: Ranges,
) -> dict[str, Offer]:
    """All prices by id."""
    found: dict[str, Offer] = {}
    for place, row in files.csv_rows("offers/*.csv", OfferRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            if row.provider not in providers:
                place.report(f"unknown provider {row.provider!r}")
            if row.accelerator not in accelerators:
                place.report(f"unknown accelerator {row.accelerator!r}")
            found[row.id] = _offer(place, row, sources, ranges)
    return found


def _offer(place: Place, row: OfferRow, sources: Sources, ranges: Ranges) -> Offer:
    check_per_device(place, row.price_per_hour, row.devices, row.price_per_device_hour)
    confidence: Confidence = (
        LOW if row.recalled else MEDIUM if row.date_basis == "estimated" else HIGH
    )
    return Offer(
        id=row.id,
        provider=row.provider,
        accelerator=row.accelerator,
        price_kind=row.price_kind,
        price_per_device_hour=Datum(
            name=f"offers/{row.id}/price_per_device_hour",
            _value=row.price_per_device_hour,
            unit=PRICE_UNITS[row.currency],
            source=sources.cite(place, row.source, as_of=row.observed_on, confidence=confidence),
            **_range(row, ranges),
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
        complete=row.complete,
        multi_node="" if row.multi_node is UNSET else row.multi_node,
        min_devices=row.min_devices,
        min_term=row.min_term,
        prepay=row.prepay,
        sold_out=row.sold_out,
        licence=sources.licence(row.source),
        note=row.note,
    )


def check_per_device(place: Place, per_hour: float, devices: int, per_device_hour: float) -> None:
    """Report a price per device that is not that of the instance over its devices."""
    each = per_hour / devices
    if abs(each / per_device_hour - 1) > PRICE_ROUNDING:
        place.report(
            f"{per_hour:g} for {devices} devices is {each:g} each, not {per_device_hour:g}"
        )


def _range(row: OfferRow, ranges: Ranges) -> Range:
    """A price is exact as it was read. What it may be on another day is no matter of the row."""
    kind: ExactName = "reference_rate" if row.price_kind == "reference" else "listed_price"
    return ranges.exact(kind, row.price_per_device_hour)


def in_dollars(offers: Mapping[str, Offer], assumptions: Mapping[str, Datum]) -> dict[str, float]:
    """The price of each offer in dollars at the catalog's rates of exchange, to compare them."""
    return {id: usd_of(offer.price_per_device_hour, assumptions) for id, offer in offers.items()}


def usd_of(price: Datum, assumptions: Mapping[str, Datum]) -> float:
    """A price in dollars. Of a currency without a rate, which is reported elsewhere, it is nan."""
    currency = price.unit.partition("/")[0]
    value = price._value  # noqa: SLF001 - not sealed for us
    if currency == "usd":
        return value
    rate = assumptions.get(f"usd_per_{currency}")
    return value * (nan if rate is None else rate._value)  # noqa: SLF001


def by_accelerator(
    offers: dict[str, Offer], usd: Mapping[str, float]
) -> dict[str, tuple[Offer, ...]]:
    """The offers of each accelerator: newest first, within a date cheapest first, then by id.

    A month without a day counts as its beginning.
    """
    rows: dict[str, list[Offer]] = {}
    for offer in sorted(offers.values(), key=lambda offer: (usd[offer.id], offer.id)):
        rows.setdefault(offer.accelerator, []).append(offer)
    for of_it in rows.values():
        of_it.sort(key=lambda offer: offer.observed_on, reverse=True)
    return {accelerator: tuple(of_it) for accelerator, of_it in rows.items()}
