"""What a reading leaves out, and the way from the claim to all of it, in printed amounts."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from service.core.answer import (
    AmountInterval,
    ClaimBridge,
    ClaimStep,
    Item,
    Magnitude,
    Money,
    Omission,
)
from service.core.argument import Argument
from service.core.bills.exclusions import exclusions_of, items_left_out, rows_that_hold
from service.core.bills.lines import DraftLine, Priced, total_usd
from service.core.catalog.catalog import ExcludedCost
from service.core.claims.judging import JudgedReading
from service.core.claims.readings import ADDED, SCOPES, DraftReading, Readings
from service.core.claims.subject import Subject
from service.core.draws.spread import Spread
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import BASES, BasisName, ClaimBasis
from service.core.printing.estimates import printed_interval
from service.core.printing.money import (
    amount_of,
    as_amount,
    decimal_of,
    printed,
    sum_of_amounts,
)
from service.core.request.accounting import BaseRuns

LIKE: Final[Mapping[ClaimBasis, BasisName]] = {
    "rental_stated": "rental",
    "rental_market": "rental",
    "owned_straight_line": "owned",
    "owned_epoch_2024": "owned",
    "purchase": "owned",
}
"""The basis of a quote that leaves out the same as the final run of a reading."""
OF_THE_BASE: Final[frozenset[Item]] = frozenset({"base_model", "base_model_development"})
BEYOND_FINAL_RUN: Final[frozenset[Item]] = frozenset[Item]().union(*ADDED.values())
Component: TypeAlias = Literal[Item, "unexplained"]


def dollars_of_line(line: DraftLine) -> Decimal:
    """The amount of a priced line as it is printed."""
    assert isinstance(line, Priced)
    return amount_of(quantity=line.quantity.central, rate=line.rate.central)


def printed_sum(reading: DraftReading) -> Decimal:
    """The total of a reading: the sum of its lines as printed, or the price of a purchase."""
    if reading.lines:
        return sum_of_amounts(map(dollars_of_line, reading.lines))
    return as_amount(decimal_of(reading.total.central))


def widest_of(readings: Readings, basis: ClaimBasis) -> DraftReading | None:
    """The reading of a basis that holds most, of those with a total."""
    of_basis = [one for one in readings.priced if one.basis == basis and one.lines]
    return max(of_basis, key=lambda one: SCOPES.index(one.scope), default=None)


def added_sums(argument: Argument, readings: Readings) -> dict[tuple[ClaimBasis, str], Term]:
    """What each item adds to the final run of a basis, as figures."""
    found: dict[tuple[ClaimBasis, str], Term] = {}
    for basis in dict.fromkeys(one.basis for one in readings.priced):
        whole = widest_of(readings, basis)
        lines = () if whole is None else added_lines(whole)
        for item in dict.fromkeys(line.item for line in lines):
            usd = [line.usd for line in lines if line.item == item and isinstance(line, Priced)]
            found[basis, item] = (
                usd[0]
                if len(usd) == 1
                else argument.ledger.derive(
                    total_usd,
                    name=f"{basis}/{item}_usd",
                    inputs={f"line_{index}": term for index, term in enumerate(usd)},
                )
            )
    return found


def added_lines(whole: DraftReading) -> tuple[DraftLine, ...]:
    """The lines of a reading beyond its final run."""
    return tuple(line for line in whole.lines if line.item in BEYOND_FINAL_RUN)


def claim_bridge(
    readings: Readings, ordered: Sequence[JudgedReading], usd: float
) -> ClaimBridge | None:
    """From the claim to the widest total of the basis of its best reading.

    The purchase of devices is no part of such a total. If it is the best reading, the way starts
    at the best of the others.
    """
    best = next((one.reading for one in ordered if one.reading.lines), None)
    whole = None if best is None else widest_of(readings, best.basis)
    if best is None or whole is None:
        return None
    start = running = as_amount(decimal_of(usd))
    steps = []
    for component, amount in _steps(best, whole, start):
        running = sum_of_amounts((running, amount))
        steps.append(
            ClaimStep(component=component, amount=printed(amount), running_total=printed(running))
        )
    return ClaimBridge(
        basis=best.basis,
        start_scope=best.scope,
        end_scope=whole.scope,
        start=money(start),
        steps=tuple(steps),
        end=money(running),
    )


def _steps(
    best: DraftReading, whole: DraftReading, start: Decimal
) -> Iterator[tuple[Component, Decimal]]:
    yield "unexplained", sum_of_amounts((printed_sum(best), -start))
    beyond = [line for line in whole.lines if line not in best.lines]
    for item in dict.fromkeys(line.item for line in beyond):
        yield item, sum_of_amounts(dollars_of_line(line) for line in beyond if line.item == item)


def money(amount: Decimal) -> Money:
    """An amount in dollars."""
    return Money(amount=printed(amount), currency="USD")


class DraftOmission(Struct, frozen=True, kw_only=True):
    """A cost that readings may leave out, with its amount for this run if one is known."""

    row: ExcludedCost
    what: str
    usd: Term | None
    detail: str


def draft_omissions(
    argument: Argument, subject: Subject, readings: Readings
) -> tuple[DraftOmission, ...]:
    """All costs that a reading may leave out, as figures.

    The number of devices that a run held is part of what is not known of it. Then there is no
    amount for buying them.
    """
    if readings.written is None:
        return ()
    request = subject.request
    rows = rows_that_hold(request, argument.catalog)
    excludes = {
        basis: items_left_out(rows, request.accounting, basis, hardware="rental") for basis in BASES
    }
    bought = all(stage.devices_known for stage in subject.stages)
    return tuple(
        DraftOmission(
            row=one.row,
            what=one.row.what.format_map(
                {
                    "cluster": subject.clusters,
                    "base": _base_in_words(subject),
                    "hardware": "rental",
                }
            ),
            usd=None if one.row.item == "capital" and not bought else one.usd,
            detail=one.detail,
        )
        for one in exclusions_of(readings.written, rows, excludes)
    )


def _base_in_words(subject: Subject) -> str:
    base = subject.request.accounting.base_model
    if base is UNSET:
        return "the claim names none; a run that trains from scratch has none"
    return ", ".join(base.ids) if isinstance(base, BaseRuns) else "the one that is stated"


def printed_omissions(
    drafts: Sequence[DraftOmission],
    subject: Subject,
    ordered: Sequence[JudgedReading],
    *,
    sums: Mapping[tuple[ClaimBasis, str], Term],
    spread: Spread,
) -> tuple[Omission, ...]:
    """What the best reading leaves out."""
    if not ordered:
        return ()
    best = ordered[0].reading
    inside = {line.item for line in best.lines}
    basis: BasisName = LIKE[best.basis]
    left_out = {one.row.item for one in drafts if basis in one.row.bases} | BEYOND_FINAL_RUN
    if not subject.may_have_base:
        left_out -= OF_THE_BASE
    return tuple(
        _omission(one, sums.get((best.basis, one.row.item)) or one.usd, spread)
        for one in drafts
        if one.row.item in left_out and one.row.item not in inside
    )


def _omission(one: DraftOmission, usd: Term | None, spread: Spread) -> Omission:
    row = one.row
    magnitude: Magnitude | UnsetType = UNSET
    if row.unit is not UNSET and row.low is not UNSET and row.high is not UNSET:
        magnitude = Magnitude(low=row.low, high=row.high, unit=row.unit)
    return Omission(
        item=row.item,
        what=one.what,
        source=row.source,
        amount=UNSET if usd is None else _interval_of(usd, spread),
        figure=UNSET if usd is None else usd.name,
        detail=one.detail if usd is None and one.detail else UNSET,
        magnitude=magnitude,
    )


def _interval_of(term: Term, spread: Spread) -> AmountInterval:
    central = as_amount(decimal_of(term.central))
    return printed_interval(spread.interval(term.name), central=central)
