"""POST /mcp: the tools over streamable HTTP, each request by itself.

No session is kept, so that any replica answers any request. What bounds other requests bounds these
too: keys, quotas, the size and the time of a body. A page of another host is not answered.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPReceiveMessage, HTTPScope, Receive, Send
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from service.agents.server import server_of
from service.api.http.bodies import Bounds, departure, posted_headers, send_allowed
from service.api.http.cors import Cors
from service.api.http.negotiation import JSON
from service.api.refusing.problems import send_problem
from service.computing.flights import ClientGone, unless_gone
from service.quoting import Quoting

PATH: Final = "/mcp"
FOREIGN_PAGE: Final = msgspec.json.encode(
    {
        "jsonrpc": "2.0",
        "id": None,
        "error": {
            "code": -32600,
            "message": "a page of another host asks; RUNQUOTE_CORS_ORIGINS lists those that may",
        },
    }
)
OF_THE_BODY: Final = frozenset({b"content-encoding", b"content-length"})


class Agents:
    """The route of the tools, and what has to run as long as it is served."""

    def __init__(self, quoting: Quoting, bounds: Bounds, *, cors: Cors) -> None:
        self._quoting = quoting
        self._cors = cors
        self._bounds = bounds
        self._manager = StreamableHTTPSessionManager(
            server_of(quoting),
            json_response=True,
            stateless=True,
            max_request_body_size=bounds.body_max_bytes,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer as long as this is entered."""
        async with self._manager.run():
            yield

    def route(self) -> ASGIRouteHandler:
        """The route."""

        @asgi(PATH, copy_scope=False)
        async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
            if scope["method"] == "OPTIONS":
                await send_allowed(send)
                return
            if not self._cors.lets_in(dict(scope["headers"]).get(b"origin")):
                await send_forbidden(send)
                return
            try:
                body = await self._bounds.body_of(posted_headers(scope), receive)
            except ClientGone:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a problem
                await send_problem(error, scope, send, metrics=self._quoting.metrics)
                return
            try:
                await unless_gone(
                    self._manager.handle_request(plainly(scope, body), once(body), send),  # type: ignore[arg-type]
                    lambda: departure(receive),
                )
            except ClientGone:
                return

        return handle


async def send_forbidden(send: Send) -> None:
    """What the protocol answers to a page of another host, which may be made to ask by anybody."""
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(FOREIGN_PAGE))]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": FOREIGN_PAGE, "more_body": False})


def plainly(scope: HTTPScope, body: bytes) -> HTTPScope:
    """The request with a body that has no coding any more."""
    kept = [(name, value) for name, value in scope["headers"] if name not in OF_THE_BODY]
    return {**scope, "headers": [*kept, (b"content-length", b"%d" % len(body))]}


def once(body: bytes) -> Receive:
    """Gives a body that was read, and then nothing more."""
    parts = [body]

    async def receive() -> HTTPReceiveMessage:
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": False}

    return receive
