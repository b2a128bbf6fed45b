"""The calendar of a quote: what the hours and amounts of a run are in dates and months."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from service.core.answer.base import Amount, Answer
from service.core.figures.vocabulary import BasisName

Day: TypeAlias = Annotated[str, Meta(description="A day in UTC, as an ISO date.")]
Month: TypeAlias = Annotated[
    str, Meta(pattern=r"^\d{4}-\d{2}$(?!\n)", description="A calendar month in UTC.")
]
CalendarCode: TypeAlias = Literal["start_after_validity"]
UndatedReason: TypeAlias = Literal["hours_unknown", "too_long"]


class Days(Answer, frozen=True, kw_only=True):
    """The day by which something has come with a chance of 50%, and of 90%."""

    p50: Day
    p90: Day


class DatedStage(Answer, frozen=True, kw_only=True):
    """The days on which a stage begins and ends. The last day is that of its last hour."""

    name: str
    begins: Days
    ends: Days


class BillingMonth(Answer, frozen=True, kw_only=True):
    """What falls into one calendar month if every stage takes its median time.

    `amounts` has the month's part of `by_month` of each bill that has a total and lines.
    """

    month: Month
    device_hours: float
    amounts: dict[BasisName, Amount]


class BillByMonth(Answer, frozen=True, kw_only=True):
    """A bill in two parts: `by_month` and `beside_months` are its `total`, to the last digit.

    `by_month` is the hardware of the stages, with what rounding up to whole instances adds, and is
    the sum of the months. `beside_months` has no month of its own: commitments, discounts,
    storage, experiments, staff, data, taxes.
    """

    basis: BasisName
    by_month: Amount
    beside_months: Amount
    total: Amount


class CalendarCaution(Answer, frozen=True, kw_only=True):
    """Something about the dates that a reader should know, with a code for programs."""

    code: CalendarCode
    detail: str


class DatedRun(Answer, frozen=True, kw_only=True, tag_field="status", tag="dated"):
    """The run from its start: days of its stages, months of its hours and amounts.

    A `summary` has no lines, and so no amounts of months.
    """

    start: Day
    ends: Days
    stages: tuple[DatedStage, ...]
    months: tuple[BillingMonth, ...]
    bills: tuple[BillByMonth, ...]
    cautions: tuple[CalendarCaution, ...]


class UndatedRun(Answer, frozen=True, kw_only=True, tag_field="status", tag="undated"):
    """No dates follow: hours of a stage are not known, or the run may take more than ten years."""

    start: Day
    reason: UndatedReason
    detail: str
    cautions: tuple[CalendarCaution, ...]


Calendar: TypeAlias = DatedRun | UndatedRun
