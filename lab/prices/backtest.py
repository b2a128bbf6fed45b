"""How often a price lay between the p10 and the p90 that older prices of the same product gave it.

Each price of a quarter is predicted from the newest price of its product that was known some days
before, by the formulas that quotes use. One seller, device and kind of price has one vote.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from lab.prices.fit import Moves
from lab.prices.observations import Change, Prices, change_of
from service.core.bills.aging.aged import SETTLING, THRESHOLDS, Mover
from service.core.bills.aging.formulas import listed_at_age, spot_at_age
from service.core.catalog.catalog import Catalog
from service.core.figures.ledger import Ledger
from service.core.figures.units import Z_80

QUARTER: Final = timedelta(days=91)
ROUNDING: Final = 0.004
"""How far a price may lie outside by rounding."""
Constants = Mapping[Mover, Mapping[str, float]]


class Coverage(NamedTuple):
    """Votes of a backtest, and the shares of them inside, above and below the interval."""

    votes: int
    inside: float
    above: float
    below: float


def constants_of(catalog: Catalog) -> Constants:
    """The constants that quotes use."""
    return {
        mover: {
            name: Ledger().take(catalog.assumption(f"prices.{mover}.{name}")).central
            for name in (SETTLING if mover == "spot" else THRESHOLDS)
        }
        for mover in ("listed", "hyperscaler", "committed", "spot")
    }


def refitted(shipped: Constants, moves: Moves) -> Constants:
    """The constants that quotes use, with those of another fit in place of the fitted ones."""
    return {mover: {**of_it, **moves.constants.get(mover, {})} for mover, of_it in shipped.items()}


def interval_of(constants: Constants, mover: Mover, days: int) -> tuple[float, float]:
    """p10 and p90 of a price of some days, over the price as it was read."""
    by: Any = spot_at_age if mover == "spot" else listed_at_age
    low, high = (
        by(price_per_device_hour=1.0, move=move, age_days=float(days), **constants[mover])
        for move in (-Z_80, Z_80)
    )
    return float(low), float(high)


def newest_day(prices: Prices) -> date:
    """The day of the newest price."""
    return max(day for of_product in prices.values() for day in of_product)


def known_before(prices: Prices, day: date) -> Prices:
    """The prices that were read before a day."""
    found = {
        product: {when: price for when, price in of_product.items() if when < day}
        for product, of_product in prices.items()
    }
    return {product: of_product for product, of_product in found.items() if of_product}


def predicted_from(
    prices: Prices, *, since: date, until: date, days_before: int = 0, known_on: date | None = None
) -> Iterator[Change]:
    """Each price of some days, and the newest one that was known so long before, or on a day."""
    for product, of_product in prices.items():
        for after in of_product:
            if not since <= after <= until:
                continue
            last = after - timedelta(days=days_before) if known_on is None else known_on
            known = [before for before in of_product if before <= min(last, after - timedelta(1))]
            if known:
                yield change_of(product, known[-1], after, of_product)


def coverage(changes: Iterable[Change], constants: Constants) -> dict[Mover | str, Coverage]:
    """The coverage of all changes, under `all`, and of those of each kind of mover."""
    votes: dict[Any, list[tuple[bool, bool]]] = defaultdict(list)
    for change in changes:
        low, high = interval_of(constants, change.product.mover, change.days)
        ratio = math.exp(change.change)
        votes[change.product.mover, *change.votes_as].append(
            (ratio > high * (1.0 + ROUNDING), ratio < low * (1.0 - ROUNDING))
        )
    found: dict[Mover | str, Coverage] = {"all": _share(list(votes.values()))}
    for mover in dict.fromkeys(key[0] for key in votes):
        found[mover] = _share([of_it for key, of_it in votes.items() if key[0] == mover])
    return found


def _share(votes: Sequence[Sequence[tuple[bool, bool]]]) -> Coverage:
    def mean(side: int) -> float:
        parts = [sum(one[side] for one in of_it) / len(of_it) for of_it in votes]
        return sum(parts) / len(parts)

    above, below = mean(0), mean(1)
    return Coverage(votes=len(votes), inside=1.0 - above - below, above=above, below=below)
