"""POST /quote/diff and /reconcile: questions about quotes, answered with JSON that is not kept."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send
from msgspec import Struct

from service.api.http.bodies import Bounds, departure, posted_headers, send_allowed
from service.api.http.negotiation import JSON, check_accepts
from service.api.refusing.decoding import decoded
from service.api.refusing.problems import send_problem
from service.computing.flights import ClientGone, unless_gone
from service.core.request.about_quotes.difference import DifferenceRequest
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.quoted.difference import difference_of
from service.quoted.reconciliation import reconciliation_of
from service.quoting import Quoting


class AboutQuotes(Struct, frozen=True, kw_only=True):
    """A kind of question about quotes: its path, its request, and how it is answered."""

    path: str
    name: str
    request: type
    answer: Callable[[Any, Quoting], Awaitable[bytes]]


DIFFERENCE: Final = AboutQuotes(
    path="/quote/diff", name="difference", request=DifferenceRequest, answer=difference_of
)
RECONCILIATION: Final = AboutQuotes(
    path="/reconcile",
    name="reconciliation",
    request=ReconciliationRequest,
    answer=reconciliation_of,
)
ABOUT_QUOTES: Final = (DIFFERENCE, RECONCILIATION)


def about_route(asked: AboutQuotes, quoting: Quoting, bounds: Bounds) -> ASGIRouteHandler:
    """The route of a kind of question about quotes."""

    @asgi(asked.path, copy_scope=False)
    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "OPTIONS":
                await send_allowed(send)
                return
            headers = posted_headers(scope)
            check_accepts(headers.get("accept"), JSON)
            body = await bounds.body_of(headers, receive)
            start = perf_counter()
            with quoting.metrics.phase("decode"):
                request: Any = decoded(body, asked=asked.request)
            found = await unless_gone(answered(asked, request, quoting), lambda: departure(receive))
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a problem
            quoting.metrics.about_quotes.labels(asked.name, "refused").inc()
            await send_problem(error, scope, send, metrics=quoting.metrics)
            return
        quoting.metrics.about_quotes.labels(asked.name, "answered").inc()
        await send_found(found, send, seconds=perf_counter() - start)

    return handle


async def answered(asked: AboutQuotes, request: Any, quoting: Quoting) -> bytes:
    """The answer to a question about quotes."""
    return await asked.answer(request, quoting)


async def send_found(body: bytes, send: Send, *, seconds: float) -> None:
    """An answer that nobody keeps: it hangs on which quotes and editions are at hand."""
    headers = [
        (b"content-type", JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"server-timing", f"computed;dur={seconds * 1000:.3f}".encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
