"""One quote from outside: look in the cache, else compute, count and store."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from service import __version__
from service.cache import QuoteCache
from service.cache.identity import canonical_request, quote_id
from service.core.answer import PricedBill, Quote
from service.core.catalog import Catalog
from service.core.errors import NotQuotable
from service.core.quote import quote
from service.core.request import QuoteRequest
from service.metrics import Metrics

VALIDITY: Final = timedelta(days=30)
"""How long the prices of a catalog edition are offered as current."""


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
        self._valid_until = _later(catalog.published_at, VALIDITY)

    def identify(self, request: QuoteRequest) -> tuple[str, bytes]:
        """The id of the request's quote, and the canonical request it is a digest of."""
        with self.metrics.phase("key"):
            canonical = canonical_request(request)
            return (
                quote_id(canonical, engine=self.engine, catalog_digest=self.catalog.digest),
                canonical,
            )

    async def issue(self, request: QuoteRequest) -> Issued:
        """The quote of a request, from the cache or computed; raises `NotQuotable`."""
        id, canonical = self.identify(request)
        body = self.cache.get_memory(id)
        if body is not None:
            return Issued(id, body, "memory")
        body = self.compute(request, id=id, canonical=canonical)
        self.cache.put_nowait(id, body)
        return Issued(id, body, "computed")

    async def kept(self, id: str) -> bytes | None:
        """A quote issued before, while it is kept."""
        return (await self.cache.get(id)).body

    def compute(self, request: QuoteRequest, *, id: str, canonical: bytes) -> bytes:
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


def _later(instant: str, delay: timedelta) -> str:
    """An RFC 3339 instant, some time after another."""
    return (datetime.fromisoformat(instant) + delay).isoformat().replace("+00:00", "Z")
