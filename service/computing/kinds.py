"""The kinds of questions as the edge handles them: one entry each.

Routes, the cache, the workers and the metrics go by these entries. A new kind of question is a
`Kind` of the engine, see `service.answering`, and an entry here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

from service.answering import CLAIM, COMPARE, QUOTE, SOLVE, AnyKind, AnyQuestion
from service.computing.estimating import (
    Parts,
    count_intervals,
    parts_of_claim,
    parts_of_comparison,
    parts_of_quote,
    parts_of_solution,
    seconds_of,
)
from service.core.answer import ClaimAnswer, PricedBill, Quote
from service.core.answer.comparison import Comparison
from service.core.answer.solution import Solution
from service.core.catalog.catalog import Catalog
from service.core.request.envelope import Envelope
from service.envelope.splice import envelope_of

NO_ENVELOPE: Final = Envelope()
"""Nothing is added to a judged claim."""


class Tally(Struct, frozen=True, array_like=True):
    """So many more of what a counter of `service.metrics.Metrics` counts, and its labels."""

    counter: str
    labels: tuple[str, ...]
    amount: float = 1.0


class Handled(Struct, frozen=True, kw_only=True):
    """A kind of question, and what the edge must know of it beside its answer."""

    kind: AnyKind
    parts: Callable[[Any, Catalog], Parts]
    """What takes time of a request, intervals aside."""
    tallies: Callable[[Any], Iterator[Tally]]
    """What is counted of a computed answer."""
    refused: Tally
    """What is counted where a request is understood and cannot be answered."""
    envelope: Callable[[Any], Envelope] = lambda _: NO_ENVELOPE
    """What a request asks to be added to the stored bytes of its answer."""

    @property
    def path(self) -> str:
        """Where requests of this kind are posted, and below which its answers are kept."""
        return f"/{self.kind.name}"


def tallies_of_quote(quote: Quote) -> Iterator[Tally]:
    """Each bill by basis and outcome, each warning by severity and code."""
    for bill in quote.bases:
        outcome = "priced" if isinstance(bill, PricedBill) else "unpriced"
        yield Tally("quotes", (bill.basis, outcome))
    for one in (*quote.warnings, *quote.notes):
        yield Tally("warnings", (one.severity, one.code))


def tallies_of_claim(answer: ClaimAnswer) -> Iterator[Tally]:
    """The verdict."""
    yield Tally("claims", (answer.verdict.verdict,))


def tallies_of_comparison(answer: Comparison) -> Iterator[Tally]:
    """Whether anything is feasible, how many candidates are, and how much was left out."""
    counts = answer.counts
    yield Tally("comparisons", ("feasible" if counts.feasible else "infeasible",))
    yield Tally("candidates", ("feasible",), counts.feasible)
    yield Tally("candidates", ("infeasible",), counts.infeasible)
    yield Tally("left_out", ("plan",), counts.cut_plans)
    yield Tally("left_out", ("device",), len(counts.outdone_devices))


def tallies_of_solution(answer: Solution) -> Iterator[Tally]:
    """What was to be found, and whether it was."""
    yield Tally("solutions", (answer.find, answer.status))


QUOTES: Final = Handled(
    kind=QUOTE,
    parts=parts_of_quote,
    tallies=tallies_of_quote,
    refused=Tally("quotes", ("none", "refused")),
    envelope=envelope_of,
)
CLAIMS: Final = Handled(
    kind=CLAIM,
    parts=parts_of_claim,
    tallies=tallies_of_claim,
    refused=Tally("claims", ("refused",)),
)
COMPARISONS: Final = Handled(
    kind=COMPARE,
    parts=parts_of_comparison,
    tallies=tallies_of_comparison,
    refused=Tally("comparisons", ("refused",)),
)
SOLUTIONS: Final = Handled(
    kind=SOLVE,
    parts=parts_of_solution,
    tallies=tallies_of_solution,
    refused=Tally("solutions", ("none", "refused")),
)
HANDLED: Final = {one.kind.name: one for one in (QUOTES, CLAIMS, COMPARISONS, SOLUTIONS)}


def handled(question: AnyQuestion) -> Handled:
    """How the edge handles a question."""
    return HANDLED[question.kind]


def by_id(id: str) -> Handled | None:
    """The kind of the answer with this id, by how that begins."""
    return next((one for one in HANDLED.values() if id.startswith(one.kind.prefix)), None)


def counts_of(question: AnyQuestion, catalog: Catalog) -> Parts:
    """How much there is of all that takes time."""
    counts = handled(question).parts(question.request, catalog)
    count_intervals(counts, question.canonical)
    return counts


def estimated_cpu_s(question: AnyQuestion, catalog: Catalog) -> float:
    """Seconds of a processor that the answer to a question takes."""
    return seconds_of(counts_of(question, catalog))
