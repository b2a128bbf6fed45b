"""Prices of device-hours: in dollars, at a term, and at a level of the market."""

import numpy as np

from service.core.figures.arrays import Real, minimum
from service.core.figures.formulas import formula


@formula("price_in_usd", unit="usd/device_hour", any_unit=("price_per_device_hour", "usd_per_unit"))
def in_usd(*, price_per_device_hour: Real, usd_per_unit: Real) -> Real:
    """A price in dollars, from another currency.

        price_per_device_hour * usd_per_unit

    Source: definition.
    """
    return price_per_device_hour * usd_per_unit


@formula("price_at_term", unit="usd/device_hour")
def at_term(*, on_demand_usd_per_device_hour: Real, price_over_on_demand: Real) -> Real:
    """A seller's price for a commitment, from its price on demand and a published discount.

        on_demand_usd_per_device_hour * min(price_over_on_demand, 1)

    Nobody has to commit, so a commitment never costs more than its seller asks on demand.

    Source: definition of a discount.
    """
    return on_demand_usd_per_device_hour * minimum(price_over_on_demand, 1.0)


@formula("price_at_market_level", unit="usd/device_hour")
def at_level(*, market_level: Real, **usd_per_device_hour: Real) -> Real:
    """The quantile of the sellers' prices at a market level. At one half it is the median.

        position = market_level * (sellers - 1), between the two prices that it falls between

    The other keywords are the sellers' ids, with one price each. Floats give a float; arrays of
    draws, shape `[n]`, give an array of the same shape.

    Source: quantile 7 of Hyndman and Fan 1996 (doi 10.1080/00031305.1996.10473566).
    """
    level, *rows = np.broadcast_arrays(market_level, *usd_per_device_hour.values())
    ordered = np.sort(np.stack(rows), axis=0)
    position = level * (len(rows) - 1)
    below = position.astype(int)
    above = np.minimum(below + 1, len(rows) - 1)
    lower, upper = np.take_along_axis(ordered, np.stack((below, above)), axis=0)
    part = position - below
    price: Real = lower * (1.0 - part) + upper * part
    return price if level.ndim else float(price)
