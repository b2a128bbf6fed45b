"""Checked rows of CSV, TOML and JSON lines, and every problem with its place."""

import csv
import hashlib
import math
import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from service.catalog_files.texts import (
    NOTHING,
    OVERLAY,
    CatalogError,
    Problem,
    Texts,
    layered,
    read_texts,
    unexpected,
)
from service.core.catalog.catalog import Policy

Row = TypeVar("Row", bound=Struct)

EDITION_FILE: Final = "catalog.toml"


class RefusedError(Exception):
    """This row is unusable and has been reported; go on with the next."""


Version = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}(\.[1-9]\d{0,3})?$(?!\n)",
        description="A date. A second edition of a day ends in .2, and so on.",
    ),
]
Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$(?!\n)")]
DATE_LENGTH: Final = len("2026-01-01")


def rank_of(version: str) -> tuple[str, int]:
    """What orders editions: the date, and the number among those of a day."""
    date, _, number = version.partition(".")
    return date, int(number or 1)


class Edition(Struct, frozen=True, forbid_unknown_fields=True):
    """`catalog.toml`: which edition this is. No date in any file may be later."""

    version: Version
    published_at: Instant
    policy: Policy = field(default_factory=Policy)

    @property
    def date(self) -> str:
        """The day of this edition."""
        return self.version[:DATE_LENGTH]


class OverlayEdition(Struct, frozen=True, forbid_unknown_fields=True):
    """`catalog.toml` of an overlay. The policy is that of the embedded edition."""

    version: Version
    published_at: Instant


class Place:
    """The file and the row, for reports about a row."""

    __slots__ = ("_files", "file", "row")

    def __init__(self, files: "DataFiles", file: str, row: str) -> None:
        self._files, self.file, self.row = files, file, row

    @property
    def overlaid(self) -> bool:
        """Whether the row stands in the overlay of a later edition."""
        return self.file.startswith(OVERLAY)

    def report(self, why: str) -> None:
        """Note a problem and go on."""
        self._files.problems.append(Problem(self.file, self.row, why))

    def refusal(self, why: str) -> RefusedError:
        """Note a problem that makes the row useless, and return the exception to raise."""
        self.report(why)
        return RefusedError(why)

    def check_date(self, as_of: str) -> None:
        """Report a date that the calendar does not have or that is later than the edition."""
        if why := self._files.date_problem(as_of):
            self.report(why)

    def check_day(self, as_of: str) -> None:
        """Report a date that the calendar does not have."""
        if not is_day(as_of):
            self.report(f"there is no date {as_of}")

    def check_new(self, key: str, known: dict[str, Any]) -> None:
        """Refuse an id that an earlier row, in whichever file, already has."""
        if key in known:
            raise self.refusal(f"id {key!r} is there already")


class DataFiles:
    """The texts of a data directory with what lies over it, and the problems found in them."""

    def __init__(self, directory: Path, *, overlay: Texts = NOTHING, book: Texts = NOTHING) -> None:
        self._dates: dict[str, str] = {}
        texts, problems = read_texts(directory)
        self.problems = [*problems, *unexpected(overlay, book)]
        self.texts = {**texts, **dict(layered(overlay, book))}
        self.edition = Edition(version="9999-12-31", published_at="")
        self._read_edition()
        if overlay:
            self._read_overlay_edition()

    def _read_edition(self) -> None:
        rows = [(self.place(EDITION_FILE), self._parsed(EDITION_FILE))]
        for place, found in self._converted(rows, Edition):
            self.edition = found
            self._check_edition(place)

    def _read_overlay_edition(self) -> None:
        """The edition of an overlay, which is later than that it lies over."""
        file, before = f"{OVERLAY}{EDITION_FILE}", self.edition
        for place, found in self._converted(
            [(self.place(file), self._parsed(file))], OverlayEdition
        ):
            self.edition = msgspec.structs.replace(
                before, version=found.version, published_at=found.published_at
            )
            self._dates.clear()
            self._check_edition(place)
            if rank_of(found.version) <= rank_of(before.version):
                place.report(f"{found.version} is not later than the embedded {before.version}")

    def _check_edition(self, place: Place) -> None:
        edition = self.edition
        if why := self.date_problem(edition.date):
            place.report(why)
        if edition.published_at[:DATE_LENGTH] < edition.date:
            place.report(f"published at {edition.published_at}, before version {edition.version}")

    def digest(self) -> str:
        """SHA-256 over names and texts, with LF as the end of lines on every system."""
        total = hashlib.sha256()
        for name, text in self.texts.items():
            content = text.encode()
            total.update(f"{name}\n{len(content)}\n".encode())
            total.update(content)
        return f"sha256:{total.hexdigest()}"

    def raise_problems(self) -> None:
        """Raise `CatalogError` if there was any problem."""
        if self.problems:
            raise CatalogError(tuple(self.problems))

    def place(self, file: str, row: str = "the whole file") -> Place:
        """A place in one of the files."""
        return Place(self, file, row)

    def date_problem(self, as_of: str) -> str:
        """Why this date cannot stand in this edition. Empty if it can."""
        if as_of not in self._dates:
            self._dates[as_of] = self._date_problem(as_of)
        return self._dates[as_of]

    def _date_problem(self, as_of: str) -> str:
        if not is_day(as_of):
            return f"there is no date {as_of}"
        if as_of > self.edition.date[: len(as_of)]:
            return f"date {as_of} is later than this edition, {self.edition.version}"
        return ""

    def csv_rows(self, pattern: str, kind: type[Row]) -> Iterator[tuple[Place, Row]]:
        """The rows of all CSV files of this name. An empty cell is an absent member."""
        for file in self._matching(pattern):
            yield from self._converted(self._csv_cells(file, kind), kind, lax=True)

    def toml_rows(self, pattern: str, table: str, kind: type[Row]) -> Iterator[tuple[Place, Row]]:
        """The entries of `[[table]]` in all TOML files of this name."""
        for file in self._matching(pattern):
            document = self._parsed(file)
            for other in document.keys() - {table}:
                self.place(file).report(f"unknown table {other!r}; only [[{table}]] stands here")
            entries = document.get(table, [])
            cells = ((self._labelled(file, n, entry), entry) for n, entry in enumerate(entries, 1))
            yield from self._converted(cells, kind)

    def jsonl_rows(self, pattern: str, kind: type[Row]) -> Iterator[tuple[Place, Row]]:
        """The objects of all JSON-lines files of this name."""
        decoder = msgspec.json.Decoder(kind)
        for file in self._matching(pattern):
            for number, line in enumerate(self.texts[file].splitlines(), 1):
                place = self.place(file, f"line {number}")
                try:
                    yield place, decoder.decode(line)
                except msgspec.DecodeError as error:
                    place.report(str(error))

    def _matching(self, pattern: str) -> list[str]:
        found = [name for name in self.texts if fnmatchcase(name.removeprefix(OVERLAY), pattern)]
        if not found:
            self.place(pattern).report("no such file")
        return found

    def _parsed(self, file: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.texts.get(file, ""))
        except tomllib.TOMLDecodeError as error:
            self.place(file).report(str(error))
            return {}

    def _labelled(self, file: str, number: int, entry: Any) -> Place:
        name = entry.get("id") or entry.get("name") if isinstance(entry, dict) else None
        return self.place(file, f"entry {number}" + (f" ({name})" if name else ""))

    def _csv_cells(self, file: str, kind: type[Row]) -> Iterator[tuple[Place, dict[str, str]]]:
        reader = csv.reader(StringIO(self.texts[file], newline=""), strict=True)
        header = next(reader, [])
        if unknown := [name for name in header if name not in kind.__struct_encode_fields__]:
            self.place(file, "line 1").report(f"unknown column {', '.join(map(repr, unknown))}")
            return
        for cells in reader:
            place = self.place(file, f"line {reader.line_num} ({cells[0] if cells else ''})")
            if len(cells) != len(header):
                place.report(f"{len(cells)} cells under {len(header)} columns")
                continue
            yield place, {name: cell for name, cell in zip(header, cells, strict=True) if cell}

    def _converted(
        self, rows: Any, kind: type[Row], *, lax: bool = False
    ) -> Iterator[tuple[Place, Row]]:
        """Rows as structs: unknown or missing members, wrong types and bounds are reported."""
        for place, cells in rows:
            try:
                yield place, msgspec.convert(cells, kind, strict=not lax)
            except msgspec.ValidationError as error:
                place.report(str(error))


def is_day(as_of: str) -> bool:
    """Whether the calendar has a date. A month or a year counts as its first day."""
    try:
        date.fromisoformat((as_of + "-01-01")[:DATE_LENGTH])
    except ValueError:
        return False
    return True


def scaled(value: float, exponent: int) -> float:
    """`value * 10**exponent` as a decimal, so that 65.1 TFLOP/s is exactly 65.1e12."""
    if not math.isfinite(value):
        return value
    return float(Decimal(repr(value)).scaleb(exponent))
