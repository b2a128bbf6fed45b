"""Quotes for the edge: look in the cache, else compute, count and store."""

from hashlib import sha256
from typing import Final

from msgspec import Struct

from service.answering import Question, answer_of, encoded, question_of
from service.cache import QuoteCache
from service.cache.memory import MemoryTier
from service.core.answer import EngineStamp, PricedBill, Quote
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.draws.memo import Memo
from service.core.request.request import QuoteRequest
from service.heap import Heap
from service.identity.engine import engine_stamp
from service.metrics import Metrics

SPELLINGS_MAX_BYTES: Final = 4 * 2**20
"""Bound of the memory of bodies and their ids. A body that is sent again is not decoded again."""


class Issued(Struct, frozen=True):
    """A quote as bytes, its id, and where it came from."""

    id: str
    body: bytes
    origin: str


class Quoting:
    """Quotes over one catalog, with one cache. The engine is that of this process by default."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        cache: QuoteCache,
        memo: Memo,
        metrics: Metrics,
        engine: EngineStamp | None = None,
    ) -> None:
        self.catalog = catalog
        self.cache = cache
        self.memo = memo
        self.metrics = metrics
        self.engine = engine_stamp() if engine is None else engine
        self._heap = Heap()
        self._spellings = MemoryTier(max_bytes=SPELLINGS_MAX_BYTES)

    def recall(self, body: bytes) -> Issued | None:
        """The quote of a body that was sent before, byte for byte, if it is in memory."""
        spelled = self._spellings.get(sha256(body).hexdigest())
        if spelled is None:
            return None
        id = spelled.decode()
        kept = self.cache.get_memory(id)
        return None if kept is None else Issued(id, kept, "memory")

    def identify(self, request: QuoteRequest) -> Question:
        """The request with the id of its quote, and the canonical request it is a digest of."""
        with self.metrics.phase("key"):
            return question_of(request, engine=self.engine, catalog=self.catalog)

    async def issue(self, request: QuoteRequest, *, spelled: bytes) -> Issued:
        """The quote of a request, from the cache or computed. Raises `NotQuotable`.

        `spelled` is the body that the request was read from. `recall` will find it.
        """
        question = self.identify(request)
        self._spellings.put(sha256(spelled).hexdigest(), question.id.encode())
        body = self.cache.get_memory(question.id)
        if body is not None:
            return Issued(question.id, body, "memory")
        named = question.base_quote
        base = None if named is None else await self.kept(named)
        body = self.compute(question, base_quote=base)
        self.cache.put_nowait(question.id, body)
        return Issued(question.id, body, "computed")

    async def kept(self, id: str) -> bytes | None:
        """A quote issued before, as long as it is kept."""
        return (await self.cache.get(id)).body

    def compute(self, question: Question, *, base_quote: bytes | None = None) -> bytes:
        """The encoded quote, which the metrics count. Raises `NotQuotable`."""
        try:
            with self.metrics.phase("compute"):
                answer = answer_of(
                    question,
                    engine=self.engine,
                    catalog=self.catalog,
                    memo=self.memo,
                    base_quote=base_quote,
                )
        except NotQuotable:
            self.metrics.quotes.labels("none", "refused").inc()
            raise
        self._count(answer)
        with self.metrics.phase("encode"):
            body = encoded(answer)
        del answer  # what it took is free now
        self._heap.answered(len(body))
        return body

    def _count(self, answer: Quote) -> None:
        for bill in answer.bases:
            outcome = "priced" if isinstance(bill, PricedBill) else "unpriced"
            self.metrics.quotes.labels(bill.basis, outcome).inc()
        for warning in (*answer.warnings, *answer.notes):
            self.metrics.warnings.labels(warning.severity, warning.code).inc()
