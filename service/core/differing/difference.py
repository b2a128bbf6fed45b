"""Why two quotes differ: of each basis, the change of the total in parts that add up to the cent.

A change is split line by line. Parts are rounded to the places of the line's amounts, and what then
lacks to the change of the printed amount is called rounding. Parts of a total are the sums of those
of its lines. So everything adds up as printed.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from service.core.answer import EngineStamp, Money
from service.core.answer.difference import (
    BasisDifference,
    ChangeParts,
    ComparedQuote,
    LineDifference,
    LineSide,
    NotCompared,
    NotComparedReason,
    QuoteDifference,
    SplitBy,
    SplitMethod,
    SplitPart,
)
from service.core.differing.effects import ComparedBills, Effects, effects_of
from service.core.differing.kept import KeptBill, KeptLine, KeptQuote
from service.core.differing.pairing import Pair, line_pairs, stages_before
from service.core.differing.shapley import SOURCE
from service.core.figures.vocabulary import BASES, MINOR_PLACES, BasisName, Currency
from service.core.printing.bridges import ZERO
from service.core.printing.money import printed, rounded_to, sum_of_amounts

IN_WORDS: Final[Mapping[SplitBy, str]] = {
    "same_engine": "one engine and one edition of the catalog made both quotes",
    "same_request": "both quotes answer one request, so engine and edition make all the difference",
    "quoted_crosswise": "each request was also quoted by the engine and the edition of the other",
}
CHANGE_SHARE_DECIMALS: Final = 6


class Anew(Struct, frozen=True, kw_only=True):
    """The two requests, each quoted by the engine and the edition of the other.

    None if that was not possible, for the reason in `why_not`.
    """

    before: KeptQuote | None = None
    after: KeptQuote | None = None
    why_not: str = ""


def difference(
    before: KeptQuote, after: KeptQuote, anew: Anew, *, engine: EngineStamp
) -> QuoteDifference:
    """Why two quotes differ. `engine` is that which compares them."""
    split_by = split_by_of(before, after, anew)
    if split_by == "same_engine":
        anew = Anew(before=before, after=after)
    elif split_by == "same_request":
        anew = Anew(before=after, after=before)
    old, new = bills_by_basis(before), bills_by_basis(after)
    compared, not_compared = [], []
    for basis in BASES:
        if basis not in old and basis not in new:
            continue
        why_not = _why_not(basis, old.get(basis), new.get(basis))
        if why_not is None:
            compared.append(_basis(old[basis], new[basis], before, after, anew))
        else:
            not_compared.append(why_not)
    return QuoteDifference(
        engine=engine,
        before=_stamp(before),
        after=_stamp(after),
        method=SplitMethod(
            name="shapley",
            source=SOURCE,
            split_by=split_by,
            detail=anew.why_not if split_by == "not_split" else _in_words(split_by, anew),
        ),
        bases=tuple(compared),
        not_compared=tuple(not_compared),
    )


def bills_by_basis(quote: KeptQuote) -> dict[BasisName, KeptBill]:
    """The bills of a quote by their basis."""
    return {bill.basis: bill for bill in quote.bases}


def split_by_of(before: KeptQuote, after: KeptQuote, anew: Anew) -> SplitBy:
    """How what the requests ask is told from what engine and edition make of it."""
    if before.made_alike(after):
        return "same_engine"
    if bytes(before.request) == bytes(after.request):
        return "same_request"
    return "not_split" if anew.before is None and anew.after is None else "quoted_crosswise"


def _in_words(split_by: SplitBy, anew: Anew) -> str:
    if split_by != "quoted_crosswise" or (anew.before is not None and anew.after is not None):
        return IN_WORDS[split_by]
    of, by = ("before", "after") if anew.after is None else ("after", "before")
    return (
        f"the request {of} was also quoted by the engine and the edition {by}; the other way round "
        f"was not possible: {anew.why_not}"
    )


def _stamp(quote: KeptQuote) -> ComparedQuote:
    return ComparedQuote(id=quote.id, engine=quote.engine, catalog=quote.catalog)


def _why_not(
    basis: BasisName, before: KeptBill | None, after: KeptBill | None
) -> NotCompared | None:
    """Why a basis cannot be compared. None if it can."""

    def because(reason: NotComparedReason, detail: str) -> NotCompared:
        return NotCompared(basis=basis, reason=reason, detail=detail)

    if before is None or after is None:
        detail = f"the quote {'before' if before is None else 'after'} has no bill of this basis"
        return because("missing_before" if before is None else "missing_after", detail)
    if before.total is None or after.total is None:
        if before.total is None and after.total is None:
            return because("unpriced_in_both", unpriced_detail(after))
        first = before.total is None
        reason: NotComparedReason = "unpriced_before" if first else "unpriced_after"
        return because(reason, unpriced_detail(before if first else after))
    if before.total.currency != after.total.currency:
        return because(
            "different_currencies",
            f"one total is in {before.total.currency}, the other in {after.total.currency}",
        )
    if not before.lines or not after.lines:
        return because(
            "lines_not_kept",
            "a quote was asked for as a summary and cannot be made again; post its request in full",
        )
    return None


def unpriced_detail(bill: KeptBill) -> str:
    """Why a bill has no total: the words of its first line without an amount."""
    details = (line.detail for line in bill.lines if line.amount is None and line.detail)
    return next(details, "a line has no amount")


def _basis(
    before: KeptBill, after: KeptBill, old: KeptQuote, new: KeptQuote, anew: Anew
) -> BasisDifference:
    """The change of one total, line by line."""
    assert before.total is not None
    assert after.total is not None
    currency, renamed = after.total.currency, stages_before(old, new)
    pairs = line_pairs(
        before,
        after,
        before_anew=_bill_anew(anew.before, before.basis),
        after_anew=_bill_anew(anew.after, before.basis),
        renamed=renamed,
    )
    common = frozenset((*renamed.keys(), *renamed.values()))
    effects = effects_of(
        ComparedBills(
            pairs=pairs,
            figures_before=old.figures,
            figures_after=new.figures,
            common_stages=common,
        )
    )
    lines = tuple(
        line_difference(pair, one, currency=currency)
        for pair, one in zip(pairs, effects, strict=True)
    )
    start, end = Decimal(before.total.amount), Decimal(after.total.amount)
    change = sum_of_amounts((end, -start), places=MINOR_PLACES[currency])
    parts = sum_of_parts([line.parts for line in lines], places=MINOR_PLACES[currency])
    return BasisDifference(
        basis=before.basis,
        before=Money(amount=before.total.amount, currency=currency),
        after=Money(amount=after.total.amount, currency=currency),
        change=Money(amount=printed(change), currency=currency),
        change_share=round(float(change / start), CHANGE_SHARE_DECIMALS) if start else UNSET,
        parts=parts,
        lines=lines,
        sentence=sentence_of(before.basis, start, change, parts, currency=currency),
    )


def _bill_anew(quote: KeptQuote | None, basis: BasisName) -> KeptBill | None:
    return None if quote is None else bills_by_basis(quote).get(basis)


def line_difference(pair: Pair, effects: Effects, *, currency: Currency) -> LineDifference:
    """The change of one line in parts, as printed."""
    line = pair.after or pair.before
    assert line is not None
    amounts = [Decimal(one.amount or 0) if one else ZERO for one in (pair.before, pair.after)]
    places = max(MINOR_PLACES[currency], *(-_exponent(amount) for amount in amounts))
    change = sum_of_amounts((amounts[1], -amounts[0]), places=MINOR_PLACES[currency])
    return LineDifference(
        item=line.item,
        label=line.label or UNSET,
        unit=line.unit,
        before=_side(pair.before),
        after=_side(pair.after),
        change=printed(change),
        parts=change_parts(effects, change, places=places, least_places=MINOR_PLACES[currency]),
    )


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), "amounts are finite"
    return exponent


def _side(line: KeptLine | None) -> LineSide | UnsetType:
    if line is None:
        return UNSET
    assert line.amount is not None
    return LineSide(
        stage=line.stage or UNSET, quantity=line.quantity, rate=line.rate, amount=line.amount
    )


def change_parts(
    effects: Effects, change: Decimal, *, places: int, least_places: int
) -> ChangeParts:
    """The parts of a change, rounded, with what then lacks to it."""
    price = _split(effects.price, effects.price_by_engine, places=places, least=least_places)
    hours = _split(effects.hours, effects.hours_by_engine, places=places, least=least_places)
    accounting = rounded_to(effects.accounting, places=places)
    known = (Decimal(price.amount), Decimal(hours.amount), accounting)
    rounding = sum_of_amounts((change, *(-one for one in known)), places=least_places)
    return ChangeParts(
        price=price,
        hours=hours,
        accounting=printed(sum_of_amounts((accounting,), places=least_places)),
        rounding=printed(rounding),
    )


def _split(amount: Decimal, by_engine: Decimal | None, *, places: int, least: int) -> SplitPart:
    """A part, with that of the requests and that of the engine if they are known."""
    if by_engine is None:
        return SplitPart(amount=_printed(rounded_to(amount, places=places), places=least))
    engine = rounded_to(by_engine, places=places)
    request = rounded_to(amount - by_engine, places=places)
    return SplitPart(
        amount=_printed(engine, request, places=least),
        request=_printed(request, places=least),
        engine=_printed(engine, places=least),
    )


def _printed(*amounts: Decimal, places: int) -> str:
    return printed(sum_of_amounts(amounts, places=places))


def sum_of_parts(parts: Sequence[ChangeParts], *, places: int) -> ChangeParts:
    """The parts of a sum of lines."""

    def total(amounts: Iterable[str]) -> str:
        return _printed(*map(Decimal, amounts), places=places)

    return ChangeParts(
        price=_sum_of_splits([one.price for one in parts], places=places),
        hours=_sum_of_splits([one.hours for one in parts], places=places),
        accounting=total(one.accounting for one in parts),
        rounding=total(one.rounding for one in parts),
    )


def _sum_of_splits(parts: Sequence[SplitPart], *, places: int) -> SplitPart:
    amount = _printed(*(Decimal(one.amount) for one in parts), places=places)
    sides = [(one.request, one.engine) for one in parts]
    request = [Decimal(side) for side, _ in sides if side is not UNSET]
    engine = [Decimal(side) for _, side in sides if side is not UNSET]
    if len(request) < len(parts) or len(engine) < len(parts):
        return SplitPart(amount=amount)
    return SplitPart(
        amount=amount,
        request=_printed(*request, places=places),
        engine=_printed(*engine, places=places),
    )


def sentence_of(
    basis: BasisName, start: Decimal, change: Decimal, parts: ChangeParts, *, currency: Currency
) -> str:
    """The change of a total in one sentence."""
    name = basis.replace("_", " ")
    if not change:
        return f"the {name} total is the same"
    share = f" by {abs(change / start):.1%}" if start else ""
    moved = {
        "price": Decimal(parts.price.amount),
        "hours": Decimal(parts.hours.amount),
        "accounting": Decimal(parts.accounting),
        "rounding": Decimal(parts.rounding),
    }
    told = ", ".join(f"{part} {amount:+,f}" for part, amount in moved.items() if amount)
    return (
        f"the {name} total {'rises' if change > 0 else 'falls'}{share}, {change:+,f} {currency}: "
        f"{told}"
    )
