"""POST /quote/batch: a request on each line, and on each line of the answer what came of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Final

import structlog
from litestar import asgi
from litestar.datastructures import Headers
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send
from msgspec import Struct

from service.api.http.bodies import ALLOWED, IDENTITY, coding_of, departure
from service.api.http.negotiation import NDJSON, check_accepts, check_content_type
from service.api.refusing.decoding import decode_request
from service.api.refusing.errors import (
    BatchTooLong,
    BodyTimeout,
    MethodNotAllowed,
    PayloadTooLarge,
    UnknownContentCoding,
)
from service.api.refusing.problems import render, send_problem
from service.computing.flights import ClientGone, unless_gone
from service.quoted.batch import Answered, Batch, Budget, Line
from service.quoting import Quoting

log = structlog.get_logger("runquote.http")

PATH: Final = "/quote/batch"
NEWLINE: Final = b"\n"
UNREAD_MAX_BYTES: Final = 8 * 2**20
"""Bytes of lines that wait to be answered, before no more are read."""
WRITTEN_BYTES: Final = 2**18
"""Bytes of the answer that are written at once, at least: they stay in the cache of a core."""


class BatchLimits(Struct, frozen=True, kw_only=True):
    """How much one batch may hold."""

    lines: int
    bytes: int
    line_bytes: int
    cpu_s: float
    read_s: float


class Incoming:
    """The lines of a body, while it arrives."""

    def __init__(self, receive: Receive, limits: BatchLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._lines: asyncio.Queue[Line | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._unread_bytes = 0
        self._bytes = 0
        self._number = 0
        self._partial = bytearray()
        self._is_over = False

    async def pump(self) -> None:
        """Take the body as it comes, then wait until the client leaves. Raises `ClientGone`."""
        try:
            more = True
            while more:
                await self._room.wait()
                async with asyncio.timeout(self._limits.read_s):
                    message = await self._receive()
                if message["type"] != "http.request":
                    raise ClientGone
                self._take(message.get("body", b""))
                more = message.get("more_body", False)
            self._end_line()
        except TimeoutError:
            self._refuse(BodyTimeout(self._limits.read_s))
        finally:
            self._lines.put_nowait(None)
        await departure(self._receive)

    async def lines(self) -> AsyncIterator[Line]:
        """The lines, as soon as they are whole."""
        while (line := await self._lines.get()) is not None:
            self._unread_bytes -= len(line.body)
            if self._unread_bytes < UNREAD_MAX_BYTES:
                self._room.set()
            yield line

    def _take(self, chunk: bytes) -> None:
        """Cut what has come into lines. What is beyond the bounds is dropped."""
        if self._is_over:
            return
        self._bytes += len(chunk)
        if self._bytes > self._limits.bytes:
            self._refuse(BatchTooLong(f"it has more than {self._limits.bytes:,} bytes"))
            return
        *whole, rest = chunk.split(NEWLINE)
        for piece in whole:
            self._partial += piece
            self._end_line()
        if len(self._partial) <= self._limits.line_bytes:
            self._partial += rest

    def _end_line(self) -> None:
        """A line has ended. An empty one is counted and not answered."""
        if self._is_over:
            return
        body, self._partial = bytes(self._partial).strip(), bytearray()
        self._number += 1
        if not body:
            return
        if self._number > self._limits.lines:
            self._number -= 1
            self._refuse(BatchTooLong(f"it has more than {self._limits.lines:,} lines"))
        elif len(body) > self._limits.line_bytes:
            refusal = PayloadTooLarge(self._limits.line_bytes)
            self._lines.put_nowait(Line(self._number, b"", refusal))
        else:
            self._lines.put_nowait(Line(self._number, body))
            self._unread_bytes += len(body)
            if self._unread_bytes >= UNREAD_MAX_BYTES:
                self._room.clear()

    def _refuse(self, refusal: Exception) -> None:
        """Answer one line more with a refusal, and read none after it."""
        if not self._is_over:
            self._is_over = True
            self._lines.put_nowait(Line(self._number + 1, b"", refusal))


def batch_route(quoting: Quoting, limits: BatchLimits) -> ASGIRouteHandler:
    """The route of batches."""

    @asgi(PATH, copy_scope=False)
    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(allowed=ALLOWED[:1])  # noqa: TRY301 - refused like the rest
            check_batch(Headers.from_scope(scope), limits)
            incoming = Incoming(receive, limits)
            answer = sent(scope, incoming, send, quoting, limits)
            await unless_gone(answer, incoming.pump)
        except ClientGone:
            return
        except Exception as error:
            if scope["state"]["noted"].get("lines") is not None:
                raise  # the answer has begun; cutting it short is all that can be said
            await send_problem(error, scope, send, metrics=quoting.metrics)

    return handle


def check_batch(headers: Headers, limits: BatchLimits) -> None:
    """Raises `Refused` if the answer or the body is of another kind, or too long."""
    check_accepts(headers.get("accept"), NDJSON)
    check_content_type(headers.get("content-type"), wanted=NDJSON)
    if coding_of(headers.get("content-encoding")) != IDENTITY:
        raise UnknownContentCoding(headers.get("content-encoding"), known=(IDENTITY,))
    stated = headers.get("content-length") or ""
    if stated.isdigit() and int(stated) > limits.bytes:
        raise BatchTooLong(f"it has more than {limits.bytes:,} bytes")


async def sent(
    scope: HTTPScope, incoming: Incoming, send: Send, quoting: Quoting, limits: BatchLimits
) -> None:
    """Send the answers as they are found, no faster than they are read."""
    budget = Budget(
        limits.cpu_s,
        lambda: BatchTooLong(f"it takes more than {limits.cpu_s:,g} seconds of a processor"),
    )
    batch = Batch(quoting, read=decode_request, budget=budget)
    noted = scope["state"]["noted"]
    headers = [(b"content-type", NDJSON.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    noted["lines"] = 0
    request_id = str(scope["state"]["request_id"])
    async with aclosing(batch.answered(incoming.lines())) as answers:
        async for found in answers:
            refused = sum(one.error is not None for one in found)
            quoting.metrics.batch_lines.labels("refused").inc(refused)
            quoting.metrics.batch_lines.labels("answered").inc(len(found) - refused)
            for body in bodies_of(found, request_id=request_id):
                await send({"type": "http.response.body", "body": body, "more_body": True})
            noted["lines"] += len(found)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def bodies_of(found: Iterable[Answered], *, request_id: str) -> Iterator[bytes]:
    """What came of some lines, as pieces of the answer of some size, which end with a line."""
    parts: list[bytes] = []
    size = 0
    for one in found:
        line = _parts_of_line(one, request_id=request_id)
        parts += line
        size += sum(map(len, line))
        if size >= WRITTEN_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def written_line(one: Answered, *, request_id: str) -> bytes:
    """What came of a line, as a line."""
    return b"".join(_parts_of_line(one, request_id=request_id))


def _parts_of_line(one: Answered, *, request_id: str) -> tuple[bytes, bytes, bytes]:
    if one.error is None:
        head = b'{"line":%d,"status":200,"id":"%b","quote":' % (one.number, one.id.encode())
        return head, one.body, b"}\n"
    rendered = render(one.error, request_id=f"{request_id}:{one.number}")
    if rendered.slug == "internal-error":
        log.error("line of a batch failed", request_id=request_id, exc_info=one.error)
    head = b'{"line":%d,"status":%d,"problem":' % (one.number, rendered.status)
    return head, rendered.body, b"}\n"
