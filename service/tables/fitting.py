"""Tables whose numbers are never cut, however narrow the terminal, and in a pipe."""

from collections.abc import Iterable
from itertools import chain
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

LONGEST_WORD: Final = 32
"""Characters of a word that a column has room for."""


def print_whole(out: Console, table: Table) -> None:
    """Print a table. Words fold at spaces; numbers do not: the table is as wide as they need."""
    for column in table.columns:
        column.overflow = "fold"
        column.no_wrap = column.justify == "right"
        column.min_width = least_width(column)
    beside = sum(table.padding[1::2]) + 1
    least = sum((column.min_width or 0) + beside for column in table.columns) + 1
    if least > out.width:
        table.width = least
    out.print(table, crop=False)


def least_width(column: Column) -> int:
    """What a column needs: its longest cell if it has numbers, or else its longest word."""
    cells = [*column.cells, column.footer]
    if column.justify == "right":
        return widest(cells)
    return min(widest(chain.from_iterable(words_of(cell) for cell in cells)), LONGEST_WORD)


def words_of(cell: object) -> list[str]:
    """The words of a cell."""
    return str(cell).split()


def widest(texts: Iterable[object]) -> int:
    """The width of the widest text."""
    return max((cell_len(str(text)) for text in texts), default=0)
