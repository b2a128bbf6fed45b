"""A CSV of one's own: a price list that somebody has typed or exported."""

import csv
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from service.catalog_files.market.offers import Price
from service.core.catalog.catalog import PriceKind
from service.core.figures.sources import AsOf
from service.refreshing.listing import MALFORMED, LeftOut, Listing, Origin, Read, Unreadable
from service.refreshing.readers.dates import Dated, day_of_file

Whole = Annotated[int, Meta(ge=1, le=100_000)]


class OwnRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line: seller, device and the price of one device-hour; all else may be left out."""

    provider: str
    accelerator: str
    price_per_device_hour: Price
    devices: Whole = 1
    price_kind: PriceKind = "on_demand"
    currency: Literal["USD", "EUR"] = "USD"
    observed_on: AsOf = ""
    region: str = "global"
    country: str = ""
    instance_type: str = ""
    memory_gb: Price | None = None
    vcpus: Whole | None = None
    ram_gb: Price | None = None
    network_gbps: Price | None = None
    source_title: str = ""
    source_locator: str = ""
    source_url: str = ""
    licence: str = ""
    note: str = ""


COLUMNS: Final = OwnRow.__struct_encode_fields__


def read_own(path: Path, *, observed_on: str) -> Read:
    """All listings of a price list. Raises `Unreadable` for another file than that."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        dated = day_of_file(path, stated=observed_on)
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path.name}: {error}") from error
    rows = csv.reader(lines, strict=True)
    header = next(rows, [])
    if unknown := [name for name in header if name not in COLUMNS]:
        columns = f"the columns are {', '.join(COLUMNS)}"
        raise Unreadable(f"{path.name}: unknown column {', '.join(map(repr, unknown))}; {columns}")
    try:
        for cells in rows:
            where = f"{path.name}, line {rows.line_num}"
            yield _of_cells(header, cells, where=where, file=path.name, dated=dated)
    except csv.Error as error:
        yield LeftOut(f"{path.name}, line {rows.line_num}", f"breaks off: {error}", MALFORMED)


def _of_cells(
    header: list[str], cells: list[str], *, where: str, file: str, dated: Dated
) -> Listing | LeftOut:
    if len(cells) != len(header):
        return LeftOut(where, f"{len(cells)} cells under {len(header)} columns", MALFORMED)
    told = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    try:
        row = msgspec.convert(told, OwnRow, strict=False)
    except msgspec.ValidationError as error:
        return LeftOut(where, str(error), MALFORMED)
    title = row.source_title or f"Price list {file}"
    return Listing(
        where=f"{where} ({row.provider}, {row.accelerator})",
        origin=Origin(
            name="own",
            part=title,
            title=title,
            locator=row.source_locator or file,
            licence=row.licence or "not stated",
            url=row.source_url,
        ),
        provider=row.provider,
        accelerator=row.accelerator,
        devices=row.devices,
        price_per_hour=row.price_per_device_hour * row.devices,
        price_kind=row.price_kind,
        region=row.region,
        instance_type=row.instance_type or f"{row.devices}x {row.accelerator}",
        observed_on=row.observed_on or dated.day,
        date_basis="source" if row.observed_on else dated.basis,
        currency=row.currency,
        memory_gb=row.memory_gb,
        country=row.country,
        vcpus=row.vcpus,
        ram_gb=row.ram_gb,
        network_gbps=row.network_gbps,
        note=row.note,
    )
