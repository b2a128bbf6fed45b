"""`prices/commitments.csv`: what sellers' prices at a term are over their own on demand.

What is usual in a segment follows from its rows by one rule: each operator counts once, with the
median of its rows, and the usual ratio is the median of these. Its interval holds every row.
"""

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from statistics import median
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from service.catalog_files.files import DataFiles, Place, RefusedError
from service.catalog_files.ranges import Ranges
from service.catalog_files.sources import Sources
from service.core.catalog.catalog import (
    SEGMENT_OF_OPERATORS,
    Commitment,
    PriceKind,
    Provider,
    Slug,
)
from service.core.catalog.market import operator_of
from service.core.figures.sources import AsOf, Datum, Published

FILE: Final = "prices/commitments.csv"
LEAST_WIDTH: Final = 0.8
"""The low end of a usual ratio is at most this part of it, though all rows of a segment agree."""


class CommitmentRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of `prices/commitments.csv`. Without an accelerator it holds for all of the seller."""

    provider: Slug
    term: PriceKind
    price_over_on_demand: Annotated[float, Meta(gt=0.0, le=1.0)]
    observed_on: AsOf
    source: Slug
    accelerator: Slug | UnsetType = UNSET
    min_devices: Annotated[int, Meta(ge=1, le=100_000)] = 1
    prepay: str = ""
    note: str = ""


def read_commitments(
    files: DataFiles,
    sources: Sources,
    accelerators: Container[str],
    providers: Mapping[str, Provider],
    ranges: Ranges,
) -> dict[str, tuple[Commitment, ...]]:
    """Published discounts by `operator/term`."""
    found: dict[str, Commitment] = {}
    for place, row in files.csv_rows(FILE, CommitmentRow):
        with suppress(RefusedError):
            if row.provider not in providers:
                raise place.refusal(f"unknown provider {row.provider!r}")
            if row.accelerator is not UNSET and row.accelerator not in accelerators:
                raise place.refusal(f"unknown accelerator {row.accelerator!r}")
            key = "/".join((row.provider, row.accelerator or "all", row.term))
            place.check_new(key, found)
            found[key] = _commitment(place, row, key, sources, ranges)
    by_term: dict[str, list[Commitment]] = {}
    for one in found.values():
        key = f"{operator_of(providers[one.provider])}/{one.term}"
        by_term.setdefault(key, []).append(one)
    return {key: tuple(rows) for key, rows in by_term.items()}


def _commitment(
    place: Place, row: CommitmentRow, key: str, sources: Sources, ranges: Ranges
) -> Commitment:
    return Commitment(
        provider=row.provider,
        term=row.term,
        price_over_on_demand=Datum(
            name=f"commitments/{key}/price_over_on_demand",
            _value=row.price_over_on_demand,
            unit="ratio",
            source=sources.cite(place, row.source, as_of=row.observed_on),
            **ranges.exact("published_discount", row.price_over_on_demand),
        ),
        accelerator=row.accelerator or "",
        min_devices=row.min_devices,
        prepay=row.prepay,
        note=row.note,
    )


def usual_commitments(
    commitments: Mapping[str, tuple[Commitment, ...]], providers: Mapping[str, Provider]
) -> dict[str, Datum]:
    """What a price at a term usually is over that on demand, by `segment/term`."""
    by_segment: dict[str, dict[str, list[Commitment]]] = {}
    for key, rows in commitments.items():
        operator, _, term = key.partition("/")
        segment = SEGMENT_OF_OPERATORS.get(providers[operator].kind)
        if segment is not None:
            by_segment.setdefault(f"{segment}/{term}", {})[operator] = [*rows]
    return {key: _usual(key, rows) for key, rows in sorted(by_segment.items())}


def _usual(key: str, by_operator: Mapping[str, Iterable[Commitment]]) -> Datum:
    ratios = {
        operator: [row.price_over_on_demand._value for row in rows]  # noqa: SLF001 - not sealed for us
        for operator, rows in by_operator.items()
    }
    every = [ratio for of_operator in ratios.values() for ratio in of_operator]
    usual = median(median(of_operator) for of_operator in ratios.values())
    sources = [
        source
        for rows in by_operator.values()
        for row in rows
        if isinstance(source := row.price_over_on_demand.source, Published)
    ]
    return Datum(
        name=f"usual_commitments/{key}/price_over_on_demand",
        _value=usual,
        unit="ratio",
        source=Published(
            title="; ".join(dict.fromkeys(one.title for one in sources)),
            locator=f"median of the published discounts of {', '.join(sorted(ratios))}",
            as_of=max(one.as_of for one in sources),
            confidence="medium",
        ),
        low=min(*every, LEAST_WIDTH * usual),
        high=max(*every, min(usual / LEAST_WIDTH, 1.0)),
        range_basis=f"lowest and highest of {len(every)} published prices over those on demand",
    )
