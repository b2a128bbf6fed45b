"""What a device-hour costs under a supply: a price given, an offer, or the market."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import UNSET, Struct

from service.core.answer import UnpricedReason
from service.core.argument import Argument, Cursor
from service.core.catalog.catalog import OUTSIDE_THE_MARKET, Catalog, Offer
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.request.request import BookRate, Cluster, Market, Owned, Rate
from service.core.request.supplies import named_offer


class Price(Struct, frozen=True):
    """Dollars for one device-hour, and in words where the price comes from."""

    usd_per_device_hour: Term
    detail: str = ""


class NoPrice(Struct, frozen=True):
    """Why the catalog has no price."""

    reason: UnpricedReason
    detail: str


@formula("price_in_usd", unit="usd/device_hour")
def in_usd(*, eur_per_device_hour: Real, usd_per_eur: Real) -> Real:
    """A price in dollars, from euros.

        eur_per_device_hour * usd_per_eur

    Source: definition.
    """
    return eur_per_device_hour * usd_per_eur


@formula("price_at_market_level", unit="usd/device_hour")
def at_level(*, market_level: Real, **usd_per_device_hour: Real) -> Real:
    """The quantile of the providers' prices at a market level. At one half it is the median.

        position = market_level * (providers - 1), between the two prices that it falls between

    The other keywords are the providers' ids, with one price each. Floats give a float; arrays of
    draws, shape `[n]`, give an array of the same shape.

    Source: quantile 7 of Hyndman and Fan 1996 (doi 10.1080/00031305.1996.10473566).
    """
    level, *rows = np.broadcast_arrays(market_level, *usd_per_device_hour.values())
    ordered = np.sort(np.stack(rows), axis=0)
    position = level * (len(rows) - 1)
    below = position.astype(int)
    above = np.minimum(below + 1, len(rows) - 1)
    lower, upper = np.take_along_axis(ordered, np.stack((below, above)), axis=0)
    part = position - below
    price: Real = lower * (1.0 - part) + upper * part
    return price if level.ndim else float(price)


def price_of(cluster: Cursor[Cluster]) -> Price | NoPrice:
    """What one device-hour of this cluster costs to rent.

    For an owned cluster it is the market's price on demand.
    """
    supply: Cursor[Any] = cluster.at("supply")
    if isinstance(supply.said, Rate):
        return Price(supply.quantity("usd_per_device_hour", unit="usd/device_hour"))
    offer = named_offer(supply.said, cluster.argument.catalog, pointer=supply.pointer)
    if offer is not None:
        return _offered(cluster.said, supply, offer)
    terms = Market() if isinstance(supply.said, Owned) else supply.said
    return _on_the_market(cluster.argument, cluster.said, terms, pointer=supply.pointer)


def _offered(cluster: Cluster, supply: Cursor[Any], offer: Offer) -> Price | NoPrice:
    """The price of the one offer that a supply names, in words that say whose it is."""
    own = isinstance(supply.said, BookRate)
    if offer.accelerator != cluster.accelerator:
        what = "rate" if own else "offer"
        return NoPrice(
            "offer_is_for_another_device",
            f"{what} {offer.id} is for {offer.accelerator}, the cluster is "
            f"{supply.argument.catalog.label(cluster.accelerator)}",
        )
    price = _usd_price(supply.argument, offer, pointer=supply.pointer_of("name" if own else "id"))
    detail = f"{offer.price_kind} price of {offer.provider}"
    if own:
        return Price(
            price, f"{detail}, rate {offer.id} of your price book, agreed {offer.observed_on}"
        )
    return Price(price, f"{detail}, observed {offer.observed_on}")


def _on_the_market(
    argument: Argument, cluster: Cluster, supply: Market, *, pointer: str
) -> Price | NoPrice:
    """The median over providers of the newest price of each.

    Which price a run will pay is not known. So the level among them is a figure with a range.
    """
    rows = argument.catalog.price_rows.get(cluster.accelerator, ())
    newest = newest_by_provider(argument, rows, supply)
    if not newest:
        label = argument.catalog.label(cluster.accelerator)
        return _nobody(label, supply, any_at_all=bool(rows))
    terms = {
        provider: _usd_price(argument, offer, pointer=pointer) for provider, offer in newest.items()
    }
    scope = "/".join(
        str(part)
        for part in (cluster.accelerator, supply.term, supply.provider, supply.region)
        if part is not UNSET
    )
    count = len(terms)
    rate = argument.ledger.derive_once(
        at_level,
        name=f"market/{scope}/usd_per_device_hour",
        inputs={"market_level": argument.assume("rental.market_level", pointer=pointer), **terms},
    )
    detail = (
        f"median of the newest {supply.term} price of each of {count} "
        f"provider{'s' if count > 1 else ''}"
    )
    argument.warn("market_price_used", f"{cluster.accelerator}: {detail}", pointer=pointer)
    return Price(rate, detail)


def newest_by_provider(
    argument: Argument, rows: tuple[Offer, ...], supply: Market
) -> dict[str, Offer]:
    """One offer for each provider: the newest that fits, and the cheapest of equally new ones.

    `rows` come newest first and, within a date, cheapest first.
    """
    newest: dict[str, Offer] = {}
    for offer in on_the_market(argument.catalog, rows, supply):
        newest.setdefault(offer.provider, offer)
    return newest


def on_the_market(
    catalog: Catalog, rows: tuple[Offer, ...], supply: Market | None = None
) -> Iterator[Offer]:
    """The offers of sellers of clusters: those that fit the terms of a supply, or all of them."""
    for offer in rows:
        if catalog.providers[offer.provider].kind not in OUTSIDE_THE_MARKET and (
            supply is None
            or (
                offer.price_kind == supply.term
                and (supply.provider is UNSET or offer.provider == supply.provider)
                and (supply.region is UNSET or offer.region == supply.region)
            )
        ):
            yield offer


def _usd_price(argument: Argument, offer: Offer, *, pointer: str) -> Term:
    """An offer's price in dollars. If it is converted, the rate of exchange is a figure too."""
    ledger = argument.ledger
    native = ledger.take(offer.price_per_device_hour, pointer=pointer)
    source = offer.price_per_device_hour.source
    if source.confidence == "low":
        argument.warn(
            "low_confidence_price",
            f"the price of {offer.id} was recalled, not read",
            pointer=pointer,
        )
    if offer.price_per_device_hour.unit == "usd/device_hour":
        return native
    return ledger.derive_once(
        in_usd,
        name=f"{native.name}/usd",
        inputs={"eur_per_device_hour": native, "usd_per_eur": argument.assume("usd_per_eur")},
    )


def _nobody(device: str, supply: Market, *, any_at_all: bool) -> NoPrice:
    """Why the market has no price, and what to do about it."""
    if not any_at_all:
        return NoPrice(
            "no_offer_for_device",
            f"the catalog has no offer of {device}; give a rate of your own",
        )
    where = "".join(
        f" {kind} {value}"
        for kind, value in (
            ("of provider", supply.provider),
            ("in region", supply.region),
        )
        if value is not UNSET
    )
    return NoPrice(
        "no_offer_under_these_terms",
        f"the catalog has offers of {device}, but no {supply.term} price{where}",
    )
