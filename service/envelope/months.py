"""Device-hours and amounts of a run by calendar month.

A stage's device-hours and amounts are spread evenly over its time, from the median of its begin to
the median of its end.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from msgspec import UNSET, Struct

from service.core.answer.calendar import BillByMonth
from service.core.figures.vocabulary import MINOR_PLACES
from service.envelope.kept import KeptBill, KeptEstimate, KeptStage

OF_THE_RUN: Final = frozenset({"rounding"})
"""Items without a stage that belong to the hardware of all stages."""
WHOLE_RUN: Final = ""
"""Stands for all stages where the name of one may stand."""
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
NOTHING: Final = Decimal()


class TimedStage(Struct, frozen=True, kw_only=True):
    """A stage with its times in hours from the start of the run."""

    name: str
    device_hours: float
    begins: KeptEstimate
    ends: KeptEstimate


def timed_stage(stage: KeptStage) -> TimedStage:
    """A stage of a run whose hours are all known."""
    assert stage.device_hours is not UNSET
    assert stage.begins_after_hours is not UNSET
    assert stage.ends_after_hours is not UNSET
    return TimedStage(
        name=stage.name,
        device_hours=stage.device_hours.central,
        begins=stage.begins_after_hours,
        ends=stage.ends_after_hours,
    )


def done_by(stage: TimedStage, month_ends: Iterable[float]) -> list[float]:
    """The share of a stage that is done by the end of each month, in hours from the start."""
    return [_share_done(stage.begins.p50, stage.ends.p50, at_hours=hours) for hours in month_ends]


def _share_done(begin: float, end: float, *, at_hours: float) -> float:
    """The share that is done at a time. Late in a run, a short stage may end as it begins."""
    if at_hours >= end:
        return 1.0
    return 0.0 if at_hours <= begin else (at_hours - begin) / (end - begin)


class Progress:
    """How much of each stage is done by the end of each month."""

    __slots__ = ("_done", "_stages", "months")

    def __init__(self, stages: Sequence[TimedStage], month_ends: Sequence[float]) -> None:
        """`month_ends` are in hours from the start of the run; the last is no earlier than it."""
        self.months = len(month_ends)
        self._stages = stages
        self._done = [done_by(stage, month_ends) for stage in stages]

    def device_hours(self) -> list[float]:
        """The device-hours of each month."""
        by_end = [
            sum(
                stage.device_hours * done[month]
                for stage, done in zip(self._stages, self._done, strict=True)
            )
            for month in range(self.months)
        ]
        return [now - before for before, now in zip([0.0, *by_end], by_end, strict=False)]

    def share(self, name: str, month: int) -> float:
        """The share done by the end of a month of the stages of a name, by device-hours."""
        chosen = [
            (stage.device_hours, done[month])
            for stage, done in zip(self._stages, self._done, strict=True)
            if name in (stage.name, WHOLE_RUN)
        ]
        hours = sum(hours for hours, _ in chosen)
        if hours <= 0.0:
            return max(done for _, done in chosen)
        return min(sum(own * done for own, done in chosen) / hours, 1.0)

    def spent(self, bill: KeptBill) -> list[Decimal]:
        """The hardware of a bill in each month, rounded so that the months add up to it."""
        amounts, least = hardware_of(bill), minor_unit_of(bill)
        exponents = [amount.as_tuple().exponent for amount in (least, *amounts.values())]
        unit = Decimal(1).scaleb(min(one for one in exponents if isinstance(one, int)))
        spent, before = [], NOTHING
        for month in range(self.months):
            now = NOTHING
            for name, amount in amounts.items():
                now = EXACT.add(now, EXACT.multiply(amount, Decimal(self.share(name, month))))
            now = now.quantize(unit, context=EXACT)
            spent.append(EXACT.subtract(now, before))
            before = now
        return spent


def hardware_of(bill: KeptBill) -> dict[str, Decimal]:
    """The amounts of a bill's hardware by the name of its stage."""
    found: dict[str, Decimal] = {}
    for line in bill.lines:
        if line.amount is UNSET or (line.stage is UNSET and line.item not in OF_THE_RUN):
            continue
        name = WHOLE_RUN if line.stage is UNSET else line.stage
        found[name] = EXACT.add(found.get(name, NOTHING), Decimal(line.amount))
    return found


def by_month(bill: KeptBill, spent: Iterable[Decimal]) -> BillByMonth:
    """A bill in two parts: what has months, and what has none. They add up to its total."""
    assert bill.total is not UNSET
    total, hardware = Decimal(bill.total.amount), NOTHING * minor_unit_of(bill)
    for amount in spent:
        hardware = EXACT.add(hardware, amount)
    return BillByMonth(
        basis=bill.basis,
        by_month=printed(hardware),
        beside_months=printed(EXACT.subtract(total, hardware)),
        total=bill.total.amount,
    )


def minor_unit_of(bill: KeptBill) -> Decimal:
    """The smallest unit of the bill's currency: a cent, or a yen."""
    assert bill.total is not UNSET
    return Decimal(1).scaleb(-MINOR_PLACES[bill.total.currency])


def printed(amount: Decimal) -> str:
    """An amount as a decimal string."""
    return f"{amount:f}"
