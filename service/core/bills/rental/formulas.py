"""The basis `rental`: the bill of the seller of device-hours, and costs that come with it.

Device rental is device-hours times the rate of the supply. Other lines exist if the run, the offer
or the caller declares them. A line that is a share of other lines multiplies their sum.
"""

from service.core.figures.arrays import Real, maximum
from service.core.figures.formulas import formula
from service.core.figures.units import HOURS_PER_MONTH


@formula("unused_device_hours", unit="device_hour")
def unused_device_hours(*, devices: Real, term_hours: Real, run_hours: Real) -> Real:
    """Device-hours of a reserved or minimum term that are paid for and not used.

        devices * max(0, term_hours - run_hours)

    Source: definition.
    """
    return devices * maximum(term_hours - run_hours, 0.0)


@formula("gigabyte_months", unit="gigabyte_month")
def gigabyte_months(*, gigabytes: Real, hours: Real) -> Real:
    """Storage held while the run lasts, in gigabyte-months of 730.5 hours.

        gigabytes * hours / 730.5

    Source: definition.
    """
    return gigabytes * hours / HOURS_PER_MONTH


@formula("gigabyte_months_kept", unit="gigabyte_month")
def gigabyte_months_kept(*, gigabytes: Real, months: Real) -> Real:
    """Storage held for some months.

        gigabytes * months

    Source: definition.
    """
    return gigabytes * months


@formula("discount_rate", unit="ratio")
def taken_off(*, discount_share: Real) -> Real:
    """The rate of a discount's line, which has a negative sign.

        -discount_share

    Source: definition.
    """
    return -discount_share
