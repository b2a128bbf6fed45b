"""Many quotes at once: lines of requests in, lines of answers out, in the same order.

Lines are taken in chunks. A few chunks are in work at a time, so memory is bounded however long the
batch is, and nothing more is computed while nobody reads. Cheap lines of a chunk are computed
together, by a worker process if one is free, and otherwise beside the requests. A request that
occurs twice is computed once.
"""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Final, NamedTuple

from msgspec import Struct

from service.answering import kind_of
from service.answering.together import MOST_TOGETHER, together_by_shape
from service.computing.kinds import estimated_cpu_s
from service.core.catalog.errors import NotQuotable
from service.core.request.request import QuoteRequest
from service.envelope.splice import envelope_of
from service.quoted.sides import stays
from service.quoting import Posed, Quoting

CHUNK_LINES: Final = MOST_TOGETHER
"""Lines that are taken together. Those of one shape are argued as one."""
UNLIKE_LINES: Final = 16
"""Lines of no common shape that are computed together: some 0.1 seconds of work."""
LINES_A_TURN: Final = 8
"""Lines that are read between two looks at the network: a millisecond or two."""
CHUNKS_IN_WORK: Final = 3
"""Chunks that are computed, or wait for their turn to be sent."""


class Line(NamedTuple):
    """A line of a batch: its number, from 1, and its bytes, or why it could not be read."""

    number: int
    body: bytes
    refusal: Exception | None = None


class Entry(NamedTuple):
    """A line that was read, as a question, with the seconds that it takes."""

    number: int
    request: QuoteRequest
    posed: Posed
    seconds: float


class Answered(Struct, frozen=True):
    """What a line is answered with: the id and the bytes of its quote, or an error."""

    number: int
    id: str = ""
    body: bytes = b""
    error: Exception | None = None


class Budget:
    """The work that a batch may still take, in estimated seconds of a processor."""

    def __init__(self, most_s: float, too_much: Callable[[], Exception]) -> None:
        self._left_s = most_s
        self._too_much = too_much

    def take(self, seconds: float) -> None:
        """Count work that is about to be done. Raises what the batch says of too much of it."""
        if seconds > self._left_s:
            raise self._too_much()
        self._left_s -= seconds


class Batch:
    """One batch of requests."""

    def __init__(
        self, quoting: Quoting, *, read: Callable[[bytes], QuoteRequest], budget: Budget
    ) -> None:
        self._quoting = quoting
        self._read = read
        self._budget = budget
        self._under_way: dict[str, asyncio.Future[bytes]] = {}

    async def answered(self, lines: AsyncIterator[Line]) -> AsyncGenerator[list[Answered], None]:
        """The answers, chunk by chunk, in the order of the lines."""
        in_work: deque[asyncio.Task[list[Answered]]] = deque()
        try:
            async for chunk in chunks_of(lines):
                in_work.append(asyncio.ensure_future(self._chunk(chunk)))
                while in_work and (len(in_work) >= CHUNKS_IN_WORK or in_work[0].done()):
                    yield await in_work.popleft()
            while in_work:
                yield await in_work.popleft()
        finally:
            for task in in_work:
                task.cancel()
                task.add_done_callback(heard)

    async def _chunk(self, chunk: list[Line]) -> list[Answered]:
        """The answers to some lines: what is kept, what is computed together, what is alone."""
        found: dict[int, Answered] = {}
        together: list[Entry] = []
        waiting: list[tuple[Entry, asyncio.Future[bytes]]] = []
        for place, line in enumerate(chunk):
            if place % LINES_A_TURN == 0:
                await asyncio.sleep(0)
            try:
                request, posed, seconds = await self._posed(line)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the line's problem
                found[line.number] = Answered(line.number, error=error)
                continue
            entry = Entry(line.number, request, posed, seconds)
            kept = self._quoting.cache.get_memory(posed.id)
            if kept is not None:
                found[line.number] = self._answer(entry, kept)
            elif (future := self._under_way.get(posed.id)) is not None:
                waiting.append((entry, future))
            elif self._quoting.is_cheap(posed, seconds):
                together.append(entry)
                self._under_way[posed.id] = asyncio.get_running_loop().create_future()
            else:
                found[line.number] = await self._alone(line, request)
        for part, alike in parts_of(together):
            await self._computed(part, found, alike=alike)
        for entry, future in waiting:
            found[entry.number] = await self._awaited(entry, future)
        return [found[line.number] for line in chunk]

    async def _posed(self, line: Line) -> tuple[QuoteRequest, Posed, float]:
        """A line as a question, with the seconds that it takes. It is charged to the batch."""
        if line.refusal is not None:
            raise line.refusal
        request = self._read(line.body)
        posed = self._quoting.posed(request, await self._quoting.edition_of(request))
        seconds = estimated_cpu_s(posed.question, posed.edition.catalog)
        self._budget.take(seconds)
        return request, posed, seconds

    async def _alone(self, line: Line, request: QuoteRequest) -> Answered:
        """The answer to a line that is dear, or that builds on another quote."""
        try:
            issued = await self._quoting.issue(request, spelled=line.body, leaves=stays)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the line's problem
            return Answered(line.number, error=error)
        return Answered(line.number, id=issued.id, body=issued.body)

    async def _computed(
        self, entries: list[Entry], found: dict[int, Answered], *, alike: bool
    ) -> None:
        """Compute lines together, and let those know that wait for one of them."""
        outcomes: Iterable[bytes | Exception]
        try:
            outcomes = await self._quoting.computed_together(
                [(entry.posed, entry.seconds) for entry in entries], alike=alike
            )
        except Exception as error:  # noqa: BLE001 - all of them have the same problem
            outcomes = [error] * len(entries)
        except asyncio.CancelledError:
            for entry in entries:
                self._under_way.pop(entry.posed.id).cancel()
            raise
        for entry, outcome in zip(entries, outcomes, strict=True):
            future = self._under_way.pop(entry.posed.id)
            if isinstance(outcome, bytes):
                future.set_result(outcome)
                found[entry.number] = self._answer(entry, outcome)
            else:
                future.set_exception(outcome)
                future.exception()  # it is told to every line, and to no log
                found[entry.number] = Answered(entry.number, error=outcome)

    async def _awaited(self, entry: Entry, future: asyncio.Future[bytes]) -> Answered:
        """The answer to a line whose request another line has, too."""
        try:
            return self._answer(entry, await asyncio.shield(future))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the line's problem
            return Answered(entry.number, error=error)

    def _answer(self, entry: Entry, kept: bytes) -> Answered:
        """A quote with what the envelope of its request adds."""
        body = self._quoting.enveloped(kept, envelope_of(entry.request))
        return Answered(entry.number, id=entry.posed.id, body=body)


def parts_of(entries: Sequence[Entry]) -> Iterator[tuple[list[Entry], bool]]:
    """Lines of one shape together, and the others some at a time; and whether they are alike."""
    alike = together_by_shape([entry.posed.question for entry in entries])
    editions = {entry.posed.edition.digest for entry in entries}
    left = dict(enumerate(entries))
    for places in alike if len(editions) == 1 else ():
        if not names_are_known(entries[places[0]].posed):
            continue
        yield [left.pop(place) for place in places], True
    others = list(left.values())
    for start in range(0, len(others), UNLIKE_LINES):
        yield others[start : start + UNLIKE_LINES], False


def names_are_known(posed: Posed) -> bool:
    """Whether a question can be answered, by its names and by those of all of its shape."""
    try:
        kind_of(posed.question.request).check(posed.question.request, posed.edition.catalog)
    except NotQuotable:
        return False
    return True


def heard(task: asyncio.Task[list[Answered]]) -> None:
    """Nobody waits for this chunk any more, so its error is no trouble worth a traceback."""
    if not task.cancelled():
        task.exception()


async def chunks_of(lines: AsyncIterator[Line]) -> AsyncIterator[list[Line]]:
    """Lines in lists of a few."""
    chunk: list[Line] = []
    async for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK_LINES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
