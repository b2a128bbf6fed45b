"""What the service knows: one frozen value of dated rows, each number sealed with its source.

The files under `service/data` are read into these structs by `service.catalog_files`; the core
only looks things up. A lookup never guesses: an unknown id is an error that names its neighbours.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from service.core.catalog.areas import Area, Atlas, Where
from service.core.catalog.engine import Engine
from service.core.catalog.errors import (
    UnknownAccelerator,
    UnknownBookRate,
    UnknownGeneration,
    UnknownModel,
    UnknownName,
    UnknownOffer,
    UnknownProvider,
    UnknownRegion,
    UnknownRun,
    UnknownSite,
)
from service.core.catalog.generation import DeviceGeneration
from service.core.catalog.observed import AskedPrice, Observed, ObservedName
from service.core.figures.ledger import Ledger
from service.core.figures.sources import AsOf, Datum, Judged, Published
from service.core.figures.units import Unit
from service.core.figures.vocabulary import BasisName, DeviceKind
from service.core.names.kinds import NameKind
from service.core.names.names import NO_NAMES, Names
from service.core.names.spelling import Spelling

Row = TypeVar("Row")
DATE_LENGTH: Final = len("2026-01-01")

Slug: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9._:-]{0,127}$(?!\n)",
        description="An id of the catalog.",
    ),
]
PriceKind: TypeAlias = Literal[
    "on_demand",
    "spot",
    "reserved_7d",
    "reserved_1m",
    "reserved_3m",
    "reserved_6m",
    "reserved_1y",
    "reserved_2y",
    "reserved_3y",
    "reserved_5y",
    "reserved",
    "monthly",
    "capacity_block",
    "calendar",
    "flex_start",
    "community",
    "marketplace",
    "serverless",
    "shared",
    "auction_floor",
    "reference",
]
IndexKind: TypeAlias = Literal["index", "index_1y_contract", "forward"]
"""Kinds of past price that no seller asked: indices, and quotations of deliveries to come."""
MarketTerm: TypeAlias = Literal[
    "on_demand",
    "spot",
    "reserved_1m",
    "reserved_3m",
    "reserved_6m",
    "reserved_1y",
    "reserved_3y",
    "capacity_block",
]
ProviderKind: TypeAlias = Literal[
    "hyperscaler",
    "gpu_cloud",
    "regional_cloud",
    "marketplace",
    "reseller",
    "broker",
    "anonymous_host",
    "bare_metal",
    "auction_marketplace",
    "serverless",
    "gpu_cloud_and_community",
    "consumer_marketplace",
    "virtualised_gpu",
    "survey",
    "reference",
]
Segment: TypeAlias = Literal["hyperscaler", "neocloud", "marketplace"]
SEGMENT_OF_OPERATORS: Final[Mapping[ProviderKind, Segment]] = {
    "hyperscaler": "hyperscaler",
    "gpu_cloud": "neocloud",
    "regional_cloud": "neocloud",
    "bare_metal": "neocloud",
    "gpu_cloud_and_community": "neocloud",
}
"""Sellers that operate the machines which they rent out, and the part of the market they are in."""

BOOK_FIGURES: Final = "book/"
"""What the names of figures of a price book begin with."""

UNKNOWN: Final[Mapping[NameKind, type[UnknownName]]] = {
    "accelerator": UnknownAccelerator,
    "generation": UnknownGeneration,
    "offer": UnknownOffer,
    "book_rate": UnknownBookRate,
    "model": UnknownModel,
    "site": UnknownSite,
    "run": UnknownRun,
    "provider": UnknownProvider,
    "region": UnknownRegion,
}
"""The error of each kind of name."""

ExcludedItem: TypeAlias = Literal[
    "base_model",
    "experiments",
    "staff",
    "data",
    "capital",
    "storage",
    "transfer",
    "software_licences",
    "idle_energy",
    "insurance",
    "spares",
    "base_model_development",
    "fleet",
    "serving",
    "tax",
]


class ScaleUp(Struct, frozen=True, kw_only=True):
    """The fast link inside one domain (an HGX board, an NVL72 rack, a TPU pod)."""

    name: str
    unidirectional_byte_per_s: Datum
    domain_devices: int


class Accelerator(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of device. Rates are dense; an absent one is unsupported or was not found.

    Constants of the step-time engine are looked up by `generation` and `kind`, the failure rate
    by `fleet`, the default of the cluster network by `network_class`, and the numbers of the
    convention `epoch-2024` by `epoch_2024_family`. `usable_memory_bytes` are what a program finds
    on it, if that is known: less than what is printed on its box. `variant_of` is the device of
    which this one is a variant for export, on the same board.
    """

    id: Slug
    name: str
    vendor: str
    architecture: str
    generation: str
    kind: DeviceKind
    fleet: str
    network_class: str
    epoch_2024_family: str
    form_factor: str
    released: AsOf
    memory_bytes: Datum
    usable_memory_bytes: Datum | UnsetType = UNSET
    memory_type: str = ""
    memory_bandwidth_byte_per_s: Datum | UnsetType = UNSET
    peak_dense_flop_per_s: dict[str, Datum]
    tdp_w: Datum | UnsetType = UNSET
    scale_up: ScaleUp | UnsetType = UNSET
    variant_of: str = ""
    export_control: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """What a reader knows the device by."""
        return self.id

    @property
    def timed_as(self) -> str:
        """The id by which the step-time engine knows what was measured of the device."""
        return self.id

    @property
    def timed_alike(self) -> float:
        """How far what was measured of the device of that id holds for this one, 0 to 1."""
        return 1.0

    def lacks(self, what: str) -> str:
        """In words, why a number of the device is not known."""
        return f"the catalog has no {what} of {self.id}"


class System(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A server or rack as it is sold, and the power that it is rated for at the wall."""

    id: Slug
    name: str
    accelerator: Slug
    devices: Datum
    rated_w: Datum | UnsetType = UNSET
    note: str = ""


class PurchasePrice(Struct, frozen=True, kw_only=True):
    """What one device costs to buy, and whether that includes its share of a complete server."""

    accelerator: Slug
    usd_per_device: Datum
    includes_server: bool


class Provider(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A seller of device-hours; `kind` is this catalog's own classification.

    `operator` is the seller that operates the machines, if that is another: the one of which this
    is an earlier name, its owner, or the one whose machines it resells. `aliases` are names in
    print. `clusters` says whether it rents out several instances on one fast network.
    """

    id: Slug
    kind: ProviderKind
    operator: str = ""
    aliases: tuple[str, ...] = ()
    clusters: Literal["yes", "no", ""] = ""
    clusters_basis: str = ""
    country: str = ""
    country_recalled: bool = False
    note: str = ""

    @property
    def operated_by(self) -> str:
        """The seller that operates the machines: itself, unless the row says who."""
        return self.operator or self.id


class Offer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dated price of one seller; a changed price is a new row.

    `complete` prices include vCPU and RAM. `multi_node` says whether several instances come on one
    fast network; it is empty if the source does not say. `min_devices` is the least that is sold.
    """

    id: Slug
    provider: Slug
    accelerator: Slug
    price_kind: PriceKind
    price_per_device_hour: Datum
    observed_on: AsOf
    date_basis: Literal["source", "commit", "estimated"]
    region: str
    instance_type: str
    devices: int
    seller: str = ""
    country: str = ""
    form_factor: str = ""
    vcpus: int | UnsetType = UNSET
    ram_gb: float | UnsetType = UNSET
    network_gbps: float | UnsetType = UNSET
    complete: bool = True
    multi_node: Literal["yes", "no", ""] = ""
    min_devices: int = 1
    min_term: str = ""
    prepay: str = ""
    sold_out: bool = False
    licence: str = ""
    note: str = ""


class ListedOffer(Struct, frozen=True, kw_only=True):
    """An offer, the seller for which it votes, and the broker or reseller that lists it.

    Without a segment the seller is in no part of the market. A price that is `resold` is its
    reseller's own, and never stands for the operator. That of a broker may. `usd` is the price in
    dollars for a device-hour, only to compare it, and `day` the number of the day of observation.
    Offers of one `product` differ by their date alone. `where` says where it is sold.
    """

    offer: Offer
    seller: str
    segment: Segment | None
    through: str = ""
    resold: bool = False
    usd: float
    day: int
    product: int
    where: Where = Where()

    @property
    def listed_by(self) -> str:
        """Who lists the offer."""
        return self.through or self.seller


class Commitment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a seller's price at a term is over its own on demand, as it publishes that.

    Without an `accelerator` it holds for all devices.
    """

    provider: Slug
    term: PriceKind
    price_over_on_demand: Datum
    accelerator: str = ""
    min_devices: int = 1
    prepay: str = ""
    note: str = ""


class BillingTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a seller counts time: by increments, a part of one as a whole, and not below a minimum.

    Beyond `long_after_seconds` the increments are `long_increment_seconds`. `rank` orders the terms
    of all sellers, from the finest increments to the coarsest.
    """

    rank: int
    increment_seconds: Datum
    minimum_seconds: Datum
    long_after_seconds: Datum | UnsetType = UNSET
    long_increment_seconds: Datum | UnsetType = UNSET


class Site(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a cluster stands: grid carbon, power price, PUE. An absent number is not known.

    A cloud region takes carbon and tariff from its grid zone if nothing nearer is known, and the
    source says so. Tariffs are in dollars, euros or pounds, as their unit says.
    """

    id: Slug
    kind: Literal["cloud_region", "grid_zone"]
    name: str
    provider: str = ""
    region: str = ""
    country: str = ""
    grid_zone: str = ""
    grid_operator_zone: str = ""
    level: str = ""
    carbon_kg_co2e_per_kwh: Datum | UnsetType = UNSET
    marginal_carbon_kg_co2e_per_kwh: Datum | UnsetType = UNSET
    market_based_carbon_kg_co2e_per_kwh: Datum | UnsetType = UNSET
    carbon_free_share: Datum | UnsetType = UNSET
    price_per_kwh: Datum | UnsetType = UNSET
    pue: Datum | UnsetType = UNSET
    water_liter_per_kwh: Datum | UnsetType = UNSET
    note: str = ""


class FleetPue(Struct, frozen=True, kw_only=True):
    """PUE of an operator's fleet in one year, for regions that publish none of their own."""

    operator: str
    scope: str
    year: str
    pue: Datum


class SpotReclaim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often spot capacity of one instance type was taken back within a month.

    The source gives bands: `low` and `high` of the share are the band's ends.
    """

    provider: Slug
    region: str
    instance_type: str
    accelerator: Slug
    observed_on: AsOf
    reclaimed_share_per_month: Datum
    saving_share: Datum
    note: str = ""


class ExchangeRate(Struct, frozen=True, kw_only=True):
    """Dollars for one unit of a currency on a day."""

    currency: str
    date: AsOf
    usd_per_unit: Datum


class PricePoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One past price of a device-hour; rows of different `scope` are different products.

    `provider` is the seller, which the scope begins with; it is empty for an index. A `restated`
    price was brought to other terms than it was listed at, so only its changes are the seller's.
    """

    accelerator: Slug
    date: AsOf
    price_kind: PriceKind | IndexKind
    scope: str
    provider: str = ""
    restated: bool = False
    price_per_device_hour: Datum
    note: str = ""


class PastPurchase(Struct, frozen=True, kw_only=True):
    """What one device was sold for, with its share of a server or without."""

    accelerator: Slug
    date: AsOf
    includes_server: bool
    usd_per_device: Datum


class ModelPreset(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published architecture. Its parameter counts follow from its fields.

    `architecture` holds the fields of a transformer as a request names them.
    """

    id: Slug
    name: str
    organisation: str
    released: AsOf
    architecture: dict[str, Any]
    params_total: Datum
    params_active: Datum | UnsetType = UNSET
    params_embedding: Datum | UnsetType = UNSET
    published_total: Datum | UnsetType = UNSET
    published_active: Datum | UnsetType = UNSET
    architecture_source: Published
    reference_checked: bool = False
    note: str = ""


class PredictedHours(Struct, frozen=True, kw_only=True):
    """Device-hours of a run as this engine predicts them from its description alone."""

    device_hours: float
    p10: float
    p90: float


class ReferenceRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published run whose hours, cost or speed was disclosed. Accuracy is measured on these.

    `accelerator` is an id of the catalog. It is empty if the catalog lacks the run's device.
    `base_runs` are the runs of the model that this one starts from.
    """

    id: Slug
    model: str
    developer: str
    date: AsOf
    kind: str
    accelerator: str
    benchmark_grade: Literal["A", "B", "C", "D"]
    device_hours_basis: str
    facts: dict[str, Any]
    device_count: Datum | UnsetType = UNSET
    device_hours: Datum | UnsetType = UNSET
    usd_per_device_hour: Datum | UnsetType = UNSET
    stated_cost_usd: Datum | UnsetType = UNSET
    predicted: PredictedHours | UnsetType = UNSET
    sources: tuple[Published, ...]
    quote_basis: str = ""
    base_runs: tuple[Slug, ...] = ()


class PublishedClaim(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A figure said in public of what a run cost. `claim` is the body by which it is judged.

    `words` says it in our words. `note` has what the judgement rests on, and what is not known.
    """

    id: Slug
    model: str
    said_by: str
    words: str
    source: Published | Judged
    claim: dict[str, Any]
    note: str = ""


class ExcludedCost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cost that bills leave out. `low` and `high` are its order of magnitude, in `unit`.

    `base_runs` are the reference runs whose own report or developer it is about. The exclusion
    holds only if one of them is the base model. With a `vendor` it holds only if a device is from
    there. `what` may name {cluster}, {base} and {hardware}.
    """

    item: ExcludedItem
    bases: tuple[BasisName, ...]
    what: str
    source: Published | Judged
    unit: Unit | UnsetType = UNSET
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    base_runs: tuple[Slug, ...] = ()
    vendor: str = ""


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits beyond which a quote warns: age of a price, width of an interval, share of a driver.

    `stale_price_days` is for prices of device-hours, and `stale_other_price_days` for those of
    hardware and of power, which move slower. Both count up to the day that is priced for.

    A given number is implausible if it lies beyond the range of the catalog's rows by more than
    `implausible_factor`. Of a share that is the factor of its odds, and `implausible_odds` above.

    The policy is part of the catalog, because the catalog's digest is part of every id. So one id
    has one answer under each policy.
    """

    stale_price_days: Annotated[int, Meta(ge=1, le=36500)] = 90
    stale_other_price_days: Annotated[int, Meta(ge=1, le=36500)] = 548
    wide_interval_ratio: Annotated[float, Meta(gt=1.0, le=1e6)] = 5.0
    driving_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.15
    implausible_factor: Annotated[float, Meta(ge=1.0, le=1e6)] = 3.0
    implausible_odds: Annotated[float, Meta(ge=1.0, le=1e6)] = 2.0


class Catalog(Struct, frozen=True, kw_only=True, dict=True):
    """All that is known, as one value, with the version and the digest that every quote names.

    `published_at` is the instant at which this edition was published (RFC 3339, UTC). `price_rows`
    indexes offers by accelerator id, newest first and, within a date, cheapest first. `regions` are
    names of `areas` and the region codes that any offer names; areas are by their ids, countries
    and what they are parts of. `spot_reclaims` and `price_history` are by accelerator too,
    `fleet_pues` by operator, `exchange_rates` by currency, oldest first. `accelerator_aliases` maps
    names used in print to ids, and `spellings` has all ways in which people write names. `systems`
    are the servers and racks in which devices are sold. `purchases` are what was asked or paid for
    each device, `purchase_prices` what follows for it. `billing` is by `seller/kind of price`, or
    by `seller/` for all other kinds. `commitments` are published discounts by `operator/term`,
    `usual_commitments` what follows from those of a segment, by `segment/term`. `usd_by_offer` has
    the prices of all offers in dollars, only to compare them. `listed` says for whom each offer
    votes in a market, by `accelerator/kind of price`, newest first. `engine` has the constants of
    the step-time engine. `observed` has the ranges that given numbers are compared with, and
    `asked_prices` what sellers ask for each device, cheapest first. `consumer_prices` is the index
    of consumer prices by year, oldest first. `book` has the rates of a price book by name. They are
    the caller's own: they are in none of the other members.
    """

    version: str
    published_at: str
    digest: str
    accelerators: dict[str, Accelerator]
    providers: dict[str, Provider]
    offers: dict[str, Offer]
    sites: dict[str, Site]
    models: dict[str, ModelPreset]
    runs: dict[str, ReferenceRun]
    assumptions: dict[str, Datum]
    price_rows: dict[str, tuple[Offer, ...]]
    regions: frozenset[str]
    areas: dict[str, Area] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    accelerator_aliases: dict[str, str] = field(default_factory=dict)
    spellings: dict[NameKind, tuple[Spelling, ...]] = field(default_factory=dict)
    fleet_pues: dict[str, tuple[FleetPue, ...]] = field(default_factory=dict)
    spot_reclaims: dict[str, tuple[SpotReclaim, ...]] = field(default_factory=dict)
    price_history: dict[str, tuple[PricePoint, ...]] = field(default_factory=dict)
    usd_by_offer: dict[str, float] = field(default_factory=dict)
    listed: dict[str, tuple[ListedOffer, ...]] = field(default_factory=dict)
    billing: dict[str, BillingTerms] = field(default_factory=dict)
    commitments: dict[str, tuple[Commitment, ...]] = field(default_factory=dict)
    usual_commitments: dict[str, Datum] = field(default_factory=dict)
    exchange_rates: dict[str, tuple[ExchangeRate, ...]] = field(default_factory=dict)
    purchases: dict[str, tuple[PastPurchase, ...]] = field(default_factory=dict)
    consumer_prices: dict[int, Datum] = field(default_factory=dict)
    exclusions: tuple[ExcludedCost, ...] = ()
    systems: dict[str, System] = field(default_factory=dict)
    purchase_prices: dict[str, PurchasePrice] = field(default_factory=dict)
    claims: dict[str, PublishedClaim] = field(default_factory=dict)
    engine: Engine = field(default_factory=Engine)
    observed: dict[ObservedName, Observed] = field(default_factory=dict)
    asked_prices: dict[str, tuple[AskedPrice, ...]] = field(default_factory=dict)
    generations: dict[str, DeviceGeneration] = field(default_factory=dict)
    book: dict[str, Offer] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """The day of this edition. A version may have more than a date."""
        return self.version[:DATE_LENGTH]

    def accelerator(self, asked: str, *, pointer: str) -> Accelerator:
        """The accelerator of this id, or `UnknownAccelerator`."""
        return self._look_up(self.accelerators, asked, pointer, "accelerator")

    def generation(self, asked: str, *, pointer: str) -> DeviceGeneration:
        """The generation of devices of this name, or `UnknownGeneration`."""
        return self._look_up(self.generations, asked, pointer, "generation")

    def label(self, accelerator: str) -> str:
        """What a reader knows a device by, whether or not the catalog has it."""
        known = self.accelerators.get(accelerator)
        return accelerator if known is None else known.label

    def offer(self, asked: str, *, pointer: str) -> Offer:
        """The offer of this id, or `UnknownOffer`."""
        return self._look_up(self.offers, asked, pointer, "offer")

    def book_rate(self, asked: str, *, pointer: str) -> Offer:
        """The rate of this name in the price book, or `UnknownBookRate`."""
        return self._look_up(self.book, asked, pointer, "book_rate")

    def model(self, asked: str, *, pointer: str) -> ModelPreset:
        """The model preset of this id, or `UnknownModel`."""
        return self._look_up(self.models, asked, pointer, "model")

    def site(self, asked: str, *, pointer: str) -> Site:
        """The site of this id, or `UnknownSite`."""
        return self._look_up(self.sites, asked, pointer, "site")

    def run(self, asked: str, *, pointer: str) -> ReferenceRun:
        """The reference run of this id, or `UnknownRun`."""
        return self._look_up(self.runs, asked, pointer, "run")

    def region(self, asked: str, *, pointer: str) -> str:
        """The id of the area of this name, else a seller's region code, or `UnknownRegion`."""
        known = self.names["region"].resolve(asked)
        if known is None:
            raise self.unknown("region", asked, pointer=pointer)
        area = self.atlas.named(known)
        return known if area is None else area.id

    def billing_terms(self, provider: str, price_kind: str) -> BillingTerms | None:
        """How a seller counts time under a kind of price. None if that is not known."""
        general = self.billing.get(f"{provider}/")
        return self.billing.get(f"{provider}/{price_kind}", general)

    def assumption(self, name: str) -> Datum:
        """A default of the service. Asking for a name that is not there is our own mistake."""
        return self.assumptions[name]

    @cached_property
    def atlas(self) -> Atlas:
        """The areas by all their names."""
        return Atlas(self.areas)

    @cached_property
    def _seen_in(self) -> Mapping[str, frozenset[str]]:
        """The countries in which each operator was seen: by an offer of any device, or a region."""
        seen: dict[str, set[str]] = {}
        offers = ((row.provider, row.country) for row in self.offers.values())
        sites = ((site.provider, site.country) for site in self.sites.values())
        for provider, country in {*offers, *sites}:
            seller = self.providers.get(provider)
            if seller is not None and country:
                seen.setdefault(seller.operated_by, set()).add(country.lower())
        return {seller: frozenset(countries) for seller, countries in seen.items()}

    def where(self, offer: Offer) -> Where:
        """Where an offer is sold. A price for all regions holds where its seller was seen."""
        seen = self._seen_in.get(self.providers[offer.provider].operated_by, frozenset())
        return self.atlas.where(offer, seen=seen)

    @cached_property
    def systems_by_accelerator(self) -> Mapping[str, tuple[System, ...]]:
        """The servers and racks of each accelerator that has any. They hold as many devices."""
        found: dict[str, tuple[System, ...]] = {}
        for system in self.systems.values():
            found[system.accelerator] = (*found.get(system.accelerator, ()), system)
        return found

    @cached_property
    def runs_of_hours(self) -> Mapping[float, tuple[ReferenceRun, ...]]:
        """The reference runs by the device-hours that they disclose."""
        found: dict[float, tuple[ReferenceRun, ...]] = {}
        for run in self.runs.values():
            if run.device_hours is not UNSET:
                hours = Ledger().take(run.device_hours).central
                found[hours] = (*found.get(hours, ()), run)
        return found

    @cached_property
    def names(self) -> Mapping[NameKind, Names]:
        """What is known of each kind, and how it is spelled."""
        known: dict[NameKind, Iterable[str]] = {
            "accelerator": self.accelerators,
            "generation": self.generations,
            "offer": self.offers,
            "book_rate": self.book,
            "model": self.models,
            "site": self.sites,
            "run": self.runs,
            "provider": self.providers,
            "region": self.regions,
        }
        return {
            kind: Names(
                ids,
                self.spellings.get(kind, ()),
                codes=kind in {"region", "site"},
                whole=self.atlas.slugs() if kind == "region" else NO_NAMES,
            )
            for kind, ids in known.items()
        }

    def unknown(self, kind: NameKind, asked: str, *, pointer: str) -> UnknownName:
        """The error that says that nothing of this kind has a name."""
        return UNKNOWN[kind](asked=asked, known=self.names[kind], pointer=pointer)

    def beside(
        self,
        devices: Mapping[str, Accelerator],
        *,
        systems: Mapping[str, System],
        purchase_prices: Mapping[str, PurchasePrice],
    ) -> "Catalog":
        """A catalog that also knows some devices, and the rows of theirs. All else is shared."""
        shared = {name: getattr(self, name) for name in ("names", "runs_of_hours", "atlas")}
        found = structs.replace(
            self,
            accelerators={**self.accelerators, **devices},
            systems={**self.systems, **systems},
            purchase_prices={**self.purchase_prices, **purchase_prices},
        )
        found.__dict__.update(shared)
        return found

    def _look_up(self, rows: dict[str, Row], asked: str, pointer: str, kind: NameKind) -> Row:
        try:
            return rows[asked]
        except KeyError:
            raise self.unknown(kind, asked, pointer=pointer) from None
