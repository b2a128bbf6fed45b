"""Measurements side by side, as tables of ratios."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time

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
