"""GET /catalog/...: what the service knows, filtered and paged, with sources."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import UNSET, Struct, UnsetType

from service.api.contract.parameters import (
    CATALOG_LISTS,
    CatalogList,
    Parameter,
    query_items,
    read_query,
    unknown_mark,
)
from service.api.http.negotiation import JSON, check_accepts
from service.api.listing import chosen, rows_of, sorted_ids, wanted_in
from service.api.refusing.errors import CursorOfAnotherList, EntryNotFound
from service.core.answer import CatalogStamp
from service.core.catalog.catalog import Catalog
from service.core.names.kinds import NameKind
from service.core.names.names import Names
from service.editions.shelf import Shelf

CACHE_CONTROL: Final = "public, max-age=300"
CHECK_DIGITS: Final = 16
KIND_OF_ROWS: Final[Mapping[str, NameKind]] = {
    "accelerators": "accelerator",
    "offers": "offer",
    "models": "model",
    "sites": "site",
    "runs": "run",
}
"""The kind of names that the ids of each list are."""


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some rows of a list, how many pass the filters, and where the next ones begin."""

    items: tuple[Any, ...]
    total: int
    catalog: CatalogStamp
    next_cursor: str | UnsetType = UNSET


class Listed(Struct, frozen=True):
    """A list of one edition: the edition, its rows, parameters and names, and its stamp."""

    catalog: Catalog
    rows: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    known: Names
    stamp: CatalogStamp
    orders: Callable[[str], tuple[str, ...]]
    """The ids in the order that a `sort` asks for."""


def catalog_routes(shelf: Shelf) -> list[HTTPRouteHandler]:
    """The index, and a list and an entry route for each kind of row, over the current edition."""
    return [
        index_route(shelf),
        *(one for listing in CATALOG_LISTS for one in _routes(shelf, listing)),
    ]


def index_route(shelf: Shelf) -> HTTPRouteHandler:
    """GET /catalog: the lists that there are."""

    @get("/catalog", sync_to_thread=False)
    def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        read_query(query_items(request.scope["query_string"]), ())
        catalog = shelf.current.catalog
        lists = [
            {
                "name": one.path,
                "href": f"/catalog/{one.path}",
                "total": len(getattr(catalog, one.rows)),
                "filters": (*one.filters, *(other.name for other in one.others)),
            }
            for one in CATALOG_LISTS
        ]
        stamp = CatalogStamp(version=catalog.version, digest=catalog.digest)
        return _answer(msgspec.json.encode({"lists": lists, "catalog": stamp}))

    return index


def listed_in(catalog: Catalog, listing: CatalogList) -> Listed:
    """A list of the catalog."""
    rows = rows_of(catalog, listing)
    kind = KIND_OF_ROWS.get(listing.path)

    @cache
    def orders(sort: str) -> tuple[str, ...]:
        return sorted_ids(rows, sort, usd=catalog.usd_by_offer)

    return Listed(
        catalog=catalog,
        rows=rows,
        parameters=listing.parameters(tuple(rows.values()), catalog.names, atlas=catalog.atlas),
        known=Names(rows) if kind is None else catalog.names[kind],
        stamp=CatalogStamp(version=catalog.version, digest=catalog.digest),
        orders=orders,
    )


def _routes(shelf: Shelf, listing: CatalogList) -> tuple[HTTPRouteHandler, ...]:
    made = {"": listed_in(shelf.current.catalog, listing)}
    path = f"/catalog/{listing.path}"

    def current() -> Listed:
        """The list of the current edition. It is made once, when that edition is first asked."""
        catalog = shelf.current.catalog
        if made[""].stamp.digest != catalog.digest:
            made[""] = listed_in(catalog, listing)
        return made[""]

    @get(path, sync_to_thread=False)
    def list_rows(request: Request[Any, Any, Any]) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        listed = current()
        query = read_query(query_items(request.scope["query_string"]), listed.parameters)
        page = page_of(listed, query, listing=listing)
        return _answer(msgspec.json.encode(page), links=links_of(path, query, page.next_cursor))

    @get(f"{path}/{{id:path}}", sync_to_thread=False)
    def one_row(request: Request[Any, Any, Any], id: FromPath[str]) -> Response[bytes]:
        check_accepts(request.headers.get("accept"), JSON)
        read_query(query_items(request.scope["query_string"]), ())
        listed, asked = current(), id.removeprefix("/")
        meant = listed.known.resolve(asked)
        if meant is None:
            raise EntryNotFound(asked, listing=path, known=listed.known)
        return _answer(msgspec.json.encode(listed.rows[meant]), location=f"{path}/{meant}")

    return list_rows, one_row


def page_of(listed: Listed, query: Mapping[str, Any], *, listing: CatalogList) -> Page:
    """The rows that pass the filters, in the order that is asked for, from the cursor on.

    Raises `CursorOfAnotherList`.
    """
    wanted = wanted_in(listing, query)
    sort = query.get("sort", "id")
    ids = chosen(listed.catalog, listing, wanted, listed.orders(sort))
    question = msgspec.json.encode([listing.path, sort, wanted], order="sorted")
    begin = _after(query["cursor"], ids, question) if "cursor" in query else 0
    end = begin + int(query["limit"])
    return Page(
        items=tuple(listed.rows[id] for id in ids[begin:end]),
        total=len(ids),
        catalog=listed.stamp,
        next_cursor=cursor_of(ids[end - 1], question) if end < len(ids) else UNSET,
    )


def cursor_of(id: str, question: bytes) -> str:
    """The mark of the last row of a page, which holds for this list, filtered and sorted so."""
    check = sha256(question + b"\n" + id.encode()).hexdigest()[:CHECK_DIGITS]
    return f"{check}.{urlsafe_b64encode(id.encode()).decode().rstrip('=')}"


def _after(cursor: str, ids: Sequence[str], question: bytes) -> int:
    """The place after the row that a cursor marks. Raises `CursorOfAnotherList` if it has none."""
    try:
        coded = cursor.partition(".")[2]
        id = urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
        place = ids.index(id)
    except ValueError:
        raise CursorOfAnotherList(unknown_mark("cursor", cursor)) from None
    if cursor_of(id, question) != cursor:
        raise CursorOfAnotherList(unknown_mark("cursor", cursor))
    return place + 1


def links_of(path: str, query: Mapping[str, Any], next_cursor: str | UnsetType) -> str:
    """The `Link` header of a page (RFC 8288): the first page, and the next if there is one."""
    same = {name: value for name, value in query.items() if name != "cursor"}
    links = [f'<{path}?{urlencode(same)}>; rel="first"']
    if next_cursor is not UNSET:
        links.append(f'<{path}?{urlencode({**same, "cursor": next_cursor})}>; rel="next"')
    return ", ".join(links)


def _answer(body: bytes, *, links: str = "", location: str = "") -> Response[bytes]:
    headers = {
        "ETag": f'"{sha256(body).hexdigest()[:32]}"',
        "Cache-Control": CACHE_CONTROL,
        "Vary": "accept",
    }
    if links:
        headers["Link"] = links
    if location:
        headers["Content-Location"] = quote(location)
    return Response(body, media_type=JSON, headers=headers)
