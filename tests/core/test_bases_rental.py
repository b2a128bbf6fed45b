"""Laws of the formulas of the basis `rental`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.bills.rental.formulas import (
    gigabyte_months,
    gigabyte_months_kept,
    taken_off,
    unused_device_hours,
)

hours = st.floats(0.0, 1e5)


@given(run=hours, term=hours)
def test_a_term_is_paid_to_its_end_and_no_further(run, term):
    unused = unused_device_hours(devices=64, term_hours=term, run_hours=run)
    assert unused >= 0
    assert 64 * run + unused == pytest.approx(64 * max(run, term))


def test_storage_is_by_the_month_of_730_and_a_half_hours():
    assert gigabyte_months(gigabytes=10_000, hours=730.5 * 2) == pytest.approx(20_000)
    assert gigabyte_months_kept(gigabytes=10_000, months=2) == 20_000


def test_a_discount_has_its_sign():
    assert taken_off(discount_share=0.2) == -0.2
