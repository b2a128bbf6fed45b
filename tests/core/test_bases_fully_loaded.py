"""Laws of the formulas of the basis `fully_loaded`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.bills.fully_loaded.formulas import (
    compute_usd,
    person_months,
    share_beyond_final_run,
    staff_over_compute,
    usd_per_person_month,
)


@given(hardware=st.floats(0.0, 1e12), factor=st.floats(1.0, 1000.0))
def test_experiments_come_on_top_of_the_final_run(hardware, factor):
    beyond = hardware * share_beyond_final_run(experiment_factor=factor)
    whole = compute_usd(hardware_usd=hardware, experiment_factor=factor)
    assert hardware + beyond == pytest.approx(whole)


def test_a_run_without_experiments_has_none():
    assert share_beyond_final_run(experiment_factor=1.0) == 0.0


def test_people_cost_their_months():
    months = person_months(people=20, months=6, time_share=0.5)
    assert months == 60
    rate = usd_per_person_month(usd_per_person_year=300_000, overhead=1.3)
    assert months * rate == pytest.approx(60 / 12 * 300_000 * 1.3)


@given(share=st.floats(0.0, 0.95))
def test_a_staff_share_is_of_compute_and_staff_together(share):
    staff = 62.0 * staff_over_compute(staff_share=share)
    assert staff / (62.0 + staff) == pytest.approx(share)
