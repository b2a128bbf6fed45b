"""What an invoice says of its quote, and of the next one."""

from typing import Final

import msgspec

from service.core.differing.reconciliation import reconciliation
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.core.request.names import with_known_names
from service.core.request.request import QuoteRequest
from service.quoted.sides import quote_of_side, request_of
from service.quoting import Quoting

SECONDS: Final = 0.03
"""Seconds of a processor that three predictions of a stage's hours take, with its layout given."""


async def reconciliation_of(asked: ReconciliationRequest, quoting: Quoting) -> bytes:
    """Why an invoice differs. Raises `NotQuotable`, `Busy` or `CacheUnavailable`."""
    quote = await quote_of_side(asked.quote, quoting, pointer="/quote")
    catalog = quoting.shelf.current.catalog
    request: QuoteRequest | None
    try:
        request = with_known_names(request_of(quote), catalog)
    except msgspec.ValidationError:
        request = None
    return await quoting.in_turn(
        lambda: msgspec.json.encode(
            reconciliation(quote, asked, request, catalog, engine=quoting.engine)
        ),
        seconds=SECONDS,
    )
