"""What a device-hour costs under a supply: a price given, an offer, or the market."""

from typing import Any

from msgspec import UNSET, Struct

from service.core.answer import UnpricedReason
from service.core.argument import Cursor
from service.core.bills.aging.standing import warn_of_standing
from service.core.bills.prices.offered import pointer_of_name, usd_price, warn_of_size
from service.core.bills.prices.panel import MarketPrice, price_on_the_market
from service.core.catalog.catalog import Offer
from service.core.catalog.known import is_by
from service.core.figures.ledger import Term
from service.core.request.request import BookRate, Cluster, Market, Owned, Rate
from service.core.request.supplies import named_offer, wanted_of


class Price(Struct, frozen=True):
    """Dollars for one device-hour, in words where the price comes from, and the market behind."""

    usd_per_device_hour: Term
    detail: str = ""
    market: MarketPrice | None = None


class NoPrice(Struct, frozen=True):
    """Why the catalog has no price."""

    reason: UnpricedReason
    detail: str


def price_of(cluster: Cursor[Cluster]) -> Price | NoPrice:
    """What one device-hour of this cluster costs to rent.

    For an owned cluster it is the market's price on demand.
    """
    supply: Cursor[Any] = cluster.at("supply")
    if isinstance(supply.said, Rate):
        return Price(supply.quantity("usd_per_device_hour", unit="usd/device_hour"))
    offer = named_offer(supply.said, cluster.argument.catalog, pointer=supply.pointer)
    if offer is not None:
        return _offered(cluster, supply, offer)
    terms = Market() if isinstance(supply.said, Owned) else supply.said
    found = price_on_the_market(cluster, terms, pointer=supply.pointer)
    if found is None:
        return _nobody(cluster, terms)
    return Price(found.usd_per_device_hour, found.detail, found)


def _offered(cluster: Cursor[Cluster], supply: Cursor[Any], offer: Offer) -> Price | NoPrice:
    """The price of the one offer that a supply names, in words that say whose it is."""
    own, accelerator = isinstance(supply.said, BookRate), cluster.said.accelerator
    if offer.accelerator != accelerator:
        what = "rate" if own else "offer"
        return NoPrice(
            "offer_is_for_another_device",
            f"{what} {offer.id} is for {offer.accelerator}, the cluster is "
            f"{supply.argument.catalog.label(accelerator)}",
        )
    day, pointer = supply.argument.priced_for, pointer_of_name(supply)
    if not own and not is_by(offer.observed_on, day):
        return NoPrice(
            "price_not_known_then",
            f"the price of {offer.id} is of {offer.observed_on}, which is after {day}",
        )
    warn_of_size(cluster, offer)
    price = usd_price(supply.argument, offer, pointer=pointer, agreed=own)
    detail = f"{offer.price_kind} price of {offer.provider}"
    if own:
        return Price(
            price, f"{detail}, rate {offer.id} of your price book, agreed {offer.observed_on}"
        )
    warn_of_standing(supply.argument, offer, pointer=pointer)
    return Price(price, f"{detail}, observed {offer.observed_on}")


def _nobody(cluster: Cursor[Cluster], supply: Market) -> NoPrice:
    """Why the market has no price, and what to do about it."""
    catalog = cluster.argument.catalog
    device = catalog.label(cluster.said.accelerator)
    if not catalog.price_rows.get(cluster.said.accelerator):
        return NoPrice(
            "no_offer_for_device",
            f"the catalog has no offer of {device}; give a rate of your own",
        )
    where = "".join(
        f" {kind} {value}"
        for kind, value in (
            ("of the segment", supply.segment),
            ("of provider", supply.provider),
            ("in region", supply.region),
        )
        if value is not UNSET
    )
    panel = cluster.argument.panel(wanted_of(cluster.said, supply, catalog=catalog))
    left_out = "; ".join(f"{why}: {', '.join(names)}" for why, names in panel.left_out.items())
    return NoPrice(
        "no_offer_under_these_terms",
        f"the catalog has offers of {device}, but no {supply.term} price{where} for "
        f"{cluster.said.devices:g} devices" + (f"; left out are {left_out}" if left_out else ""),
    )
