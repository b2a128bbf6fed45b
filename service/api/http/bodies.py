"""Requests that are posted: their bodies are read within bounds, and unpacked within the same."""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import zstandard
from litestar.datastructures import Headers
from litestar.types import HTTPScope, Receive, Send
from msgspec import Struct

from service.api.http.negotiation import JSON, check_content_type
from service.api.refusing.errors import (
    BodyTimeout,
    BrokenContentCoding,
    MethodNotAllowed,
    PayloadTooLarge,
    UnknownContentCoding,
)
from service.computing.flights import ClientGone

ALLOWED: Final = ("POST", "OPTIONS")
IDENTITY: Final = "identity"
GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
ZSTD_WINDOW_MAX_BYTES: Final = 8 * 2**20
"""Largest window that is made for a zstd body; RFC 9659 allows no larger one in HTTP."""


class Bounds(Struct, frozen=True, kw_only=True):
    """How large the body of a request may be, packed or not, and how long it may take to come."""

    body_max_bytes: int
    body_timeout_s: float

    async def body_of(self, headers: Headers, receive: Receive) -> bytes:
        """The body of a posted request, without its coding.

        Raises `Refused` where it is not JSON, in another coding, too large or too late, and
        `ClientGone`.
        """
        check_content_type(headers.get("content-type"))
        coding = coding_of(headers.get("content-encoding"))
        sent = await read_body(
            receive,
            stated=headers.get("content-length"),
            body_max_bytes=self.body_max_bytes,
            body_timeout_s=self.body_timeout_s,
        )
        return unpacked(sent, coding, body_max_bytes=self.body_max_bytes)


def posted_headers(scope: HTTPScope) -> Headers:
    """The headers of a request. Raises `MethodNotAllowed` if it is not posted."""
    if scope["method"] != "POST":
        raise MethodNotAllowed(allowed=ALLOWED)
    return Headers.from_scope(scope)


async def send_allowed(send: Send) -> None:
    """The methods and bodies that such a route takes, and no content."""
    headers = [
        (b"allow", ", ".join(ALLOWED).encode()),
        (b"accept-post", JSON.encode()),
        (b"accept-encoding", ", ".join(CODINGS).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def departure(receive: Receive) -> None:
    """Wait until the client has closed its connection. Its body was read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(
    receive: Receive, *, stated: str | None, body_max_bytes: int, body_timeout_s: float
) -> bytes:
    """The whole body, as it was sent.

    Raises `PayloadTooLarge` as soon as it is too large, `BodyTimeout`, or `ClientGone`.
    """
    if stated is not None and stated.isdigit() and int(stated) > body_max_bytes:
        raise PayloadTooLarge(body_max_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(body_timeout_s):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGone
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > body_max_bytes:
                    raise PayloadTooLarge(body_max_bytes)
                chunks.append(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise BodyTimeout(body_timeout_s) from None
    return b"".join(chunks)


def coding_of(content_encoding: str | None) -> str:
    """The one coding of a body. Raises `UnknownContentCoding` for another, or for several."""
    coding = (content_encoding or IDENTITY).strip().lower().removeprefix("x-")
    if coding not in CODINGS and coding != IDENTITY:
        raise UnknownContentCoding(content_encoding, known=tuple(CODINGS))
    return coding


def unpacked(body: bytes, coding: str, *, body_max_bytes: int) -> bytes:
    """A body without its coding.

    No more is unpacked than may be. Raises `PayloadTooLarge` if there is more, and
    `BrokenContentCoding` if the body is not in this coding, or something follows its end.
    """
    if coding == IDENTITY:
        return body
    try:
        found = CODINGS[coding](body, body_max_bytes + 1)
    except (zlib.error, zstandard.ZstdError, EOFError):
        raise BrokenContentCoding(coding, known=tuple(CODINGS)) from None
    if len(found) > body_max_bytes:
        raise PayloadTooLarge(body_max_bytes)
    return found


def _gunzipped(body: bytes, most_bytes: int) -> bytes:
    """One gzip member, or as much of it."""
    reader = zlib.decompressobj(GZIP_WINDOW)
    found = reader.decompress(body, most_bytes)
    if len(found) < most_bytes and (not reader.eof or reader.unused_data):
        raise EOFError
    return found


def _unzstd(body: bytes, most_bytes: int) -> bytes:
    """One zstd frame, or as much of it."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX_BYTES)
    with unpacker.stream_reader(body) as stream:
        found = stream.read(most_bytes)
    if len(found) < most_bytes:  # all of it is known to fit, and it has an end or has not
        reader = unpacker.decompressobj()
        reader.decompress(body)
        if not reader.eof or reader.unused_data:
            raise EOFError
    return found


CODINGS: Final[Mapping[str, Callable[[bytes, int], bytes]]] = {
    "zstd": _unzstd,
    "gzip": _gunzipped,
}
"""How a body is unpacked, at most to so many bytes, by its `Content-Encoding`."""
