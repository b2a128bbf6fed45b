"""The lines of a bill before they are printed: a quantity times a rate, or why there is none."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import Struct

from service.core.answer import Item, LineUnit, UnpricedReason
from service.core.argument import Argument, Cursor
from service.core.catalog.catalog import ExcludedItem
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BasisName
from service.core.request.accounting import Accounting


class Priced(Struct, frozen=True, kw_only=True):
    """quantity x rate = usd. An empty stage means the whole run. A discount `covers` items."""

    stage: str
    item: Item
    unit: LineUnit
    quantity: Term
    rate: Term
    usd: Term
    label: str = ""
    detail: str = ""
    covers: tuple[Item, ...] = ()


class Unpriced(Struct, frozen=True, kw_only=True):
    """The need is known and the price is not. That is not zero dollars."""

    stage: str
    item: Item
    unit: LineUnit
    quantity: Term | None
    reason: UnpricedReason
    detail: str
    label: str = ""
    covers: tuple[Item, ...] = ()


DraftLine: TypeAlias = Priced | Unpriced


class DraftBill(Struct, frozen=True, kw_only=True):
    """The lines of one basis. There is a total if every line has an amount."""

    basis: BasisName
    lines: tuple[DraftLine, ...]
    total: Term | None
    excludes: tuple[ExcludedItem, ...]


@formula("line_usd", unit="usd", any_unit=("quantity", "rate"))
def line_usd(*, quantity: Real, rate: Real) -> Real:
    """The cost of a line, before it is rounded.

        quantity * rate

    `rate` is in US dollars for one unit of `quantity`, or a share of a quantity in US dollars.

    Source: definition.
    """
    return quantity * rate


@formula("total_usd", unit="usd")
def total_usd(**usd: Real) -> Real:
    """The sum of the lines of a bill. The keywords number the lines.

        line_0 + line_1 + ...

    Source: definition.
    """
    return sum(usd.values(), start=0.0)


@formula("net_of_discounts_usd", unit="usd")
def net_of_discounts_usd(*, usd: Real, **discount_rates: Real) -> Real:
    """What some lines cost after the discounts that cover them.

        usd * (1 + discount_rate) * ...

    A discount's rate is negative.

    Source: definition.
    """
    net = usd
    for rate in discount_rates.values():
        net = net * (1.0 + rate)
    return net


@formula("once", unit="count")
def once() -> float:
    """A lump sum is counted once.

        1

    Source: definition.
    """
    return 1.0


class BillBuilder:
    """One basis being written, line by line, into the ledger.

    `at` is the cursor at the request's accounting. Figures of the basis begin with its name.
    """

    __slots__ = ("_basis", "_lines", "at")

    def __init__(
        self,
        argument: Argument,
        accounting: Accounting,
        basis: BasisName,
    ) -> None:
        """A bill without lines."""
        self.at = argument.at(accounting, pointer="/accounting", prefix=basis)
        self._basis: BasisName = basis
        self._lines: list[DraftLine] = []

    def price(
        self,
        *,
        item: Item,
        unit: LineUnit,
        quantity: Term,
        rate: Term,
        stage: str = "",
        label: str = "",
        detail: str = "",
        covers: tuple[Item, ...] = (),
    ) -> Term:
        """Write a line with its amount, and return the amount."""
        usd = self.at.derive(
            line_usd, f"lines/{len(self._lines)}/usd", quantity=quantity, rate=rate
        )
        self._lines.append(
            Priced(
                stage=stage,
                item=item,
                unit=unit,
                quantity=quantity,
                rate=rate,
                usd=usd,
                label=label,
                detail=detail,
                covers=covers,
            )
        )
        return usd

    def lump_sum(self, *, item: Item, usd: Term, label: str = "", detail: str = "") -> None:
        """Write an amount that is not a product."""
        one = self.at.argument.ledger.derive_once(once, name="once", inputs={})
        self.price(item=item, unit="lump_sum", quantity=one, rate=usd, label=label, detail=detail)

    def leave_unpriced(
        self,
        *,
        item: Item,
        unit: LineUnit,
        quantity: Term | None,
        reason: UnpricedReason,
        detail: str,
        pointer: str,
        stage: str = "",
        label: str = "",
        covers: tuple[Item, ...] = (),
        caution: str = "",
    ) -> None:
        """Write a line without a price, and warn of it at the member that is to blame.

        `caution` is what the warning says, where several lines have one cause.
        """
        self.at.argument.warn("unpriced_line", caution or detail, pointer=pointer)
        self._lines.append(
            Unpriced(
                stage=stage,
                item=item,
                unit=unit,
                quantity=quantity,
                reason=reason,
                detail=detail,
                label=label,
                covers=covers,
            )
        )

    @property
    def lines(self) -> tuple[DraftLine, ...]:
        """The lines so far."""
        return tuple(self._lines)

    def carry(self, lines: Iterable[DraftLine]) -> None:
        """Add lines that another bill has written."""
        self._lines.extend(lines)

    def subtotal(self, name: str) -> Term | None:
        """The sum of the lines so far, under a name of this basis. None if one is unpriced."""
        return subtotal(self.at, self._lines, name)

    def close(self, *, excludes: tuple[ExcludedItem, ...] = ()) -> DraftBill:
        """The finished bill, with a total unless a line is unpriced."""
        return DraftBill(
            basis=self._basis,
            lines=tuple(self._lines),
            total=self.subtotal("total_usd"),
            excludes=excludes,
        )


def subtotal(at: Cursor[Accounting], lines: Iterable[DraftLine], name: str) -> Term | None:
    """The sum of some lines as a figure of this name. None if one is unpriced."""
    amounts: dict[str, Term] = {}
    for index, line in enumerate(lines):
        if not isinstance(line, Priced):
            return None
        amounts[f"line_{index}"] = line.usd
    return at.derive(total_usd, name, **amounts)


def net_of_discounts(
    at: Cursor[Accounting], lines: Sequence[DraftLine], items: Iterable[Item], name: str
) -> Term | None:
    """The lines of some items, less the discounts among `lines` that cover them, as one figure.

    None if an amount that this takes is unpriced.
    """
    parts: dict[str, Term] = {}
    for item in items:
        own = [line for line in lines if line.item == item]
        discounts = [line for line in lines if item in line.covers]
        rates = [line.rate for line in discounts if isinstance(line, Priced)]
        usd = subtotal(at, own, f"{name}/{item}_before_discounts") if own else None
        if own and (usd is None or len(rates) < len(discounts)):
            return None
        if usd is not None:
            named = {f"discount_{index}": rate for index, rate in enumerate(rates)}
            parts[item] = at.derive(net_of_discounts_usd, f"{name}/{item}", usd=usd, **named)
    return at.derive(total_usd, name, **parts)
