"""The parts of a quote about stages: hours, steps, memory, layout, energy, carbon, power."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from service.core.answer.base import Answer, ClaimedEstimate, Estimate, EstimateWithOutcomes
from service.core.figures.sources import FigureName
from service.core.figures.vocabulary import Framework, PipelineSchedule, Recompute


class EnergyAnswer(Answer, frozen=True, kw_only=True):
    """Kilowatt-hours: at the plugs of servers and switches, cooling and losses, and their sum."""

    it: Estimate
    overhead: Estimate
    facility: Estimate


class CarbonAnswer(Answer, frozen=True, kw_only=True):
    """Kilograms of CO2 equivalent, by way of counting. The ways are alternatives and do not add.

    `location_based` and `market_based` are scope 2 of the GHG Protocol for the facility's
    electricity (scope 3 for those who rent), by the grid's average and by contracts. What contracts
    make of it is the operator's own claim, and may be nothing at all. `marginal` is what one more
    kilowatt-hour causes. `embodied` is the run's share of making the hardware (scope
    3), and is added to any of them.
    """

    location_based: Estimate
    market_based: ClaimedEstimate | UnsetType = UNSET
    marginal: Estimate | UnsetType = UNSET
    embodied: Estimate | UnsetType = UNSET


class PowerAnswer(Answer, frozen=True, kw_only=True):
    """Watts of the whole cluster, under training load and at the maximum of its ratings."""

    average_it: Estimate
    average_facility: Estimate
    peak_it: Estimate
    peak_facility: Estimate


class Feasibility(Answer, frozen=True, kw_only=True):
    """Whether the stage can run as described.

    `contradictory`: the model or the layout contradicts itself. `does_not_fit`: no layout, or not
    the given one, fits in memory. `tight`: it needs about as much as there is, within the error of
    the estimate, or fits only with fused kernels that are not said: it may run, or run out of
    memory. `unknown`: a figure is missing.
    """

    status: Literal["not_checked", "fits", "tight", "does_not_fit", "contradictory", "unknown"]
    detail: str | UnsetType = UNSET


class LayoutAnswer(Answer, frozen=True, kw_only=True):
    """How a stage is spread over its devices."""

    tensor_parallel: int
    pipeline_parallel: int
    data_parallel: int
    context_parallel: int
    expert_parallel: int
    micro_batch: int
    virtual_stages: int
    zero_stage: int
    sequence_parallel: bool
    recompute: Recompute
    recompute_share: float
    offload_share: float
    optimizer_offload: bool
    weight_offload: bool
    pipeline_schedule: PipelineSchedule
    expert_overlap: bool
    devices_used: int


class RunnerUp(Answer, frozen=True, kw_only=True):
    """Another layout that fits, and how much slower its step is predicted to be."""

    layout: LayoutAnswer
    step_time_ratio: Annotated[
        float, Meta(ge=0.0, description="Its step time over that of the chosen layout.")
    ]
    memory_bytes: float


class MemoryAnswer(Answer, frozen=True, kw_only=True):
    """Bytes on the fullest device. The parts add up to the total."""

    total_bytes: float
    capacity_bytes: float
    parts: dict[str, float]
    figure: FigureName


class StepAnswer(Answer, frozen=True, kw_only=True):
    """One training step. The parts add up to `predicted_s`, the time before the engine's error.

    There is no prediction if the step time follows from a stated MFU and no layout fits.
    """

    seconds: Estimate
    steps: Estimate
    parts: dict[str, float]
    predicted_s: float | UnsetType = UNSET
    framework: Annotated[
        Framework | UnsetType, Meta(description="The kind of software that the step is timed for.")
    ] = UNSET
    binding: Annotated[str | UnsetType, Meta(description="The largest part.")] = UNSET


class LossesAnswer(Answer, frozen=True, kw_only=True):
    """Where the held time goes besides the steps: its shares, and what they follow from.

    `startup_hours` are hours on the clock of each attempt, before the first step and after the
    last. The shares are of the rest of the held time. `practice` is what whole published runs took
    over their steps and losses.
    """

    goodput: Estimate
    evaluation_share: Estimate | UnsetType = UNSET
    idle_share: Estimate | UnsetType = UNSET
    startup_hours: Estimate | UnsetType = UNSET
    practice: Estimate | UnsetType = UNSET
    checkpoint_share: Estimate | UnsetType = UNSET
    restart_share: Estimate | UnsetType = UNSET
    rework_share: Estimate | UnsetType = UNSET
    mean_hours_between_failures: Estimate | UnsetType = UNSET
    checkpoint_interval_seconds: Estimate | UnsetType = UNSET


class GenerationAnswer(Answer, frozen=True, kw_only=True):
    """How a stage generates: its replicas, its batch, its speed, and what binds it.

    `parts` are the seconds of one batch: reading prompts, writing while samples wait for a place,
    and writing the last samples until the longest ends.
    """

    tensor_parallel: int
    devices_per_replica: int
    replicas: int
    concurrent_sequences: Estimate
    longest_tokens: Estimate
    tokens_per_s_per_device: Estimate
    parts: dict[str, float]
    binding: Literal["memory_bandwidth", "flop", "exchange", "overhead", "environment"]


class StageAnswer(Answer, frozen=True, kw_only=True):
    """One stage of the run. Numbers that are not known are absent, and the stage says why."""

    name: str
    accelerator: str
    devices: int
    feasibility: Feasibility
    device_hours: EstimateWithOutcomes | UnsetType = UNSET
    wall_clock_hours: EstimateWithOutcomes | UnsetType = UNSET
    begins_after_hours: Annotated[
        Estimate | UnsetType,
        Meta(description="Hours from the start of the run; absent while any stage's are unknown."),
    ] = UNSET
    ends_after_hours: Estimate | UnsetType = UNSET
    mfu: Estimate | UnsetType = UNSET
    hfu: Estimate | UnsetType = UNSET
    goodput: Estimate | UnsetType = UNSET
    power_w: PowerAnswer | UnsetType = UNSET
    energy_kwh: EnergyAnswer | UnsetType = UNSET
    carbon_kg_co2e: CarbonAnswer | UnsetType = UNSET
    losses: LossesAnswer | UnsetType = UNSET
    tokens: Annotated[
        dict[str, Estimate], Meta(description="Trained, padding, prompt, response or read tokens.")
    ] = field(default_factory=dict)
    generation: GenerationAnswer | UnsetType = UNSET
    phases: Annotated[
        dict[str, Estimate],
        Meta(description="Seconds of the phases of one reinforcement step, and of the step."),
    ] = field(default_factory=dict)
    tokens_per_s_per_device: Estimate | UnsetType = UNSET
    step: StepAnswer | UnsetType = UNSET
    memory: MemoryAnswer | UnsetType = UNSET
    layout: LayoutAnswer | UnsetType = UNSET
    runners_up: tuple[RunnerUp, ...] = ()


class RunTotals(Answer, frozen=True, kw_only=True):
    """Sums over all stages. A sum is absent if a stage lacks the number."""

    energy_kwh: EnergyAnswer | UnsetType = UNSET
    carbon_kg_co2e: CarbonAnswer | UnsetType = UNSET
