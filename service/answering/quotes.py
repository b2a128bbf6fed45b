"""Quotes: one run on one cluster."""

from typing import Final

from service.answering.base_quotes import argued, base_quotes_of
from service.answering.kind import Kind, Means, Question
from service.core.answer import Quote
from service.core.quote import check_names, quote
from service.core.request.request import QuoteRequest


def quote_of(question: Question[QuoteRequest], means: Means) -> Quote:
    """The quote of a question. Raises `NotQuotable`.

    It is computed from the canonical request alone, and its pointers lead into that. Unknown names
    are looked for in the request as it was sent, so that errors point into that.
    """
    check_names(question.request, means.catalog)
    return argued(quote, question, means)


QUOTE: Final = Kind(
    name="quote",
    request=QuoteRequest,
    prefix="q_",
    domain=b"runquote/quote/2",
    check=check_names,
    answer=quote_of,
    builds_on=lambda request: base_quotes_of(request.accounting),
    costly="/run/stages",
    size=lambda request: len(request.run.stages),
)
