"""A quote as a spreadsheet: a summary, a sheet for each bill with live formulas, sources.

The same quote gives the same bytes. A spreadsheet rounds half away from zero and in its own way, so
an amount is a formula only where that gives the printed amount; otherwise it is a number.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from io import BytesIO
from typing import Any, Final

from msgspec import UNSET
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from service.core.figures.vocabulary import MINOR_PLACES
from service.sheet.kept import KeptBill, KeptLine
from service.sheet.view import Sheet
from service.sheet.words import BASES, named, or_empty, unit_of

AS_TEXT: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
"""A text stays a text, whatever it begins with."""
LINE_COLUMNS: Final = (
    ("Stage", 20),
    ("Item", 22),
    ("Label", 18),
    ("Quantity", 16),
    ("Unit", 14),
    ("Rate", 14),
    ("Amount", 18),
    ("p10", 16),
    ("p50", 16),
    ("p90", 16),
    ("Detail", 50),
)
DIGITS: Final = Context(prec=17, rounding=ROUND_HALF_UP)
"""A spreadsheet reckons in double precision."""
EXCEL_DIGITS: Final = 15
FIRST_ROW: Final = 2
TOTAL_NAME: Final = "total_{basis}"


class Styles:
    """The formats of a workbook."""

    def __init__(self, book: Workbook, *, places: int) -> None:
        digits = "#,##0" + ("." + "0" * places if places else "")
        self.head = book.add_format({"bold": True, "bottom": 1})
        self.bold = book.add_format({"bold": True})
        self.money = book.add_format({"num_format": digits})
        self.sum = book.add_format({"num_format": digits, "bold": True, "top": 1})
        self.number = book.add_format({"num_format": "#,##0.######"})
        self.text = book.add_format({"text_wrap": True, "valign": "top"})


def workbook_of(sheet: Sheet) -> bytes:
    """The spreadsheet."""
    out = BytesIO()
    book = Workbook(out, AS_TEXT)
    created = datetime.fromisoformat(sheet.quote.issued_at).replace(tzinfo=None)
    book.set_properties({"title": sheet.title, "comments": sheet.id, "created": created})
    styles = Styles(book, places=MINOR_PLACES[sheet.currency])
    summary = book.add_worksheet("Summary")
    totals = {
        bill.basis: write_bill(book.add_worksheet(BASES[bill.basis]), sheet, bill, styles)
        for bill in sheet.quote.bases
    }
    write_summary(summary, sheet, totals, styles)
    write_sources(book.add_worksheet("Sources"), sheet, styles)
    write_request(book.add_worksheet("Request"), sheet, styles)
    book.close()
    return out.getvalue()


def write_summary(
    page: Worksheet, sheet: Sheet, totals: dict[Any, str | None], styles: Styles
) -> None:
    """What, for whom, and the totals, which follow from the sheets of the bills."""
    page.set_column(0, 0, 26)
    page.set_column(1, 6, 18)
    head = sheet.quote.heading
    facts = [
        ("Quote", sheet.title),
        ("For", head.buyer),
        ("Reference", head.reference),
        ("Note", head.note),
        ("Run", sheet.headline),
        ("Prices as of", sheet.issued_on),
        ("Current until", sheet.valid_until),
        ("Id", sheet.id),
        ("Engine", f"{sheet.quote.engine.version} {sheet.quote.engine.digest}"),
        ("Catalog", f"{sheet.quote.catalog.version} {sheet.quote.catalog.digest}"),
    ]
    row = 0
    for name, words in facts:
        if words:
            page.write_string(row, 0, name, styles.bold)
            page.write_string(row, 1, words)
            row += 1
    row += 1
    _head(page, row, ("Basis", f"Total {sheet.currency}", "p10", "p50", "p80", "p90"), styles)
    for bill in sheet.quote.bases:
        row += 1
        page.write_string(row, 0, BASES[bill.basis])
        cell = totals[bill.basis]
        if bill.total is UNSET or bill.budget is UNSET or bill.interval is UNSET or cell is None:
            page.write_string(row, 1, "no total")
            continue
        page.write_formula(row, 1, f"='{BASES[bill.basis]}'!{cell}", styles.money, _float(bill))
        spread = (bill.interval.p10, bill.interval.p50, bill.budget.p80, bill.interval.p90)
        for column, amount in enumerate(spread, 2):
            page.write_number(row, column, float(amount), styles.money)
    page.write_string(row + 2, 0, "The totals are alternatives and do not add.")


def _float(bill: KeptBill) -> float:
    assert bill.total is not UNSET
    return float(bill.total.amount)


def write_bill(page: Worksheet, sheet: Sheet, bill: KeptBill, styles: Styles) -> str | None:
    """The lines of a bill and their sum. Returns the cell of the total if there is one."""
    _head(page, 0, [name for name, _ in LINE_COLUMNS], styles)
    for column, (_, width) in enumerate(LINE_COLUMNS):
        page.set_column(column, column, width)
    page.freeze_panes(1, 0)
    for row, line in enumerate(bill.lines, 1):
        write_line(page, row, line, styles)
    last = len(bill.lines) + 1
    if bill.total is UNSET:
        page.write_string(last, 0, "no total: a line has no price", styles.bold)
        return None
    places = max((places_of(line.amount) for line in bill.lines), default=0)
    page.write_string(last, 0, f"Total {sheet.currency}", styles.bold)
    formula = f"=ROUND(SUM(G{FIRST_ROW}:G{last}),{places})"
    page.write_formula(last, 6, formula, styles.sum, _float(bill))
    return f"G{last + 1}"


def write_line(page: Worksheet, row: int, line: KeptLine, styles: Styles) -> None:
    """One line."""
    texts = (or_empty(line.stage), named(line.item), or_empty(line.label))
    for column, words in enumerate(texts):
        page.write_string(row, column, words)
    if line.quantity is not UNSET:
        page.write_number(row, 3, line.quantity, styles.number)
    page.write_string(row, 4, unit_of(line.unit))
    if line.rate is not UNSET:
        page.write_number(row, 5, float(line.rate), styles.number)
    if line.amount is UNSET:
        page.write_string(row, 6, "unpriced")
    elif follows(line):
        formula = f"=ROUND(D{row + 1}*F{row + 1},{places_of(line.amount)})"
        page.write_formula(row, 6, formula, styles.money, float(line.amount))
    else:
        page.write_number(row, 6, float(line.amount), styles.money)
    if line.interval is not UNSET:
        for column, amount in enumerate((line.interval.p10, line.interval.p50, line.interval.p90)):
            page.write_number(row, 7 + column, float(amount), styles.money)
    page.write_string(row, 10, or_empty(line.detail))


def places_of(amount: object) -> int:
    """Decimal places of a printed amount."""
    return len(str(amount).partition(".")[2]) if isinstance(amount, str) else 0


def follows(line: KeptLine) -> bool:
    """Whether a spreadsheet comes to the printed amount from quantity and rate."""
    if line.quantity is UNSET or line.rate is UNSET or line.amount is UNSET:
        return False
    product = DIGITS.create_decimal_from_float(line.quantity * float(line.rate))
    seen = Context(prec=EXCEL_DIGITS, rounding=ROUND_HALF_UP).plus(product)
    unit = Decimal(1).scaleb(-places_of(line.amount))
    wide = Context(prec=60, rounding=ROUND_HALF_UP)
    return seen.quantize(unit, context=wide) == Decimal(line.amount)


def write_sources(page: Worksheet, sheet: Sheet, styles: Styles) -> None:
    """The assumptions with their ranges and sources."""
    columns = ("Figure", "Value", "Range", "Source", "Where in it", "As of", "Address")
    _head(page, 0, columns, styles)
    page.set_column(0, 0, 46)
    page.set_column(1, 6, 28)
    for row, one in enumerate(sheet.assumptions, 1):
        source = one.source
        cells = (one.figure, one.value, one.range, source.title, source.locator)
        for column, words in enumerate((*cells, source.as_of, source.url)):
            page.write_string(row, column, words)


def write_request(page: Worksheet, sheet: Sheet, styles: Styles) -> None:
    """The request in its canonical form, a line a cell, so that none is too long."""
    page.set_column(0, 0, 100)
    page.write_string(0, 0, "The request, as understood", styles.head)
    for row, line in enumerate(sheet.canonical_request.splitlines(), 1):
        page.write_string(row, 0, line)


def _head(page: Worksheet, row: int, names: Sequence[str], styles: Styles) -> None:
    for column, name in enumerate(names):
        page.write_string(row, column, name, styles.head)
