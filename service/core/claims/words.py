"""A reading in words, and the verdict of a claim in one sentence."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from service.core.answer import Overall
from service.core.claims.judging import JudgedReading
from service.core.claims.readings import DraftReading
from service.core.claims.subject import RateIs, Subject
from service.core.figures.ledger import Term
from service.core.figures.vocabulary import ClaimBasis, ClaimScope

SIZES: Final = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
ALL_OF_IT: Final = "the whole development with experiments, staff and data"
NO_CENTS_FROM: Final = 1e3
"""Amounts from here on are told without cents."""
RATES: Final[Mapping[RateIs, str]] = {
    "stated": "the stated",
    "assumed": "an assumed",
    "implied": "an implied",
    "given": "a given",
}


class Wording(Struct, frozen=True, kw_only=True):
    """What the words of a claim's readings depend on."""

    runs: int
    has_base: bool
    hours_disclosed: bool
    rate: str
    """The stated rate in words, or the supply of the request."""
    market: str
    """The market's price in words."""

    def scope(self, scope: ClaimScope) -> str:
        """What a scope covers."""
        run = "final run" if self.runs == 1 else "final runs"
        base = f"the {run} with the base model" if self.has_base else f"the {run}"
        scopes: Mapping[ClaimScope, str] = {
            "final_run": f"the {run}",
            "with_base_model": base,
            "with_experiments": f"{base}{' and' if self.has_base else ' with'} experiments",
            "with_staff": ALL_OF_IT,
            "capital": "the devices",
        }
        return scopes[scope]

    def reading(self, reading: DraftReading) -> str:
        """A reading in words."""
        if reading.basis == "purchase":
            return "the purchase of the devices"
        hours = "" if self.hours_disclosed else ", at predicted hours"
        if reading.scope == "with_staff":
            return f"{ALL_OF_IT}, {self._devices(reading.basis)}{hours}"
        what = self.scope(reading.scope)
        costs: Mapping[ClaimBasis, str] = {
            "rental_stated": f"the rental of {what} at {self.rate}",
            "rental_market": f"the rental of {what} at {self.market}",
            "owned_straight_line": f"the cost of {what} on owned devices (straight line)",
            "owned_epoch_2024": f"the amortised capital and energy of {what} (epoch-2024)",
        }
        return f"{costs[reading.basis]}{hours}"

    def _devices(self, basis: ClaimBasis) -> str:
        """How the devices of a whole development are paid for."""
        ways: Mapping[ClaimBasis, str] = {
            "rental_stated": f"with devices rented at {self.rate}",
            "rental_market": f"with devices rented at {self.market}",
            "owned_straight_line": "with owned devices (straight line)",
            "owned_epoch_2024": "with owned devices (epoch-2024)",
        }
        return ways[basis]


def wording_of(subject: Subject, *, stated: Term | None, priced_for: str) -> Wording:
    """The words for a subject. `stated` is the stated rate on average."""
    rate = "the stated rate"
    if stated is not None:
        rate = f"{RATES[subject.rate_is]} ${stated.central:,.2f} a device-hour"
    return Wording(
        runs=len(subject.stages),
        has_base=subject.has_base,
        hours_disclosed=subject.discloses_hours,
        rate=rate,
        market=f"the market price of {priced_for}",
    )


def overall(ordered: Sequence[JudgedReading], words: Wording) -> Overall:
    """The verdict of the best reading, and how it stands to the widest or the narrowest one."""
    if not ordered:
        return Overall(
            verdict="not_checkable",
            sentence="Not checkable: no reading of the claim has a total.",
        )
    best = ordered[0]
    first = _of_best(best, words)
    other = _contrast(ordered)
    neither = "nor" if best.verdict in {"below", "above"} else "not"
    second = "" if other is None else f"; {_of_other(other, words, neither=neither)}"
    return Overall(verdict=best.verdict, sentence=f"{first}{second}.")


def _of_best(best: JudgedReading, words: Wording) -> str:
    what = words.reading(best.reading)
    total = usd_in_words(float(best.printed.total))
    if best.verdict == "exact":
        return f"Exact as {what}"
    if best.verdict == "within":
        if best.holds is None:
            return f"Plausible as {what}"
        chance = f"with a probability of {best.probability:.0%}"
        return f"Plausible as {what}, about {total}: the bound holds {chance}"
    return f"Not plausible: the nearest reading is {what}, about {total}, {_side(best)}"


def _side(one: JudgedReading) -> str:
    """On which side of a reading the claim lies, and how far."""
    side = "below" if one.verdict == "below" else "above"
    return f"and the claim is {one.ratio:.2g} times that, {side} its interval"


def _contrast(ordered: Sequence[JudgedReading]) -> JudgedReading | None:
    """The reading to tell beside the best one.

    For a bound it is one where the bound fails. Else it is the whole development, or the final run
    if the best reading is that of the whole development.
    """
    best = ordered[0].reading
    failing = [one for one in ordered if one.holds == "no" and one.reading.lines]
    if failing:
        return failing[0]
    scope: ClaimScope = "final_run" if best.scope == "with_staff" else "with_staff"
    same_basis = [one for one in ordered if one.reading.basis == best.basis]
    others = [one for one in (*same_basis, *ordered) if one.reading.scope == scope]
    return others[0] if others else None


def _of_other(other: JudgedReading, words: Wording, *, neither: str) -> str:
    fits = other.verdict in {"exact", "within"} and other.holds != "no"
    total = usd_in_words(float(other.printed.total))
    what = words.reading(other.reading)
    if other.holds is None and other.reading.scope == "with_staff":
        what = "what the model cost to develop"
    elif other.holds is None:
        what = f"{words.scope('final_run')} alone"
    return f"{'also' if fits else neither} as {what}, about {total}"


def usd_in_words(usd: float) -> str:
    """An amount with three digits and a word for its size."""
    for size, word in SIZES:
        if usd >= size:
            return f"${float(f'{usd / size:.3g}'):,g} {word}"
    return f"${float(f'{usd:.3g}'):,.0f}" if usd >= NO_CENTS_FROM else f"${usd:,.2f}"
