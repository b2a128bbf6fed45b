"""Floats become decimals here and nowhere else: once per line, half to even, to the cent."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def decimal_of(number: float) -> Decimal:
    """The shortest decimal that is read as this float."""
    return Decimal(repr(float(number)))


def amount_of(*, quantity: float, rate: float) -> Decimal:
    """Quantity x rate as printed, rounded half to even to the cent. Nothing else rounds."""
    return to_cents(EXACT.multiply(decimal_of(quantity), decimal_of(rate)))


def to_cents(number: Decimal) -> Decimal:
    """Rounded half to even to the cent."""
    return number.quantize(CENT, context=EXACT)


def sum_of_amounts(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts as printed. Without amounts it is 0.00."""
    return sum(amounts, Decimal("0.00"))


def printed(amount: Decimal) -> str:
    """An amount as a decimal string without exponent. A zero has no sign."""
    return format(amount, "zf")


def printed_estimate(usd: float) -> str:
    """An amount to the cent that enters no sum: a quantile, or a total at an end of a range.

    It is rounded as a float, because there are thousands of them for each bill that adds up.
    """
    return f"{usd:z.2f}"


def printed_rate(rate: float) -> str:
    """A rate with all its digits, and at least two decimal places."""
    exact = decimal_of(rate)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return printed(exact if exponent <= -2 else to_cents(exact))
