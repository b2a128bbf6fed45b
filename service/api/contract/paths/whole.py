"""All paths of the contract, with how callers are admitted to them."""

from typing import Final

from service.api.contract.parameters import (
    CATALOG_LISTS,
)
from service.api.contract.paths.catalog import catalog_index, get_row, list_rows
from service.api.contract.paths.claims import create_claim, get_claim
from service.api.contract.paths.decisions import decision_paths
from service.api.contract.paths.documents import document_paths, operation_paths
from service.api.contract.paths.pieces import OF_A_CALLER, problem_references
from service.api.contract.paths.quotes import create_quote, get_quote
from service.api.schemas import Schema

KEY: Final = "key"
PROBES: Final = frozenset({"getLiveness", "getReadiness"})
OF_A_SCRAPER: Final = ("key-required",)


def paths() -> dict[str, Schema]:
    """All paths, with the refusals of callers on those that may take a key."""
    return {
        path: {method: admitted(operation) for method, operation in operations.items()}
        for path, operations in unadmitted_paths().items()
    }


def admitted(operation: Schema) -> Schema:
    """An operation with how a caller may be refused before it, unless anybody may ask for it."""
    (tag,) = operation["tags"]
    if tag == "documents" or operation["operationId"] in PROBES:
        return operation
    refusals = problem_references(*(OF_A_SCRAPER if tag == "operations" else OF_A_CALLER))
    told = {**operation["responses"], **refusals}
    return {
        **operation,
        "security": [{}, {KEY: []}],
        "responses": {status: told[status] for status in sorted(told)},
    }


def security_schemes() -> dict[str, Schema]:
    """How a caller says who it is."""
    return {
        KEY: {
            "type": "http",
            "scheme": "bearer",
            "description": "A key that the operator has made by `runquote keys new`. A service "
            "without keys asks for none. With keys, an answer is read with the key that asked for "
            "it, and with no other.",
        }
    }


def unadmitted_paths() -> dict[str, Schema]:
    """All paths, as anybody may ask for them."""
    return {
        "/quote": {"post": create_quote()},
        "/quote/{id}": {"get": get_quote()},
        "/claim": {"post": create_claim()},
        "/claim/{id}": {"get": get_claim()},
        **decision_paths(),
        "/catalog": catalog_index(),
        **{
            path: operation
            for listing in CATALOG_LISTS
            for path, operation in (
                (f"/catalog/{listing.path}", {"get": list_rows(listing)}),
                (f"/catalog/{listing.path}/{{id}}", {"get": get_row(listing)}),
            )
        },
        **document_paths(),
        **operation_paths(),
    }
