"""Money: every line multiplies what it prints, rounds once, and totals add what is printed."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import PricedBill, PricedLine
from service.core.printing.money import (
    amount_of,
    decimal_of,
    printed,
    printed_estimate,
    printed_rate,
    sum_of_amounts,
)
from service.core.request.quantities import DeviceHours, UsdPerDeviceHour
from tests.bounds import between
from tests.worlds import answer, device, run_of, world

quantities = between(DeviceHours)
rates = between(UsdPerDeviceHour)


def test_ties_go_to_the_even_cent():
    assert amount_of(quantity=1.0, rate=0.125) == Decimal("0.12")
    assert amount_of(quantity=1.0, rate=0.135) == Decimal("0.14")
    assert amount_of(quantity=1.0, rate=2.675) == Decimal("2.68")


def test_a_rate_keeps_every_digit_and_has_two_places():
    assert printed_rate(2.0) == "2.00"
    assert printed_rate(2.5) == "2.50"
    assert printed_rate(1.23456) == "1.23456"
    assert printed_rate(1e-6) == "0.000001"
    assert printed_rate(1e6) == "1000000.00"


def test_a_zero_is_printed_without_a_sign():
    assert printed_rate(-0.0) == "0.00"
    assert printed(amount_of(quantity=3.0, rate=-0.001)) == "0.00"
    assert printed(amount_of(quantity=3.0, rate=-0.01)) == "-0.03"
    assert [printed_estimate(usd) for usd in (-0.0, -0.004, -0.006)] == ["0.00", "0.00", "-0.01"]


def test_no_amounts_make_no_dollars():
    assert sum_of_amounts(()) == Decimal("0.00")


@given(quantity=quantities, rate=rates)
def test_an_amount_is_the_exact_product_within_half_a_cent(quantity, rate):
    amount = amount_of(quantity=quantity, rate=rate)
    exact = Fraction(decimal_of(quantity)) * Fraction(decimal_of(rate))
    assert abs(Fraction(amount) - exact) <= Fraction(1, 200)
    assert amount.as_tuple().exponent == -2


@given(hours=st.lists(quantities, min_size=1, max_size=4), rate=rates)
def test_what_a_bill_prints_multiplies_and_adds_up(hours, rate):
    supply = {"kind": "rate", "usd_per_device_hour": rate}
    stages = [{"work": {"kind": "metered", "device_hours": h}} for h in hours]
    cluster = {"accelerator": "d1", "devices": 1, "supply": supply}
    (bill,) = answer(run_of(*stages, cluster=cluster), world(device("d1"))).bases
    assert isinstance(bill, PricedBill)
    amounts = []
    for line in bill.lines:
        assert isinstance(line, PricedLine)
        amounts.append(Decimal(line.amount))
        product = Fraction(decimal_of(line.quantity)) * Fraction(Decimal(line.rate))
        assert abs(Fraction(Decimal(line.amount)) - product) <= Fraction(1, 200)
    assert Decimal(bill.total.amount) == sum_of_amounts(amounts)
