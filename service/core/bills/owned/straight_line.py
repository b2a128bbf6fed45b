"""The basis `owned`, convention `straight_line`: the cost of a device-hour to the owner.

This is how a finance department files it. The purchase price less the residual value is written off
evenly over a stated life, and over the hours in which the fleet is used. Interest is on the average
balance, hosting by rated kilowatts, maintenance and operations by the purchase price, and
electricity by the meter for the hours used.

Every rate is in US dollars per device-hour of use. Costs that run by the calendar are divided by
utilisation, so a device that is used more never costs more per hour.
"""

from typing import NamedTuple

from service.core.bills.owned.purchase import Purchase
from service.core.figures.arrays import Real, maximum, minimum, where
from service.core.figures.formulas import formula
from service.core.figures.units import HOURS_PER_MONTH, HOURS_PER_YEAR, WATTS_PER_KILOWATT

NEVER = 1e9


class PurchaseRates(NamedTuple):
    """US dollars for one device-hour of use that come from the purchase price, by part."""

    accelerators_usd: Real
    servers_usd: Real
    network_usd: Real
    capital_usd: Real
    maintenance_usd: Real


class BreakEvenPoint(NamedTuple):
    """Where owning costs as much as renting.

    A `utilisation` above 1 and `months` of 1e9 mean never. `saving_usd_per_device_hour` is the
    rental rate less the owned one, and may be negative.
    """

    utilisation: Real
    months: Real
    saving_usd_per_device_hour: Real


@formula("straight_line_acquisition", parts=dict.fromkeys(Purchase._fields, "usd"))
def acquisition(
    *,
    devices: Real,
    price_usd_per_device: Real,
    server_share: Real,
    network_share: Real,
    price_includes_server: float,
) -> Purchase:
    """The cost of buying the cluster, by part.

        servers = price * server_share, if the price is a share of a complete server,
                  price * server_share / (1 - server_share) besides a bare device
        network = (accelerators + servers) * network_share / (1 - network_share)

    `server_share` is the host's share of a server's price, `network_share` that of the cluster
    network (switches, optics, cables, NICs) in the whole cluster's.

    Source: definition of the two shares.
    """
    if price_includes_server:
        servers = price_usd_per_device * server_share
        accelerators = price_usd_per_device - servers
    else:
        servers = price_usd_per_device * server_share / (1.0 - server_share)
        accelerators = price_usd_per_device
    nodes = accelerators + servers
    network = nodes * network_share / (1.0 - network_share)
    return Purchase(
        accelerators_usd=devices * accelerators,
        servers_usd=devices * servers,
        network_usd=devices * network,
        total_usd=devices * (nodes + network),
    )


def written_off_per_hour(*, residual_share: Real, life_years: Real, utilisation: Real) -> Real:
    """Share of the purchase price that is written off for one hour of use.

    (1 - residual_share) / (life_years * 8766 * utilisation)
    """
    return (1.0 - residual_share) / (life_years * HOURS_PER_YEAR * utilisation)


def capital_usd(
    *,
    price_usd: Real,
    residual_share: Real,
    cost_of_capital_per_year: Real,
    utilisation: Real,
) -> Real:
    """Interest on the average balance, per hour of use.

        price_usd * (1 + residual_share) / 2 * cost_of_capital_per_year / (8766 * utilisation)

    The money tied up falls evenly from the price to the residual value. Interest is on the average
    balance and not an annuity, because it can be added to a straight-line write-off without
    changing it. An annuity (capital recovery) is the other convention, and a few per cent dearer.
    """
    balance = price_usd * (1.0 + residual_share) / 2.0
    return balance * cost_of_capital_per_year / (HOURS_PER_YEAR * utilisation)


@formula("hosting_usd_per_device_hour", unit="usd/device_hour")
def hosting_usd(*, rated_w: Real, usd_per_kilowatt_month: Real, utilisation: Real) -> Real:
    """Space, cooling and power capacity per hour of use, without the electricity.

        rated_w / 1000 * usd_per_kilowatt_month / 730.5 / utilisation

    Contracts are by rated kilowatts and by the month, whether the power is used or not.

    Source: definition.
    """
    per_hour = rated_w / WATTS_PER_KILOWATT * usd_per_kilowatt_month / HOURS_PER_MONTH
    return per_hour / utilisation


def maintenance_usd(
    *, price_usd: Real, maintenance_share_per_year: Real, utilisation: Real
) -> Real:
    """Maintenance with parts that fail, and operating staff, per hour of use.

    price_usd * maintenance_share_per_year / (8766 * utilisation)
    """
    return price_usd * maintenance_share_per_year / (HOURS_PER_YEAR * utilisation)


@formula(
    "straight_line_purchase_rates", parts=dict.fromkeys(PurchaseRates._fields, "usd/device_hour")
)
def purchase_rates(
    *,
    price_usd_per_device: Real,
    server_share: Real,
    network_share: Real,
    life_years: Real,
    residual_share: Real,
    utilisation: Real,
    cost_of_capital_per_year: Real,
    maintenance_share_per_year: Real,
    price_includes_server: float,
) -> PurchaseRates:
    """What one device-hour of use costs because the cluster was bought.

        written off = bought * (1 - residual_share) / (life_years * 8766 * utilisation)
        balance = bought * (1 + residual_share) / 2
        capital = balance * cost_of_capital_per_year / (8766 * utilisation)
        maintenance = bought * maintenance_share_per_year / (8766 * utilisation)

    The three parts of the purchase are written off alike. Capital and maintenance are on their sum.

    Source: the straight-line method of IAS 16, paragraph 62. Interest on the average balance is a
    convention chosen here, because it leaves the write-off unchanged.
    """
    bought = acquisition(
        devices=1.0,
        price_usd_per_device=price_usd_per_device,
        server_share=server_share,
        network_share=network_share,
        price_includes_server=price_includes_server,
    )
    written_off = written_off_per_hour(
        residual_share=residual_share, life_years=life_years, utilisation=utilisation
    )
    return PurchaseRates(
        accelerators_usd=bought.accelerators_usd * written_off,
        servers_usd=bought.servers_usd * written_off,
        network_usd=bought.network_usd * written_off,
        capital_usd=capital_usd(
            price_usd=bought.total_usd,
            residual_share=residual_share,
            cost_of_capital_per_year=cost_of_capital_per_year,
            utilisation=utilisation,
        ),
        maintenance_usd=maintenance_usd(
            price_usd=bought.total_usd,
            maintenance_share_per_year=maintenance_share_per_year,
            utilisation=utilisation,
        ),
    )


@formula("energy_usd_per_device_hour", unit="usd/device_hour")
def energy_usd(*, kwh_per_device_hour: Real, usd_per_kwh: Real) -> Real:
    """Electricity of one hour of use, at the facility's meter.

        kwh_per_device_hour * usd_per_kwh

    Source: definition.
    """
    return kwh_per_device_hour * usd_per_kwh


@formula("idle_usd_per_device_hour", unit="usd/device_hour")
def idle_usd(*, usd_per_device_hour: Real, devices_bought: Real, devices: Real) -> Real:
    """What devices that were bought with whole servers and stay idle add to an hour of use.

        usd_per_device_hour * (devices_bought / devices - 1)

    Source: definition.
    """
    return usd_per_device_hour * (devices_bought / devices - 1.0)


@formula("owned_device_hour_usd", unit="usd/device_hour")
def device_hour_usd(**usd: Real) -> Real:
    """The cost of a device-hour of use, in all.

        the sum of the lines' rates for one device-hour

    Source: definition.
    """
    return sum(usd.values(), start=0.0)


@formula(
    "break_even",
    parts={
        "utilisation": "ratio",
        "months": "month",
        "saving_usd_per_device_hour": "usd/device_hour",
    },
)
def break_even(
    *,
    owned_usd_per_device_hour: Real,
    purchase_usd_per_device_hour: Real,
    energy_usd_per_device_hour: Real,
    price_usd: Real,
    devices: Real,
    rental_usd_per_device_hour: Real,
    utilisation: Real,
) -> BreakEvenPoint:
    """Utilisation and months at which owning costs as much as renting at the same use.

        held = (owned - energy) * utilisation, by the calendar hour, used or not
        break-even utilisation = held / (rental - energy)
        upkeep = owned - purchase: hosting, maintenance and electricity
        months = price / devices / ((rental - upkeep) * utilisation * 730.5)

    `owned` is the rate at `utilisation`, and `purchase` is its part of write-off and interest.
    Months pay back the purchase without interest or resale.

    Source: definition. The two costs are set equal.
    """
    held = (owned_usd_per_device_hour - energy_usd_per_device_hour) * utilisation
    margin = rental_usd_per_device_hour - energy_usd_per_device_hour
    upkeep = owned_usd_per_device_hour - purchase_usd_per_device_hour
    kept = (rental_usd_per_device_hour - upkeep) * utilisation * HOURS_PER_MONTH
    return BreakEvenPoint(
        utilisation=minimum(where(margin > 0.0, held / maximum(margin, 1.0 / NEVER), NEVER), NEVER),
        months=minimum(
            where(kept > 0.0, price_usd / devices / maximum(kept, 1.0 / NEVER), NEVER), NEVER
        ),
        saving_usd_per_device_hour=rental_usd_per_device_hour - owned_usd_per_device_hour,
    )
