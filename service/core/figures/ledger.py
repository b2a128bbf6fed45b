"""The ledger of a quote. A number can only be had through a call that writes it down.

A `Datum` is a sealed number of the catalog. A `Ledger` belongs to one quote: it opens data
(`take`), accepts the caller's numbers (`given`) and applies formulas (`derive`), and writes down
each of them. What it hands out is a `Term`: a name in the ledger with its central value. A quote's
`figures` are the ledger's entries, so they are complete without anybody listing them.

The ledger also keeps a tape of its formulas as they were applied, so that `replay` computes the
argument again with a row of draws in place of any leaf, through the very same functions.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from service.core.figures.arrays import Array, Real
from service.core.figures.described import ComputedDatum, InferredDatum, StatedDatum
from service.core.figures.formulas import WHOLE, Formula
from service.core.figures.lanes import Lanes
from service.core.figures.sources import Datum, Derived, Figure, Given, Range, Source
from service.core.figures.units import Unit


class Term(Struct, frozen=True):
    """A number of the argument, already in the ledger: its name and its central value."""

    name: str
    central: float


class Entry(Struct, frozen=True, kw_only=True):
    """One line of the ledger: a leaf, or the answer of a formula."""

    name: str
    unit: Unit
    central: float
    source: Source
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    pointer: str | UnsetType = UNSET
    range_basis: str = ""


class Application(NamedTuple):
    """One application of a formula, kept so that it can be replayed.

    `names` and `centrals` are the arguments that stand in the ledger, `fixed` those that are
    structure and not numbers. `parts` maps each member of the answer to the entry that holds it;
    the key `""` stands for an answer without members.
    """

    formula: Formula[..., Any]
    names: dict[str, str]
    centrals: dict[str, float]
    fixed: dict[str, Any]
    parts: dict[str, str]


class Tape(NamedTuple):
    """Applied formulas, each list in the order of the argument.

    Those in `of_run` depend on what the request says of the run. Those in `standing` depend only
    on the cluster, the accounting and the catalog, so they are all replayed first.
    """

    standing: list[Application]
    of_run: list[Application]


class Ledger:
    """Every number of one quote, in the order of the argument."""

    __slots__ = ("_entries", "_of_run", "tape")
    GIVEN_PREFIX: ClassVar[str] = "request"
    OF_RUN: ClassVar[tuple[str, ...]] = ("/run/", "/amount", "/device_hours")
    """Where a request says what differs from run to run, and a claim what differs by claim."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._of_run: set[str] = set()
        self.tape = Tape([], [])

    def empty(self) -> "Ledger":
        """A ledger of the same kind without entries."""
        return Ledger()

    def branch(self) -> "Ledger":
        """A copy that grows by itself."""
        grown = self.empty()
        grown.begin(self._entries, self._of_run, self.tape)
        return grown

    def begin(self, entries: Mapping[str, Entry], of_run: Iterable[str], tape: Tape) -> None:
        """Begin with what is written already."""
        self._entries = dict(entries)
        self._of_run = set(of_run)
        self.tape = Tape(list(tape.standing), list(tape.of_run))

    def take(self, datum: Datum, *, pointer: str | UnsetType = UNSET) -> Term:
        """Open a catalog datum; `pointer` says which request member would override it.

        A number of a device that the request describes is opened as given, or as derived.
        """
        if isinstance(datum, StatedDatum):
            return self.given(
                datum._value,  # noqa: SLF001 - the ledger is the one place that opens it
                pointer=datum.pointer,
                unit=datum.unit,
                low=datum.low,
                high=datum.high,
            )
        if isinstance(datum, ComputedDatum):
            return self._take_computed(datum)
        if datum.name not in self._entries:
            if isinstance(datum, InferredDatum):
                pointer = datum.pointer
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

    def _take_computed(self, datum: ComputedDatum) -> Term:
        """The answer of a sealed number's formula, once, and the numbers that it is made of."""
        if datum.name in self._entries:
            return self.term(datum.name)
        inputs = {argument: self.take(part) for argument, part in datum.inputs.items()}
        return self.derive(
            datum.formula, name=datum.name, unit=datum.unit, inputs=inputs, fixed=datum.fixed
        )

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
            if pointer.startswith(self.OF_RUN):
                self._of_run.add(name)
            self._write(
                Entry(
                    name=name,
                    unit=unit,
                    central=self.part_of(value, WHOLE),
                    source=Given(pointer=pointer),
                    low=low,
                    high=high,
                    pointer=pointer,
                )
            )
        return self.term(name)

    def derive(
        self,
        formula: Formula[..., Real],
        *,
        name: str,
        inputs: Mapping[str, Term],
        unit: Unit | None = None,
        fixed: Mapping[str, Any] | None = None,
        structure_sources: Mapping[str, str] | None = None,
    ) -> Term:
        """Apply a formula to terms; `fixed` are its arguments that are not numbers.

        `unit` is for a formula that answers in the unit of its arguments.
        `structure_sources` says where the fixed arguments come from, for readers who walk the
        figure back.
        """
        answer, source = self._apply(formula, {WHOLE: name}, inputs, fixed, structure_sources)
        return self._answered(
            name, unit or formula.units[WHOLE], self.part_of(answer, WHOLE), source
        )

    def derive_once(
        self,
        formula: Formula[..., Real],
        *,
        name: str,
        inputs: Mapping[str, Term],
        unit: Unit | None = None,
        fixed: Mapping[str, Any] | None = None,
        structure_sources: Mapping[str, str] | None = None,
    ) -> Term:
        """The term of this name, derived unless it is written already. For shared figures."""
        if name in self._entries:
            return self.term(name)
        return self.derive(
            formula,
            name=name,
            unit=unit,
            inputs=inputs,
            fixed=fixed,
            structure_sources=structure_sources,
        )

    def derive_parts(
        self,
        formula: Formula[..., Any],
        *,
        name: str,
        inputs: Mapping[str, Term],
        fixed: Mapping[str, Any] | None = None,
        structure_sources: Mapping[str, str] | None = None,
    ) -> dict[str, Term]:
        """Apply a formula that answers with a named tuple; one entry `name/part` for each part."""
        names = {part: f"{name}/{part}" for part in formula.units}
        answer, source = self._apply(formula, names, inputs, fixed, structure_sources)
        return {
            part: self._answered(names[part], unit, self.part_of(answer, part), source)
            for part, unit in formula.units.items()
        }

    def _apply(
        self,
        formula: Formula[..., Any],
        parts: dict[str, str],
        inputs: Mapping[str, Term],
        fixed: Mapping[str, Any] | None,
        structure_sources: Mapping[str, str] | None,
    ) -> tuple[Any, Derived]:
        """The answer of a formula and its source. The application goes on the tape."""
        names = {key: term.name for key, term in inputs.items()}
        centrals = {key: term.central for key, term in inputs.items()}
        structure = dict(fixed or {})
        applied = Application(formula, names, centrals, structure, parts)
        if self._of_run.isdisjoint(names.values()) and _is_plain(structure):
            self.tape.standing.append(applied)
        else:
            self.tape.of_run.append(applied)
            self._of_run.update(parts.values())
        source = Derived(
            formula=formula.name, inputs=names, structure=dict(structure_sources or {})
        )
        return self.answer_to(formula, centrals, structure), source

    def answer_to(
        self, formula: Formula[..., Any], centrals: dict[str, float], structure: dict[str, Any]
    ) -> Any:
        """What a formula answers to central values."""
        return formula.function(**centrals, **structure)

    def part_of(self, answer: Any, part: str) -> float:
        """A member of an answer as a number, or the whole."""
        return float(getattr(answer, part) if part else answer)

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

    def __len__(self) -> int:
        return len(self._entries)

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
        for applied in (*reversed(self.tape.of_run), *reversed(self.tape.standing)):
            if not found.isdisjoint(applied.parts.values()):
                found.update(applied.names.values())
        return found

    def marked(self, marks: Mapping[str, int]) -> dict[str, int]:
        """Sets of bits on some entries, and on all that is derived from them: their union."""
        found = dict(marks)
        for applied in (*self.tape.standing, *self.tape.of_run) if found else ():
            mark = 0
            for name in applied.names.values():
                mark |= found.get(name, 0)
            if mark:
                for name in applied.parts.values():
                    found[name] = found.get(name, 0) | mark
        return found

    def hangs_on_run(self, name: str) -> bool:
        """Whether an entry is given in the request's run, or derived from such an entry."""
        return name in self._of_run

    def _write(self, entry: Entry) -> None:
        """Add an entry. Names are unique: two figures of one name would become one."""
        assert entry.name not in self._entries, f"figure {entry.name!r} is written twice"
        self._entries[entry.name] = entry


def _is_plain(structure: Mapping[str, Any]) -> bool:
    """Whether all fixed arguments are plain values, which can be compared by value."""
    return not structure or all(
        isinstance(value, float | str | Lanes) for value in structure.values()
    )


def replay(tape: Iterable[Application], rows: Mapping[str, Array]) -> dict[str, Real]:
    """Apply formulas again, with rows of draws in place of the entries of these names.

    The answer has these rows and all that depends on them, in the order of the tape. All other
    entries keep their central value and cost nothing.
    """
    again: dict[str, Real] = dict(rows)
    for formula, names, centrals, fixed, parts in tape:
        drawn = {key: again[name] for key, name in names.items() if name in again}
        if drawn:
            answer = formula.function(**{**centrals, **drawn}, **fixed)
            for part, name in parts.items():
                again[name] = getattr(answer, part) if part else answer
    return again
