"""GET /catalog/...: what the service knows, filtered and paged, with sources."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, Struct, UnsetType

from service.api.contract.parameters import CATALOG_LISTS, CatalogList, query_items, read_query
from service.api.http.negotiation import JSON, check_accepts
from service.api.refusing.errors import EntryNotFound
from service.core.answer import CatalogStamp
from service.core.catalog.catalog import Catalog
from service.core.catalog.names import Names

CACHE_CONTROL: Final = "public, max-age=300"


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some rows of a list, and where the next ones begin."""

    items: tuple[Any, ...]
    catalog: CatalogStamp
    next_cursor: str | UnsetType = UNSET


def catalog_routes(catalog: Catalog) -> list[HTTPRouteHandler]:
    """A list and an entry route for each kind of row."""
    return [route for listing in CATALOG_LISTS for route in _routes_of(catalog, listing)]


def _routes_of(catalog: Catalog, listing: CatalogList) -> tuple[HTTPRouteHandler, ...]:
    rows: dict[str, Any] = getattr(catalog, listing.rows)
    parameters = listing.parameters(tuple(rows.values()))
    known = Names(rows)
    stamp = CatalogStamp(version=catalog.version, digest=catalog.digest)

    @get(f"/catalog/{listing.path}", sync_to_thread=False)
    def list_rows(request: Request[Any, Any, Any]) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        query = read_query(query_items(request.scope["query_string"]), parameters)
        page = page_of(rows, query, listing=listing, stamp=stamp)
        return _answer(msgspec.json.encode(page))

    @get(f"/catalog/{listing.path}/{{id:str}}", sync_to_thread=False)
    def one_row(request: Request[Any, Any, Any], id: str) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        read_query(query_items(request.scope["query_string"]), ())
        if id not in rows:
            raise EntryNotFound(id, listing=f"/catalog/{listing.path}", known=known)
        return _answer(msgspec.json.encode(rows[id]))

    return list_rows, one_row


def page_of(
    rows: Mapping[str, Any], query: Mapping[str, Any], *, listing: CatalogList, stamp: CatalogStamp
) -> Page:
    """The rows that pass the filters, in the order of their ids, from the cursor on."""
    wanted = {name: query[name] for name in listing.filters if name in query}
    ids = sorted(id for id, row in rows.items() if _passes(row, wanted))
    after = query.get("cursor", "")
    rest = [id for id in ids if id > after]
    limit = int(query["limit"])
    page = rest[:limit]
    return Page(
        items=tuple(rows[id] for id in page),
        catalog=stamp,
        next_cursor=page[-1] if len(rest) > limit else UNSET,
    )


def _passes(row: Any, wanted: Mapping[str, str]) -> bool:
    return all(getattr(row, name) == value for name, value in wanted.items())


def _answer(body: bytes) -> Response[bytes]:
    headers = {
        "ETag": f'"{sha256(body).hexdigest()[:32]}"',
        "Cache-Control": CACHE_CONTROL,
        "Vary": "accept",
    }
    return Response(body, media_type=JSON, headers=headers)
