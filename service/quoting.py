"""One quote from outside: look in the cache, else compute, count and store."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from service import __version__
from service.cache import QuoteCache
from service.cache.identity import canonical_request, quote_id
from service.cache.memory import MemoryTier
from service.core.answer import PricedBill, Quote
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import BaseQuoteNotKept, NotQuotable
from service.core.quote import quote
from service.core.request.accounting import BaseQuote
from service.core.request.request import QuoteRequest
from service.metrics import Metrics

VALIDITY: Final = timedelta(days=30)
"""How long the prices of a catalog edition are offered as current."""

SPELLINGS_MAX_BYTES: Final = 4 * 2**20
"""For digests of bodies and the ids they had: a body asked again is not decoded again."""


class Issued(Struct, frozen=True):
    """A quote as bytes, its id, and where it came from."""

    id: str
    body: bytes
    origin: str


class Quoting:
    """Quotes over one catalog, with one cache."""

    def __init__(
        self, *, catalog: Catalog, cache: QuoteCache, metrics: Metrics, engine: str = __version__
    ) -> None:
        self.catalog = catalog
        self.cache = cache
        self.metrics = metrics
        self.engine = engine
        self._spellings = MemoryTier(max_bytes=SPELLINGS_MAX_BYTES)
        self._valid_until = _later(catalog.published_at, VALIDITY)

    def recall(self, body: bytes) -> Issued | None:
        """The quote of a body that was asked for before, letter by letter, if it is in memory."""
        spelled = self._spellings.get(sha256(body).hexdigest())
        if spelled is None:
            return None
        id = spelled.decode()
        kept = self.cache.get_memory(id)
        return None if kept is None else Issued(id, kept, "memory")

    def identify(self, request: QuoteRequest) -> tuple[str, bytes]:
        """The id of the request's quote, and the canonical request it is a digest of."""
        with self.metrics.phase("key"):
            canonical = canonical_request(request)
            return (
                quote_id(canonical, engine=self.engine, catalog_digest=self.catalog.digest),
                canonical,
            )

    async def issue(self, request: QuoteRequest, *, spelled: bytes) -> Issued:
        """The quote of a request, from the cache or computed; raises `NotQuotable`.

        `spelled` is the body that the request was read from: `recall` will know it.
        """
        id, canonical = self.identify(request)
        self._spellings.put(sha256(spelled).hexdigest(), id.encode())
        body = self.cache.get_memory(id)
        if body is not None:
            return Issued(id, body, "memory")
        base = await self._base_quote(request)
        body = self.compute(request, id=id, canonical=canonical, base_quote=base)
        self.cache.put_nowait(id, body)
        return Issued(id, body, "computed")

    async def _base_quote(self, request: QuoteRequest) -> bytes | None:
        """The quote that a request takes its base model from, while it is kept."""
        base = request.accounting.base_model
        return await self.kept(base.id) if isinstance(base, BaseQuote) else None

    async def kept(self, id: str) -> bytes | None:
        """A quote issued before, while it is kept."""
        return (await self.cache.get(id)).body

    def compute(
        self,
        request: QuoteRequest,
        *,
        id: str,
        canonical: bytes,
        base_quote: bytes | None = None,
    ) -> bytes:
        """The encoded quote, counted; raises `NotQuotable`."""
        try:
            with self.metrics.phase("compute"):
                answer = quote(
                    request,
                    self.catalog,
                    id=id,
                    canonical_request=canonical,
                    engine=self.engine,
                    valid_until=self._valid_until,
                    base_quote_usd=_base_usd(request, base_quote),
                )
        except NotQuotable:
            self.metrics.quotes.labels("none", "refused").inc()
            raise
        self._count(answer)
        with self.metrics.phase("encode"):
            return msgspec.json.encode(answer)

    def _count(self, answer: Quote) -> None:
        for bill in answer.bases:
            outcome = "priced" if isinstance(bill, PricedBill) else "unpriced"
            self.metrics.quotes.labels(bill.basis, outcome).inc()
        for warning in answer.warnings:
            self.metrics.warnings.labels(warning.code).inc()


def _base_usd(request: QuoteRequest, base_quote: bytes | None) -> float | None:
    """The rental total of the quote that is the base model; None if there is no such total.

    A quote that is asked for and not kept cannot be guessed from its id: raises `NotQuotable`.
    """
    base = request.accounting.base_model
    if not isinstance(base, BaseQuote):
        return None
    if base_quote is None:
        error = BaseQuoteNotKept(asked=base.id, pointer="/accounting/base_model/id")
        raise NotQuotable((error,))
    for bill in msgspec.json.decode(base_quote, type=Quote).bases:
        if bill.basis == "rental" and isinstance(bill, PricedBill):
            return float(bill.total.amount)
    return None


def _later(instant: str, delay: timedelta) -> str:
    """An RFC 3339 instant, some time after another."""
    return (datetime.fromisoformat(instant) + delay).isoformat().replace("+00:00", "Z")
