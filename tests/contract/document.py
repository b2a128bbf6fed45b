"""The contract as the tests read it: made once from the types and the embedded catalog."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from service.api.contract import build_document, documents
from service.core.catalog.catalog import Catalog
from tests.worlds import embedded

PUBLISHED = Path(__file__).parents[2] / "openapi"


def catalog() -> Catalog:
    return embedded()


@cache
def document() -> dict[str, Any]:
    return build_document(catalog())


@cache
def files() -> dict[str, bytes]:
    return documents(catalog())


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything that the contract offers."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def component(reference: dict[str, Any]) -> dict[str, Any]:
    """What a reference refers to; what is none stands for itself."""
    target: dict[str, Any] = reference
    if "$ref" in reference:
        target = document()
        for step in reference["$ref"].removeprefix("#/").split("/"):
            target = target[step]
    return target


def every_schema(node: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a node that could be a schema."""
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from every_schema(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from every_schema(inner)
