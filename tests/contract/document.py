"""The contract as the tests read it: made once from the types, and closed over the catalog."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from service.api.contract.document import build_document, documents, exact_schemas
from service.api.contract.ids import (
    ACCELERATOR,
    CLAIM,
    GENERATION,
    MODEL,
    OFFER,
    PROVIDER,
    REGION,
    RUN,
    SITE,
    KnownName,
)
from service.api.contract.parameters import CATALOG_LISTS, Choice, Place
from service.api.refusing.problems import KINDS
from service.core.catalog.catalog import Catalog
from tests.worlds import embedded

BOOK_RATE = "#/components/schemas/BookRate"
PUBLISHED = Path(__file__).parents[2] / "openapi"


def catalog() -> Catalog:
    return embedded()


@cache
def document() -> dict[str, Any]:
    return build_document()


@cache
def files() -> dict[str, bytes]:
    return documents()


def known_names() -> dict[str, list[str]]:
    """The names that the catalog knows, by the component that the contract has for their kind."""
    known = catalog()
    names: dict[KnownName, Iterable[str]] = {
        ACCELERATOR: known.accelerators,
        GENERATION: {device.generation for device in known.accelerators.values()},
        OFFER: known.offers,
        MODEL: known.models,
        SITE: known.sites,
        RUN: known.runs,
        CLAIM: known.claims,
        PROVIDER: known.providers,
        REGION: {offer.region for offer in known.offers.values()},
    }
    return {kind.component: sorted(some) for kind, some in names.items()}


def regions() -> Iterator[str]:
    """Areas, and regions of sellers that answers repeat as they are: `us` is the United States."""
    known = catalog()
    for name in (*known.regions, *(area.slug for area in known.areas.values())):
        if known.names["region"].resolve(name) == name:
            yield name


def closed_document(*, most_names: int) -> dict[str, Any]:
    """The contract spelled out, as strict as the service is today.

    Where the published one takes any name there are closed lists of known ones, of each a sample:
    what this document calls valid is answered, without exception. And answers have no members but
    those that they have today.
    """
    closed = strict(document())
    closed["components"]["schemas"] = strict(exact_schemas())
    answered = known_names() | {REGION.component: sorted(set(regions()))}
    for component_name, names in answered.items():
        closed["components"]["schemas"][component_name]["enum"] = sample(names, most_names)
    asked = ("QuoteRequest", "ClaimRequest", "CompareRequest", "SolveRequest")
    for request in (*asked, "QuoteById", "QuoteByRequest"):
        edition = closed["components"]["schemas"][request]["properties"]["catalog"]
        edition["enum"] = [catalog().version]
    # A measured speed above the device's peak is refused, and no schema can say where that is.
    for work in ("Pretraining", "Finetuning"):
        del closed["components"]["schemas"][work]["properties"]["anchor"]
    for schema in every_schema(closed):
        # A service without a price book knows no rate of one.
        if "oneOf" in schema:
            schema["oneOf"] = [one for one in schema["oneOf"] if one.get("$ref") != BOOK_RATE]
    (slug, *_) = closed["paths"]["/problems/{slug}"]["get"]["parameters"]
    slug["schema"] = {"type": "string", "enum": list(KINDS)}
    for listing in CATALOG_LISTS:
        rows = tuple(getattr(catalog(), listing.rows).values())
        printed = closed["paths"][f"/catalog/{listing.path}"]["get"]["parameters"]
        for parameter, one in zip(listing.parameters(rows), printed, strict=False):
            if isinstance(parameter, Choice):
                assert one["name"] == parameter.name
                one["schema"] = {"type": "string", "enum": sample(parameter.values, most_names)}
            elif isinstance(parameter, Place):
                assert one["name"] == parameter.name
                areas = [area.slug for area in catalog().areas.values()]
                one["schema"] = {"type": "string", "enum": sample(areas, most_names)}
    return closed


def strict(node: dict[str, Any]) -> dict[str, Any]:
    """A copy in which no object has members but those that are named, as it is today."""
    node = copy.deepcopy(node)
    for schema in every_schema(node):
        if schema.get("type") == "object" and "properties" in schema:
            schema["additionalProperties"] = False
    return node


def sample(names: Sequence[str], most: int) -> list[str]:
    """Some of the names, evenly spread."""
    return list(names[:: -(-len(names) // most)])


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
