"""From the finished argument to what the quote says: amounts as printed, intervals, drivers."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import UNSET, UnsetType

from service.core.answer import (
    AmountInterval,
    Bill,
    Driver,
    Estimate,
    Feasibility,
    Line,
    Money,
    PricedBill,
    PricedLine,
    StageAnswer,
    UnpricedBill,
    UnpricedLine,
)
from service.core.lines import DraftBill, DraftLine, Priced
from service.core.money import amount_of, decimal_of, printed, printed_rate, sum_of, to_cents
from service.core.provenance import Ledger, Term
from service.core.stages import Effort
from service.core.uncertainty import Interval, Spread


def spread_of_quote(
    ledger: Ledger, bills: Sequence[DraftBill], efforts: Sequence[Effort]
) -> Spread:
    """The joint draws of everything that the quote prints with an interval."""
    priced = [line for bill in bills for line in bill.lines if isinstance(line, Priced)]
    estimated = [
        term
        for effort in efforts
        for term in (effort.device_hours, effort.wall_clock_hours, effort.mfu, effort.goodput)
        if term is not None
    ]
    return Spread(
        ledger,
        wanted=[line.usd.name for line in priced] + [term.name for term in estimated],
        totals=[bill.total.name for bill in bills if bill.total is not None],
    )


def printed_bill(bill: DraftBill, spread: Spread) -> Bill:
    """The rows of one basis as the quote shows them; the total adds the amounts as printed."""
    lines = tuple(printed_line(line, spread) for line in bill.lines)
    if bill.total is None:
        return UnpricedBill(basis=bill.basis, lines=lines, excludes=bill.excludes)
    drivers = spread.drivers(bill.total.name)
    total = sum_of(Decimal(line.amount) for line in lines if isinstance(line, PricedLine))
    return PricedBill(
        basis=bill.basis,
        total=Money(amount=printed(total), currency="USD"),
        interval=_amounts(spread.interval(bill.total.name), central=total),
        figure=bill.total.name,
        lines=lines,
        drivers=tuple(
            Driver(
                figure=driver.figure,
                share=driver.share,
                total_if_low=_dollars(driver.total_if_low),
                total_if_high=_dollars(driver.total_if_high),
            )
            for driver in drivers.ranked
        ),
        interactions=drivers.interactions,
        excludes=bill.excludes,
    )


def printed_line(line: DraftLine, spread: Spread) -> Line:
    """One row of a bill as the quote shows it."""
    if not isinstance(line, Priced):
        return UnpricedLine(
            stage=line.stage,
            item=line.item,
            unit=line.unit,
            reason=line.reason,
            detail=line.detail,
            quantity=UNSET if line.quantity is None else line.quantity.central,
            figures=() if line.quantity is None else (line.quantity.name,),
        )
    amount = amount_of(quantity=line.quantity.central, rate=line.rate.central)
    return PricedLine(
        stage=line.stage,
        item=line.item,
        unit=line.unit,
        quantity=line.quantity.central,
        rate=printed_rate(line.rate.central),
        amount=printed(amount),
        interval=_amounts(spread.interval(line.usd.name), central=amount),
        figures=(line.usd.name, line.quantity.name, line.rate.name),
        detail=line.detail or UNSET,
    )


def printed_stage(effort: Effort, spread: Spread) -> StageAnswer:
    """What the quote says about one stage."""
    return StageAnswer(
        name=effort.stage.name,
        accelerator=effort.cluster.accelerator,
        devices=int(effort.cluster.devices),
        feasibility=Feasibility(status="unknown", detail=effort.unknown)
        if effort.unknown
        else Feasibility(status="not_checked"),
        device_hours=estimate(effort.device_hours, spread),
        wall_clock_hours=estimate(effort.wall_clock_hours, spread),
        mfu=estimate(effort.mfu, spread),
        goodput=estimate(effort.goodput, spread),
    )


def estimate(term: Term | None, spread: Spread) -> Estimate | UnsetType:
    """A number of a stage with its interval and the figure it is walked back from."""
    if term is None:
        return UNSET
    interval = spread.interval(term.name)
    return Estimate(
        central=term.central,
        p10=interval.p10,
        p50=interval.p50,
        p90=interval.p90,
        figure=term.name,
    )


def _amounts(interval: Interval, *, central: Decimal) -> AmountInterval:
    """Quantiles in cents; without any spread they are the printed amount itself."""
    if interval.p10 == interval.p90:
        amount = printed(central)
        return AmountInterval(p10=amount, p50=amount, p90=amount)
    return AmountInterval(
        p10=_dollars(interval.p10), p50=_dollars(interval.p50), p90=_dollars(interval.p90)
    )


def _dollars(usd: float) -> str:
    return printed(to_cents(decimal_of(usd)))
