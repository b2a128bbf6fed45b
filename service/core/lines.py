"""The rows of a bill while it is argued: a quantity times a rate, or why there is no rate."""

from typing import TypeAlias

from msgspec import Struct

from service.core.answer import BasisName, Excluded, Item, LineUnit, UnpricedReason
from service.core.argument import Argument
from service.core.arrays import Real
from service.core.provenance import Term


class Priced(Struct, frozen=True, kw_only=True):
    """quantity x rate = usd."""

    stage: str
    item: Item
    unit: LineUnit
    quantity: Term
    rate: Term
    usd: Term
    detail: str = ""


class Unpriced(Struct, frozen=True, kw_only=True):
    """The need is known, the price is not: that is not zero dollars."""

    stage: str
    item: Item
    unit: LineUnit
    quantity: Term | None
    reason: UnpricedReason
    detail: str


DraftLine: TypeAlias = Priced | Unpriced


class DraftBill(Struct, frozen=True, kw_only=True):
    """The rows of one basis; there is a total if every row has an amount."""

    basis: BasisName
    lines: tuple[DraftLine, ...]
    total: Term | None
    excludes: tuple[Excluded, ...]


def line_usd(*, quantity: Real, rate: Real) -> Real:
    """What a line costs before it is rounded to the cent: quantity * rate."""
    return quantity * rate


def total_usd(**usd: Real) -> Real:
    """The sum of the lines of a bill; the keywords number the lines."""
    return sum(usd.values(), start=0.0)


class Book:
    """One basis being written, line by line, into the argument's ledger."""

    __slots__ = ("_argument", "_basis", "_lines")

    def __init__(self, argument: Argument, basis: BasisName) -> None:
        self._argument = argument
        self._basis: BasisName = basis
        self._lines: list[DraftLine] = []

    def price(
        self,
        *,
        stage: str,
        item: Item,
        unit: LineUnit,
        quantity: Term,
        rate: Term,
        detail: str = "",
    ) -> None:
        """Write a line with its amount."""
        usd = self._argument.ledger.derive(
            line_usd,
            name=f"{self._basis}/lines/{len(self._lines)}/usd",
            unit="usd",
            inputs={"quantity": quantity, "rate": rate},
        )
        self._lines.append(
            Priced(
                stage=stage,
                item=item,
                unit=unit,
                quantity=quantity,
                rate=rate,
                usd=usd,
                detail=detail,
            )
        )

    def leave_unpriced(
        self,
        *,
        stage: str,
        item: Item,
        unit: LineUnit,
        quantity: Term | None,
        reason: UnpricedReason,
        detail: str,
        pointer: str,
    ) -> None:
        """Write a line that nobody prices, and warn of it at the member that is to blame."""
        self._argument.warn("unpriced_line", detail, pointer=pointer)
        self._lines.append(
            Unpriced(
                stage=stage,
                item=item,
                unit=unit,
                quantity=quantity,
                reason=reason,
                detail=detail,
            )
        )

    def close(self, *, excludes: tuple[Excluded, ...]) -> DraftBill:
        """The finished bill, with a total unless a line is unpriced."""
        amounts = {
            f"line_{index}": line.usd
            for index, line in enumerate(self._lines)
            if isinstance(line, Priced)
        }
        total = (
            self._argument.ledger.derive(
                total_usd, name=f"{self._basis}/total_usd", unit="usd", inputs=amounts
            )
            if len(amounts) == len(self._lines)
            else None
        )
        return DraftBill(
            basis=self._basis, lines=tuple(self._lines), total=total, excludes=excludes
        )
