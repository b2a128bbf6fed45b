"""docs/faults.md: what was expected and seen of every fault."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from tests.faults.rows import (
    AtLeast,
    AtMost,
    Expected,
    Fault,
    Seen,
    expected_fact,
    measured,
    recovery,
)

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD: Final = """# Faults

What the service does when its parts, its clients or its machine fail. `make faults` starts the
real service and a real Redis for each row, mistreats them, and writes this page; a row that differs
fails it. Do not edit it by hand.

Numbers are rounded up to 1, 2, 3, 5, 10 and so on, and come from two shared cores. "Recovery" is
the time from the end of the fault until the service does again what it did before. Quotes under a
fault are compared byte for byte with those of `runquote quote`, which has no server, no cache and
no Redis.

A costly request has a deadline of 20 seconds. Where the machine has too much else to do, it is
refused then with 503, so that nobody waits for it: both ends are right, and its time is looked at.
"""
COLUMN_NAMES: Final = ("fault", "expected", "seen", "recovery")
COLUMNS: Final = f"| {' | '.join(COLUMN_NAMES)} |\n|{' --- |' * len(COLUMN_NAMES)}"
AS_EXPECTED: Final = "as expected"


def page(
    seen: Mapping[str, tuple[Seen, list[str]]],
    faults: list[Fault],
    *,
    before: Mapping[str, Sequence[str]],
) -> str:
    """The whole page. Faults that were not tried keep their rows of `before`, if they have any."""
    parts = [HEAD]
    for group, rows in groupby(faults, key=lambda one: one.group):
        parts.append(f"## {group}\n\n{COLUMNS}")
        for one in rows:
            parts += [row(one, *seen[one.name])] if one.name in seen else before.get(one.name, ())
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of a page by the names of their faults."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return {line[2:].split(" | ")[0]: [line] for line in lines}


def printed_number(row: Sequence[str], name: str) -> float:
    """A measured or counted number of a row that is as expected. 0 if it has none."""
    seen = " ".join(row).split(" | ")[2:3]
    if not seen or not seen[0].startswith(AS_EXPECTED):
        return 0.0
    found = re.search(rf"; {re.escape(name)} (?:within )?([\d,.e+]+) ", seen[0])
    return float(found[1].replace(",", "")) if found else 0.0


def with_earlier_pieces(fault: Fault, seen: Seen, row: Sequence[str]) -> Seen:
    """What was seen in this piece of a test and in those before it, of which the page has the row.

    Counts are added, and of measures the larger one stands. A row that differs begins anew.
    """
    facts = dict(seen.facts)
    for name, bound in fault.expects.items():
        value, earlier = facts.get(name), printed_number(row, name)
        if isinstance(value, float) and isinstance(bound, AtLeast):
            facts[name] = value + earlier
        elif isinstance(value, float) and isinstance(bound, AtMost):
            facts[name] = max(value, earlier)
    return replace(seen, facts=facts)


def expected(fault: Fault) -> str:
    """What is expected, as the page says it."""
    return "; ".join(_fact(name, bound) for name, bound in fault.expects.items())


def row(fault: Fault, seen: Seen, differences: list[str]) -> str:
    """The row of one fault."""
    found = ["**differs**", *differences] if differences else [AS_EXPECTED]
    shown = "; ".join([*found, *measured(fault, seen)])
    cells = (fault.name, expected(fault), shown, recovery(seen.recovered_s))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fact(name: str, bound: Expected) -> str:
    return f"{name}: {expected_fact(bound)}"
