"""What a supply asks of the catalog: one offer by its name, or the market for a cluster."""

from msgspec import UNSET

from service.core.catalog.catalog import Catalog, Offer
from service.core.catalog.market import Wanted
from service.core.request.request import BookRate, CatalogOffer, Cluster, Market, Supply


def named_offer(supply: Supply, catalog: Catalog, *, pointer: str) -> Offer | None:
    """The offer that a supply at `pointer` names. None if it names none."""
    if isinstance(supply, CatalogOffer):
        return catalog.offer(supply.id, pointer=f"{pointer}/id")
    if isinstance(supply, BookRate):
        return catalog.book_rate(supply.name, pointer=f"{pointer}/name")
    return None


def wanted_of(cluster: Cluster, terms: Market, *, catalog: Catalog) -> Wanted:
    """The market that is asked for a cluster under some terms, with areas by their ids."""
    region = terms.region
    return Wanted(
        accelerator=cluster.accelerator,
        devices=cluster.devices,
        term=terms.term,
        provider=terms.provider,
        region=UNSET if region is UNSET else catalog.region(region, pointer=""),
        segment=terms.segment,
    )
