"""A quote that was asked for before, byte for byte: answered before anything is routed or read.

Only plain requests are looked at here. All others, and those that are new, go the usual way.
"""

from time import perf_counter
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from litestar.types import HTTPReceiveMessage, HTTPScope, Receive

from service.api.http.encodings import (
    LEAST_BYTES,
    LONGEST_HEADER,
    Copies,
    Encoding,
    accepted_encoding,
    tagged,
)
from service.computing.kinds import NO_ENVELOPE, QUOTES, by_id
from service.quoting import Issued, Quoting

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

Headers = list[tuple[bytes, bytes]]


class Plain(NamedTuple):
    """What of a plain request decides the form of its answer."""

    request_id: bytes | None
    encoding: Encoding | None
    origin: bytes | None


def plain_request(scope: HTTPScope) -> Plain | None:
    """The facts of a plain request for a quote. None if anything about it is unusual."""
    sent = list(scope["headers"])
    headers = dict(sent)
    length = headers.get(b"content-length", b"")
    accepts = headers.get(b"accept-encoding", b"")
    usual = (
        scope["method"] == "POST"
        and not scope["query_string"]
        and len(headers) == len(sent)
        and headers.get(b"content-type") == JSON
        and headers.get(b"accept", JSON) in PLAIN_ACCEPT
        and b"content-encoding" not in headers
        and length.isdigit()
        and len(length) <= MOST_DIGITS
        and len(accepts) <= LONGEST_HEADER
    )
    if not usual:
        return None
    return Plain(headers.get(b"x-request-id"), accepted_encoding(accepts), headers.get(b"origin"))


class Repeats:
    """Quotes that were asked for before, as they are sent."""

    def __init__(self, quoting: Quoting, copies: Copies) -> None:
        self._quoting = quoting
        self._copies = copies

    async def answer(
        self, plain: Plain, message: HTTPReceiveMessage
    ) -> tuple[Issued, Headers, bytes] | None:
        """The quote of a body, with its headers and the bytes to send, if it was sent before.

        It is looked for in memory, and then in Redis if it is dear.
        """
        if message["type"] != "http.request" or message.get("more_body"):
            return None
        start = perf_counter()
        known = self._quoting.known(message.get("body", b""))
        if known is None:
            return None
        issued = self._quoting.recall(known) or await self._quoting.recall_shared(known)
        if issued is None:
            return None
        timing = f"{issued.origin};dur={(perf_counter() - start) * 1000:.3f}"
        headers = answer_headers(issued, timing=timing)
        body = issued.body
        if plain.encoding is not None and len(body) >= LEAST_BYTES:
            etag = headers[1][1]
            body = self._copies.of(body, etag, plain.encoding)
            headers[1] = (b"etag", tagged(etag, plain.encoding))
            headers.append((b"content-encoding", plain.encoding.encode()))
        headers.append((b"content-length", b"%d" % len(body)))
        return issued, headers, body


def address_of(issued: Issued) -> str:
    """Where the same answer can be had again, while it is kept."""
    path = (by_id(issued.id) or QUOTES).path
    if issued.envelope == NO_ENVELOPE:
        return f"{path}/{issued.id}"
    return f"{path}/{issued.id}?{urlencode(msgspec.to_builtins(issued.envelope))}"


def answer_headers(issued: Issued, *, timing: str) -> Headers:
    """The headers of an answer, but for its length. The second one is its entity tag."""
    return [
        (b"content-type", JSON),
        (b"etag", f'"{issued.tag}"'.encode()),
        (b"content-location", address_of(issued).encode()),
        (b"cache-control", CACHE_CONTROL),
        (b"server-timing", timing.encode()),
        (b"vary", VARY),
        (FRESHNESS, issued.freshness),
    ]


def replayed(message: HTTPReceiveMessage, receive: Receive) -> Receive:
    """A `receive` that first gives a message that was taken already."""
    waiting = [message]

    async def again() -> Any:
        return waiting.pop() if waiting else await receive()

    return again
