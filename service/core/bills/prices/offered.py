"""The price of one offer in dollars, and whether its seller makes the cluster of it."""

from typing import Any, Final

from service.core.argument import Argument, Cursor
from service.core.bills.aging.aged import aged
from service.core.bills.prices.formulas import in_usd
from service.core.catalog.catalog import Offer
from service.core.catalog.market import makes
from service.core.figures.ledger import Term
from service.core.request.request import BookRate, Cluster

IN_DOLLARS: Final = "usd/device_hour"


def usd_price(argument: Argument, offer: Offer, *, pointer: str, agreed: bool = False) -> Term:
    """An offer's price in dollars, on the day that is priced for.

    If it is converted, the rate of exchange is a figure too. A price that is agreed does not move.
    """
    ledger = argument.ledger
    price = (
        ledger.take(offer.price_per_device_hour, pointer=pointer)
        if agreed
        else aged(argument, offer, pointer=pointer)
    )
    source = offer.price_per_device_hour.source
    if source.confidence == "low":
        argument.warn(
            "low_confidence_price",
            f"the price of {offer.id} was recalled, not read",
            pointer=pointer,
        )
    unit = offer.price_per_device_hour.unit
    if unit == IN_DOLLARS:
        return price
    currency = unit.partition("/")[0]
    return ledger.derive_once(
        in_usd,
        name=f"{price.name}/usd",
        inputs={
            "price_per_device_hour": price,
            "usd_per_unit": argument.assume(f"usd_per_{currency}"),
        },
    )


def warn_of_size(cluster: Cursor[Cluster], offer: Offer) -> None:
    """Warn of an offer that does not make a cluster of so many devices, or may not."""
    if isinstance(cluster.said.supply, BookRate):
        return
    devices, supply = cluster.said.devices, cluster.at("supply")
    made = makes(cluster.argument.catalog, offer, devices)
    if made == "no":
        supply.warn(
            "offer_too_small",
            f"offer {offer.id} is an instance of {offer.devices} without a network to others, and "
            f"the cluster has {devices:g} devices",
            member="id",
        )
    elif made == "unknown":
        supply.warn(
            "network_unknown",
            f"it is not known whether instances of {offer.devices} of offer {offer.id} come on one "
            f"fast network, as {devices:g} devices need it",
            member="id",
        )
    if offer.min_devices > devices:
        supply.warn(
            "offer_too_small",
            f"offer {offer.id} is sold from {offer.min_devices} devices on, and the cluster has "
            f"{devices:g}",
            member="id",
        )


def pointer_of_name(supply: Cursor[Any]) -> str:
    """Where a supply names its offer."""
    return supply.pointer_of("name" if isinstance(supply.said, BookRate) else "id")
