"""Money: every line multiplies what it prints, rounds once, and totals add what is printed."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import PricedBill
from service.core.lines import amount_usd, bill, decimal_of, priced_line, printed_rate
from service.core.provenance import Term
from service.core.request import DeviceHours, UsdPerDeviceHour
from tests.bounds import between

quantities = between(DeviceHours)
rates = between(UsdPerDeviceHour)


def test_ties_go_to_the_even_cent():
    assert amount_usd(quantity=1.0, rate_usd=0.125) == Decimal("0.12")
    assert amount_usd(quantity=1.0, rate_usd=0.135) == Decimal("0.14")
    assert amount_usd(quantity=1.0, rate_usd=2.675) == Decimal("2.68")


def test_a_rate_keeps_every_digit_and_has_two_places():
    assert printed_rate(2.0) == "2.00"
    assert printed_rate(2.5) == "2.50"
    assert printed_rate(1.23456) == "1.23456"
    assert printed_rate(1e-6) == "0.000001"
    assert printed_rate(1e6) == "1000000.00"


@given(quantity=quantities, rate=rates)
def test_an_amount_is_the_exact_product_within_half_a_cent(quantity, rate):
    amount = amount_usd(quantity=quantity, rate_usd=rate)
    exact = Fraction(decimal_of(quantity)) * Fraction(decimal_of(rate))
    assert abs(Fraction(amount) - exact) <= Fraction(1, 200)
    assert amount.as_tuple().exponent == -2


@given(quantity=quantities, rate=rates)
def test_what_a_line_prints_multiplies_to_its_amount(quantity, rate):
    line = priced_line(stage="s", quantity=Term("q", quantity), rate=Term("r", rate))
    product = Fraction(decimal_of(line.quantity)) * Fraction(Decimal(line.rate))
    assert abs(Fraction(Decimal(line.amount)) - product) <= Fraction(1, 200)


@given(rows=st.lists(st.tuples(quantities, rates), min_size=1, max_size=8))
def test_a_total_adds_the_amounts_as_printed(rows):
    lines = tuple(
        priced_line(stage="s", quantity=Term("q", quantity), rate=Term("r", rate))
        for quantity, rate in rows
    )
    total = bill(lines, excludes=())
    assert isinstance(total, PricedBill)
    assert Decimal(total.total.amount) == sum(Decimal(line.amount) for line in lines)
