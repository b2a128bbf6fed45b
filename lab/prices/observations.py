"""Dated prices of one product: the same thing of the same seller under the same terms.

Hyperscalers name what they sell, and price it by region: their product is an instance type in a
region. Other sellers rename their machines from list to list, so their product is a number of
devices of a kind, at the lowest price of the day.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Final, NamedTuple

from service.core.bills.aging.aged import LARGE, Mover, mover_of
from service.core.catalog.catalog import Catalog, Offer, PriceKind, PricePoint
from service.core.catalog.dates import day_of
from service.core.catalog.market import operator_of
from service.core.figures.ledger import Ledger

MOVING: Final[frozenset[PriceKind]] = frozenset(
    (
        "on_demand",
        "spot",
        "reserved_1m",
        "reserved_3m",
        "reserved_6m",
        "reserved_1y",
        "reserved_3y",
        "capacity_block",
        "community",
        "marketplace",
    )
)
"""Kinds of price that somebody rents at. Assumed rates, reserve prices and shares are left out."""
LEAST_CHANGE: Final = 0.004
"""A change of the logarithm that is smaller comes from rounding."""


class Product(NamedTuple):
    """What has a price at any time: of a seller, for a device, under terms."""

    seller: str
    accelerator: str
    price_kind: PriceKind
    mover: Mover
    what: str
    unit: str


class Change(NamedTuple):
    """The change of the logarithm of a product's price between two days."""

    product: Product
    before: date
    after: date
    change: float

    @property
    def days(self) -> int:
        """How many days lie between them."""
        return (self.after - self.before).days

    @property
    def votes_as(self) -> tuple[str, str, PriceKind]:
        """Changes of one seller, device and kind of price share one vote."""
        return self.product.seller, self.product.accelerator, self.product.price_kind


Prices = Mapping[Product, Mapping[date, float]]


def prices_of(catalog: Catalog) -> Prices:
    """The prices of each product by their day, the lowest of each, oldest first."""
    found: dict[Product, dict[date, float]] = {}
    points = chain.from_iterable(catalog.price_history.values())
    for product, day, price in chain(
        _of_offers(catalog, catalog.offers.values()), _of_history(catalog, points)
    ):
        of_product = found.setdefault(product, {})
        of_product[day] = min(price, of_product.get(day, price))
    return {product: dict(sorted(days.items())) for product, days in sorted(found.items())}


def _of_offers(catalog: Catalog, offers: Iterable[Offer]) -> Iterator[tuple[Product, date, float]]:
    for offer in offers:
        if offer.price_kind not in MOVING or not offer.complete:
            continue
        kind = catalog.providers[offer.provider].kind
        named = f"{offer.instance_type} in {offer.region}".lower()
        price = offer.price_per_device_hour
        product = Product(
            seller=operator_of(catalog.providers[offer.provider]),
            accelerator=offer.accelerator,
            price_kind=offer.price_kind,
            mover=mover_of(offer.price_kind, kind),
            what=named if kind == LARGE else f"by {offer.devices}",
            unit=price.unit,
        )
        yield product, day_of(offer.observed_on), Ledger().take(price).central


def _of_history(
    catalog: Catalog, points: Iterable[PricePoint]
) -> Iterator[tuple[Product, date, float]]:
    for point in points:
        if point.price_kind not in MOVING or not point.provider:
            continue
        price = point.price_per_device_hour
        product = Product(
            seller=operator_of(catalog.providers[point.provider]),
            accelerator=point.accelerator,
            price_kind=point.price_kind,
            mover=mover_of(point.price_kind, catalog.providers[point.provider].kind),
            what=point.scope.lower(),
            unit=price.unit,
        )
        yield product, day_of(point.date), Ledger().take(price).central


def change_of(product: Product, before: date, after: date, prices: Mapping[date, float]) -> Change:
    """The change of a product's price between two days on which it was read."""
    change = math.log(prices[after] / prices[before])
    return Change(product, before, after, 0.0 if abs(change) < LEAST_CHANGE else change)
