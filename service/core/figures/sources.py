"""A figure and its source: published, given, derived or judged."""

from typing import Annotated, Literal, Protocol, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.core.figures.units import Unit

AsOf: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$(?!\n)",
        description="ISO date, possibly cut to the month or the year.",
        examples=["2025-09-17"],
    ),
]


FigureName: TypeAlias = Annotated[
    str, Meta(min_length=1, description="Key of an entry in `figures`.")
]


Confidence: TypeAlias = Literal["high", "medium", "low"]


class Published(Struct, tag_field="kind", tag="published", frozen=True, kw_only=True):
    """Printed somewhere: where, and as of when."""

    title: str
    locator: str
    as_of: AsOf
    url: str | UnsetType = UNSET
    confidence: Confidence = "high"


class Given(Struct, tag_field="kind", tag="given", frozen=True, kw_only=True):
    """Stated by the caller: a JSON pointer into the request."""

    pointer: str


class Derived(
    Struct, tag_field="kind", tag="derived", frozen=True, kw_only=True, omit_defaults=True
):
    """Computed: by which formula, from which other figures (argument name to figure name).

    `structure` has the formula's arguments that are not numbers, such as an architecture or a
    layout, and where each stands: a JSON pointer into the request, a row of the catalog, or what
    chose it.
    """

    formula: str
    inputs: dict[str, FigureName]
    structure: dict[str, str] = msgspec.field(default_factory=dict)


class Judged(Struct, tag_field="kind", tag="judged", frozen=True, kw_only=True):
    """Nobody has printed it: why we take this value, and since when."""

    why: str
    as_of: AsOf
    confidence: Confidence = "low"


Source: TypeAlias = Published | Given | Derived | Judged


class Range(Protocol):
    """The range of an entry over the joint draws."""

    @property
    def p10(self) -> float:
        """The 10% quantile."""

    @property
    def p90(self) -> float:
        """The 90% quantile."""


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number as a quote shows it: value, unit, range, source, and what overrides it."""

    value: float
    unit: Unit
    source: Source
    low: Annotated[float | UnsetType, Meta(description="Lower end of the 90% interval.")] = UNSET
    high: Annotated[float | UnsetType, Meta(description="Upper end of the 90% interval.")] = UNSET
    p10: Annotated[
        float | UnsetType,
        Meta(description="10% quantile of the joint draws; of derived figures that vary."),
    ] = UNSET
    p90: Annotated[
        float | UnsetType,
        Meta(description="90% quantile of the joint draws; of derived figures that vary."),
    ] = UNSET
    pointer: Annotated[
        str | UnsetType,
        Meta(description="JSON pointer of the request member that sets it."),
    ] = UNSET
    range_basis: Annotated[
        str,
        Meta(
            description="What the range was measured on, where `source` does not say; begins with "
            "`exact` where the figure has no spread, and `low` and `high` then equal `value`."
        ),
    ] = ""


class Datum(Struct, frozen=True, kw_only=True, rename={"_value": "value"}, omit_defaults=True):
    """A sealed number of the catalog: it opens only in a ledger, which writes it down.

    `name` is unique in the catalog and stable. `low` and `high` bound a 90% interval, and
    `range_basis` says what they rest on where the source does not.
    """

    _value: float
    name: str
    unit: Unit
    source: Published | Judged
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    range_basis: str = ""
