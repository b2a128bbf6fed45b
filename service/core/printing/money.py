"""Floats become decimals here and nowhere else: once per line, half to even.

An amount is rounded to the cent. An amount under a dollar keeps three digits instead, so that many
small lines add up to what they cost. Sums add amounts as printed, and round nothing.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
CENT_PLACES: Final = 2
AMOUNT_DIGITS: Final = 3
"""Significant digits of an amount under a dollar."""
MOST_PLACES: Final = 12
"""Decimal places of the smallest amounts."""
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def decimal_of(number: float) -> Decimal:
    """The shortest decimal that is read as this float."""
    return Decimal(repr(float(number)))


def amount_of(*, quantity: float, rate: float) -> Decimal:
    """Quantity x rate as printed. Nothing else rounds."""
    return as_amount(EXACT.multiply(decimal_of(quantity), decimal_of(rate)))


def as_amount(number: Decimal) -> Decimal:
    """Rounded half to even: to the cent, or to three digits if it is under a dollar.

    Zeros beyond the cents are not kept. No amount has more than twelve decimal places.
    """
    if not number or abs(number) >= 1:
        return to_cents(number)
    places = min(AMOUNT_DIGITS - 1 - number.adjusted(), MOST_PLACES)
    rounded = number.quantize(Decimal((0, (1,), -places)), context=EXACT)
    return _without_zeros(rounded)


def _without_zeros(number: Decimal) -> Decimal:
    """Without zeros at the end beyond the cents."""
    short = number.normalize(EXACT)
    exponent = short.as_tuple().exponent
    assert isinstance(exponent, int), "amounts are finite"
    return short if exponent < -CENT_PLACES else to_cents(short)


def to_cents(number: Decimal) -> Decimal:
    """Rounded half to even to the cent."""
    return number.quantize(CENT, context=EXACT)


def sum_of_amounts(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts as printed. Without amounts it is 0.00."""
    total = Decimal("0.00")
    for amount in amounts:
        total = EXACT.add(total, amount)
    return _without_zeros(total)


def printed(amount: Decimal) -> str:
    """An amount as a decimal string without exponent. A zero has no sign."""
    return format(amount, "zf")


def printed_estimate(usd: float) -> str:
    """An amount that enters no sum: a quantile, or a total at an end of a range.

    It has the digits of an amount. From a dollar on it is rounded as a float, because there are
    thousands of them for each bill that adds up.
    """
    return f"{usd:z.2f}" if abs(usd) >= 1.0 else printed(as_amount(decimal_of(usd)))


def printed_rate(rate: float) -> str:
    """A rate with all its digits, and at least two decimal places."""
    exact = decimal_of(rate)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return printed(exact if exponent <= -CENT_PLACES else to_cents(exact))
