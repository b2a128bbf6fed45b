"""The calendar of a kept quote for the day on which its run starts.

It reads the quote's JSON and a date, and nothing else.
"""

from datetime import date, timedelta
from math import ceil, floor
from typing import Final

import msgspec
from msgspec import UNSET

from service.core.answer.calendar import (
    BillingMonth,
    Calendar,
    CalendarCaution,
    DatedRun,
    DatedStage,
    Days,
    UndatedRun,
)
from service.core.figures.units import HOURS_PER_DAY, HOURS_PER_YEAR
from service.envelope.kept import KeptEstimate, KeptQuote
from service.envelope.months import Progress, TimedStage, by_month, printed, timed_stage

LONGEST_HOURS: Final = 10 * HOURS_PER_YEAR
"""A run that may take longer has no calendar: its months are too many."""
HOUR_PLACES: Final = 6
"""Decimal places of hours at which a day begins: sums of hours are not exact."""
DAYS_BEYOND_A_MONTH: Final = 31
"""Days from the first day of any month to a day of the next one."""


def calendar_of(body: bytes, start: str) -> Calendar:
    """The calendar of the quote in `body`, if its run starts on the day `start` at 00:00 UTC."""
    quote = msgspec.json.decode(body, type=KeptQuote)
    cautions = cautions_of(quote, start)
    whole = quote.wall_clock_hours
    if whole is UNSET:
        return UndatedRun(
            start=start,
            reason="hours_unknown",
            detail="the hours of a stage are not known; its feasibility says why",
            cautions=cautions,
        )
    if whole.p90 > LONGEST_HOURS:
        years = whole.p90 / HOURS_PER_YEAR
        return UndatedRun(
            start=start,
            reason="too_long",
            detail=f"the run may take {years:.3g} years; runs of up to ten years have a calendar",
            cautions=cautions,
        )
    return dated(quote, whole, date.fromisoformat(start), cautions)


def cautions_of(quote: KeptQuote, start: str) -> tuple[CalendarCaution, ...]:
    """A caution if the run starts after the last day on which the prices count as current."""
    last = quote.valid_until[:10]
    if start <= last:
        return ()
    return (
        CalendarCaution(
            code="start_after_validity",
            detail=f"the run starts on {start}, and the prices count as current until {last}",
        ),
    )


def dated(
    quote: KeptQuote, whole: KeptEstimate, start: date, cautions: tuple[CalendarCaution, ...]
) -> DatedRun:
    """The calendar of a run whose hours are known."""
    stages = [timed_stage(stage) for stage in quote.stages]
    months = months_of(start, last_day(start, max(whole.p50, *(one.ends.p50 for one in stages))))
    month_ends = [(following(month) - start).days * HOURS_PER_DAY for month in months]
    progress = Progress(stages, month_ends)
    device_hours = progress.device_hours()
    bills = [bill for bill in quote.bases if bill.total is not UNSET and bill.lines]
    spent = {bill.basis: progress.spent(bill) for bill in bills}
    return DatedRun(
        start=start.isoformat(),
        ends=Days(
            p50=last_day(start, whole.p50).isoformat(), p90=last_day(start, whole.p90).isoformat()
        ),
        stages=tuple(dated_stage(stage, start) for stage in stages),
        months=tuple(
            BillingMonth(
                month=month.isoformat()[:7],
                device_hours=device_hours[index],
                amounts={basis: printed(amounts[index]) for basis, amounts in spent.items()},
            )
            for index, month in enumerate(months)
        ),
        bills=tuple(by_month(bill, spent[bill.basis]) for bill in bills),
        cautions=cautions,
    )


def dated_stage(stage: TimedStage, start: date) -> DatedStage:
    """The days on which a stage begins and ends. No stage ends before it begins."""
    begins = {name: first_day(start, getattr(stage.begins, name)) for name in ("p50", "p90")}
    ends = {name: max(begins[name], last_day(start, getattr(stage.ends, name))) for name in begins}
    return DatedStage(
        name=stage.name,
        begins=Days(**{name: day.isoformat() for name, day in begins.items()}),
        ends=Days(**{name: day.isoformat() for name, day in ends.items()}),
    )


def first_day(start: date, hours: float) -> date:
    """The day of the hour that begins so many hours after the start."""
    return start + timedelta(days=floor(round(hours, HOUR_PLACES) / HOURS_PER_DAY))


def last_day(start: date, hours: float) -> date:
    """The day of the hour that ends so many hours after the start."""
    return start + timedelta(days=max(ceil(round(hours, HOUR_PLACES) / HOURS_PER_DAY) - 1, 0))


def months_of(first: date, last: date) -> list[date]:
    """The first day of each month from that of one day to that of another."""
    months = [first.replace(day=1)]
    while following(months[-1]) <= last:
        months.append(following(months[-1]))
    return months


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=1) + timedelta(days=DAYS_BEYOND_A_MONTH)).replace(day=1)
