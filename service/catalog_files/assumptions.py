"""`assumptions/*.toml` and `currencies.toml`: the service's defaults and its rates of exchange."""

from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.ranges import ExactName, Ranges
from service.core.figures.sources import Datum, Judged, Published
from service.core.figures.units import Unit

Number = Annotated[float, Meta(ge=-1e30, le=1e30)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]*$(?!\n)")]

BOUNDED_BY_ONE = ("share",)
RATE_OF_EXCHANGE = "usd_per_"


class AssumptionRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One default. `low` and `high` bound a 90% interval, or `exact` says why there is none."""

    name: Name
    value: Number
    unit: Unit
    source: Published | Judged
    low: Number | UnsetType = UNSET
    high: Number | UnsetType = UNSET
    exact: ExactName | UnsetType = UNSET


def read_assumptions(files: DataFiles, ranges: Ranges) -> dict[str, Datum]:
    """All defaults, and dollars per unit of each currency as `usd_per_eur`, by name.

    A rate of exchange in an overlay replaces the embedded one.
    """
    found: dict[str, Datum] = {}
    overlaid: dict[str, Datum] = {}
    for pattern, table, prefix in (
        ("assumptions/*.toml", "assumption", "assumptions"),
        ("currencies.toml", "currency", "currencies"),
    ):
        for place, row in files.toml_rows(pattern, table, AssumptionRow):
            layer = overlaid if place.overlaid else found
            with suppress(RefusedError):
                place.check_new(row.name, layer)
                if place.overlaid and not row.name.startswith(RATE_OF_EXCHANGE):
                    raise place.refusal(f"{row.name!r} is no rate of exchange")
                layer[row.name] = _datum(place, row, prefix, ranges)
    return found | overlaid


def _datum(place: Place, row: AssumptionRow, prefix: str, ranges: Ranges) -> Datum:
    place.check_date(row.source.as_of)
    if (row.low is UNSET) != (row.high is UNSET):
        place.report("low and high come together")
    elif row.low is not UNSET and row.high is not UNSET and not row.low <= row.value <= row.high:
        place.report(f"{row.value:g} is not between {row.low:g} and {row.high:g}")
    if (row.low is UNSET) == (row.exact is UNSET):
        place.report("needs either low and high, or exact")
    if row.unit in BOUNDED_BY_ONE and not 0 <= row.value <= 1:
        place.report(f"a share of {row.value:g}")
    datum = Datum(
        name=f"{prefix}/{row.name}",
        _value=float(row.value),
        unit=row.unit,
        source=row.source,
        low=row.low,
        high=row.high,
    )
    if row.exact is UNSET:
        return datum
    return msgspec.structs.replace(datum, **ranges.exact(row.exact, float(row.value)))
