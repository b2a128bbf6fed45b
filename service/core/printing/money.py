"""Floats become decimals here and nowhere else: once per line, half to even.

An amount is rounded to the minor unit of its currency: the cent, or the yen. An amount under a
hundred of these, such as a dollar, keeps three digits instead, so that many small lines add up to
what they cost. Sums add amounts as printed, and round nothing. `places` are the decimal places of
the minor unit.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from typing import Any, Final, cast

import numpy as np

from service.core.figures.arrays import Array
from service.core.figures.lanes import Group, Lanes, by_lane, first_lanes
from service.core.printing.minor import Amounts, PrintedAmounts, amounts_near, sums_of

CENT_PLACES: Final = 2
AMOUNT_DIGITS: Final = 3
"""Significant digits of an amount under a hundred minor units."""
MOST_PLACES: Final = 12
"""Decimal places of the smallest amounts."""
RATE_DECIMALS: Final = 6
"""Decimals of a price in dollars that was converted, or that lies between two others."""
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


@by_lane
def decimal_of(number: float) -> Decimal:
    """The shortest decimal that is read as this float."""
    return Decimal(repr(float(number)))


def amount_of(*, quantity: float, rate: float, places: int = CENT_PLACES) -> Decimal:
    """Quantity x rate as printed. Nothing else rounds."""
    if (lanes := first_lanes((quantity, rate))) is not None:
        group = lanes.group

        def found() -> Any:
            quantities, rates = _numbers(quantity, group), _numbers(rate, group)

            def exactly(lane: int) -> Decimal:
                return _amount_of(float(quantities[lane]), float(rates[lane]), places=places)

            return amounts_near(quantities * rates, exactly, group=group, places=places)

        return _amount_by_lane(group, found)
    return _amount_of(quantity, rate, places=places)


def rounded_amount(number: float, *, places: int = CENT_PLACES) -> Decimal:
    """An amount that is no product, as printed."""
    return amount_of(quantity=number, rate=1.0, places=places)


def _numbers(value: Any, group: Group) -> Array:
    """A number of all lanes, or those of each."""
    numbers = value.numbers() if isinstance(value, Lanes) else value
    return np.broadcast_to(np.asarray(numbers, dtype=np.float64), (group.size,))


def _amount_by_lane(group: Group, found: Callable[[], Any]) -> Decimal:
    """What stands for an amount in each lane, found when it is needed."""
    return cast(Decimal, Lanes(group, found))


def _text_by_lane(group: Group, found: Callable[[], Any]) -> str:
    """What stands for a printed amount in each lane, found when it is needed."""
    return cast(str, Lanes(group, found))


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
        group = lanes.group

        def found() -> Any:
            sums = sums_of(amounts, places=places)
            return group.each(_sum_of, *amounts, places=places) if sums is None else sums

        return _amount_by_lane(group, found)
    return _sum_of(*amounts, places=places)


def _sum_of(*amounts: Decimal, places: int) -> Decimal:
    total = Decimal()
    for amount in amounts:
        total = EXACT.add(total, amount)
    return _without_zeros(total, places=places)


def amount_read(amount: str) -> Decimal:
    """A printed amount as a number again."""
    if (lanes := first_lanes((amount,))) is not None:
        return _amount_by_lane(lanes.group, lambda: _all_read(lanes.values))
    return Decimal(amount)


def _all_read(texts: PrintedAmounts | list[str]) -> Amounts | list[Decimal]:
    return texts.amounts if isinstance(texts, PrintedAmounts) else list(map(Decimal, texts))


def printed(amount: Decimal) -> str:
    """An amount as a decimal string without exponent. A zero has no sign."""
    if (lanes := first_lanes((amount,))) is not None:
        return _text_by_lane(lanes.group, lambda: _all_printed(lanes.values))
    return format(amount, "zf")


def _all_printed(amounts: Amounts | list[Decimal]) -> PrintedAmounts | list[str]:
    return PrintedAmounts(amounts) if isinstance(amounts, Amounts) else list(map(printed, amounts))


def printed_estimate(amount: float, *, places: int = CENT_PLACES) -> str:
    """An amount that enters no sum: a quantile, or a total at an end of a range.

    It has the digits of an amount. From a hundred minor units on it is rounded as a float, because
    there are thousands of them for each bill that adds up.
    """
    if (lanes := first_lanes((amount,))) is not None:
        group = lanes.group

        def exactly(lane: int) -> Decimal:
            return Decimal(_printed_estimate(float(lanes.numbers()[lane]), places=places))

        def found() -> Any:
            near = amounts_near(lanes.numbers(), exactly, group=group, places=places)
            return _all_printed(near)

        return _text_by_lane(group, found)
    return _printed_estimate(amount, places=places)


def _printed_estimate(amount: float, *, places: int) -> str:
    least = hundred_minor_units(places)
    if amount >= least or amount <= -least:
        return f"{amount:z.{places}f}"
    return printed(as_amount(decimal_of(amount), places=places))


@by_lane
def printed_rate(rate: float) -> str:
    """A rate with all its digits, and at least two decimal places."""
    exact = decimal_of(rate)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return printed(exact if exponent <= -CENT_PLACES else rounded_to(exact, places=CENT_PLACES))
