"""What a quote plans and what happened, as factors of the cost of its device-hours."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import UNSET, Struct

from service.core.answer import Item
from service.core.answer.reconciliation import (
    Factors,
    ReconciliationNote,
    ReconciliationNoteCode,
)
from service.core.differing.kept import KeptBill, KeptQuote, KeptStage
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.request.about_quotes.reconciliation import (
    Happened,
    Invoice,
    InvoicedItem,
    ReconciliationRequest,
)
from service.core.request.request import QuoteRequest
from service.core.request.wire import Interval
from service.core.request.work import ExampleData, Finetuning, Pretraining, TokenData, Work

HOURS_OF_DEVICES: Final[frozenset[Item]] = frozenset(
    {"device_rental", "rounding", "unused_commitment"}
)
COMPUTE: Final[frozenset[Item]] = HOURS_OF_DEVICES | {"discount"}
"""Items of a bill that an invoice has as device-hours and their discounts."""
COMPUTE_INVOICED: Final[frozenset[InvoicedItem]] = frozenset({"device_rental", "discount"})
RESTART: Final = "restart_seconds"


WriteNote: TypeAlias = Callable[[ReconciliationNoteCode, str], None]
"""Writes a note."""


class Course(Struct, frozen=True, kw_only=True):
    """The plan and the course of a run, with what had to be assumed. Hours held are the run's."""

    planned: Factors
    happened: Factors
    held_device_hours: float
    lost_share: float | None
    work_done: float
    notes: tuple[ReconciliationNote, ...]


def course_of(
    quote: KeptQuote, bill: KeptBill, asked: ReconciliationRequest, request: QuoteRequest | None
) -> Course:
    """The factors of the plan, and those of what happened."""
    notes: list[ReconciliationNote] = []

    def note(code: ReconciliationNoteCode, detail: str) -> None:
        notes.append(ReconciliationNote(code=code, detail=detail))

    planned_hours = sum(line.quantity for line in bill.lines if line.item in HOURS_OF_DEVICES)
    hours, held = _hours(quote, asked, planned_hours)
    if hours is None:
        note("hours_as_quoted", "no hours are known, so the rate takes what device-hours cost more")
    work = _work_done(asked.happened, request)
    if work is None:
        note("work_as_quoted", "how much was done is not known; it is taken to be what was quoted")
    goodput = planned_goodput(quote.stages)
    lost = _lost_share(quote, asked.happened, held or planned_hours, note)
    if lost is None:
        note("goodput_as_quoted", "lost time is not known, so all that took longer is speed")
    elif goodput is None:
        note("no_losses_in_quote", "the quote states hours; all time that was lost is beyond it")
    planned = factors(_amount(bill), planned_hours, work=1.0, goodput=goodput or 1.0)
    happened = factors(
        sum(line.amount for line in asked.invoice.lines if line.item in COMPUTE_INVOICED),
        planned_hours if hours is None else hours,
        work=1.0 if work is None else work,
        goodput=(goodput or 1.0) if lost is None else 1.0 - lost,
    )
    return Course(
        planned=planned,
        happened=happened,
        held_device_hours=held or planned_hours,
        lost_share=lost,
        work_done=1.0 if work is None else work,
        notes=tuple(notes),
    )


def factors(cost: float, device_hours: float, *, work: float, goodput: float) -> Factors:
    """The factors of a cost. Without hours there is nothing but the rate."""
    hours = device_hours or 1.0
    return Factors(
        rate=cost / hours,
        device_hours=device_hours,
        work=work,
        productive_device_hours=hours * goodput / work,
        goodput=goodput,
    )


def _amount(bill: KeptBill) -> float:
    return sum(float(line.amount or 0.0) for line in bill.lines if line.item in COMPUTE)


def _hours(
    quote: KeptQuote, asked: ReconciliationRequest, planned_hours: float
) -> tuple[float | None, float | None]:
    """Device-hours that were paid for, and those that were held. None if not known."""
    happened, stages = asked.happened, quote.stages
    held: float | None = None
    if happened.device_hours is not UNSET:
        held = happened.device_hours
    elif happened.hours is not UNSET and len({stage.devices for stage in stages}) == 1:
        held = happened.hours * stages[0].devices
    invoiced = invoiced_hours(asked.invoice)
    if invoiced is None and held is not None and _has_rounding(planned_hours, stages):
        paid = held * planned_hours / _held_hours(stages)
        return paid, held
    return (held if invoiced is None else invoiced), (invoiced if held is None else held)


def _held_hours(stages: Sequence[KeptStage]) -> float:
    return sum(stage.device_hours.central for stage in stages if stage.device_hours is not None)


def _has_rounding(planned_hours: float, stages: Sequence[KeptStage]) -> bool:
    """Whether more hours are billed than the run holds, as whole nodes or committed hours."""
    held = _held_hours(stages)
    return 0.0 < held < planned_hours


def invoiced_hours(invoice: Invoice) -> float | None:
    """Device-hours of the lines for devices. None unless all such lines say them."""
    lines = [line for line in invoice.lines if line.item == "device_rental"]
    hours = [line.device_hours for line in lines if line.device_hours is not UNSET]
    return sum(hours) if hours and len(hours) == len(lines) else None


def planned_goodput(stages: Sequence[KeptStage]) -> float | None:
    """The goodput of all stages, by their hours. None if a stage has none."""
    known = [
        (stage.device_hours.central, stage.goodput.central)
        for stage in stages
        if stage.device_hours is not None and stage.goodput is not None
    ]
    if not known or len(known) < len(stages):
        return None
    hours = sum(held for held, _ in known)
    return sum(held * goodput for held, goodput in known) / hours


def _work_done(happened: Happened, request: QuoteRequest | None) -> float | None:
    """The work that was done over that which was quoted. None if that is not known."""
    if happened.done_share is not UNSET:
        return happened.done_share
    quoted = None if request is None else planned_tokens(stage.work for stage in request.run.stages)
    if happened.tokens is UNSET or quoted is None:
        return None
    return happened.tokens / quoted


def planned_tokens(works: Iterable[Work]) -> float | None:
    """Tokens of all stages together. None if one of them has no number of tokens."""
    total = 0.0
    for work in works:
        match work:
            case Pretraining():
                tokens = middle_of(work.tokens)
            case Finetuning(data=TokenData() as data):
                tokens = middle_of(data.tokens)
            case Finetuning(data=ExampleData() as data):
                tokens = (
                    middle_of(data.examples) * middle_of(data.mean_tokens) * middle_of(data.epochs)
                )
            case _:
                return None
        total += tokens
    return total


def middle_of(quantity: float | Interval[float]) -> float:
    """The number, or the middle of an interval as the caller gives it."""
    if not isinstance(quantity, Interval):
        return quantity
    if quantity.central is not UNSET:
        return quantity.central
    return float((quantity.low * quantity.high) ** 0.5)


def _lost_share(quote: KeptQuote, happened: Happened, held: float, note: WriteNote) -> float | None:
    """The share of the held hours that moved nothing forward. None if that is not known."""
    devices = max((stage.devices for stage in quote.stages), default=1)
    clock = held / devices
    if happened.lost_hours is not UNSET:
        lost = happened.lost_hours
    elif happened.restarts is not UNSET and (each := hours_of_restart(quote)) is not None:
        lost = happened.restarts * each
        note("goodput_from_restarts", f"each restart is taken to cost {each:.3g} hours, as quoted")
    else:
        return None
    if lost >= clock:
        note("lost_more_than_held", f"{lost:,.6g} hours were lost of {clock:,.6g} that were held")
        return None
    return lost / clock


def hours_of_restart(quote: KeptQuote) -> float | None:
    """Hours on the clock that a failure costs: the restart, and half a checkpoint interval.

    Source: Young 1974 and Daly 2006, as in the goodput of the quote.
    """
    seconds = [figure.value for name, figure in quote.figures.items() if RESTART in name]
    intervals = [
        stage.losses.checkpoint_interval_seconds.central
        for stage in quote.stages
        if stage.losses is not None and stage.losses.checkpoint_interval_seconds is not None
    ]
    if not seconds or not intervals:
        return None
    return (seconds[0] + intervals[0] / 2.0) / SECONDS_PER_HOUR
