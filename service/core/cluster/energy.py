"""Power of a training cluster, its energy and its carbon, each in named parts.

IT energy is what the servers and switches take at their plugs. The facility adds cooling and
losses (PUE). Carbon is counted per scope: location-based from the grid's average, market-based and
marginal if a site publishes them, and the manufacture of the devices as a number of its own.

The defaults are the assumptions `energy.*`. They are metered where measurements exist (MLPerf
Training power results, Olmo 3, GLaM, PaLM, Apertus), and ratings otherwise.
"""

from typing import NamedTuple

from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.units import HOURS_PER_MONTH, HOURS_PER_YEAR, WATTS_PER_KILOWATT


class ClusterPower(NamedTuple):
    """Watts of the whole cluster: at its plugs and at the facility's meter."""

    average_it_w: Real
    average_facility_w: Real
    peak_it_w: Real
    peak_facility_w: Real


class Energy(NamedTuple):
    """Kilowatt-hours by part. IT is servers plus network; the facility is IT plus overhead."""

    it_kwh: Real
    overhead_kwh: Real
    facility_kwh: Real


@formula("server_w", unit="watt")
def server_w(*, tdp_w: Real, device_load_share: Real, server_power_ratio: Real) -> Real:
    """Watts at the server's plug for one device that trains, with its share of the server.

        tdp_w * device_load_share * server_power_ratio

    `device_load_share` is the device's own draw over its rating; `server_power_ratio` adds host,
    NICs, fans and power supplies. 8 x H100: 8 * 700 * 0.91 * 1.36 = 6.93 kW; metered 6.86-7.16.

    Source: MLPerf Training v4.0 and v5.0 power results; Olmo 3 (device alone, 621-649 of 700 W).
    """
    return tdp_w * device_load_share * server_power_ratio


@formula("rated_w", unit="watt")
def rated_w(*, tdp_w: Real, rated_power_ratio: Real) -> Real:
    """Rated watts of a device with its share of the server: what a rack must carry.

        tdp_w * rated_power_ratio

    Source: definition of the ratio.
    """
    return tdp_w * rated_power_ratio


@formula("system_w_per_device", unit="watt")
def system_w_per_device(*, system_w: Real, devices: Real) -> Real:
    """Rated watts of a device with its share of the server or rack that it is sold in.

        system_w / devices

    Source: definition. GB200 NVL72: 120 kW over 72 devices.
    """
    return system_w / devices


@formula("energy", parts=dict.fromkeys(Energy._fields, "kwh"))
def energy(*, device_hours: Real, server_w: Real, network_w: Real, pue: Real) -> Energy:
    """Energy of a stage by part. Watts are per device.

        it = device_hours / 1000 * (server_w + network_w)
        facility = it * pue

    Source: PUE as in ISO/IEC 30134-2.
    """
    it = device_hours / WATTS_PER_KILOWATT * (server_w + network_w)
    overhead = it * (pue - 1.0)
    return Energy(it_kwh=it, overhead_kwh=overhead, facility_kwh=it + overhead)


@formula("kwh_per_device_hour", unit="kwh")
def kwh_per_device_hour(*, server_w: Real, network_w: Real, pue: Real) -> Real:
    """Energy at the facility's meter for one device-hour.

        (server_w + network_w) / 1000 * pue

    Source: PUE as in ISO/IEC 30134-2.
    """
    return (server_w + network_w) / WATTS_PER_KILOWATT * pue


@formula("cluster_power", parts=dict.fromkeys(ClusterPower._fields, "watt"))
def cluster_power(
    *, devices: Real, server_w: Real, rated_w: Real, network_w: Real, pue: Real
) -> ClusterPower:
    """Average and peak power of a cluster. Watts in the arguments are per device.

        average = devices * (server_w + network_w), peak = devices * (rated_w + network_w)
        facility = it * pue

    The peak follows from ratings: the power supply must carry it, and training stays below it.

    Source: PUE as in ISO/IEC 30134-2.
    """
    average = devices * (server_w + network_w)
    peak = devices * (rated_w + network_w)
    return ClusterPower(
        average_it_w=average,
        average_facility_w=average * pue,
        peak_it_w=peak,
        peak_facility_w=peak * pue,
    )


@formula("operational_kg_co2e", unit="kg_co2e")
def kg_co2e(*, kwh: Real, kg_co2e_per_kwh: Real) -> Real:
    """Carbon of the facility's electricity under one way of counting (the intensity says which).

        kwh * kg_co2e_per_kwh

    Source: GHG Protocol Scope 2 Guidance (location-based, market-based).
    """
    return kwh * kg_co2e_per_kwh


@formula("embodied_kg_co2e", unit="kg_co2e")
def embodied_kg_co2e(
    *,
    device_hours: Real,
    kg_co2e_per_device: Real,
    life_years: Real,
    utilisation: Real,
) -> Real:
    """The run's share of the carbon of making the hardware: hours used over its working life.

        device_hours * kg_co2e_per_device / (life_years * 8766 * utilisation)

    Source: the accounting of BLOOM's footprint (arXiv 2211.02001, section 4.1).
    """
    working_hours = life_years * HOURS_PER_YEAR * utilisation
    return device_hours * kg_co2e_per_device / working_hours


@formula("electricity_price_in_usd", unit="usd/kwh")
def in_usd_per_kwh(*, price_per_kwh: Real, usd_per_unit: Real) -> Real:
    """A tariff in dollars, from another currency.

        price_per_kwh * usd_per_unit

    `usd_per_unit` is the rate of exchange: US dollars for one unit of that currency.

    Source: definition.
    """
    return price_per_kwh * usd_per_unit


@formula("kilowatt_months", unit="kilowatt_month")
def kilowatt_months(*, device_hours: Real, rated_w: Real, utilisation: Real) -> Real:
    """Hosted power that a run takes up, in kilowatt-months.

        device_hours / 730.5 / 1000 * rated_w / utilisation

    A rack is paid for by its rated power and by the month, whether its devices are busy or not.

    Source: definition.
    """
    months = device_hours / HOURS_PER_MONTH
    return months / WATTS_PER_KILOWATT * rated_w / utilisation
