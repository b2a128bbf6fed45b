"""`exclusions.toml`: costs that bills leave out, with an order of magnitude if one is known."""

from collections.abc import Container
from contextlib import suppress
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, RefusedError
from service.core.catalog.catalog import ExcludedCost, ExcludedItem, Slug
from service.core.figures.sources import Judged, Published
from service.core.figures.units import Unit
from service.core.figures.vocabulary import BasisName

NAMED_IN_WORDS: Final = {"cluster": "", "base": "", "hardware": ""}
"""What the words of an exclusion may name of a quote."""
Bound = Annotated[float, Meta(ge=0.0, le=1e15)]


class ExclusionRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One cost that bills leave out. Unit, `low` and `high` come together or not at all."""

    item: ExcludedItem
    bases: Annotated[tuple[BasisName, ...], Meta(min_length=1)]
    what: Annotated[str, Meta(min_length=1)]
    source: Published | Judged
    unit: Unit | UnsetType = UNSET
    low: Bound | UnsetType = UNSET
    high: Bound | UnsetType = UNSET
    base_runs: tuple[Slug, ...] = ()
    vendor: str = ""


def read_exclusions(files: DataFiles, runs: Container[str]) -> tuple[ExcludedCost, ...]:
    """The costs that bills leave out, in the order of the file."""
    found: list[ExcludedCost] = []
    for place, row in files.toml_rows("exclusions.toml", "exclusion", ExclusionRow):
        with suppress(RefusedError):
            place.check_date(row.source.as_of)
            if len({part is UNSET for part in (row.unit, row.low, row.high)}) > 1:
                raise place.refusal("unit, low and high come together")
            if row.low is not UNSET and row.high is not UNSET and row.low > row.high:
                place.report(f"low {row.low:g} is above high {row.high:g}")
            try:
                row.what.format_map(NAMED_IN_WORDS)
            except (KeyError, ValueError) as error:
                place.report(f"what names {error}; it may name {', '.join(NAMED_IN_WORDS)}")
            for run in row.base_runs:
                if run not in runs:
                    place.report(f"unknown run {run!r}")
            found.append(
                ExcludedCost(
                    item=row.item,
                    bases=row.bases,
                    what=row.what,
                    source=row.source,
                    unit=row.unit,
                    low=row.low,
                    high=row.high,
                    base_runs=row.base_runs,
                    vendor=row.vendor,
                )
            )
    return tuple(found)
