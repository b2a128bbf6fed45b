"""The parts of a quote about money: lines, bills, drivers, bridges and ownership."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from service.core.answer.base import (
    Amount,
    AmountInterval,
    Answer,
    Budget,
    Estimate,
    Money,
    Pointer,
    PriceIs,
    UnitRate,
)
from service.core.catalog.catalog import ExcludedItem, MarketTerm, Segment
from service.core.catalog.market import LeftOutReason, PriceBasis
from service.core.figures.sources import AsOf, FigureName, Judged, Published
from service.core.figures.units import Unit
from service.core.figures.vocabulary import BasisName

UnpricedReason: TypeAlias = Literal[
    "no_offer_for_device",
    "no_offer_under_these_terms",
    "offer_is_for_another_device",
    "price_not_known_then",
    "device_hours_unknown",
    "no_purchase_price",
    "power_unknown",
    "base_model_cost_unknown",
    "depends_on_an_unpriced_line",
    "size_below_known",
]
Item: TypeAlias = Literal[
    "device_rental",
    "rounding",
    "unused_commitment",
    "discount",
    "storage",
    "transfer",
    "support",
    "markup",
    "tax",
    "accelerators",
    "servers",
    "cluster_network",
    "capital",
    "hosting",
    "maintenance",
    "energy",
    "base_model",
    "base_model_development",
    "experiments",
    "experiments_on_commitment",
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
    "eur",
    "gbp",
    "jpy",
    "cny",
    "inr",
]
StageName: TypeAlias = Annotated[
    str, Meta(description="The stage that the line belongs to; absent for the whole run.")
]
Label: TypeAlias = Annotated[
    str, Meta(description="What the caller, or the catalog, calls this line.")
]


class PricedLine(Answer, frozen=True, kw_only=True, tag_field="status", tag="priced"):
    """quantity x rate = amount, rounded half to even, once.

    It is rounded to the currency's minor unit, or to three digits if it is under a hundred of them,
    such as a dollar. A line in `usd`, or in another currency, is a share of other amounts. Its
    quantity is their sum, and its rate is the share, which is negative for a discount. The `detail`
    of a discount names the items it covers.
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
    """The need is known and the price is not. That is not zero dollars."""

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
    """A cost that some bases leave out, and what it is for this quote if that can be derived.

    `detail` says why there is no amount, where the quote knows. `magnitude` is an order of
    magnitude that is known without the quote.
    """

    item: ExcludedItem
    bases: tuple[BasisName, ...]
    what: str
    amount: AmountInterval | UnsetType = UNSET
    figure: FigureName | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    magnitude: Magnitude | UnsetType = UNSET
    source: Published | Judged


Excludes: TypeAlias = Annotated[
    tuple[ExcludedItem, ...], Meta(description="Costs that it leaves out; see `exclusions`.")
]


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


class NarrowedBy(Answer, frozen=True, kw_only=True):
    """A member of the request that would narrow the interval of a total, if it were said.

    `interval_if_known` is the interval with that member at the value that was taken here. `share`
    is the part of the total's variance that it explains, and `figure` the total.
    """

    basis: BasisName
    figure: FigureName
    member: Annotated[str, Meta(description="A JSON pointer into `request`.")]
    why: str
    share: Annotated[float, Meta(ge=0.0)]
    interval_if_known: AmountInterval


class PricedBill(Answer, frozen=True, kw_only=True, tag_field="status", tag="priced"):
    """Every line has an amount. The total adds the amounts as printed, at central values."""

    basis: BasisName
    total: Money
    budget: Budget
    interval: AmountInterval
    outcomes: Annotated[
        tuple[Amount, ...],
        Meta(
            min_length=20,
            max_length=20,
            description="Equally likely totals, ascending: quantiles 2.5%, 7.5%, ..., 97.5%.",
        ),
    ]
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
    excludes: Excludes


class UnpricedBill(Answer, frozen=True, kw_only=True, tag_field="status", tag="unpriced"):
    """At least one line has no amount, so there is no total."""

    basis: BasisName
    priced_lines_total: Annotated[
        Money | UnsetType,
        Meta(
            description="The sum of the lines that have an amount. It is not the cost of the run. "
            "Absent if no line has one."
        ),
    ] = UNSET
    lines: tuple[Line, ...]
    excludes: Excludes


Bill: TypeAlias = PricedBill | UnpricedBill


class BridgeStep(Answer, frozen=True, kw_only=True):
    """What one component adds on the way from one total to the other, and the sum so far."""

    component: Item
    amount: Amount
    running_total: Amount


class Bridge(Answer, frozen=True, kw_only=True):
    """From the total of one basis to that of another: `start` plus all amounts is `end`, exactly.

    What only the first basis counts is taken away, and what only the second counts is added. What
    both count alike makes no step.
    """

    start_basis: BasisName
    end_basis: BasisName
    start: Money
    steps: tuple[BridgeStep, ...]
    end: Money


class Acquisition(Answer, frozen=True, kw_only=True):
    """What buying a cluster costs. The printed parts add up to the total."""

    accelerators: Amount
    servers: Amount
    cluster_network: Amount
    total: Money
    interval: AmountInterval
    figure: FigureName


class BreakEven(Answer, frozen=True, kw_only=True):
    """Where owning costs as much as renting the same hours.

    A `utilization` above 1 means that owning never pays; so does a value of 1e9 of either. After
    `months`, the rent that is saved has paid for the purchase, without interest or resale.
    """

    usd_per_device_hour_rented: Estimate
    usd_per_device_hour_saved: Estimate
    utilization: Estimate
    months: Estimate


class RateVersusMarket(Answer, frozen=True, kw_only=True):
    """A given rate among comparable prices: same device, on demand or reserved for 1 or 3 years.

    A seller counts once for each of these terms, with its newest price. Sellers of single hosts
    and auctions do not count. The prices are offers of the catalog, in dollars.
    """

    cluster: Annotated[Pointer, Meta(description="The cluster in the request.")]
    accelerator: str
    usd_per_device_hour: Annotated[UnitRate, Meta(description="The rate that is given.")]
    figure: FigureName
    share_below: Annotated[
        float, Meta(ge=0.0, le=1.0, description="Share of the prices below the given rate.")
    ]
    count: Annotated[int, Meta(ge=1, description="How many prices there are.")]
    newest: Annotated[AsOf, Meta(description="Date of the newest of them.")]
    lowest: UnitRate
    median: UnitRate
    highest: UnitRate


MarketPriceBasis: TypeAlias = Annotated[
    PriceBasis,
    Meta(
        description="`own_price`: the seller's price for the term. `own_discount`: its published "
        "discount, on its price on demand. `segment_discount`: it publishes neither; the usual "
        "discount of its segment. `on_demand_price`: nobody in its segment publishes one."
    ),
]


class MarketVote(Answer, frozen=True, kw_only=True):
    """The price of one seller in a market, and the offer that stands for it.

    `region` is in the seller's own words. `through` is the broker that lists the offer, if the
    seller lists none. `makes_cluster` is `unknown` if the source does not say whether instances
    come on one fast network.
    """

    seller: str
    segment: Segment
    usd_per_device_hour: UnitRate
    figure: FigureName
    basis: MarketPriceBasis
    offer: str
    region: str
    observed_on: AsOf
    makes_cluster: Literal["yes", "unknown"]
    minimum_term: str | UnsetType = UNSET
    through: str | UnsetType = UNSET


class SegmentPrices(Answer, frozen=True, kw_only=True):
    """The prices of one part of a market. Those of marketplaces do not vote unless asked for."""

    segment: Segment
    count: Annotated[int, Meta(ge=1)]
    lowest: UnitRate
    median: UnitRate
    highest: UnitRate
    oldest: AsOf
    newest: AsOf


class LeftOutSellers(Answer, frozen=True, kw_only=True):
    """Sellers without a vote, for one reason; docs/market.md has the rules."""

    reason: LeftOutReason
    count: Annotated[int, Meta(ge=1)]
    sellers: tuple[str, ...]


class MarketAnswer(Answer, frozen=True, kw_only=True):
    """How the price of a cluster follows from the market: who votes, and who is left out, and why.

    The prices are what sellers ask, as `price_is` says; what is paid or traded may differ.
    """

    cluster: Annotated[Pointer, Meta(description="The cluster in the request.")]
    accelerator: str
    devices: float
    term: MarketTerm
    region: Annotated[
        str | UnsetType,
        Meta(description="The area in which sellers are asked, or a seller's region code."),
    ] = UNSET
    price_is: PriceIs
    usd_per_device_hour: UnitRate
    figure: FigureName
    votes: Annotated[tuple[MarketVote, ...], Meta(min_length=1, description="Cheapest first.")]
    oldest: Annotated[AsOf, Meta(description="Date of the oldest vote.")]
    newest: Annotated[AsOf, Meta(description="Date of the newest vote.")]
    segments: tuple[SegmentPrices, ...]
    left_out: tuple[LeftOutSellers, ...]


class Ownership(Answer, frozen=True, kw_only=True):
    """Owning one cluster: the purchase, the rate that it implies, and where it breaks even.

    The rate is for one device-hour of use. The run uses `devices`; whole servers or racks are
    bought, which have `devices_bought`.
    """

    cluster: Annotated[Pointer, Meta(description="The cluster in the request.")]
    accelerator: str
    devices: int
    devices_bought: int
    convention: Literal["straight_line", "epoch-2024"]
    acquisition: Acquisition
    usd_per_device_hour: Estimate | UnsetType = UNSET
    break_even: Annotated[
        BreakEven | UnsetType,
        Meta(description="Absent if the catalog has no price for renting such devices."),
    ] = UNSET
