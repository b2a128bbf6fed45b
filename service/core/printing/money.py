"""Floats become decimals here and nowhere else: once per line, half to even.

An amount is rounded to the minor unit of its currency: the cent, or the yen. An amount under a
hundred of these, such as a dollar, keeps three digits instead, so that many small lines add up to
what they cost. Sums add amounts as printed, and round nothing. `places` are the decimal places of
the minor unit.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Any, Final, cast

import numpy as np

from service.core.figures.lanes import by_lane, first_lanes

CENT_PLACES: Final = 2
AMOUNT_DIGITS: Final = 3
"""Significant digits of an amount under a hundred minor units."""
MOST_PLACES: Final = 12
"""Decimal places of the smallest amounts."""
RATE_DECIMALS: Final = 6
"""Decimals of a price in dollars that was converted, or that lies between two others."""
FLOATS_OFF_BY: Final = 1e-14
"""By how much, as a share, a product of two floats and a power of ten differs from that of the
decimals that they are printed as, at most. It is some five roundings of 1.1e-16."""
LEAST_CLEAR: Final = 200.0
"""Minor units from which on amounts surely have no further digits."""
MOST_CLEAR: Final = 1e13
"""Minor units up to which floats tell apart far less than half of one."""
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


@by_lane
def decimal_of(number: float) -> Decimal:
    """The shortest decimal that is read as this float."""
    return Decimal(repr(float(number)))


def amount_of(*, quantity: float, rate: float, places: int = CENT_PLACES) -> Decimal:
    """Quantity x rate as printed. Nothing else rounds."""
    if (lanes := first_lanes((quantity, rate))) is not None:
        found: Any = lanes.group.lists(_amounts_of, quantity, rate, places=places)
        return cast(Decimal, found)
    return _amount_of(quantity, rate, places=places)


def _amounts_of(
    quantities: Sequence[float], rates: Sequence[float], *, places: int
) -> list[Decimal]:
    """Many amounts as printed.

    Where a product of floats is clearly nearer to one amount than to the next, so is that of the
    decimals. All others are found one by one.
    """
    units = np.array(quantities) * np.array(rates) * 10.0**places
    nearest = np.rint(units)
    off_by = np.abs(np.abs(units - nearest) - 0.5)
    size = np.abs(units)
    clear = (off_by > size * FLOATS_OFF_BY) & (size >= LEAST_CLEAR) & (size < MOST_CLEAR)
    unit = _unit_of(places)
    return [
        EXACT.multiply(Decimal(int(whole)), unit)
        if is_clear
        else _amount_of(quantity, rate, places=places)
        for whole, is_clear, quantity, rate in zip(
            nearest.tolist(), clear.tolist(), quantities, rates, strict=True
        )
    ]


def _amount_of(quantity: float, rate: float, *, places: int) -> Decimal:
    return as_amount(EXACT.multiply(decimal_of(quantity), decimal_of(rate)), places=places)


@by_lane
def as_amount(number: Decimal, *, places: int = CENT_PLACES) -> Decimal:
    """Rounded half to even: to the minor unit, or to three digits if that is finer.

    Zeros beyond the minor unit are not kept. No amount has more than twelve decimal places.
    """
    if not number or abs(number) >= _hundred_exactly(places):
        return rounded_to(number, places=places)
    more = min(AMOUNT_DIGITS - 1 - number.adjusted(), MOST_PLACES)
    return _without_zeros(rounded_to(number, places=more), places=places)


def hundred_minor_units(places: int) -> float:
    """A hundred cents, which is one dollar, or a hundred yen."""
    return 10.0 ** (AMOUNT_DIGITS - 1 - places)


@cache
def _hundred_exactly(places: int) -> Decimal:
    """The same as a decimal, which other decimals are compared with in less time."""
    return Decimal(hundred_minor_units(places))


def _without_zeros(number: Decimal, *, places: int) -> Decimal:
    """Without zeros at the end beyond the minor unit."""
    if number.same_quantum(_unit_of(places)):
        return number
    short = number.normalize(EXACT)
    exponent = short.as_tuple().exponent
    assert isinstance(exponent, int), "amounts are finite"
    return short if exponent < -places else rounded_to(short, places=places)


def rounded_to(number: Decimal, *, places: int) -> Decimal:
    """Rounded half to even to some decimal places."""
    return number.quantize(_unit_of(places), context=EXACT)


@cache
def _unit_of(places: int) -> Decimal:
    return Decimal((0, (1,), -places))


def sum_of_amounts(amounts: Iterable[Decimal], *, places: int = CENT_PLACES) -> Decimal:
    """The sum of amounts as printed. Without amounts it is zero."""
    amounts = tuple(amounts)
    if (lanes := first_lanes(amounts)) is not None:
        found: Any = lanes.group.lazily(_sum_of, *amounts, places=places)
        return cast(Decimal, found)
    return _sum_of(*amounts, places=places)


def _sum_of(*amounts: Decimal, places: int) -> Decimal:
    total = Decimal()
    for amount in amounts:
        total = EXACT.add(total, amount)
    return _without_zeros(total, places=places)


@by_lane
def amount_read(amount: str) -> Decimal:
    """A printed amount as a number again."""
    return Decimal(amount)


@by_lane
def printed(amount: Decimal) -> str:
    """An amount as a decimal string without exponent. A zero has no sign."""
    return format(amount, "zf")


def printed_estimate(amount: float, *, places: int = CENT_PLACES) -> str:
    """An amount that enters no sum: a quantile, or a total at an end of a range.

    It has the digits of an amount. From a hundred minor units on it is rounded as a float, because
    there are thousands of them for each bill that adds up.
    """
    if (lanes := first_lanes((amount,))) is not None:
        found: Any = lanes.group.lists(_printed_estimates, lanes, places=places)
        return cast(str, found)
    return _printed_estimates([amount], places=places)[0]


def _printed_estimates(amounts: Iterable[float], *, places: int) -> list[str]:
    least = hundred_minor_units(places)
    return [
        f"{amount:z.{places}f}"
        if amount >= least or amount <= -least
        else printed(as_amount(decimal_of(amount), places=places))
        for amount in amounts
    ]


@by_lane
def printed_rate(rate: float) -> str:
    """A rate with all its digits, and at least two decimal places."""
    exact = decimal_of(rate)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return printed(exact if exponent <= -CENT_PLACES else rounded_to(exact, places=CENT_PLACES))
