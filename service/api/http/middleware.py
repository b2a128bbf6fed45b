"""The outermost layer. It treats every request alike, on a known route or not.

It names the request, counts and times it, answers HEAD wherever GET works, turns a matching
`If-None-Match` into 304, compresses for who accepts it, sets the headers that every answer carries,
and writes one log line. A quote that was asked for before, byte for byte, is answered here.
"""

import asyncio
import re
from itertools import count
from secrets import token_hex
from time import perf_counter
from typing import Any, Final, NamedTuple

import structlog
from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPResponseStartEvent,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
)

from service.access.account import QuotaAccount
from service.access.traces import Spans, parent_of
from service.api.admitting.admission import Admission
from service.api.http.by_id import LOOKED, names_a_quote_plainly
from service.api.http.copies.encodings import (
    LEAST_BYTES,
    Copies,
    accepted_by,
    tagged,
)
from service.api.http.cors import Cors
from service.api.http.repeats import (
    VARY,
    Headers,
    Plain,
    Repeat,
    Repeats,
    plain_request,
    replayed,
)
from service.api.refusing.errors import Draining, Refused
from service.api.refusing.problems import KINDS, send_problem
from service.caller import CALLER, QuotaExceeded
from service.logs import Fields, RequestLog
from service.metrics import Metrics

log = structlog.get_logger("runquote.http")

REQUEST_ID: Final = re.compile(rb"^[A-Za-z0-9._:/+=-]{1,128}$(?!\n)")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
UNMATCHED: Final = "unmatched"
LONGEST_PATH: Final = 256
"""Characters of a path. An id has 128 at most, and what stands before it 20. A longer path is not
given to the framework's router, which would keep the last thousand of them."""
PROBED: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that orchestrators and scrapers ask every few seconds: their success is no news."""
NO_ANSWER: Final = 499
"""The status that is counted and logged where a client has left before its answer."""
REQUESTED_METHOD: Final = b"access-control-request-method"
UNTOLD: Final = frozenset((b"content-encoding", b"content-length", b"content-type", b"etag"))
"""Headers of an answer that are not those of a 304, which names the copy that the client has."""
NO_PAGE: Final = b"default-src 'none'; frame-ancestors 'none'"


QUOTE: Final = "/quote"
SOUGHT: Final = "sought"
"""Stands in the state of a request whose quote the server has looked for in memory."""
REPLACED: Final = frozenset((b"content-length", b"etag", b"vary"))
"""Headers that differ between an answer and its compressed copy."""
COMPRESSIBLE: Final = (b"application/", b"text/", b"image/svg")
PROCESS: Final = token_hex(6)
NUMBERS: Final = count(1)


class Edge:
    """An ASGI application around another."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        copies: Copies | None = None,
        repeats: Repeats | None = None,
        by_id: ASGIApp | None = None,
        request_log: RequestLog | None = None,
        cors: Cors | None = None,
        admission: Admission | None = None,
        spans: Spans | None = None,
    ) -> None:
        self.app = app
        self._admission = admission if admission is not None and admission.is_needed else None
        self.cors = Cors(()) if cors is None else cors
        """Which pages of other hosts may read answers."""
        self.metrics = metrics
        self._copies = Copies() if copies is None else copies
        self.repeats = repeats
        self._by_id = app if by_id is None else by_id
        self._log = request_log or _log_at_once
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass lifespan through; wrap every HTTP request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        start = perf_counter()
        self.metrics.requests_in_progress += 1
        try:
            if self._admission is None:
                await self._answer(scope, receive, send, start)
            else:
                await self._admit(self._admission, scope, receive, send, start)
        finally:
            self.metrics.requests_in_progress -= 1

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send, start: float) -> None:
        """Answer a request that is let in."""
        plain = None
        if scope["path"] == QUOTE and self.repeats is not None:
            sent = list(scope["headers"])
            plain = plain_request(scope["method"], scope["query_string"], sent)
        if plain is None:
            await self._exchange(scope, receive, send, start)
            return
        message: Any = await receive()  # the server bounds how long this may take
        if not await self._repeat(plain, message, scope, send, start):
            await self._exchange(scope, replayed(message, receive), send, start)

    async def _admit(
        self, admission: Admission, scope: HTTPScope, receive: Receive, send: Send, start: float
    ) -> None:
        """Find out who asks, charge the request, and answer it, or refuse it."""
        token = None
        try:
            caller = admission.caller_of(
                method=scope["method"],
                path=scope["path"],
                headers=list(scope["headers"]),
                client=client_of(scope),
            )
            token = CALLER.set(caller)
            if isinstance(caller.account, QuotaAccount):
                await caller.account.enter()
        except (Refused, QuotaExceeded) as refusal:
            await self._exchange(scope, receive, send, start, refusal=refusal)
        else:
            await self._answer(scope, receive, send, start)
        finally:
            if token is not None:
                CALLER.reset(token)

    def common_headers(self, request_id: str, plain: Plain) -> Headers:
        """The headers of every answer, to a plain request for a quote."""
        headers = common_headers(request_id) + self.cors.of_answer(plain.origin)
        return headers + account_headers() + guarding_headers(headers)

    @property
    def looks_at_each(self) -> bool:
        """Whether a request is admitted, charged or traced, so that all have to come by here."""
        return self._admission is not None or self._spans is not None

    def sent_at_once(self, done: "Done", arrived: float) -> None:
        """Count and log a quote that was sent as soon as it was asked for, at `arrived`."""
        took_s = perf_counter() - arrived
        self.metrics.answered(done.method, done.route, 200, queued_s=0.0, duration_s=took_s)
        self._log(line_of, (done, {}, 0.0, took_s))

    def sent_again(
        self, repeat: Repeat, bytes_out: int, request_id: str, client: str, arrived: float
    ) -> None:
        """The same for a request that was sent before, of which nothing else is new."""
        took_s = perf_counter() - arrived
        self.metrics.answered(repeat.method, repeat.route, 200, queued_s=0.0, duration_s=took_s)
        self._log(line_again, (repeat, bytes_out, request_id, client, took_s))

    async def _repeat(
        self, plain: Plain, message: HTTPReceiveMessage, scope: HTTPScope, send: Send, start: float
    ) -> bool:
        """Answer a quote that was asked for before. False if this one was not."""
        assert self.repeats is not None
        if message["type"] != "http.request" or message.get("more_body"):
            return False
        known = self.repeats.known(message.get("body", b""))
        if known is None:
            return False
        sought = scope.get("state", {}).get(SOUGHT)
        repeat = None if sought else self.repeats.from_memory(known, plain)
        if repeat is None and not scope.get("state", {}).get(LOOKED):
            repeat = await self.repeats.from_redis(known, plain)
        if repeat is None:
            return False
        request_id = request_id_of(plain.request_id)
        headers = repeat.headers(timing=repeat.timing) + self.common_headers(request_id, plain)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": repeat.body, "more_body": False})
        self._observe(repeated(repeat, request_id, client_of(scope)), scope, start)
        return True

    async def _exchange(
        self,
        scope: HTTPScope,
        receive: Receive,
        send: Send,
        start: float,
        *,
        refusal: Exception | None = None,
    ) -> None:
        """Let the application answer, or answer with a refusal."""
        exchange = Exchange(scope, send, self._copies, self.cors)
        app = self.app if len(scope["path"]) <= LONGEST_PATH else self._nowhere
        if names_a_quote_plainly(scope):
            app = self._by_id
        try:
            if refusal is not None:
                await send_problem(refusal, exchange.scope, exchange.send, metrics=self.metrics)
            else:
                await app(exchange.scope, receive, exchange.send)
        except asyncio.CancelledError:
            # The time for a shutdown is over, and the server waits no longer for this answer.
            if not exchange.started:
                await send_problem(Draining(), exchange.scope, exchange.send, metrics=self.metrics)
        finally:
            self._observe(exchange.done(), scope, start)

    async def _nowhere(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Nothing stands at this path."""
        nothing = Refused("not-found", KINDS["not-found"].title)
        await send_problem(nothing, scope, send, metrics=self.metrics)

    def _observe(self, done: "Done", scope: HTTPScope, start: float) -> None:
        """Count and log a request that is over.

        The server says when the task could have begun, and how long the body was waited for before.
        """
        state = scope.get("state", {})
        duration_s = perf_counter() - start + state.get("body_s", 0.0)
        queued_s = start - state.get("arrived", start)
        method = done.method if done.method in METHODS else "other"
        is_probe = done.route in PROBED and done.status < 400
        facts = line_of(done, caller_noted(), queued_s, duration_s)
        trace = parent_of(list(scope["headers"]))
        if self._spans is not None and not is_probe:
            trace = self._spans.ended(
                trace, name=f"{method} {done.route}", seconds=queued_s + duration_s, facts=facts
            )
        self.metrics.answered(
            method, done.route, done.status, queued_s=queued_s, duration_s=duration_s, trace=trace
        )
        if is_probe:
            return
        if trace is not None:
            facts |= {"trace": trace.trace, "span": trace.span}
        self._log(dict, (facts,))


def line_of(
    done: "Done", caller: dict[str, str], queued_s: float, duration_s: float
) -> dict[str, Any]:
    """The fields of a request's line in the log."""
    return {
        "request_id": done.request_id,
        "client": done.client,
        "method": done.method,
        "route": done.route,
        "status": done.status,
        "queue_ms": round(queued_s * 1000, 3),
        "duration_ms": round(duration_s * 1000, 3),
        "bytes_out": done.bytes_out,
        **caller,
        **done.noted,
    }


def line_again(
    repeat: Repeat, bytes_out: int, request_id: str, client: str, took_s: float
) -> dict[str, Any]:
    """The same for a quote from memory that waited for nothing."""
    noted = {"quote": repeat.issued.id, "cache": "memory"}
    done = Done(repeat.method, repeat.route, 200, request_id, client, bytes_out, noted)
    return line_of(done, {}, 0.0, took_s)


def _log_at_once(fields: Fields, facts: tuple[Any, ...]) -> None:
    log.info("request", **fields(*facts))


class Done(NamedTuple):
    """What is counted and logged of a request."""

    method: str
    route: str
    status: int
    request_id: str
    client: str
    bytes_out: int
    noted: dict[str, Any]


def repeated(repeat: Repeat, request_id: str, client: str) -> Done:
    """What is counted and logged of a quote that was sent before."""
    noted = {"quote": repeat.issued.id, "cache": repeat.issued.origin}
    bytes_out = len(repeat.body)
    return Done(repeat.method, repeat.route, 200, request_id, client, bytes_out, noted)


class Exchange:
    """One request on its way in and its answer on its way out."""

    def __init__(self, scope: HTTPScope, send: Send, copies: Copies, cors: Cors) -> None:
        headers = dict(scope["headers"])
        self.method: str = scope["method"]
        self.client = client_of(scope)
        self.request_id = request_id_of(headers.get(b"x-request-id"))
        self.if_none_match = headers.get(b"if-none-match", b"").decode("latin-1")
        self.accepted = accepted_by(headers.get(b"accept-encoding", b""))
        self.status = NO_ANSWER
        self.started = False
        self.bytes_out = 0
        self.scope: HTTPScope = {**scope}
        self.noted: dict[str, object] = {}
        state = {"request_id": self.request_id, "noted": self.noted}
        self.scope["state"] = {**scope.get("state", {}), **state}
        if self.method == "HEAD":
            self.scope["method"] = "GET"
        self._send = send
        self._copies = copies
        self._cors = cors
        self._origin = headers.get(b"origin")
        self._preflight = self.method == "OPTIONS" and REQUESTED_METHOD in headers
        self._bodiless = self.method == "HEAD"
        self._held: HTTPResponseStartEvent | None = None

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on, without its body where there must be none."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            self._held = message
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            if self._held is not None:
                body = await self._begin(self._held, body, whole=not message.get("more_body"))
                self._held = None
            if self._bodiless:
                body = b""
            self.bytes_out += len(body)
            await self._send({**message, "body": body})
        else:
            await self._send(message)

    async def _begin(self, start: HTTPResponseStartEvent, body: bytes, *, whole: bool) -> bytes:
        """Send the headers of an answer that begins with these bytes. Returns what to send."""
        headers = [(name.lower(), value) for name, value in start["headers"]]
        etag = next((value for name, value in headers if name == b"etag"), None)
        tags: tuple[bytes, ...] = () if etag is None else (etag,)
        if self.status == 200 and etag is not None and whole and len(body) >= LEAST_BYTES:
            body, tags, headers = self._encoded(body, etag, headers)
        held = self._held_by_client(tags)
        if held is not None:
            self.status, self._bodiless = 304, True
            headers = [pair for pair in headers if pair[0] not in UNTOLD]
            headers.append((b"etag", held))
        if self.method == "OPTIONS":
            headers = self._options(headers)
        headers += common_headers(self.request_id) + self._cors.of_answer(self._origin)
        headers += account_headers() + guarding_headers(headers)
        await self._send({**start, "status": self.status, "headers": headers})
        return body

    def _options(self, headers: Headers) -> Headers:
        """The headers of an answer to OPTIONS: HEAD works wherever GET does."""
        allow = next((value for name, value in headers if name == b"allow"), b"")
        methods = {method.strip() for method in allow.split(b",")} - {b""}
        if b"GET" in methods:
            methods.add(b"HEAD")
        allow = b", ".join(sorted(methods))
        headers = [pair for pair in headers if pair[0] != b"allow"]
        if self._preflight:
            headers += self._cors.of_preflight(self._origin, allow)
        return [*headers, (b"allow", allow)] if allow else headers

    def _encoded(
        self, body: bytes, etag: bytes, headers: Headers
    ) -> tuple[bytes, tuple[bytes, ...], Headers]:
        """An answer in the encoding that is best for its client, its tags, and its headers.

        The first tag is its own. A client may hold a copy with one of the others.
        """
        kind = next((value for name, value in headers if name == b"content-type"), b"")
        if not kind.startswith(COMPRESSIBLE):
            return body, (etag,), headers
        headers = [pair for pair in headers if pair[0] not in REPLACED]
        headers.append((b"vary", VARY))
        body, encoding = self._copies.of(body, etag, self.accepted)
        own = etag
        if encoding is not None:
            own = tagged(etag, encoding)
            headers.append((b"content-encoding", encoding.encode()))
        headers += [(b"etag", own), (b"content-length", b"%d" % len(body))]
        others = [tagged(etag, other) for other in self.accepted.encodings if other != encoding]
        return body, (own, etag, *others), headers

    def _held_by_client(self, tags: tuple[bytes, ...]) -> bytes | None:
        """The tag by which the client has this answer, in any form that it accepts."""
        if self.status != 200 or not self.if_none_match or self.method not in {"GET", "HEAD"}:
            return None
        return next(
            (tag for tag in tags if matches(self.if_none_match, tag.decode("latin-1"))), None
        )

    def done(self) -> Done:
        """What is counted and logged of it."""
        return Done(
            method=self.method,
            route=str(self.scope.get("path_template") or UNMATCHED),
            status=self.status,
            request_id=self.request_id,
            client=self.client,
            bytes_out=self.bytes_out,
            noted=self.noted,
        )


def client_of(scope: HTTPScope) -> str:
    """The address of who asks."""
    return (scope["client"] or ("",))[0]


def common_headers(request_id: str) -> Headers:
    """The headers of every answer."""
    return [
        (b"x-request-id", request_id.encode("latin-1")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]


def guarding_headers(headers: Headers) -> Headers:
    """What keeps an answer from being used as a page or in one, unless it says so itself."""
    if any(name == b"content-security-policy" for name, _ in headers):
        return []
    return [(b"content-security-policy", NO_PAGE)]


def account_headers() -> Headers:
    """The quota of the caller, and what is left of it."""
    account = CALLER.get().account
    return account.fields() if isinstance(account, QuotaAccount) else []


def caller_noted() -> dict[str, str]:
    """The name of the caller's key, if it has one."""
    name = CALLER.get().name
    return {"caller": name} if name else {}


def matches(if_none_match: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this entity tag, compared weakly (RFC 9110, 13.1.2)."""
    asked = [tag.strip() for tag in if_none_match.split(",")]
    return "*" in asked or etag in {tag.removeprefix("W/") for tag in asked}


def request_id_of(sent: bytes | None) -> str:
    """The caller's request id if it is a plain token, otherwise a new one.

    A new one is the number of the request in this process, which has a name of its own.
    """
    if sent is not None and REQUEST_ID.match(sent):
        return sent.decode("ascii")
    return f"{PROCESS}-{next(NUMBERS):x}"
