"""One row of a bill: a quantity times a rate, or the reason why there is no rate."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from msgspec import UNSET

from service.core.answer import (
    Bill,
    Excluded,
    Line,
    Money,
    PricedBill,
    PricedLine,
    UnpricedBill,
    UnpricedLine,
    UnpricedReason,
)
from service.core.provenance import Term

CENT: Final = Decimal("0.01")
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)


def decimal_of(number: float) -> Decimal:
    """The decimal that a reader sees: the shortest one that is this float."""
    return Decimal(repr(number))


def amount_usd(*, quantity: float, rate_usd: float) -> Decimal:
    """quantity x rate as printed, rounded half to even to the cent; nothing else rounds."""
    exact = EXACT.multiply(decimal_of(quantity), decimal_of(rate_usd))
    return exact.quantize(CENT, context=EXACT)


def printed_rate(rate_usd: float) -> str:
    """A rate with every digit that counts, and at least two decimal places."""
    rate = decimal_of(rate_usd)
    exponent = rate.as_tuple().exponent
    assert isinstance(exponent, int), "rates are finite"
    return format(rate if exponent <= -2 else rate.quantize(CENT, context=EXACT), "f")


def priced_line(
    *, stage: str, quantity: Term, rate: Term, detail: str = ""
) -> PricedLine:
    """A row of device rental with its amount."""
    amount = amount_usd(quantity=quantity.central, rate_usd=rate.central)
    return PricedLine(
        stage=stage,
        item="device_rental",
        quantity=quantity.central,
        unit="device_hour",
        rate=printed_rate(rate.central),
        amount=format(amount, "f"),
        figures=(quantity.name, rate.name),
        detail=detail or UNSET,
    )


def unpriced_line(
    *, stage: str, quantity: Term | None, reason: UnpricedReason, detail: str
) -> UnpricedLine:
    """A row of device rental that nobody prices, or whose hours are unknown."""
    return UnpricedLine(
        stage=stage,
        item="device_rental",
        unit="device_hour",
        reason=reason,
        detail=detail,
        quantity=UNSET if quantity is None else quantity.central,
        figures=() if quantity is None else (quantity.name,),
    )


def bill(lines: tuple[Line, ...], *, excludes: tuple[Excluded, ...]) -> Bill:
    """The rows of the rental basis; the total adds the amounts as printed, if all are there."""
    amounts = [Decimal(line.amount) for line in lines if isinstance(line, PricedLine)]
    if len(amounts) < len(lines):
        return UnpricedBill(basis="rental", lines=lines, excludes=excludes)
    total = Money(amount=format(sum(amounts, Decimal("0.00")), "f"), currency="USD")
    return PricedBill(basis="rental", total=total, lines=lines, excludes=excludes)
