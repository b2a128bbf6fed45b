"""What a quote says, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from service.core.provenance import Figure, FigureName

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
]


class AmountInterval(Answer, frozen=True, kw_only=True):
    """10%, 50% and 90% quantiles of an amount, read off joint draws; they do not add."""

    p10: Amount
    p50: Amount
    p90: Amount


Item: TypeAlias = Literal["device_rental"]
LineUnit: TypeAlias = Literal["device_hour"]


class PricedLine(Answer, frozen=True, kw_only=True, tag_field="status", tag="priced"):
    """quantity x rate = amount, rounded half to even to the cent, once."""

    stage: str
    item: Item
    quantity: float
    unit: LineUnit
    rate: UnitRate
    amount: Amount
    interval: AmountInterval
    figures: tuple[FigureName, ...]
    detail: str | UnsetType = UNSET


class UnpricedLine(Answer, frozen=True, kw_only=True, tag_field="status", tag="unpriced"):
    """The need is known, the price is not: that is not zero dollars."""

    stage: str
    item: Item
    unit: LineUnit
    reason: UnpricedReason
    detail: str
    quantity: Annotated[float | UnsetType, Meta(description="Absent while it is unknown.")] = UNSET
    figures: tuple[FigureName, ...] = ()


Line: TypeAlias = PricedLine | UnpricedLine
BasisName: TypeAlias = Literal["rental"]
Excluded: TypeAlias = Literal["base_model", "experiments", "staff", "data", "storage", "transfer"]


class Driver(Answer, frozen=True, kw_only=True):
    """An uncertain figure, and how much it moves a total.

    `share` is its first-order share of the total's variance; what the shares leave to 1 is due to
    figures acting together.
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
    drivers: tuple[Driver, ...]
    excludes: tuple[Excluded, ...]


class UnpricedBill(Answer, frozen=True, kw_only=True, tag_field="status", tag="unpriced"):
    """At least one line has no amount, so there is no total."""

    basis: BasisName
    lines: tuple[Line, ...]
    excludes: tuple[Excluded, ...]


Bill: TypeAlias = PricedBill | UnpricedBill


class Estimate(Answer, frozen=True, kw_only=True):
    """A number of a stage, its quantiles, and the figure it is walked back from."""

    central: float
    p10: float
    p50: float
    p90: float
    figure: FigureName


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


WarningCode: TypeAlias = Literal[
    "assumed_mfu",
    "assumed_architecture",
    "assumed_goodput",
    "assumed_layout",
    "assumed_network",
    "assumed_padding",
    "assumed_prompt_length",
    "assumed_response_length",
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
    "unpriced_line",
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
    stages: tuple[StageAnswer, ...]
    wall_clock_hours: Annotated[
        Estimate | UnsetType,
        Meta(description="From the start of the first stage to the end of the last."),
    ] = UNSET
    critical_path: Annotated[
        tuple[str, ...], Meta(description="Names of the stages that set the wall clock.")
    ] = ()
    figures: dict[str, Figure]
    warnings: tuple[QuoteWarning, ...]
