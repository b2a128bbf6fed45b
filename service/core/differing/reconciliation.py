"""Why an invoice differs from its quote, in parts that add up to the cent.

The cost of device-hours is a product: rate x work x productive hours for a unit of work / goodput.
Its change is split by the Shapley value of these factors. All else is compared item by item.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from service.core.answer import AmountInterval, EngineStamp, Money
from service.core.answer.difference import ComparedQuote
from service.core.answer.reconciliation import (
    Factors,
    InvoiceStanding,
    NotReconciled,
    ReconciledParts,
    Reconciliation,
    ReconciliationNote,
)
from service.core.catalog.catalog import Catalog
from service.core.differing.anchoring import next_quote
from service.core.differing.difference import bills_by_basis, unpriced_detail
from service.core.differing.kept import KeptBill, KeptQuote
from service.core.differing.planned import COMPUTE, COMPUTE_INVOICED, Course, course_of
from service.core.differing.shapley import SOURCE, parts_of_product
from service.core.draws.quantiles import OUTCOME_LEVELS
from service.core.figures.vocabulary import MINOR_PLACES, Currency
from service.core.printing.bridges import ZERO
from service.core.printing.money import (
    MOST_PLACES,
    decimal_of,
    printed,
    rounded_to,
    sum_of_amounts,
)
from service.core.request.about_quotes.reconciliation import Invoice, ReconciliationRequest
from service.core.request.request import QuoteRequest

ItemSums: TypeAlias = Mapping[str, tuple[Decimal | None, Decimal | None]]
"""Amounts by item: what was quoted and what was invoiced. None where there is no line."""
OTHER_ITEMS: Final = ("storage", "transfer", "support", "markup")
"""Items besides device-hours and taxes that an invoice may have as a quote has them."""
TAX: Final = "tax"
POSITION_DECIMALS: Final = 6
FACTOR_NAMES: Final = ("rate", "work", "speed", "goodput")


def reconciliation(
    quote: KeptQuote,
    asked: ReconciliationRequest,
    request: QuoteRequest | None,
    catalog: Catalog,
    *,
    engine: EngineStamp,
) -> Reconciliation:
    """Why an invoice differs from its quote. `request` is that of the quote, if it can be read.

    `engine` and `catalog` are those of today, by which the next quote is made.
    """
    bill = bills_by_basis(quote).get(asked.basis)
    currency = _currency(asked.invoice, bill)
    found = Reconciliation(
        engine=engine,
        quote=ComparedQuote(id=quote.id, engine=quote.engine, catalog=quote.catalog),
        basis=asked.basis,
        invoiced=_money(invoiced_total(asked.invoice), currency),
    )
    why_not = _why_not(bill, currency)
    if why_not is not None or bill is None:
        return replace(found, not_reconciled=why_not or UNSET)
    course = course_of(quote, bill, asked, request)
    sums = item_sums(bill, asked.invoice)
    next_one = UNSET if request is None else next_quote(request, catalog, quote.stages, course)
    return replace(
        _reconciled(found, bill, asked, course, sums),
        hours=_standing_of_hours(quote, course),
        next_quote=next_one,
        notes=(*course.notes, *_notes(sums, request)),
    )


def _currency(invoice: Invoice, bill: KeptBill | None) -> Currency:
    if invoice.currency is not UNSET:
        return invoice.currency
    return "USD" if bill is None or bill.total is None else bill.total.currency


def _why_not(bill: KeptBill | None, currency: Currency) -> NotReconciled | None:
    """Why an invoice cannot be compared with a bill. None if it can."""
    if bill is None:
        return NotReconciled(reason="missing_before", detail="the quote has no bill of this basis")
    if bill.total is None:
        return NotReconciled(reason="unpriced_before", detail=unpriced_detail(bill))
    if bill.total.currency != currency:
        detail = f"the quote is in {bill.total.currency}, the invoice in {currency}"
        return NotReconciled(reason="different_currencies", detail=detail)
    if not bill.lines:
        detail = "the quote was asked for as a summary and cannot be made again"
        return NotReconciled(reason="lines_not_kept", detail=detail)
    return None


def _reconciled(
    found: Reconciliation,
    bill: KeptBill,
    asked: ReconciliationRequest,
    course: Course,
    sums: ItemSums,
) -> Reconciliation:
    """The difference of the totals in parts, and where the invoice stands."""
    assert bill.total is not None
    assert bill.interval is not None
    currency = bill.total.currency
    places = MINOR_PLACES[currency]
    start, end = Decimal(bill.total.amount), invoiced_total(asked.invoice)
    change = sum_of_amounts((end, -start), places=places)
    parts = reconciled_parts(course, sums, change, places=places)
    return replace(
        found,
        quoted=_money(start, currency),
        interval=AmountInterval(
            p10=bill.interval.p10, p50=bill.interval.p50, p90=bill.interval.p90
        ),
        difference=_money(change, currency),
        difference_share=round(float(change / start), POSITION_DECIMALS) if start else UNSET,
        parts=parts,
        sentence=sentence(start, end, change, parts, currency=currency),
        planned=course.planned,
        happened=course.happened,
        whole=_standing_of_amount(end, bill),
        like_for_like=_standing_of_amount(end - _beyond(sums), bill),
        method=SOURCE,
    )


def item_sums(bill: KeptBill, invoice: Invoice) -> ItemSums:
    """The quoted and the invoiced amount of each item that an invoice may have."""
    quoted: dict[str, Decimal] = {}
    for line in bill.lines:
        item = _item_of(line.item)
        quoted[item] = quoted.get(item, ZERO) + Decimal(line.amount or 0)
    invoiced: dict[str, Decimal] = {}
    for one in invoice.lines:
        item = "device_rental" if one.item in COMPUTE_INVOICED else one.item
        invoiced[item] = invoiced.get(item, ZERO) + invoiced_amount(one.amount)
    if invoice.tax:
        invoiced[TAX] = invoiced.get(TAX, ZERO) + invoiced_amount(invoice.tax)
    items = dict.fromkeys((*quoted, *invoiced))
    return {item: (quoted.get(item), invoiced.get(item)) for item in items}


def _item_of(item: str) -> str:
    """The item of an invoice that a line of a bill belongs to. What it never has is a scope."""
    if item in COMPUTE:
        return "device_rental"
    return item


def _beyond(sums: ItemSums) -> Decimal:
    """What the invoice has beyond the items that the quote has."""
    beyond = (invoiced for quoted, invoiced in sums.values() if quoted is None)
    return sum((one for one in beyond if one is not None), start=ZERO)


def invoiced_total(invoice: Invoice) -> Decimal:
    """All lines of an invoice together, with its tax."""
    lines = (invoiced_amount(line.amount) for line in invoice.lines)
    return sum_of_amounts((*lines, invoiced_amount(invoice.tax)))


def invoiced_amount(amount: float) -> Decimal:
    """An amount of an invoice, to the decimal places that an amount is printed with at most.

    Each line is rounded before it is added, so that parts of a total still add up to it.
    """
    return rounded_to(decimal_of(amount), places=MOST_PLACES)


def reconciled_parts(
    course: Course,
    sums: ItemSums,
    change: Decimal,
    *,
    places: int,
) -> ReconciledParts:
    """The parts of a difference, rounded. What then lacks to it is called rounding."""
    found = dict(zip(FACTOR_NAMES, parts_of_product(*_factors(course)), strict=True))
    found["other_items"] = found["scope"] = found["tax"] = ZERO
    for item, (quoted, invoiced) in sums.items():
        moved = (invoiced or ZERO) - (quoted or ZERO)
        if item == TAX:
            found["tax"] += moved
        elif item in OTHER_ITEMS and quoted is not None and invoiced is not None:
            found["other_items"] += moved
        elif item != "device_rental":
            found["scope"] += moved
    rounded = {name: rounded_to(part, places=places) for name, part in found.items()}
    rounding = sum_of_amounts((change, *(-part for part in rounded.values())), places=places)
    return ReconciledParts(
        **{name: printed(part) for name, part in rounded.items()}, rounding=printed(rounding)
    )


def _factors(course: Course) -> tuple[list[Decimal], list[Decimal]]:
    """Rate, work, productive hours for work of 1, and the inverse of goodput: before and after."""
    return _in_order(course.planned), _in_order(course.happened)


def _in_order(one: Factors) -> list[Decimal]:
    numbers = (one.rate, one.work, one.productive_device_hours, 1.0 / one.goodput)
    return [decimal_of(number) for number in numbers]


def _standing_of_amount(amount: Decimal, bill: KeptBill) -> InvoiceStanding:
    assert bill.interval is not None
    return InvoiceStanding(
        amount=printed(sum_of_amounts((amount,))),
        position=position(float(amount), [float(one) for one in bill.outcomes]),
        within=Decimal(bill.interval.p10) <= amount <= Decimal(bill.interval.p90),
    )


def _standing_of_hours(quote: KeptQuote, course: Course) -> InvoiceStanding | UnsetType:
    """Where the held hours lie among those that were predicted, of a run of one stage."""
    predicted = quote.stages[0].device_hours if len(quote.stages) == 1 else None
    if predicted is None:
        return UNSET
    held = course.held_device_hours
    return InvoiceStanding(
        device_hours=held,
        position=position(held, predicted.outcomes or [predicted.central]),
        within=predicted.p10 <= held <= predicted.p90,
    )


def position(number: float, outcomes: Sequence[float]) -> float:
    """The share of equally likely outcomes below a number; half of those that equal it."""
    ordered = np.sort(np.array(outcomes))
    if number <= ordered[0] or number >= ordered[-1]:
        below, equal = np.count_nonzero(ordered < number), np.count_nonzero(ordered == number)
        return float((below + equal / 2) / len(ordered))
    return round(float(np.interp(number, ordered, OUTCOME_LEVELS)), POSITION_DECIMALS)


def sentence(
    start: Decimal, end: Decimal, change: Decimal, parts: ReconciledParts, *, currency: Currency
) -> str:
    """The difference in one sentence, the largest part first."""
    if not change:
        return "the invoice is what was quoted"
    share = f" {abs(change / start):.1%}" if start else ""
    moved = {
        name.replace("_", " "): Decimal(getattr(parts, name)) for name in parts.__struct_fields__
    }
    told = ", ".join(
        f"{name} {amount:+,f}"
        for name, amount in sorted(moved.items(), key=lambda one: -abs(one[1]))
        if amount
    )
    side = "above" if change > 0 else "below"
    end = sum_of_amounts((end,), places=MINOR_PLACES[currency])
    return f"the invoice of {end:,f} {currency} is{share} {side} the quote of {start:,f}: {told}"


def _notes(sums: ItemSums, request: QuoteRequest | None) -> list[ReconciliationNote]:
    """What was quoted and not invoiced, and whether the quote's request can be read."""
    found = [
        ReconciliationNote(
            code="quoted_item_not_invoiced",
            detail=f"{item} of {quoted:,f} was quoted, and the invoice has no such line",
        )
        for item, (quoted, invoiced) in sums.items()
        if invoiced is None and quoted
    ]
    if request is None:
        found.append(
            ReconciliationNote(
                code="request_not_readable",
                detail="the request of the quote is of another version, so nothing is said of the "
                "next quote",
            )
        )
    return found


def _money(amount: Decimal, currency: Currency) -> Money:
    places = MINOR_PLACES[currency]
    return Money(amount=printed(sum_of_amounts((amount,), places=places)), currency=currency)
