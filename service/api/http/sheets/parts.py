"""GET /quote/{id}/lines and /figures: parts of a quote by the same id."""

from hashlib import sha256
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.api.contract.parameters import OF_FIGURES, OF_LINES, query_items, read_query
from service.api.http.by_id import kept_quote
from service.api.http.negotiation import JSON, check_accepts
from service.api.refusing.errors import EntryNotFound
from service.computing.kinds import NO_ENVELOPE
from service.core.answer.base import Answer
from service.core.names.names import Names
from service.quoting import Quoting
from service.sheet.parts import figure_names, figure_of, figures_of, lines_of

CACHE_CONTROL: Final = "private, no-cache"
TAG_DIGITS: Final = 32
AnyRequest = Request[Any, Any, Any]


@get("/quote/{id:str}/lines")
async def get_lines(
    id: FromPath[str], request: AnyRequest, quoting: NamedDependency[Quoting]
) -> Response[bytes]:
    """Lines of a kept quote."""
    check_accepts(request.headers.get("accept"), JSON)
    query = read_query(query_items(request.scope["query_string"]), OF_LINES)
    return part(lines_of(await stored(id, request, quoting), **query))


@get("/quote/{id:str}/figures")
async def get_figures(
    id: FromPath[str], request: AnyRequest, quoting: NamedDependency[Quoting]
) -> Response[bytes]:
    """Figures of a kept quote."""
    check_accepts(request.headers.get("accept"), JSON)
    query = read_query(query_items(request.scope["query_string"]), OF_FIGURES)
    prefix = str(query.get("prefix", ""))
    return part(figures_of(await stored(id, request, quoting), prefix=prefix))


@get("/quote/{id:str}/figures/{name:path}")
async def get_figure(
    id: FromPath[str], name: FromPath[str], request: AnyRequest, quoting: NamedDependency[Quoting]
) -> Response[bytes]:
    """A figure of a kept quote, with what it follows from and leads to."""
    check_accepts(request.headers.get("accept"), JSON)
    read_query(query_items(request.scope["query_string"]), ())
    body = await stored(id, request, quoting)
    asked = name.removeprefix("/")
    found = figure_of(body, asked)
    if found is None:
        listing = f"/quote/{id}/figures"
        raise EntryNotFound(asked, listing=listing, known=Names(figure_names(body)))
    return part(found)


async def stored(id: str, request: AnyRequest, quoting: Quoting) -> bytes:
    """The stored bytes of a quote. Raises `QuoteNotKept` or `CacheUnavailable`."""
    issued = await kept_quote(id, NO_ENVELOPE, quoting)
    request.scope["state"]["noted"].update({"quote": id, "cache": issued.origin})
    return issued.body


def part(answer: Answer) -> Response[bytes]:
    """A part of a quote, with its headers."""
    content = msgspec.json.encode(answer)
    headers = {
        "ETag": f'"{sha256(content).hexdigest()[:TAG_DIGITS]}"',
        "Cache-Control": CACHE_CONTROL,
        "Vary": "accept",
    }
    return Response(content, media_type=JSON, headers=headers)
