"""What one quote carries along while it is argued: the catalog, its ledger, its warnings."""

import math
from typing import Any

from msgspec import UNSET, UnsetType

from service.core.answer import QuoteWarning, WarningCode
from service.core.catalog.catalog import Catalog
from service.core.figures.ledger import Ledger, Term
from service.core.figures.units import Unit, spread_of
from service.core.request.wire import Interval


class Argument:
    """The state of one quote; it lives as long as the computation of that quote."""

    __slots__ = ("catalog", "ledger", "warnings")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.ledger = Ledger()
        self.warnings: list[QuoteWarning] = []

    def warn(self, code: WarningCode, detail: str, *, pointer: str) -> None:
        """Say something beside the numbers; the same words once."""
        warning = QuoteWarning(code=code, detail=detail, pointer=pointer)
        if warning not in self.warnings:
            self.warnings.append(warning)

    def quantity(self, value: float | Interval[Any], *, pointer: str, unit: Unit) -> Term:
        """A number or interval of the request, found at `pointer`."""
        if not isinstance(value, Interval):
            return self.ledger.given(value, pointer=pointer, unit=unit)
        low, high = value.low, value.high
        if low > high:
            self.warn(
                "interval_reversed",
                f"low {low:g} is above high {high:g}; they were exchanged",
                pointer=pointer,
            )
            low, high = high, low
        central = middle(low, high, unit=unit)
        if value.central is not UNSET:
            if low <= value.central <= high:
                central = value.central
            else:
                self.warn(
                    "central_outside_interval",
                    f"central {value.central:g} is outside {low:g} to {high:g}; "
                    f"the middle, {central:g}, was taken",
                    pointer=pointer,
                )
        return self.ledger.given(central, pointer=pointer, unit=unit, low=low, high=high)

    def assume(self, name: str, *, pointer: str = "") -> Term:
        """A default of the catalog, which the request member at `pointer`, if any, overrides."""
        return self.ledger.take(self.catalog.assumption(name), pointer=pointer or UNSET)

    def stated_or_default(
        self,
        value: float | Interval[Any] | UnsetType,
        *,
        pointer: str,
        unit: Unit,
        assumption: str,
    ) -> Term:
        """The caller's number, or else the catalog's default, which its pointer would override."""
        if value is UNSET:
            return self.assume(assumption, pointer=pointer)
        return self.quantity(value, pointer=pointer, unit=unit)

    def stated_or_assumed(
        self,
        value: float | Interval[Any] | UnsetType,
        *,
        pointer: str,
        unit: Unit,
        assumption: str,
        code: WarningCode,
    ) -> Term:
        """The caller's number, or else the catalog's default with a warning."""
        if value is not UNSET:
            return self.quantity(value, pointer=pointer, unit=unit)
        term = self.assume(assumption, pointer=pointer)
        self.warn(
            code,
            f"{assumption} is not given; the catalog's default, {term.central:g}, was taken",
            pointer=pointer,
        )
        return term


def middle(low: float, high: float, *, unit: Unit) -> float:
    """The median of the distribution whose 90% interval runs from `low` to `high`.

    The geometric mean of a log-normal, the geometric mean of the odds of a logit-normal, the
    rounded mean of a count.
    """
    spread = spread_of(unit)
    if spread == "lognormal":
        found = math.sqrt(low) * math.sqrt(high)
    elif spread == "logitnormal" and low > 0.0 and high < 1.0:
        odds = math.sqrt(low / (1.0 - low)) * math.sqrt(high / (1.0 - high))
        found = odds / (1.0 + odds)
    elif spread == "discrete":
        found = float(round((low + high) / 2.0))
    else:
        found = (low + high) / 2.0
    return min(max(found, low), high)
