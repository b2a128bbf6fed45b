"""HTTP/1.1 on one connection, with a bound on everything that a client can make last.

uvicorn's own protocol bounds neither the bytes of a head, nor the time that it takes to arrive, nor
what is read ahead of a slow answer, nor how long an answer waits to be read. This class adds these
bounds. It uses private names of uvicorn's class, so uvicorn's version is pinned, and
tests/service/test_abuse.py tries every bound on the real server.
"""

import asyncio
from functools import partial
from time import perf_counter
from typing import Any, Final

import httptools
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.admitting.hosts import is_host
from service.api.http.by_id import LOOKED
from service.api.http.middleware import QUOTE, SOUGHT
from service.api.http.repeats import Plain, Repeat, plain_look, plain_request
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
from service.cache.tiers import Origin
from service.serving.at_once import AtOnce
from service.serving.guard import GuardState
from service.serving.lingering import LingeringTransport
from service.serving.refusals import refusal_bytes

SLICE_BYTES: Final = 8 * 2**10
"""The parser is fed this much at a time. It is stopped as soon as a request waits for another's
answer, so that the requests of one slice are the most that can wait."""
MOST_DROPPED_BYTES: Final = 2**20
"""Bytes of a body that are dropped so that the connection can be used again."""
CLOCK_S: Final = 0.01
"""What the clock of the loop may be off by."""
QUOTE_TARGET: Final = QUOTE.encode()
VERSIONS: Final = frozenset({"1.0", "1.1"})
TRACEPARENT: Final = b"traceparent"
CONTINUE: Final = b"100-continue"
CHUNKED: Final = b"chunked"
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Headers that say where a body ends."""


class HoldingFlow(FlowControl):
    """Flow control that does not read on while bytes of the connection are held back."""

    holding = False

    def resume_reading(self) -> None:
        """Read on, unless bytes are held back that come first."""
        if not self.holding:
            super().resume_reading()


def other_coding() -> Refused:
    """The body comes in a coding that is not read."""
    return Refused("unreadable-request", "the only transfer coding that is read is chunked")


def too_many_bodies() -> Refused:
    """There is no room for the body."""
    return Overloaded("too many bodies arrive at once")


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
        self._in_message = False
        """Whether `headers` are those of a request that has not come in whole."""
        self._fed_of_head = 0
        self._head_bytes = 0
        self._fields = 0
        self._hosts = 0
        self._dropped = 0
        self._taken = 0
        self._whole = True
        self._begun = False
        self._half_closed = False
        self._offered = False
        self._reframing = False
        self._refusal: Refused | None = None
        self._late: asyncio.TimerHandle | None = None
        self._plain: Plain | None = None
        """Of a request that waits for its body and may be answered from memory. It has no task."""
        self._body = b""
        self._seeks = 0
        self._is_sought = False
        """Whether Redis is asked for the quote of such a request, all of which has come."""
        self._closes = False
        """Whether the client wants no more than that. The parser forgets it."""
        self._arrived = 0.0
        at_once = server_state.at_once
        self._at_once = at_once if at_once is not None and at_once.edge is self.app else None
        self._answered = 0
        """Requests of this read that were answered at once."""
        self._is_counted = False
        self._rests_since = 0.0
        self._address = ""

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection in, in the place of an idle one if there are too many."""
        lingering = LingeringTransport(
            transport, loop=self.loop, limits=self.limits, stalled=self.end_unread
        )
        super().connection_made(lingering)
        self.flow = HoldingFlow(lingering)
        self._address = self.client[0] if self.client else ""
        guard = self.server_state
        if len(guard.connections) > self.limits.connections:
            oldest = guard.longest_idle()
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
        guard = self.server_state
        for group in (guard.idle, guard.arriving, guard.behind):
            group.pop(self, None)
        self._forget_late()
        self._start_what_waits()
        self._give_back()
        self._held = b""
        super().connection_lost(exc)
        self.transport.forget()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. Answers that it waits for are sent, as long as they come soon.

        It may have left as well. Then the work for it ends.
        """
        if not self._whole or (self._nothing_is_owed() and not self._held):
            return False
        if not self._half_closed:
            self._half_closed = True
            self._await_answer()
        return True

    def _await_answer(self) -> None:
        self._forget_late()
        self._late = self.loop.call_later(self.limits.half_closed_s, self.transport.abort)

    # What comes

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as long as no request waits for the answer of another."""
        rests = self._rests()
        if rests and self._answer_again(data):
            return
        self._answered = 0
        if self.transport.lingering:
            self.transport.drop(len(data))
        elif self._held:
            self._hold(self._held + data)
        else:
            self._feed(data)
        if self._plain is not None:
            self._wait_for_body()
        elif rests and self._answered == 1 and self._rests() and self._at_once is not None:
            self._at_once.remember(data)

    def _wait_for_body(self) -> None:
        """Let a request that has no task count as one that is being answered."""
        if self._at_once is not None and not self._is_counted:
            self._is_counted = True
            self._at_once.edge.metrics.requests_in_progress += 1

    def _wait_no_more(self) -> None:
        if self._at_once is not None and self._is_counted:
            self._is_counted = False
            self._at_once.edge.metrics.requests_in_progress -= 1

    def _rests(self) -> bool:
        """Whether the next byte begins a request, and no other waits for its answer."""
        return (
            self._in_head
            and not self._fed_of_head
            and not self._held
            and not self.transport.is_closing()
            and self._nothing_is_owed()
        )

    def _feed(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            if self.transport.is_closing():
                return
            if self.pipeline or self._answered or self._is_sought:
                self._hold_back(data[start:])
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

    def _hold_back(self, data: bytes) -> None:
        """Keep bytes until no request waits, and others have had their turn."""
        self.flow.holding = True
        self.flow.pause_reading()
        self.server_state.idle.pop(self, None)
        self._hold(data)
        if not (self.pipeline or self._is_sought):
            self.loop.call_soon(self._feed_held)

    def _parse(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as offer:
            self._reframe()
            self._parse(piece[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse(
                self._refusal or Refused("unreadable-request", "this is not well-formed HTTP/1.1")
            )

    def _reframe(self) -> None:
        """Go on after a request that offers another protocol, as those of Java's client do.

        No other is spoken here. The parser stops at the end of the headers of such a request. So
        another parser goes on, which is told where the body ends.
        """
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        framing = [b"%s: %s\r\n" % header for header in self.headers if header[0] in FRAMING]
        if framing and self._offered:
            self._offered, self._reframing = False, True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
            self._reframing = False

    def _hold(self, data: bytes) -> None:
        """Keep what was read ahead, unless all connections hold too much."""
        grown = len(data) - len(self._held)
        self._held = data
        if not self._take(grown):
            self.transport.abort()

    def _take(self, size: int) -> bool:
        """Count bytes that wait here for an answer. False if there is no room for them."""
        self._taken += size
        self.server_state.taken_bytes += size
        return self.server_state.room_for(self)

    def _give_back(self) -> None:
        self.server_state.taken_bytes -= self._taken
        self._taken = 0

    def give_up_body(self) -> None:
        """Refuse a request whose body makes room for others."""
        self._refuse(too_many_bodies())

    def _feed_held(self) -> None:
        """Go on with what was held back, once no request waits."""
        if self.pipeline or self._is_sought or not self._held:
            return
        held, self._held = self._held, b""
        self.flow.holding = False
        self._answered = 0
        self._feed(held)
        if not self.pipeline:
            self.flow.resume_reading()
        if self._nothing_is_owed() and self._in_head and not self._fed_of_head:
            self._await_next()

    def _expect_the_rest(self) -> None:
        """Start the clock for the rest of a request. More bytes do not set it back."""
        if self._late is not None or self.transport.is_closing() or self._half_closed:
            return
        if not self._whole:
            self._late = self.loop.call_later(self.limits.request_s, self._body_is_late)
        elif self._in_head and self._fed_of_head and self._nothing_is_owed():
            self._late = self.loop.call_later(self.limits.head_s, self._head_is_late)

    def _nothing_is_owed(self) -> bool:
        return not self._is_sought and (not self._begun or self.cycle.response_complete)

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
        """Count the head of a new request. Its scope is made when its task begins."""
        if self._reframing:
            return
        if self._is_sought:
            self._start_what_waits(sought=True)  # two requests in one piece: in their order
        self._head_bytes = self._fields = self._hosts = self._dropped = 0
        self._fed_of_head = self._fed_of_head or 1  # it may begin behind the end of another
        self.url = b""
        self.headers = []
        self._in_message = True
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        if self._reframing:
            return
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.head_bytes:
            self._stop(AddressTooLong(self.limits.head_bytes))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        if self._reframing:
            return
        self._head_bytes += len(name) + len(value)
        self._fields += 1
        if self._head_bytes > self.limits.head_bytes or self._fields > self.limits.fields:
            self._stop(self._too_large())
        name = name.lower()
        self.headers.append((name, value))
        if name == b"host":
            self._hosts += 1
            if not is_host(value):
                self._stop(Refused("unreadable-request", "the Host header names no host"))
        elif name == b"expect":
            if value.lower() != CONTINUE:
                self._stop(UnmetExpectation())
            self.expect_100_continue = True
        elif name == b"transfer-encoding" and value.strip().lower() != CHUNKED:
            self._stop(other_coding())

    def on_headers_complete(self) -> None:
        """Begin to answer, if the version is known and the host is named once."""
        if self._reframing:
            return
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            self._stop(UnknownVersion())
        if self._hosts > 1 or (version == "1.1" and not self._hosts):
            self._stop(Refused("unreadable-request", "a request has one Host header"))
        if not self.url.startswith((b"/", b"*")):
            self._check_authority()
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1
            if any(name == b"transfer-encoding" for name, _ in self.headers):
                self._stop(other_coding())  # RFC 9112, 6.1
        self._in_head = self._whole = False
        self._offered = self.parser.should_upgrade()
        self._fed_of_head = 0
        self._forget_late()
        self.server_state.idle.pop(self, None)
        self._arrived = perf_counter()
        self._plain = self._plain_request(version)
        if self._plain is None:
            self._start()

    def _plain_request(self, version: str) -> Plain | None:
        """What is to be known of a request that may be answered from memory. None of any other."""
        if (
            not self.url.startswith(QUOTE_TARGET)
            or self._at_once is None
            or version != "1.1"
            or self.expect_100_continue
            or self._offered
            or self.server_state.draining
            or self.transport.is_closing()
            or not self._nothing_is_owed()
        ):
            return None
        if any(name == TRACEPARENT for name, _ in self.headers):
            return None  # the line in the log names the trace
        method = self.parser.get_method()
        if self.url == QUOTE_TARGET:
            return plain_request(method.decode(), b"", self.headers)
        return plain_look(self.url, self.headers) if method == b"GET" else None

    def _start(self, *, sought: bool = False, looked: Origin | None = None) -> None:
        """Begin to answer the usual way, in a task of its own."""
        self._plain = None
        self._wait_no_more()
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers = self.scope["headers"] = headers
        now = perf_counter()
        state = {"arrived": now, "body_s": now - self._arrived, SOUGHT: sought, LOOKED: looked}
        self.scope["state"].update(state)
        super().on_headers_complete()
        self._begun = True
        if self.server_state.draining:
            self.cycle.keep_alive = False

    def _check_authority(self) -> None:
        """Refuse an address that names another host than Host does (RFC 9112, 3.2.2)."""
        authority = self.url.partition(b"//")[2].partition(b"/")[0]
        hosts = [value for name, value in self.headers if name == b"host"]
        if hosts and authority.lower() != hosts[0].lower():
            self._stop(Refused("unreadable-request", "the address names another host than Host"))

    def _start_what_waits(self, *, sought: bool = False, looked: Origin | None = None) -> None:
        """Let the application have a request that waited for its body, with what came of it."""
        if self._plain is None:
            return
        is_whole, self._is_sought = self._is_sought, False
        body, self._body = self._body, b""
        self._start(sought=sought, looked=looked)
        if body:
            super().on_body(body)
        if is_whole:
            self.cycle.keep_alive = self.cycle.keep_alive and not self._closes
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Hand a part of a body over, or drop it if the answer did not wait for it."""
        if self._plain is not None:
            self.server_state.arriving.setdefault(self)
            self._body += body
            if not self._take(len(body)):
                self._stop(too_many_bodies())
            return
        if self.cycle.response_complete:
            self._dropped += len(body)
            if self._dropped > MOST_DROPPED_BYTES:
                self.transport.close()
            return
        self.server_state.arriving.setdefault(self)
        super().on_body(body)
        if not self._take(len(body)):
            self._stop(too_many_bodies())

    def on_message_complete(self) -> None:
        """The next bytes begin another request."""
        if self._offered and any(name in FRAMING for name, _ in self.headers):
            return  # the parser only says so: the body of an offer comes after it
        self._offered = False
        self.server_state.arriving.pop(self, None)
        self._in_head = self._whole = True
        self._in_message = False
        self._fed_of_head = 0
        self._forget_late()
        if self._plain is not None:
            if self._answer_at_once(self._plain):
                return
            self._start_what_waits(sought=True)
        super().on_message_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._await_next()

    def _answer_at_once(self, plain: Plain) -> bool:
        """Answer a quote that was asked for before, or ask Redis for it.

        False if that is for the application to do.
        """
        at_once = self._at_once
        if at_once is None or self.flow.write_paused:
            return False
        self._closes = not self.parser.should_keep_alive()
        self._seeks += 1
        repeat = at_once.find(plain, self._body, partial(self._found, self._seeks))
        if isinstance(repeat, Repeat):
            self._send_at_once(at_once, plain, repeat)
            return True
        self._is_sought = repeat
        return repeat

    def _found(self, seek: int, repeat: Repeat | None, origin: Origin | None) -> None:
        """Redis has answered. The request may have gone the usual way meanwhile."""
        plain, at_once = self._plain, self._at_once
        if not self._is_sought or seek != self._seeks or plain is None or at_once is None:
            return
        if repeat is None or self.transport.is_closing():
            self._start_what_waits(sought=True, looked=origin)
        else:
            self._is_sought = False
            self._send_at_once(at_once, plain, repeat)
        if self._held:
            self.loop.call_soon(self._feed_held)

    def _send_at_once(self, at_once: AtOnce, plain: Plain, repeat: Repeat) -> None:
        closes = self._closes
        self._plain = None
        at_once.send(
            repeat,
            plain,
            self.transport,
            client=self._address,
            arrived=self._arrived,
            defaults=self.server_state.default_headers,
            closes=closes,
        )
        self._body = b""
        self._wait_no_more()
        self._answered += 1
        self.server_state.total_requests += 1
        self._give_back()
        if closes or (self._half_closed and not self._held):
            self.transport.close()
        elif not self.transport.is_closing():
            self._await_next()

    def _answer_again(self, data: bytes) -> bool:
        """Answer a request whose very bytes were answered a moment ago. The parser rests."""
        guard, at_once = self.server_state, self._at_once
        if at_once is None or guard.draining or self.flow.write_paused:
            return False
        defaults = guard.default_headers
        if not at_once.answer_again(data, self.transport, client=self._address, defaults=defaults):
            return False
        if self._late is not None:
            self._forget_late()
        guard.total_requests += 1
        guard.idle.pop(self, None)
        self._await_next()
        return True

    def _stop(self, refusal: Refused) -> None:
        """Stop the parser, which wraps whatever is raised in a callback."""
        self._refusal = refusal
        raise refusal

    # What goes

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        super().on_response_complete()
        self._give_back()
        if self.transport.is_closing():
            return
        if self._half_closed:
            self._forget_late()
            if not self._held and self._nothing_is_owed():
                self.transport.close()
                return
            self._await_answer()
        if not self._whole:
            # The answer did not wait for the body. What still comes of it is dropped.
            self._expect_the_rest()
        if self._held:
            self.loop.call_soon(self._feed_held)
        elif self._whole and not self.pipeline:
            self._await_next()

    def _await_next(self) -> None:
        """Wait for the next request, as long as a connection may be idle."""
        self.server_state.idle[self] = None
        self._rests_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        if self._fed_of_head:  # a part of the next request is here
            self._expect_the_rest()

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection, unless its client still reads an answer.

        Requests do not stop the clock: to stop one and start another takes longer than to parse
        most of them. So it may ring while a request comes or is answered, whose end starts it anew,
        or too early for a connection that rests, and then goes on for the rest.
        """
        self.timeout_keep_alive_task = None
        if not self._rests():
            return
        left_s = self._rests_since + self.timeout_keep_alive - self.loop.time()
        if self.transport.unread_bytes:
            self._await_next()
        elif left_s > CLOCK_S:
            self.timeout_keep_alive_task = self.loop.call_later(
                left_s, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        """Much of an answer waits for its client to read."""
        super().pause_writing()
        self.server_state.behind[self] = None
        self.server_state.cut_who_is_behind()

    def resume_writing(self) -> None:
        """The client has read what waited."""
        self.server_state.behind.pop(self, None)
        super().resume_writing()

    def end_unread(self) -> None:
        """Give an answer up that its client does not read."""
        self.server_state.behind.pop(self, None)
        self.server_state.counts.refused.labels("stalled").inc()
        self.transport.abort()

    def drain(self) -> None:
        """Let the next answer be the last one of this connection."""
        self._start_what_waits()
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
        self._start_what_waits()
        self._give_back()
        self.server_state.idle.pop(self, None)
        self.server_state.arriving.pop(self, None)
        self.server_state.counts.refused.labels(refusal.slug).inc()
        if not self._nothing_is_owed():
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        asked = self.headers if self._in_message else []
        defaults, cors = self.server_state.default_headers, self.server_state.cors
        self.transport.write(refusal_bytes(refusal, asked=asked, defaults=defaults, cors=cors))
        self.transport.close()
