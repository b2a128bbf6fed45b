"""One line of a batch as a line for a terminal."""

from typing import Any

from msgspec import Struct, field
from rich.console import Console

from service.tables.quote import dollars

LONGEST = 80
IN_SHORT = {"rental": "rental", "owned": "owned", "fully_loaded": "loaded"}


class BatchLine(Struct, frozen=True):
    """What came of a line: a quote, or a problem."""

    line: int
    status: int
    id: str = ""
    quote: dict[str, Any] = field(default_factory=dict)
    problem: dict[str, Any] = field(default_factory=dict)


def print_batch_line(out: Console, one: BatchLine) -> None:
    """The number, the id and the totals of a line, or what is wrong with it."""
    words = f"{one.line:>5} {one.status} {one.id[:10] or '-':10} {said_of(one)}"
    out.print(words[:LONGEST], markup=False, highlight=False)


def said_of(one: BatchLine) -> str:
    """The totals of a quote, in short, or the words of a problem."""
    if one.problem:
        errors = one.problem.get("errors", [])
        pointer = errors[0].get("pointer", "") if errors else ""
        return f"{pointer} {one.problem['detail']}".strip()
    totals = (
        f"{IN_SHORT[bill['basis']]} {dollars(bill['total']['amount'])}"
        if "total" in bill
        else f"{IN_SHORT[bill['basis']]} unpriced"
        for bill in one.quote["bases"]
    )
    return "  ".join(totals)
