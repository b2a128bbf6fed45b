"""Solutions: the number that keeps a run within its limits."""

from typing import Final

from service.answering.base_quotes import base_quotes_of, base_totals
from service.answering.kind import Kind, Means, Question, valid_until
from service.core.answer.solution import Solution
from service.core.comparing.solution import Context, check_solution, solution
from service.core.request.decisions.solve import SolveRequest
from service.identity.canonical import read_canonical


def solution_of(question: Question[SolveRequest], means: Means) -> Solution:
    """The number that is asked for. Raises `NotQuotable`. It goes by the canonical form."""
    check_solution(question.request, means.catalog)
    context = Context(
        id=question.id,
        canonical_request=question.canonical,
        engine=means.engine,
        valid_until=valid_until(means.catalog.published_at),
        memo=means.memo,
        base_quote=base_totals(question.request.accounting, means.kept),
    )
    return solution(read_canonical(question.canonical, asked=SolveRequest), means.catalog, context)


SOLVE: Final = Kind(
    name="solve",
    request=SolveRequest,
    prefix="s_",
    domain=b"runquote/solve/1",
    check=check_solution,
    answer=solution_of,
    builds_on=lambda request: base_quotes_of(request.accounting),
    costly="/run/stages",
    size=lambda request: len(request.run.stages),
)
