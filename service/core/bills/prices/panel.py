"""The market of a cluster: the price of each seller that has a vote, and the level among them."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from msgspec import UNSET, Struct

from service.core.argument import Argument, Cursor, Fixed
from service.core.bills.aging.standing import warn_of_standing
from service.core.bills.prices.formulas import at_level, at_term, on_thin_market, thin_factor
from service.core.bills.prices.offered import usd_price
from service.core.catalog.catalog import MarketTerm, Segment
from service.core.catalog.market import (
    LEAST_SELLERS,
    Panel,
    PriceBasis,
    Seat,
    Wanted,
    meaning_of,
)
from service.core.figures.ledger import Term
from service.core.figures.sources import AsOf
from service.core.request.request import Cluster, Market
from service.core.request.supplies import wanted_of

HYPERSCALER: Final[Segment] = "hyperscaler"
NOT_THEIR_OWN: Final[frozenset[PriceBasis]] = frozenset({"segment_discount", "on_demand_price"})
"""Bases of a price at a term that is not the seller's own."""


class Vote(Struct, frozen=True, kw_only=True):
    """The price of one seller in a market, in dollars for a device-hour, under the terms asked.

    Its price is `usd_per_device_hour`, from the offer and at the date of `seat`.
    """

    seat: Seat
    usd_per_device_hour: Term

    @property
    def seller(self) -> str:
        """The operator, or in the segment `marketplace` who lists the machines of others."""
        return self.seat.seller

    @property
    def segment(self) -> Segment:
        """The part of the market that the seller is in."""
        return self.seat.segment

    @property
    def observed_on(self) -> AsOf:
        """When the price was read."""
        return self.seat.offer.observed_on


class MarketPrice(Struct, frozen=True, kw_only=True):
    """The votes of a market, and the price at the market's level among them."""

    wanted: Wanted
    panel: Panel
    votes: tuple[Vote, ...]
    usd_per_device_hour: Term
    detail: str


def price_on_the_market(
    cluster: Cursor[Cluster], terms: Market, *, pointer: str
) -> MarketPrice | None:
    """The price of a market: a level among one price of each seller. None if nobody votes.

    Which price a run will pay is not known. So the level among them is a figure with a range.
    """
    argument = cluster.argument
    wanted = wanted_of(cluster.said, terms, catalog=argument.catalog)
    panel = argument.panel(wanted)
    if not panel.seats:
        return None
    votes = tuple(_vote(argument, seat, terms, pointer=pointer) for seat in panel.seats)
    found = MarketPrice(
        wanted=wanted,
        panel=panel,
        votes=votes,
        usd_per_device_hour=_level(argument, wanted, votes, pointer=pointer),
        detail=_in_words(wanted, votes),
    )
    _warn(argument, found, pointer=pointer)
    return found


def _vote(argument: Argument, seat: Seat, terms: Market, *, pointer: str) -> Vote:
    price = usd_of_seat(argument, seat, terms.term, pointer=pointer)
    return Vote(seat=seat, usd_per_device_hour=price)


def usd_of_seat(argument: Argument, seat: Seat, term: MarketTerm, *, pointer: str) -> Term:
    """What the seller of a seat asks for a device-hour under a term."""
    price = usd_price(argument, seat.offer, pointer=pointer)
    if seat.over_on_demand is None:
        return price
    return argument.ledger.derive_once(
        at_term,
        name=f"{price.name}/{term}",
        inputs={
            "on_demand_usd_per_device_hour": price,
            "price_over_on_demand": argument.ledger.take(seat.over_on_demand, pointer=pointer),
        },
    )


def _level(argument: Argument, wanted: Wanted, votes: Sequence[Vote], *, pointer: str) -> Term:
    asked = (wanted.segment, wanted.provider, wanted.region)
    scope = "/".join(
        (
            wanted.accelerator,
            wanted.term,
            f"{wanted.devices:.0f}",
            *(str(part) for part in asked if part is not UNSET),
        )
    )
    prices = {vote.seller: vote.usd_per_device_hour for vote in votes}
    thin = is_thin(wanted, votes) and not all_listed(votes)
    name = f"market/{scope}/usd_per_device_hour"
    level = argument.ledger.derive_once(
        at_level,
        name=f"{name}/of_those_listed" if thin else name,
        inputs={"market_level": argument.assume("rental.market_level", pointer=pointer), **prices},
    )
    return _thin(argument, level, name, len(prices), pointer=pointer) if thin else level


def is_thin(wanted: Wanted, votes: Sequence[Vote]) -> bool:
    """Whether so few sellers vote that they do not show what others ask."""
    return len(votes) < LEAST_SELLERS and wanted.provider is UNSET


def all_listed(votes: Sequence[Vote]) -> bool:
    """Whether there are no sellers but those that vote. Hyperscalers are few, neoclouds many."""
    return all(vote.segment == HYPERSCALER for vote in votes)


def _thin(argument: Argument, level: Term, name: str, sellers: int, *, pointer: str) -> Term:
    """A price of few sellers, with the range of what others ask."""
    votes = Fixed(float(sellers), f"the sellers that vote in {name}")
    factor = argument.ledger.derive_once(
        thin_factor,
        name=f"{name}/thin_market_factor",
        inputs={"market_over_seller": argument.assume("rental.thin_market", pointer=pointer)},
        fixed={"sellers": votes.value},
        structure_sources={"sellers": votes.stands},
    )
    return argument.ledger.derive_once(
        on_thin_market,
        name=name,
        inputs={"usd_per_device_hour": level, "thin_market_factor": factor},
    )


def _in_words(wanted: Wanted, votes: tuple[Vote, ...]) -> str:
    count = len(votes)
    dates = sorted(vote.observed_on for vote in votes)
    asked = "list price" if meaning_of(wanted.term) == "list" else "price on offer"
    return (
        f"median of the newest {wanted.term} {asked} of each of {count} "
        f"seller{'s' if count > 1 else ''}, observed {dates[0]} to {dates[-1]}"
    )


def _warn(argument: Argument, found: MarketPrice, *, pointer: str) -> None:
    """Say how the price came about, and what is weak about it."""
    wanted, count = found.wanted, len(found.votes)
    argument.warn("market_price_used", f"{wanted.accelerator}: {found.detail}", pointer=pointer)
    if is_thin(wanted, found.votes):
        names = ", ".join(vote.seller for vote in found.votes)
        argument.warn(
            "thin_market",
            f"{wanted.accelerator}: only {count} seller{'s have' if count > 1 else ' has'} a "
            f"{wanted.term} price for {wanted.devices:g} devices: {names}",
            pointer=pointer,
        )
    only = found.votes[0].seat
    widened = is_thin(wanted, found.votes) and not all_listed(found.votes)
    if count == 1 and not widened and only.basis not in NOT_THEIR_OWN:
        warn_of_standing(argument, only.offer, pointer=pointer)
    unknown = [vote.seller for vote in found.votes if not vote.seat.network_known]
    if unknown:
        known = [v.usd_per_device_hour.central for v in found.votes if v.seat.network_known]
        others = f"; of the {len(known)} that do the median is {median(known):.2f}" if known else ""
        argument.warn(
            "network_unknown",
            f"{wanted.accelerator}: {len(unknown)} of {count} sellers do not say whether their "
            f"instances make {wanted.devices:g} devices on one fast network: "
            f"{', '.join(unknown)}{others}",
            pointer=pointer,
        )
    derived = [vote for vote in found.votes if vote.seat.basis in NOT_THEIR_OWN]
    if derived:
        argument.warn(
            "term_derived",
            f"{wanted.accelerator}: {len(derived)} of {count} sellers publish no {wanted.term} "
            f"price or discount; theirs follow from discounts of others: "
            f"{', '.join(vote.seller for vote in derived)}",
            pointer=pointer,
        )
