"""Power, energy and carbon: metered figures and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.cluster.energy import (
    cluster_power,
    embodied_kg_co2e,
    energy,
    in_usd_per_kwh,
    kg_co2e,
    kilowatt_months,
    kwh_per_device_hour,
    rated_w,
    server_w,
)

LOAD_SHARE = 0.91
SERVER_RATIO = 1.36
hours = st.floats(0.0, 1e9)
intensities = st.floats(0.0, 2.0)


def of_eight(tdp_w):
    return 8 * server_w(tdp_w=tdp_w, device_load_share=LOAD_SHARE, server_power_ratio=SERVER_RATIO)


@pytest.mark.parametrize(
    ("tdp_w", "least_w", "most_w"),
    [(700, 6_860, 7_160), (1_000, 9_580, 10_050)],
    ids=["8 x H100 SXM", "8 x B200"],
)
def test_a_server_draws_what_was_metered(tdp_w, least_w, most_w):
    """MLPerf Training power results; within 10%, and in fact inside the metered range."""
    assert least_w * 0.9 < of_eight(tdp_w) < most_w * 1.1
    assert least_w < of_eight(tdp_w) < most_w


def test_a_device_alone_draws_what_olmo_3_metered():
    assert 621 < 700 * LOAD_SHARE < 649


@given(device_hours=hours, pue=st.floats(1.0, 2.0))
def test_the_parts_add_up(device_hours, pue):
    used = energy(device_hours=device_hours, server_w=877.0, network_w=10.8, pue=pue)
    assert used.it_kwh == pytest.approx(device_hours * (877.0 + 10.8) / 1000.0)
    assert used.it_kwh + used.overhead_kwh == pytest.approx(used.facility_kwh)
    assert used.facility_kwh == pytest.approx(used.it_kwh * pue)
    rate = kwh_per_device_hour(server_w=877.0, network_w=10.8, pue=pue)
    assert rate * device_hours == pytest.approx(used.facility_kwh)


@given(kwh=hours, low=intensities, high=intensities)
def test_carbon_scales_with_the_grid(kwh, low, high):
    low, high = sorted((low, high))
    assert kg_co2e(kwh=kwh, kg_co2e_per_kwh=low) <= kg_co2e(kwh=kwh, kg_co2e_per_kwh=high)
    assert kg_co2e(kwh=kwh, kg_co2e_per_kwh=2 * low) == pytest.approx(
        2 * kg_co2e(kwh=kwh, kg_co2e_per_kwh=low)
    )


def test_a_tariff_in_another_currency_is_converted():
    assert in_usd_per_kwh(price_per_kwh=0.2, usd_per_unit=1.16) == pytest.approx(0.232)


def test_peak_power_is_what_the_ratings_say():
    peak = rated_w(tdp_w=700, rated_power_ratio=(10.2 / 8) / 0.7)
    assert peak == pytest.approx(10_200 / 8)
    power = cluster_power(devices=512, server_w=866, rated_w=peak, network_w=10.8, pue=1.2)
    assert power.average_it_w == pytest.approx(512 * 876.8)
    assert power.peak_facility_w == pytest.approx(512 * (1_275 + 10.8) * 1.2)
    assert power.average_it_w < power.peak_it_w < power.peak_facility_w


def test_embodied_carbon_is_shared_out_over_the_working_life():
    whole_life = 5 * 8_766 * 0.8
    assert embodied_kg_co2e(
        device_hours=whole_life, kg_co2e_per_device=400, life_years=5, utilisation=0.8
    ) == pytest.approx(400)


def test_hosted_power_is_by_the_month():
    months = kilowatt_months(device_hours=8 * 730.5, rated_w=1_275, utilisation=1.0)
    assert months == pytest.approx(8 * 1.275)


def test_palm_used_what_its_report_implies():
    """8.4 million TPU v4 hours at 378.5 W and a PUE of 1.08 are 3,436 MWh."""
    used = energy(device_hours=8_404_992, server_w=378.5, network_w=0.0, pue=1.08)
    assert used.facility_kwh == pytest.approx(3_436e3, rel=0.001)


def test_draws_and_single_numbers_agree():
    pues = np.array([1.0, 1.2, 1.5])
    together = energy(device_hours=1e3, server_w=877.0, network_w=10.8, pue=pues)
    alone = [
        energy(device_hours=1e3, server_w=877.0, network_w=10.8, pue=float(pue)) for pue in pues
    ]
    assert together.facility_kwh == pytest.approx([one.facility_kwh for one in alone])
