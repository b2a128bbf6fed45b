"""GET /catalog/...: what the service knows, filtered and paged, with sources."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, Struct, UnsetType

from service.api.contract.parameters import (
    CATALOG_LISTS,
    CatalogList,
    Parameter,
    query_items,
    read_query,
)
from service.api.http.negotiation import JSON, check_accepts
from service.api.refusing.errors import EntryNotFound
from service.core.answer import CatalogStamp
from service.core.catalog.catalog import Catalog
from service.core.names.names import Names
from service.editions.shelf import Shelf

CACHE_CONTROL: Final = "public, max-age=300"


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some rows of a list, and where the next ones begin."""

    items: tuple[Any, ...]
    catalog: CatalogStamp
    next_cursor: str | UnsetType = UNSET


class Listed(Struct, frozen=True):
    """A list of one edition: its rows, parameters and names, and the edition's stamp."""

    rows: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    known: Names
    stamp: CatalogStamp


def catalog_routes(shelf: Shelf) -> list[HTTPRouteHandler]:
    """A list and an entry route for each kind of row, over the edition that is current."""
    return [route for listing in CATALOG_LISTS for route in _routes_of(shelf, listing)]


def listed_in(catalog: Catalog, listing: CatalogList) -> Listed:
    """A list of the catalog."""
    rows: dict[str, Any] = getattr(catalog, listing.rows)
    return Listed(
        rows=rows,
        parameters=listing.parameters(tuple(rows.values())),
        known=Names(rows),
        stamp=CatalogStamp(version=catalog.version, digest=catalog.digest),
    )


def _routes_of(shelf: Shelf, listing: CatalogList) -> tuple[HTTPRouteHandler, ...]:
    made = {"": listed_in(shelf.current.catalog, listing)}

    def current() -> Listed:
        """The list of the current edition. It is made once, when that edition is first asked."""
        catalog = shelf.current.catalog
        if made[""].stamp.digest != catalog.digest:
            made[""] = listed_in(catalog, listing)
        return made[""]

    @get(f"/catalog/{listing.path}", sync_to_thread=False)
    def list_rows(request: Request[Any, Any, Any]) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        listed = current()
        query = read_query(query_items(request.scope["query_string"]), listed.parameters)
        page = page_of(listed.rows, query, listing=listing, stamp=listed.stamp)
        return _answer(msgspec.json.encode(page))

    @get(f"/catalog/{listing.path}/{{id:str}}", sync_to_thread=False)
    def one_row(request: Request[Any, Any, Any], id: str) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        read_query(query_items(request.scope["query_string"]), ())
        listed = current()
        if id not in listed.rows:
            raise EntryNotFound(id, listing=f"/catalog/{listing.path}", known=listed.known)
        return _answer(msgspec.json.encode(listed.rows[id]))

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
