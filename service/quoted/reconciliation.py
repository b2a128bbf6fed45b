"""What an invoice says of its quote, and of the next one."""

from typing import Final, NamedTuple

import msgspec

from service.computing.kinds import estimated_cpu_s
from service.computing.worker import workshop
from service.core.answer import EngineStamp
from service.core.catalog.catalog import Catalog
from service.core.differing.kept import kept_quote
from service.core.differing.reconciliation import reconciliation
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.core.request.names import with_known_names
from service.core.request.request import QuoteRequest
from service.editions.edition import Recipe
from service.quoted.sides import Filed, quote_of_side, request_of
from service.quoting import Quoting, Work

SECONDS: Final = 0.002
"""Seconds of a processor that the invoice itself takes, beside predictions of hours."""
PREDICTIONS: Final = 3
"""Predictions of a stage's hours that tell its speed. None takes longer than the stage's quote."""


async def reconciliation_of(asked: ReconciliationRequest, quoting: Quoting) -> bytes:
    """Why an invoice differs. Raises `NotQuotable`, `Busy` or `CacheUnavailable`."""
    quote = await quote_of_side(asked.quote, quoting, pointer="/quote")
    catalog = quoting.shelf.current.catalog
    request: QuoteRequest | None
    try:
        request = with_known_names(request_of(quote.head), catalog)
    except msgspec.ValidationError:
        request = None
    parts = Invoiced(quote, asked, request, quoting.engine)
    work = Work(
        here=lambda: reconciliation_of_parts(parts, catalog),
        task=reconciled_apart,
        asked=parts,
        edition=quoting.shelf.current,
        stages=len(quote.head.stages),
        pointer="/quote",
    )
    return await quoting.worked(work, seconds=quote.seconds + seconds_of(request, quoting))


class Invoiced(NamedTuple):
    """A quote and its invoice, the quote's request if it can be read, and the engine of today."""

    quote: Filed
    asked: ReconciliationRequest
    request: QuoteRequest | None
    engine: EngineStamp


def seconds_of(request: QuoteRequest | None, quoting: Quoting) -> float:
    """Seconds of a processor that a reconciliation of a read quote takes at most, as estimated."""
    if request is None or len(request.run.stages) > 1:
        return SECONDS  # nothing is predicted of a run of several stages
    posed = quoting.posed(request, quoting.shelf.current)
    return SECONDS + PREDICTIONS * estimated_cpu_s(posed.question, posed.edition.catalog)


def reconciliation_of_parts(parts: Invoiced, catalog: Catalog) -> bytes:
    """Why an invoice differs, as bytes."""
    quote = kept_quote(parts.quote.body)
    found = reconciliation(quote, parts.asked, parts.request, catalog, engine=parts.engine)
    return msgspec.json.encode(found)


def reconciled_apart(parts: Invoiced, digest: str, recipe: Recipe | None = None) -> bytes:
    """The same, by a worker. Raises `EditionMissing`."""
    return reconciliation_of_parts(parts, workshop(digest, recipe).catalog)
