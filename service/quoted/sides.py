"""The quotes that a question is about, given by id or by request, with all their lines.

A quote may have millions of bytes. Its head alone is read here, and who needs the rest reads it
where that takes nobody's time.
"""

import asyncio
import copy
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from service.core.catalog.errors import NamedQuoteNotKept, NotQuotable, QuoteError
from service.core.differing.kept import Made, QuoteHead, quote_head
from service.core.request.about_quotes.difference import QuoteById, QuoteSide
from service.core.request.request import QuoteRequest
from service.identity.canonical import read_canonical
from service.quoting import Quoting

EDITION: Final = "/catalog"
"""Where a request names its edition."""
SECONDS_PER_BYTE: Final = 10e-9
"""Seconds of a processor that reading all of a quote takes (measured: 6 to 9 ns)."""


class Filed(Struct, frozen=True):
    """A quote as bytes, and its head."""

    body: bytes
    head: QuoteHead

    @property
    def seconds(self) -> float:
        """Seconds of a processor that reading all of it takes."""
        return len(self.body) * SECONDS_PER_BYTE


async def stays() -> None:
    """A client that does not leave. Whoever asks for several quotes waits for it elsewhere."""
    await asyncio.Event().wait()


def filed(body: bytes) -> Filed:
    """A quote with its head."""
    return Filed(body, quote_head(body))


async def quote_of(request: QuoteRequest, quoting: Quoting) -> Filed:
    """The quote of a request, with all its lines. Raises `NotQuotable` or `Busy`."""
    request = replace(request, options=replace(request.options, detail="full"))
    issued = await quoting.issue(request, spelled=msgspec.json.encode(request), leaves=stays)
    return filed(issued.body)


async def quote_of_side(side: QuoteSide, quoting: Quoting, *, pointer: str) -> Filed:
    """A quote that is given by its id or by its request.

    Raises `NotQuotable`, with pointers below `pointer`, `Busy` or `CacheUnavailable`.
    """
    if isinstance(side, QuoteById):
        return await _kept(side, quoting, pointer=pointer)
    request, edition = side.request, side.catalog
    if edition is not UNSET:
        request = replace(request, catalog=edition)
    try:
        return await quote_of(request, quoting)
    except NotQuotable as error:
        raise _below(error, pointer, f"{pointer}/request", edition) from None


async def _kept(side: QuoteById, quoting: Quoting, *, pointer: str) -> Filed:
    """A quote by its id, or its request quoted again by the edition that the side names."""
    body = (await quoting.kept(side.id)).body
    if body is None:
        raise NotQuotable((NamedQuoteNotKept(asked=side.id, pointer=f"{pointer}/id"),))
    kept = filed(body)
    if side.catalog is UNSET:
        return await itemised(kept, quoting)
    try:
        return await quote_of(replace(request_of(kept.head), catalog=side.catalog), quoting)
    except NotQuotable as error:
        raise _below(error, pointer, f"{pointer}/id", side.catalog) from None


def _below(
    error: NotQuotable, pointer: str, request_pointer: str, edition: str | UnsetType
) -> NotQuotable:
    """The same errors with pointers into the question instead of into the quote's request."""
    by_side = edition is not UNSET

    def placed(one: QuoteError) -> QuoteError:
        again = copy.copy(one)
        at = pointer if by_side and one.pointer == EDITION else request_pointer
        again.pointer = at if at.endswith("/id") else f"{at}{one.pointer}"
        return again

    return NotQuotable(tuple(map(placed, error.errors)))


async def itemised(quote: Filed, quoting: Quoting) -> Filed:
    """The quote with its lines: made again if it was asked for as a summary, where it can be."""
    if quote.head.lines:
        return quote
    full = await quoted_as(quote.head, of=quote.head, quoting=quoting)
    return quote if full is None else full


async def quoted_as(maker: Made, *, of: Made, quoting: Quoting) -> Filed | None:
    """The request of a quote, quoted by the engine and the edition that made another one.

    None if this is another engine, or if the edition is not at hand. Raises `NotQuotable` if that
    edition cannot quote it.
    """
    if maker.engine.digest != quoting.engine.digest:
        return None
    request = replace(request_of(of), catalog=maker.catalog.version)
    try:
        edition = await quoting.edition_of(request)
    except NotQuotable:
        return None
    if edition.digest != maker.catalog.digest:
        return None
    return await quote_of(request, quoting)


def request_of(quote: Made) -> QuoteRequest:
    """The request of a quote. Raises `msgspec.ValidationError` if a version after us asked it."""
    return read_canonical(bytes(quote.request), asked=QuoteRequest)
