"""The convention `epoch-2024`: the cost of a chip-hour to the buyer of the chips.

Cottier et al. value the cluster at the start of training. It loses value at the rate at which newer
hardware improves. They add the cluster network and the electricity, and charge the run for its
chip-hours. Each step is one function here, and `device_hour_usd` joins them.

Source of every formula: Cottier et al., "The rising costs of training frontier AI models"
(arXiv 2405.21015), and the authors' published calculation
(github epoch-research/training-cost-trends). Its defaults are the assumptions `epoch_2024.*`.
"""

from math import log
from typing import NamedTuple

from service.core.bills.owned.purchase import Purchase
from service.core.figures.arrays import Real, maximum
from service.core.figures.formulas import formula
from service.core.figures.units import (
    DAYS_PER_YEAR,
    HOURS_PER_YEAR,
    SECONDS_PER_HOUR,
    WATTS_PER_KILOWATT,
)


class EpochDeviceHour(NamedTuple):
    """US dollars for one device-hour: the parts in the order of the bill, and their sum."""

    accelerator_usd: Real
    server_usd: Real
    network_usd: Real
    energy_usd: Real
    total_usd: Real


class PurchaseRates(NamedTuple):
    """US dollars for one device-hour that come from the purchase, by part."""

    accelerators_usd: Real
    servers_usd: Real
    network_usd: Real


def chip_hours(*, training_flop: Real, peak_flop_per_s: Real, mfu: Real) -> Real:
    """Chip-hours of a run, if only its compute is known.

        training_flop / (peak_flop_per_s * mfu) / 3600

    `peak_flop_per_s` is dense, of one chip. Stated chip-hours, or devices times hours, are
    preferred.
    """
    return training_flop / (peak_flop_per_s * mfu) / SECONDS_PER_HOUR


def years_of_use(*, days_from_acquisition_to_start: Real, floored: float) -> Real:
    """Years over which the hardware has lost value when training starts.

        days / 365.25, not below zero where `floored` is 1

    GPUs cannot be used before they can be bought, so their years are never negative. The published
    calculation lets TPUs start before their release date, and so does this one (`floored` = 0).
    """
    years = days_from_acquisition_to_start / DAYS_PER_YEAR
    return maximum(years, 0.0) if floored else years


@formula("epoch_2024_server_price", unit="usd/device")
def server_price_usd(*, price_usd: Real, server_overhead: Real) -> Real:
    """Price of a device with its share of the server, from the price of the bare card.

        price_usd * server_overhead

    A device's share of a complete server (such as a DGX) includes the overhead: pass 1.

    Source: Cottier et al. (arXiv 2405.21015) and the authors' published calculation.
    """
    return price_usd * server_overhead


def value_at_start_usd(*, price_usd: Real, decline_oom_per_year: Real, years: Real) -> Real:
    """The value of a device with its share of the server on the day that training starts.

    price_usd * 10 ** (-decline_oom_per_year * years)
    """
    return price_usd * 10.0 ** (-decline_oom_per_year * years)


def amortised_usd(*, value_usd: Real, decline_oom_per_year: Real) -> Real:
    """Value lost in one hour of use, in US dollars per device-hour.

    value_usd * decline_oom_per_year * ln(10) / 8766
    """
    return value_usd * decline_oom_per_year * log(10.0) / HOURS_PER_YEAR


def network_usd(*, hardware_usd: Real, network_share: Real) -> Real:
    """The cost of the cluster network, from that of devices and servers, in the same unit.

        hardware_usd * network_share / (1 - network_share)

    `network_share` is the network's share of the whole cluster's cost.
    """
    return hardware_usd * network_share / (1.0 - network_share)


def energy_usd(
    *,
    tdp_w: Real,
    server_power_ratio: Real,
    mean_power_share: Real,
    pue: Real,
    usd_per_kwh: Real,
) -> Real:
    """Electricity for one device-hour.

        tdp_w / 1000 * server_power_ratio * mean_power_share * pue * usd_per_kwh

    `server_power_ratio` is the server's rated power per device over the device's own.
    """
    kwh = kwh_per_device_hour(
        tdp_w=tdp_w,
        server_power_ratio=server_power_ratio,
        mean_power_share=mean_power_share,
        pue=pue,
    )
    return kwh * usd_per_kwh


@formula("epoch_2024_kwh_per_device_hour", unit="kwh")
def kwh_per_device_hour(
    *, tdp_w: Real, server_power_ratio: Real, mean_power_share: Real, pue: Real
) -> Real:
    """Energy of one device-hour at the facility's meter.

        tdp_w / 1000 * server_power_ratio * mean_power_share * pue

    Source: Cottier et al. (arXiv 2405.21015) and the authors' published calculation.
    """
    return tdp_w / WATTS_PER_KILOWATT * server_power_ratio * mean_power_share * pue


@formula("epoch_2024_purchase_rates", parts=dict.fromkeys(PurchaseRates._fields, "usd/device_hour"))
def purchase_rates(
    *,
    price_usd: Real,
    years: Real,
    decline_oom_per_year: Real,
    server_overhead: Real,
    network_share: Real,
) -> PurchaseRates:
    """The cost of one device-hour that comes from the purchase, by part.

        value = price * 10 ** (-decline * years)
        device + server = value * decline * ln(10) / 8766, of which the device is 1 / overhead
        network = (device + server) * share / (1 - share)

    `price_usd` is that of a device with its share of the server.

    Source: Cottier et al. (arXiv 2405.21015) and the authors' published calculation.
    """
    value = value_at_start_usd(
        price_usd=price_usd, decline_oom_per_year=decline_oom_per_year, years=years
    )
    hardware = amortised_usd(value_usd=value, decline_oom_per_year=decline_oom_per_year)
    accelerators = hardware / server_overhead
    return PurchaseRates(
        accelerators_usd=accelerators,
        servers_usd=hardware - accelerators,
        network_usd=network_usd(hardware_usd=hardware, network_share=network_share),
    )


@formula("epoch_2024_acquisition", parts=dict.fromkeys(Purchase._fields, "usd"))
def acquisition(
    *, devices: Real, price_usd: Real, server_overhead: Real, network_share: Real
) -> Purchase:
    """Purchase of the cluster by part. The sum is `acquisition_usd`.

        accelerators + servers = devices * price_usd, of which the devices are 1 / server_overhead
        network = (accelerators + servers) * network_share / (1 - network_share)

    Source: Cottier et al. (arXiv 2405.21015) and the authors' published calculation.
    """
    total = acquisition_usd(devices=devices, price_usd=price_usd, network_share=network_share)
    hardware = devices * price_usd
    return Purchase(
        accelerators_usd=hardware / server_overhead,
        servers_usd=hardware - hardware / server_overhead,
        network_usd=total - hardware,
        total_usd=total,
    )


def device_hour_usd(
    *,
    price_usd: Real,
    years: Real,
    decline_oom_per_year: Real,
    server_overhead: Real,
    network_share: Real,
    tdp_w: Real,
    server_power_ratio: Real,
    mean_power_share: Real,
    pue: Real,
    usd_per_kwh: Real,
) -> EpochDeviceHour:
    """One device-hour by part. `price_usd` is that of a device with its share of the server.

        value = price * 10 ** (-decline * years)
        device + server = value * decline * ln(10) / 8766, of which the device is 1 / overhead
        network = (device + server) * share / (1 - share)
        energy = tdp * server_power_ratio * mean_power_share * pue * tariff

    GPT-4: 24,875 dollars, 638 days after acquisition, make 0.52091 / 0.81 + 0.06139 = 0.70449.
    """
    bought = purchase_rates(
        price_usd=price_usd,
        years=years,
        decline_oom_per_year=decline_oom_per_year,
        server_overhead=server_overhead,
        network_share=network_share,
    )
    energy = energy_usd(
        tdp_w=tdp_w,
        server_power_ratio=server_power_ratio,
        mean_power_share=mean_power_share,
        pue=pue,
        usd_per_kwh=usd_per_kwh,
    )
    return EpochDeviceHour(
        accelerator_usd=bought.accelerators_usd,
        server_usd=bought.servers_usd,
        network_usd=bought.network_usd,
        energy_usd=energy,
        total_usd=sum(bought, start=0.0) + energy,
    )


def acquisition_usd(*, devices: Real, price_usd: Real, network_share: Real) -> Real:
    """The cost of buying the cluster: devices with servers, and the network that joins them.

        devices * price_usd / (1 - network_share)

    `price_usd` includes the device's share of the server, before any loss of value.
    """
    return devices * price_usd / (1.0 - network_share)


def committed_price_usd(
    *, usd_per_device_hour: Real, discount_of_price: Real, discount_wanted: Real
) -> Real:
    """A rental price under one commitment, from the price under another.

        usd_per_device_hour * (1 - discount_wanted) / (1 - discount_of_price)

    Both discounts are shares off the same seller's on-demand price.
    """
    return usd_per_device_hour * (1.0 - discount_wanted) / (1.0 - discount_of_price)


def in_dollars_of(*, amount_usd: Real, index_then: Real, index_of: Real) -> Real:
    """An amount in the dollars of another month, by a price index.

    amount_usd * index_of / index_then
    """
    return amount_usd * index_of / index_then
