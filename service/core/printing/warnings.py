"""Warnings as the quote shows them: one for each cause, the gravest and the dearest first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct

from service.core.answer import WARNINGS, QuoteWarning, Severity
from service.core.argument import Argument, Caution
from service.core.bills.lines import DraftBill, Priced
from service.core.draws.spread import SHARE_DECIMALS, Spread
from service.core.figures.ledger import Ledger
from service.core.request.request import QuoteRequest

RANKS: Final[Mapping[Severity, int]] = {"act": 0, "check": 1, "note": 2}
PARTS_OF_REQUEST: Final = {
    name: index for index, name in enumerate(("", *QuoteRequest.__struct_fields__))
}
"""The order in which places are told: that of a request's members."""

Place: TypeAlias = tuple[tuple[int, int, str], ...]


class Told(NamedTuple):
    """The warnings of a quote, and what is good to know."""

    warnings: tuple[QuoteWarning, ...]
    notes: tuple[QuoteWarning, ...]


class Cause(Struct, frozen=True):
    """Cautions with one cause, in the order of their places."""

    cautions: tuple[Caution, ...]

    @property
    def first(self) -> Caution:
        """The caution that is shown; the others lend their places."""
        return self.cautions[0]

    @property
    def severity(self) -> Severity:
        """How grave it is, by its code."""
        return WARNINGS[self.first.code].severity

    @property
    def pointers(self) -> tuple[str, ...]:
        """Every place where it was found, once."""
        return tuple(dict.fromkeys(caution.pointer for caution in self.cautions))


def told(argument: Argument, bills: Sequence[DraftBill], spread: Spread) -> Told:
    """All warnings of a finished quote, merged by cause and in order."""
    causes = merged(argument.warnings)
    moves = moves_of(causes, argument.ledger, bills, spread)
    order = sorted(
        zip(causes, moves, strict=True),
        key=lambda one: (RANKS[one[0].severity], -one[1], *_order(one[0].first)),
    )
    shown = [_shown(cause, share) for cause, share in order]
    return Told(
        warnings=tuple(one for one in shown if one.severity != "note"),
        notes=tuple(one for one in shown if one.severity == "note"),
    )


def merged(cautions: Iterable[Caution]) -> list[Cause]:
    """Cautions of one cause together: the same code and text, or else the same member."""
    groups: dict[tuple[str, str], list[Caution]] = {}
    for caution in sorted(cautions, key=_order):
        groups.setdefault(_cause_of(caution), []).append(caution)
    return [Cause(tuple(group)) for group in groups.values()]


def _cause_of(caution: Caution) -> tuple[str, str]:
    if WARNINGS[caution.code].once_a_member:
        return caution.code, caution.pointer.rpartition("/")[2]
    return caution.code, caution.detail


def _order(caution: Caution) -> tuple[Place, str, str]:
    return place_of(caution.pointer), caution.code, caution.detail


def place_of(pointer: str) -> Place:
    """A key that sorts JSON pointers as a reader meets them: indices by their number."""
    first, *rest = pointer.split("/")[1:] or [""]
    return (
        (0, PARTS_OF_REQUEST.get(first, len(PARTS_OF_REQUEST)), first),
        *((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in rest),
    )


def _shown(cause: Cause, moves: float) -> QuoteWarning:
    pointer, *others = cause.pointers
    return QuoteWarning(
        severity=cause.severity,
        code=cause.first.code,
        detail=cause.first.detail,
        pointer=pointer,
        also_at=tuple(others),
        moves=moves,
        observed=cause.first.observed,
    )


def moves_of(
    causes: Sequence[Cause], ledger: Ledger, bills: Sequence[DraftBill], spread: Spread
) -> list[float]:
    """The share of a total that each cause moves, the largest over the bills.

    The share of its variance, or else of the lines that rest on figures without spread. What
    concerns the whole request, or leaves a result unknown, moves all.
    """
    figures = list(_figures_of(causes, ledger))
    shares = [
        {driver.figure: driver.share for driver in spread.drivers(bill.total.name).ranked}
        for bill in bills
        if bill.total is not None
    ]
    found = [
        max((sum(share.get(name, 0.0) for name in names) for share in shares), default=0.0)
        for names in figures
    ]
    for index, cause in enumerate(causes):
        if not figures[index] and (cause.severity == "act" or not cause.first.pointer):
            found[index] = 1.0
    still = {
        index: figures[index]
        for index, cause in enumerate(causes)
        if found[index] == 0.0 and cause.severity != "note" and figures[index]
    }
    for index, share in _shares_of_lines(still, ledger, bills).items():
        found[index] = share
    return [round(min(share, 1.0), SHARE_DECIMALS) for share in found]


def _figures_of(causes: Sequence[Cause], ledger: Ledger) -> Iterator[tuple[str, ...]]:
    """The figures that each cause is about: those it names, else those at its places."""
    wanted = {pointer for cause in causes for pointer in cause.pointers if pointer}
    at: dict[str, list[str]] = {pointer: [] for pointer in wanted}
    for entry in ledger:
        place = entry.pointer or ""
        while place:
            if place in wanted:
                at[place].append(entry.name)
            place = place.rpartition("/")[0]
    for cause in causes:
        names: dict[str, None] = {}
        for caution in cause.cautions:
            names |= dict.fromkeys(caution.figures or at.get(caution.pointer, ()))
        yield tuple(names)


def _shares_of_lines(
    figures: Mapping[int, tuple[str, ...]], ledger: Ledger, bills: Sequence[DraftBill]
) -> dict[int, float]:
    """The share of a bill's amounts that rest on some figures, the largest over the bills."""
    seeds: dict[str, int] = {}
    for index, names in figures.items():
        for name in names:
            seeds[name] = seeds.get(name, 0) | 1 << index
    marks = ledger.marked(seeds)
    found = dict.fromkeys(figures, 0.0)
    for bill in bills:
        usd = [line.usd for line in bill.lines if isinstance(line, Priced)]
        whole = sum(abs(term.central) for term in usd)
        for index in figures:
            part = sum(abs(term.central) for term in usd if marks.get(term.name, 0) >> index & 1)
            found[index] = max(found[index], part / whole if whole else 0.0)
    return found
