"""A comparison for a terminal: ranked candidates, a picture of cost against days, what is left out.

All of it fits into 80 columns, and means the same without colour.
"""

from collections.abc import Iterator, Sequence
from math import log10
from typing import Final, NamedTuple

from msgspec import UNSET
from rich import box
from rich.console import Console
from rich.table import Table

from service.core.answer.comparison import (
    CandidateCost,
    ComparedCandidate,
    Comparison,
    FrontierPoint,
    OrderedCluster,
)
from service.core.figures.units import HOURS_PER_DAY
from service.tables.fitting import least_width
from service.tables.quote import dollars

PLOT_COLUMNS: Final = 64
PLOT_ROWS: Final = 14
SHORT_NAME: Final = 13
SHORT_SELLER: Final = 13
SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


class Point(NamedTuple):
    """A candidate in the picture."""

    days: float
    usd: float
    mark: str


def print_comparison(out: Console, answer: Comparison) -> None:
    """The candidates, best first, the picture, the frontier, and what is not feasible."""
    counts = answer.counts
    out.print(
        f"{counts.feasible} feasible, {counts.infeasible} not  {answer.id[:12]}", highlight=False
    )
    if answer.candidates:
        out.print(candidates_table(answer))
        for line in (*how_sure(answer), *listed_words(answer)):
            out.print(line, markup=False, highlight=False)
        for line in picture(answer):
            out.print(line, markup=False, highlight=False, no_wrap=True)
        out.print(frontier_table(answer.frontier, answer))
    if answer.infeasible:
        out.print(infeasible_table(answer))
    for line in left_out(answer):
        out.print(line, style="dim", markup=False, highlight=False)


def candidates_table(answer: Comparison) -> Table:
    """What to order, for how long, at what cost, and how sure that is."""
    title = f"by {answer.objective} at p{answer.confidence * 100:g}; days at p50 and at p90"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "devices", "of", "days", "p90", "total", "p80", "keeps", "1st"):
        left = name in {"devices", "of"}
        table.add_column(name, justify="left" if left else "right", no_wrap=True, min_width=4)
    for one in answer.candidates:
        cost = hardware(one)
        mark = "*" if one.on_frontier else ""
        table.add_row(
            f"{one.rank}{mark}",
            devices_in_words(one.cluster),
            seller(one.cluster)[:SHORT_SELLER],
            days(one.wall_clock_hours.p50),
            days(one.wall_clock_hours.p90),
            short(cost.total.amount),
            short(cost.p80),
            f"{one.keeps.all:.0%}",
            f"{one.probability_cheapest:.0%}",
        )
    for column in table.columns:
        if column.justify == "right":  # names give way to numbers
            column.min_width = least_width(column)
    return table


def hardware(one: ComparedCandidate) -> CandidateCost:
    """The cost of the basis that has a candidate's hardware: the first that is listed."""
    return one.costs[0]


def devices_in_words(cluster: OrderedCluster) -> str:
    """How many devices, and the short name of each."""
    name = cluster.accelerator.partition("-")[2][:SHORT_NAME]
    return f"{cluster.devices:,.0f} {name}"


def seller(cluster: OrderedCluster) -> str:
    """Whom to buy from, and under which term if it is not on demand."""
    supply = cluster.supply
    if supply.kind == "owned":
        return "(bought)"
    term = "" if supply.term in {UNSET, "on_demand"} else f" {supply.term}"
    return f"{supply.provider}{term}"


def days(hours: float) -> str:
    """Hours as days, in a few digits."""
    return f"{hours / HOURS_PER_DAY:,.3g}" if hours < 1e6 else "never"


def short(amount: str) -> str:
    """An amount in a few digits."""
    usd = float(amount)
    for size, suffix in SUFFIXES:
        if usd >= size:
            return f"${usd / size:,.3g}{suffix}"
    return f"${usd:,.3g}"


def how_sure(answer: Comparison) -> Iterator[str]:
    """What the second and those beside it come to, against the first."""
    if len(answer.candidates) < 2:
        return
    ties = [one.rank for one in answer.candidates if one.versus_first and one.versus_first.tie]
    second = answer.candidates[1].versus_first
    if second:
        yield f"the second is cheaper than the first in {second.probability_cheaper:.0%} of cases"
    if ties:
        ranks = ", ".join(map(str, ties))
        yield f"not told apart from the first, whose difference may be nothing: {ranks}"


def listed_words(answer: Comparison) -> Iterator[str]:
    """The cheapest listed price, and whether it makes the cluster."""
    listed = answer.cheapest_listed
    if listed is not UNSET:
        yield (
            f"cheapest listed: ${float(listed.usd_per_device_hour):.4g} of {listed.seller}, "
            f"{listed.observed_on}: {listed.detail}"
        )


def picture(answer: Comparison) -> Iterator[str]:
    """Cost at p80 against days at p50, both by logarithms: `o` a candidate, `*` the frontier."""
    points = [
        Point(
            one.wall_clock_hours.p50 / HOURS_PER_DAY,
            float(hardware(one).p80),
            "*" if one.on_frontier else "o",
        )
        for one in answer.candidates
    ]
    points = [one for one in points if one.days > 0 and one.usd > 0]
    if len({(one.days, one.usd) for one in points}) < 2:
        return
    across, up = Axis([one.days for one in points]), Axis([one.usd for one in points])
    grid = [[" "] * PLOT_COLUMNS for _ in range(PLOT_ROWS)]
    for one in sorted(points, key=lambda point: point.mark == "*"):
        row = PLOT_ROWS - 1 - up.place(one.usd, PLOT_ROWS)
        grid[row][across.place(one.days, PLOT_COLUMNS)] = one.mark
    yield "cost p80 against days p50 (* nothing is both cheaper and sooner)"
    for place, cells in enumerate(grid):
        label = {0: up.most, PLOT_ROWS - 1: up.least}.get(place)
        words = "" if label is None else short(str(label))
        yield f"{words:>9} |{''.join(cells)}".rstrip()
    yield " " * 10 + "+" + "-" * PLOT_COLUMNS
    least, most = (f"{one:,.3g}" for one in (across.least, across.most))
    yield " " * 11 + least + f"{most} days".rjust(PLOT_COLUMNS - len(least))


class Axis:
    """An axis by logarithms, from the least to the most of some numbers."""

    def __init__(self, numbers: Sequence[float]) -> None:
        self.least = min(numbers)
        self.most = max(numbers)

    def place(self, number: float, size: int) -> int:
        """The cell of a number, from 0 on."""
        if self.most == self.least:
            return 0
        part = log10(number / self.least) / log10(self.most / self.least)
        return min(size - 1, round(part * (size - 1)))


def frontier_table(points: Sequence[FrontierPoint], answer: Comparison) -> Table:
    """What each day less costs."""
    title = f"frontier at p{answer.confidence * 100:g}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rank", "devices", "of", "days", "cost"):
        table.add_column(name, justify="left" if name in {"devices", "of"} else "right")
    for one in points:
        table.add_row(
            str(one.rank),
            devices_in_words(one.cluster),
            seller(one.cluster),
            days(one.hours),
            f"${dollars(one.cost)}",
        )
    return table


def infeasible_table(answer: Comparison) -> Table:
    """How many candidates are not feasible, why, and what would be."""
    table = Table(
        title="not feasible", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("reason", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("nearest")
    for group in answer.infeasible:
        nearest = "" if group.nearest is UNSET else group.nearest
        table.add_row(group.reason, str(group.count), nearest)
    return table


def left_out(answer: Comparison) -> Iterator[str]:
    """Sizes that are wasteful, and what was not looked at."""
    for one in answer.wasteful[:3]:
        yield (
            f"{one.devices:,g} {one.accelerator} take as long as {one.as_fast_with:,g}, and cost "
            "more"
        )
    counts = answer.counts
    if counts.outdone_devices:
        yield f"not looked at, since they cost a multiple: {', '.join(counts.outdone_devices)}"
    if counts.cut_plans:
        yield f"{counts.cut_plans} more sizes are beyond the bound of one comparison"
