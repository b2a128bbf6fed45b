"""What of the listings is taken over: known sellers and devices, at prices that can be right.

A price is compared with what the catalog holds: of the same seller, device and kind of price if it
has any, or else of all sellers. List prices of one seller for one device differ by up to 2.5 times
between instances and regions, and moved by up to 1.7 times within half a year; so a price beyond
three times the range of these has another unit, another device, or a slip in it.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from service.catalog_files.files import is_day
from service.core.catalog.catalog import Catalog, Offer, PriceKind
from service.core.catalog.market import SELLERS_OF_OTHERS
from service.refreshing.listing import LeftOut, Listing
from service.refreshing.names.known import Known

FACTOR: Final = 3.0
MOST_USD: Final = 1e6
KIND_OF_AUCTIONS: Final[PriceKind] = "auction_floor"
KIND_OF_HOSTS: Final[PriceKind] = "marketplace"
OUT_OF_RANGE: Final = "a price or a date that cannot be right"
DOLLARS_PER_EURO: Final = "usd_per_eur"
SCOPES: Final = (
    "{0.price_kind} prices that {0.provider} asked for {0.accelerator}",
    "{0.price_kind} prices of {0.accelerator}",
    "prices of {0.accelerator}, of any kind",
)


class Taken(NamedTuple):
    """A listing that is taken over, by our names."""

    listing: Listing
    provider: str
    accelerator: str
    form_stated: bool
    price_kind: PriceKind
    country: str
    known: Offer | None
    """An offer of the catalog for the same kind of instance."""

    @property
    def price_per_device_hour(self) -> float:
        """In the listing's currency."""
        return self.listing.price_per_hour / self.listing.devices


class Held(NamedTuple):
    """The range of prices that a catalog holds of something, and of how many."""

    low: float
    high: float
    rows: int


class Prices:
    """What a catalog holds of a device in dollars: by seller and kind, by kind, and at all."""

    def __init__(self, catalog: Catalog) -> None:
        self.usd_per_eur = float(catalog.assumption(DOLLARS_PER_EURO)._value)  # noqa: SLF001 - not sealed for us
        self._usd = catalog.usd_by_offer
        found: dict[tuple[str, ...], list[float]] = {}
        for offer in catalog.offers.values():
            usd = self.usd(offer)
            for key in _keys(offer.provider, offer.accelerator, offer.price_kind):
                found.setdefault(key, []).append(usd)
        self._held = {key: Held(min(usd), max(usd), len(usd)) for key, usd in found.items()}

    def usd(self, offer: Offer) -> float:
        """An offer's price of a device-hour in dollars."""
        return self._usd[offer.id]

    def comparable(self, taken: Taken) -> tuple[str, Held] | None:
        """The nearest prices that there are, and whose they are. None if there are none."""
        keys = _keys(taken.provider, taken.accelerator, taken.price_kind)
        return next(
            ((scope, self._held[key]) for scope, key in zip(SCOPES, keys, strict=True)
             if key in self._held),
            None,
        )  # fmt: skip


def _keys(provider: str, accelerator: str, kind: str) -> tuple[tuple[str, ...], ...]:
    return (provider, accelerator, kind), (accelerator, kind), (accelerator,)


def checked(
    listings: Iterable[Listing | LeftOut], catalog: Catalog, *, today: str, factor: float = FACTOR
) -> Iterator[Taken | LeftOut]:
    """Each listing as it is taken over, or why it is not."""
    known, prices = Known(catalog), Prices(catalog)
    for one in listings:
        if isinstance(one, LeftOut):
            yield one
            continue
        taken = named(one, known, catalog)
        if isinstance(taken, Taken):
            why = wrong_date(one, today=today) or wrong_price(taken, prices, factor=factor)
            yield LeftOut(one.where, why, OUT_OF_RANGE) if why else taken
        else:
            yield taken


def named(listing: Listing, known: Known, catalog: Catalog) -> Taken | LeftOut:
    """A listing by our names, or the name that is not known."""
    provider = known.seller(listing.provider)
    if provider is None:
        return LeftOut(listing.where, f"unknown seller {listing.provider!r}")
    device = known.device(provider, listing)
    if device is None:
        memory = f" of {listing.memory_gb:g} GB" if listing.memory_gb else ""
        return LeftOut(listing.where, f"unknown device {listing.accelerator!r}{memory}")
    return Taken(
        listing=listing,
        provider=provider,
        accelerator=device.id,
        form_stated=device.stated,
        price_kind=kind_of(listing, catalog.providers[provider].kind),
        country=listing.country or known.country(provider, listing.region),
        known=known.instance(provider, listing.instance_type),
    )


def kind_of(listing: Listing, seller: str) -> PriceKind:
    """The kind of a price. What a market of hosts asks is no list price, whatever it is called."""
    if seller == "auction_marketplace":
        return KIND_OF_AUCTIONS
    if listing.price_kind == "on_demand" and seller in SELLERS_OF_OTHERS:
        return KIND_OF_HOSTS
    return listing.price_kind


def wrong_date(listing: Listing, *, today: str) -> str:
    """Why the date of a listing cannot be right. Empty if it can."""
    day = listing.observed_on
    if not is_day(day):
        return f"there is no date {day}"
    return f"the date {day} is still to come" if day > today[: len(day)] else ""


def wrong_price(taken: Taken, prices: Prices, *, factor: float) -> str:
    """Why a price cannot be right. Empty if it can, or if there is nothing to compare it with."""
    price = taken.price_per_device_hour
    if not 0.0 < price <= MOST_USD:
        return f"a price of {price:g}"
    usd = price * (prices.usd_per_eur if taken.listing.currency == "EUR" else 1.0)
    found = prices.comparable(taken)
    if found is None:
        return ""
    scope, held = found
    if held.low / factor <= usd <= held.high * factor:
        return ""
    nearest = held.low if usd < held.low else held.high
    return (
        f"{usd:.4g} dollars are {usd / nearest:.3g} times what the catalog holds: {held.low:.4g} to"
        f" {held.high:.4g} in {held.rows} {scope.format(taken)}"
    )


def by_reason(left_out: Iterable[LeftOut]) -> dict[str, list[LeftOut]]:
    """What was left out, by the reason that rows share."""
    found: dict[str, list[LeftOut]] = {}
    for one in left_out:
        found.setdefault(one.group or one.why, []).append(one)
    return found
