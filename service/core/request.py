"""What a caller may ask: the exact types that the decoder enforces and the contract prints.

Every number is bounded so that no product or quotient of legal inputs leaves the finite range.
Counts are `number`, so that 14.8e12 and 1e3 may be written as people write them. Unknown members
are refused everywhere, and alternatives are told apart by `kind`.
"""

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.core.architecture import Transformer
from service.core.catalog import Slug
from service.core.parallelism import LayoutRequest

T = TypeVar("T")

Name: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="A name of your own; printable, at most 128 characters.",
    ),
]
DeviceHours: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e12, description="Devices times hours held, busy or not.")
]
Hours: TypeAlias = Annotated[float, Meta(ge=1e-6, le=1e7, description="Hours of wall clock.")]
Devices: TypeAlias = Annotated[
    float,
    Meta(ge=1, le=1e7, multiple_of=1, description="How many accelerators are held."),
]
Flop: TypeAlias = Annotated[
    float,
    Meta(ge=1.0, le=1e32, description="Floating-point operations of the training run."),
]
Mfu: TypeAlias = Annotated[
    float,
    Meta(
        ge=1e-4,
        le=1.0,
        description="Model FLOP/s utilisation: share of dense peak, recomputation not counted.",
    ),
]
Goodput: TypeAlias = Annotated[
    float,
    Meta(ge=0.01, le=1.0, description="Share of held time that moves training forward."),
]
UsdPerDeviceHour: TypeAlias = Annotated[
    float, Meta(ge=1e-6, le=1e6, description="US dollars for one device for one hour.")
]
Repeat: TypeAlias = Annotated[
    float,
    Meta(
        ge=1.0,
        le=1e4,
        description="How often the stage is run: attempts, failed ones included.",
    ),
]

Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0, description="A share, from 0 to 1.")]
OpenShare: TypeAlias = Annotated[
    float, Meta(ge=0.01, le=1.0, description="A share, from 0.01 to 1.")
]
BelowOne: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=0.95, description="A share of the whole, at most 0.95.")
]
Usd: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e15, description="US dollars.")]
UsdPerDevice: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e8, description="US dollars for one device, new.")
]
Years: TypeAlias = Annotated[float, Meta(ge=0.25, le=30.0, description="Years.")]
AgeYears: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=30.0, description="Years from acquisition to the start of the run.")
]
YearlyShare: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1.0, description="Share of an amount for one year.")
]
UsdPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=100.0, description="US dollars for one kilowatt-hour.")
]
UsdPerKilowattMonth: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e5, description="US dollars for hosting one rated kilowatt a month.")
]
Pue: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=5.0, description="Power usage effectiveness: facility over IT energy.")
]
KgPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=10.0, description="Kilograms of CO2 equivalent per kilowatt-hour.")
]
Gigabytes: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e12, description="Gigabytes (10^9).")]
Months: TypeAlias = Annotated[float, Meta(ge=0.0, le=600.0, description="Months.")]
UsdPerGigabyte: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e4, description="US dollars for one gigabyte.")
]
People: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e6, description="Full-time equivalents.")]
UsdPerYear: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=1e9, description="US dollars for one person-year.")
]
Overhead: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=10.0, description="Employer's cost over pay.")
]
Factor: TypeAlias = Annotated[
    float,
    Meta(ge=1.0, le=1000.0, description="Compute of the whole development over the final run."),
]
Tokens: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=1e18, description="Tokens seen in training, repeats counted.")
]
SequenceLength: TypeAlias = Annotated[
    float, Meta(ge=1, le=16_777_216, multiple_of=1, description="Tokens of one sequence.")
]
BatchTokens: TypeAlias = Annotated[
    float,
    Meta(ge=1.0, le=1e10, description="Tokens per optimizer step over all replicas."),
]
TokensPerSecond: TypeAlias = Annotated[
    float, Meta(ge=1e-3, le=1e9, description="Tokens per second of one device.")
]
Parameters: TypeAlias = Annotated[
    float, Meta(ge=1e5, le=1e15, description="Parameters of the model.")
]
TrainingPrecision: TypeAlias = Literal["fp32", "bf16", "fp16", "fp8", "mxfp8", "nvfp4", "int8"]
OptimizerName: TypeAlias = Literal[
    "adamw", "adamw_bf16_states", "adamw_8bit", "adafactor", "muon", "sgd_momentum"
]


class Interval(Struct, Generic[T], forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A 90% interval: one time in twenty below `low`, one time in twenty above `high`.

    Without `central` the middle of the distribution is taken. Ends in the wrong order are put
    right, and the quote says so.
    """

    low: T
    high: T
    central: T | UnsetType = UNSET


class Wire(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What all parts of a request share: named members only, unknown ones refused."""


class Metered(Wire, tag_field="kind", tag="metered", frozen=True, kw_only=True):
    """Device-hours that are already known: measured, disclosed or planned."""

    device_hours: DeviceHours | Interval[DeviceHours]


class Timed(Wire, tag_field="kind", tag="timed", frozen=True, kw_only=True):
    """Wall-clock hours for which the cluster's devices are held."""

    hours: Hours | Interval[Hours]


ComputePrecision: TypeAlias = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8"]


class Compute(Wire, tag_field="kind", tag="compute", frozen=True, kw_only=True):
    """Training FLOP, turned into device-hours by peak, MFU and goodput.

    `precision` names the dense peak that `mfu` is a share of.
    """

    flop: Flop | Interval[Flop]
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    goodput: Goodput | Interval[Goodput] | UnsetType = UNSET
    precision: ComputePrecision = "bf16"


class PresetModel(Wire, frozen=True, kw_only=True, tag_field="kind", tag="preset"):
    """A model of the catalog."""

    id: Slug


class TransformerModel(Transformer, frozen=True, kw_only=True, tag_field="kind", tag="transformer"):
    """A transformer as described: layers, hidden size, heads and vocabulary do."""


class ParametersModel(Wire, frozen=True, kw_only=True, tag_field="kind", tag="parameters"):
    """A model of which only parameter counts are known; a plausible shape is assumed."""

    total: Parameters
    active: Parameters | UnsetType = UNSET


Model: TypeAlias = PresetModel | TransformerModel | ParametersModel


class LayoutTerms(LayoutRequest, frozen=True, kw_only=True):
    """How the run is spread over the devices; leave it out and the fastest that fits is chosen."""


class Anchor(Wire, frozen=True, kw_only=True):
    """A measured speed on the same kind of device: the engine's bias there is carried over.

    What is not given of the measured configuration is the stage's own.
    """

    tokens_per_s_per_device: TokensPerSecond
    devices: Devices
    layout: LayoutTerms
    sequence_length: SequenceLength | UnsetType = UNSET
    global_batch_tokens: BatchTokens | UnsetType = UNSET
    precision: TrainingPrecision | UnsetType = UNSET
    model: Model | UnsetType = UNSET


class Pretraining(Wire, frozen=True, kw_only=True, tag_field="kind", tag="pretraining"):
    """Tokens through a model; step time, memory and the layout are predicted.

    `mfu` overrides the predicted step time, `goodput` the default. Phases of other sequence
    lengths or batches (context extension) are stages of their own.
    """

    model: Model
    tokens: Tokens | Interval[Tokens]
    sequence_length: SequenceLength = 4096.0
    global_batch_tokens: BatchTokens = 4_194_304.0
    precision: TrainingPrecision = "bf16"
    optimizer: OptimizerName = "adamw"
    layout: LayoutTerms | UnsetType = UNSET
    mfu: Mfu | Interval[Mfu] | UnsetType = UNSET
    goodput: Goodput | Interval[Goodput] | UnsetType = UNSET
    anchor: Anchor | UnsetType = UNSET


Work: TypeAlias = Metered | Timed | Compute | Pretraining


class Rate(Wire, tag_field="kind", tag="rate", frozen=True, kw_only=True):
    """A price you were given, or assume."""

    usd_per_device_hour: UsdPerDeviceHour | Interval[UsdPerDeviceHour]


class CatalogOffer(Wire, tag_field="kind", tag="offer", frozen=True, kw_only=True):
    """One dated offer of the catalog."""

    id: Slug


Term: TypeAlias = Literal["on_demand", "spot", "reserved_1y", "reserved_3y"]
Region: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, description="A provider's own region code.")
]


class Market(Wire, tag_field="kind", tag="market", frozen=True, kw_only=True):
    """The median over providers of the newest catalog price of each."""

    term: Term = "on_demand"
    provider: Slug | UnsetType = UNSET
    region: Region | UnsetType = UNSET


Convention: TypeAlias = Literal["straight_line", "epoch-2024"]


class OwnedTerms(Wire, frozen=True, kw_only=True):
    """How owned hardware is written off; what is not given is taken from the catalog.

    `straight_line`: price less residual over `years` and `utilization`, with cost of capital,
    hosting and maintenance. `epoch-2024`: value at the start of the run, declining as newer
    hardware improves (arXiv 2405.21015). `price_includes_server` tells a device's share of a
    complete server from the price of a bare card.
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


class Owned(OwnedTerms, frozen=True, kw_only=True, tag_field="kind", tag="owned"):
    """Devices that the caller owns."""


Supply: TypeAlias = Rate | CatalogOffer | Market | Owned


class Site(Wire, frozen=True, kw_only=True):
    """Where the cluster stands: a site of the catalog, your own numbers, or both.

    A number given here goes before the site's; what neither has is assumed.
    """

    id: Slug | UnsetType = UNSET
    pue: Pue | Interval[Pue] | UnsetType = UNSET
    usd_per_kwh: UsdPerKwh | Interval[UsdPerKwh] | UnsetType = UNSET
    carbon_kg_co2e_per_kwh: KgPerKwh | Interval[KgPerKwh] | UnsetType = UNSET


class Cluster(Wire, frozen=True, kw_only=True):
    """Accelerators, how many, how they are obtained, and where they stand."""

    accelerator: Slug
    devices: Devices
    supply: Supply = field(default_factory=Market)
    site: Site = field(default_factory=Site)


class Stage(Wire, frozen=True, kw_only=True):
    """One part of a run: its work, and the cluster it runs on if not the run's."""

    name: Name
    work: Work
    cluster: Cluster | UnsetType = UNSET
    repeat: Repeat | Interval[Repeat] = 1.0


class Run(Wire, frozen=True, kw_only=True):
    """An ordered list of stages."""

    name: Name
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=64)]


class Storage(Wire, frozen=True, kw_only=True):
    """Data, checkpoints and logs kept while the run lasts, or for `months`."""

    gigabytes: Gigabytes | Interval[Gigabytes]
    usd_per_gigabyte_month: UsdPerGigabyte | Interval[UsdPerGigabyte] | UnsetType = UNSET
    months: Months | Interval[Months] | UnsetType = UNSET


class Transfer(Wire, frozen=True, kw_only=True):
    """Data moved out of the seller's network."""

    gigabytes: Gigabytes | Interval[Gigabytes]
    usd_per_gigabyte: UsdPerGigabyte | Interval[UsdPerGigabyte] | UnsetType = UNSET


class Adjustment(Wire, frozen=True, kw_only=True):
    """A negotiated discount, or an uplift such as a margin, a contingency or a tax."""

    label: Name
    share: Share | Interval[Share]


class BaseRuns(Wire, frozen=True, kw_only=True, tag_field="kind", tag="runs"):
    """Reference runs of the catalog whose stated costs, or hours and rates, add up to the base."""

    ids: Annotated[tuple[Slug, ...], Meta(min_length=1, max_length=16)]


class BaseQuote(Wire, frozen=True, kw_only=True, tag_field="kind", tag="quote"):
    """A quote issued before, while it is kept: its rental total is the base."""

    id: Annotated[str, Meta(pattern=r"^q_[0-9a-f]{64}$(?!\n)", description="Id of a quote.")]


class BaseAmount(Wire, frozen=True, kw_only=True, tag_field="kind", tag="amount"):
    """An amount of your own."""

    usd: Usd | Interval[Usd]


BaseModel: TypeAlias = BaseRuns | BaseQuote | BaseAmount


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
    """Staff as a share of hardware with experiments and staff together."""

    share: BelowOne | Interval[BelowOne] | UnsetType = UNSET


Staff: TypeAlias = StaffByPeople | StaffByShare


class DataCost(Wire, frozen=True, kw_only=True):
    """Licences, collection, annotation and filtering: an amount, or else a ratio to compute."""

    usd: Usd | Interval[Usd] | UnsetType = UNSET


class Accounting(Wire, frozen=True, kw_only=True):
    """What the bills beside the plain rental of devices are to hold.

    Discounts are taken off device rental, uplifts are put on the discounted rental. `commitment_hours`
    is a minimum term for the run's cluster; reserved terms bring their own. `hardware` chooses what
    the fully loaded basis builds on: rental, unless the supply is owned.
    """

    owned: OwnedTerms = field(default_factory=OwnedTerms)
    hardware: Literal["rental", "owned"] | UnsetType = UNSET
    storage: Storage | UnsetType = UNSET
    transfer: Transfer | UnsetType = UNSET
    support_share: Share | Interval[Share] | UnsetType = UNSET
    commitment_hours: Hours | Interval[Hours] | UnsetType = UNSET
    discounts: Annotated[tuple[Adjustment, ...], Meta(max_length=16)] = ()
    uplifts: Annotated[tuple[Adjustment, ...], Meta(max_length=16)] = ()
    base_model: BaseModel | UnsetType = UNSET
    experiments: Experiments = field(default_factory=Experiments)
    staff: Staff = field(default_factory=StaffByShare)
    data: DataCost = field(default_factory=DataCost)
    embodied_carbon: bool = False


class QuoteRequest(Wire, frozen=True, kw_only=True):
    """One run on one cluster."""

    run: Run
    cluster: Cluster
    accounting: Accounting = field(default_factory=Accounting)
