"""Prices of device-hours: in dollars, at a term, and at a level of the market."""

import numpy as np

from service.core.figures.arrays import Real, minimum, power
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
    if len(usd_per_device_hour) == 1:
        (only,) = usd_per_device_hour.values()
        return only if np.ndim(only) >= np.ndim(market_level) else only + 0.0 * market_level
    level, *rows = np.broadcast_arrays(market_level, *usd_per_device_hour.values())
    ordered = np.sort(np.stack(rows), axis=0)
    position = level * (len(rows) - 1)
    below = position.astype(int)
    above = np.minimum(below + 1, len(rows) - 1)
    lower, upper = np.take_along_axis(ordered, np.stack((below, above)), axis=0)
    part = position - below
    price: Real = lower * (1.0 - part) + upper * part
    return price if level.ndim else float(price)


@formula("thin_market_factor", unit="ratio")
def thin_factor(*, market_over_seller: Real, sellers: float) -> Real:
    """How far the price of a market of few sellers is from that of many.

        market_over_seller ^ (1 / sqrt(sellers))

    `market_over_seller` is what it is for a single seller, at the median 1.

    Source: the standard error of a mean of `sellers` logarithms.
    """
    return power(market_over_seller, sellers**-0.5)


@formula("price_on_thin_market", unit="usd/device_hour")
def on_thin_market(*, usd_per_device_hour: Real, thin_market_factor: Real) -> Real:
    """A price at a level of a market of few sellers, as far off as they are few.

        usd_per_device_hour * thin_market_factor

    Source: definition.
    """
    return usd_per_device_hour * thin_market_factor
