"""Laws of the convention `epoch-2024`."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.bills.owned.epoch import (
    acquisition_usd,
    committed_price_usd,
    device_hour_usd,
    in_dollars_of,
    network_usd,
    server_price_usd,
    value_at_start_usd,
    years_of_use,
)

CHIP: dict[str, Any] = {
    "price_usd": 24_875.0,
    "years": 1.75,
    "decline_oom_per_year": 0.14,
    "server_overhead": 1.66,
    "network_share": 0.19,
    "tdp_w": 400.0,
    "server_power_ratio": 2.03,
    "mean_power_share": 0.75,
    "pue": 1.25,
    "usd_per_kwh": 0.08,
}
years = st.floats(0.0, 10.0)
prices = st.floats(100.0, 1e5)


@given(price=prices, held=years)
def test_the_parts_add_up_to_the_total(price, held):
    rate = device_hour_usd(**{**CHIP, "price_usd": price, "years": held})
    assert sum(rate[:-1]) == pytest.approx(rate.total_usd)


@given(price=prices, earlier=years, later=years)
def test_hardware_never_gains_value(price, earlier, later):
    earlier, later = sorted((earlier, later))
    first, second = (
        value_at_start_usd(price_usd=price, decline_oom_per_year=0.14, years=at)
        for at in (earlier, later)
    )
    assert second <= first <= price


def test_a_doubled_tariff_doubles_the_energy_and_nothing_else():
    once = device_hour_usd(**CHIP)
    twice = device_hour_usd(**{**CHIP, "usd_per_kwh": 0.16})
    assert twice.energy_usd == pytest.approx(2 * once.energy_usd)
    assert twice[:3] == once[:3]


def test_the_network_is_its_share_of_the_whole():
    assert network_usd(hardware_usd=81.0, network_share=0.19) == pytest.approx(19.0)


def test_a_thousand_draws_cost_what_each_costs_alone():
    held = np.linspace(0.0, 4.0, 7)
    together = device_hour_usd(**{**CHIP, "years": held})
    alone = [device_hour_usd(**{**CHIP, "years": float(at)}).total_usd for at in held]
    assert together.total_usd == pytest.approx(alone)


def test_gpus_cannot_lose_value_before_they_can_be_bought_but_tpus_start_early():
    assert years_of_use(days_from_acquisition_to_start=-100, floored=1.0) == 0.0
    assert years_of_use(days_from_acquisition_to_start=-365.25, floored=0.0) == -1.0


def test_acquisition_is_devices_with_servers_and_their_network():
    bought = acquisition_usd(devices=25_000, price_usd=24_875, network_share=0.19)
    assert bought == pytest.approx(25_000 * 24_875 / 0.81)
    assert server_price_usd(price_usd=5_167, server_overhead=1.64) == pytest.approx(5_167 * 1.64)


def test_a_one_year_price_becomes_a_three_year_price_by_the_sellers_discounts():
    price = committed_price_usd(
        usd_per_device_hour=2.4, discount_of_price=0.41, discount_wanted=0.64
    )
    assert price == pytest.approx(2.4 * 0.36 / 0.59)
    same = committed_price_usd(usd_per_device_hour=2.4, discount_of_price=0.0, discount_wanted=0.0)
    assert same == 2.4


def test_dollars_of_another_month_follow_the_index():
    assert in_dollars_of(amount_usd=100.0, index_then=117.766, index_of=123.659) == pytest.approx(
        100 * 123.659 / 117.766
    )
