"""The price of an offer on the day that is priced for, from the price as it was read."""

from typing import Final, Literal, TypeAlias

from msgspec.structs import replace

from service.core.argument import Argument, Fixed
from service.core.bills.aging import formulas
from service.core.catalog.catalog import Offer, PriceKind, ProviderKind
from service.core.catalog.dates import days_between
from service.core.catalog.market import operator_of
from service.core.figures.ledger import Term

Mover: TypeAlias = Literal["listed", "hyperscaler", "committed", "spot"]
"""How a price moves. Those of hyperscalers stand nearly still, and their commitments less so."""
LARGE: Final[ProviderKind] = "hyperscaler"
COMMITMENT: Final = "reserved"
"""What the kinds of price begin with that are for a term."""
THRESHOLDS: Final = (
    "rise_threshold",
    "fall_threshold",
    "threshold_per_log_year",
    "rise_per_deviation",
    "fall_per_deviation",
)
SETTLING: Final = ("settles_after_days", "growth", "rise_per_deviation", "fall_per_deviation")


def aged(argument: Argument, offer: Offer, *, pointer: str) -> Term:
    """A price on the day that is priced for, in its own currency, in which it stands or moves.

    A price that nobody sells at does not move.
    """
    price = argument.ledger.take(offer.price_per_device_hour, pointer=pointer)
    days = days_between(offer.observed_on, argument.priced_for)
    if days <= 0 or offer.price_kind == "reference":
        return price
    name = f"{price.name}/on/{argument.priced_for}"
    if name in argument.ledger:
        return argument.ledger.term(name)
    mover = mover_of(offer.price_kind, argument.catalog.providers[offer.provider].kind)
    read = f"{price.name}: read on {offer.observed_on}"
    age = Fixed(float(days), f"{read}, priced for {argument.priced_for}")
    by, constants = (
        (formulas.spot_at_age, SETTLING)
        if mover == "spot"
        else (formulas.listed_at_age, THRESHOLDS)
    )
    return argument.ledger.derive(
        by,
        name=name,
        unit=offer.price_per_device_hour.unit,
        inputs={
            "price_per_device_hour": price,
            "move": _move(argument, offer, mover, age, pointer=pointer),
            **{part: argument.assume(f"prices.{mover}.{part}") for part in constants},
        },
        fixed={"age_days": age.value},
        structure_sources={"age_days": age.stands},
    )


def mover_of(price_kind: PriceKind, seller: ProviderKind) -> Mover:
    """How a kind of price of a kind of seller moves."""
    if price_kind == "spot":
        return "spot"
    if seller != LARGE:
        return "listed"
    if price_kind == "on_demand":
        return "hyperscaler"
    return "committed" if price_kind.startswith(COMMITMENT) else "listed"


def _move(argument: Argument, offer: Offer, mover: Mover, age: Fixed, *, pointer: str) -> Term:
    """The score of the prices of a seller's device that are so old. Others share its two parts."""
    market = "spot" if mover == "spot" else "listed"
    seller = operator_of(argument.catalog.providers[offer.provider])
    return argument.ledger.derive_once(
        formulas.price_move,
        name=f"price_moves/{seller}/{offer.accelerator}/{market}/{age.value:.0f}_days",
        inputs={
            "device_move": _score(argument, f"devices/{offer.accelerator}/{market}", pointer),
            "seller_move": _score(argument, f"sellers/{seller}/{market}", pointer),
            "most_alike": argument.assume("prices.most_alike"),
            "half_alike_days": argument.assume("prices.half_alike_days"),
        },
        fixed={"age_days": age.value},
        structure_sources={"age_days": age.stands},
    )


def _score(argument: Argument, name: str, pointer: str) -> Term:
    """A standard normal score of its own name, so that all who share it move together."""
    score = argument.catalog.assumption("prices.move")
    return argument.ledger.take(replace(score, name=f"price_moves/{name}"), pointer=pointer)
