"""A price that seldom moves: p10 and p90 are the price itself, and what lies beyond is told."""

from math import log
from statistics import NormalDist
from typing import Final, NamedTuple

from service.core.argument import Argument
from service.core.bills.aging.aged import mover_of
from service.core.bills.aging.formulas import DAYS_PER_YEAR_OF_AGE
from service.core.catalog.catalog import Offer
from service.core.catalog.dates import days_between

STANDARD: Final = NormalDist()
BEYOND: Final = 0.1
"""The share of what a price may be that lies above p90, and of that below p10."""

LEAST_TOLD: Final = 0.01


class Moved(NamedTuple):
    """The shares of prices like one that have risen and fallen since it was read."""

    risen: float
    fallen: float


def moved(argument: Argument, offer: Offer) -> Moved | None:
    """How many prices like this one have moved by the day that is priced for. None of no age.

    A spot price always has.
    """
    days = days_between(offer.observed_on, argument.priced_for)
    mover = mover_of(offer.price_kind, argument.catalog.providers[offer.provider].kind)
    if days <= 0 or mover == "spot" or offer.price_kind == "reference":
        return None
    rise, fall, per_log_year = (
        argument.assume(f"prices.{mover}.{part}").central
        for part in ("rise_threshold", "fall_threshold", "threshold_per_log_year")
    )
    lower = per_log_year * log(days / DAYS_PER_YEAR_OF_AGE)
    return Moved(*(STANDARD.cdf(-max(threshold - lower, 0.0)) for threshold in (rise, fall)))


def share_told(share: float) -> str:
    """A share in whole percent. What is rarer was seen too seldom to tell how rare it is."""
    return "under 1%" if share < LEAST_TOLD else f"{share:.0%}"


def warn_of_standing(argument: Argument, offer: Offer, *, pointer: str) -> None:
    """Say of a price whose p10 and p90 are the price itself how often it is another."""
    shares = moved(argument, offer)
    if shares is not None and max(shares) < BEYOND:
        argument.warn(
            "price_seldom_moves",
            f"{offer.id}: of list prices like this one {share_told(shares.risen)} have risen and "
            f"{share_told(shares.fallen)} have fallen between {offer.observed_on} and "
            f"{argument.priced_for}; p10 and p90 are the price as it was read",
            pointer=pointer,
        )
