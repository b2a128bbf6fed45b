"""GET /quote/{id}, /claim/{id} and the like: the stored bytes of an answer issued before.

The plainest requests for a quote are answered without the framework, which takes longer to find its
handler than the quote takes to be found.
"""

import re
from time import perf_counter
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from service.api.contract.parameters import OF_A_QUOTE, OF_A_SHEET, query_items, read_query
from service.api.http.negotiation import JSON, check_accepts
from service.api.http.repeats import (
    BY_ID,
    CACHE_CONTROL,
    FRESHNESS,
    PLAIN_ACCEPT,
)
from service.api.http.sheets.forms import form_answer, form_wanted
from service.api.refusing.errors import NOT_KEPT, QuoteNotKept
from service.api.refusing.problems import send_problem
from service.cache import CacheUnavailable
from service.computing.kinds import NO_ENVELOPE, Handled
from service.computing.kinds import QUOTES as QUOTE
from service.core.request.envelope import Envelope
from service.quoting import Issued, Quoting, Spelling

QUOTES: Final = "/quote/"
LOOKED: Final = "looked"
"""Stands in the state of a request whose quote the server has looked for in Redis in vain."""
SAY_THE_FORM: Final = frozenset(parameter.name for parameter in OF_A_SHEET)
PLAIN_PATH: Final = re.compile(r"/quote/(q_[0-9a-f]{64})")


@get("/quote/{id:str}")
async def get_quote(
    id: FromPath[str], request: Request[Any, Any, Any], quoting: NamedDependency[Quoting]
) -> Response[bytes]:
    """A quote issued before, as long as it is kept, with what the address adds to it.

    It is the stored JSON, or its sheet in the form that the address or the `Accept` names.
    """
    query = read_query(query_items(request.scope["query_string"]), (*OF_A_QUOTE, *OF_A_SHEET))
    form = form_wanted(request.headers.get("accept"), query)
    beside = {name: value for name, value in query.items() if name not in SAY_THE_FORM}
    start = perf_counter()
    issued = await kept_quote(id, msgspec.convert(beside, Envelope), quoting)
    request.scope["state"]["noted"].update({"quote": id, "cache": issued.origin})
    return kept_answer(issued, start=start) if form is None else await form_answer(issued, form)


def plainly_kept(quoting: Quoting) -> ASGIApp:
    """The same for the plainest requests, which need no framework: nothing but an id."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
        scope["path_template"] = BY_ID
        start = perf_counter()
        id, looked = scope["path"].removeprefix(QUOTES), scope["state"].get(LOOKED)
        try:
            if looked == "nowhere":
                raise QuoteNotKept(id)  # noqa: TRY301 - as if it were looked for here
            if looked == "unasked":
                raise CacheUnavailable(id)  # noqa: TRY301
            issued = await kept_quote(id, NO_ENVELOPE, quoting)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is a problem
            await send_problem(error, scope, send, metrics=quoting.metrics)
            return
        scope["state"]["noted"].update({"quote": issued.id, "cache": issued.origin})
        headers = [
            (b"content-type", JSON.encode()),
            (b"content-length", b"%d" % len(issued.body)),
            *(
                (name.lower().encode(), value.encode())
                for name, value in kept_headers(issued, start=start).items()
            ),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": issued.body, "more_body": False})

    return handle


def names_a_quote_plainly(scope: HTTPScope) -> bool:
    """Whether a request asks for a quote by its id, and for nothing else that is unusual."""
    if scope["method"] != "GET" or scope["query_string"] or not PLAIN_PATH.fullmatch(scope["path"]):
        return False
    accepts = [value for name, value in scope["headers"] if name == b"accept"]
    return not accepts or (len(accepts) == 1 and accepts[0] in PLAIN_ACCEPT)


async def kept_quote(id: str, envelope: Envelope, quoting: Quoting) -> Issued:
    """A quote issued before. Raises `QuoteNotKept` or `CacheUnavailable`."""
    kept = await quoting.kept(id) if id.startswith(QUOTE.kind.prefix) else None
    if kept is None or kept.body is None:
        raise QuoteNotKept(id)
    return quoting.issued(Spelling(id, envelope, is_dear=True), kept.body, kept.origin)


def kept_route(asked: Handled) -> HTTPRouteHandler:
    """`GET` of an answer by its id, for a kind of question whose answers have no envelope."""

    @get(f"{asked.path}/{{id:str}}", name=asked.kind.name)
    async def get_kept(
        id: FromPath[str], request: Request[Any, Any, Any], quoting: NamedDependency[Quoting]
    ) -> Response[bytes]:
        """An answer issued before, as long as it is kept."""
        check_accepts(request.headers.get("accept"), JSON)
        start = perf_counter()
        kept = await quoting.kept(id) if id.startswith(asked.kind.prefix) else None
        if kept is None or kept.body is None:
            raise NOT_KEPT[asked.kind.name](id)
        request.scope["state"]["noted"].update({asked.kind.name: id, "cache": kept.origin})
        known = Spelling(id, NO_ENVELOPE, is_dear=True)
        return kept_answer(quoting.issued(known, kept.body, kept.origin), start=start)

    return get_kept


def kept_answer(issued: Issued, *, start: float) -> Response[bytes]:
    """The bytes of an answer issued before, looked for since `start`."""
    return Response(issued.body, media_type=JSON, headers=kept_headers(issued, start=start))


def kept_headers(issued: Issued, *, start: float) -> dict[str, str]:
    """The headers of an answer issued before, but for those of its body."""
    return {
        "ETag": f'"{issued.tag}"',
        "Cache-Control": CACHE_CONTROL.decode(),
        "Server-Timing": f"{issued.origin};dur={(perf_counter() - start) * 1000:.3f}",
        "Vary": "accept",
        FRESHNESS.decode(): issued.freshness.decode(),
    }
