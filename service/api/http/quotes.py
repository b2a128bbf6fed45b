"""POST /quote and /claim, and their GETs: decode, ask, answer with the stored bytes.

What the envelope of a request adds is made anew for each answer, and is not stored.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import msgspec
from litestar import Request, Response, asgi, get
from litestar.datastructures import Headers
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send
from msgspec import Struct

from service.api.contract.parameters import OF_A_QUOTE, query_items, read_query
from service.api.http.bodies import CODINGS, coding_of, read_body, unpacked
from service.api.http.negotiation import JSON, check_accepts, check_content_type
from service.api.http.repeats import (
    CACHE_CONTROL,
    CLAIM_PREFIX,
    FRESHNESS,
    QUOTE_PREFIX,
    answer_headers,
)
from service.api.refusing.decoding import decode_claim, decode_request
from service.api.refusing.errors import (
    ClaimNotKept,
    MethodNotAllowed,
    QuoteNotKept,
)
from service.api.refusing.problems import send_problem
from service.computing.flights import ClientGone
from service.core.request.claim import ClaimRequest
from service.core.request.envelope import Envelope
from service.core.request.request import QuoteRequest
from service.quoting import NO_ENVELOPE, Asked, Issued, Quoting


class Post(Struct, frozen=True, kw_only=True):
    """A route that takes a body: what it asks for, and how the body is decoded."""

    asked: Asked
    decode: Callable[[bytes], QuoteRequest | ClaimRequest]

    @property
    def path(self) -> str:
        """Where it stands."""
        return f"/{self.asked}"


QUOTES: Final = Post(asked="quote", decode=decode_request)
CLAIMS: Final = Post(asked="claim", decode=decode_claim)


ALLOWED: Final = ("POST", "OPTIONS")


def post_route(
    post: Post, quoting: Quoting, *, body_max_bytes: int, body_timeout_s: float
) -> ASGIRouteHandler:
    """The hot route: raw bytes in, stored bytes out."""

    @asgi(post.path, copy_scope=False)
    async def handle(scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] == "OPTIONS":
                await send_allowed(send)
                return
            if scope["method"] != "POST":
                raise MethodNotAllowed(allowed=ALLOWED)  # noqa: TRY301 - refused like the rest
            headers = Headers.from_scope(scope)
            check_accepts(headers.get("accept"), JSON)
            check_content_type(headers.get("content-type"))
            coding = coding_of(headers.get("content-encoding"))
            sent = await read_body(
                receive,
                stated=headers.get("content-length"),
                body_max_bytes=body_max_bytes,
                body_timeout_s=body_timeout_s,
            )
            body = unpacked(sent, coding, body_max_bytes=body_max_bytes)
            start = perf_counter()
            issued = quoting.recall(body, asked=post.asked)
            decoded = perf_counter()
            if issued is None:
                with quoting.metrics.phase("decode"):
                    request = post.decode(body)
                decoded = perf_counter()
                issued = await quoting.issue(
                    request, spelled=body, leaves=lambda: departure(receive)
                )
            answered = perf_counter()
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a problem
            await send_problem(error, scope, send, metrics=quoting.metrics)
            return
        scope["state"]["noted"].update({post.asked: issued.id, "cache": issued.origin})
        timing = (
            f"decode;dur={(decoded - start) * 1000:.3f}, "
            f"{issued.origin};dur={(answered - decoded) * 1000:.3f}"
        )
        await send_issued(issued, send, timing=timing)

    return handle


async def send_allowed(send: Send) -> None:
    """The methods and bodies that the route takes, and no content."""
    headers = [
        (b"allow", ", ".join(ALLOWED).encode()),
        (b"accept-post", JSON.encode()),
        (b"accept-encoding", ", ".join(CODINGS).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def departure(receive: Receive) -> None:
    """Wait until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_issued(issued: Issued, send: Send, *, timing: str) -> None:
    """The stored bytes with their headers."""
    headers = answer_headers(issued, timing=timing)
    headers.append((b"content-length", b"%d" % len(issued.body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": issued.body, "more_body": False})


@get("/quote/{id:str}")
async def get_quote(id: str, request: Request[Any, Any, Any], quoting: Quoting) -> Response[bytes]:
    """A quote issued before, as long as it is kept, with what the address adds to it."""
    check_accepts(request.headers.get("accept"), JSON)
    query = read_query(query_items(request.scope["query_string"]), OF_A_QUOTE)
    envelope = msgspec.convert(query, Envelope)
    start = perf_counter()
    kept = await quoting.kept(id) if id.startswith(QUOTE_PREFIX) else None
    if kept is None or kept.body is None:
        raise QuoteNotKept(id)
    request.scope["state"]["noted"].update({"quote": id, "cache": kept.origin})
    timing = f"{kept.origin};dur={(perf_counter() - start) * 1000:.3f}"
    return kept_answer(quoting, id, kept.body, envelope, timing=timing)


@get("/claim/{id:str}")
async def get_claim(id: str, request: Request[Any, Any, Any], quoting: Quoting) -> Response[bytes]:
    """A claim judged before, as long as it is kept."""
    check_accepts(request.headers.get("accept"), JSON)
    start = perf_counter()
    kept = await quoting.kept(id) if id.startswith(CLAIM_PREFIX) else None
    if kept is None or kept.body is None:
        raise ClaimNotKept(id)
    request.scope["state"]["noted"].update({"claim": id, "cache": kept.origin})
    timing = f"{kept.origin};dur={(perf_counter() - start) * 1000:.3f}"
    return kept_answer(quoting, id, kept.body, NO_ENVELOPE, timing=timing)


def kept_answer(
    quoting: Quoting, id: str, body: bytes, envelope: Envelope, *, timing: str
) -> Response[bytes]:
    """The bytes of an answer issued before, with what its envelope adds."""
    return Response(
        quoting.enveloped(body, envelope),
        media_type=JSON,
        headers={
            "ETag": f'"{quoting.entity_tag(id, envelope)}"',
            "Cache-Control": CACHE_CONTROL.decode(),
            "Server-Timing": timing,
            "Vary": "accept",
            FRESHNESS.decode(): quoting.freshness.header(id, body).decode(),
        },
    )
