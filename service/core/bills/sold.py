"""What is sold of a cluster: whole instances or systems, for hours in the seller's increments."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from msgspec import UNSET, Struct

from service.core.argument import Cursor, Fixed
from service.core.bills.power import sum_of
from service.core.catalog.catalog import BillingTerms, ListedOffer, Offer
from service.core.catalog.market import offers_of_operators
from service.core.figures.arrays import Real, ceil, maximum, where
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.request.accounting import Billing
from service.core.request.request import Cluster, Market, Rate
from service.core.request.supplies import named_offer, wanted_of
from service.core.stages.effort import Effort

RUN_CLUSTER: Final = "/cluster"
NEARLY: Final = 1e-9
"""A share by which floats may miss a whole number that they stand for."""
TO_THE_SECOND: Final = 1.0
"""An increment that rounds nothing, because hours of a run are not known to the second."""


class Sold(Struct, frozen=True, kw_only=True):
    """Devices and hours that a cluster is billed for, and those that the run holds.

    Hours are None while those of a stage are not known. `why` says in words what was rounded.
    """

    devices: Term
    held_devices: Term
    hours: Term | None
    held_hours: Term | None
    why: str = ""


class Piece(Struct, frozen=True):
    """What hardware is sold by: how many devices it has, where that stands, and its name."""

    devices: Term | Fixed
    name: str

    @property
    def size(self) -> float:
        """How many devices a piece has."""
        return self.devices.central if isinstance(self.devices, Term) else self.devices.value


@formula("devices_sold", unit="count")
def devices_sold(*, devices: Real, devices_per_piece: Real) -> Real:
    """Devices of the whole instances, servers or racks that hold some devices.

        ceil(devices / devices_per_piece) * devices_per_piece

    Source: definition.
    """
    return ceil(devices / devices_per_piece) * devices_per_piece


@formula("billed_hours", unit="hour")
def billed_hours(
    *,
    held_hours: Real,
    increment_seconds: Real,
    minimum_seconds: Real,
    long_after_seconds: Real | None = None,
    long_increment_seconds: Real | None = None,
) -> Real:
    """Hours that a seller bills, if a cluster is held from its first stage to its last.

        seconds = max(held_hours * 3600, minimum_seconds)
        ceil(seconds / increment_seconds) * increment_seconds / 3600

    Beyond `long_after_seconds` the increment is `long_increment_seconds`. An increment of one
    second rounds nothing, because hours of a run are not known to the second.

    Source: definition; the increments are those that the seller documents.
    """
    seconds = maximum(held_hours * SECONDS_PER_HOUR, minimum_seconds)
    billed = _in_increments(seconds, increment_seconds)
    if long_after_seconds is not None and long_increment_seconds is not None:
        long = _in_increments(seconds, long_increment_seconds)
        billed = where(billed > long_after_seconds, long, billed)
    return billed / SECONDS_PER_HOUR


def _in_increments(seconds: Real, increment: Real) -> Real:
    whole = ceil(seconds / increment * (1.0 - NEARLY)) * increment
    return where(increment > TO_THE_SECOND, whole, seconds)


@formula("rounding_device_hours", unit="device_hour")
def rounding_device_hours(
    *, devices_sold: Real, billed_hours: Real, devices: Real, held_hours: Real
) -> Real:
    """Device-hours that are billed beyond those that the run holds.

        devices_sold * billed_hours - devices * held_hours

    What is less than a billionth of the bill is an error of floats, and zero.

    Source: definition.
    """
    billed = devices_sold * billed_hours
    beyond = billed - devices * held_hours
    return where(beyond > NEARLY * billed, beyond, 0.0)


def by_cluster(efforts: Iterable[Effort]) -> dict[str, tuple[Effort, ...]]:
    """The stages that run on each cluster, in their order, by the cluster's pointer."""
    found: dict[str, list[Effort]] = {}
    for effort in efforts:
        found.setdefault(effort.cluster_pointer, []).append(effort)
    return {pointer: tuple(on_it) for pointer, on_it in found.items()}


def stage_of_line(effort: Effort) -> str:
    """The stage of a line about its cluster. Empty for the run's cluster, which stages share."""
    return "" if effort.cluster_pointer == RUN_CLUSTER else effort.stage.name


def hours_in_turn(at: Cursor[Any], efforts: Iterable[Effort]) -> Term | None:
    """Hours on the clock of stages one after another. None if one of them is not known."""
    inputs: dict[str, Term] = {}
    for index, effort in enumerate(efforts):
        if effort.wall_clock_hours is None:
            return None
        inputs[f"stage_{index}"] = effort.wall_clock_hours
    return at.argument.ledger.derive_once(
        sum_of, name=f"{at.prefix}/run_hours", unit="hour", inputs=inputs
    )


def sold_of_rented(efforts: tuple[Effort, ...], *, billing: Billing) -> Sold:
    """What a seller bills of a cluster on which these stages run one after another."""
    cluster = efforts[0].context.cluster
    at = cluster.under(f"rental{cluster.pointer}")
    devices, hours = efforts[0].devices, hours_in_turn(at, efforts)
    if billing == "exact":
        return Sold(devices=devices, held_devices=devices, hours=hours, held_hours=hours)
    whole, in_devices = whole_pieces(at, devices, _piece_rented(at, devices))
    billed, in_hours = _billed(at, hours)
    return Sold(
        devices=whole,
        held_devices=devices,
        hours=billed,
        held_hours=hours,
        why="; ".join(filter(None, (in_devices, in_hours))),
    )


class Terms(Struct, frozen=True):
    """What decides how much is sold of a cluster, besides what the run holds.

    `odd_devices` are those of a piece that does not divide the devices. `increments` are those of
    a seller who counts in steps, in seconds, if that rounds the hours.
    """

    devices_per_piece: float
    odd_devices: float = 0.0
    increments: tuple[float, ...] = ()


def terms_of_sale(cluster: Cursor[Cluster], devices: Term, hours: Term | None) -> Terms:
    """How a cluster is sold under its supply. Clusters with the same terms have the same lines."""
    piece, billed = _piece_rented(cluster, devices), _billing_terms(cluster)
    size = 1.0 if piece is None else piece.size
    rounds = billed is not None and hours is not None and not _as_held(cluster, billed, hours)
    return Terms(
        devices_per_piece=size,
        odd_devices=size if devices.central % size else 0.0,
        increments=_steps(cluster, billed) if rounds and billed is not None else (),
    )


def _steps(cluster: Cursor[Cluster], billed: BillingTerms) -> tuple[float, ...]:
    said = (
        billed.increment_seconds,
        billed.minimum_seconds,
        billed.long_after_seconds,
        billed.long_increment_seconds,
    )
    take = cluster.argument.ledger.take
    return tuple(-1.0 if one is UNSET else take(one).central for one in said)


def rounding_of(at: Cursor[Any], sold: Sold) -> Term | None:
    """Device-hours that are billed and not held. None if there are none, or hours are not known.

    If hours are uncertain there may be some although there are none at the central value.
    """
    if sold.held_hours is None or sold.hours is None:
        return None
    if sold.devices == sold.held_devices and sold.hours == sold.held_hours:
        return None
    beyond = at.derive(
        rounding_device_hours,
        devices_sold=sold.devices,
        billed_hours=sold.hours,
        devices=sold.held_devices,
        held_hours=sold.held_hours,
    )
    return beyond if beyond.central or _is_uncertain(at, beyond) else None


def _is_uncertain(at: Cursor[Any], term: Term) -> bool:
    """Whether a figure depends on one that has a range."""
    ledger = at.argument.ledger
    entries = map(ledger.entry, ledger.upstream_of([term.name]))
    return any(entry.low != entry.high for entry in entries)


def whole_pieces(at: Cursor[Any], devices: Term, piece: Piece | None) -> tuple[Term, str]:
    """The devices of the whole pieces that hold some devices, and in words what was rounded."""
    if piece is None or devices.central % piece.size == 0.0:
        return devices, ""
    sold = at.derive(devices_sold, devices=devices, devices_per_piece=piece.devices)
    count = sold.central / piece.size
    pieces, are = (piece.name, "is") if count == 1.0 else (f"{piece.name}s", "are")
    return sold, (
        f"{count:,g} {pieces} of {piece.size:,g} devices {are} paid for, "
        f"the run holds {devices.central:,g}"
    )


def piece_bought(at: Cursor[Any], accelerator: str) -> Piece | None:
    """The server or the rack that a device is bought in. None if it is bought by itself."""
    systems = at.argument.catalog.systems_by_accelerator.get(accelerator)
    return Piece(at.argument.ledger.take(systems[0].devices), "system") if systems else None


def _piece_rented(at: Cursor[Cluster], devices: Term) -> Piece | None:
    """The instance that a supply rents out. None if it is not known, or of one device."""
    supply: Cursor[Any] = at.at("supply")
    named = named_offer(supply.said, at.argument.catalog, pointer=supply.pointer)
    if named is not None:
        return _instance(named)
    if not isinstance(supply.said, Rate):
        terms = supply.said if isinstance(supply.said, Market) else Market()
        return _instance_on_the_market(at, devices, terms)
    if supply.states("devices_per_instance"):
        return Piece(supply.quantity("devices_per_instance", unit="count"), "instance")
    usual = _instance_on_the_market(at, devices, None)
    if usual is not None and devices.central % usual.size:
        supply.warn(
            "instance_size_unknown",
            f"{devices.central:g} devices are billed as given; sellers of {at.said.accelerator} "
            f"rent instances of {usual.size:g}. If yours does, give devices_per_instance",
        )
    return None


def _offers_of_operators(at: Cursor[Cluster]) -> tuple[ListedOffer, ...]:
    """The offers of a device by who operates the machines. They are searched for once."""
    found, key = at.argument.found, ("offers of operators", at.said.accelerator)
    if key not in found:
        found[key] = tuple(offers_of_operators(at.argument.catalog, at.said.accelerator))
    offers: tuple[ListedOffer, ...] = found[key]
    return offers


def _usual_node_of_operators(at: Cursor[Cluster]) -> Offer | None:
    """The usual node of all offers of a device. It is searched for once."""
    found, key = at.argument.found, ("usual node", at.said.accelerator)
    if key not in found:
        found[key] = usual_node(_offers_of_operators(at))
    node: Offer | None = found[key]
    return node


def _instance(offer: Offer) -> Piece:
    return Piece(Fixed(float(offer.devices), f"offers/{offer.id}"), "instance")


def _instance_on_the_market(
    at: Cursor[Cluster], devices: Term, terms: Market | None
) -> Piece | None:
    """Below a node the smallest instance on sale that holds the devices, and else the node.

    If no offer under these terms names a node, it is that of all offers of the device.
    """
    fitting = _offers_of_operators(at)
    node = None
    if terms is not None:
        fitting = at.argument.fitting(wanted_of(at.said, terms, catalog=at.argument.catalog))
        node = usual_node(fitting)
    node = node or _usual_node_of_operators(at)
    if node is None:
        return None
    holding = [
        offer
        for offer in (*(listed.offer for listed in fitting), node)
        if devices.central <= offer.devices <= node.devices
    ]
    return _instance(min(holding, key=lambda offer: offer.devices, default=node))


def usual_node(offers: Iterable[ListedOffer]) -> Offer | None:
    """An offer of the instance that most sellers have as their largest. A seller votes once.

    A price list by the device names no instance, so offers of one device do not vote. Of sizes with
    as many votes it is the smaller. None if nobody votes.
    """
    largest: dict[str, Offer] = {}
    for listed in offers:
        offer, seller = listed.offer, listed.seller
        known = largest.get(seller)
        if offer.devices > 1 and (known is None or offer.devices > known.devices):
            largest[seller] = offer
    votes = Counter(offer.devices for offer in largest.values())
    return min(
        largest.values(), key=lambda offer: (-votes[offer.devices], offer.devices), default=None
    )


def _billed(at: Cursor[Cluster], hours: Term | None) -> tuple[Term | None, str]:
    """Hours in the increments of the seller, and in words what was rounded."""
    terms = _billing_terms(at)
    if terms is None or hours is None:
        return hours, ""
    take = at.argument.ledger.take
    increment, minimum = take(terms.increment_seconds), take(terms.minimum_seconds)
    if _as_held(at, terms, hours):
        return hours, ""
    long = {}
    if terms.long_after_seconds is not UNSET and terms.long_increment_seconds is not UNSET:
        long = {
            "long_after_seconds": take(terms.long_after_seconds),
            "long_increment_seconds": take(terms.long_increment_seconds),
        }
    billed = at.derive(
        billed_hours,
        held_hours=hours,
        increment_seconds=increment,
        minimum_seconds=minimum,
        **long,
    )
    return billed, f"{hours.central:,.6g} hours are billed as {billed.central:,.6g}"


def _as_held(at: Cursor[Cluster], terms: BillingTerms, hours: Term) -> bool:
    """Whether a seller bills the hours that a cluster is held, without rounding them."""
    take = at.argument.ledger.take
    increment, minimum = take(terms.increment_seconds), take(terms.minimum_seconds)
    seconds = hours.central * SECONDS_PER_HOUR
    return increment.central <= TO_THE_SECOND and minimum.central <= seconds


def _billing_terms(at: Cursor[Cluster]) -> BillingTerms | None:
    """How the sellers behind a price count time. Of several sellers it is the one in the middle.

    None for a rate of the caller's own, and with a warning if no seller documents it.
    """
    catalog, supply = at.argument.catalog, at.at("supply")
    if isinstance(supply.said, Rate):
        return None
    named = named_offer(supply.said, catalog, pointer=supply.pointer)
    if named is not None:
        offers = [named]
    else:
        terms = supply.said if isinstance(supply.said, Market) else Market()
        wanted = wanted_of(at.said, terms, catalog=catalog)
        offers = [seat.offer for seat in at.argument.panel(wanted).seats]
    known = [catalog.billing_terms(offer.provider, offer.price_kind) for offer in offers]
    documented = [counted for counted in known if counted is not None]
    if offers and not documented:
        sellers = ", ".join(sorted(offer.provider for offer in offers))
        supply.warn(
            "billing_increment_unknown",
            f"hours are billed as held, because it is not known in which steps {sellers} counts",
        )
    documented.sort(key=lambda counted: counted.rank)
    return documented[len(documented) // 2] if documented else None
