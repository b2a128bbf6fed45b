"""What a finished run says about the next quote: its work as it went, with the measured speed.

The hours of a stage fall with its speed: hours = a / speed + b, where b is the start of the run. So
the speed that gives the measured hours follows from two predictions, and a third one checks it.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from service.core.answer.reconciliation import NextQuote
from service.core.argument import Unknown
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.differing.kept import KeptStage
from service.core.differing.planned import Course, middle_of
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.quote import argument_of, checked
from service.core.request.request import QuoteRequest, Stage
from service.core.request.work import (
    Anchor,
    Compute,
    ExampleData,
    Finetuning,
    LayoutTerms,
    Metered,
    Pretraining,
    TokenData,
    Work,
)
from service.core.stages.effort import efforts_of

SPEED_DIGITS: Final = 10
"""Digits of a measured speed. The hours come out to as many."""
SOME_MFU: Final = 0.25
"""Where hours are predicted in order to see how they fall with MFU."""
Lossy = TypeVar("Lossy", Pretraining, Finetuning, Compute)
Speeded: TypeAlias = Callable[[float], Work]
"""The work of a stage at a speed."""


class Unreachable(Exception):
    """No speed gives the measured hours."""


def next_quote(
    request: QuoteRequest, catalog: Catalog, stages: tuple[KeptStage, ...], course: Course
) -> NextQuote:
    """The work of the run's stage as it went, to be quoted again."""
    if len(request.run.stages) != 1:
        return NextQuote(
            kind="none",
            detail="the run has several stages; reconcile each with a quote and an invoice of its "
            "own",
        )
    stage = request.run.stages[0]
    try:
        if isinstance(stage.work, Pretraining):
            return _anchored(request, catalog, stages[0], course)
        if isinstance(stage.work, Finetuning | Compute):
            return _at_mfu(request, catalog, stages[0], course)
    except (Unreachable, NotQuotable) as error:
        return _metered(request, catalog, course, because=str(error))
    return _metered(request, catalog, course, because="work of this kind takes no measured speed")


def device_hours_of(request: QuoteRequest, catalog: Catalog, work: Work) -> float:
    """Device-hours that the engine gives for another work of the run's only stage.

    Raises `NotQuotable`, or `Unreachable` if they are not known.
    """
    again = with_work(request, work)
    named = checked(again, catalog)
    (effort,) = efforts_of(argument_of(named.request, named.catalog), named.request)
    if isinstance(effort.device_hours, Unknown):
        raise Unreachable(effort.device_hours.detail)
    return effort.device_hours.central


def with_work(request: QuoteRequest, work: Work) -> QuoteRequest:
    """The request with another work of its only stage."""
    stage: Stage = replace(request.run.stages[0], work=work)
    return replace(request, run=replace(request.run, stages=(stage,)))


def _anchored(
    request: QuoteRequest, catalog: Catalog, stage: KeptStage, course: Course
) -> NextQuote:
    """A pre-training with the speed that was measured on its devices, in its layout."""
    work = request.run.stages[0].work
    assert isinstance(work, Pretraining)
    tokens = middle_of(work.tokens) * course.work_done
    layout = layout_as_asked(stage)

    def at(speed: float) -> Pretraining:
        anchor = Anchor(tokens_per_s_per_device=speed, devices=float(stage.devices), layout=layout)
        return replace(
            _as_it_went(work, course), tokens=tokens, layout=layout, mfu=UNSET, anchor=anchor
        )

    useful = course.held_device_hours * (1.0 - (course.lost_share or 0.0)) * SECONDS_PER_HOUR
    speed = _speed_for(request, catalog, at, near=tokens / useful, course=course)
    found = at(speed)
    return NextQuote(
        kind="anchor",
        detail=f"{speed:,.6g} tokens/s per device on {stage.devices:,} devices, in the layout of "
        "the quote",
        anchor=Raw(msgspec.json.encode(found.anchor)),
        work=Raw(msgspec.json.encode(found)),
        device_hours=device_hours_of(request, catalog, found),
    )


def _at_mfu(request: QuoteRequest, catalog: Catalog, stage: KeptStage, course: Course) -> NextQuote:
    """A fine-tuning, or FLOP, at the MFU that was measured."""
    work = request.run.stages[0].work
    assert isinstance(work, Finetuning | Compute)

    def at(mfu: float) -> Work:
        if isinstance(work, Compute):
            flop = middle_of(work.flop) * course.work_done
            return replace(_as_it_went(work, course), mfu=mfu, flop=flop)
        data = work.data
        done: TokenData | ExampleData
        if isinstance(data, TokenData):
            done = replace(data, tokens=middle_of(data.tokens) * course.work_done)
        else:
            done = replace(data, examples=middle_of(data.examples) * course.work_done)
        layout = UNSET if stage.layout is None else layout_as_asked(stage)
        return replace(_as_it_went(work, course), mfu=mfu, data=done, layout=layout)

    mfu = _speed_for(request, catalog, at, near=SOME_MFU, course=course)
    if mfu > 1.0:
        raise Unreachable(f"the hours would take an MFU of {mfu:.3g}, which is more than the peak")
    found = at(mfu)
    return NextQuote(
        kind="mfu",
        detail=f"an MFU of {mfu:.4g}",
        work=Raw(msgspec.json.encode(found)),
        device_hours=device_hours_of(request, catalog, found),
    )


def _metered(request: QuoteRequest, catalog: Catalog, course: Course, *, because: str) -> NextQuote:
    """The measured hours themselves, where no speed gives them."""
    repeat = middle_of(request.run.stages[0].repeat)
    work = Metered(device_hours=course.held_device_hours / repeat)
    return NextQuote(
        kind="metered",
        detail=f"the measured device-hours themselves: {because}",
        work=Raw(msgspec.json.encode(work)),
        device_hours=device_hours_of(request, catalog, work),
    )


def _as_it_went(work: Lossy, course: Course) -> Lossy:
    """The work with the goodput that it had, if that is known."""
    if course.lost_share is None:
        return work
    return replace(work, goodput=max(1.0 - course.lost_share, LEAST_STATED_GOODPUT))


LEAST_STATED_GOODPUT: Final = 0.01
"""The least that a request may state."""


def _speed_for(
    request: QuoteRequest, catalog: Catalog, at: Speeded, *, near: float, course: Course
) -> float:
    """The speed that gives the hours held. Raises `Unreachable` or `NotQuotable`."""
    slow, fast = (device_hours_of(request, catalog, at(speed)) for speed in (near / 2.0, near))
    falling = (slow - fast) * near
    constant = fast - falling / near
    left = course.held_device_hours - constant
    if falling <= 0.0 or left <= 0.0:
        raise Unreachable(
            f"the start alone is predicted to take {constant:,.6g} device-hours, of "
            f"{course.held_device_hours:,.6g} that were held"
        )
    return float(f"{falling / left:.{SPEED_DIGITS}g}")


def layout_as_asked(stage: KeptStage) -> LayoutTerms:
    """The layout of a stage as a request states it. Raises `Unreachable` if it has none."""
    if stage.layout is None:
        raise Unreachable("the quote has no layout, because none fits or none was looked for")
    said = {key: value for key, value in stage.layout.items() if key != "devices_used"}
    return msgspec.convert(said, LayoutTerms, strict=False)
