"""An invoice beside its quote, as tables for a terminal."""

import msgspec
from msgspec import UNSET
from rich import box
from rich.console import Console
from rich.table import Table

from service.core.answer.reconciliation import (
    Factors,
    InvoiceStanding,
    NextQuote,
    Reconciliation,
)
from service.tables.difference import quote_words, signed

IN_WORDS = {
    "rate": "what a device-hour cost",
    "speed": "productive hours for the same work",
    "work": "how much work was done",
    "goodput": "hours that moved nothing forward",
    "other_items": "storage, transfer, support, markup",
    "scope": "lines that the quote does not cover",
    "tax": "taxes",
    "rounding": "cents",
}


def print_reconciliation(out: Console, answer: Reconciliation) -> None:
    """The difference in a sentence and in parts, the factors, the standing, and the next quote."""
    out.print(quote_words(answer.quote), style="dim", markup=False, highlight=False)
    if answer.not_reconciled is not UNSET:
        why = answer.not_reconciled
        out.print(f"not reconciled ({why.reason}): {why.detail}", markup=False, highlight=False)
        return
    out.print(str(answer.sentence), markup=False, highlight=False)
    out.print(parts_table(answer))
    if answer.planned is not UNSET and answer.happened is not UNSET:
        out.print(factors_table(answer.planned, answer.happened))
    for what, standing in (
        ("the whole invoice", answer.whole),
        ("the lines that the quote covers", answer.like_for_like),
        ("the device-hours", answer.hours),
    ):
        if standing is not UNSET:
            out.print(standing_words(what, standing), markup=False, highlight=False)
    for note in answer.notes:
        out.print(f"{note.code}: {note.detail}", style="dim", markup=False, highlight=False)
    if answer.next_quote is not UNSET:
        print_next(out, answer.next_quote)


def parts_table(answer: Reconciliation) -> Table:
    """The parts of the difference."""
    assert answer.parts is not UNSET
    assert answer.difference is not UNSET
    table = Table(box=box.SIMPLE, padding=0, show_footer=True)
    table.add_column("part", footer="difference")
    table.add_column(
        f" {answer.difference.currency}",
        justify="right",
        footer=f" {signed(answer.difference.amount)}",
    )
    table.add_column("what")
    for name, words in IN_WORDS.items():
        amount = getattr(answer.parts, name)
        if float(amount):
            table.add_row(name, f" {signed(amount)}", f"  {words}")
    return table


def factors_table(planned: Factors, happened: Factors) -> Table:
    """What the cost of device-hours is the product of."""
    table = Table(box=box.SIMPLE, padding=0)
    table.add_column("device-hours")
    for name in ("quoted", "happened"):
        table.add_column(f" {name}", justify="right")
    for name in planned.__struct_fields__:
        before, after = getattr(planned, name), getattr(happened, name)
        table.add_row(name.replace("_", " "), f" {before:,.6g}", f" {after:,.6g}")
    return table


def standing_words(what: str, standing: InvoiceStanding) -> str:
    """Where an amount or hours lie among what was predicted."""
    side = "within" if standing.within else "outside"
    return f"{what}: {side} p10 to p90, above {standing.position:.0%} of the outcomes"


def print_next(out: Console, found: NextQuote) -> None:
    """What to put into the next request."""
    out.print(f"next quote ({found.kind}): {found.detail}", markup=False, highlight=False)
    if found.work is not UNSET:
        body = msgspec.json.format(msgspec.json.encode(found.work)).decode()
        out.print(body, markup=False, highlight=False)
