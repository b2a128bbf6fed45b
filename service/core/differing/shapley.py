"""How a change of a product is split into the parts of its factors.

Each part is the change of one factor with the others at their values before or after, on average
over all orders in which the factors may change (the Shapley value). So the parts add up to the
change, no order is preferred, and the way back has the same parts with the other sign. Of two
factors, each part is the change of one at the mean of the other.

Source: Shapley, "A value for n-person games" (1953); for products of factors: Sun, "Changes in
energy consumption and energy intensity: a complete decomposition model" (Energy Economics 20,
1998), and Albrecht, François and Schoors, "A Shapley decomposition of carbon emissions without
residuals" (Energy Policy 30, 2002).
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations
from math import factorial
from typing import Final

from service.core.figures.sources import Published
from service.core.printing.money import EXACT

SOURCE: Final = Published(
    title="Sun, Changes in energy consumption and energy intensity: a complete decomposition model",
    locator="Energy Economics 20 (1998), 85-100; the Shapley value of each factor",
    url="https://doi.org/10.1016/S0140-9883(97)00012-1",
    as_of="1998-02",
)
TWO: Final = Decimal(2)


def mean(one: Decimal, other: Decimal) -> Decimal:
    """The middle of two numbers."""
    return EXACT.divide(EXACT.add(one, other), TWO)


def parts_of_product(before: Sequence[Decimal], after: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The part of each factor in the change of their product.

    sum over sets S of the other factors:
        |S|! (n - |S| - 1)! / n! * (after - before) * product(S after) * product(others before)
    """
    return tuple(_part(place, before, after) for place in range(len(before)))


def _part(place: int, before: Sequence[Decimal], after: Sequence[Decimal]) -> Decimal:
    others = [other for other in range(len(before)) if other != place]
    count = len(before)
    found = Decimal()
    for size in range(count):
        weight = factorial(size) * factorial(count - size - 1)
        for changed in combinations(others, size):
            held = [after[one] if one in changed else before[one] for one in others]
            found = EXACT.add(found, EXACT.multiply(Decimal(weight), _product(held)))
    moved = EXACT.subtract(after[place], before[place])
    return EXACT.divide(EXACT.multiply(moved, found), Decimal(factorial(count)))


def _product(factors: Sequence[Decimal]) -> Decimal:
    found = Decimal(1)
    for factor in factors:
        found = EXACT.multiply(found, factor)
    return found
