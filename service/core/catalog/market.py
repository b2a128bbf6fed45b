"""Who votes in the market of a device: one offer of each operator, and why others are left out.

The rules are numbered as in docs/market.md. Only offers are chosen here; no number is opened.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Final, Literal, TypeAlias, TypedDict, get_args

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from service.core.catalog.catalog import (
    SEGMENT_OF_OPERATORS,
    Catalog,
    Commitment,
    ListedOffer,
    MarketTerm,
    Offer,
    PriceKind,
    Provider,
    ProviderKind,
    Segment,
)
from service.core.catalog.dates import day_of
from service.core.figures.sources import Datum

LeftOutReason: TypeAlias = Literal[
    "not_an_operator",
    "shared_device",
    "elsewhere",
    "place_unknown",
    "component",
    "behind_operator",
    "single_node",
    "below_minimum",
    "sold_out",
    "no_on_demand_price",
    "too_old",
    "outlier",
]
LEFT_OUT: Final[tuple[LeftOutReason, ...]] = get_args(LeftOutReason)
"""Why a seller has no vote, in the order in which the rules are applied."""
PriceBasis: TypeAlias = Literal["own_price", "own_discount", "segment_discount", "on_demand_price"]
PriceMeaning: TypeAlias = Literal["list", "offered", "stated"]
MEANINGS: Final[Mapping[str, PriceMeaning]] = {
    "spot": "offered",
    "capacity_block": "offered",
    "calendar": "offered",
    "flex_start": "offered",
    "community": "offered",
    "marketplace": "offered",
    "auction_floor": "offered",
    "reference": "stated",
}
"""What a price of some kinds is: offered at a moment, or stated in a report. Others are listed."""
KINDS_OF_TERM: Final[Mapping[MarketTerm, tuple[PriceKind, ...]]] = {
    "on_demand": ("on_demand",),
    "spot": ("spot",),
    "reserved_1m": ("reserved_1m",),
    "reserved_3m": ("reserved_3m",),
    "reserved_6m": ("reserved_6m",),
    "reserved_1y": ("reserved_1y",),
    "reserved_3y": ("reserved_3y",),
    "capacity_block": ("capacity_block", "calendar"),
}
SELLERS_OF_OTHERS: Final[frozenset[ProviderKind]] = frozenset(
    {
        "marketplace",
        "consumer_marketplace",
        "auction_marketplace",
        "anonymous_host",
        "reseller",
        "broker",
    }
)
"""Sellers of machines of others: the segment `marketplace`."""
HOSTED: Final[tuple[PriceKind, ...]] = ("marketplace", "community")
"""Kinds of price of other people's machines, whoever lists them. They are on demand."""
NOT_IN_AREA: Final[Mapping[str, LeftOutReason]] = {"no": "elsewhere", "unknown": "place_unknown"}
"""Why an offer does not count that is not in an area, or of which that is not known."""
COMMITTED: Final[tuple[MarketTerm, ...]] = (
    "reserved_1m",
    "reserved_3m",
    "reserved_6m",
    "reserved_1y",
    "reserved_3y",
)
"""Terms whose price is a seller's own, or follows from its price on demand."""
OPERATING: Final[frozenset[Segment]] = frozenset(SEGMENT_OF_OPERATORS.values())
"""Segments whose sellers operate the machines."""
LEAST_SELLERS: Final = 4
"""Fewest sellers of a market that is not thin."""
NODE_DEVICES: Final = 8.0
"""Devices of a usual node. A price list by the device may be of nodes of this size."""
SAME_LIST_DAYS: Final = 90
"""Rows of one seller that are this much older than its newest still count as its list of today."""
OLD_DAYS: Final = 365
"""A seller whose newest price is older than the market's newest by more than this has no vote."""
LEAST_SCREENED: Final = 5
OUTLYING_DEVIATIONS: Final = 3.5
LEAST_DEVIATION: Final = 0.2
"""A price is an outlier of its segment if its logarithm is so many deviations from the median.

A deviation is 1.4826 times the median absolute deviation, as of a normal distribution, and at least
0.2: nothing within a factor of two of the median is an outlier. Source: Iglewicz and Hoaglin 1993.
"""
NORMAL_CONSISTENCY: Final = 1.4826


class Wanted(Struct, frozen=True, kw_only=True):
    """A cluster for which a market is asked, and the terms.

    The `region` is an area's id, or a seller's own code.
    """

    accelerator: str
    devices: float
    term: MarketTerm = "on_demand"
    provider: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    segment: Segment | UnsetType = UNSET


class Seat(Struct, frozen=True, kw_only=True):
    """One seller of a market, and the offer that stands for it.

    With the basis `own_price` the offer is of the term that is asked for. Otherwise it is on
    demand, and `over_on_demand` is what the term's price is over it, if it is not the same.
    `network_known` says that the offer makes the cluster; otherwise the source does not say.
    `through` is the broker that lists it, if the seller itself lists nothing. `usd` is the offer's
    price in dollars, only to compare it, and `day` the number of its day.
    """

    seller: str
    segment: Segment
    offer: Offer
    usd: float
    day: int
    network_known: bool
    through: str = ""
    basis: PriceBasis = "own_price"
    over_on_demand: Datum | None = None


class Panel(Struct, frozen=True, kw_only=True):
    """The sellers of a market, by id, and those that are left out by the reason."""

    seats: tuple[Seat, ...]
    left_out: dict[LeftOutReason, tuple[str, ...]]


def meaning_of(kind: str) -> PriceMeaning:
    """Whether a price of a kind stands on a list, or is offered at a moment. None was paid."""
    return MEANINGS.get(kind, "list")


def panel_of(catalog: Catalog, wanted: Wanted, known: dict[Wanted, Panel] | None = None) -> Panel:
    """The market of a device under some terms, for a cluster of some size.

    `known` keeps markets that stand for themselves. Those of commitments start from the one on
    demand, which several terms share.
    """
    known = {} if known is None else known
    if wanted.term not in COMMITTED:
        if wanted not in known:
            known[wanted] = _screened(_candidates(catalog, wanted, wanted.term))
        return known[wanted]
    at_term = _candidates(catalog, wanted, wanted.term)
    on_demand = panel_of(catalog, replace(wanted, term="on_demand"), known)
    if not on_demand.seats:
        return _screened(at_term)
    own = {seat.seller: seat for seat in at_term.seats}
    others = tuple(sorted(own.keys() - {seat.seller for seat in on_demand.seats}))
    listed = {name for names in on_demand.left_out.values() for name in names}
    alone = tuple(name for name in others if name not in listed)
    return Panel(
        seats=tuple(
            own.get(seat.seller) or _committed(catalog, wanted, seat) for seat in on_demand.seats
        ),
        left_out=_with_reasons(on_demand.left_out, no_on_demand_price=alone),
    )


def _committed(catalog: Catalog, wanted: Wanted, seat: Seat) -> Seat:
    """A seller on demand that lists no price of the term: its own discount, or its segment's."""
    published = catalog.commitments.get(f"{seat.seller}/{wanted.term}", ())
    own = _own_commitment(published, wanted)
    if own is not None:
        return _with(seat, "own_discount", own.price_over_on_demand)
    usual = catalog.usual_commitments.get(f"{seat.segment}/{wanted.term}")
    if usual is None:
        return _with(seat, "on_demand_price", None)
    return _with(seat, "segment_discount", usual)


def _own_commitment(published: Iterable[Commitment], wanted: Wanted) -> Commitment | None:
    """The discount on this device, else that on all devices, if the cluster is large enough."""
    fitting = [
        one
        for one in published
        if one.accelerator in ("", wanted.accelerator) and one.min_devices <= wanted.devices
    ]
    return max(fitting, key=lambda one: one.accelerator, default=None)


def _with(seat: Seat, basis: PriceBasis, over_on_demand: Datum | None) -> Seat:
    return replace(seat, basis=basis, over_on_demand=over_on_demand)


def _candidates(catalog: Catalog, wanted: Wanted, term: MarketTerm) -> Panel:
    """One offer of each seller that can make the cluster, before any price is compared."""
    fitting: dict[str, list[ListedOffer]] = {}
    refused: dict[str, LeftOutReason] = {}
    for one in _asked_about(catalog, wanted, term):
        reason = _why_not(catalog, wanted, one)
        if reason is None:
            fitting.setdefault(one.seller, []).append(one)
        elif LEFT_OUT.index(refused.get(one.listed_by, reason)) <= LEFT_OUT.index(reason):
            refused[one.listed_by] = reason
    seats = []
    for seller in sorted(fitting):
        own = [one for one in fitting[seller] if not one.through]
        if own:
            refused |= {one.through: "behind_operator" for one in fitting[seller] if one.through}
        seats.append(_seat(catalog, wanted, own or fitting[seller]))
    voting = {seat.seller for seat in seats}
    return Panel(
        seats=tuple(seats),
        left_out=_by_reason((name, why) for name, why in refused.items() if name not in voting),
    )


def fitting_offers(
    catalog: Catalog, wanted: Wanted, asked: Iterable[ListedOffer]
) -> tuple[ListedOffer, ...]:
    """Those of some offers that can make a cluster, whether or not they stand for their seller."""
    return tuple(one for one in asked if _why_not(catalog, wanted, one) is None)


def offers_asked_about(catalog: Catalog, wanted: Wanted) -> tuple[ListedOffer, ...]:
    """The newest offer of each product under some terms, whatever cluster it makes."""
    return tuple(_asked_about(catalog, wanted, wanted.term))


def offers_of_operators(catalog: Catalog, accelerator: str) -> Iterator[ListedOffer]:
    """All offers of a device by who operates the machines, of any size and under any terms."""
    for kind in get_args(PriceKind):
        for listed in catalog.listed.get(f"{accelerator}/{kind}", ()):
            if listed.segment in OPERATING:
                yield listed


def _by_reason(
    refused: Iterable[tuple[str, LeftOutReason]],
) -> dict[LeftOutReason, tuple[str, ...]]:
    found: dict[LeftOutReason, list[str]] = {}
    for seller, reason in sorted(refused):
        found.setdefault(reason, []).append(seller)
    return {reason: tuple(found[reason]) for reason in LEFT_OUT if reason in found}


def _asked_about(catalog: Catalog, wanted: Wanted, term: MarketTerm) -> Iterator[ListedOffer]:
    """The newest offer of each product that is asked about."""
    kinds = KINDS_OF_TERM[term]
    code = UNSET if wanted.region in catalog.areas else wanted.region
    seen: set[int] = set()
    for kind in (*kinds, *HOSTED) if term == "on_demand" else kinds:
        for listed in catalog.listed.get(f"{wanted.accelerator}/{kind}", ()):
            if listed.product in seen or code not in (UNSET, listed.offer.region):
                continue
            seen.add(listed.product)
            by_lister = wanted.segment == "marketplace" and listed.through
            asked = _if_asked(catalog, wanted, _for_lister(listed) if by_lister else listed)
            if asked is not None and wanted.segment in (UNSET, asked.segment):
                yield asked


def _for_lister(listed: ListedOffer) -> ListedOffer:
    """The same offer, as a vote of who lists it."""
    return replace(listed, seller=listed.through, segment="marketplace", through="", resold=False)


def listed_offers(
    catalog: Catalog, price_rows: Mapping[str, Sequence[Offer]]
) -> dict[str, tuple[ListedOffer, ...]]:
    """For whom each of some offers votes, by `accelerator/kind of price`, newest first still."""
    providers, usd_by_offer = catalog.providers, catalog.usd_by_offer
    found: dict[str, list[ListedOffer]] = {}
    products: dict[tuple[object, ...], int] = {}
    days: dict[str, int] = {}
    for accelerator, rows in price_rows.items():
        for row in rows:
            place = (row.provider, row.seller, row.country, row.region, row.instance_type)
            sold = (row.min_devices, row.complete, row.multi_node, row.devices)
            product = (accelerator, row.price_kind, *place, *sold)
            if row.observed_on not in days:
                days[row.observed_on] = day_of(row.observed_on).toordinal()
            found.setdefault(f"{accelerator}/{row.price_kind}", []).append(
                ListedOffer(
                    offer=row,
                    **_standing(row, providers),
                    usd=usd_by_offer[row.id],
                    day=days[row.observed_on],
                    product=products.setdefault(product, len(products)),
                    where=catalog.where(row),
                )
            )
    return {key: tuple(rows) for key, rows in found.items()}


class VotesFor(TypedDict):
    """For whom an offer votes, in which segment, and through whom."""

    seller: str
    segment: Segment | None
    through: str
    resold: bool


def _standing(offer: Offer, providers: Mapping[str, Provider]) -> VotesFor:
    """An offer votes for who operates the machines.

    Prices of hosts on a marketplace stand for the marketplace.
    """
    provider = providers[offer.provider]
    segment = SEGMENT_OF_OPERATORS.get(provider.kind)
    through, resold = offer.seller, segment is None and bool(provider.operator)
    if resold:
        through = through or provider.id
        segment = SEGMENT_OF_OPERATORS.get(providers[provider.operator].kind)
    if segment is None or offer.price_kind in HOSTED:
        nowhere = segment is None and provider.kind not in SELLERS_OF_OTHERS
        name = offer.seller or provider.id
        hosts: Segment | None = None if nowhere else "marketplace"
        return VotesFor(seller=name, segment=hosts, through="", resold=False)
    return VotesFor(seller=operator_of(provider), segment=segment, through=through, resold=resold)


def operator_of(provider: Provider) -> str:
    """The seller that operates the machines of a seller: itself, unless the catalog says who."""
    return provider.operated_by


def _if_asked(catalog: Catalog, wanted: Wanted, one: ListedOffer) -> ListedOffer | None:
    """An offer, unless one seller is asked for by its name and the offer is another's.

    Prices of hosts on the marketplace of an operator are asked for by the segment.
    """
    if wanted.provider is UNSET:
        return one
    named = catalog.providers[wanted.provider]
    if named.kind in SEGMENT_OF_OPERATORS:
        hosted = one.segment == "marketplace" and wanted.segment is UNSET
        return one if one.seller == operator_of(named) and not hosted else None
    if named.id not in (one.offer.provider, one.offer.seller):
        return None
    return replace(one, seller=named.id, segment="marketplace", through="", resold=False)


def _why_not(catalog: Catalog, wanted: Wanted, one: ListedOffer) -> LeftOutReason | None:
    """Why an offer does not count. None if it does."""
    offer = one.offer
    unasked = wanted.provider is UNSET and wanted.segment is UNSET
    if one.segment is None or (one.segment == "marketplace" and unasked):
        shared = catalog.providers[offer.provider].kind == "virtualised_gpu"
        return "shared_device" if shared else "not_an_operator"
    if one.resold and unasked:
        return "behind_operator"
    if (elsewhere := _why_elsewhere(catalog, wanted, one)) is not None:
        return elsewhere
    return _why_too_little(catalog, wanted, offer)


def _why_elsewhere(catalog: Catalog, wanted: Wanted, one: ListedOffer) -> LeftOutReason | None:
    """Why an offer is not in the area that is asked for. None if it is, or none is asked for."""
    area = None if wanted.region is UNSET else catalog.areas.get(wanted.region)
    return None if area is None else NOT_IN_AREA.get(one.where.stands_in(area.id))


def _why_too_little(catalog: Catalog, wanted: Wanted, offer: Offer) -> LeftOutReason | None:
    """Why an offer does not make the cluster. None if it does."""
    if not offer.complete:
        return "component"
    if makes(catalog, offer, wanted.devices) == "no":
        return "single_node"
    if offer.min_devices > wanted.devices:
        return "below_minimum"
    return "sold_out" if offer.sold_out else None


def makes(catalog: Catalog, offer: Offer, devices: float) -> Literal["yes", "no", "unknown"]:
    """Whether instances of an offer make a cluster of so many devices on one fast network.

    One instance needs no network. A price by the device holds up to a usual node, unless the row
    says that there is nothing beside the instance. If a row does not say, its seller may: one that
    rents out single instances only makes no more than a usual node.
    """
    if devices <= offer.devices:
        return "yes"
    if offer.multi_node:
        return offer.multi_node
    if offer.devices == 1 and devices <= NODE_DEVICES:
        return "yes"
    single = catalog.providers[offer.provider].clusters == "no"
    return "no" if single and devices > NODE_DEVICES else "unknown"


def _seat(catalog: Catalog, wanted: Wanted, of_seller: Sequence[ListedOffer]) -> Seat:
    """The offer that stands for a seller, of those that can make the cluster.

    It is one that surely makes it, else the newest, else the cheapest for this cluster.
    """
    newest = max(one.day for one in of_seller)

    def order(one: ListedOffer) -> tuple[bool, int, float, int, str]:
        offer, age = one.offer, newest - one.day
        unknown = makes(catalog, offer, wanted.devices) == "unknown"
        cost = one.usd * math.ceil(wanted.devices / offer.devices) * offer.devices
        return age > SAME_LIST_DAYS or unknown, age, cost, -offer.devices, offer.id

    best = min(of_seller, key=order) if len(of_seller) > 1 else of_seller[0]
    assert best.segment is not None
    return Seat(
        seller=best.seller,
        segment=best.segment,
        offer=best.offer,
        usd=best.usd,
        day=best.day,
        through=best.through,
        network_known=makes(catalog, best.offer, wanted.devices) == "yes",
    )


def _screened(panel: Panel) -> Panel:
    """A market without sellers whose price is far older than the newest, and without outliers."""
    if not panel.seats:
        return panel
    newest = max(seat.day for seat in panel.seats)
    old = {seat.seller for seat in panel.seats if newest - seat.day > OLD_DAYS}
    recent = [seat for seat in panel.seats if seat.seller not in old]
    outlying = _outliers(recent)
    left_out = _with_reasons(panel.left_out, too_old=old, outlier=outlying)
    kept = tuple(seat for seat in recent if seat.seller not in outlying)
    return Panel(seats=kept, left_out=left_out)


def _with_reasons(
    left_out: Mapping[LeftOutReason, tuple[str, ...]], **sellers: Iterable[str]
) -> dict[LeftOutReason, tuple[str, ...]]:
    """Those left out, with more of them by reason, in the order of the rules."""
    every = {**left_out}
    for reason in LEFT_OUT:
        if more := sorted(sellers.get(reason, ())):
            every[reason] = tuple(more)
    return {reason: every[reason] for reason in LEFT_OUT if reason in every}


def _outliers(seats: Iterable[Seat]) -> set[str]:
    """The sellers whose prices are outliers of their segment. None where a segment has few."""
    by_segment: dict[Segment, dict[str, float]] = {}
    for seat in seats:
        by_segment.setdefault(seat.segment, {})[seat.seller] = math.log(seat.usd)
    found: set[str] = set()
    for logs in by_segment.values():
        if len(logs) >= LEAST_SCREENED:
            middle = median(logs.values())
            spread = NORMAL_CONSISTENCY * median(abs(one - middle) for one in logs.values())
            most = OUTLYING_DEVIATIONS * max(spread, LEAST_DEVIATION)
            found |= {seller for seller, one in logs.items() if abs(one - middle) > most}
    return found
