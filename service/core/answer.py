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


WarningCode: TypeAlias = Literal[
    "assumed_mfu",
    "assumed_goodput",
    "duplicate_stage_name",
    "interval_reversed",
    "central_outside_interval",
    "low_confidence_price",
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
    figures: dict[str, Figure]
    warnings: tuple[QuoteWarning, ...]
