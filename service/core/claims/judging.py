"""How a claim fits a reading: position, ratio, verdict, and the order of readings."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import inf, log
from typing import Final

from msgspec import Struct

from service.core.answer import AmountInterval, Holds, Verdict
from service.core.claims.readings import SCOPES, DraftReading
from service.core.draws.spread import Spread
from service.core.figures.vocabulary import ClaimBasis, ClaimScope
from service.core.request.claim import ClaimRequest
from service.core.request.quantities import ClaimedUsd
from service.core.request.wire import Interval

EXACT_WITHIN: Final = 0.02
"""How far an exact claim may be from the total, as a share of it."""
DISCLOSED_SCOPES: Final[frozenset[ClaimScope]] = frozenset({"final_run", "with_base_model"})
"""Scopes whose hours and rates may all be disclosed. The wider ones rest on usual ratios."""
HOLDS_FROM: Final = 0.9
FAILS_UP_TO: Final = 0.1
BASIS_ORDER: Final[tuple[ClaimBasis, ...]] = (
    "rental_stated",
    "rental_market",
    "owned_straight_line",
    "owned_epoch_2024",
    "purchase",
)
SCOPE_ORDER: Final[tuple[ClaimScope, ...]] = (*SCOPES, "capital")
HOLDS_ORDER: Final[Mapping[Holds | None, int]] = {None: 1, "yes": 1, "open": 2, "no": 3}
OUTSIDE: Final = 4
"""The rank of readings that the claim is below or above."""
STEPS_OF_RATIO: Final = 100.0
"""Ratios are compared in steps of one in a hundred, so that nearly equal ones count as equal."""
SMALLEST_USD: Final = 1e-9
"""Stands for a total of nothing where a ratio to it is taken."""


class Claimed(Struct, frozen=True, kw_only=True):
    """The amounts that a claim admits, from `low` to `high`, and the one that stands for it."""

    usd: float
    low: float
    high: float
    bounded: bool

    @property
    def is_one_amount(self) -> bool:
        """Whether the claim is one number without a bound."""
        return self.low == self.high


class PrintedTotal(Struct, frozen=True, kw_only=True):
    """A total and its interval as the answer prints them. Verdicts go by these."""

    total: Decimal
    interval: AmountInterval


class JudgedReading(Struct, frozen=True, kw_only=True):
    """A reading with its verdict."""

    reading: DraftReading
    printed: PrintedTotal
    position: float
    ratio: float
    verdict: Verdict
    probability: float | None
    holds: Holds | None


def claimed_usd(claim: ClaimRequest) -> ClaimedUsd | Interval[ClaimedUsd]:
    """The amount that is judged: of an interval with a bound, the end that the bound names."""
    said = claim.amount
    if not isinstance(said, Interval) or claim.bound == "about":
        return said
    ends = (said.low, said.high)
    return min(ends) if claim.bound == "at_least" else max(ends)


def claimed_of(claim: ClaimRequest, usd: float) -> Claimed:
    """The amounts that a claim admits. `usd` is the amount that is judged."""
    said = claim.amount
    if claim.bound == "at_least":
        return Claimed(usd=usd, low=usd, high=inf, bounded=True)
    if claim.bound == "at_most":
        return Claimed(usd=usd, low=0.0, high=usd, bounded=True)
    if isinstance(said, Interval):
        low, high = sorted((said.low, said.high))
        return Claimed(usd=usd, low=low, high=high, bounded=False)
    return Claimed(usd=usd, low=usd, high=usd, bounded=False)


def judged(
    reading: DraftReading,
    printed: PrintedTotal,
    claimed: Claimed,
    *,
    hours_disclosed: bool,
    spread: Spread,
) -> JudgedReading:
    """A reading with the place of the claim in its distribution, and the verdict."""
    name = reading.total.name
    position = spread.position(claimed.usd, name=name)
    probability = None
    if not claimed.is_one_amount:
        upper = 1.0 if claimed.high == inf else spread.position(claimed.high, name=name)
        lower = spread.position(claimed.low, name=name) if claimed.low > 0.0 else 0.0
        probability = max(upper - lower, 0.0)
    return JudgedReading(
        reading=reading,
        printed=printed,
        position=position,
        ratio=claimed.usd / max(float(printed.total), SMALLEST_USD),
        verdict=verdict_of(
            claimed,
            printed,
            from_what_was_said=hours_disclosed
            and reading.basis == "rental_stated"
            and reading.scope in DISCLOSED_SCOPES,
        ),
        probability=probability,
        holds=holds(probability) if claimed.bounded and probability is not None else None,
    )


def verdict_of(claimed: Claimed, printed: PrintedTotal, *, from_what_was_said: bool) -> Verdict:
    """How the amounts of a claim lie to a total and its interval.

    `from_what_was_said`: the total follows from disclosed hours at a stated rate.
    """
    total_usd = float(printed.total)
    near = abs(claimed.usd - total_usd) <= EXACT_WITHIN * total_usd
    if claimed.is_one_amount and from_what_was_said and near:
        return "exact"
    if claimed.high < float(printed.interval.p10):
        return "below"
    if claimed.low > float(printed.interval.p90):
        return "above"
    return "within"


def holds(probability: float) -> Holds:
    """Whether a bound holds, as far as the draws say."""
    if probability >= HOLDS_FROM:
        return "yes"
    return "no" if probability <= FAILS_UP_TO else "open"


def in_order(
    readings: Sequence[JudgedReading], claimed: Claimed, *, scope: ClaimScope | None
) -> tuple[JudgedReading, ...]:
    """Readings by how well they reconcile the claim, best first.

    First the exact ones, then those that the claim is within: of a bound those where it holds, then
    those where that is open. Among equals the scope that the claim states comes first, then the
    median nearest to the claim by ratio, in steps of 1%, then a stated rate before others, then the
    narrower scope.
    """
    return tuple(sorted(readings, key=lambda one: _rank(one, claimed, scope)))


def _class_of(one: JudgedReading) -> int:
    if one.verdict == "exact":
        return 0
    return HOLDS_ORDER[one.holds] if one.verdict == "within" else OUTSIDE


def _rank(one: JudgedReading, claimed: Claimed, scope: ClaimScope | None) -> tuple[int, ...]:
    median = max(float(one.printed.interval.p50), SMALLEST_USD)
    return (
        _class_of(one),
        0 if one.reading.scope == scope else 1,
        round(abs(log(claimed.usd / median)) * STEPS_OF_RATIO),
        BASIS_ORDER.index(one.reading.basis),
        SCOPE_ORDER.index(one.reading.scope),
    )
