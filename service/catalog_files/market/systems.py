"""`systems.csv`: servers and racks as they are sold, with their devices and their rated power."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError, scaled
from service.catalog_files.ranges import Range, Ranges
from service.catalog_files.sources import Sources, Text
from service.core.catalog.catalog import Accelerator, Slug, System
from service.core.figures.sources import Confidence, Datum

Kilowatts = Annotated[float, Meta(gt=0, le=1e5)]
KILO = 3


class SystemRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One server or rack. `rated_kw` is for the whole system, and absent for a bare board.

    `rated_kw_low` and `rated_kw_high` bound it where sources differ.
    """

    id: Slug
    name: Text
    accelerator: Slug
    devices: Annotated[int, Meta(ge=1, le=100_000)]
    source: Text
    confidence: Confidence
    rated_kw: Kilowatts | UnsetType = UNSET
    rated_kw_low: Kilowatts | UnsetType = UNSET
    rated_kw_high: Kilowatts | UnsetType = UNSET
    note: str = ""


def read_systems(
    files: DataFiles, sources: Sources, ranges: Ranges, accelerators: Mapping[str, Accelerator]
) -> dict[str, System]:
    """All systems by id. Systems of one accelerator must hold the same number of devices."""
    found: dict[str, System] = {}
    devices: dict[str, int] = {}
    for place, row in files.csv_rows("systems.csv", SystemRow):
        with suppress(RefusedError):
            place.check_new(row.id, found)
            if row.accelerator not in accelerators:
                raise place.refusal(f"unknown accelerator {row.accelerator!r}")
            if devices.setdefault(row.accelerator, row.devices) != row.devices:
                place.report(f"another system of {row.accelerator} has another number of devices")
            found[row.id] = _system(place, row, sources, ranges)
    return found


def _system(place: Place, row: SystemRow, sources: Sources, ranges: Ranges) -> System:
    source = sources.cite(place, row.source, confidence=row.confidence, remark=f"row {row.name}")
    name, devices = f"systems/{row.id}", float(row.devices)
    return System(
        id=row.id,
        name=row.name,
        accelerator=row.accelerator,
        devices=Datum(
            name=f"{name}/devices",
            _value=devices,
            unit="count",
            source=source,
            **ranges.exact("specification", devices),
        ),
        rated_w=UNSET
        if row.rated_kw is UNSET
        else Datum(
            name=f"{name}/rated_w",
            _value=scaled(row.rated_kw, KILO),
            unit="watt",
            source=source,
            **_range(place, row, row.rated_kw, ranges),
        ),
        note=row.note,
    )


def _range(place: Place, row: SystemRow, rated_kw: float, ranges: Ranges) -> Range:
    """The span of the sources, or none: a rating is a specification."""
    low, high = row.rated_kw_low, row.rated_kw_high
    if low is UNSET and high is UNSET:
        return ranges.exact("specification", scaled(rated_kw, KILO))
    if low is UNSET or high is UNSET or not low <= rated_kw <= high:
        raise place.refusal("rated_kw_low and rated_kw_high come together, around rated_kw")
    return {
        "low": scaled(low, KILO),
        "high": scaled(high, KILO),
        "range_basis": f"span of what sources print: {row.note}",
    }
