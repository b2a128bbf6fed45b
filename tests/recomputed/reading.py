"""A quote as its JSON says it, and how amounts are printed."""

import json
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isclose
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_EVEN)
CENT, LEAST = Decimal("0.01"), Decimal("1e-12")
A_BILLIONTH = 1e-9


def read(body: bytes) -> Json:
    """A quote. Its numbers are decimals with the digits that they are written with."""
    quote: Json = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    return quote


def exact(line: Json) -> Decimal:
    """Quantity times rate of a line, with all digits."""
    return EXACT.multiply(line["quantity"], Decimal(line["rate"]))


def printed(number: Decimal) -> str:
    """An amount: to the cent, or with three digits below a dollar, half to even.

    It has at least two decimal places and at most twelve, and no zeros beyond the second.
    """
    if number == 0 or abs(number) >= 1:
        return with_cents(number.quantize(CENT, context=EXACT))
    at_most_twelve_places = number.quantize(LEAST, context=EXACT)
    short = THREE_DIGITS.plus(number)
    return with_cents(max(short, at_most_twelve_places, key=lambda one: one.as_tuple().exponent))


def with_cents(number: Decimal) -> str:
    """All digits of a decimal, and at least two decimal places."""
    whole, _, places = format(number, "zf").partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def summed(amounts: Iterable[str]) -> Decimal:
    """The sum of amounts as they are printed."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, Decimal(amount))
    return total


def same(one: Decimal | float, other: Decimal | float) -> bool:
    """Whether two numbers agree to a billionth."""
    return isclose(one, other, rel_tol=A_BILLIONTH, abs_tol=A_BILLIONTH)


def bills_of(quote: Json) -> dict[str, Json]:
    """The bills by basis."""
    return {bill["basis"]: bill for bill in quote["bases"]}


def priced_lines(bill: Json) -> list[Json]:
    """The lines that have an amount."""
    return [line for line in bill["lines"] if line["status"] == "priced"]


def value(quote: Json, figure: str) -> Decimal:
    """The value of a figure."""
    number: Decimal = quote["figures"][figure]["value"]
    return number
