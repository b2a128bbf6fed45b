"""The finished argument as the quote shows it: printed amounts, intervals, drivers."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from service.core.answer import (
    Acquisition,
    AmountInterval,
    Bill,
    BreakEven,
    Budget,
    CarbonAnswer,
    ClaimedEstimate,
    Driver,
    EnergyAnswer,
    Estimate,
    EstimateWithOutcomes,
    Exclusion,
    Feasibility,
    GenerationAnswer,
    LayoutAnswer,
    Line,
    LossesAnswer,
    Magnitude,
    MemoryAnswer,
    Money,
    Ownership,
    PowerAnswer,
    PricedBill,
    PricedLine,
    RateVersusMarket,
    RunnerUp,
    RunTotals,
    StageAnswer,
    StepAnswer,
    UnpricedBill,
    UnpricedLine,
)
from service.core.argument import Unknown
from service.core.bills.exclusions import DraftExclusion
from service.core.bills.lines import DraftBill, DraftLine, Priced
from service.core.bills.market import GivenRate
from service.core.bills.owned import bill as owned
from service.core.bills.power import Consumption
from service.core.cluster.hardware import device_of
from service.core.draws.looks import Quantiles
from service.core.draws.memo import Memo
from service.core.draws.spread import Outcomes, Spread
from service.core.figures.ledger import Ledger, Term
from service.core.figures.vocabulary import MINOR_PLACES, Currency
from service.core.printing.money import (
    CENT_PLACES,
    RATE_DECIMALS,
    amount_of,
    printed,
    printed_estimate,
    printed_rate,
    rounded_amount,
    sum_of_amounts,
)
from service.core.stages.effort import Effort
from service.core.stages.hours import Hours, TimeShares, Written
from service.core.training.parallelism import RECOMPUTE_NAME, SCHEDULE_NAME, Layout, devices_of
from service.core.training.placement import Placed, Unplaced
from service.core.training.step import Step

RATIO_DECIMALS: Final = 9
"""Of step times that a search of many layouts found. Further digits differ between processors."""


def spread_of_quote(
    ledger: Ledger,
    bills: Sequence[DraftBill],
    memo: Memo,
    *,
    hours: Iterable[Term | Unknown | None],
    kind: type[Spread] = Spread,
) -> Spread:
    """The joint draws of the whole argument, with the drivers of the bills' totals.

    They also have outcomes of the hours, and of seconds of steps, that are known.
    """
    totals = [bill.total.name for bill in bills if bill.total is not None]
    drawn = [term.name for term in hours if isinstance(term, Term)]
    return kind(ledger, memo, totals=totals, outcomes=drawn)


def printed_bill(
    bill: DraftBill, spread: Spread, *, currency: Currency, itemised: bool = True
) -> Bill:
    """The lines of one basis as the quote shows them. The total adds the amounts as printed.

    A bill that is not itemised has neither lines nor drivers.
    """
    places = MINOR_PLACES[currency]
    lines = tuple(printed_line(line, spread, places=places) for line in bill.lines if itemised)
    amounts = [
        amount_of_line(line, places=places) for line in bill.lines if isinstance(line, Priced)
    ]
    total = sum_of_amounts(amounts, places=places)
    money = Money(amount=printed(total), currency=currency)
    if bill.total is None:
        return UnpricedBill(
            basis=bill.basis,
            priced_lines_total=money if amounts else UNSET,
            lines=lines,
            excludes=bill.excludes,
        )
    figure, drivers = bill.total.name, spread.drivers(bill.total.name)
    interval = printed_interval(spread.interval(figure), central=total, places=places)
    outcomes, p80 = _printed_outcomes(
        spread.outcomes(figure), spread.interval(figure), central=total, places=places
    )
    return PricedBill(
        basis=bill.basis,
        total=money,
        budget=Budget(p50=interval.p50, p80=p80),
        interval=interval,
        outcomes=outcomes,
        figure=figure,
        lines=lines,
        drivers=tuple(
            Driver(
                figure=driver.figure,
                share=driver.share,
                total_if_low=printed_estimate(driver.total_if_low, places=places),
                total_if_high=printed_estimate(driver.total_if_high, places=places),
            )
            for driver in drivers.ranked
            if itemised
        ),
        interactions=drivers.interactions,
        excludes=bill.excludes,
    )


def printed_exclusion(one: DraftExclusion, spread: Spread, *, currency: Currency) -> Exclusion:
    """A cost that bills leave out: its amount, or else its order of magnitude if there is one."""
    row, usd, places = one.row, one.usd, MINOR_PLACES[currency]
    magnitude: Magnitude | UnsetType = UNSET
    if row.unit is not UNSET and row.low is not UNSET and row.high is not UNSET and usd is None:
        magnitude = Magnitude(low=row.low, high=row.high, unit=row.unit)
    return Exclusion(
        item=row.item,
        bases=one.bases,
        what=one.what,
        amount=UNSET
        if usd is None
        else printed_interval(
            spread.interval(usd.name),
            central=rounded_amount(usd.central, places=places),
            places=places,
        ),
        figure=UNSET if usd is None else usd.name,
        detail=one.detail or UNSET,
        magnitude=magnitude,
        source=row.source,
    )


def printed_rate_position(given: GivenRate) -> RateVersusMarket:
    """A given rate among comparable prices, as the quote shows it."""
    rate, position = given.usd_per_device_hour, given.position
    return RateVersusMarket(
        cluster=given.cluster.pointer,
        accelerator=device_of(given.cluster).label,
        usd_per_device_hour=printed_rate(rate.central),
        figure=rate.name,
        share_below=position.share_below,
        count=position.count,
        newest=position.newest,
        lowest=printed_rate(round(position.lowest, RATE_DECIMALS)),
        median=printed_rate(round(position.median, RATE_DECIMALS)),
        highest=printed_rate(round(position.highest, RATE_DECIMALS)),
    )


def amount_of_line(line: Priced, *, places: int) -> Decimal:
    """The amount of a line as it is printed."""
    return amount_of(quantity=line.quantity.central, rate=line.rate.central, places=places)


def printed_line(line: DraftLine, spread: Spread, *, places: int) -> Line:
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
    amount = amount_of_line(line, places=places)
    return PricedLine(
        stage=line.stage or UNSET,
        item=line.item,
        label=line.label or UNSET,
        unit=line.unit,
        quantity=line.quantity.central,
        rate=printed_rate(line.rate.central),
        amount=printed(amount),
        interval=printed_interval(spread.interval(line.usd.name), central=amount, places=places),
        figures=(line.usd.name, line.quantity.name, line.rate.name),
        detail=line.detail or UNSET,
    )


def printed_stage(
    effort: Effort,
    consumption: Consumption | None,
    spread: Spread,
    *,
    begins: Term | None,
    ends: Term | None,
) -> StageAnswer:
    """One stage as the quote shows it, with its time in the run if that is known."""
    hours = effort.hours
    step = hours.step
    return StageAnswer(
        name=effort.stage.name,
        accelerator=device_of(effort.context.cluster).label,
        devices=int(effort.cluster.devices),
        feasibility=feasibility(effort),
        device_hours=estimate_with_outcomes(effort.device_hours, spread),
        wall_clock_hours=estimate_with_outcomes(effort.wall_clock_hours, spread),
        begins_after_hours=estimate(begins, spread),
        ends_after_hours=estimate(ends, spread),
        mfu=estimate(hours.mfu, spread),
        hfu=estimate(None if step is None else step.hfu, spread),
        goodput=estimate(None if hours.shares is None else hours.shares.goodput, spread),
        power_w=UNSET if consumption is None else _power(consumption, spread),
        energy_kwh=UNSET if consumption is None else _energy(consumption, spread),
        carbon_kg_co2e=UNSET if consumption is None else _carbon(consumption, spread),
        losses=UNSET if hours.shares is None else printed_losses(hours, hours.shares, spread),
        tokens=_estimates(hours.tokens, spread),
        generation=UNSET if hours.written is None else printed_generation(hours.written, spread),
        phases=_estimates(hours.phases, spread),
        tokens_per_s_per_device=estimate(
            None if step is None else step.tokens_per_s_per_device, spread
        ),
        step=UNSET if step is None else printed_step(step, effort, spread),
        memory=printed_serving_memory(hours.written) if step is None else printed_memory(step),
        layout=UNSET
        if step is None or step.placement.layout is None
        else printed_layout(step.placement.layout),
        runners_up=() if step is None else runners_up(step),
    )


def feasibility(effort: Effort) -> Feasibility:
    """Whether the stage can run as described, if that was checked."""
    hours = effort.hours
    placement = None if hours.step is None else hours.step.placement
    if isinstance(placement, Unplaced):
        return _infeasible(placement)
    if isinstance(hours.device_hours, Unknown):
        return _infeasible(hours.device_hours)
    if placement is not None and placement.tight:
        return Feasibility(status="tight", detail=placement.tight)
    if placement is not None or hours.written is not None:
        return Feasibility(status="fits")
    return Feasibility(status="not_checked")


def _infeasible(why: Unknown) -> Feasibility:
    """The state for each reason. A device that lacks a number may still run the stage."""
    return Feasibility(
        status="unknown" if why.reason == "unsuited" else why.reason, detail=why.detail
    )


def printed_step(step: Step, effort: Effort, spread: Spread) -> StepAnswer | UnsetType:
    """The time of a step with its parts. The largest part is the one that binds."""
    seconds, steps = estimate(step.seconds, spread), estimate(effort.hours.steps, spread)
    if seconds is UNSET or steps is UNSET:
        return UNSET
    parts = {name: term.central for name, term in step.parts.items() if term.central > 0.0}
    return StepAnswer(
        seconds=seconds,
        steps=steps,
        predicted_s=UNSET if step.predicted_s is None else step.predicted_s.central,
        parts=parts,
        framework=step.framework,
        binding=max(parts, key=lambda name: parts[name]) if parts else UNSET,
    )


def printed_losses(hours: Hours, shares: TimeShares, spread: Spread) -> LossesAnswer:
    """Where the held time goes besides the steps."""
    return LossesAnswer(
        goodput=_known(shares.goodput, spread),
        evaluation_share=estimate(shares.evaluation_share, spread),
        idle_share=estimate(shares.idle_share, spread),
        startup_hours=estimate(hours.startup, spread),
        practice=estimate(shares.disclosed_over_expected, spread),
        **{name: estimate(term, spread) for name, term in shares.losses.items()},
    )


def printed_generation(written: Written, spread: Spread) -> GenerationAnswer:
    """How a stage generates."""
    return GenerationAnswer(
        tensor_parallel=int(written.serving.tensor_parallel),
        devices_per_replica=int(written.serving.devices),
        replicas=int(written.replicas),
        concurrent_sequences=_known(written.concurrent, spread),
        longest_tokens=_known(written.longest_tokens, spread),
        tokens_per_s_per_device=_known(written.tokens_per_s_per_device, spread),
        parts={name: term.central for name, term in written.parts.items()},
        binding=written.bound,
    )


def _estimates(terms: Mapping[str, Term], spread: Spread) -> dict[str, Estimate]:
    """Named numbers of a stage."""
    return {name: _known(term, spread) for name, term in terms.items()}


def _known(term: Term, spread: Spread) -> Estimate:
    found = estimate(term, spread)
    assert found is not UNSET
    return found


def printed_memory(step: Step) -> MemoryAnswer | UnsetType:
    """The bytes on the fullest device. The total is the sum of the parts."""
    return _memory(step.memory, step.capacity)


def printed_serving_memory(written: Written | None) -> MemoryAnswer | UnsetType:
    """The bytes on a device that generates, if only that is known of the stage."""
    if written is None or written.capacity is None:
        return UNSET
    return _memory(written.memory, written.capacity)


def _memory(memory: Mapping[str, Term], capacity: Term) -> MemoryAnswer | UnsetType:
    if not memory:
        return UNSET
    total = memory["total"]
    return MemoryAnswer(
        total_bytes=total.central,
        capacity_bytes=capacity.central,
        parts={
            name: term.central
            for name, term in memory.items()
            if name != "total" and term.central > 0.0
        },
        figure=total.name,
    )


def printed_layout(layout: Layout) -> LayoutAnswer:
    """A layout in the words of the request."""
    return LayoutAnswer(
        tensor_parallel=int(layout.tensor_parallel),
        pipeline_parallel=int(layout.pipeline_parallel),
        data_parallel=int(layout.data_parallel),
        context_parallel=int(layout.context_parallel),
        expert_parallel=int(layout.expert_parallel),
        micro_batch=int(layout.micro_batch),
        virtual_stages=int(layout.virtual_stages),
        zero_stage=int(layout.zero_stage),
        sequence_parallel=bool(layout.sequence_parallel),
        recompute=RECOMPUTE_NAME[float(layout.recompute)],
        recompute_share=float(layout.recompute_share),
        offload_share=float(layout.offload_share),
        optimizer_offload=bool(layout.optimizer_offload),
        weight_offload=bool(layout.weight_offload),
        pipeline_schedule=SCHEDULE_NAME[float(layout.pipeline_schedule)],
        expert_overlap=bool(layout.expert_overlap),
        devices_used=int(devices_of(layout)),
    )


def runners_up(step: Step) -> tuple[RunnerUp, ...]:
    """The next best layouts of the search."""
    placement = step.placement
    if not isinstance(placement, Placed) or not placement.chosen:
        return ()
    return tuple(
        RunnerUp(
            layout=printed_layout(candidate.layout),
            step_time_ratio=round(
                float(candidate.step_time_s or 0.0) / placement.best_s, RATIO_DECIMALS
            ),
            memory_bytes=float(candidate.memory.total),
        )
        for candidate in placement.runners_up
    )


def printed_totals(total: Consumption | None, spread: Spread) -> RunTotals:
    """Energy and carbon of the whole run."""
    if total is None:
        return RunTotals()
    return RunTotals(energy_kwh=_energy(total, spread), carbon_kg_co2e=_carbon(total, spread))


def _power(consumption: Consumption, spread: Spread) -> PowerAnswer:
    return PowerAnswer(
        average_it=known(consumption.power_w["average_it_w"], spread),
        average_facility=known(consumption.power_w["average_facility_w"], spread),
        peak_it=known(consumption.power_w["peak_it_w"], spread),
        peak_facility=known(consumption.power_w["peak_facility_w"], spread),
    )


def _energy(consumption: Consumption, spread: Spread) -> EnergyAnswer:
    return EnergyAnswer(
        it=known(consumption.kwh["it_kwh"], spread),
        overhead=known(consumption.kwh["overhead_kwh"], spread),
        facility=known(consumption.kwh["facility_kwh"], spread),
    )


def _carbon(consumption: Consumption, spread: Spread) -> CarbonAnswer:
    return CarbonAnswer(
        location_based=known(consumption.kg_co2e["location_based"], spread),
        market_based=_claimed(consumption, spread),
        marginal=estimate(consumption.kg_co2e.get("marginal"), spread),
        embodied=estimate(consumption.kg_co2e.get("embodied"), spread),
    )


def _claimed(consumption: Consumption, spread: Spread) -> ClaimedEstimate | UnsetType:
    """Market-based carbon, with the operators whose claim it is."""
    term = consumption.kg_co2e.get("market_based")
    if term is None:
        return UNSET
    found = msgspec.structs.asdict(known(term, spread))
    return ClaimedEstimate(**found, claimed_by=consumption.claimed_by)


def printed_ownership(one: owned.OwningFigures, spread: Spread, *, currency: Currency) -> Ownership:
    """Owning a cluster as the quote shows it. The parts of the purchase add up as printed."""
    terms = one.holding.terms
    return Ownership(
        cluster=terms.effort.cluster_pointer,
        accelerator=terms.device.label,
        devices=int(terms.effort.cluster.devices),
        devices_bought=int(terms.devices.central),
        convention=terms.at.said.convention,
        acquisition=_acquisition(one, spread, currency=currency),
        usd_per_device_hour=estimate(one.usd_per_device_hour, spread),
        break_even=UNSET if one.break_even is None else _break_even(one, spread),
    )


def _acquisition(one: owned.OwningFigures, spread: Spread, *, currency: Currency) -> Acquisition:
    places = MINOR_PLACES[currency]
    parts = {
        part: rounded_amount(one.acquisition[part].central, places=places)
        for part in ("accelerators_usd", "servers_usd", "network_usd")
    }
    total = sum_of_amounts(parts.values(), places=places)
    figure = one.acquisition["total_usd"].name
    return Acquisition(
        accelerators=printed(parts["accelerators_usd"]),
        servers=printed(parts["servers_usd"]),
        cluster_network=printed(parts["network_usd"]),
        total=Money(amount=printed(total), currency=currency),
        interval=printed_interval(spread.interval(figure), central=total, places=places),
        figure=figure,
    )


def _break_even(one: owned.OwningFigures, spread: Spread) -> BreakEven:
    assert one.break_even is not None
    assert one.rented is not None
    return BreakEven(
        usd_per_device_hour_rented=known(one.rented, spread),
        usd_per_device_hour_saved=known(one.break_even["saving_usd_per_device_hour"], spread),
        utilization=known(one.break_even["utilisation"], spread),
        months=known(one.break_even["months"], spread),
    )


def estimate(term: Term | Unknown | None, spread: Spread) -> Estimate | UnsetType:
    """A number of a stage with its interval and its figure, if it is known."""
    return known(term, spread) if isinstance(term, Term) else UNSET


def known(term: Term, spread: Spread) -> Estimate:
    """A number with its interval and its figure."""
    interval = spread.interval(term.name)
    return Estimate(
        central=term.central,
        p10=interval.p10,
        p50=interval.p50,
        p90=interval.p90,
        figure=term.name,
    )


def known_with_outcomes(term: Term, spread: Spread) -> EstimateWithOutcomes:
    """A number with its interval, its figure and its outcomes."""
    interval = spread.interval(term.name)
    return EstimateWithOutcomes(
        central=term.central,
        p10=interval.p10,
        p50=interval.p50,
        p90=interval.p90,
        figure=term.name,
        outcomes=spread.outcomes(term.name).values,
    )


def estimate_with_outcomes(
    term: Term | Unknown | None, spread: Spread
) -> EstimateWithOutcomes | UnsetType:
    """Hours with their interval, their figure and their outcomes, if they are known."""
    return known_with_outcomes(term, spread) if isinstance(term, Term) else UNSET


def printed_interval(
    interval: Quantiles, *, central: Decimal, places: int = CENT_PLACES
) -> AmountInterval:
    """Quantiles of an amount as they are printed. Without spread they are the amount."""
    if interval.p10 == interval.p90:
        amount = printed(central)
        return AmountInterval(p10=amount, p50=amount, p90=amount)
    return AmountInterval(
        p10=printed_estimate(interval.p10, places=places),
        p50=printed_estimate(interval.p50, places=places),
        p90=printed_estimate(interval.p90, places=places),
    )


def _printed_outcomes(
    outcomes: Outcomes, interval: Quantiles, *, central: Decimal, places: int
) -> tuple[tuple[str, ...], str]:
    """Outcomes of a total and its 80% quantile as amounts.

    Those in an interval without width equal the printed amount.
    """
    certain = interval.p10 if interval.p10 == interval.p90 else None
    values = [
        printed(central)
        if certain is not None and amount == certain
        else printed_estimate(amount, places=places)
        for amount in (*outcomes.values, outcomes.p80)
    ]
    return tuple(values[:-1]), values[-1]
