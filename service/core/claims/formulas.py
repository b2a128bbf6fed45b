"""Formulas of claims: the rate that an amount implies, and dollars of another year."""

from service.core.figures.arrays import Real
from service.core.figures.formulas import formula


@formula("usd_for_a_device_hour", unit="usd/device_hour")
def usd_for_a_device_hour(*, usd: Real, device_hours: Real) -> Real:
    """The rate that an amount for some device-hours implies.

        usd / device_hours

    Source: definition.
    """
    return usd / device_hours


@formula("usd_of_another_year", unit="usd")
def usd_of_another_year(*, usd: Real, index_then: Real, index_now: Real) -> Real:
    """An amount in dollars of another year.

        usd * index_now / index_then

    The indices are those of consumer prices.

    Source: BLS Handbook of Methods, Consumer Price Index: escalation by the ratio of indices.
    """
    return usd * index_now / index_then


@formula("device_hours_of_disclosed_sum", unit="device_hour")
def device_hours_of_disclosed_sum(*, disclosed: Real, predicted: Real, predicted_sum: Real) -> Real:
    """The part of disclosed device-hours that falls to a stage.

        disclosed * predicted / predicted_sum

    A disclosure is for a whole run. Its stages take the parts that are predicted for them.

    Source: definition.
    """
    return disclosed * predicted / predicted_sum
