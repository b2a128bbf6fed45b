"""docs/faults.md: what was expected and seen of every fault."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.faults.rows import Expected, Fault, Seen, expected_fact, measured, recovery

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD: Final = """# Faults

What the service does when its parts, its clients or its machine fail. `make faults` starts the
real service and a real Redis for each row, mistreats them, and writes this page; a row that differs
fails it. Do not edit it by hand.

Numbers are rounded up to 1, 2, 3, 5, 10 and so on, and come from two shared cores. "Recovery" is
the time from the end of the fault until the service does again what it did before. Quotes under a
fault are compared byte for byte with those of `runquote quote`, which has no server, no cache and
no Redis.
"""
COLUMNS: Final = "| fault | expected | seen | recovery |\n| --- | --- | --- | --- |"


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


def expected(fault: Fault) -> str:
    """What is expected, as the page says it."""
    return "; ".join(_fact(name, bound) for name, bound in fault.expects.items())


def row(fault: Fault, seen: Seen, differences: list[str]) -> str:
    """The row of one fault."""
    found = ["**differs**", *differences] if differences else ["as expected"]
    shown = "; ".join([*found, *measured(fault, seen)])
    cells = (fault.name, expected(fault), shown, recovery(seen.recovered_s))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fact(name: str, bound: Expected) -> str:
    return f"{name}: {expected_fact(bound)}"
