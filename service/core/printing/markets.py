"""The market behind a price, as the quote shows it."""

from collections.abc import Iterable
from statistics import median

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from service.core.answer import LeftOutSellers, MarketAnswer, MarketVote, SegmentPrices
from service.core.bills.bills import PricedStage
from service.core.bills.prices.panel import MarketPrice, Vote
from service.core.bills.prices.price import Price
from service.core.catalog.catalog import Catalog, Segment
from service.core.catalog.market import PriceMeaning, meaning_of, panel_of
from service.core.figures.sources import AsOf
from service.core.printing.money import RATE_DECIMALS, printed_rate


def markets_of(catalog: Catalog, stages: Iterable[PricedStage]) -> tuple[MarketAnswer, ...]:
    """The market behind the price of each cluster, if it is the market's."""
    prices = {stage.effort.cluster_pointer: stage.price for stage in stages}
    return tuple(
        printed_market(catalog, price.market, cluster=cluster)
        for cluster, price in prices.items()
        if isinstance(price, Price) and price.market is not None
    )


def printed_market(catalog: Catalog, found: MarketPrice, *, cluster: str) -> MarketAnswer:
    """Who votes for the price of a cluster, and who is left out."""
    dates = sorted(vote.observed_on for vote in found.votes)
    return MarketAnswer(
        cluster=cluster,
        accelerator=found.wanted.accelerator,
        devices=found.wanted.devices,
        term=found.wanted.term,
        region=_region(catalog, found.wanted.region),
        price_is=_meaning(found),
        usd_per_device_hour=printed_rate(found.usd_per_device_hour.central),
        figure=found.usd_per_device_hour.name,
        votes=tuple(_vote(vote) for vote in sorted(found.votes, key=lambda one: _usd(one)[0])),
        oldest=dates[0],
        newest=dates[-1],
        segments=tuple(_segments(catalog, found)),
        left_out=tuple(
            LeftOutSellers(reason=reason, count=len(sellers), sellers=sellers)
            for reason, sellers in found.panel.left_out.items()
        ),
    )


def _region(catalog: Catalog, region: str | UnsetType) -> str | UnsetType:
    """The name of the area that is asked for, or the code of a region."""
    area = None if region is UNSET else catalog.areas.get(region)
    return region if area is None else area.slug


def _meaning(found: MarketPrice) -> PriceMeaning:
    """What the prices are. With one that is offered at a moment, the market is not of lists."""
    kinds = {meaning_of(vote.seat.offer.price_kind) for vote in found.votes}
    return kinds.pop() if len(kinds) == 1 else "offered"


def _vote(vote: Vote) -> MarketVote:
    seat = vote.seat
    return MarketVote(
        seller=vote.seller,
        segment=vote.segment,
        usd_per_device_hour=printed_rate(round(vote.usd_per_device_hour.central, RATE_DECIMALS)),
        figure=vote.usd_per_device_hour.name,
        basis=seat.basis,
        offer=seat.offer.id,
        region=seat.offer.region,
        observed_on=vote.observed_on,
        makes_cluster="yes" if seat.network_known else "unknown",
        minimum_term=seat.offer.min_term or UNSET,
        through=seat.through or UNSET,
    )


def _usd(vote: Vote) -> tuple[float, AsOf]:
    return vote.usd_per_device_hour.central, vote.observed_on


def _segments(catalog: Catalog, found: MarketPrice) -> Iterable[SegmentPrices]:
    """The segments of those that vote, and beside them what marketplaces list at the same terms."""
    prices: dict[Segment, list[tuple[float, AsOf]]] = {}
    for vote in found.votes:
        prices.setdefault(vote.segment, []).append(_usd(vote))
    if found.wanted.segment is UNSET and found.wanted.provider is UNSET:
        hosts = panel_of(catalog, replace(found.wanted, segment="marketplace")).seats
        listed = [(seat.usd, seat.offer.observed_on) for seat in hosts if seat.basis == "own_price"]
        if listed:
            prices["marketplace"] = listed
    for segment, some in sorted(prices.items()):
        usd, dates = [price for price, _ in some], sorted(date for _, date in some)
        yield SegmentPrices(
            segment=segment,
            count=len(some),
            lowest=printed_rate(round(min(usd), RATE_DECIMALS)),
            median=printed_rate(round(median(usd), RATE_DECIMALS)),
            highest=printed_rate(round(max(usd), RATE_DECIMALS)),
            oldest=dates[0],
            newest=dates[-1],
        )
