"""What a caller may ask: the exact types that the decoder enforces and the contract prints.

Every number is bounded so that no product or quotient of legal inputs leaves the finite range.
Counts are `number`, so that 14.8e12 and 1e3 may be written as people write them. Unknown members
are refused everywhere, and alternatives are told apart by `kind`.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.accounting import Accounting, Options, OwnedTerms
from service.core.catalog import Slug
from service.core.wire import Interval, Name, Wire

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
Pue: TypeAlias = Annotated[
    float, Meta(ge=1.0, le=5.0, description="Power usage effectiveness: facility over IT energy.")
]
UsdPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=100.0, description="US dollars for one kilowatt-hour.")
]
KgPerKwh: TypeAlias = Annotated[
    float, Meta(ge=0.0, le=10.0, description="Kilograms of CO2 equivalent per kilowatt-hour.")
]


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


Work: TypeAlias = Metered | Timed | Compute


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


class Owned(OwnedTerms, frozen=True, kw_only=True, tag_field="kind", tag="owned"):
    """Devices that the caller owns; to rent the like, the market is asked."""


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


class QuoteRequest(Wire, frozen=True, kw_only=True):
    """One run on one cluster, what its bills are to hold, and which bases are wanted."""

    run: Run
    cluster: Cluster
    accounting: Accounting = field(default_factory=Accounting)
    options: Options = field(default_factory=Options)
