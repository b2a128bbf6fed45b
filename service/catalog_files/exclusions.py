"""`exclusions.toml`: what a bill may leave out, and how much that is where somebody says."""

import math
from contextlib import suppress
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, RefusedError
from service.core.catalog import Exclusion
from service.core.provenance import Datum, Judged, Published
from service.core.units import Unit

Bound = Annotated[float, Meta(ge=0.0, le=1e15)]


class ExclusionRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that bills leave out; unit, `low` and `high` come together or not at all."""

    item: Annotated[str, Meta(pattern=r"^[a-z_]+$(?!\n)")]
    bases: tuple[Literal["rental", "owned", "fully_loaded"], ...]
    what: str
    source: Published | Judged
    unit: Unit | UnsetType = UNSET
    low: Bound | UnsetType = UNSET
    high: Bound | UnsetType = UNSET


def read_exclusions(files: DataFiles) -> dict[str, Exclusion]:
    """What bills leave out, by item, each with its magnitude as a datum where there is one."""
    found: dict[str, Exclusion] = {}
    for place, row in files.toml_rows("exclusions.toml", "exclusion", ExclusionRow):
        with suppress(RefusedError):
            place.check_new(row.item, found)
            place.check_date(row.source.as_of)
            known = [part is not UNSET for part in (row.unit, row.low, row.high)]
            if any(known) and not all(known):
                raise place.refusal("unit, low and high come together")
            found[row.item] = Exclusion(
                item=row.item, bases=row.bases, what=row.what, magnitude=_magnitude(row)
            )
    return found


def _magnitude(row: ExclusionRow) -> Datum | UnsetType:
    """The middle of the interval, geometric where it can be, with its ends."""
    if row.unit is UNSET or row.low is UNSET or row.high is UNSET:
        return UNSET
    middle = math.sqrt(row.low * row.high) if row.low > 0.0 else (row.low + row.high) / 2.0
    return Datum(
        name=f"exclusions/{row.item}",
        _value=middle,
        unit=row.unit,
        source=row.source,
        low=row.low,
        high=row.high,
    )
