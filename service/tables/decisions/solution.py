"""A solution for a terminal: the number that was asked for, and what was tried."""

from collections.abc import Iterator

from msgspec import UNSET
from rich import box
from rich.console import Console
from rich.table import Table

from service.core.answer.solution import Solution, Tried
from service.tables.decisions.comparison import days, devices_in_words, seller
from service.tables.quote import dollars


def print_solution(out: Console, answer: Solution) -> None:
    """What was found, in words, and the trials that it follows from."""
    out.print(f"{answer.find}: {answer.status}  {answer.id[:12]}", highlight=False)
    for line in found_words(answer):
        out.print(line, style="bold", markup=False, highlight=False)
    out.print(answer.detail, markup=False, highlight=False)
    if answer.wasteful:
        counts = ", ".join(f"{one:,g}" for one in answer.wasteful)
        out.print(f"take as long as fewer devices: {counts}", markup=False, highlight=False)
    if answer.tried:
        out.print(tried_table(answer.tried))


def found_words(answer: Solution) -> Iterator[str]:
    """The number, and what the run comes to with it."""
    if answer.usd_per_device_hour is not UNSET:
        yield f"${answer.usd_per_device_hour:.12g} a device-hour"
    if answer.tokens is not UNSET:
        yield f"{answer.tokens:,.0f} tokens"
    if answer.model is not UNSET:
        yield answer.model
    if answer.devices is not UNSET:
        yield f"{answer.devices:,g} devices"
    if answer.rental is not UNSET:
        yield f"best rental: {devices_in_words(answer.rental)} of {seller(answer.rental)}"
    if answer.break_even is not UNSET:
        use, months = answer.break_even.utilization.central, answer.break_even.months.central
        yield f"even at a use of {use:.0%}, or {months:,.1f} months"
    if answer.cost is not UNSET and answer.wall_clock_hours is not UNSET:
        yield (
            f"${dollars(answer.cost.total.amount)} (p80 ${dollars(answer.cost.p80)}), "
            f"{days(answer.wall_clock_hours.central)} days "
            f"(p80 {days(answer.wall_clock_hours.p80)})"
        )


def tried_table(tried: tuple[Tried, ...]) -> Table:
    """Each value that was looked at."""
    table = Table(title="tried", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("value", "keeps", "total", "p80", "days", "p80"):
        table.add_column(name, justify="left" if name == "keeps" else "right")
    table.add_column("")
    for one in tried:
        value = one.name if one.value is UNSET else f"{one.value:,.12g}"
        if one.cost is UNSET or one.wall_clock_hours is UNSET:
            table.add_row(
                str(value), "no", "", "", "", "", "" if one.detail is UNSET else one.detail
            )
            continue
        hours = one.wall_clock_hours
        table.add_row(
            str(value),
            "yes" if one.keeps else "no",
            dollars(one.cost.total.amount),
            dollars(one.cost.p80),
            days(hours.central),
            days(hours.p80),
        )
    return table
