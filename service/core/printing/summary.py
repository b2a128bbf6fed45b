"""A quote for those who want totals and intervals only."""

import msgspec

from service.core.answer import Bill, PricedBill, Quote, StageAnswer
from service.core.request.request import QuoteRequest


def as_asked(answer: Quote, request: QuoteRequest) -> Quote:
    """The quote in the detail that the request wants."""
    return summary_of(answer) if request.options.detail == "summary" else answer


def summary_of(answer: Quote) -> Quote:
    """The quote without lines, drivers, exclusions, bridges, ownership, markets, figures and steps.

    It keeps every total with its interval, all warnings and notes, and feasibility, device-hours,
    wall clock with its begin and end, MFU, goodput, energy and carbon of every stage.
    """
    return msgspec.structs.replace(
        answer,
        bases=tuple(_bill(bill) for bill in answer.bases),
        exclusions=(),
        bridges=(),
        ownership=(),
        markets=(),
        narrow_by=(),
        stages=tuple(_stage(stage) for stage in answer.stages),
        figures={},
    )


def _bill(bill: Bill) -> Bill:
    if isinstance(bill, PricedBill):
        return msgspec.structs.replace(bill, lines=(), drivers=(), excludes=())
    return msgspec.structs.replace(bill, lines=(), excludes=())


def _stage(stage: StageAnswer) -> StageAnswer:
    return StageAnswer(
        name=stage.name,
        accelerator=stage.accelerator,
        devices=stage.devices,
        feasibility=stage.feasibility,
        device_hours=stage.device_hours,
        wall_clock_hours=stage.wall_clock_hours,
        begins_after_hours=stage.begins_after_hours,
        ends_after_hours=stage.ends_after_hours,
        mfu=stage.mfu,
        goodput=stage.goodput,
        energy_kwh=stage.energy_kwh,
        carbon_kg_co2e=stage.carbon_kg_co2e,
    )
