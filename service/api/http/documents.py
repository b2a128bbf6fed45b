"""GET /openapi.json, /openapi.yaml, /docs, /problems: the contract as published, and its pages."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from service.api.http.negotiation import HTML, JSON, YAML, check_accepts
from service.api.http.pages import (
    ASSETS,
    CONTENT_SECURITY_POLICY,
    ask_page,
    docs_page,
    problem_page,
    problem_text,
    problems_page,
    try_page,
)
from service.api.http.reading import (
    PAGES,
    links_to_pages,
    operations_in,
    read_page,
    search_index,
)
from service.api.refusing.errors import EntryNotFound
from service.api.refusing.problems import KINDS
from service.core.names.names import Names

TEXT: Final = "text/plain"
CACHE_CONTROL: Final = "public, max-age=300"
PUBLISHED: Final = (
    Path(__file__).parents[1] / "published",
    Path(__file__).parents[3] / "openapi",
)
"""Where the published contract may lie: in an installed package, or in a checkout."""

AnyRequest = Request[Any, Any, Any]


def published(name: str) -> bytes:
    """A file of the published contract."""
    path = next(path for directory in PUBLISHED if (path := directory / name).is_file())
    return path.read_bytes()


def document_routes() -> list[HTTPRouteHandler]:
    """Routes of the contract in both notations, its page with its files, and problem pages."""
    pages = {kind.slug: problem_page(kind).encode() for kind in KINDS.values()}
    texts = {kind.slug: problem_text(kind).encode() for kind in KINDS.values()}
    contract = published("openapi.json")
    assets = {name: (asset.read(), asset.media_type) for name, asset in ASSETS.items()}

    @get("/docs/assets/{name:str}", sync_to_thread=False)
    def asset(name: FromPath[str]) -> Response[bytes]:
        """A file that a page needs."""
        if name not in assets:
            raise EntryNotFound(name, listing="/docs/assets", known=Names(assets))
        return document(*assets[name])

    @get("/docs/read/{name:str}")
    async def page(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        """A page of the documentation."""
        check_accepts(request.headers.get("accept"), HTML)
        if name not in PAGES:
            raise EntryNotFound(name, listing="/docs", known=Names(PAGES))
        found = await asyncio.to_thread(read_page, name)
        return document(found.html, HTML)

    @get("/docs/search.json")
    async def search(request: AnyRequest) -> Response[bytes]:
        """What the search of `/docs` looks through."""
        check_accepts(request.headers.get("accept"), JSON)
        operations = operations_in(json.loads(contract))
        return document(await asyncio.to_thread(search_index, operations), JSON)

    @get("/problems/{slug:str}", sync_to_thread=False)
    def problem(request: AnyRequest, slug: FromPath[str]) -> Response[bytes]:
        """What a kind of problem means."""
        media_type = check_accepts(request.headers.get("accept"), HTML, TEXT)
        if slug not in pages:
            raise EntryNotFound(slug, listing="/problems", known=Names(pages))
        return document((pages if media_type == HTML else texts)[slug], media_type)

    return [
        one_document("/openapi.json", contract, JSON),
        one_document("/openapi.yaml", published("openapi.yaml"), YAML),
        one_document("/docs", docs_page(contract, pages=links_to_pages()), HTML),
        one_document("/docs/try", try_page(), HTML),
        one_document("/", ask_page(), HTML),
        *(one_document(f"/ask/{name}", ask_page(name), HTML) for name in ("compare", "claim")),
        one_document("/problems", problems_page().encode(), HTML),
        asset,
        page,
        problem,
        search,
    ]


def one_document(path: str, content: bytes, media_type: str) -> HTTPRouteHandler:
    """A route that always gives the same answer."""
    response = document(content, media_type)

    @get(path, sync_to_thread=False)
    def handle(request: AnyRequest) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), media_type)
        return response

    return handle


def document(content: bytes, media_type: str) -> Response[bytes]:
    """A document with its headers. The policy lets pages load from this host only."""
    headers = {
        "ETag": f'"{sha256(content).hexdigest()[:32]}"',
        "Cache-Control": CACHE_CONTROL,
        "Vary": "accept",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    }
    return Response(content, media_type=media_type, headers=headers)
