"""Supplies that name one offer: of the catalog, or of the caller's price book."""

from service.core.catalog.catalog import Catalog, Offer
from service.core.request.request import BookRate, CatalogOffer, Supply


def named_offer(supply: Supply, catalog: Catalog, *, pointer: str) -> Offer | None:
    """The offer that a supply at `pointer` names. None if it names none."""
    if isinstance(supply, CatalogOffer):
        return catalog.offer(supply.id, pointer=f"{pointer}/id")
    if isinstance(supply, BookRate):
        return catalog.book_rate(supply.name, pointer=f"{pointer}/name")
    return None
