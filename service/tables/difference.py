"""Why two quotes differ, as tables for a terminal."""

from collections.abc import Iterator

from msgspec import UNSET
from rich import box
from rich.console import Console
from rich.table import Table

from service.core.answer.difference import (
    BasisDifference,
    ChangeParts,
    ComparedQuote,
    QuoteDifference,
)
from service.tables.fitting import print_whole
from service.tables.quote import dollars

LONGEST_LINE_NAME = 30


def print_difference(out: Console, answer: QuoteDifference) -> None:
    """Both quotes, then of each basis the sentence and the parts, and what is not compared."""
    for words in (
        f"before {quote_words(answer.before)}",
        f"after  {quote_words(answer.after)}",
        answer.method.detail,
    ):
        out.print(words, style="dim", markup=False, highlight=False)
    for basis in answer.bases:
        print_whole(out, basis_table(basis))
        out.print(basis.sentence, markup=False, highlight=False)
    for one in answer.not_compared:
        words = f"{one.basis} is not compared ({one.reason}): {one.detail}"
        out.print(words, style="yellow", markup=False, highlight=False)


def quote_words(quote: ComparedQuote) -> str:
    """A quote's id, engine and edition, in short."""
    return f"{quote.id[:12]}  engine {quote.engine.version}, catalog {quote.catalog.version}"


def basis_table(basis: BasisDifference) -> Table:
    """The change of each line and of the total, in parts."""
    table = Table(
        title=f"{basis.basis}: {dollars(basis.before.amount)} to {dollars(basis.after.amount)} "
        f"{basis.after.currency}",
        title_justify="left",
        box=box.SIMPLE,
        padding=0,
        show_footer=True,
    )
    table.add_column("line", footer="total", overflow="ellipsis", max_width=LONGEST_LINE_NAME)
    for name, footer in zip(
        ("change", "price", "hours", "accounting"), cells_of(basis), strict=True
    ):
        table.add_column(name, justify="right", footer=footer)
    moved = [line for line in basis.lines if line.before != line.after]
    for line in moved:
        name = line.item if line.label is UNSET else f"{line.item}: {line.label}"
        stages = (side.stage for side in (line.after, line.before) if side is not UNSET)
        stage = next((one for one in stages if one is not UNSET), "")
        table.add_row(f"{stage} {name}".strip(), *cells(line.change, line.parts))
    if len(moved) < len(basis.lines):
        table.add_row(f"{len(basis.lines) - len(moved)} lines as before", *("-" * 4))
    for words, amount in origins(basis.parts):
        table.add_row(f"  {words}", "", *amount)
    return table


def cells_of(basis: BasisDifference) -> tuple[str, ...]:
    """The cells of the total."""
    return cells(basis.change.amount, basis.parts)


def cells(change: str, parts: ChangeParts) -> tuple[str, ...]:
    """A change and its parts. Rounding is what is left."""
    amounts = (change, parts.price.amount, parts.hours.amount, parts.accounting)
    return tuple(f" {signed(amount)}" for amount in amounts)


def origins(parts: ChangeParts) -> Iterator[tuple[str, tuple[str, str]]]:
    """What of price and hours comes from the requests, and what from the engine, if both do."""
    request = (parts.price.request, parts.hours.request)
    engine = (parts.price.engine, parts.hours.engine)
    if not any(one is not UNSET and float(one) for one in engine):
        return
    for words, (price, hours) in (("by the requests", request), ("by the engine", engine)):
        if price is not UNSET and hours is not UNSET:
            yield words, (f" {signed(price)}", f" {signed(hours)}")


def signed(amount: str) -> str:
    """An amount with its sign. Nothing for zero."""
    if float(amount) == 0.0:
        return "-"
    return dollars(amount) if amount.startswith("-") else f"+{dollars(amount)}"
