"""`prices/*.csv` and `spot/*.csv`: past prices, consumer prices, and interruptions of spot."""

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Final, Literal, TypeVar, get_args

from msgspec import Meta, Struct

from service.catalog_files.files import DataFiles, Place, RefusedError, scaled
from service.catalog_files.market.offers import PRICE_UNITS, Currency, Price
from service.catalog_files.ranges import Ranges
from service.catalog_files.sources import MEDIUM, Sources, Text
from service.core.catalog.catalog import (
    ExchangeRate,
    IndexKind,
    PriceKind,
    PricePoint,
    Provider,
    Slug,
    SpotReclaim,
)
from service.core.figures.sources import AsOf, Datum
from service.core.figures.units import Unit

INDICES: Final[tuple[str, ...]] = get_args(IndexKind)
RESTATED: Final = "(restated)"
"""What the scope of a price says that was brought to other terms than it was listed at."""
Indexed = TypeVar("Indexed", PricePoint, SpotReclaim)
Percent = Annotated[float, Meta(ge=-100, le=100)]
Band = Literal["<5%", "5-10%", "10-15%", "15-20%", ">20%"]

RECLAIMED: dict[Band, tuple[float, float, float]] = {
    "<5%": (0.005, 0.025, 0.05),
    "5-10%": (0.05, 0.075, 0.1),
    "10-15%": (0.1, 0.125, 0.15),
    "15-20%": (0.15, 0.175, 0.2),
    ">20%": (0.2, 0.3, 0.6),
}
"""Low end, middle and high end of each band. The ends of the open bands are judged."""


class HistoryRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `prices/price_history.csv`."""

    accelerator: Slug
    date: AsOf
    price_kind: PriceKind | IndexKind
    scope: Text
    price_per_device_hour: Price
    currency: Currency
    source: Slug
    note: str = ""


class SpotRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `spot/aws_interruption.csv`."""

    provider: Slug
    region: Text
    instance_type: Text
    accelerator: Slug
    monthly_interruption_band: Band
    monthly_interruption_upper_percent: Percent
    savings_over_on_demand_percent: Percent
    observed_on: AsOf
    source: Slug
    note: str = ""


class ExchangeRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `prices/exchange_rates.csv`."""

    currency: Literal["EUR", "GBP", "INR", "CNY", "JPY"]
    date: AsOf
    usd_per_unit: Annotated[float, Meta(gt=0, le=1e4)]
    source: Slug


class ConsumerRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `prices/consumer_prices.csv`."""

    year: Annotated[int, Meta(ge=1913, le=2100)]
    index: Annotated[float, Meta(gt=0, le=1e5)]
    source: Slug


def read_consumer_prices(files: DataFiles, sources: Sources, ranges: Ranges) -> dict[int, Datum]:
    """The index of consumer prices by year, oldest first."""
    found: dict[str, Datum] = {}
    for place, row in files.csv_rows("prices/consumer_prices.csv", ConsumerRow):
        with suppress(RefusedError):
            place.check_new(str(row.year), found)
            found[str(row.year)] = Datum(
                name=f"consumer_prices/{row.year}",
                _value=row.index,
                unit="ratio",
                source=sources.cite(place, row.source),
                **ranges.exact("price_index", row.index),
            )
    return {int(year): index for year, index in sorted(found.items())}


RATE_UNITS: Final[Mapping[str, Unit]] = {
    "EUR": "usd/eur",
    "GBP": "usd/gbp",
    "INR": "usd/inr",
    "CNY": "usd/cny",
    "JPY": "usd/jpy",
}


def read_exchange_rates(
    files: DataFiles, sources: Sources, ranges: Ranges
) -> dict[str, tuple[ExchangeRate, ...]]:
    """Dated rates of exchange by currency, oldest first."""
    found: dict[str, ExchangeRate] = {}
    for place, row in files.csv_rows("prices/exchange_rates.csv", ExchangeRow):
        with suppress(RefusedError):
            name = f"exchange_rates/{row.currency}/{row.date}/usd_per_unit"
            place.check_new(name, found)
            found[name] = ExchangeRate(
                currency=row.currency,
                date=row.date,
                usd_per_unit=Datum(
                    name=name,
                    _value=row.usd_per_unit,
                    unit=RATE_UNITS[row.currency],
                    source=sources.cite(place, row.source, as_of=row.date),
                    **ranges.exact("reference_rate_of_exchange", row.usd_per_unit),
                ),
            )
    by_currency: dict[str, list[ExchangeRate]] = {}
    for rate in sorted(found.values(), key=lambda rate: rate.date):
        by_currency.setdefault(rate.currency, []).append(rate)
    return {currency: tuple(rates) for currency, rates in by_currency.items()}


def read_price_history(
    files: DataFiles,
    sources: Sources,
    ranges: Ranges,
    accelerators: Container[str],
    providers: Mapping[str, Provider],
) -> dict[str, tuple[PricePoint, ...]]:
    """Past prices by accelerator, oldest first."""
    sellers = {name: row.id for row in providers.values() for name in (row.id, *row.aliases)}
    found: dict[str, PricePoint] = {}
    for place, row in files.csv_rows("prices/price_history.csv", HistoryRow):
        with suppress(RefusedError):
            _check_accelerator(place, row.accelerator, accelerators)
            scope = row.scope.replace(" ", "_")
            name = f"price_history/{row.accelerator}/{row.date}/{row.price_kind}/{scope}"
            place.check_new(name, found)
            source = sources.cite(place, row.source, as_of=row.date)
            found[name] = PricePoint(
                accelerator=row.accelerator,
                date=row.date,
                price_kind=row.price_kind,
                scope=row.scope,
                restated=RESTATED in row.scope,
                provider="" if row.price_kind in INDICES else _seller(row.scope, sellers),
                price_per_device_hour=Datum(
                    name=name,
                    _value=row.price_per_device_hour,
                    unit=PRICE_UNITS[row.currency],
                    source=source,
                    **ranges.exact("listed_price", row.price_per_device_hour),
                ),
                note=row.note,
            )
    return _by_accelerator(sorted(found.values(), key=lambda point: point.date))


def _seller(scope: str, sellers: Mapping[str, str]) -> str:
    """The seller that a scope begins with, by its id or by another of its names."""
    first, *_ = scope.lower().split()
    return sellers.get(first.rstrip(","), "")


def read_spot_reclaims(
    files: DataFiles, sources: Sources, accelerators: Container[str], providers: Container[str]
) -> dict[str, tuple[SpotReclaim, ...]]:
    """Interruption and saving of spot capacity by accelerator."""
    found: dict[str, SpotReclaim] = {}
    for place, row in files.csv_rows("spot/*.csv", SpotRow):
        with suppress(RefusedError):
            _check_accelerator(place, row.accelerator, accelerators)
            if row.provider not in providers:
                place.report(f"unknown provider {row.provider!r}")
            name = f"spot/{row.provider}:{row.region}/{row.instance_type}"
            place.check_new(name, found)
            found[name] = _spot_reclaim(place, row, name, sources)
    return _by_accelerator(found.values())


def _spot_reclaim(place: Place, row: SpotRow, name: str, sources: Sources) -> SpotReclaim:
    source = sources.cite(place, row.source, as_of=row.observed_on, confidence=MEDIUM)
    low, middle, high = RECLAIMED[row.monthly_interruption_band]
    return SpotReclaim(
        provider=row.provider,
        region=row.region,
        instance_type=row.instance_type,
        accelerator=row.accelerator,
        observed_on=row.observed_on,
        reclaimed_share_per_month=Datum(
            name=f"{name}/reclaimed_share_per_month",
            _value=middle,
            low=low,
            high=high,
            unit="share",
            source=source,
        ),
        saving_share=Datum(
            name=f"{name}/saving_share",
            _value=scaled(row.savings_over_on_demand_percent, -2),
            unit="ratio",
            source=source,
        ),
        note=row.note,
    )


def _check_accelerator(place: Place, accelerator: str, known: Container[str]) -> None:
    if accelerator not in known:
        raise place.refusal(f"unknown accelerator {accelerator!r}")


def _by_accelerator(rows: Iterable[Indexed]) -> dict[str, tuple[Indexed, ...]]:
    lists: dict[str, list[Indexed]] = {}
    for row in rows:
        lists.setdefault(row.accelerator, []).append(row)
    return {accelerator: tuple(of_it) for accelerator, of_it in lists.items()}
