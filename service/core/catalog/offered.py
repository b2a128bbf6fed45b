"""Offers of the catalog by place, segment, size, date and price."""

from msgspec import UNSET, Struct, UnsetType

from service.core.catalog.catalog import SEGMENT_OF_OPERATORS, Catalog, Offer, Segment
from service.core.catalog.market import HOSTED, SELLERS_OF_OTHERS, makes


class OfferFilter(Struct, frozen=True, kw_only=True):
    """Which offers are wanted. What is left out does not count.

    `area` is an area's id: offers that name a country or a group in it. Without a date's day a
    month counts as its beginning. Prices are in dollars for a device-hour, others are converted.
    """

    area: str | UnsetType = UNSET
    segment: Segment | UnsetType = UNSET
    devices: int | UnsetType = UNSET
    since: str | UnsetType = UNSET
    min_usd: float | UnsetType = UNSET
    max_usd: float | UnsetType = UNSET

    def passes(self, offer: Offer, catalog: Catalog) -> bool:
        """Whether an offer is wanted."""
        usd = catalog.usd_by_offer[offer.id]
        return (
            (self.since is UNSET or offer.observed_on >= self.since)
            and (self.min_usd is UNSET or usd >= self.min_usd)
            and (self.max_usd is UNSET or usd <= self.max_usd)
            and (self.segment is UNSET or segment_of(offer, catalog) == self.segment)
            and (self.devices is UNSET or _can_make(catalog, offer, self.devices))
            and (self.area is UNSET or _is_in(catalog, offer, self.area))
        )


def segment_of(offer: Offer, catalog: Catalog) -> Segment | None:
    """The part of the market that an offer is listed in. None if its seller is in none."""
    kind = catalog.providers[offer.provider].kind
    if offer.price_kind in HOSTED or kind in SELLERS_OF_OTHERS:
        return "marketplace"
    return SEGMENT_OF_OPERATORS.get(kind)


def _can_make(catalog: Catalog, offer: Offer, devices: int) -> bool:
    """Whether an offer makes so many devices, or may: not every source says that."""
    return offer.min_devices <= devices and makes(catalog, offer, devices) != "no"


def _is_in(catalog: Catalog, offer: Offer, area: str) -> bool:
    return any(area in named.around for named in catalog.atlas.named_by(offer))
