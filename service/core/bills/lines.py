"""The rows of a bill while it is argued: a quantity times a rate, or why there is no rate."""

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import Struct

from service.core.answer import Item, LineUnit, UnpricedReason
from service.core.argument import Argument
from service.core.catalog.catalog import Exclusion
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BasisName


class Priced(Struct, frozen=True, kw_only=True):
    """quantity x rate = usd; no stage means the whole run."""

    stage: str
    item: Item
    unit: LineUnit
    quantity: Term
    rate: Term
    usd: Term
    label: str = ""
    detail: str = ""


class Unpriced(Struct, frozen=True, kw_only=True):
    """The need is known, the price is not: that is not zero dollars."""

    stage: str
    item: Item
    unit: LineUnit
    quantity: Term | None
    reason: UnpricedReason
    detail: str
    label: str = ""


DraftLine: TypeAlias = Priced | Unpriced


class DraftBill(Struct, frozen=True, kw_only=True):
    """The rows of one basis; there is a total if every row has an amount."""

    basis: BasisName
    lines: tuple[DraftLine, ...]
    total: Term | None
    excludes: tuple[Exclusion, ...]


@formula("line_usd", unit="usd")
def line_usd(*, quantity: Real, rate: Real) -> Real:
    """What a line costs before it is rounded to the cent: quantity * rate."""
    return quantity * rate


@formula("total_usd", unit="usd")
def total_usd(**usd: Real) -> Real:
    """The sum of the lines of a bill; the keywords number the lines."""
    return sum(usd.values(), start=0.0)


@formula("once", unit="count")
def once() -> float:
    """A lump sum is counted once."""
    return 1.0


class Book:
    """One basis being written, line by line, into the argument's ledger."""

    __slots__ = ("_argument", "_basis", "_lines")

    def __init__(
        self, argument: Argument, basis: BasisName, carried: Iterable[DraftLine] = ()
    ) -> None:
        """A book that begins with lines that are written already, or with none."""
        self._argument = argument
        self._basis: BasisName = basis
        self._lines: list[DraftLine] = list(carried)

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
    ) -> None:
        """Write a line with its amount."""
        usd = self._argument.ledger.derive(
            line_usd,
            name=f"{self._basis}/lines/{len(self._lines)}/usd",
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
                label=label,
                detail=detail,
            )
        )

    def lump_sum(self, *, item: Item, usd: Term, label: str = "", detail: str = "") -> None:
        """Write an amount that is no product."""
        one = self._argument.ledger.derive_once(once, name="once", inputs={})
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
                label=label,
            )
        )

    @property
    def lines(self) -> tuple[DraftLine, ...]:
        """The lines so far."""
        return tuple(self._lines)

    def subtotal(self, name: str) -> Term | None:
        """What the lines so far come to, under a name of this basis; None if one is unpriced."""
        return subtotal(self._argument, self._lines, name=f"{self._basis}/{name}")

    def close(self, *, excludes: tuple[Exclusion, ...]) -> DraftBill:
        """The finished bill, with a total unless a line is unpriced."""
        return DraftBill(
            basis=self._basis,
            lines=tuple(self._lines),
            total=self.subtotal("total_usd"),
            excludes=excludes,
        )


def subtotal(argument: Argument, lines: Iterable[DraftLine], *, name: str) -> Term | None:
    """The sum of lines as a figure; None if one of them is unpriced."""
    amounts: dict[str, Term] = {}
    for index, line in enumerate(lines):
        if not isinstance(line, Priced):
            return None
        amounts[f"line_{index}"] = line.usd
    return argument.ledger.derive(total_usd, name=name, inputs=amounts)
