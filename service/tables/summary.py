"""A quote in short for a terminal: totals and what moves them, in plain lines of text."""

from collections.abc import Iterator

from rich.console import Console

from service.core.answer import WARNINGS
from service.sheet.view import Sheet
from service.sheet.words import BASES, grouped, leaf, named

LISTED_DRIVERS = 3
LEAST_SHARE = 0.005
"""What makes less of a variance rounds to nothing."""
LABEL_COLUMNS = 12
NAMES = ("total", "p10", "p50", "p90")


def print_summary(out: Console, body: bytes) -> None:
    """A quote in short. No line is cut or folded, so it is the same in a pipe."""
    for line in lines_of(Sheet(body)):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def lines_of(sheet: Sheet) -> Iterator[str]:
    """The lines of a summary."""
    yield sheet.headline
    yield sheet.id
    yield ""
    yield from totals_of(sheet)
    yield ""
    for bill in sheet.quote.bases:
        if bill.drivers:
            shares = ", ".join(
                f"{leaf(one.figure)} {one.share:.0%}"
                for one in bill.drivers[:LISTED_DRIVERS]
                if one.share >= LEAST_SHARE
            )
            yield f"{BASES[bill.basis].lower()} is moved most by: {shares}"
        unpriced = dict.fromkeys(line.item for line in bill.lines if not line.amount)
        if unpriced:
            items = ", ".join(map(named, unpriced))
            yield f"{BASES[bill.basis].lower()} has lines without a price: {items}"
    if sheet.quote.exclusions:
        yield f"left out: {', '.join(named(one.item) for one in sheet.quote.exclusions)}"
    for one in sheet.quote.warnings:
        advice = next((kind.advice for code, kind in WARNINGS.items() if code == one.code), "")
        yield f"{one.severity} {one.code} {one.pointer or '/'}: {one.detail}. {advice}".rstrip()
    for code, detail in sheet.dated_cautions:
        yield f"{code}: {detail}"
    notes = len(sheet.quote.notes)
    told = "1 note; --full prints it" if notes == 1 else f"{notes} notes; --full prints them"
    yield f"{told}, with every line and stage"


def totals_of(sheet: Sheet) -> Iterator[str]:
    """The totals with their quantiles, as columns that are as wide as their numbers."""
    rows = [("", *(f"{name} {sheet.currency}" if name == "total" else name for name in NAMES))]
    for bill in sheet.quote.bases:
        label = BASES[bill.basis].lower()
        if bill.total and bill.interval:
            spread = (bill.interval.p10, bill.interval.p50, bill.interval.p90)
            rows.append((label, *map(grouped, (bill.total.amount, *spread))))
        else:
            rows.append((label, "no total", "", "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(1, len(NAMES) + 1)]
    for label, *cells in rows:
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"{label:<{LABEL_COLUMNS}}  {numbers}".rstrip()
