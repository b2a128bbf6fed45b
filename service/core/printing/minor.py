"""Amounts of many questions at once, as whole numbers of minor units. See `figures.lanes`.

Sums of such numbers are exact, as those of decimals are. An amount of more decimal places is none.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.core.figures.arrays import Array
from service.core.figures.lanes import Column, Group, Lanes, Pieces, pieces_of

Units = NDArray[np.int64]

FLOATS_OFF_BY: Final = 1e-14
"""By how much, as a share, a product of two floats and a power of ten differs from that of the
decimals that they are printed as, at most. It is some five roundings of 1.1e-16."""
LEAST_CLEAR: Final = 200.0
"""Minor units from which on amounts surely have no further digits."""
MOST_CLEAR: Final = 1e13
"""Minor units up to which floats tell apart far less than half of one."""
MOST_UNITS: Final = 2**53
"""Minor units below which amounts are added as integers of 64 bits."""
MOST_ADDED: Final = 512
"""Amounts that are added so at most: their sum is below 2^62."""


class Amounts(Column):
    """Amounts in minor units, shape `[lanes]`."""

    def __init__(self, units: Units, places: int) -> None:
        self.units = units
        self.places = places

    def tolist(self) -> list[Decimal]:
        """The amounts as decimals."""
        return [Decimal(one).scaleb(-self.places) for one in self.units.tolist()]

    def truths(self) -> NDArray[np.bool_]:
        """Whether each amount is another one than zero."""
        return np.not_equal(self.units, 0)

    def negative(self) -> "Amounts":
        """The amounts with the other sign."""
        return Amounts(-self.units, self.places)

    def json(self) -> Iterator[bytes | Pieces]:
        """No answer has an amount that is not printed."""
        raise TypeError("an amount is printed as a text")


class PrintedAmounts(Column):
    """Amounts as texts: as decimals without exponent. A zero has no sign."""

    def __init__(self, amounts: Amounts) -> None:
        self.amounts = amounts

    def tolist(self) -> list[str]:
        """The texts."""
        return [format(one, "zf") for one in self.amounts.tolist()]

    def truths(self) -> NDArray[np.bool_]:
        """No text is empty."""
        return np.ones(len(self.amounts.units), dtype=bool)

    def negative(self) -> "PrintedAmounts":
        """Texts have no sign."""
        raise TypeError("a text has no sign")

    def json(self) -> Iterator[bytes | Pieces]:
        """The whole units before the point, and what is behind it."""
        units, places = self.amounts.units, self.amounts.places
        wholes, parts = np.divmod(np.abs(units), 10**places)
        yield b'"'
        if (units < 0).any():
            yield pieces_of(b"-" if one else b"" for one in (units < 0).tolist())
        yield Pieces(msgspec.json.encode(wholes.tolist())[1:-1], b",")
        if places:
            texts = _behind_the_point(places)
            yield Pieces(b",".join([texts[one] for one in parts.tolist()]), b",")
        yield b'"'


@cache
def _behind_the_point(places: int) -> list[bytes]:
    return [b".%0*d" % (places, one) for one in range(10**places)]


def amounts_near(
    numbers: Array, exactly: Callable[[int], Decimal], *, group: Group, places: int
) -> Amounts | list[Decimal]:
    """Numbers as amounts. `exactly` says the amount of a lane.

    Where a float is clearly nearer to one amount than to the next, so is the decimal that it stands
    for. All others are found one by one.
    """
    minor = numbers * 10.0**places
    nearest, size = np.rint(minor), np.abs(minor)
    off_by = np.abs(np.abs(minor - nearest) - 0.5)
    clear = (off_by > size * FLOATS_OFF_BY) & (size >= LEAST_CLEAR) & (size < MOST_CLEAR)
    found = Amounts(np.where(clear, nearest, 0.0).astype(np.int64), places)
    others = {lane: exactly(lane) for lane in np.flatnonzero(group.alive & ~clear).tolist()}
    for lane, amount in others.items():
        whole = units_of(amount, places=places)
        if whole is None:
            return [others.get(place, one) for place, one in enumerate(found.tolist())]
        found.units[lane] = whole
    return found


def units_of(amount: Decimal, *, places: int) -> int | None:
    """An amount in minor units. None if it has more decimal places, or is very large."""
    minor = amount.scaleb(places)
    whole = int(minor)
    return whole if whole == minor and abs(whole) < MOST_UNITS else None


def sums_of(amounts: Iterable[Any], *, places: int) -> Amounts | None:
    """The sums of amounts, of which some differ by lane. None if they are not in minor units."""
    total: Any = 0
    for count, amount in enumerate(amounts, start=1):
        units = _units_in(amount, places)
        if units is None or count > MOST_ADDED:
            return None
        total = total + units
    return Amounts(total, places) if np.abs(total).max() < MOST_UNITS else None


def _units_in(amount: Any, places: int) -> Units | int | None:
    if not isinstance(amount, Lanes):
        return units_of(amount, places=places)
    values = amount.values
    return values.units if isinstance(values, Amounts) and values.places == places else None
