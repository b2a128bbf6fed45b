"""What a caller may ask: the exact types that the decoder enforces and the contract prints.

Unknown members are refused everywhere, and alternatives are told apart by `kind`.
"""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from service.core.catalog.catalog import MarketTerm, Segment
from service.core.request.accounting import Accounting, Options, OwnedTerms
from service.core.request.described import DescribedAccelerator
from service.core.request.envelope import START_PATTERN, Envelope
from service.core.request.ids import (
    AcceleratorName,
    BookRateName,
    OfferName,
    ProviderName,
    RegionName,
    SiteName,
)
from service.core.request.quantities import (
    CheckpointInterval,
    CheckpointSeconds,
    Devices,
    FailuresPerDeviceDay,
    Few,
    KgPerKwh,
    NetworkRate,
    Pue,
    Repeat,
    RestartSeconds,
    UsdPerDeviceHour,
    UsdPerKwh,
)
from service.core.request.wire import Interval, Name, Unordered, Wire
from service.core.request.work import Work

InstanceDevices: TypeAlias = Annotated[
    float, Meta(ge=1, le=1e5, multiple_of=1, description="Devices of one instance.")
]


PricedOn: TypeAlias = Annotated[
    str,
    Meta(
        pattern=START_PATTERN,
        description="The day that is priced for, by default that of the catalog's edition: only "
        "prices that had been read by then count, and they are as sure as their age up to it "
        "leaves them. An ISO date from 2000-01-01 to 2199-12-31.",
        examples=["2025-01-15"],
    ),
]


class Rate(Wire, tag_field="kind", tag="rate", frozen=True, kw_only=True):
    """A price that you were given, or that you assume.

    With `devices_per_instance`, whole instances are billed; without it, the devices as given.
    """

    usd_per_device_hour: UsdPerDeviceHour | Interval[UsdPerDeviceHour]
    devices_per_instance: InstanceDevices | UnsetType = UNSET


class CatalogOffer(Wire, tag_field="kind", tag="offer", frozen=True, kw_only=True):
    """One dated offer of the catalog."""

    id: OfferName


class BookRate(Wire, tag_field="kind", tag="book", frozen=True, kw_only=True):
    """A negotiated rate of the price book that the service was started with."""

    name: BookRateName


class Market(Wire, tag_field="kind", tag="market", frozen=True, kw_only=True):
    """The median over operators of one price each: of offers that can make the cluster.

    The price of a commitment is an operator's own price for it, or its own discount on its price on
    demand, or else that of its segment. Without a `segment`, hyperscalers and neoclouds vote; with
    `marketplace`, those vote who list machines of others. In a `region` those vote who sell there.
    """

    term: MarketTerm = "on_demand"
    provider: ProviderName | UnsetType = UNSET
    region: RegionName | UnsetType = UNSET
    segment: Segment | UnsetType = UNSET


class Owned(OwnedTerms, frozen=True, kw_only=True, tag_field="kind", tag="owned"):
    """Devices that the caller owns. Their `rental` bill uses the market's price."""


Supply: TypeAlias = Rate | CatalogOffer | BookRate | Market | Owned


class ClusterSite(Wire, frozen=True, kw_only=True):
    """Where the cluster stands: a site of the catalog, your own numbers, or both.

    A number given here overrides the site's. A number that neither has is assumed.
    """

    id: SiteName | UnsetType = UNSET
    pue: Pue | Interval[Pue] | UnsetType = UNSET
    usd_per_kwh: UsdPerKwh | Interval[UsdPerKwh] | UnsetType = UNSET
    carbon_kg_co2e_per_kwh: KgPerKwh | Interval[KgPerKwh] | UnsetType = UNSET


class Reliability(Wire, frozen=True, kw_only=True):
    """How often a cluster interrupts a run, and what that takes. Defaults are the catalog's.

    `automatic` recovery has spares at hand and calls nobody; `manual` recovery waits for people.
    Without an interval, checkpoints are taken at the interval that loses least (Young and Daly).
    """

    failures_per_device_day: FailuresPerDeviceDay | Interval[FailuresPerDeviceDay] | UnsetType = (
        UNSET
    )
    recovery: Literal["automatic", "manual"] = "automatic"
    restart_seconds: RestartSeconds | Interval[RestartSeconds] | UnsetType = UNSET
    checkpoint_seconds: CheckpointSeconds | Interval[CheckpointSeconds] | UnsetType = UNSET
    checkpoint_interval_seconds: CheckpointInterval | Interval[CheckpointInterval] | UnsetType = (
        UNSET
    )


class Cluster(Wire, frozen=True, kw_only=True):
    """Accelerators: which, how many, how they are obtained, where they stand, how they fail.

    `accelerator` is an id of the catalog, or an object that describes a device of your own.
    `devices_per_domain` is how many of them share the fast link, if that is not as usual: four
    GH200 of a node, a rack that is cut in two.
    """

    device: AcceleratorName | DescribedAccelerator = field(name="accelerator")
    devices: Devices
    supply: Supply = field(default_factory=Market)
    site: ClusterSite = field(default_factory=ClusterSite)
    network_gbit_per_s_per_device: NetworkRate | Interval[NetworkRate] | UnsetType = UNSET
    devices_per_domain: Few | UnsetType = UNSET
    reliability: Reliability = field(default_factory=Reliability)

    @property
    def accelerator(self) -> str:
        """The id of the device. A described one gets an id before it is looked up."""
        assert isinstance(self.device, str), f"{self.device!r} has no id yet"
        return self.device


class Stage(Wire, frozen=True, kw_only=True):
    """One part of a run: its work, and its cluster if that is not the run's.

    A stage starts when the one before it in the list has ended. With `after`, it starts when all
    stages named there have ended; an empty `after` is the start of the run. Stages on the run's
    own cluster always follow each other.
    """

    name: Name
    work: Work
    cluster: Cluster | UnsetType = UNSET
    after: Annotated[Unordered[Name], Meta(max_length=64)] | UnsetType = UNSET
    repeat: Repeat | Interval[Repeat] = 1.0


CatalogVersion: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}(\.[1-9]\d{0,3})?$(?!\n)",
        description="An edition of the catalog, as `/readyz` lists them; without it, the current.",
        examples=["2026-11-28"],
    ),
]


class Run(Wire, frozen=True, kw_only=True):
    """An ordered list of stages."""

    name: Name
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=64)]


class QuoteRequest(Envelope, frozen=True, kw_only=True):
    """One run on one cluster, what its bills hold, and which bases are wanted.

    `start` and `today` are outside the id: the same request on another day has the same quote. With
    them the answer has a `calendar`, and says how old its prices are. `as_of` is part of the id: it
    prices for a day, with what was known on it. `catalog` is in the id through the digest of the
    edition alone: the quote of an older edition keeps the id and the bytes that it had when that
    edition was current.
    """

    catalog: CatalogVersion | UnsetType = UNSET

    run: Run
    cluster: Cluster
    accounting: Accounting = field(default_factory=Accounting)
    options: Options = field(default_factory=Options)
    as_of: PricedOn | UnsetType = UNSET


def devices_of_run(run: Run, cluster: Cluster) -> tuple[str, ...]:
    """The accelerators that a run is on, each once."""
    clusters = (cluster, *(stage.cluster for stage in run.stages))
    return tuple(dict.fromkeys(one.accelerator for one in clusters if one is not UNSET))
