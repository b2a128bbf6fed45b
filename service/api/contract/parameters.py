"""Query parameters, in one table that the contract prints and the handlers enforce."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args, get_type_hints
from urllib.parse import parse_qsl

from msgspec import UNSET, Struct
from msgspec.structs import replace

from service.api.contract import ids
from service.api.contract.ids import KnownName
from service.api.pointers import shown
from service.api.refusing.errors import LONGEST_COMPARED_CHARACTERS, Code, Fault, InvalidQuery
from service.core.catalog.areas import Atlas
from service.core.catalog.catalog import (
    Accelerator,
    ModelPreset,
    Offer,
    PublishedClaim,
    ReferenceRun,
    Segment,
    Site,
)
from service.core.figures.vocabulary import BASES
from service.core.names.kinds import NameKind
from service.core.names.names import Names
from service.core.request.envelope import (
    LONGEST_NOTE,
    LONGEST_REFERENCE,
    LONGEST_TITLE,
    START_PATTERN,
    TEXT_PATTERN,
)
from service.sheet.forms import FORMS, SUMMARY

CURSOR_PATTERN: Final = r"^[0-9a-f]{16}\.[A-Za-z0-9_-]{1,172}$(?!\n)"
MOST_ROWS: Final = 200
USUAL_ROWS: Final = 50
SHOWN_VALUES: Final = 20
LONGEST_NAME: Final = 128
LONGEST_FIGURE: Final = 256
"""Characters of a name in a query."""
NO_NAMES: Final[Mapping[NameKind, Names]] = {}
AMOUNT_PATTERN: Final = r"^[0-9]{1,9}(\.[0-9]{1,9})?$(?!\n)"


class Choice(Struct, frozen=True, kw_only=True):
    """A parameter that takes one of some values.

    These are the values of the member's type if it is closed, and otherwise those in the rows of
    the catalog.
    """

    name: str
    description: str
    values: tuple[str, ...] = ()
    closed: bool = False
    spelled: Names | None = None
    """How the values are spelled. Those of a closed list are only ever spelled as they are."""

    def read(self, text: str) -> str | Fault:
        """The value, or why it is not allowed."""
        if text in self.values:
            return text
        if self.spelled is not None and (meant := self.spelled.resolve(text)) in self.values:
            return str(meant)
        few = len(self.values) <= SHOWN_VALUES
        detail = f"{self.name} {shown(text)} is not one of the {len(self.values)} known values"
        return Fault(
            code="not_allowed",
            detail=detail,
            parameter=self.name,
            nearest=Names(self.values).nearest(text[:LONGEST_COMPARED_CHARACTERS]),
            allowed=self.values if few else UNSET,
        )


class Count(Struct, frozen=True, kw_only=True):
    """A parameter that takes a whole number within bounds."""

    name: str
    description: str
    minimum: int
    maximum: int
    default: int | None = None

    def read(self, text: str) -> int | Fault:
        """The number, or why it is not allowed."""
        if not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
            detail = f"{self.name} {shown(text)} is not a whole number"
            return Fault(code="pattern_mismatch", detail=detail, parameter=self.name)
        if not self.minimum <= int(text) <= self.maximum:
            detail = f"{self.name} {text} is not between {self.minimum} and {self.maximum}"
            return Fault(
                code="out_of_bounds",
                detail=detail,
                parameter=self.name,
                minimum=self.minimum,
                maximum=self.maximum,
            )
        return int(text)


class Amount(Struct, frozen=True, kw_only=True):
    """A parameter that takes a positive number in plain digits."""

    name: str
    description: str
    pattern: str = AMOUNT_PATTERN

    def read(self, text: str) -> float | Fault:
        """The number, or why it is not allowed."""
        if re.search(self.pattern, text):
            return float(text)
        detail = f"{self.name} {shown(text)} is not a number such as 2.50"
        return Fault(code="pattern_mismatch", detail=detail, parameter=self.name)


class Place(Struct, frozen=True, kw_only=True):
    """A parameter that takes a country, a continent or a group of countries, by any of its names.

    The names are those of an atlas. Without one no name is known.
    """

    name: str
    description: str
    atlas: Atlas = Atlas({})

    def read(self, text: str) -> str | Fault:
        """The id of the area, or why there is none."""
        area = self.atlas.named(text)
        if area is not None:
            return area.id
        known = Names(one.slug for one in self.atlas.areas.values())
        nearest = known.nearest(text[:LONGEST_COMPARED_CHARACTERS])
        words = f"{self.name} {shown(text)} is no country or continent"
        return Fault(
            code="not_allowed",
            detail=f"{words}; the nearest known are {', '.join(nearest)}" if nearest else words,
            parameter=self.name,
            nearest=nearest,
        )


class Mark(Struct, frozen=True, kw_only=True):
    """A parameter that takes a value from an earlier answer."""

    name: str
    description: str
    pattern: str

    def read(self, text: str) -> str | Fault:
        """The mark, or why it is not allowed."""
        return text if re.search(self.pattern, text) else unknown_mark(self.name, text)


def unknown_mark(name: str, text: str) -> Fault:
    """A mark that was not handed out by this list, filtered and sorted like this."""
    detail = (
        f"{name} {shown(text)} is not what an earlier page of this list, with these filters and in"
        " this order, handed out; begin without it"
    )
    return Fault(code="unknown_cursor", detail=detail, parameter=name)


class Day(Struct, frozen=True, kw_only=True):
    """A parameter that takes an ISO date."""

    name: str
    description: str
    pattern: str = START_PATTERN

    def read(self, text: str) -> str | Fault:
        """The date, or why it is not allowed."""
        if re.search(self.pattern, text):
            return text
        detail = f"{self.name} {shown(text)} is not a date from 2000-01-01 to 2199-12-31"
        return Fault(code="pattern_mismatch", detail=detail, parameter=self.name)


class Words(Struct, frozen=True, kw_only=True):
    """A parameter that takes a text of the caller's own."""

    name: str
    description: str
    longest: int
    pattern: str = TEXT_PATTERN

    def read(self, text: str) -> str | Fault:
        """The text, or why it is not allowed."""
        if len(text) <= self.longest and re.search(self.pattern, text):
            return text
        detail = f"{self.name} {shown(text)} is no printable text of 1 to {self.longest} characters"
        return Fault(code="pattern_mismatch", detail=detail, parameter=self.name)


Parameter = Choice | Count | Amount | Place | Mark | Day | Words

OF_A_QUOTE: Final[tuple[Parameter, ...]] = (
    Day(
        name="start",
        description="The day on which the run starts, as an ISO date: adds a `calendar` to the "
        "quote, as `start` in its request does.",
        pattern=START_PATTERN,
    ),
    Day(
        name="today",
        description="The day on which the quote is read, as an ISO date: adds `today`, with its "
        "validity and the ages of its prices, as `today` in its request does.",
        pattern=START_PATTERN,
    ),
    Words(name="title", description="What it is called on its sheet.", longest=LONGEST_TITLE),
    Words(name="buyer", description="Whom it is for.", longest=LONGEST_TITLE),
    Words(
        name="reference",
        description="A number or a name of your own.",
        longest=LONGEST_REFERENCE,
    ),
    Words(name="note", description="What else stands on the sheet.", longest=LONGEST_NOTE),
)
"""Members of the envelope of a request that may stand in the address of its quote."""
AS_JSON: Final = "json"
OF_A_SHEET: Final[tuple[Parameter, ...]] = (
    Choice(
        name="format",
        description="The form of the quote, for those who cannot send an `Accept`: it goes before "
        "that header.",
        values=(AS_JSON, *FORMS),
        closed=True,
    ),
    Choice(
        name="view",
        description="How much of the quote: `summary` is a QuoteSummary, as with `Accept: "
        f"{SUMMARY}`.",
        values=("full", "summary"),
        closed=True,
    ),
)
"""What says in which form a quote is wanted."""
OF_FOCUS: Final[tuple[Parameter, ...]] = (
    Choice(
        name="basis",
        description="Which bill. Left out, it is `rental`.",
        values=BASES,
        closed=True,
    ),
    Choice(
        name="version",
        description="Version of FOCUS: 1.2, as long as nothing is said, or 1.4, which names the "
        "sellers in other columns.",
        values=("1.2", "1.4"),
        closed=True,
    ),
    Choice(
        name="partial",
        description="`true` leaves out lines without a price, and counts them in "
        "`x_UnpricedLines`.",
        values=("true", "false"),
        closed=True,
    ),
)
OF_LINES: Final[tuple[Parameter, ...]] = (
    Choice(name="basis", description="Only this bill.", values=BASES, closed=True),
    Words(name="stage", description="Only lines of this stage.", longest=LONGEST_NAME),
    Words(name="item", description="Only lines of this item.", longest=LONGEST_NAME),
)
OF_FIGURES: Final[tuple[Parameter, ...]] = (
    Words(
        name="prefix",
        description="Only figures whose names begin like this, such as `assumptions/`.",
        longest=LONGEST_FIGURE,
    ),
)

PAGING: Final[tuple[Parameter, ...]] = (
    Count(
        name="limit",
        description="How many rows to answer with at most.",
        minimum=1,
        maximum=MOST_ROWS,
        default=USUAL_ROWS,
    ),
    Mark(
        name="cursor",
        description="Where to go on: `next_cursor` of the page before.",
        pattern=CURSOR_PATTERN,
    ),
)


OF_OFFERS: Final[tuple[Parameter, ...]] = (
    Place(
        name="country",
        description="Only offers that name this country, by its code or its name, or one in this "
        "continent, `eu` or `apac`, as in a supply's `region`.",
    ),
    Choice(
        name="segment",
        description="Only offers in this part of the market.",
        values=get_args(Segment),
        closed=True,
    ),
    Count(
        name="devices",
        description="Only offers that make, or may make, a cluster of so many devices.",
        minimum=1,
        maximum=100_000,
    ),
    Day(name="since", description="Only prices that were observed on this day or later."),
    Amount(name="min_usd", description="Only prices of at least so many dollars a device-hour."),
    Amount(name="max_usd", description="Only prices of at most so many dollars a device-hour."),
)
"""Parameters that choose offers. `service.core.catalog.offered` says what they mean."""


class CatalogList(Struct, frozen=True, kw_only=True):
    """A list of the catalog: its path, the catalog's member that holds the rows, its filters.

    A filter is named after the member of the rows that it compares with. `entries` is the kind of
    the rows' ids, and `others` are parameters that mean more than one member.
    """

    path: str
    rows: str
    noun: str
    row: type
    entries: KnownName
    filters: Mapping[str, str]
    sorts: tuple[str, ...] = ()
    others: tuple[Parameter, ...] = ()

    def parameters(
        self,
        rows: Sequence[Any] = (),
        names: Mapping[NameKind, Names] = NO_NAMES,
        *,
        atlas: Atlas | None = None,
    ) -> tuple[Parameter, ...]:
        """The parameters of this list. Filters that are not closed take the values of the rows.

        `names` are those of the catalog, by which values are spelled, and `atlas` has its areas.
        """
        types = get_type_hints(self.row)
        filters = (
            Choice(name=name, description=words, values=closed, closed=True)
            if (closed := tuple(sorted(get_args(types[name]))))
            else open_choice(name, words, values_of(rows, name), names)
            for name, words in self.filters.items()
        )
        orders = tuple(sign + name for name in ("id", *self.sorts) for sign in ("", "-"))
        order = Choice(
            name="sort",
            description="The member that rows are ordered by, the largest first with a minus. Rows "
            "without it come last.",
            values=orders,
            closed=True,
        )
        others = (
            replace(one, atlas=atlas) if isinstance(one, Place) and atlas else one
            for one in self.others
        )
        return (*filters, *others, order, *PAGING)


def open_choice(
    name: str, words: str, values: tuple[str, ...], names: Mapping[NameKind, Names]
) -> Choice:
    """A filter that takes the values of the rows, as people spell them."""
    kind: NameKind | None = FILTERED_NAMES.get(name)
    spelled = names[kind] if kind is not None and names else Names(values)
    return Choice(name=name, description=words, values=values, spelled=spelled)


FILTERED_NAMES: Final[Mapping[str, NameKind]] = {
    "accelerator": "accelerator",
    "provider": "provider",
    "region": "region",
    "model": "model",
}
"""The filters that take a name of the catalog."""
CATALOG_LISTS: Final = (
    CatalogList(
        path="accelerators",
        rows="accelerators",
        noun="accelerator",
        row=Accelerator,
        entries=ids.ACCELERATOR,
        filters={
            "vendor": "Only devices of this maker.",
            "architecture": "Only devices of this architecture.",
            "form_factor": "Only devices of this form.",
        },
        sorts=("name", "released", "memory_bytes"),
    ),
    CatalogList(
        path="offers",
        rows="offers",
        noun="offer",
        row=Offer,
        entries=ids.OFFER,
        filters={
            "accelerator": "Only offers of this accelerator.",
            "provider": "Only offers of this provider.",
            "price_kind": "Only prices of this kind.",
            "region": "Only offers in this region; the codes are the providers' own.",
        },
        sorts=("price_per_device_hour", "observed_on", "devices"),
        others=OF_OFFERS,
    ),
    CatalogList(
        path="models",
        rows="models",
        noun="model",
        row=ModelPreset,
        entries=ids.MODEL,
        filters={"organisation": "Only models of this organisation."},
        sorts=("name", "released", "params_total"),
    ),
    CatalogList(
        path="sites",
        rows="sites",
        noun="site",
        row=Site,
        entries=ids.SITE,
        filters={
            "kind": "Only grid zones, or only cloud regions.",
            "provider": "Only regions of this provider.",
            "country": "Only sites in this country.",
        },
        sorts=("name", "carbon_kg_co2e_per_kwh"),
    ),
    CatalogList(
        path="runs",
        rows="runs",
        noun="run",
        row=ReferenceRun,
        entries=ids.RUN,
        filters={
            "kind": "Only runs of this kind.",
            "developer": "Only runs of this developer.",
            "accelerator": "Only runs on this accelerator.",
            "benchmark_grade": "Only runs disclosed this well: A is best.",
        },
        sorts=("date", "device_hours"),
    ),
    CatalogList(
        path="claims",
        rows="claims",
        noun="published claim",
        row=PublishedClaim,
        entries=ids.CLAIM,
        filters={
            "model": "Only claims about this model.",
            "said_by": "Only claims that this source made.",
        },
    ),
)


def query_items(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string. The framework's reader would keep a thousand queries."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def values_of(rows: Iterable[Any], name: str) -> tuple[str, ...]:
    """The values of this member in the rows, in order. Rows without it do not count."""
    values = (getattr(row, name) for row in rows)
    return tuple(sorted({value for value in values if isinstance(value, str) and value}))


def read_query(
    items: Iterable[tuple[str, str]], parameters: Sequence[Parameter]
) -> dict[str, str | float]:
    """The parameters of a query with defaults filled in. Raises `InvalidQuery` with all faults."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, str | float] = {
        parameter.name: parameter.default
        for parameter in parameters
        if isinstance(parameter, Count) and parameter.default is not None
    }
    faults: list[Fault] = []
    seen: set[str] = set()
    for name, text in items:
        if name in seen:
            faults.append(_fault("repeated_parameter", name, "is given more than once"))
        elif name not in known:
            faults.append(unknown_parameter(name, tuple(known)))
        elif isinstance(value := known[name].read(text), Fault):
            faults.append(value)
        else:
            values[name] = value
        seen.add(name)
    if faults:
        raise InvalidQuery(faults)
    return values


def unknown_parameter(name: str, known: tuple[str, ...]) -> Fault:
    """A parameter that the operation does not take."""
    if not known:
        return _fault("unknown_parameter", name, "is not taken here, nor is any other")
    close = Names(known).nearest(name[:LONGEST_COMPARED_CHARACTERS])
    return _fault("unknown_parameter", name, "is not taken here", nearest=close, allowed=known)


def _fault(code: Code, name: str, words: str, **facts: Any) -> Fault:
    return Fault(code=code, detail=f"parameter {shown(name)} {words}", parameter=name, **facts)
