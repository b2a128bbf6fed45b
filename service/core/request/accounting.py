"""What a caller may say about the bills: how hardware is owned, and what comes on top of it.

Everything has a default with a source. What a caller gives overrides it, as `given`.
"""

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.figures.vocabulary import BASES, BasisName, Currency
from service.core.request.ids import RunName
from service.core.request.quantities import Share
from service.core.request.wire import DECIMAL, Interval, Name, Unordered, Wire

OpenShare: TypeAlias = Annotated[
    float, Meta(ge=0.01, le=1.0, description="A share, from 0.01 to 1.")
]
BelowOne: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=0.95, description="A share of the whole, at most 0.95.")
]
Usd: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e15, description="US dollars.", extra=DECIMAL)]
UsdPerDevice: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e8, description="US dollars for one device, new.", extra=DECIMAL)
]
Years: TypeAlias = Annotated[float, Meta(ge=0.25, le=30.0, description="Years of use.")]
AgeYears: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=30.0, description="Years from acquisition to the start of the run.")
]
YearlyShare: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1.0, description="Share of an amount for one year.")
]
UsdPerKilowattMonth: TypeAlias = Annotated[
    float,
    Meta(
        ge=0.0,
        le=1e5,
        description="US dollars for hosting one rated kilowatt a month.",
        extra=DECIMAL,
    ),
]
CommittedHours: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e7, description="Least number of hours that is paid for.")
]
Gigabytes: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e12, description="Gigabytes (10^9).")]
Months: TypeAlias = Annotated[float, Meta(ge=0.0, le=600.0, description="Months.")]
UsdPerGigabyte: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e4, description="US dollars for one gigabyte.", extra=DECIMAL)
]
People: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e6, description="Full-time equivalents.")]
UsdPerYear: TypeAlias = Annotated[
    float,
    Meta(
        ge=0.0,
        le=1e9,
        description="US dollars for one person-year, equity included.",
        extra=DECIMAL,
    ),
]
Overhead: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=10.0, description="Employer's cost over pay.")
]
Factor: TypeAlias = Annotated[
    float,
    Meta(ge=1.0, le=1000.0, description="Compute of the whole development over the final run."),
]
DataRatio: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=100.0, description="Cost of data over that of compute.")
]
KeptQuoteId: TypeAlias = Annotated[
    str, Meta(pattern=r"^q_[0-9a-f]{64}$(?!\n)", description="Id of a quote that is kept.")
]
Convention: TypeAlias = Literal["straight_line", "epoch-2024"]


class OwnedTerms(Wire, frozen=True, kw_only=True):
    """How owned hardware is written off. What is not given is taken from the catalog.

    `straight_line`: price less residual over `years` and `utilization`, with cost of capital,
    hosting and maintenance. `epoch-2024`: value at the start of the run, `age_years` after the
    purchase, declining as newer hardware improves (arXiv 2405.21015). `price_includes_server`
    says whether the price is a device's share of a complete server, or that of a bare card.
    """

    convention: Convention = "straight_line"
    usd_per_device: UsdPerDevice | Interval[UsdPerDevice] | UnsetType = UNSET
    price_includes_server: bool = True
    years: Years | Interval[Years] | UnsetType = UNSET
    residual_share: BelowOne | Interval[BelowOne] | UnsetType = UNSET
    utilization: OpenShare | Interval[OpenShare] | UnsetType = UNSET
    cost_of_capital: YearlyShare | Interval[YearlyShare] | UnsetType = UNSET
    maintenance_share: YearlyShare | Interval[YearlyShare] | UnsetType = UNSET
    usd_per_kilowatt_month: UsdPerKilowattMonth | Interval[UsdPerKilowattMonth] | UnsetType = UNSET
    network_share: BelowOne | Interval[BelowOne] | UnsetType = UNSET
    age_years: AgeYears | Interval[AgeYears] | UnsetType = UNSET


class Storage(Wire, frozen=True, kw_only=True):
    """Data, checkpoints and logs kept while the run lasts, or for `months`."""

    gigabytes: Gigabytes | Interval[Gigabytes]
    usd_per_gigabyte_month: UsdPerGigabyte | Interval[UsdPerGigabyte] | UnsetType = UNSET
    months: Months | Interval[Months] | UnsetType = UNSET


class Transfer(Wire, frozen=True, kw_only=True):
    """Data moved out of the seller's network."""

    gigabytes: Gigabytes | Interval[Gigabytes]
    usd_per_gigabyte: UsdPerGigabyte | Interval[UsdPerGigabyte] | UnsetType = UNSET


class Support(Wire, frozen=True, kw_only=True):
    """A support plan, sold as a share of what is rented after discounts."""

    share: Share | Interval[Share] | UnsetType = UNSET


DiscountedItem: TypeAlias = Literal[
    "device_rental", "rounding", "unused_commitment", "storage", "transfer"
]
HARDWARE_ITEMS: Final[tuple[DiscountedItem, ...]] = (
    "device_rental",
    "rounding",
    "unused_commitment",
)
"""What is paid for devices themselves: what a discount covers unless it says otherwise."""


class Discount(Wire, frozen=True, kw_only=True):
    """A negotiated discount on the items that it `covers`. Other lines stay as they are."""

    label: Name
    share: Share | Interval[Share]
    covers: Annotated[Unordered[DiscountedItem], Meta(min_length=1, max_length=5)] = HARDWARE_ITEMS


class Uplift(Wire, frozen=True, kw_only=True):
    """A share that comes on top: a tax, or a markup such as a margin or a contingency.

    A markup is a share of all lines before it. Taxes come after all markups, in whichever order
    they are listed. Each tax is a share of the bill without taxes.
    """

    kind: Literal["tax", "markup"]
    label: Name
    share: Share | Interval[Share]


BaseScope: TypeAlias = Literal["rental", "fully_loaded"]


class BaseRuns(Wire, frozen=True, kw_only=True, tag_field="kind", tag="runs"):
    """Reference runs of the catalog. The base is the sum of their hours x rates, or stated costs.

    `scope` says how much of the base counts: the `rental` of its final runs, or `fully_loaded`,
    with its experiments, staff and data.
    """

    ids: Annotated[Unordered[RunName], Meta(min_length=1, max_length=16)]
    scope: BaseScope = "fully_loaded"


class BaseQuote(Wire, frozen=True, kw_only=True, tag_field="kind", tag="quote"):
    """A quote issued before, while it is kept: its total is the base.

    `scope` says which total: the `rental` one, or the `fully_loaded` one.
    """

    id: KeptQuoteId
    scope: BaseScope = "fully_loaded"


class BaseAmount(Wire, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """An amount of your own.

    With the `scope` `fully_loaded`, the experiments, staff and data that such a model takes are
    added to it; with `rental` it counts as it is.
    """

    usd: Usd | Interval[Usd]
    scope: BaseScope = "rental"


class NoBase(Wire, frozen=True, kw_only=True, tag_field="kind", tag="none"):
    """The run starts from nothing: there is no base model to leave out."""


BaseModel: TypeAlias = BaseRuns | BaseQuote | BaseAmount | NoBase


class Experiments(Wire, frozen=True, kw_only=True):
    """Research, ablations and failed runs, as a factor on the hardware of the final run."""

    factor: Factor | Interval[Factor] | UnsetType = UNSET


class StaffByPeople(Wire, frozen=True, kw_only=True, tag_field="kind", tag="people"):
    """People, for some months, with a share of their time."""

    people: People | Interval[People]
    months: Months | Interval[Months]
    time_share: OpenShare | Interval[OpenShare] | UnsetType = UNSET
    usd_per_person_year: UsdPerYear | Interval[UsdPerYear] | UnsetType = UNSET
    overhead: Overhead | Interval[Overhead] | UnsetType = UNSET


class StaffByShare(Wire, frozen=True, kw_only=True, tag_field="kind", tag="share"):
    """Staff as a share of hardware, experiments and staff together.

    Without a `share`, it follows the size of the development: its compute with experiments. Staff
    of a development that is smaller than any published has no amount.
    """

    share: BelowOne | Interval[BelowOne] | UnsetType = UNSET


class StaffByAmount(Wire, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """What the people cost, as you know it."""

    usd: Usd | Interval[Usd]


Staff: TypeAlias = StaffByPeople | StaffByShare | StaffByAmount


class DataByRatio(Wire, frozen=True, kw_only=True, tag_field="kind", tag="ratio"):
    """Licences, collection, annotation and filtering, as a ratio to hardware and experiments.

    Without a `ratio`, data of a development that is smaller than any published has no amount.
    """

    ratio: DataRatio | Interval[DataRatio] | UnsetType = UNSET


class DataByAmount(Wire, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """What the data cost, as you know it."""

    usd: Usd | Interval[Usd]


DataCost: TypeAlias = DataByRatio | DataByAmount


Billing: TypeAlias = Literal["as_sold", "exact"]


class Accounting(Wire, frozen=True, kw_only=True):
    """What the bills hold besides the plain rental of devices.

    Discounts are taken off the items that they cover, one after the other: each is a share of
    what the ones before it leave. Uplifts come last on the rental bill, markups before taxes; the
    fully loaded bill shows the same amounts. `commitment_hours` is a
    minimum term of the run's cluster; reserved prices have terms of their own. `owned` applies
    unless an owned supply has terms of its own. `hardware` chooses what the fully loaded basis
    builds on. By default that is `owned` if the run's cluster is owned, and `rental` otherwise.
    `billing` says what is paid for: whole instances, servers or racks, for hours in the seller's
    increments (`as_sold`), or devices and hours as the run holds them (`exact`).
    """

    billing: Billing = "as_sold"
    owned: OwnedTerms = field(default_factory=OwnedTerms)
    hardware: Literal["rental", "owned"] | UnsetType = UNSET
    storage: Storage | UnsetType = UNSET
    transfer: Transfer | UnsetType = UNSET
    support: Support | UnsetType = UNSET
    commitment_hours: CommittedHours | Interval[CommittedHours] | UnsetType = UNSET
    discounts: Annotated[tuple[Discount, ...], Meta(max_length=16)] = ()
    uplifts: Annotated[tuple[Uplift, ...], Meta(max_length=16)] = ()
    base_model: BaseModel | UnsetType = UNSET
    experiments: Experiments = field(default_factory=Experiments)
    staff: Staff = field(default_factory=StaffByShare)
    data: DataCost = field(default_factory=DataByRatio)
    embodied_carbon: bool = False


class Options(Wire, frozen=True, kw_only=True):
    """What the quote shows: which bases, and in what detail.

    A `summary` has the same totals and intervals, and little else. Lines, drivers and exclusions
    of bases, `bridges`, `ownership`, `markets` and `figures` are empty. Stages keep feasibility,
    device-hours, wall clock, MFU, goodput, energy and carbon.

    Amounts are in the `currency`, at a dated rate of exchange whose range is in the intervals. A
    price that a seller quotes in it is not converted. What is named `usd` stays in dollars.
    """

    bases: Annotated[Unordered[BasisName], Meta(min_length=1, max_length=3)] = BASES
    detail: Literal["summary", "full"] = "full"
    currency: Currency = "USD"
