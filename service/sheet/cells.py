"""Lines of a quote as CSV (RFC 4180), for programs and for Excel.

Texts of the caller that a spreadsheet would take for a formula begin with an apostrophe.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Final

from msgspec import UNSET

from service.sheet.kept import KeptBill, KeptFigure, KeptLine
from service.sheet.sources import leaves
from service.sheet.view import Sheet
from service.sheet.words import or_empty

FORMULA_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""What a spreadsheet takes for the begin of a formula, or strips to find one (OWASP)."""
BYTE_ORDER_MARK: Final = "\ufeff"
"""By which Excel knows UTF-8. Other programs take it for a part of the first name."""
COLUMNS: Final = (
    "quote_id",
    "basis",
    "line",
    "stage",
    "item",
    "label",
    "status",
    "quantity",
    "unit",
    "rate",
    "amount",
    "currency",
    "amount_p10",
    "amount_p50",
    "amount_p90",
    "prices_as_of",
    "valid_until",
    "title",
    "buyer",
    "reference",
    "detail",
    "sources",
)

Cell = str | int


def safe(text: object) -> str:
    """A text that no spreadsheet takes for a formula. Empty if it is absent."""
    words = or_empty(text)
    return f"'{words}" if words.startswith(FORMULA_BEGINS) else words


def plain(number: float | object) -> str:
    """A number in plain digits, without an exponent. Empty if it is absent."""
    if not isinstance(number, int | float):
        return ""
    digits = repr(float(number))
    if "e" in digits:
        digits = f"{number:.12f}".rstrip("0") if abs(number) < 1 else f"{number:.0f}"
    return digits.removesuffix(".0").removesuffix(".")


def csv_of(sheet: Sheet, *, excel: bool = False) -> bytes:
    """One row for each line of each bill. Rows of different bases do not add."""
    text = written(COLUMNS, lines_of(sheet))
    return f"{BYTE_ORDER_MARK if excel else ''}{text}".encode()


def written(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Rows under their names."""
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def lines_of(sheet: Sheet) -> Iterator[tuple[Cell, ...]]:
    """The lines of all bills as cells."""
    for bill in sheet.quote.bases:
        for index, line in enumerate(bill.lines, 1):
            yield cells_of(sheet, bill, index, line)


def cells_of(sheet: Sheet, bill: KeptBill, index: int, line: KeptLine) -> tuple[Cell, ...]:
    """One line as cells, in the order of `COLUMNS`."""
    head, interval = sheet.quote.heading, line.interval
    spread = ("", "", "") if interval is UNSET else (interval.p10, interval.p50, interval.p90)
    return (
        sheet.id,
        bill.basis,
        index,
        safe(line.stage),
        line.item,
        safe(line.label),
        "unpriced" if line.amount is UNSET else "priced",
        plain(line.quantity),
        line.unit,
        or_empty(line.rate),
        or_empty(line.amount),
        sheet.currency,
        *spread,
        sheet.issued_on,
        sheet.valid_until,
        safe(head.title),
        safe(head.buyer),
        safe(head.reference),
        safe(line.detail),
        safe(sources_in_words(leaves(line.figures, sheet.quote.figures).values())),
    )


def sources_in_words(figures: Iterable[KeptFigure]) -> str:
    """The sources of figures, each once, with their dates."""
    found = dict.fromkeys(
        f"{one.source.get('title', 'judged')} ({one.source.get('as_of', '')})" for one in figures
    )
    return "; ".join(found)
