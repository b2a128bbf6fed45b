"""The outermost layer. It treats every request alike, on a known route or not.

It names the request, counts and times it, answers HEAD wherever GET works, turns a matching
`If-None-Match` into 304, sets the headers that every answer carries, and writes one log line.
"""

import asyncio
import re
from time import perf_counter
from typing import Final
from uuid import uuid4

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from service.api.refusing.errors import Draining, Refused
from service.api.refusing.problems import KINDS, send_problem
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
BODILESS: Final = (b"content-length", b"content-type")


class Edge:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass lifespan through; wrap every HTTP request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        app = self.app if len(scope["path"]) <= LONGEST_PATH else self._nowhere
        start = perf_counter()
        exchange.queued_s = start - scope.get("state", {}).get("arrived", start)
        self.metrics.queue_duration.observe(exchange.queued_s)
        self.metrics.requests_in_progress.inc()
        try:
            await app(exchange.scope, receive, exchange.send)
        except asyncio.CancelledError:
            # The time for a shutdown is over, and the server waits no longer for this answer.
            if not exchange.started:
                await send_problem(Draining(), exchange.scope, exchange.send, metrics=self.metrics)
        finally:
            self.metrics.requests_in_progress.dec()
            self._observe(exchange, perf_counter() - start)

    async def _nowhere(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Nothing stands at this path."""
        nothing = Refused("not-found", KINDS["not-found"].title)
        await send_problem(nothing, scope, send, metrics=self.metrics)

    def _observe(self, exchange: "Exchange", duration_s: float) -> None:
        method = exchange.method if exchange.method in METHODS else "other"
        route = str(exchange.scope.get("path_template") or UNMATCHED)
        self.metrics.requests.labels(method, route, str(exchange.status)).inc()
        self.metrics.request_duration.labels(method, route).observe(duration_s)
        if route in PROBED and exchange.status < 400:
            return
        log.info(
            "request",
            request_id=exchange.request_id,
            client=exchange.client,
            method=exchange.method,
            route=route,
            status=exchange.status,
            queue_ms=round(exchange.queued_s * 1000, 3),
            duration_ms=round(duration_s * 1000, 3),
            bytes_out=exchange.bytes_out,
            **exchange.noted,
        )


class Exchange:
    """One request on its way in and its answer on its way out."""

    def __init__(self, scope: HTTPScope, send: Send) -> None:
        headers = dict(scope["headers"])
        self.method: str = scope["method"]
        self.client = (scope["client"] or ("",))[0]
        self.queued_s = 0.0
        self.request_id = request_id_of(headers.get(b"x-request-id"))
        self.if_none_match = headers.get(b"if-none-match", b"").decode("latin-1")
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
        self._bodiless = self.method == "HEAD"

    async def send(self, message: Message) -> None:
        """Pass a message of the answer on, without its body where there must be none."""
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            self.started = True
            self.status = message["status"]
            if self._not_modified(headers):
                self.status, self._bodiless = 304, True
                headers = [pair for pair in headers if pair[0].lower() not in BODILESS]
            headers.append((b"x-request-id", self.request_id.encode("latin-1")))
            headers.append((b"x-content-type-options", b"nosniff"))
            message = {**message, "status": self.status, "headers": headers}
        elif message["type"] == "http.response.body":
            body = b"" if self._bodiless else message.get("body", b"")
            self.bytes_out += len(body)
            message = {**message, "body": body}
        await self._send(message)

    def _not_modified(self, headers: list[tuple[bytes, bytes]]) -> bool:
        if self.status != 200 or not self.if_none_match or self.method not in {"GET", "HEAD"}:
            return False
        etag = next((value for name, value in headers if name.lower() == b"etag"), None)
        return etag is not None and matches(self.if_none_match, etag.decode("latin-1"))


def matches(if_none_match: str, etag: str) -> bool:
    """Whether an `If-None-Match` names this entity tag, compared weakly (RFC 9110, 13.1.2)."""
    asked = [tag.strip() for tag in if_none_match.split(",")]
    return "*" in asked or etag in {tag.removeprefix("W/") for tag in asked}


def request_id_of(sent: bytes | None) -> str:
    """The caller's request id if it is a plain token, otherwise a new one."""
    if sent is not None and REQUEST_ID.match(sent):
        return sent.decode("ascii")
    return str(uuid4())
