"""`python -m lab prices fit`: how far a price moves by its age, read off all changes that we know.

Changes over about 30, 90, 180 and 365 days. All changes of one seller, device and kind of price
over one of these times count as one, and the later ones of them more: their weights halve in half a
year. So the widths are those of the regime of today. docs/market.md says what they are worth.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from lab.files import Texts
from lab.prices.observations import Change, Prices, change_of, prices_of
from service.catalog_files import DATA_DIRECTORY
from service.core.bills.aging.aged import SETTLING, THRESHOLDS, Mover
from service.core.bills.aging.formulas import DAYS_PER_YEAR_OF_AGE
from service.core.catalog.catalog import Catalog
from service.core.figures.arrays import Array
from service.core.figures.ledger import Ledger
from service.core.figures.units import Z_90

FILE: Final = DATA_DIRECTORY / "assumptions" / "price_moves_fitted.toml"
LAGS: Final = (30, 90, 180, 365)
TOLERANCE: Final = 0.35
"""How far the days of a change may be off from a lag, as a share of it."""
HALF_LIFE_DAYS: Final = 180.0
FITTED: Final[tuple[Mover, ...]] = ("listed", "committed", "spot")
NEVER: Final = 1e-12
TRIES: Final = 8000
DIGITS: Final = 3
PLACES: Final[Mapping[str, str]] = {
    "rise_threshold": "standard_deviation",
    "fall_threshold": "standard_deviation",
    "threshold_per_log_year": "standard_deviation",
    "rise_per_deviation": "ratio",
    "fall_per_deviation": "ratio",
    "growth": "ratio",
    "most_alike": "share",
    "half_alike_days": "day",
}
"""The unit of each constant."""
HEADER: Final = """\
# Written by `python -m lab prices fit` from the dated prices of this catalog: how far a price that
# was read some days ago may have moved. docs/market.md has what they cover.
"""


class Moves(NamedTuple):
    """What was fitted: the constants of each kind of mover, and how alike sellers move."""

    constants: Mapping[Mover, Mapping[str, float]]
    alike: Mapping[str, float]
    changes: Mapping[Mover, int]
    votes: Mapping[Mover, int]
    correlations: Mapping[int, float]


def made(catalog: Catalog) -> Texts:
    """The file of constants as today's catalog has them."""
    return {FILE: text_of(fitted(prices_of(catalog), settles(catalog)), as_of=catalog.version)}


def settles(catalog: Catalog) -> float:
    """The days after which a spot price is no less sure, which is not fitted."""
    return Ledger().take(catalog.assumption("prices.spot.settles_after_days")).central


def fitted(prices: Prices, settles_after_days: float) -> Moves:
    """The constants that make the changes of these prices most likely."""
    changes: dict[Mover, list[Change]] = {mover: [] for mover in FITTED}
    for change in changes_of(prices):
        changes.setdefault(change.product.mover, []).append(change)
    constants = {
        mover: _spot(of_it, settles_after_days) if mover == "spot" else _listed(of_it)
        for mover, of_it in changes.items()
        if mover in FITTED and of_it
    }
    correlations = alike_by_lag(changes["listed"])
    return Moves(
        constants=constants,
        alike=_alike(correlations),
        changes={mover: len(changes[mover]) for mover in FITTED},
        votes={mover: len({one.votes_as for one in changes[mover]}) for mover in FITTED},
        correlations=correlations,
    )


def changes_of(prices: Prices) -> Iterator[Change]:
    """For each price the change since the price that is nearest to each lag before it, if any."""
    for product, of_product in prices.items():
        days = list(of_product)
        for place, after in enumerate(days):
            for lag in LAGS:
                near = [
                    before
                    for before in days[:place]
                    if abs((after - before).days - lag) <= TOLERANCE * lag
                ]
                if near:
                    yield change_of(product, _nearest(near, after, lag), after, of_product)


def _nearest(days: Iterable[date], after: date, lag: int) -> date:
    return min(days, key=lambda before: abs((after - before).days - lag))


def lag_of(change: Change) -> int:
    """The lag that a change is of."""
    return min(LAGS, key=lambda lag: abs(math.log(change.days / lag)))


def weights_of(changes: Sequence[Change]) -> Array:
    """One vote for each seller, device, kind of price and lag, shared by its changes by date."""
    newest = max(change.after for change in changes)
    recency = [0.5 ** ((newest - change.after).days / HALF_LIFE_DAYS) + NEVER for change in changes]
    votes: dict[Any, float] = defaultdict(float)
    for change, weight in zip(changes, recency, strict=True):
        votes[change.votes_as, lag_of(change)] += weight
    return np.array(
        [
            weight / votes[change.votes_as, lag_of(change)]
            for change, weight in zip(changes, recency, strict=True)
        ]
    )


def _listed(changes: Sequence[Change]) -> dict[str, float]:
    """The thresholds and slopes of prices that stand still and jump."""
    years = np.log([change.days / DAYS_PER_YEAR_OF_AGE for change in changes])
    moved = np.array([change.change for change in changes])
    weights = weights_of(changes)

    def cost(point: Array) -> float:
        rise_at, fall_at, by_log_year, rise, fall = point
        if min(by_log_year, rise, fall) <= 0.0:
            return math.inf
        above = np.maximum(rise_at - by_log_year * years, 0.0)
        below = np.maximum(fall_at - by_log_year * years, 0.0)
        still = np.log(np.maximum(norm.cdf(above) - norm.cdf(-below), NEVER))
        rose = norm.logpdf(np.maximum(moved, 0.0) / rise + above) - math.log(rise)
        fell = norm.logpdf(np.maximum(-moved, 0.0) / fall + below) - math.log(fall)
        logs = np.where(moved == 0.0, still, np.where(moved > 0.0, rose, fell))
        return -float(np.sum(weights * logs))

    return dict(zip(THRESHOLDS, _best(cost, (0.3, 0.5, 0.4, 0.25, 0.25)), strict=True))


def _spot(changes: Sequence[Change], settles_after_days: float) -> dict[str, float]:
    """The widths of prices that move at once."""
    days = np.array([change.days for change in changes])
    logs_of_years = np.log(np.minimum(days, settles_after_days) / DAYS_PER_YEAR_OF_AGE)
    moved = np.array([change.change for change in changes])
    weights = weights_of(changes)

    def cost(point: Array) -> float:
        growth, rise, fall = point
        if min(rise, fall) <= 0.0 or not 0.0 <= growth <= 1.0:
            return math.inf
        deviations = np.where(moved < 0.0, fall, rise) * np.exp(growth * logs_of_years)
        return -float(np.sum(weights * norm.logpdf(moved, scale=deviations)))

    names = tuple(name for name in SETTLING if name != "settles_after_days")
    return dict(zip(names, _best(cost, (0.2, 0.5, 0.5)), strict=True))


def _best(cost: Any, start: tuple[float, ...]) -> tuple[float, ...]:
    options: Any = {"maxiter": TRIES, "maxfev": TRIES, "xatol": 1e-5, "fatol": 1e-7}
    found = minimize(cost, np.array(start), method="Nelder-Mead", options=options)
    return tuple(found.x.tolist())


def alike_by_lag(changes: Iterable[Change]) -> dict[int, float]:
    """The correlation between the changes of two sellers of a device over the same months."""
    windows: dict[tuple[int, str, str, str], dict[str, list[float]]] = {}
    for change in changes:
        window = (lag_of(change), change.product.accelerator, *_months(change))
        of_it = windows.setdefault(window, {})
        of_it.setdefault(change.product.seller, []).append(change.change)
    means = {
        window: [float(np.mean(of_seller)) for of_seller in sellers.values()]
        for window, sellers in windows.items()
    }
    return {lag: _intraclass([of for key, of in means.items() if key[0] == lag]) for lag in LAGS}


def _months(change: Change) -> tuple[str, str]:
    return change.before.isoformat()[:7], change.after.isoformat()[:7]


def _intraclass(groups: Sequence[Sequence[float]]) -> float:
    """The mean product of the deviations of two members of a group, over the variance of all."""
    every = np.array([value for group in groups for value in group])
    middle, variance = float(every.mean()), float(every.var())
    products = [
        (one - middle) * (other - middle)
        for group in groups
        for one, other in combinations(group, 2)
    ]
    return float(np.mean(products)) / variance


def _alike(correlations: Mapping[int, float]) -> dict[str, float]:
    """The curve of `price_move` through the correlations that were measured at each lag."""
    lags, measured = np.array(list(correlations)), np.array(list(correlations.values()))

    def cost(point: Array) -> float:
        most, half = point
        if not 0.0 < most < 1.0 or half <= 0.0:
            return math.inf
        return float(np.sum((most * lags / (lags + half) - measured) ** 2))

    most, half = _best(cost, (0.4, 100.0))
    return {"most_alike": most, "half_alike_days": half}


def text_of(moves: Moves, *, as_of: str) -> str:
    """The file of constants."""
    rows = [_score(as_of)]
    words = ", ".join(f"{value:.2f} over {lag} days" for lag, value in moves.correlations.items())
    for name, value in moves.alike.items():
        title = f"Correlation between sellers of a device, as measured: {words}"
        rows.append(_row(f"prices.{name}", PLACES[name], value, title, as_of=as_of))
    for mover, constants in moves.constants.items():
        title = (
            f"{moves.changes[mover]} changes of {moves.votes[mover]} prices of this catalog, each "
            "by seller, device and kind of price"
        )
        for name, value in constants.items():
            rows.append(_row(f"prices.{mover}.{name}", PLACES[name], value, title, as_of=as_of))
    return HEADER + "".join(rows)


def _score(as_of: str) -> str:
    title = (
        "A standard normal score, by which prices move as they were measured to; its median is "
        "zero, so no drift of the past is carried on"
    )
    return (
        _opening("prices.move", "standard_deviation", "0.0")
        + f"low = {-Z_90!r}\nhigh = {Z_90!r}\n"
        + _source(title, as_of)
    )


def _row(name: str, unit: str, value: float, title: str, *, as_of: str) -> str:
    number = f"{value:.{DIGITS}g}"
    return _opening(name, unit, number) + 'exact = "measured_width"\n' + _source(title, as_of)


def _opening(name: str, unit: str, value: str) -> str:
    return f'\n[[assumption]]\nname = "{name}"\nunit = "{unit}"\nvalue = {value}\n'


def _source(title: str, as_of: str) -> str:
    said = msgspec.json.encode(title).decode()
    return (
        f'source = {{ kind = "published", title = {said}, locator = "docs/market.md; '
        f'lab/prices/fit.py", as_of = "{as_of}", confidence = "medium" }}\n'
    )
