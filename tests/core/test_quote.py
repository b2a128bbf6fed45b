"""Laws of whole quotes."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import PricedBill, PricedLine
from tests.worlds import answer, device, run_of, world

ONE_DEVICE = world(device("d1"))
hours = st.floats(1.0, 1e9)
rates = st.floats(0.01, 100.0)


def total(stage_hours, rate):
    cluster = {
        "accelerator": "d1",
        "devices": 8,
        "supply": {"kind": "rate", "usd_per_device_hour": rate},
    }
    stages = [{"work": {"kind": "metered", "device_hours": h}} for h in stage_hours]
    (bill,) = answer(run_of(*stages, cluster=cluster), ONE_DEVICE).bases
    assert isinstance(bill, PricedBill)
    return Decimal(bill.total.amount)


@given(h=hours, rate=rates)
def test_doubling_a_rate_doubles_the_bill_to_a_cent(h, rate):
    assert abs(total([h], 2 * rate) - 2 * total([h], rate)) <= Decimal("0.02")


@given(first=hours, second=hours, rate=rates)
def test_splitting_a_stage_moves_cents_at_most(first, second, rate):
    whole, parts = total([first + second], rate), total([first, second], rate)
    rounding_of_the_sum = Decimal(first + second) * Decimal(rate) * Decimal("1e-15")
    assert abs(whole - parts) <= Decimal("0.02") + rounding_of_the_sum


def test_a_stage_may_stand_on_a_cluster_of_its_own():
    own = {"accelerator": "d2", "devices": 2, "supply": {"kind": "rate", "usd_per_device_hour": 5}}
    run = {"accelerator": "d1", "devices": 8, "supply": {"kind": "rate", "usd_per_device_hour": 1}}
    request = run_of(
        {"work": {"kind": "timed", "hours": 1}},
        {"work": {"kind": "timed", "hours": 1}, "cluster": own},
        cluster=run,
    )
    (bill,) = answer(request, world(device("d1"), device("d2"))).bases
    amounts = [line.amount for line in bill.lines if isinstance(line, PricedLine)]
    assert amounts == ["8.00", "10.00"]


def test_stages_of_one_name_are_kept_apart_by_their_order_with_a_warning():
    stage = {"name": "same", "work": {"kind": "timed", "hours": 1}}
    cluster = {"accelerator": "d1", "devices": 1}
    quoted = answer(run_of(stage, stage, cluster=cluster), ONE_DEVICE)
    (warning,) = (one for one in quoted.warnings if one.code == "duplicate_stage_name")
    assert (warning.pointer, *warning.also_at) == ("/run/stages/0/name", "/run/stages/1/name")
