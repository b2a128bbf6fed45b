"""Quotes and judged claims for the edge: look in the cache, else compute, count and store.

An answer is looked for in memory, then in the Redis that replicas share if it is dear to compute,
and is computed otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct
from prometheus_client import Counter

from service.answering import AnyQuestion, Request, kind_of, question_of
from service.answering.together import SHARE_TOGETHER, Shapes
from service.cache import Answer, CacheUnavailable, QuoteCache
from service.cache.memory import MemoryTier
from service.caller import CALLER, owned, spend
from service.computing.flights import SharedLook, SingleFlight, unless_gone
from service.computing.heap import Heap
from service.computing.kinds import NO_ENVELOPE, QUOTES, Handled, Tally, estimated_cpu_s, handled
from service.computing.lanes import Busy, Lane, Pool, Turns
from service.computing.worker import (
    Computed,
    EditionMissing,
    bytes_of,
    computed,
    computed_alike_apart,
    computed_all,
    computed_apart,
    computed_together_apart,
)
from service.core.answer import EngineStamp, Today
from service.core.catalog.errors import NotQuotable, TooMuchToCompute
from service.core.draws.memo import Memo
from service.core.request.envelope import Envelope
from service.editions.edition import Edition
from service.editions.shelf import Shelf, opened
from service.envelope.splice import entity_tag, enveloped
from service.envelope.today import STALE_PRICE_DAYS
from service.freshness import Freshness, utc_today
from service.identity.engine import engine_stamp
from service.metrics import Metrics

T = TypeVar("T")
SPELLINGS_MAX_BYTES: Final = 4 * 2**20
"""Bound of the memory of bodies and their ids. A body that is sent again is not decoded again."""
MOST_WAITING_TOGETHER: Final = 4
"""Groups of alike questions that may wait for a worker."""
TOGETHER_BESIDE: Final = 32
"""Alike questions that are answered in one turn beside requests: some 20 ms."""
WRITTEN_A_TURN: Final = 32
"""Answers that are put together from their parts between two looks at the network."""
NOTHING_KEPT: Final[Mapping[str, bytes]] = {}
LEAST_TOGETHER: Final = 4
"""Cheap questions that are given to a worker together. Fewer are computed beside the requests."""
ASK_REDIS_FROM_S: Final = 0.01
"""An answer that takes less is computed at once. A look into Redis takes 0.6 ms, and may wait."""


class Issued(Struct, frozen=True):
    """An answer as bytes, its id, where it came from, its envelope, and what today says of it."""

    id: str
    body: bytes
    origin: str
    envelope: Envelope
    tag: str
    freshness: bytes


class Spelling(Struct, frozen=True, array_like=True):
    """What is remembered of a body that was read: the id of its answer, and its envelope.

    `is_dear` says whether a look into Redis is clearly cheaper than to compute the answer.
    """

    id: str
    envelope: Envelope
    is_dear: bool


read_spelling: Final = msgspec.json.Decoder(Spelling).decode


class Found(NamedTuple):
    """An answer as it is kept, and where it came from."""

    body: bytes
    origin: Literal["redis", "computed"]


class Posed(Struct, frozen=True):
    """A question, and the edition that answers it from begin to end."""

    question: AnyQuestion
    edition: Edition

    @property
    def id(self) -> str:
        """The id of the answer."""
        return self.question.id


class Work(Struct, frozen=True, kw_only=True):
    """A piece of work about answers, as a function here and as the same task of a worker."""

    here: Callable[[], bytes]
    task: Callable[..., bytes]
    """It takes what is asked, the digest of the edition, and the edition's recipe if need be."""
    asked: object
    edition: Edition
    stages: int
    """How many stages it is about."""
    pointer: str
    """Where the part of the question stands that takes most of the time."""


class Apart:
    """Costly answers, computed by worker processes."""

    def __init__(self, pool: Pool, *, beside_s: float, most_s: float) -> None:
        self.pool = pool
        self.beside_s = beside_s
        """What takes no longer is computed beside the requests."""
        self.most_s = most_s
        """What takes longer is refused."""

    async def run(self, posed: Posed, kept: Mapping[str, bytes], *, seconds: float) -> Computed:
        """The answer to a question. Raises `NotQuotable` or `Busy`.

        A worker that has not loaded the edition gets its recipe with the question.
        """
        digest, recipe = posed.edition.digest, posed.edition.recipe
        try:
            return await self.pool.run(
                computed_apart, posed.question, kept, digest, seconds=seconds
            )
        except EditionMissing:
            return await self.pool.run(
                computed_apart, posed.question, kept, digest, recipe, seconds=seconds
            )

    def has_room_for(self, questions: int, *, alike: bool) -> bool:
        """Whether workers are there, and it is worth the while of one that has nothing to do.

        Those that are alike may wait for one: they take less together than a few of them here.
        """
        if questions < LEAST_TOGETHER or not self.pool.is_ready():
            return False
        return self.pool.lane.tasks < self.pool.workers + (MOST_WAITING_TOGETHER if alike else 0)

    async def run_together(
        self, posed: Sequence[Posed], *, seconds: float
    ) -> list[Computed | Exception]:
        """The answers to questions to one edition. Raises `Busy`."""
        questions = [one.question for one in posed]
        edition = posed[0].edition
        return list(await self.run_by(edition, computed_together_apart, questions, seconds))

    async def run_alike(
        self, posed: Sequence[Posed], *, seconds: float
    ) -> list[Computed | Exception]:
        """The answers to questions of one shape to one edition, whose names are known.

        What is counted of all is counted with one of them. Raises `Busy`.
        """
        asked = [(one.question.id, one.question.canonical) for one in posed]
        alike = await self.run_by(posed[0].edition, computed_alike_apart, asked, seconds)
        found: dict[int, Computed | Exception] = {}
        for place, one in alike.answers():
            found[place] = one
            if len(found) % WRITTEN_A_TURN == 0:
                await asyncio.sleep(0)
        return [found[place] for place in range(len(posed))]

    async def run_by(
        self, edition: Edition, task: Callable[..., T], asked: object, seconds: float
    ) -> T:
        """What a worker returns that has an edition, or else is told how it is made."""
        try:
            return await self.pool.run(task, asked, edition.digest, seconds=seconds)
        except EditionMissing:
            return await self.pool.run(task, asked, edition.digest, edition.recipe, seconds=seconds)


class Quoting:
    """Answers over the editions of a shelf, with one cache, by the engine of this process."""

    def __init__(
        self,
        *,
        shelf: Shelf,
        cache: QuoteCache,
        memo: Memo,
        metrics: Metrics,
        engine: EngineStamp | None = None,
        apart: Apart | None = None,
        most_waiting_s: float = 5.0,
        stale_price_days: int = STALE_PRICE_DAYS,
        today: Callable[[], str] = utc_today,
    ) -> None:
        self.shelf = shelf
        self.cache = cache
        self.memo = memo
        self.metrics = metrics
        self.engine = engine_stamp() if engine is None else engine
        self.apart = apart
        self._turns = Turns(most_waiting_s=most_waiting_s)
        self._flights: SingleFlight[Found] = SingleFlight()
        self._look_ups: SharedLook[Answer] = SharedLook()
        self._openings: SingleFlight[Edition] = SingleFlight()
        self._heap = Heap()
        self._shapes = Shapes()
        self.freshness = Freshness(
            stale_price_days=stale_price_days, today=today, seen=self._seen_on_a_day
        )
        self._spellings = MemoryTier(max_bytes=SPELLINGS_MAX_BYTES)

    @property
    def lanes(self) -> dict[str, Lane]:
        """Where answers are computed, by name."""
        lanes = {"beside": self._turns.lane}
        return lanes if self.apart is None else lanes | {"apart": self.apart.pool.lane}

    def known(self, body: bytes, *, asked: Handled = QUOTES) -> Spelling | None:
        """What is remembered of a body that was sent before, byte for byte."""
        spelled = self._spellings.get(spelling(asked, body, mark=self.shelf.standing.mark))
        return None if spelled is None else read_spelling(spelled)

    def recall(self, known: Spelling) -> Issued | None:
        """The answer to a body that was sent before, if it is in memory."""
        kept = self.cache.get_memory(known.id)
        return None if kept is None else self.issued(known, kept, "memory")

    async def recall_shared(self, known: Spelling) -> Issued | None:
        """The same, if only Redis has the answer, which it is asked for where that pays."""
        if not known.is_dear:
            return None
        kept = (await self._look(known.id)).body
        return None if kept is None else self.issued(known, kept, "redis")

    def posed(self, request: Request, edition: Edition) -> Posed:
        """A request as a question to an edition, with the id of its answer."""
        with self.metrics.phase("key"):
            question = question_of(request, engine=self.engine, catalog=edition.catalog)
            return Posed(question, edition)

    async def edition_of(self, request: Request) -> Edition:
        """The edition that a request names, or the current one. Raises `NotQuotable`.

        One of the folder is loaded when it is first asked for, beside the requests.
        """
        found = self.shelf.find(request.catalog)
        if isinstance(found, Edition):
            return found
        unopened = found

        async def open_it() -> Edition:
            return self.shelf.keep(unopened, await asyncio.to_thread(opened, unopened))

        return await self._openings.run(unopened.version, open_it)

    async def issue(
        self,
        request: Request,
        *,
        spelled: bytes,
        leaves: Callable[[], Awaitable[None]],
    ) -> Issued:
        """The answer to a request, from the cache or computed.

        `spelled` is the body that the request was read from. `recall` will find it. `leaves` waits
        until the client has left. Raises `NotQuotable`, `Busy`, `ClientGone` or `CacheUnavailable`.
        """
        mark = self.shelf.standing.mark
        posed = self.posed(request, await self.edition_of(request))
        asked = handled(posed.question)
        body = self.cache.get_memory(posed.id)
        seconds = estimated_cpu_s(posed.question, posed.edition.catalog)
        known = Spelling(
            posed.id,
            asked.envelope(request),
            seconds >= ASK_REDIS_FROM_S or not self._fits_beside(seconds),
        )
        self._spellings.put(spelling(asked, spelled, mark=mark), msgspec.json.encode(known))
        if body is not None:
            return self.issued(known, body, "memory")
        if not known.is_dear:
            await spend(seconds)
            found = await self._computed(posed, seconds)
        else:
            found = await unless_gone(self._dear(posed, seconds), leaves)
        return self.issued(known, found.body, found.origin)

    def is_cheap(self, posed: Posed, seconds: float) -> bool:
        """Whether a question needs nothing but its edition, and is computed beside the requests."""
        builds_on = handled(posed.question).kind.builds_on(posed.question.request)
        return not builds_on and self._fits_beside(seconds)

    async def computed_together(
        self, questions: Sequence[tuple[Posed, float]], *, alike: bool = False
    ) -> list[bytes | Exception]:
        """The answers to cheap questions, each with its seconds, or why there is none.

        `alike` are questions of one shape to one edition, which take less time together.
        A worker computes them if one is free, and otherwise they are computed one after the other,
        in turn with the requests of others. All are kept. Raises `Busy` or `QuotaExceeded`.
        """
        if not questions:
            return []
        seconds = seconds_together(questions, alike=alike)
        await spend(seconds)
        editions = {posed.edition.digest for posed, _ in questions}
        if (
            self.apart is not None
            and len(editions) == 1
            and self.apart.has_room_for(len(questions), alike=alike)
        ):
            run = self.apart.run_alike if alike else self.apart.run_together
            found = await run([one for one, _ in questions], seconds=seconds)
        else:
            found = await self._all_beside(questions, alike=alike)
        answers: list[bytes | Exception] = []
        for (posed, _), one in zip(questions, found, strict=True):
            if isinstance(one, Computed):
                self.cache.put_nowait(posed.id, one.body)
                answers.append(self._counted(one))
            else:
                self._tally(handled(posed.question).refused)
                answers.append(one)
        return answers

    async def _all_beside(
        self, questions: Sequence[tuple[Posed, float]], *, alike: bool
    ) -> list[Computed | Exception]:
        """Answers that are computed in turn with the requests of others, some at a time if alike.

        Or else why there is none.
        """
        at_once = TOGETHER_BESIDE if alike else 1
        found: list[Computed | Exception] = []
        for start in range(0, len(questions), at_once):
            found += await self._beside(questions[start : start + at_once], alike=alike)
        return found

    async def _beside(
        self, questions: Sequence[tuple[Posed, float]], *, alike: bool
    ) -> Sequence[Computed | Exception]:
        """The answers to questions to one edition, computed in one turn."""
        try:
            found = await self._turns.run(
                lambda: computed_all(
                    [posed.question for posed, _ in questions],
                    engine=self.engine,
                    catalog=questions[0][0].edition.catalog,
                    memo=self.memo,
                    shapes=self._shapes,
                ),
                seconds=seconds_together(questions, alike=alike),
            )
        except Busy as error:
            return [error] * len(questions)
        self._heap.answered(bytes_of(found))
        return found

    async def worked(self, work: Work, *, seconds: float) -> bytes:
        """What comes of a piece of work that takes about so long, here or by a worker.

        Raises `NotQuotable`, `Busy` or `QuotaExceeded`. If the caller is cancelled, so is the work.
        """
        if self.apart is None or self._fits_beside(seconds):
            await spend(seconds)
            return await self._turns.run(work.here, seconds=seconds)
        if seconds > self.apart.most_s:
            raise TooMuchToCompute(
                seconds=seconds,
                most_seconds=self.apart.most_s,
                stages=work.stages,
                pointer=work.pointer,
            )
        await spend(seconds)
        return await self.apart.run_by(work.edition, work.task, work.asked, seconds)

    def enveloped(self, body: bytes, envelope: Envelope) -> bytes:
        """The kept bytes of an answer, with what its envelope adds."""
        return enveloped(body, envelope, stale_price_days=self.freshness.stale_price_days)

    def entity_tag(self, id: str, envelope: Envelope) -> str:
        """What tells the answers of one quote apart."""
        return entity_tag(id, envelope, stale_price_days=self.freshness.stale_price_days)

    def issued(self, known: Spelling, kept: bytes, origin: str) -> Issued:
        """The answer to a request: the bytes that are kept, with what its envelope adds."""
        return Issued(
            id=known.id,
            body=self.enveloped(kept, known.envelope),
            origin=origin,
            envelope=known.envelope,
            tag=self.entity_tag(known.id, known.envelope),
            freshness=self.freshness.header(known.id, kept),
        )

    def issued_unread(self, known: Spelling, gist: bytes, origin: str) -> Issued:
        """The same without its bytes, for who has a compressed copy, by what is kept beside it."""
        freshness = self.freshness.header(known.id, gist)
        return Issued(known.id, b"", origin, known.envelope, known.id, freshness)

    def recall_unread(self, known: Spelling) -> Issued | None:
        """The same for an answer that was sent today."""
        freshness = self.freshness.known(known.id)
        if freshness is None or known.envelope != NO_ENVELOPE:
            return None
        return Issued(known.id, b"", "memory", known.envelope, known.id, freshness)

    def _seen_on_a_day(self, today: Today) -> None:
        """Observe how old the prices behind an answer are, by the family of their accelerator."""
        known = self.shelf.current.catalog.accelerators
        for one in today.prices:
            if one.accelerator in known:
                family = known[one.accelerator].generation
                self.metrics.price_age.labels(family).observe(one.median_days)

    async def kept(self, id: str) -> Answer:
        """An answer issued before, as long as it is kept. Raises `CacheUnavailable`."""
        body = self.cache.get_memory(id)
        if body is not None:
            return Answer(body, "memory")
        found = await self._look(id)
        if found.origin == "unasked":
            raise CacheUnavailable(id)
        return found

    async def _look(self, id: str) -> Answer:
        """What Redis has for this caller, looked for once for all who ask at the same time."""
        return await self._look_ups.run(owned(id), lambda: self.cache.get_shared(id))

    async def _dear(self, posed: Posed, seconds: float) -> Found:
        """An answer that is worth a look into Redis, computed once for all who wait for it.

        Each of them has it from its own account, unless it is in Redis.
        """
        if CALLER.get().account is not None:
            shared = await self._look(posed.id)
            if shared.body is not None:
                return Found(shared.body, "redis")
            await spend(seconds)
        return await self._flights.run(
            owned(posed.id), lambda: self._shared_or_computed(posed, seconds)
        )

    async def _shared_or_computed(self, posed: Posed, seconds: float) -> Found:
        """The answer that another process has computed, or else our own."""
        shared = await self.cache.get_shared(posed.id)
        if shared.body is not None:
            return Found(shared.body, "redis")
        return await self._computed(posed, seconds)

    async def _computed(self, posed: Posed, seconds: float) -> Found:
        """The answer, computed and kept. What it builds on is looked for first."""
        body = await self._computed_where_it_fits(posed, await self._built_on(posed), seconds)
        self.cache.put_nowait(posed.id, body)
        return Found(body, "computed")

    async def _built_on(self, posed: Posed) -> dict[str, bytes]:
        """The answers that a question builds on, those that are kept. Raises `CacheUnavailable`."""
        ids = kind_of(posed.question.request).builds_on(posed.question.request)
        kept = {id: (await self.kept(id)).body for id in ids}
        return {id: body for id, body in kept.items() if body is not None}

    def _fits_beside(self, seconds: float) -> bool:
        """Whether so much work is done between two looks at the network."""
        return self.apart is None or seconds <= self.apart.beside_s

    async def _computed_where_it_fits(
        self, posed: Posed, kept: Mapping[str, bytes], seconds: float
    ) -> bytes:
        """The encoded answer: computed in turn if that is quick, and in a worker otherwise."""
        if self.apart is None or self._fits_beside(seconds):
            return await self._turns.run(lambda: self.compute(posed, kept=kept), seconds=seconds)
        request, kind = posed.question.request, handled(posed.question).kind
        if seconds > self.apart.most_s:
            raise TooMuchToCompute(
                seconds=seconds,
                most_seconds=self.apart.most_s,
                stages=kind.size(request),
                pointer=kind.costly,
            )
        kind.check(request, posed.edition.catalog)
        with self.metrics.phase("compute"), self.metrics.computing(kind.name):
            return self._counted(await self.apart.run(posed, kept, seconds=seconds))

    def compute(self, posed: Posed, *, kept: Mapping[str, bytes] = NOTHING_KEPT) -> bytes:
        """The encoded answer, computed here, which the metrics count. Raises `NotQuotable`."""
        try:
            kind = posed.question.kind
            with self.metrics.phase("compute"), self.metrics.computing(kind):
                found = computed(
                    posed.question,
                    engine=self.engine,
                    catalog=posed.edition.catalog,
                    memo=self.memo,
                    kept=kept,
                )
        except NotQuotable:
            self._tally(handled(posed.question).refused)
            raise
        self._heap.answered(len(found.body))
        return self._counted(found)

    def _counted(self, found: Computed) -> bytes:
        for tally in found.tallies:
            self._tally(tally)
        return found.body

    def _tally(self, tally: Tally) -> None:
        counter: Counter = getattr(self.metrics, tally.counter)
        counter.labels(*tally.labels).inc(tally.amount)


def seconds_together(questions: Sequence[tuple[Posed, float]], *, alike: bool) -> float:
    """Seconds of a processor that the answers to questions take."""
    seconds = [taken for _, taken in questions]
    return max(seconds) + SHARE_TOGETHER * sum(seconds) if alike else sum(seconds)


def spelling(asked: Handled, body: bytes, *, mark: str) -> str:
    """The key of a body in the memory of bodies, as long as the editions with this mark stand.

    The same bytes may be a request of one kind and no request of another.
    """
    digest = sha256(b"%b\n%b\n%b" % (asked.kind.name.encode(), mark.encode(), body))
    return owned(digest.hexdigest())
