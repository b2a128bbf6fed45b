"""A comparison: one run on every cluster that can be had, exactly as the contract prints it."""

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, UnsetType

from service.core.answer.base import Amount, AmountInterval, Answer, Money, UnitRate
from service.core.answer.bills import MarketPriceBasis
from service.core.answer.quote import CatalogStamp, EngineStamp
from service.core.catalog.catalog import MarketTerm, Segment
from service.core.figures.sources import AsOf
from service.core.figures.vocabulary import BasisName
from service.core.request.decisions.compare import AskedConfidence, ComparedTerm, RankedBy

ComparisonId: TypeAlias = Annotated[
    str, Meta(pattern=r"^k_[0-9a-f]{64}$(?!\n)", description="Content id of a comparison.")
]
ShareOfDraws: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
InfeasibleReason: TypeAlias = Annotated[
    str,
    Meta(
        description="`does_not_fit`, `contradictory`, `unsuited`: the run cannot be done there. "
        "`deadline`, `budget`, `max_carbon`, `max_devices`: a constraint is not kept. "
        "`single_node`, `below_minimum`, `sold_out` and other reasons of docs/market.md: a seller "
        "does not sell such a cluster. `no_price` and reasons of unpriced lines: it has no price.",
    ),
]


class CandidateLevels(Answer, frozen=True, kw_only=True):
    """A number at central values, and its 50%, 80% and 90% quantiles."""

    central: float
    p50: float
    p80: float
    p90: float


class CandidateCost(Answer, frozen=True, kw_only=True):
    """The total of one basis, as a quote has it, and its quantiles."""

    basis: BasisName
    total: Money
    p50: Amount
    p80: Amount
    p90: Amount


class OrderedSupply(Answer, frozen=True, kw_only=True):
    """The supply to ask a quote for."""

    kind: Literal["market", "owned"]
    term: MarketTerm | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    segment: Segment | UnsetType = UNSET
    region: str | UnsetType = UNSET


class OrderedCluster(Answer, frozen=True, kw_only=True):
    """The cluster of a candidate, as a request to `/quote` has it."""

    accelerator: str
    devices: float
    supply: OrderedSupply


class CandidatePanel(Answer, frozen=True, kw_only=True):
    """The sellers with a price for the same cluster under the same term, and the middle one."""

    sellers: Annotated[int, Meta(ge=1)]
    median_usd_per_device_hour: UnitRate


class CandidatePrice(Answer, frozen=True, kw_only=True):
    """The seller's price behind a candidate.

    `makes_cluster` is `unknown` if the seller does not say whether its instances come on one fast
    network. Then ask, before you order.
    """

    seller: str
    segment: Segment
    usd_per_device_hour: UnitRate
    basis: MarketPriceBasis
    offer: str
    observed_on: AsOf
    panel: CandidatePanel
    makes_cluster: Literal["yes", "unknown"]
    minimum_term: str | UnsetType = UNSET


class Probabilities(Answer, frozen=True, kw_only=True):
    """Shares of the draws in which a candidate keeps each constraint, and all of them."""

    deadline: ShareOfDraws | UnsetType = UNSET
    budget: ShareOfDraws | UnsetType = UNSET
    max_carbon: ShareOfDraws | UnsetType = UNSET
    all: ShareOfDraws


class VersusFirst(Answer, frozen=True, kw_only=True):
    """What a candidate costs more than the first, over the same draws.

    It is a `tie` if nothing lies between p10 and p90 but also zero. `probability_cheaper` is the
    share of the draws in which this one costs less.
    """

    more: AmountInterval
    probability_cheaper: ShareOfDraws
    tie: bool


class ComparedCandidate(Answer, frozen=True, kw_only=True):
    """One way to do the run, with all that it comes to.

    `devices_sold` are those of the whole `nodes` to order, for `billed_hours`. `unused_commitment`
    is what a term costs beyond the hours of the run. It is in the total. `on_frontier` says that
    nothing feasible is both cheaper and sooner done, at the confidence.
    """

    rank: Annotated[int, Meta(ge=1)]
    cluster: OrderedCluster
    term: ComparedTerm
    price: CandidatePrice | UnsetType = UNSET
    nodes: int
    devices_per_node: int
    devices_sold: int
    billed_hours: float
    billed_days: float
    device_hours: CandidateLevels
    wall_clock_hours: CandidateLevels
    costs: Annotated[tuple[CandidateCost, ...], Meta(min_length=1)]
    unused_commitment: Amount
    energy_kwh: CandidateLevels | UnsetType = UNSET
    carbon_kg_co2e: CandidateLevels | UnsetType = UNSET
    keeps: Probabilities
    probability_cheapest: ShareOfDraws
    versus_first: VersusFirst | UnsetType = UNSET
    on_frontier: bool


class FrontierPoint(Answer, frozen=True, kw_only=True):
    """A candidate that nothing beats in both cost and time, at the confidence."""

    cluster: OrderedCluster
    rank: int
    cost: Amount
    hours: float


class InfeasibleCluster(Answer, frozen=True, kw_only=True):
    """A cluster that is not feasible, and in words why."""

    accelerator: str
    devices: float
    detail: str | UnsetType = UNSET
    sellers: tuple[str, ...] = ()


class InfeasibleGroup(Answer, frozen=True, kw_only=True):
    """Clusters or sellers that are not feasible for one reason: how many, and some of them.

    `nearest` is the change that would take least.
    """

    reason: InfeasibleReason
    count: Annotated[int, Meta(ge=1)]
    examples: Annotated[tuple[InfeasibleCluster, ...], Meta(max_length=3)]
    nearest: str | UnsetType = UNSET


class CheapestListed(Answer, frozen=True, kw_only=True):
    """The lowest price that anybody lists for the device of the first candidate.

    `makes_cluster` says whether it can be ordered as a cluster of that size; `detail` says why not.
    """

    accelerator: str
    seller: str
    offer: str
    usd_per_device_hour: UnitRate
    observed_on: AsOf
    makes_cluster: Literal["yes", "no", "unknown"]
    detail: str


class WastefulSize(Answer, frozen=True, kw_only=True):
    """A number of devices that takes as long as a smaller one, and costs more."""

    accelerator: str
    devices: float
    as_fast_with: float
    hours: float
    more_device_hours: float


class ComparisonCounts(Answer, frozen=True, kw_only=True):
    """What was looked at. `outdone` devices cost a multiple of others at any size."""

    feasible: int
    infeasible: int
    plans: int
    outdone_devices: tuple[str, ...] = ()
    cut_plans: Annotated[int, Meta(description="Sizes beyond the bound of one comparison.")] = 0


class Comparison(Answer, frozen=True, kw_only=True):
    """Ways to do one run, best first.

    `horizon_hours` is the deadline, or a year where none is given. Amounts are in US dollars.
    """

    id: ComparisonId
    issued_at: str
    valid_until: str
    engine: EngineStamp
    catalog: CatalogStamp
    request: Raw
    objective: RankedBy
    confidence: AskedConfidence
    horizon_hours: float
    candidates: tuple[ComparedCandidate, ...]
    frontier: tuple[FrontierPoint, ...]
    cheapest_listed: CheapestListed | UnsetType = UNSET
    infeasible: tuple[InfeasibleGroup, ...]
    wasteful: tuple[WastefulSize, ...]
    counts: ComparisonCounts
