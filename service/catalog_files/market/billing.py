"""`billing.csv`: how sellers count time."""

from collections.abc import Container
from contextlib import suppress
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.ranges import Ranges
from service.catalog_files.sources import MEDIUM, Sources
from service.core.catalog.catalog import BillingTerms, PriceKind, Slug
from service.core.figures.sources import Datum

Seconds = Annotated[float, Meta(ge=1, le=1e9)]


class BillingRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `billing.csv`. Without a kind of price it is for all that have no line."""

    provider: Slug
    price_kind: PriceKind | UnsetType = UNSET
    increment_seconds: Seconds
    minimum_seconds: Seconds
    long_after_seconds: Seconds | UnsetType = UNSET
    long_increment_seconds: Seconds | UnsetType = UNSET
    source: Slug


def read_billing(
    files: DataFiles, sources: Sources, providers: Container[str], ranges: Ranges
) -> dict[str, BillingTerms]:
    """How sellers count time, by `provider/price_kind`, or by `provider/` for all other kinds."""
    found: dict[str, BillingTerms] = {}
    rows = list(files.csv_rows("billing.csv", BillingRow))
    steps = sorted({(row.increment_seconds, row.minimum_seconds) for _, row in rows})
    for place, row in rows:
        rank = steps.index((row.increment_seconds, row.minimum_seconds))
        with suppress(RefusedError):
            key = f"{row.provider}/{'' if row.price_kind is UNSET else row.price_kind}"
            place.check_new(key, found)
            if row.provider not in providers:
                place.report(f"unknown provider {row.provider!r}")
            if (row.long_after_seconds is UNSET) != (row.long_increment_seconds is UNSET):
                place.report("long_after_seconds and long_increment_seconds go together")
            found[key] = _terms(place, row, sources, ranges, rank=rank)
    return found


def _terms(
    place: Place, row: BillingRow, sources: Sources, ranges: Ranges, *, rank: int
) -> BillingTerms:
    source = sources.cite(place, row.source, confidence=MEDIUM)
    kind = "" if row.price_kind is UNSET else f"/{row.price_kind}"

    def seconds(member: str, value: float) -> Datum:
        return Datum(
            name=f"billing/{row.provider}{kind}/{member}",
            _value=value,
            unit="second",
            source=source,
            **ranges.exact("convention", value, why="of the seller's billing"),
        )

    long = row.long_increment_seconds
    return BillingTerms(
        rank=rank,
        increment_seconds=seconds("increment_seconds", row.increment_seconds),
        minimum_seconds=seconds("minimum_seconds", row.minimum_seconds),
        long_after_seconds=UNSET
        if row.long_after_seconds is UNSET
        else seconds("long_after_seconds", row.long_after_seconds),
        long_increment_seconds=UNSET if long is UNSET else seconds("long_increment_seconds", long),
    )
