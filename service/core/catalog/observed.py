"""What the rows of a catalog say together: the range of a quantity, and what sellers ask."""

from bisect import bisect_left
from collections.abc import Sequence
from statistics import median
from typing import Final, TypeAlias

from msgspec import Struct

from service.core.figures.sources import AsOf
from service.core.figures.units import Unit


class Observed(Struct, frozen=True, kw_only=True):
    """The range of one quantity over rows of the catalog. `what` names the rows, in the plural."""

    what: str
    unit: Unit
    low: float
    median: float
    high: float
    count: int


class AskedPrice(Struct, frozen=True, order=True):
    """The newest price of one seller under one term."""

    usd_per_device_hour: float
    observed_on: AsOf
    offer: str


ObservedName: TypeAlias = str
"""A quantity, such as `usd_per_kwh`, or a quantity of one device: `usd_per_device/ID`."""

LEAST_OF_A_DEVICE: Final = 3
"""Fewest rows of one device that have a range of their own. Below, those of all devices count."""


class PricePosition(Struct, frozen=True, kw_only=True):
    """Where a price stands among those that sellers ask: the share below it, and their range."""

    share_below: float
    count: int
    newest: AsOf
    lowest: float
    median: float
    highest: float


def observed(what: str, unit: Unit, values: Sequence[float]) -> Observed:
    """The range of some numbers, which may not be empty."""
    return Observed(
        what=what,
        unit=unit,
        low=min(values),
        median=median(values),
        high=max(values),
        count=len(values),
    )


def price_position(prices: Sequence[AskedPrice], usd_per_device_hour: float) -> PricePosition:
    """Where a price stands among some, which come cheapest first and may not be none."""
    asked = [price.usd_per_device_hour for price in prices]
    return PricePosition(
        share_below=bisect_left(asked, usd_per_device_hour) / len(asked),
        count=len(asked),
        newest=max(price.observed_on for price in prices),
        lowest=asked[0],
        median=median(asked),
        highest=asked[-1],
    )
