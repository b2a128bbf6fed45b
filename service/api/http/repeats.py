"""A quote that was asked for before, byte for byte: answered before anything is routed or read.

Only plain requests are looked at here. All others, and those that are new, go the usual way.
"""

import re
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlencode

import msgspec
from litestar.types import HTTPReceiveMessage, Receive

from service.api.http.copies.encodings import (
    LEAST_BYTES,
    Accepted,
    Copies,
    Copy,
    Encoding,
    accepted_by,
    tagged,
)
from service.cache.envelope import Sealed
from service.cache.tiers import Origin
from service.computing.kinds import NO_ENVELOPE, QUOTES, by_id
from service.editions.shelf import Standing
from service.quoting import Issued, Quoting, Spelling

ANSWER_MAX_AGE_S: Final = 86400
"""How long a client may keep an answer without asking again. It never changes."""
CACHE_CONTROL: Final = f"private, max-age={ANSWER_MAX_AGE_S}, immutable".encode()
MOST_DIGITS: Final = 5
"""Digits of a Content-Length. A body of 100 KB or more takes longer to look up than to decode."""
JSON: Final = b"application/json"
PLAIN_ACCEPT: Final = frozenset({b"*/*", JSON})
VARY: Final = b"accept, accept-encoding"
FRESHNESS: Final = b"runquote-prices"
"""The header that says how old an answer is today: it is no part of the answer."""

BY_ID: Final = "/quote/{id}"
PLAIN_TARGET: Final = re.compile(rb"/quote/(q_[0-9a-f]{64})")
UNUSUAL: Final = frozenset((b"content-length", b"transfer-encoding", b"if-none-match"))
"""Headers of a request by id that is not answered here."""

Headers = list[tuple[bytes, bytes]]


class Plain(NamedTuple):
    """What of a plain request decides its answer, besides the body."""

    request_id: bytes | None
    accepted: Accepted
    origin: bytes | None
    id: str | None = None
    """Of the quote that is asked for by its id."""


def plain_request(method: str, query: bytes, sent: Headers) -> Plain | None:
    """The facts of a plain request for a quote. None if anything about it is unusual."""
    headers = dict(sent)
    length = headers.get(b"content-length", b"")
    accepts = headers.get(b"accept-encoding", b"")
    usual = (
        method == "POST"
        and not query
        and len(headers) == len(sent)
        and headers.get(b"content-type") == JSON
        and headers.get(b"accept", JSON) in PLAIN_ACCEPT
        and b"content-encoding" not in headers
        and length.isdigit()
        and len(length) <= MOST_DIGITS
    )
    if not usual:
        return None
    return Plain(headers.get(b"x-request-id"), accepted_by(accepts), headers.get(b"origin"))


def plain_look(target: bytes, sent: Headers) -> Plain | None:
    """The facts of a plain GET of a quote by its id. None if anything about it is unusual."""
    named = PLAIN_TARGET.fullmatch(target)
    headers = dict(sent)
    accepts = headers.get(b"accept-encoding", b"")
    if (
        named is None
        or len(headers) != len(sent)
        or headers.get(b"accept", JSON) not in PLAIN_ACCEPT
        or not UNUSUAL.isdisjoint(headers)
    ):
        return None
    request_id, origin = headers.get(b"x-request-id"), headers.get(b"origin")
    return Plain(request_id, accepted_by(accepts), origin, named[1].decode())


class Repeat(NamedTuple):
    """A quote that was sent before, as it is sent to this client."""

    issued: Issued
    body: bytes
    encoding: Encoding | None
    took_s: float
    is_by_id: bool

    @property
    def method(self) -> str:
        """The method of its request."""
        return "GET" if self.is_by_id else "POST"

    @property
    def route(self) -> str:
        """The route that it was asked for by."""
        return BY_ID if self.is_by_id else QUOTES.path

    @property
    def timing(self) -> bytes:
        """The value of its `Server-Timing`."""
        return timing_of(self.issued.origin, self.took_s)

    def headers(self, *, timing: bytes) -> Headers:
        """Its headers, but for those of every answer."""
        headers = answer_headers(self.issued, timing=timing)
        if self.is_by_id:
            headers = [header for header in headers if header[0] != b"content-location"]
        if self.encoding is not None:
            headers[1] = (b"etag", tagged(headers[1][1], self.encoding))
            headers.append((b"content-encoding", self.encoding.encode()))
        headers.append((b"content-length", b"%d" % len(self.body)))
        return headers


class Seen(NamedTuple):
    """A request that was answered from memory, and under which editions."""

    plain: Plain
    repeat: Repeat
    standing: Standing


Found: TypeAlias = Callable[[Repeat | None, Origin | None], None]
"""Takes an answer, or else what is known of it. Without both, it is looked for the usual way."""


class Repeats:
    """Quotes that were asked for before, as they are sent.

    Only `from_memory`, `from_redis`, `seek` and `again` answer a quote without the application. Who
    calls them has admitted the request.
    """

    def __init__(self, quoting: Quoting, copies: Copies) -> None:
        self._quoting = quoting
        self._copies = copies

    def known(self, body: bytes) -> Spelling | None:
        """What is remembered of a body that was sent before, byte for byte."""
        return self._quoting.known(body)

    def asked_for(self, plain: Plain, body: bytes) -> Spelling | None:
        """What a plain request asks for, if it is known without reading its body."""
        if plain.id is not None:
            return Spelling(plain.id, NO_ENVELOPE, is_dear=True)
        return self.known(body)

    def seen(self, plain: Plain, repeat: Repeat) -> Seen | None:
        """What `again` needs of an answer from memory. None if it is made anew for each request."""
        if repeat.issued.origin != "memory" or repeat.issued.envelope != NO_ENVELOPE:
            return None
        return Seen(plain, repeat._replace(body=b""), self._quoting.shelf.standing)

    def again(self, seen: Seen) -> bytes | None:
        """The bytes that the same request was answered with, if all stands as it did."""
        issued = seen.repeat.issued
        if seen.standing is not self._quoting.shelf.standing:
            return None
        if seen.repeat.encoding is None:
            return self._quoting.cache.get_again(issued.id)
        copy = self._copies.kept(etag_of(issued), seen.repeat.encoding)
        if copy is not None:
            self._quoting.metrics.cache.observe("memory", "get", "hit")
        return copy

    def from_memory(self, known: Spelling, plain: Plain) -> Repeat | None:
        """The quote of a body that was sent before, if it is in memory."""
        start = perf_counter()
        issued = self._quoting.recall(known)
        if issued is not None:
            return self._as_sent(issued, plain, start)
        issued = self._quoting.recall_unread(known) if plain.accepted.encodings else None
        if issued is None:
            return None
        copy = self._copies.best(etag_of(issued), plain.accepted)
        return None if copy is None else self._repeat(issued, copy, plain, start)

    def seek(self, known: Spelling, plain: Plain, found: Found) -> bool:
        """Look for a quote in Redis without a task, where that pays and can be done now."""
        if not known.is_dear or known.envelope != NO_ENVELOPE:
            return False
        told = partial(self._told, (known, plain, perf_counter()), found)
        return self._quoting.cache.seek(known.id, told)

    def _told(
        self,
        asked: tuple[Spelling, Plain, float],
        found: Found,
        sealed: Sealed | None,
        origin: Origin | None,
    ) -> None:
        if sealed is None:
            found(None, origin)
            return
        repeat = self._unsealed(*asked, sealed)
        found(repeat, None if repeat is None else origin)

    def _unsealed(
        self, known: Spelling, plain: Plain, start: float, sealed: Sealed
    ) -> Repeat | None:
        """What Redis has, as it is sent. A client that accepts it gets it as it is kept there."""
        issued = self._quoting.issued_unread(known, sealed.gist, "redis")
        if sealed.frame is not None and plain.accepted.at_once == "zstd":
            self._copies.keep(known.id, sealed.frame)
            return self._repeat(issued, (sealed.frame, "zstd"), plain, start)
        body = self._quoting.cache.opened(known.id, sealed)
        if body is None:
            return None
        return self._as_sent(self._quoting.issued(known, body, "redis"), plain, start)

    async def from_redis(self, known: Spelling, plain: Plain) -> Repeat | None:
        """The same, if only Redis has it, which is asked for a dear one."""
        start = perf_counter()
        issued = await self._quoting.recall_shared(known)
        return None if issued is None else self._as_sent(issued, plain, start)

    def _as_sent(self, issued: Issued, plain: Plain, start: float) -> Repeat:
        copy: Copy = issued.body, None
        if plain.accepted.encodings and len(issued.body) >= LEAST_BYTES:
            copy = self._copies.of(issued.body, etag_of(issued), plain.accepted)
        return self._repeat(issued, copy, plain, start)

    @staticmethod
    def _repeat(issued: Issued, copy: Copy, plain: Plain, start: float) -> Repeat:
        return Repeat(issued, *copy, perf_counter() - start, plain.id is not None)


def timing_of(origin: str, took_s: float) -> bytes:
    """The value of a `Server-Timing`: where an answer was, and how long it was looked for."""
    return f"{origin};dur={took_s * 1000:.3f}".encode()


def etag_of(issued: Issued) -> bytes:
    """The entity tag of an answer as it is."""
    return b'"%b"' % issued.tag.encode()


def address_of(issued: Issued) -> str:
    """Where the same answer can be had again, while it is kept."""
    path = (by_id(issued.id) or QUOTES).path
    if issued.envelope == NO_ENVELOPE:
        return f"{path}/{issued.id}"
    return f"{path}/{issued.id}?{urlencode(msgspec.to_builtins(issued.envelope))}"


def answer_headers(issued: Issued, *, timing: bytes) -> Headers:
    """The headers of an answer, but for its length. The second one is its entity tag."""
    return [
        (b"content-type", JSON),
        (b"etag", etag_of(issued)),
        (b"content-location", address_of(issued).encode()),
        (b"cache-control", CACHE_CONTROL),
        (b"server-timing", timing),
        (b"vary", VARY),
        (FRESHNESS, issued.freshness),
    ]


def replayed(message: HTTPReceiveMessage, receive: Receive) -> Receive:
    """A `receive` that first gives a message that was taken already."""
    waiting = [message]

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again
