"""Laws of the basis `rental`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.bases.rental.formulas import (
    device_rental_usd,
    discount_usd,
    gigabyte_months,
    storage_usd,
    support_usd,
    transfer_usd,
    unused_commitment_usd,
    uplift_usd,
)

hours = st.floats(0.0, 1e5)


def test_r1_costs_what_its_table_says():
    parts = [device_rental_usd(device_hours=h, usd_per_device_hour=2.0) for h in (101e3, 5e3, 41e3)]
    assert parts == [202_000, 10_000, 82_000]
    assert sum(parts) == 294_000


def test_v3_costs_what_its_table_says():
    whole = device_rental_usd(device_hours=2_664e3 + 119e3 + 5e3, usd_per_device_hour=2.0)
    assert whole == 5_576_000
    assert whole + 294_000 == 5_870_000


@given(run=hours, term=hours)
def test_a_term_is_paid_to_its_end_and_no_further(run, term):
    unused = unused_commitment_usd(
        devices=64, term_hours=term, run_hours=run, usd_per_device_hour=2.0
    )
    used = device_rental_usd(device_hours=64 * run, usd_per_device_hour=2.0)
    assert unused >= 0
    assert used + unused == pytest.approx(64 * max(run, term) * 2.0)


def test_a_doubled_rate_doubles_the_rental():
    once, twice = (
        device_rental_usd(device_hours=1_000, usd_per_device_hour=rate) for rate in (1.7, 3.4)
    )
    assert twice == pytest.approx(2 * once)


def test_storage_is_by_the_month_and_transfer_by_the_gigabyte():
    held = gigabyte_months(gigabytes=10_000, hours=730.5 * 2)
    assert held == pytest.approx(20_000)
    assert storage_usd(gigabyte_months=held, usd_per_gigabyte_month=0.02) == pytest.approx(400)
    assert transfer_usd(gigabytes=5_000, usd_per_gigabyte=0.09) == pytest.approx(450)


def test_support_has_a_least_amount():
    assert support_usd(rental_usd=1_000, support_share=0.1, least_usd=15_000) == 15_000
    assert support_usd(rental_usd=1e6, support_share=0.1, least_usd=15_000) == pytest.approx(
        100_000
    )


def test_discounts_subtract_and_uplifts_add():
    assert discount_usd(rental_usd=1_000, discount_share=0.2) == pytest.approx(-200)
    assert uplift_usd(amount_usd=1_000, uplift_share=0.2) == pytest.approx(200)
