"""What a quote says, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from service.core.catalog import ExcludedItem
from service.core.provenance import Figure, FigureName, Judged, Published
from service.core.units import Unit
from service.core.wire import BasisName

Amount: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^-?\d+\.\d{2}$(?!\n)",
        description="Decimal string in the currency's minor unit.",
        examples=["294000.00"],
    ),
]
UnitRate: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^-?\d+\.\d{2,}$(?!\n)",
        description="Decimal string, at least two places: dollars for one unit of the line.",
        examples=["2.00"],
    ),
]
QuoteId: TypeAlias = Annotated[
    str,
    Meta(pattern=r"^q_[0-9a-f]{64}$(?!\n)", description="Content id of a quote."),
]
Pointer: TypeAlias = Annotated[str, Meta(description="JSON pointer into the request (RFC 6901).")]


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What all parts of an answer share; a member that does not apply is absent."""


class Money(Answer, frozen=True, kw_only=True):
    """An amount and its currency."""

    amount: Amount
    currency: Literal["USD"]


UnpricedReason: TypeAlias = Literal[
    "no_offer_for_device",
    "no_offer_under_these_terms",
    "offer_is_for_another_device",
    "device_hours_unknown",
    "no_purchase_price",
    "power_unknown",
    "base_model_cost_unknown",
    "depends_on_an_unpriced_line",
]


class AmountInterval(Answer, frozen=True, kw_only=True):
    """10%, 50% and 90% quantiles of an amount, read off joint draws; they do not add."""

    p10: Amount
    p50: Amount
    p90: Amount


Item: TypeAlias = Literal[
    "device_rental",
    "unused_commitment",
    "discount",
    "storage",
    "transfer",
    "support",
    "uplift",
    "accelerators",
    "servers",
    "cluster_network",
    "capital",
    "hosting",
    "maintenance",
    "energy",
    "base_model",
    "experiments",
    "staff",
    "data",
]
LineUnit: TypeAlias = Literal[
    "device_hour",
    "gigabyte_month",
    "gigabyte",
    "kilowatt_month",
    "kwh",
    "person_month",
    "usd",
    "lump_sum",
]
StageName: TypeAlias = Annotated[
    str, Meta(description="The stage that the line belongs to; absent where it is the whole run.")
]
Label: TypeAlias = Annotated[
    str, Meta(description="What the caller, or the catalog, calls this line.")
]


class PricedLine(Answer, frozen=True, kw_only=True, tag_field="status", tag="priced"):
    """quantity x rate = amount, rounded half to even to the cent, once.

    A line in `usd` is a share of other amounts: the quantity is what they come to, the rate is
    the share, negative for a discount.
    """

    stage: StageName | UnsetType = UNSET
    item: Item
    label: Label | UnsetType = UNSET
    quantity: float
    unit: LineUnit
    rate: UnitRate
    amount: Amount
    interval: AmountInterval
    figures: tuple[FigureName, ...]
    detail: str | UnsetType = UNSET


class UnpricedLine(Answer, frozen=True, kw_only=True, tag_field="status", tag="unpriced"):
    """The need is known, the price is not: that is not zero dollars."""

    stage: StageName | UnsetType = UNSET
    item: Item
    label: Label | UnsetType = UNSET
    unit: LineUnit
    reason: UnpricedReason
    detail: str
    quantity: Annotated[float | UnsetType, Meta(description="Absent while it is unknown.")] = UNSET
    figures: tuple[FigureName, ...] = ()


Line: TypeAlias = PricedLine | UnpricedLine


class Magnitude(Answer, frozen=True, kw_only=True):
    """An order of magnitude: from `low` to `high` in `unit`."""

    low: float
    high: float
    unit: Unit


class Exclusion(Answer, frozen=True, kw_only=True):
    """Something that a bill leaves out, how much that is where somebody says, and who says it."""

    item: ExcludedItem
    what: str
    source: Published | Judged
    magnitude: Magnitude | UnsetType = UNSET


class Driver(Answer, frozen=True, kw_only=True):
    """An uncertain figure, and how much it moves a total.

    `share` is its first-order share of the total's variance (first-order Sobol index), read off a
    regression of the draws on Hermite polynomials of each figure's normal score. The two totals
    are those with this figure at the low and the high end of its range and all others central.
    """

    figure: FigureName
    share: Annotated[float, Meta(ge=0.0)]
    total_if_low: Amount
    total_if_high: Amount


class PricedBill(Answer, frozen=True, kw_only=True, tag_field="status", tag="priced"):
    """Every line has an amount; the total adds the amounts as printed."""

    basis: BasisName
    total: Money
    interval: AmountInterval
    figure: FigureName
    lines: tuple[Line, ...]
    drivers: Annotated[
        tuple[Driver, ...],
        Meta(description="Largest share first; shares below 0.001 are left out."),
    ]
    interactions: Annotated[
        float,
        Meta(ge=0.0, description="Share of the variance that no figure explains alone."),
    ]
    excludes: tuple[Exclusion, ...]


class UnpricedBill(Answer, frozen=True, kw_only=True, tag_field="status", tag="unpriced"):
    """At least one line has no amount, so there is no total."""

    basis: BasisName
    lines: tuple[Line, ...]
    excludes: tuple[Exclusion, ...]


Bill: TypeAlias = PricedBill | UnpricedBill


class BridgeStep(Answer, frozen=True, kw_only=True):
    """What one component adds to the way from one total to the other, and where that leads."""

    component: Item
    amount: Amount
    running_total: Amount


class Bridge(Answer, frozen=True, kw_only=True):
    """From the total of one basis to that of another: `start` plus all amounts is `end`, exactly.

    What only the first counts is taken away, what only the second counts is added, and what both
    count alike makes no step.
    """

    start_basis: BasisName
    end_basis: BasisName
    start: Money
    steps: tuple[BridgeStep, ...]
    end: Money


class Estimate(Answer, frozen=True, kw_only=True):
    """A number of a stage, its quantiles, and the figure it is walked back from."""

    central: float
    p10: float
    p50: float
    p90: float
    figure: FigureName


class Acquisition(Answer, frozen=True, kw_only=True):
    """What buying a cluster costs; the parts add up to the total, to the cent."""

    accelerators: Amount
    servers: Amount
    cluster_network: Amount
    total: Money
    interval: AmountInterval
    figure: FigureName


class BreakEven(Answer, frozen=True, kw_only=True):
    """Where owning costs what renting the same hours would.

    `utilization` above 1 means that owning never pays; so does 1e9 of either. `months` pay back
    the purchase out of what is not spent on rent, without interest or resale.
    """

    usd_per_device_hour_rented: Estimate
    usd_per_device_hour_saved: Estimate
    utilization: Estimate
    months: Estimate


class Ownership(Answer, frozen=True, kw_only=True):
    """What owning one cluster comes to: the purchase, the rate it implies, where it breaks even."""

    cluster: Annotated[Pointer, Meta(description="The cluster in the request.")]
    accelerator: str
    devices: int
    convention: Literal["straight_line", "epoch-2024"]
    acquisition: Acquisition
    usd_per_device_hour: Estimate | UnsetType = UNSET
    break_even: Annotated[
        BreakEven | UnsetType, Meta(description="Absent where nobody rents the like.")
    ] = UNSET


class EnergyAnswer(Answer, frozen=True, kw_only=True):
    """Kilowatt-hours: at the plugs of servers and switches, cooling and losses, and their sum."""

    it: Estimate
    overhead: Estimate
    facility: Estimate


class CarbonAnswer(Answer, frozen=True, kw_only=True):
    """Kilograms of CO2 equivalent, by way of counting; the ways are alternatives and do not add.

    `location_based` and `market_based` are scope 2 of the GHG Protocol for the facility's
    electricity (scope 3 for who rents), by the grid's average and by contracts; `marginal` is what
    one more kilowatt-hour causes. `embodied` is the run's share of making the hardware (scope 3)
    and comes on top of any of them.
    """

    location_based: Estimate
    market_based: Estimate | UnsetType = UNSET
    marginal: Estimate | UnsetType = UNSET
    embodied: Estimate | UnsetType = UNSET


class PowerAnswer(Answer, frozen=True, kw_only=True):
    """Watts of the whole cluster: under training load and at the most its ratings allow."""

    average_it: Estimate
    average_facility: Estimate
    peak_it: Estimate
    peak_facility: Estimate


class Feasibility(Answer, frozen=True, kw_only=True):
    """Whether the stage can run as described.

    `contradictory`: the model or the layout cannot be what it is said to be; `does_not_fit`: no
    layout, or not the one given, fits in memory; `unknown`: a figure is missing.
    """

    status: Literal["not_checked", "fits", "does_not_fit", "contradictory", "unknown"]
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
    recompute: Literal["none", "selective", "full"]
    recompute_share: float
    offload_share: float
    devices_used: int


class RunnerUp(Answer, frozen=True, kw_only=True):
    """Another layout that fits, and how much slower its step is predicted to be."""

    layout: LayoutAnswer
    step_time_ratio: Annotated[float, Meta(ge=0.0, description="Over the best one's step time.")]
    memory_bytes: float


class MemoryAnswer(Answer, frozen=True, kw_only=True):
    """Bytes on the fullest device; the parts add up to the total."""

    total_bytes: float
    capacity_bytes: float
    parts: dict[str, float]
    figure: FigureName


class StepAnswer(Answer, frozen=True, kw_only=True):
    """One training step; the parts add up to `predicted_s`, which is before the engine's error.

    Where the step time follows from a stated MFU and nothing fits, there is no prediction.
    """

    seconds: Estimate
    steps: Estimate
    parts: dict[str, float]
    predicted_s: float | UnsetType = UNSET
    binding: Annotated[str | UnsetType, Meta(description="The largest part.")] = UNSET


class LossesAnswer(Answer, frozen=True, kw_only=True):
    """Where the held time goes beside the steps: shares of it, and why."""

    goodput: Estimate
    evaluation_share: Estimate | UnsetType = UNSET
    idle_share: Estimate | UnsetType = UNSET
    checkpoint_share: Estimate | UnsetType = UNSET
    restart_share: Estimate | UnsetType = UNSET
    rework_share: Estimate | UnsetType = UNSET
    mean_hours_between_failures: Estimate | UnsetType = UNSET
    checkpoint_interval_seconds: Estimate | UnsetType = UNSET


class GenerationAnswer(Answer, frozen=True, kw_only=True):
    """How a stage generates: its replicas, its batch, its speed, and what binds it.

    `parts` are seconds of one batch: reading prompts, full places with samples waiting, and the
    last samples until the longest ends.
    """

    tensor_parallel: int
    devices_per_replica: int
    replicas: int
    concurrent_sequences: Estimate
    longest_tokens: Estimate
    tokens_per_s_per_device: Estimate
    parts: dict[str, float]
    binding: Literal["memory_bandwidth", "flop", "exchange", "overhead"]


class StageAnswer(Answer, frozen=True, kw_only=True):
    """One stage of the run: how long it takes; absent numbers are unknown, and why is said."""

    name: str
    accelerator: str
    devices: int
    feasibility: Feasibility
    device_hours: Estimate | UnsetType = UNSET
    wall_clock_hours: Estimate | UnsetType = UNSET
    mfu: Estimate | UnsetType = UNSET
    hfu: Estimate | UnsetType = UNSET
    goodput: Estimate | UnsetType = UNSET
    power_w: PowerAnswer | UnsetType = UNSET
    energy_kwh: EnergyAnswer | UnsetType = UNSET
    carbon_kg_co2e: CarbonAnswer | UnsetType = UNSET
    losses: LossesAnswer | UnsetType = UNSET
    tokens: Annotated[
        dict[str, Estimate], Meta(description="Trained, padding, prompt or response tokens.")
    ] = {}
    generation: GenerationAnswer | UnsetType = UNSET
    phases: Annotated[
        dict[str, Estimate],
        Meta(description="Seconds of the phases of one reinforcement step, and of the step."),
    ] = {}
    tokens_per_s_per_device: Estimate | UnsetType = UNSET
    step: StepAnswer | UnsetType = UNSET
    memory: MemoryAnswer | UnsetType = UNSET
    layout: LayoutAnswer | UnsetType = UNSET
    runners_up: tuple[RunnerUp, ...] = ()


class RunTotals(Answer, frozen=True, kw_only=True):
    """Sums over all stages; absent where a stage lacks the number."""

    energy_kwh: EnergyAnswer | UnsetType = UNSET
    carbon_kg_co2e: CarbonAnswer | UnsetType = UNSET


WarningCode: TypeAlias = Literal[
    "assumed_mfu",
    "assumed_architecture",
    "assumed_goodput",
    "assumed_site",
    "assumed_layout",
    "assumed_network",
    "assumed_padding",
    "assumed_prompt_length",
    "assumed_response_length",
    "assumed_rollout",
    "assumed_serving",
    "assumed_split",
    "batch_rounded",
    "contradictory",
    "devices_idle",
    "does_not_fit",
    "extrapolated",
    "duplicate_stage_name",
    "interval_reversed",
    "central_outside_interval",
    "low_confidence_price",
    "mean_above_cap",
    "rank_above_matrix",
    "market_price_used",
    "precision_substituted",
    "stale_price",
    "unknown_power",
    "unpriced_line",
    "weak_driver",
    "wide_interval",
]


class QuoteWarning(Answer, frozen=True, kw_only=True):
    """Something that the reader of a number should know, with a code for programs."""

    code: WarningCode
    detail: str
    pointer: Pointer


class CatalogStamp(Answer, frozen=True, kw_only=True):
    """Which edition of the catalog was used."""

    version: str
    digest: str


class Quote(Answer, frozen=True, kw_only=True):
    """One run on one cluster, itemised, sourced, reproducible.

    `issued_at` is the instant from which the catalog edition speaks, not the time of the request:
    the same engine, catalog and request give the same bytes on any machine and any day.
    """

    id: QuoteId
    issued_at: Annotated[str, Meta(description="RFC 3339; the catalog edition's instant.")]
    valid_until: Annotated[str, Meta(description="RFC 3339; ask again afterwards.")]
    engine: str
    catalog: CatalogStamp
    request: Raw
    bases: tuple[Bill, ...]
    bridges: tuple[Bridge, ...]
    ownership: tuple[Ownership, ...]
    stages: tuple[StageAnswer, ...]
    totals: RunTotals
    wall_clock_hours: Annotated[
        Estimate | UnsetType,
        Meta(description="From the start of the first stage to the end of the last."),
    ] = UNSET
    critical_path: Annotated[
        tuple[str, ...], Meta(description="Names of the stages that set the wall clock.")
    ] = ()
    figures: dict[str, Figure]
    warnings: tuple[QuoteWarning, ...]
