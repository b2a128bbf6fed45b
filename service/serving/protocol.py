"""HTTP/1.1 on one connection, with a bound on everything that a client can make last.

uvicorn's own protocol bounds neither the bytes of a head, nor the time that it takes to arrive, nor
what is read ahead of a slow answer, nor how long an answer waits to be read. This class adds these
bounds. It uses private names of uvicorn's class, so uvicorn's version is pinned, and
tests/service/test_abuse.py tries every bound on the real server.
"""

import asyncio
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

import httptools
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from service.api.refusing.errors import (
    AddressTooLong,
    BodyTimeout,
    HeadTimeout,
    HeadTooLarge,
    Overloaded,
    Refused,
    UnknownVersion,
    UnmetExpectation,
)
from service.api.refusing.problems import render
from service.metrics import ServerCounts
from service.serving.limits import Limits
from service.serving.lingering import LingeringTransport

SLICE_BYTES: Final = 8 * 2**10
"""The parser is fed this much at a time. It is stopped as soon as a request waits for another's
answer, so that the requests of one slice are the most that can wait."""
MOST_DROPPED_BYTES: Final = 2**20
"""Bytes of a body that are dropped so that the connection can be used again."""
VERSIONS: Final = frozenset({"1.0", "1.1"})
CONTINUE: Final = b"100-continue"


class GuardState(ServerState):
    """What all connections of a server share."""

    def __init__(self, limits: Limits, counts: ServerCounts) -> None:
        super().__init__()
        self.limits = limits
        self.counts = counts
        self.draining = False
        self.idle: dict[GuardedProtocol, None] = {}
        """Connections without a request under way, the one that is idle for longest first."""


class HoldingFlow(FlowControl):
    """Flow control that does not read on while bytes of the connection are held back."""

    holding = False

    def resume_reading(self) -> None:
        """Read on, unless bytes are held back that come first."""
        if not self.holding:
            super().resume_reading()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol on httptools, within limits."""

    server_state: GuardState
    flow: HoldingFlow
    transport: LingeringTransport

    def __init__(
        self,
        config: Config,
        server_state: GuardState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = server_state.limits
        self.timeout_keep_alive = self.limits.keep_alive_s
        self._held = b""
        self._in_head = True
        self._fed_of_head = 0
        self._head_bytes = 0
        self._fields = 0
        self._hosts = 0
        self._dropped = 0
        self._whole = True
        self._begun = False
        self._refusal: Refused | None = None
        self._late: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, in the place of an idle one if there are too many."""
        lingering = LingeringTransport(transport, loop=self.loop, limits=self.limits)
        super().connection_made(lingering)
        self.flow = HoldingFlow(lingering)
        guard = self.server_state
        if len(guard.connections) > self.limits.connections:
            oldest = next(iter(guard.idle), None)
            if oldest is None:
                self._refuse(Overloaded("too many connections are busy"))
                return
            guard.counts.evicted.inc()
            guard.idle.pop(oldest)
            oldest.transport.abort()
        guard.idle[self] = None
        self._late = self.loop.call_later(self.limits.head_s, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timers."""
        self.server_state.idle.pop(self, None)
        self._forget_late()
        self._forget_stall()
        self._held = b""
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """The client sends no more. An answer that it waits for is still sent."""

    # What comes

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as long as no request waits for the answer of another."""
        self._unset_keepalive_if_required()
        if self.transport.lingering:
            self.transport.drop(len(data))
        elif self._held:
            self._held += data
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            if self.transport.is_closing():
                return
            if self.pipeline:
                self._held = data[start:]
                self.flow.holding = True
                self.flow.pause_reading()
                return
            piece = data[start : start + SLICE_BYTES]
            start += len(piece)
            if self._in_head:
                # The parser hands a header over when it is complete, so its bytes are counted here.
                self._fed_of_head += len(piece)
                if self._fed_of_head > self.limits.head_bytes + SLICE_BYTES:
                    self._refuse(self._too_large())
                    return
            self._parse(piece)
        self._expect_the_rest()

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # No other protocol is spoken here. The request is answered, and the connection ends.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(
                self._refusal or Refused("unreadable-request", "this is not well-formed HTTP/1.1")
            )

    def _feed_held(self) -> None:
        """Go on with what was held back, once no request waits."""
        if self.pipeline or not self._held:
            return
        held, self._held = self._held, b""
        self.flow.holding = False
        self._unset_keepalive_if_required()
        self._feed(held)
        if not self.pipeline:
            self.flow.resume_reading()
        if self.cycle.response_complete and self._in_head and not self._fed_of_head:
            self._await_next()

    def _expect_the_rest(self) -> None:
        """Start the clock for the rest of a request. More bytes do not set it back."""
        if self._late is not None or self.transport.is_closing():
            return
        if not self._whole:
            self._late = self.loop.call_later(self.limits.request_s, self._body_is_late)
        elif self._in_head and self._fed_of_head and self._nothing_is_owed():
            self._late = self.loop.call_later(self.limits.head_s, self._head_is_late)

    def _nothing_is_owed(self) -> bool:
        return not self._begun or self.cycle.response_complete

    def _head_is_late(self) -> None:
        self._late = None
        if self._fed_of_head:
            self._refuse(HeadTimeout(self.limits.head_s))
        else:
            self.server_state.counts.refused.labels("silent").inc()
            self.transport.close()

    def _body_is_late(self) -> None:
        self._late = None
        self._refuse(BodyTimeout(self.limits.request_s))

    def _forget_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    # Parser callbacks

    def on_message_begin(self) -> None:
        """Count the head of a new request."""
        self._head_bytes = self._fields = self._hosts = self._dropped = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.head_bytes:
            self._stop(AddressTooLong(self.limits.head_bytes))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._head_bytes += len(name) + len(value)
        self._fields += 1
        if self._head_bytes > self.limits.head_bytes or self._fields > self.limits.fields:
            self._stop(self._too_large())
        super().on_header(name, value)
        name = self.headers[-1][0]
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() != CONTINUE:
            self._stop(UnmetExpectation())

    def on_headers_complete(self) -> None:
        """Begin to answer, if the version is known and the host is named once."""
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            self._stop(UnknownVersion())
        if self._hosts > 1 or (version == "1.1" and not self._hosts):
            self._stop(Refused("unreadable-request", "a request has one Host header"))
        self._in_head = self._whole = False
        self._fed_of_head = 0
        self._forget_late()
        self.server_state.idle.pop(self, None)
        self.scope["state"]["arrived"] = perf_counter()
        super().on_headers_complete()
        self._begun = True
        if self.server_state.draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Hand a part of a body over, or drop it if the answer did not wait for it."""
        if self.cycle.response_complete:
            self._dropped += len(body)
            if self._dropped > MOST_DROPPED_BYTES:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next bytes begin another request."""
        self._in_head = self._whole = True
        self._fed_of_head = 0
        self._forget_late()
        super().on_message_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._await_next()

    def _stop(self, refusal: Refused) -> None:
        """Stop the parser, which wraps whatever is raised in a callback."""
        self._refusal = refusal
        raise refusal

    # What goes

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if not self._whole:
            # The answer did not wait for the body. What still comes of it is dropped.
            self._unset_keepalive_if_required()
            self._expect_the_rest()
            return
        if self._held:
            self.loop.call_soon(self._feed_held)
        elif not self.pipeline:
            self._await_next()

    def _await_next(self) -> None:
        """Wait for the next request, as long as a connection may be idle."""
        self.server_state.idle[self] = None
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._fed_of_head:  # a part of the next request is here
            self._unset_keepalive_if_required()
            self._expect_the_rest()

    def pause_writing(self) -> None:
        """The client does not read. It has so long to begin."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self.limits.stall_s, self._stalled)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._forget_stall()
        super().resume_writing()

    def _stalled(self) -> None:
        self._stall = None
        self.server_state.counts.refused.labels("stalled").inc()
        self.transport.abort()

    def _forget_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def drain(self) -> None:
        """Let the next answer be the last one of this connection."""
        if self._nothing_is_owed() or self.pipeline or self._held:
            return
        if not self.cycle.response_started:
            self.cycle.keep_alive = False

    # Refusals

    def _too_large(self) -> Refused:
        return HeadTooLarge(head_bytes=self.limits.head_bytes, fields=self.limits.fields)

    def _refuse(self, refusal: Refused) -> None:
        """Answer with a problem and end the connection. In the middle of an answer, only end it."""
        self._forget_late()
        self.server_state.idle.pop(self, None)
        self.server_state.counts.refused.labels(refusal.slug).inc()
        if not self._nothing_is_owed():
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        rendered = render(refusal, request_id=str(uuid4()))
        headers = rendered.headers | {"Connection": "close"}
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(
            STATUS_LINE[rendered.status] + head.encode("latin-1") + b"\r\n" + rendered.body
        )
        self.transport.close()
