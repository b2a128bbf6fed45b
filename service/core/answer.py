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
    """Whether the stage can run as described."""

    status: Literal["not_checked", "unknown"]
    detail: str | UnsetType = UNSET


class StageAnswer(Answer, frozen=True, kw_only=True):
    """One stage of the run: how long it takes; absent numbers are unknown, and why is said."""

    name: str
    accelerator: str
    devices: int
    feasibility: Feasibility
    device_hours: Estimate | UnsetType = UNSET
    wall_clock_hours: Estimate | UnsetType = UNSET
    mfu: Estimate | UnsetType = UNSET
    goodput: Estimate | UnsetType = UNSET
    power_w: PowerAnswer | UnsetType = UNSET
    energy_kwh: EnergyAnswer | UnsetType = UNSET
    carbon_kg_co2e: CarbonAnswer | UnsetType = UNSET


class RunTotals(Answer, frozen=True, kw_only=True):
    """Sums over all stages; absent where a stage lacks the number."""

    energy_kwh: EnergyAnswer | UnsetType = UNSET
    carbon_kg_co2e: CarbonAnswer | UnsetType = UNSET


WarningCode: TypeAlias = Literal[
    "assumed_mfu",
    "assumed_goodput",
    "assumed_site",
    "duplicate_stage_name",
    "interval_reversed",
    "central_outside_interval",
    "low_confidence_price",
    "market_price_used",
    "precision_substituted",
    "unknown_power",
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
    bridges: tuple[Bridge, ...]
    ownership: tuple[Ownership, ...]
    stages: tuple[StageAnswer, ...]
    totals: RunTotals
    figures: dict[str, Figure]
    warnings: tuple[QuoteWarning, ...]
