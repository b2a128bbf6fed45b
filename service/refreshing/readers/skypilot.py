"""SkyPilot's catalog: a directory with `vms.csv` for each cloud, on demand and spot."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from service.core.catalog.catalog import PriceKind
from service.refreshing.listing import MALFORMED, LeftOut, Listing, Origin, Read, Unreadable
from service.refreshing.readers.dates import Dated, day_of_file

FILE: Final = "vms.csv"
MEMORY_BY_NAME: Final = {"A100": 40.0, "V100": 16.0}
"""What a name means that does not say it: other sizes are named with it, as A100-80GB."""
PRICES: Final[tuple[tuple[str, PriceKind], ...]] = (("Price", "on_demand"), ("SpotPrice", "spot"))
REQUIRED: Final = frozenset(
    ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region")
)


def read_skypilot(directory: Path, *, observed_on: str) -> Read:
    """All listings of the clouds below a directory. Raises `Unreadable` if there is none."""
    files = sorted(directory.glob(f"*/{FILE}"))
    if not files:
        raise Unreadable(f"{directory}: there is no cloud with a {FILE} below")
    for file in files:
        yield from _of_cloud(file, day_of_file(file, stated=observed_on))


def _of_cloud(file: Path, dated: Dated) -> Read:
    cloud = file.parent.name
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            if lacking := REQUIRED - set(rows.fieldnames or ()):
                yield LeftOut(f"skypilot {cloud}/{FILE}", f"has no {', '.join(sorted(lacking))}")
                return
            for row in rows:
                where = f"skypilot {cloud}/{FILE}, line {rows.line_num} ({row['InstanceType']})"
                yield from _of_row(row, where=where, cloud=cloud, dated=dated)
    except (csv.Error, UnicodeDecodeError) as error:
        yield LeftOut(f"skypilot {cloud}/{FILE}", f"breaks off: {error}", MALFORMED)


def _of_row(
    row: dict[str, str | None], *, where: str, cloud: str, dated: Dated
) -> Iterator[Listing | LeftOut]:
    """On demand and spot of one line. Lines without a device are of no use here."""
    name = row["AcceleratorName"]
    if any(value is None for value in row.values()) or None in row:
        yield LeftOut(where, "does not have the cells of its header", MALFORMED)
        return
    if not name:
        return
    if not row["InstanceType"]:
        yield LeftOut(where, "a device without its machine")
        return
    try:
        devices = _number(row["AcceleratorCount"])
        prices = {kind: _number(row[column]) for column, kind in PRICES if row[column]}
        vcpus, ram_gb = _number(row.get("vCPUs") or "0"), _number(row.get("MemoryGiB") or "0")
    except ValueError as error:
        yield LeftOut(where, str(error), MALFORMED)
        return
    if devices < 1 or devices % 1:
        yield LeftOut(where, f"{devices:g} devices")
        return
    for kind, price in prices.items():
        yield Listing(
            where=where,
            origin=Origin(
                name="skypilot",
                part=cloud,
                title="SkyPilot catalog",
                locator=f"{cloud}/{FILE}",
                licence="Apache-2.0; prices are the sellers'",
                url="https://github.com/skypilot-org/skypilot-catalog",
            ),
            provider=cloud,
            accelerator=name,
            devices=int(devices),
            price_per_hour=price,
            price_kind=kind,
            region=row["Region"] or "global",
            instance_type=row["InstanceType"],
            observed_on=dated.day,
            date_basis=dated.basis,
            memory_gb=MEMORY_BY_NAME.get(name),
            vcpus=int(vcpus) or None,
            ram_gb=ram_gb or None,
        )


def _number(text: str | None) -> float:
    """A finite number. Raises `ValueError`."""
    value = float(text or "")
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value
