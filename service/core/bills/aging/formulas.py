"""What a price that was read some days ago may be today.

A list price stands still for a while and then jumps. So most of its distribution lies on the price
as it was read, and the rest on both sides. Two standard normal scores move it: one is shared by all
sellers of a device, the other by all devices of a seller. The medians of both are zero, so the
median of a price is the price as it was read: no drift of the past is carried on.
"""

from typing import Final

from service.core.figures.arrays import Real, exp, log, maximum, minimum, power
from service.core.figures.formulas import formula

DAYS_PER_YEAR_OF_AGE: Final = 365.0


@formula("price_move", unit="standard_deviation")
def price_move(
    *,
    device_move: Real,
    seller_move: Real,
    age_days: float,
    most_alike: Real,
    half_alike_days: Real,
) -> Real:
    """The score of a price that is some days old: a part of its device, and one of its seller.

        alike = most_alike * age_days / (age_days + half_alike_days)
        sqrt(alike) * device_move + sqrt(1 - alike) * seller_move

    `alike` is the correlation between the moves of two sellers of one device. In the first weeks a
    seller moves alone; in a year the market moves it too.

    Source: `lab/prices/fit.py` measures the correlation on dated prices.
    """
    alike = most_alike * age_days / (age_days + half_alike_days)
    return power(alike, 0.5) * device_move + power(1.0 - alike, 0.5) * seller_move


@formula("listed_price_at_age", unit="usd/device_hour")
def listed_at_age(
    *,
    price_per_device_hour: Real,
    move: Real,
    age_days: float,
    rise_threshold: Real,
    fall_threshold: Real,
    threshold_per_log_year: Real,
    rise_per_deviation: Real,
    fall_per_deviation: Real,
) -> Real:
    """A list price that was read some days ago, after a move.

        lower = threshold_per_log_year * ln(age_days / 365)
        rise = max(0, move - max(0, rise_threshold - lower))
        fall = max(0, -move - max(0, fall_threshold - lower))
        price_per_device_hour * exp(rise_per_deviation * rise - fall_per_deviation * fall)

    A price whose move is between the thresholds has not changed. The thresholds are those of a
    price of one year, and sink as it gets older. `age_days` is above zero.

    Source: a censored normal distribution (Tobin 1958, doi 10.2307/1907382), fitted to changes of
    dated prices by `lab/prices/fit.py`.
    """
    lower = threshold_per_log_year * log(age_days / DAYS_PER_YEAR_OF_AGE)
    rise = maximum(move - maximum(rise_threshold - lower, 0.0), 0.0)
    fall = maximum(-move - maximum(fall_threshold - lower, 0.0), 0.0)
    return price_per_device_hour * exp(rise_per_deviation * rise - fall_per_deviation * fall)


@formula("spot_price_at_age", unit="usd/device_hour")
def spot_at_age(
    *,
    price_per_device_hour: Real,
    move: Real,
    age_days: float,
    settles_after_days: Real,
    growth: Real,
    rise_per_deviation: Real,
    fall_per_deviation: Real,
) -> Real:
    """A price that follows demand and was read some days ago, after a move.

        years = min(age_days, settles_after_days) / 365
        change = rise_per_deviation * max(0, move) - fall_per_deviation * max(0, -move)
        price_per_device_hour * exp(change * years^growth)

    It moves at once, and comes back in time: after `settles_after_days` it is no less sure.

    Source: fitted to changes of dated spot prices by `lab/prices/fit.py`.
    """
    years = minimum(age_days, settles_after_days) / DAYS_PER_YEAR_OF_AGE
    change = rise_per_deviation * maximum(move, 0.0) - fall_per_deviation * maximum(-move, 0.0)
    return price_per_device_hour * exp(change * power(years, growth))
