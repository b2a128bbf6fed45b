"""Comparisons: one run on every cluster that can be had for it."""

from typing import Final

from service.answering.base_quotes import argued, base_quotes_of
from service.answering.kind import Kind, Means, Question
from service.core.answer.comparison import Comparison
from service.core.comparing.comparison import check_comparison, comparison
from service.core.request.decisions.compare import CompareRequest


def comparison_of(question: Question[CompareRequest], means: Means) -> Comparison:
    """The comparison that is asked for. Raises `NotQuotable`. It goes by the canonical form."""
    check_comparison(question.request, means.catalog)
    return argued(comparison, question, means)


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
