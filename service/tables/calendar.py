"""The calendar of a quote as tables for a terminal: days of its stages, months of its amounts."""

from rich.console import Console
from rich.table import Table

from service.core.answer.calendar import Calendar, DatedRun, Days
from service.core.figures.vocabulary import Currency
from service.tables.fitting import print_whole
from service.tables.quote import dollars


def print_calendar(out: Console, calendar: Calendar, *, currency: Currency) -> None:
    """The days of the stages and the amounts of the months, or why there are none."""
    if isinstance(calendar, DatedRun):
        print_whole(out, stages_table(calendar))
        print_whole(out, months_table(calendar, currency=currency))
    else:
        out.print(f"no calendar from {calendar.start}: {calendar.detail}", highlight=False)
    for caution in calendar.cautions:
        out.print(f"{caution.code} {caution.detail}", style="yellow", markup=False, highlight=False)


def stages_table(calendar: DatedRun) -> Table:
    """When each stage begins and ends, by the median and with a chance of 90%."""
    title = f"calendar from {calendar.start}"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("stage", footer="the run")
    table.add_column("begins p50", footer=calendar.start)
    table.add_column("begins p90")
    table.add_column("ends p50", footer=calendar.ends.p50)
    table.add_column("ends p90", footer=calendar.ends.p90)
    for stage in calendar.stages:
        table.add_row(stage.name, *_days(stage.begins), *_days(stage.ends))
    return table


def _days(days: Days) -> tuple[str, str]:
    return days.p50, days.p90


def months_table(calendar: DatedRun, *, currency: Currency) -> Table:
    """Device-hours and the hardware of each bill by month, and what stands beside the months."""
    bills = calendar.bills
    table = Table(title="by month", title_justify="left")
    table.add_column("month")
    table.add_column("device-hours", justify="right")
    for bill in bills:
        table.add_column(f"{bill.basis} {currency}", justify="right")
    for month in calendar.months:
        amounts = (dollars(month.amounts[bill.basis]) for bill in bills)
        table.add_row(month.month, f"{month.device_hours:,.2f}", *amounts)
    table.add_section()
    table.add_row("beside months", "", *(dollars(bill.beside_months) for bill in bills))
    table.add_row("total", "", *(dollars(bill.total) for bill in bills))
    return table
