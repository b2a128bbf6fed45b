"""The basis `rental`: what the seller of device-hours bills, and what comes with it.

Device rental is device-hours times the rate of the supply. The other lines exist where the run, the
offer or the caller declares them; discounts and uplifts are lines of their own, with their sign.
"""

from service.core.arrays import Real, maximum
from service.core.units import HOURS_PER_MONTH


def device_rental_usd(*, device_hours: Real, usd_per_device_hour: Real) -> Real:
    """Device-hours at the rate of the supply.

    device_hours * usd_per_device_hour
    """
    return device_hours * usd_per_device_hour


def unused_device_hours(*, devices: Real, term_hours: Real, run_hours: Real) -> Real:
    """Device-hours of a reserved or minimum term that the run does not use but pays for.

    devices * max(0, term_hours - run_hours)
    """
    return devices * maximum(term_hours - run_hours, 0.0)


def unused_commitment_usd(
    *, devices: Real, term_hours: Real, run_hours: Real, usd_per_device_hour: Real
) -> Real:
    """What the rest of the term costs.

    devices * max(0, term_hours - run_hours) * usd_per_device_hour
    """
    unused = unused_device_hours(devices=devices, term_hours=term_hours, run_hours=run_hours)
    return unused * usd_per_device_hour


def gigabyte_months(*, gigabytes: Real, hours: Real) -> Real:
    """Storage held, in gigabyte-months of 730.5 hours.

    gigabytes * hours / 730.5
    """
    return gigabytes * hours / HOURS_PER_MONTH


def storage_usd(*, gigabyte_months: Real, usd_per_gigabyte_month: Real) -> Real:
    """Data, checkpoints and logs kept while the run lasts.

    gigabyte_months * usd_per_gigabyte_month
    """
    return gigabyte_months * usd_per_gigabyte_month


def transfer_usd(*, gigabytes: Real, usd_per_gigabyte: Real) -> Real:
    """Data moved out of the seller's network.

    gigabytes * usd_per_gigabyte
    """
    return gigabytes * usd_per_gigabyte


def support_usd(*, rental_usd: Real, support_share: Real, least_usd: Real) -> Real:
    """A support plan, sold as a share of the bill with a least amount.

    max(rental_usd * support_share, least_usd)
    """
    return maximum(rental_usd * support_share, least_usd)


def discount_usd(*, rental_usd: Real, discount_share: Real) -> Real:
    """A negotiated discount, as the negative amount that the bill shows.

    -rental_usd * discount_share
    """
    return -rental_usd * discount_share


def uplift_usd(*, amount_usd: Real, uplift_share: Real) -> Real:
    """An uplift (reseller's margin, contingency, tax) on what it is declared on.

    amount_usd * uplift_share
    """
    return amount_usd * uplift_share
