"""Comparisons: one run on every cluster that can be had for it."""

from typing import Final

from service.answering.base_quotes import base_quotes_of, base_totals
from service.answering.kind import Kind, Means, Question, valid_until
from service.core.answer.comparison import Comparison
from service.core.comparing.comparison import check_comparison, comparison
from service.core.request.decisions.compare import CompareRequest
from service.identity.canonical import read_canonical


def comparison_of(question: Question[CompareRequest], means: Means) -> Comparison:
    """The comparison that is asked for. Raises `NotQuotable`. It goes by the canonical form."""
    check_comparison(question.request, means.catalog)
    return comparison(
        read_canonical(question.canonical, asked=CompareRequest),
        means.catalog,
        id=question.id,
        canonical_request=question.canonical,
        engine=means.engine,
        valid_until=valid_until(means.catalog.published_at),
        memo=means.memo,
        base_quote=base_totals(question.request.accounting, means.kept),
    )


COMPARE: Final = Kind(
    name="compare",
    request=CompareRequest,
    prefix="k_",
    domain=b"runquote/compare/1",
    check=check_comparison,
    answer=comparison_of,
    builds_on=lambda request: base_quotes_of(request.accounting),
    costly="/choices",
    size=lambda request: len(request.run.stages),
)
