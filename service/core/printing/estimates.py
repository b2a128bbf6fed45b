"""Numbers of the argument as the answer shows them: the central value, its interval, its figure."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import UNSET, UnsetType

from service.core.answer import (
    AmountInterval,
    Estimate,
    EstimateWithOutcomes,
)
from service.core.argument import Unknown
from service.core.bills.lines import DraftBill
from service.core.draws.looks import Quantiles
from service.core.draws.memo import Memo
from service.core.draws.spread import Spread
from service.core.figures.ledger import Ledger, Term
from service.core.printing.money import (
    CENT_PLACES,
    printed,
    printed_estimate,
)


def spread_of_quote(
    ledger: Ledger,
    bills: Sequence[DraftBill],
    memo: Memo,
    *,
    hours: Iterable[Term | Unknown | None],
    kind: type[Spread] = Spread,
) -> Spread:
    """The joint draws of the whole argument, with the drivers of the bills' totals.

    They also have outcomes of the hours, and of seconds of steps, that are known.
    """
    totals = [bill.total.name for bill in bills if bill.total is not None]
    drawn = [term.name for term in hours if isinstance(term, Term)]
    return kind(ledger, memo, totals=totals, outcomes=drawn)


def estimate(term: Term | Unknown | None, spread: Spread) -> Estimate | UnsetType:
    """A number of a stage with its interval and its figure, if it is known."""
    return known(term, spread) if isinstance(term, Term) else UNSET


def known(term: Term, spread: Spread) -> Estimate:
    """A number with its interval and its figure."""
    interval = spread.interval(term.name)
    return Estimate(
        central=term.central,
        p10=interval.p10,
        p50=interval.p50,
        p90=interval.p90,
        figure=term.name,
    )


def known_with_outcomes(term: Term, spread: Spread) -> EstimateWithOutcomes:
    """A number with its interval, its figure and its outcomes."""
    interval = spread.interval(term.name)
    return EstimateWithOutcomes(
        central=term.central,
        p10=interval.p10,
        p50=interval.p50,
        p90=interval.p90,
        figure=term.name,
        outcomes=spread.outcomes(term.name).values,
    )


def estimate_with_outcomes(
    term: Term | Unknown | None, spread: Spread
) -> EstimateWithOutcomes | UnsetType:
    """Hours with their interval, their figure and their outcomes, if they are known."""
    return known_with_outcomes(term, spread) if isinstance(term, Term) else UNSET


def printed_interval(
    interval: Quantiles, *, central: Decimal, places: int = CENT_PLACES
) -> AmountInterval:
    """Quantiles of an amount as they are printed. Without spread they are the amount."""
    if interval.p10 == interval.p90:
        amount = printed(central)
        return AmountInterval(p10=amount, p50=amount, p90=amount)
    return AmountInterval(
        p10=printed_estimate(interval.p10, places=places),
        p50=printed_estimate(interval.p50, places=places),
        p90=printed_estimate(interval.p90, places=places),
    )
