"""How often a spot cluster is taken back: by seller, since only AWS publishes rates of its own."""

from typing import Final

from msgspec import UNSET, UnsetType

from service.core.argument import Argument
from service.core.catalog.catalog import SEGMENT_OF_OPERATORS, Catalog, Offer, SpotReclaim
from service.core.cluster.failures import mean_reclaimed_share
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum
from service.core.request.request import Market
from service.core.request.supplies import named_offer, wanted_of
from service.core.stages.hours import StageContext

REGIONAL: Final = "reliability.spot_monthly_reclaimed_share"
"""Defaults for sellers without a published rate begin so, and end in their segment."""


def is_spot(context: StageContext) -> bool:
    """Whether the capacity of a stage's cluster may be taken back."""
    supply = context.cluster.at("supply")
    if isinstance(supply.said, Market):
        return supply.said.term == "spot"
    named = named_offer(supply.said, context.argument.catalog, pointer=supply.pointer)
    return named is not None and named.price_kind == "spot"


def reclaims_of(context: StageContext) -> dict[str, Term]:
    """How often capacity is taken back, if the supply is spot.

    The seller of a market is not known. So the rate is the mean of the rates of those that vote.
    """
    if not is_spot(context):
        return {}
    shares = _shares(context)
    rate = (
        next(iter(shares.values()))
        if len({term.name for term in shares.values()}) == 1
        else context.cluster.derive_once(mean_reclaimed_share, **shares)
    )
    return {
        "monthly_reclaimed_share": rate,
        "devices_per_instance": context.argument.assume("reliability.devices_per_instance"),
    }


def _shares(context: StageContext) -> dict[str, Term]:
    """The monthly share that each seller takes back. A market without sellers has a default."""
    cluster, catalog = context.cluster, context.argument.catalog
    supply = cluster.at("supply")
    named = named_offer(supply.said, catalog, pointer=supply.pointer)
    if named is not None:
        return {named.provider: share_of(context.argument, named, named.region)}
    wanted = wanted_of(cluster.said, supply.said, catalog=catalog)
    seats, region = context.argument.panel(wanted).seats, wanted.region
    found = {seat.seller: share_of(context.argument, seat.offer, region) for seat in seats}
    return found or {"nobody": context.argument.assume(f"{REGIONAL}.marketplace")}


def share_of(argument: Argument, offer: Offer, region: str | UnsetType) -> Term:
    """The newest published rate of an offer's seller, in the region if it has one there."""
    rows = [
        row
        for row in argument.catalog.spot_reclaims.get(offer.accelerator, ())
        if row.provider == offer.provider
    ]
    rate = _middle([row for row in rows if _is_in(argument.catalog, row, region)] or rows)
    if rate is not None:
        return argument.ledger.take(rate)
    seller = argument.catalog.providers.get(offer.provider)
    segment = seller and SEGMENT_OF_OPERATORS.get(seller.kind)
    return argument.assume(f"{REGIONAL}.{segment or 'marketplace'}")


def _is_in(catalog: Catalog, row: SpotReclaim, region: str | UnsetType) -> bool:
    """Whether a rate is of a region, by its code or the area that it lies in. Without one it is."""
    if region is UNSET or region == row.region:
        return True
    site = catalog.sites.get(f"{row.provider}:{row.region}")
    area = None if site is None else catalog.areas.get(site.country.lower())
    return area is not None and region in area.around


def _middle(rows: list[SpotReclaim]) -> Datum | None:
    """The newest observation of the middle instance, in the order of the catalog."""
    if not rows:
        return None
    newest = max(row.observed_on for row in rows)
    dated = [row for row in rows if row.observed_on == newest]
    return dated[len(dated) // 2].reclaimed_share_per_month
