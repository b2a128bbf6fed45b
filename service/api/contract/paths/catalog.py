"""The paths of the catalog."""

from service.api.contract.parameters import (
    CatalogList,
)
from service.api.contract.paths.pieces import (
    EVERYWHERE,
    JSON,
    answer,
    conditional,
    object_of,
    plain,
    problem_references,
    query_parameter,
    schema,
)
from service.api.schemas import Schema


def catalog_index() -> Schema:
    """GET /catalog."""
    listed = {
        "name": {"type": "string"},
        "href": {"type": "string"},
        "total": {"type": "integer"},
        "filters": {"type": "array", "items": {"type": "string"}},
    }
    index = {
        "lists": {"type": "array", "items": object_of(listed)},
        "catalog": schema("CatalogStamp"),
    }
    return plain(
        "getCatalog",
        "catalog",
        "The lists of the catalog",
        {JSON: {"schema": object_of(index)}},
        problems=("invalid-query",),
    )


def list_rows(listing: CatalogList) -> Schema:
    """GET /catalog/..."""
    row = listing.row.__name__
    return {
        "operationId": f"list{listing.path.capitalize()}",
        "tags": ["catalog"],
        "summary": f"List {listing.path}, filtered and paged",
        "parameters": [*map(query_parameter, listing.parameters()), *conditional()],
        "responses": {
            **answer(
                f"Some {listing.path}, by id unless `sort` says otherwise; the last page has no "
                "`next_cursor`.",
                {JSON: {"schema": schema(f"{row}Page")}},
                "Link",
                links={
                    getter(listing): {
                        "operationId": getter(listing),
                        "description": "The first of them.",
                        "parameters": {"id": "$response.body#/items/0/id"},
                    },
                    "nextPage": {
                        "operationId": f"list{listing.path.capitalize()}",
                        "description": "The next page, if there is one.",
                        "parameters": {"cursor": "$response.body#/next_cursor"},
                    },
                },
            ),
            **problem_references("invalid-query", "unknown-entry", *EVERYWHERE),
        },
    }


def getter(listing: CatalogList) -> str:
    """The operation that answers with one row of a list."""
    return "get" + listing.noun.title().replace(" ", "")


def get_row(listing: CatalogList) -> Schema:
    """GET /catalog/.../{id}."""
    return {
        "operationId": getter(listing),
        "tags": ["catalog"],
        "summary": f"One {listing.noun} of the catalog",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": f"The {listing.noun}'s `id`.",
                "schema": schema(listing.entries.component),
            },
            *conditional(),
        ],
        "responses": {
            **answer(
                f"The {listing.noun}, every number with its source.",
                {JSON: {"schema": schema(listing.row.__name__)}},
                "Content-Location",
            ),
            **problem_references("invalid-query", "unknown-entry", *EVERYWHERE),
        },
    }
