"""Measurements side by side, as tables of ratios."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROUNDS = 9
console = Console(width=110)


def cpu_us(task: Callable[[], object], *, calls: int) -> float:
    """CPU microseconds of one call."""
    start = process_time()
    for _ in range(calls):
        task()
    return (process_time() - start) / calls * 1e6


def side_by_side(tasks: Mapping[str, tuple[Callable[[], object], int]]) -> dict[str, list[float]]:
    """CPU microseconds of each task, measured in turn, so that a noisy moment hits all alike."""
    samples: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, (task, calls) in tasks.items():
            samples[name].append(cpu_us(task, calls=calls))
    return samples


def print_ratios(title: str, samples: Mapping[str, Sequence[float]], *, unit: str) -> None:
    """Median and best of each row, and its ratio to the first row's median."""
    table = Table(title=title, title_justify="left")
    for column in ("case", f"median {unit}", f"best {unit}", "ratio to the first"):
        table.add_column(column, justify="left" if column == "case" else "right")
    reference = median(next(iter(samples.values())))
    for name, values in samples.items():
        middle = median(values)
        table.add_row(name, f"{middle:,.1f}", f"{min(values):,.1f}", f"{middle / reference:.2f}")
    console.print(table)


class Bound(NamedTuple):
    """Something that the service is held to: what was seen, and the least or most that may be."""

    what: str
    seen: float
    least: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether what was seen is within the bound."""
        above = self.least is None or self.seen >= self.least
        return above and (self.most is None or self.seen <= self.most)


def print_bounds(bounds: Sequence[Bound]) -> None:
    """Each bound with what was seen, and whether it holds."""
    table = Table(title="Held to", title_justify="left")
    for column in ("what", "seen", "bound", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for one in bounds:
        bound = f"at most {one.most:g}" if one.least is None else f"at least {one.least:g}"
        table.add_row(one.what, f"{one.seen:.2f}", bound, "holds" if one.holds else "MISSED")
    console.print(table)
