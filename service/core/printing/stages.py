"""Stages as the answer shows them: time, memory, layouts, energy, carbon."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from service.core.answer import (
    CarbonAnswer,
    ClaimedEstimate,
    EnergyAnswer,
    Estimate,
    Feasibility,
    GenerationAnswer,
    LayoutAnswer,
    LossesAnswer,
    MemoryAnswer,
    PowerAnswer,
    RunnerUp,
    RunTotals,
    StageAnswer,
    StepAnswer,
)
from service.core.argument import Unknown
from service.core.bills.power import Consumption
from service.core.cluster.hardware import device_of
from service.core.draws.spread import Spread
from service.core.figures.ledger import Term
from service.core.printing.estimates import estimate, estimate_with_outcomes, known
from service.core.stages.effort import Effort
from service.core.stages.hours import Hours, TimeShares, Written
from service.core.training.parallelism import RECOMPUTE_NAME, SCHEDULE_NAME, Layout, devices_of
from service.core.training.placement import Placed, Unplaced
from service.core.training.step import Step

RATIO_DECIMALS: Final = 9
"""Of step times that a search of many layouts found. Further digits differ between processors."""


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
        goodput=known(shares.goodput, spread),
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
        concurrent_sequences=known(written.concurrent, spread),
        longest_tokens=known(written.longest_tokens, spread),
        tokens_per_s_per_device=known(written.tokens_per_s_per_device, spread),
        parts={name: term.central for name, term in written.parts.items()},
        binding=written.bound,
    )


def _estimates(terms: Mapping[str, Term], spread: Spread) -> dict[str, Estimate]:
    """Named numbers of a stage."""
    return {name: known(term, spread) for name, term in terms.items()}


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
