"""Quotes: one run on one cluster."""

from typing import Final

from service.answering.base_quotes import base_quotes_of, base_totals
from service.answering.kind import Kind, Means, Question, valid_until
from service.core.answer import Quote
from service.core.quote import check_names, quote
from service.core.request.request import QuoteRequest
from service.identity.canonical import read_canonical


def quote_of(question: Question[QuoteRequest], means: Means) -> Quote:
    """The quote of a question. Raises `NotQuotable`.

    It is computed from the canonical request alone, and its pointers lead into that. Unknown names
    are looked for in the request as it was sent, so that errors point into that.
    """
    check_names(question.request, means.catalog)
    return quote(
        read_canonical(question.canonical, asked=QuoteRequest),
        means.catalog,
        id=question.id,
        canonical_request=question.canonical,
        engine=means.engine,
        valid_until=valid_until(means.catalog.published_at),
        memo=means.memo,
        base_quote=base_totals(question.request.accounting, means.kept),
    )


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
