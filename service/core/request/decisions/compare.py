"""What may be asked of a comparison: one run, and every way to get a cluster for it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.catalog.catalog import MarketTerm, Segment
from service.core.request.accounting import Accounting
from service.core.request.ids import AcceleratorName, ProviderName, RegionName
from service.core.request.quantities import Devices, NetworkRate
from service.core.request.request import (
    CatalogVersion,
    ClusterSite,
    PricedOn,
    Reliability,
    Run,
)
from service.core.request.wire import Interval, Unordered, Wire

RankedBy: TypeAlias = Literal["cost", "time", "carbon"]
AskedConfidence: TypeAlias = Annotated[
    float,
    Meta(
        ge=0.5,
        le=0.95,
        description="How sure a cost or a date has to be: 0.8 is enough in four cases of five.",
        examples=[0.5, 0.8, 0.9],
    ),
]
ComparedTerm: TypeAlias = MarketTerm | Literal["owned"]
ComparedBasis: TypeAlias = Literal["hardware", "fully_loaded"]
ClockHours: TypeAlias = Annotated[
    float, Meta(ge=1e-3, le=1e6, description="ClockHours on the clock.")
]
ComparedUsd: TypeAlias = Annotated[float, Meta(ge=0.01, le=1e15, description="US dollars.")]
Kilograms: TypeAlias = Annotated[
    float, Meta(ge=1e-3, le=1e15, description="Location-based emissions, kg CO2e.")
]


class DeviceRange(Wire, frozen=True, kw_only=True):
    """Sizes of a cluster from `min` to `max` devices: whole nodes, each twice the one before."""

    min: Devices = 1.0
    max: Devices


class Choices(Wire, frozen=True, kw_only=True):
    """What is compared. A list that is not given stands for everything that the catalog has.

    Sizes are the `devices` listed, or doublings of a node within `devices_range`, or within what
    the constraints allow. The term `owned` buys the devices. Sellers of the segment `marketplace`
    are compared only if it is asked for.
    """

    accelerators: (
        Annotated[Unordered[AcceleratorName], Meta(min_length=1, max_length=64)] | UnsetType
    ) = UNSET
    devices: Annotated[Unordered[Devices], Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    devices_range: DeviceRange | UnsetType = UNSET
    terms: Annotated[Unordered[ComparedTerm], Meta(min_length=1, max_length=9)] = ("on_demand",)
    sellers: Annotated[Unordered[ProviderName], Meta(min_length=1, max_length=64)] | UnsetType = (
        UNSET
    )
    segments: Annotated[Unordered[Segment], Meta(min_length=1, max_length=3)] = (
        "hyperscaler",
        "neocloud",
    )
    regions: Annotated[Unordered[RegionName], Meta(min_length=1, max_length=16)] | UnsetType = UNSET


class Constraints(Wire, frozen=True, kw_only=True):
    """What a candidate has to keep, at the `confidence` that is asked for."""

    deadline_hours: ClockHours | UnsetType = UNSET
    budget_usd: ComparedUsd | UnsetType = UNSET
    max_devices: Devices | UnsetType = UNSET
    max_carbon_kg_co2e: Kilograms | UnsetType = UNSET


class ComparedCluster(Wire, frozen=True, kw_only=True):
    """What all clusters have in common: where they stand, their network, and how they fail."""

    site: ClusterSite = field(default_factory=ClusterSite)
    network_gbit_per_s_per_device: NetworkRate | Interval[NetworkRate] | UnsetType = UNSET
    reliability: Reliability = field(default_factory=Reliability)


class CompareRequest(Wire, frozen=True, kw_only=True):
    """One run, and the clusters on which it may be done.

    Candidates are ranked by the `objective`: its quantile at the `confidence`. So `0.8` ranks by
    what is enough in four cases of five. `basis` says which cost: that of the `hardware`, rented or
    owned, or the `fully_loaded` one. The first `most` are listed, and all are counted.
    """

    catalog: CatalogVersion | UnsetType = UNSET
    run: Run
    choices: Choices = field(default_factory=Choices)
    constraints: Constraints = field(default_factory=Constraints)
    objective: RankedBy = "cost"
    confidence: AskedConfidence = 0.5
    basis: ComparedBasis = "hardware"
    most: Annotated[
        float, Meta(ge=1, le=100, multiple_of=1, description="Ranked candidates to list.")
    ] = 20.0
    cluster: ComparedCluster = field(default_factory=ComparedCluster)
    accounting: Accounting = field(default_factory=Accounting)
    as_of: PricedOn | UnsetType = UNSET
