"""The bills of a quote in the currency that it is asked in.

Everything is computed in dollars. At the end, each line is written again with its rate in the other
currency, and all sums from these lines. A price that was quoted in that currency is taken as it was
quoted, and not converted there and back. So the rate of exchange is one more figure of the quote,
with its date and its range, and it moves all amounts together.
"""

from collections.abc import Mapping
from typing import Final, cast, get_args

from msgspec import structs

from service.core.answer import LineUnit
from service.core.argument import Argument
from service.core.bills.bills import Bills
from service.core.bills.exclusions import DraftExclusion
from service.core.bills.fully_loaded.formulas import compute_usd, experiments_on_commitment_usd
from service.core.bills.lines import (
    DraftBill,
    DraftLine,
    Priced,
    line_usd,
    net_of_discounts_usd,
    total_usd,
)
from service.core.bills.owned.bill import OwningFigures
from service.core.bills.prices.formulas import at_level, at_term, on_thin_market
from service.core.figures.arrays import Real
from service.core.figures.formulas import REGISTRY, Formula, formula
from service.core.figures.ledger import Term
from service.core.figures.sources import Derived
from service.core.figures.units import UNITS, Unit
from service.core.figures.vocabulary import Currency

DOLLARS: Final[Currency] = "USD"
OF_LINES: Final = frozenset(
    of.name
    for of in (
        line_usd,
        total_usd,
        net_of_discounts_usd,
        compute_usd,
        experiments_on_commitment_usd,
    )
)
"""Formulas of lines and of their sums, which are applied again to amounts in another currency."""
OF_PRICES: Final = frozenset((at_level.name, at_term.name, on_thin_market.name))
"""Formulas of prices, which are applied again where a price is quoted in the other currency."""


@formula("in_currency", any_unit=("usd", "usd_per_unit"))
def in_currency(*, usd: Real, usd_per_unit: Real) -> Real:
    """An amount or a rate in another currency, from dollars.

        usd / usd_per_unit

    Source: definition of a rate of exchange.
    """
    return usd / usd_per_unit


class Exchange:
    """Terms in dollars as terms in another currency."""

    __slots__ = ("_argument", "code", "currency")

    def __init__(self, argument: Argument, currency: Currency) -> None:
        """`argument` holds what is exchanged, and gets what follows."""
        self._argument = argument
        self.currency = currency
        self.code = currency.lower()

    def of(self, term: Term) -> Term:
        """The same money in the currency. What is no money stays as it is."""
        ledger = self._argument.ledger
        entry, name = ledger.entry(term.name), f"{term.name}/{self.code}"
        if not _is_usd(entry.unit):
            return term
        if name in ledger:
            return ledger.term(name)
        source, unit = entry.source, self._unit(entry.unit)
        if isinstance(source, Derived):
            native = self._native(source)
            if native is not None:
                return native
            if source.formula in OF_LINES or self._has_native(source):
                inputs = {key: self.of(ledger.term(of)) for key, of in source.inputs.items()}
                again: Formula[..., Real] = REGISTRY[source.formula]
                return ledger.derive(again, name=name, unit=unit, inputs=inputs)
        rate = self._argument.assume(f"usd_per_{self.code}", pointer="/options/currency")
        return ledger.derive(
            in_currency, name=name, unit=unit, inputs={"usd": term, "usd_per_unit": rate}
        )

    def line_unit(self, unit: LineUnit) -> LineUnit:
        """The unit of a line whose quantity is money, in the currency."""
        if unit != "usd":
            return unit
        assert self.code in get_args(LineUnit)
        return cast(LineUnit, self.code)

    def _unit(self, unit: Unit) -> Unit:
        """The unit of the same thing in the currency."""
        found = unit.replace("usd", self.code, 1)
        assert found in UNITS, f"{found} is no unit"
        return cast(Unit, found)

    def _native(self, source: Derived) -> Term | None:
        """What was turned into dollars out of the currency, if that is how they came about."""
        ledger = self._argument.ledger
        units = {of: ledger.entry(of).unit for of in source.inputs.values()}
        if f"usd/{self.code}" not in units.values():
            return None
        found = [of for of, unit in units.items() if unit.split("/")[0] == self.code]
        return ledger.term(found[0]) if found else None

    def _has_native(self, source: Derived) -> bool:
        """Whether a price is one of several of which some are quoted in the currency."""
        if source.formula not in OF_PRICES:
            return False
        parts = (self._argument.ledger.entry(of).source for of in source.inputs.values())
        return any(
            isinstance(part, Derived) and (self._native(part) is not None or self._has_native(part))
            for part in parts
        )


def _is_usd(unit: Unit) -> bool:
    """Whether a unit is one of money: dollars, or dollars for one of something."""
    return unit == "usd" or (unit.startswith("usd/") and unit[4:].upper() not in get_args(Currency))


def in_currency_of(argument: Argument, bills: Bills, currency: Currency) -> Bills:
    """The bills in a currency: their lines and totals, what they leave out, and purchases."""
    if currency == DOLLARS:
        return bills
    exchange = Exchange(argument, currency)
    return Bills(
        drafts=tuple(_bill(bill, exchange) for bill in bills.drafts),
        exclusions=tuple(_exclusion(one, exchange) for one in bills.exclusions),
        ownerships=tuple(_ownership(one, exchange) for one in bills.ownerships),
    )


def _bill(bill: DraftBill, exchange: Exchange) -> DraftBill:
    return structs.replace(
        bill,
        lines=tuple(_line(line, exchange) for line in bill.lines),
        total=None if bill.total is None else exchange.of(bill.total),
    )


def _line(line: DraftLine, exchange: Exchange) -> DraftLine:
    quantity = None if line.quantity is None else exchange.of(line.quantity)
    unit = exchange.line_unit(line.unit)
    if not isinstance(line, Priced):
        return structs.replace(line, quantity=quantity, unit=unit)
    return structs.replace(
        line, quantity=quantity, rate=exchange.of(line.rate), usd=exchange.of(line.usd), unit=unit
    )


def _exclusion(one: DraftExclusion, exchange: Exchange) -> DraftExclusion:
    return one if one.usd is None else structs.replace(one, usd=exchange.of(one.usd))


def _ownership(one: OwningFigures, exchange: Exchange) -> OwningFigures:
    """The purchase in the currency. Rates for a device-hour stay in dollars, as their names say."""
    bought: Mapping[str, Term] = {part: exchange.of(usd) for part, usd in one.acquisition.items()}
    return structs.replace(one, acquisition=bought)
