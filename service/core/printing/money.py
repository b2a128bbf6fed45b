"""Floats become decimals here and nowhere else: once per line, half to even.

An amount is rounded to the minor unit of its currency: the cent, or the yen. An amount under a
hundred of these, such as a dollar, keeps three digits instead, so that many small lines add up to
what they cost. Sums add amounts as printed, and round nothing. `places` are the decimal places of
the minor unit.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

CENT_PLACES: Final = 2
AMOUNT_DIGITS: Final = 3
"""Significant digits of an amount under a hundred minor units."""
MOST_PLACES: Final = 12
"""Decimal places of the smallest amounts."""
RATE_DECIMALS: Final = 6
"""Decimals of a price in dollars that was converted, or that lies between two others."""
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def decimal_of(number: float) -> Decimal:
    """The shortest decimal that is read as this float."""
    return Decimal(repr(float(number)))


def amount_of(*, quantity: float, rate: float, places: int = CENT_PLACES) -> Decimal:
    """Quantity x rate as printed. Nothing else rounds."""
    return as_amount(EXACT.multiply(decimal_of(quantity), decimal_of(rate)), places=places)


def as_amount(number: Decimal, *, places: int = CENT_PLACES) -> Decimal:
    """Rounded half to even: to the minor unit, or to three digits if that is finer.

    Zeros beyond the minor unit are not kept. No amount has more than twelve decimal places.
    """
    if not number or abs(number) >= hundred_minor_units(places):
        return rounded_to(number, places=places)
    more = min(AMOUNT_DIGITS - 1 - number.adjusted(), MOST_PLACES)
    return _without_zeros(rounded_to(number, places=more), places=places)


def hundred_minor_units(places: int) -> float:
    """A hundred cents, which is one dollar, or a hundred yen."""
    return 10.0 ** (AMOUNT_DIGITS - 1 - places)


def _without_zeros(number: Decimal, *, places: int) -> Decimal:
    """Without zeros at the end beyond the minor unit."""
    short = number.normalize(EXACT)
    exponent = short.as_tuple().exponent
    assert isinstance(exponent, int), "amounts are finite"
    return short if exponent < -places else rounded_to(short, places=places)


def rounded_to(number: Decimal, *, places: int) -> Decimal:
    """Rounded half to even to some decimal places."""
    return number.quantize(Decimal((0, (1,), -places)), context=EXACT)


def sum_of_amounts(amounts: Iterable[Decimal], *, places: int = CENT_PLACES) -> Decimal:
    """The sum of amounts as printed. Without amounts it is zero."""
    total = Decimal()
    for amount in amounts:
        total = EXACT.add(total, amount)
    return _without_zeros(total, places=places)


def printed(amount: Decimal) -> str:
    """An amount as a decimal string without exponent. A zero has no sign."""
    return format(amount, "zf")


def printed_estimate(amount: float, *, places: int = CENT_PLACES) -> str:
    """An amount that enters no sum: a quantile, or a total at an end of a range.

    It has the digits of an amount. From a hundred minor units on it is rounded as a float, because
    there are thousands of them for each bill that adds up.
    """
    if abs(amount) >= hundred_minor_units(places):
        return f"{amount:z.{places}f}"
    return printed(as_amount(decimal_of(amount), places=places))


def printed_rate(rate: float) -> str:
    """A rate with all its digits, and at least two decimal places."""
    exact = decimal_of(rate)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return printed(exact if exponent <= -CENT_PLACES else rounded_to(exact, places=CENT_PLACES))
