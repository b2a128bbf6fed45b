"""From the finished argument to what the quote says: amounts as printed, intervals, drivers."""

from decimal import Decimal

from msgspec import UNSET, UnsetType

from service.core.answer import (
    Acquisition,
    AmountInterval,
    Bill,
    BreakEven,
    CarbonAnswer,
    Driver,
    EnergyAnswer,
    Estimate,
    Exclusion,
    Feasibility,
    Line,
    Magnitude,
    Money,
    Ownership,
    PowerAnswer,
    PricedBill,
    PricedLine,
    RunTotals,
    StageAnswer,
    UnpricedBill,
    UnpricedLine,
)
from service.core.bases.owned import bill as owned
from service.core.catalog import Exclusion as Excluded
from service.core.lines import DraftBill, DraftLine, Priced
from service.core.meters import Draw
from service.core.money import amount_of, decimal_of, printed, printed_rate, sum_of, to_cents
from service.core.provenance import Term
from service.core.stages import Effort
from service.core.uncertainty import Interval, Spread


def printed_bill(bill: DraftBill, spread: Spread) -> Bill:
    """The rows of one basis as the quote shows them; the total adds the amounts as printed."""
    lines = tuple(printed_line(line, spread) for line in bill.lines)
    excludes = tuple(printed_exclusion(row) for row in bill.excludes)
    if bill.total is None:
        return UnpricedBill(basis=bill.basis, lines=lines, excludes=excludes)
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
            for driver in spread.drivers(bill.total.name)
        ),
        excludes=excludes,
    )


def printed_exclusion(row: Excluded) -> Exclusion:
    """What a bill leaves out, with its order of magnitude where there is one."""
    magnitude: Magnitude | UnsetType = UNSET
    if row.unit is not UNSET and row.low is not UNSET and row.high is not UNSET:
        magnitude = Magnitude(low=row.low, high=row.high, unit=row.unit)
    return Exclusion(item=row.item, what=row.what, source=row.source, magnitude=magnitude)


def printed_line(line: DraftLine, spread: Spread) -> Line:
    """One row of a bill as the quote shows it."""
    if not isinstance(line, Priced):
        return UnpricedLine(
            stage=line.stage or UNSET,
            item=line.item,
            label=line.label or UNSET,
            unit=line.unit,
            reason=line.reason,
            detail=line.detail,
            quantity=UNSET if line.quantity is None else line.quantity.central,
            figures=() if line.quantity is None else (line.quantity.name,),
        )
    amount = amount_of(quantity=line.quantity.central, rate=line.rate.central)
    return PricedLine(
        stage=line.stage or UNSET,
        item=line.item,
        label=line.label or UNSET,
        unit=line.unit,
        quantity=line.quantity.central,
        rate=printed_rate(line.rate.central),
        amount=printed(amount),
        interval=_amounts(spread.interval(line.usd.name), central=amount),
        figures=(line.usd.name, line.quantity.name, line.rate.name),
        detail=line.detail or UNSET,
    )


def printed_stage(effort: Effort, draw: Draw | None, spread: Spread) -> StageAnswer:
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
        power_w=UNSET if draw is None else _power(draw, spread),
        energy_kwh=UNSET if draw is None else _energy(draw, spread),
        carbon_kg_co2e=UNSET if draw is None else _carbon(draw, spread),
    )


def printed_totals(total: Draw | None, spread: Spread) -> RunTotals:
    """Energy and carbon of the whole run."""
    if total is None:
        return RunTotals()
    return RunTotals(energy_kwh=_energy(total, spread), carbon_kg_co2e=_carbon(total, spread))


def _power(draw: Draw, spread: Spread) -> PowerAnswer:
    return PowerAnswer(
        average_it=known(draw.power_w["average_it_w"], spread),
        average_facility=known(draw.power_w["average_facility_w"], spread),
        peak_it=known(draw.power_w["peak_it_w"], spread),
        peak_facility=known(draw.power_w["peak_facility_w"], spread),
    )


def _energy(draw: Draw, spread: Spread) -> EnergyAnswer:
    return EnergyAnswer(
        it=known(draw.kwh["it_kwh"], spread),
        overhead=known(draw.kwh["overhead_kwh"], spread),
        facility=known(draw.kwh["facility_kwh"], spread),
    )


def _carbon(draw: Draw, spread: Spread) -> CarbonAnswer:
    return CarbonAnswer(
        location_based=known(draw.kg_co2e["location_based"], spread),
        market_based=estimate(draw.kg_co2e.get("market_based"), spread),
        marginal=estimate(draw.kg_co2e.get("marginal"), spread),
        embodied=estimate(draw.kg_co2e.get("embodied"), spread),
    )


def printed_ownership(one: owned.Ownership, spread: Spread) -> Ownership:
    """What owning a cluster comes to; the parts of the purchase add up as printed."""
    desk = one.holding.desk
    return Ownership(
        cluster=desk.effort.cluster_pointer,
        accelerator=desk.effort.cluster.accelerator,
        devices=int(desk.effort.cluster.devices),
        convention=desk.terms.convention,
        acquisition=_acquisition(one, spread),
        usd_per_device_hour=estimate(one.usd_per_device_hour, spread),
        break_even=UNSET if one.break_even is None else _break_even(one, spread),
    )


def _acquisition(one: owned.Ownership, spread: Spread) -> Acquisition:
    parts = {
        part: to_cents(decimal_of(one.acquisition[part].central))
        for part in ("accelerators_usd", "servers_usd", "network_usd")
    }
    total, figure = sum_of(parts.values()), one.acquisition["total_usd"].name
    return Acquisition(
        accelerators=printed(parts["accelerators_usd"]),
        servers=printed(parts["servers_usd"]),
        cluster_network=printed(parts["network_usd"]),
        total=Money(amount=printed(total), currency="USD"),
        interval=_amounts(spread.interval(figure), central=total),
        figure=figure,
    )


def _break_even(one: owned.Ownership, spread: Spread) -> BreakEven:
    assert one.break_even is not None
    assert one.rented is not None
    return BreakEven(
        usd_per_device_hour_rented=known(one.rented, spread),
        usd_per_device_hour_saved=known(one.break_even["saving_usd_per_device_hour"], spread),
        utilization=known(one.break_even["utilisation"], spread),
        months=known(one.break_even["months"], spread),
    )


def estimate(term: Term | None, spread: Spread) -> Estimate | UnsetType:
    """A number of a stage with its interval and the figure it is walked back from."""
    return UNSET if term is None else known(term, spread)


def known(term: Term, spread: Spread) -> Estimate:
    """A number with its interval and the figure it is walked back from."""
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
