"""Floats become decimals here and nowhere else: once per line, half to even, to the cent."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def decimal_of(number: float) -> Decimal:
    """The decimal that a reader sees: the shortest one that is this float."""
    return Decimal(repr(float(number)))


def amount_of(*, quantity: float, rate: float) -> Decimal:
    """Quantity x rate as printed, rounded half to even to the cent; nothing else rounds."""
    return to_cents(EXACT.multiply(decimal_of(quantity), decimal_of(rate)))


def to_cents(number: Decimal) -> Decimal:
    """Rounded half to even to the cent."""
    return number.quantize(CENT, context=EXACT)


def sum_of_amounts(amounts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts as printed; no amounts make 0.00."""
    return sum(amounts, Decimal("0.00"))


def printed(amount: Decimal) -> str:
    """An amount as a decimal string, never in exponents; a zero has no sign."""
    return format(amount, "zf")


def printed_estimate(usd: float) -> str:
    """An amount that no sum is checked against, to the cent: a quantile, or a total at an end.

    It is rounded as the float that it is; thousands of them are printed for each bill that adds up.
    """
    return f"{usd:z.2f}"


def printed_rate(rate: float) -> str:
    """A rate with every digit that counts, and at least two decimal places."""
    exact = decimal_of(rate)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return printed(exact if exponent <= -2 else to_cents(exact))
