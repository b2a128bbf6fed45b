"""Figures, their sources, and the ledger: the only way to a number is a call that records it.

A `Datum` is a sealed number of the catalog. A `Ledger` belongs to one quote: it opens data
(`take`), accepts the caller's numbers (`given`) and applies formulas (`derive`), and writes down
each of them. What it hands out is a `Term`: a name in the ledger with its central value. A quote's
`figures` are the ledger's entries, so they are complete without anybody listing them.

The ledger is also a tape: it keeps each formula as it was applied, so `replay` computes the whole
argument again with an array of draws in place of any leaf, through the very same functions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.core.arrays import Array, Real
from service.core.units import Unit

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


class Published(Struct, tag_field="kind", tag="published", frozen=True, kw_only=True):
    """Printed somewhere: where, and as of when."""

    title: str
    locator: str
    as_of: AsOf
    url: str | UnsetType = UNSET
    confidence: Annotated[str, Meta(pattern="^(high|medium|low)$")] = "high"


class Given(Struct, tag_field="kind", tag="given", frozen=True, kw_only=True):
    """Stated by the caller: a JSON pointer into the request."""

    pointer: str


class Derived(
    Struct, tag_field="kind", tag="derived", frozen=True, kw_only=True, omit_defaults=True
):
    """Computed: by which formula, from which other figures (argument name to figure name).

    `structure` has the formula's arguments that are no numbers, such as an architecture or a
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
    confidence: Annotated[str, Meta(pattern="^(high|medium|low)$")] = "low"


Source: TypeAlias = Published | Given | Derived | Judged


class Range(Protocol):
    """What the joint draws say of an entry."""

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


class Term(Struct, frozen=True):
    """A number of the argument, already in the ledger: its name and its central value."""

    name: str
    central: float


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the ledger: a leaf, or what a formula answered."""

    name: str
    unit: Unit
    central: float
    source: Source
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    pointer: str | UnsetType = UNSET
    range_basis: str = ""


class Application(NamedTuple):
    """A formula as it was applied, to be applied again.

    `inputs` are its arguments that stand in the ledger (argument name to entry name), `fixed` those
    that are structure rather than numbers, `parts` the entries that hold its answer (member of the
    answer to entry name; under `""` the answer as it is).
    """

    formula: Callable[..., Any]
    inputs: dict[str, str]
    fixed: dict[str, Any]
    parts: dict[str, str]


class Ledger:
    """Every number of one quote, in the order of the argument."""

    __slots__ = ("_applied", "_entries")
    GIVEN_PREFIX: ClassVar[str] = "request"

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._applied: list[Application] = []

    def take(self, datum: Datum, *, pointer: str | UnsetType = UNSET) -> Term:
        """Open a catalog datum; `pointer` says which request member would override it."""
        if datum.name not in self._entries:
            self._write(
                Entry(
                    name=datum.name,
                    unit=datum.unit,
                    central=datum._value,  # noqa: SLF001 - the ledger is the one place that opens it
                    source=datum.source,
                    low=datum.low,
                    high=datum.high,
                    pointer=pointer,
                    range_basis=datum.range_basis,
                )
            )
        return self.term(datum.name)

    def given(
        self,
        value: float,
        *,
        pointer: str,
        unit: Unit,
        low: float | UnsetType = UNSET,
        high: float | UnsetType = UNSET,
    ) -> Term:
        """Accept a number of the request, found at `pointer`."""
        name = self.GIVEN_PREFIX + pointer
        if name not in self._entries:
            self._write(
                Entry(
                    name=name,
                    unit=unit,
                    central=float(value),
                    source=Given(pointer=pointer),
                    low=low,
                    high=high,
                    pointer=pointer,
                )
            )
        return self.term(name)

    def derive(
        self,
        formula: Callable[..., Real],
        *,
        name: str,
        unit: Unit,
        inputs: Mapping[str, Term],
        fixed: Mapping[str, Any] | None = None,
        stands: Mapping[str, str] | None = None,
    ) -> Term:
        """Apply a formula to terms; `fixed` are its arguments that are not numbers.

        `stands` says where those come from, for the reader who walks the figure back.
        """
        answer, source = self._apply(formula, {"": name}, inputs, fixed, stands)
        return self._answered(name, unit, float(answer), source)

    def derive_once(
        self,
        formula: Callable[..., Real],
        *,
        name: str,
        unit: Unit,
        inputs: Mapping[str, Term],
    ) -> Term:
        """The term of this name if it is written already, else `derive`: for shared figures."""
        if name in self._entries:
            return self.term(name)
        return self.derive(formula, name=name, unit=unit, inputs=inputs)

    def derive_parts(
        self,
        formula: Callable[..., Any],
        *,
        name: str,
        units: Mapping[str, Unit],
        inputs: Mapping[str, Term],
        fixed: Mapping[str, Any] | None = None,
        stands: Mapping[str, str] | None = None,
    ) -> dict[str, Term]:
        """Apply a formula that answers with a named tuple; one entry `name/part` for each unit."""
        names = {part: f"{name}/{part}" for part in units}
        answer, source = self._apply(formula, names, inputs, fixed, stands)
        return {
            part: self._answered(names[part], unit, float(getattr(answer, part)), source)
            for part, unit in units.items()
        }

    def _apply(
        self,
        formula: Callable[..., Any],
        parts: dict[str, str],
        inputs: Mapping[str, Term],
        fixed: Mapping[str, Any] | None,
        stands: Mapping[str, str] | None,
    ) -> tuple[Any, Derived]:
        """What a formula answers, and the source of that; kept for a replay."""
        structure = dict(fixed or {})
        answer = formula(**{key: term.central for key, term in inputs.items()}, **structure)
        names = {key: term.name for key, term in inputs.items()}
        self._applied.append(Application(formula, names, structure, parts))
        return answer, Derived(
            formula=title_of(formula), inputs=names, structure=dict(stands or {})
        )

    def _answered(self, name: str, unit: Unit, central: float, source: Derived) -> Term:
        self._write(Entry(name=name, unit=unit, central=central, source=source))
        return Term(name, central)

    def term(self, name: str) -> Term:
        """The term of an entry that is already written."""
        return Term(name, self._entries[name].central)

    def entry(self, name: str) -> Entry:
        """The entry of this name, which is written already."""
        return self._entries[name]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def figures(self, ranges: Mapping[str, Range] = MappingProxyType({})) -> dict[str, Figure]:
        """Every entry as the quote shows it, by name, in the order of the argument.

        `ranges` are p10 and p90 of those that are derived from something uncertain.
        """
        return {
            entry.name: Figure(
                value=entry.central,
                unit=entry.unit,
                source=entry.source,
                low=entry.low,
                high=entry.high,
                p10=ranges[entry.name].p10 if entry.name in ranges else UNSET,
                p90=ranges[entry.name].p90 if entry.name in ranges else UNSET,
                pointer=entry.pointer,
                range_basis=entry.range_basis,
            )
            for entry in self
        }

    def upstream_of(self, names: Iterable[str]) -> set[str]:
        """These entries and all that they are derived from."""
        found = set(names)
        for applied in reversed(self._applied):
            if not found.isdisjoint(applied.parts.values()):
                found.update(applied.inputs.values())
        return found

    def replay(self, leaves: Mapping[str, Array]) -> dict[str, Real]:
        """The argument again, with arrays of shape `[draws]` in place of the named leaves.

        The answer has these leaves and what depends on them, in the order of the argument; all
        other entries keep their central value and cost nothing.
        """
        entries, again = self._entries, dict[str, Real](leaves)
        for formula, inputs, fixed, parts in self._applied:
            if again.keys().isdisjoint(inputs.values()):
                continue
            arguments = {
                key: again[name] if name in again else entries[name].central
                for key, name in inputs.items()
            }
            answer = formula(**arguments, **fixed)
            for part, name in parts.items():
                again[name] = getattr(answer, part) if part else answer
        return again

    def _write(self, entry: Entry) -> None:
        """Add an entry; the same name twice would make two figures one."""
        assert entry.name not in self._entries, f"figure {entry.name!r} is written twice"
        self._entries[entry.name] = entry


def title_of(formula: Callable[..., Any]) -> str:
    """A formula's name as figures cite it: module and function, without the package's own path."""
    module = formula.__module__.removeprefix("service.core.")
    return f"{module}.{formula.__qualname__}"
