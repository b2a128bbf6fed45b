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
    assert amount_of(quantity=1.0, rate=1.125) == Decimal("1.12")
    assert amount_of(quantity=1.0, rate=1.135) == Decimal("1.14")
    assert amount_of(quantity=1.0, rate=2.675) == Decimal("2.68")


def test_an_amount_under_a_dollar_has_three_digits_and_at_least_two_places():
    pairs = {
        0.004: "0.004",
        0.0041235: "0.00412",
        0.5: "0.50",
        0.30333: "0.303",
        0.12345: "0.123",
        0.1235: "0.124",  # a tie goes to the even digit
        0.9996: "1.00",
        -0.0234567: "-0.0235",
        1.23456e-9: "0.00000000123",
        1.5e-12: "0.000000000002",
        1e-13: "0.00",
    }
    for usd, amount in pairs.items():
        assert printed(amount_of(quantity=1.0, rate=usd)) == amount
        assert printed_estimate(usd) == amount


def test_sixty_four_lines_of_four_tenths_of_a_cent_total_a_quarter_of_a_dollar():
    """64 x 0.002 device-hours x $2 = $0.256."""
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    stages = [{"work": {"kind": "metered", "device_hours": 0.002}}] * 64
    cluster = {"accelerator": "d1", "devices": 1, "supply": supply}
    (bill,) = answer(run_of(*stages, cluster=cluster), world(device("d1"))).bases
    assert isinstance(bill, PricedBill)
    assert {line.amount for line in bill.lines if isinstance(line, PricedLine)} == {"0.004"}
    assert bill.total.amount == "0.256"
    assert bill.interval.p50 == "0.256"


def test_a_rate_keeps_every_digit_and_has_two_places():
    assert printed_rate(2.0) == "2.00"
    assert printed_rate(2.5) == "2.50"
    assert printed_rate(1.23456) == "1.23456"
    assert printed_rate(1e-6) == "0.000001"
    assert printed_rate(1e6) == "1000000.00"


def test_a_zero_is_printed_without_a_sign():
    assert printed_rate(-0.0) == "0.00"
    assert printed(amount_of(quantity=3.0, rate=-1e-14)) == "0.00"
    assert printed(amount_of(quantity=3.0, rate=-0.01)) == "-0.03"
    assert [printed_estimate(usd) for usd in (-0.0, -1e-13, -1.004)] == ["0.00", "0.00", "-1.00"]


def test_no_amounts_make_no_dollars():
    assert printed(sum_of_amounts(())) == "0.00"


def test_a_sum_keeps_every_digit_of_its_amounts():
    small, large = Decimal("0.000000000001"), Decimal("123456789012345678.91")
    assert printed(sum_of_amounts((large, small))) == "123456789012345678.910000000001"
    assert printed(sum_of_amounts((Decimal("0.005"), Decimal("0.005")))) == "0.01"


def half_a_digit(exact: Fraction) -> Fraction:
    """By how much an amount may differ from the exact product: half of its last digit."""
    if abs(exact) >= 1:
        return Fraction(1, 200)
    return max(abs(exact) / 200, Fraction(1, 2 * 10**12))


@given(quantity=quantities, rate=rates)
def test_an_amount_is_the_exact_product_within_half_a_digit(quantity, rate):
    amount = amount_of(quantity=quantity, rate=rate)
    exact = Fraction(decimal_of(quantity)) * Fraction(decimal_of(rate))
    assert abs(Fraction(amount) - exact) <= half_a_digit(exact)
    assert (amount.as_tuple().exponent == -2) or abs(exact) < 1


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
        assert abs(Fraction(Decimal(line.amount)) - product) <= half_a_digit(product)
    assert Fraction(Decimal(bill.total.amount)) == sum(map(Fraction, amounts))
