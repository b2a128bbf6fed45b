"""A quote as its JSON says it, and how amounts are printed."""

import json
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from math import isclose
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_EVEN)
LEAST = Decimal("1e-12")
A_BILLIONTH = 1e-9


def read(body: bytes) -> Json:
    """A quote. Its numbers are decimals with the digits that they are written with."""
    quote: Json = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    return quote


def exact(line: Json) -> Decimal:
    """Quantity times rate of a line, with all digits."""
    return EXACT.multiply(line["quantity"], Decimal(line["rate"]))


def currency_of(quote: Json) -> str:
    """The currency that was asked for."""
    currency: str = quote["request"]["options"]["currency"]
    return currency


def dollars_per_unit(quote: Json) -> Decimal:
    """The rate of exchange of the quote. One if it needs none."""
    code = currency_of(quote).lower()
    figure = quote["figures"].get(f"currencies/usd_per_{code}", {"value": Decimal(1)})
    rate: Decimal = figure["value"]
    return rate


def places_of(quote: Json) -> int:
    """Decimal places of the smallest unit of the currency."""
    return 0 if currency_of(quote) == "JPY" else 2


def printed(number: Decimal, *, places: int) -> str:
    """An amount: to the minor unit, or with three digits below a hundred of them, half to even.

    It has no zeros beyond the minor unit, and at most twelve decimal places.
    """
    if number == 0 or abs(number) >= 10 ** (2 - places):
        minor = Decimal(1).scaleb(-places)
        return with_places(number.quantize(minor, context=EXACT), places=places)
    at_most_twelve_places = number.quantize(LEAST, context=EXACT)
    short = THREE_DIGITS.plus(number)
    longer = max(short, at_most_twelve_places, key=lambda one: one.as_tuple().exponent)
    return with_places(longer, places=places)


def with_places(number: Decimal, *, places: int) -> str:
    """All digits of a decimal, and at least those of the minor unit."""
    whole, _, digits = format(number, "zf").partition(".")
    digits = digits.rstrip("0").ljust(places, "0")
    return f"{whole}.{digits}" if digits else whole


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
