"""The OpenAPI document: the schemas of our own types, and the paths that they travel on.

The decoder takes any id of the right form and the core refuses those that the catalog does not
know (422). The contract says more: it lists the known ids, so that whatever it calls valid is
answered with 200. It therefore belongs to one edition of the catalog.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from service import __version__
from service.answering import answer_of, encoded, question_of
from service.api.examples import DEEPSEEK_R1, ENGINE
from service.api.parameters import CatalogList, catalog_lists
from service.api.paths import headers, paths, request_headers, responses
from service.api.problems import Problem
from service.api.schemas import REFERENCE, Schema, components_of
from service.core.answer import Quote
from service.core.catalog.catalog import (
    Accelerator,
    Catalog,
    ModelPreset,
    Offer,
    ReferenceRun,
    Site,
)
from service.core.request.request import QuoteRequest

OPENAPI_VERSION: Final = "3.1.1"
DIALECT: Final = "https://spec.openapis.org/oas/3.1/dialect/base"
ROW_TYPES: Final[dict[str, type]] = {
    "accelerators": Accelerator,
    "offers": Offer,
    "models": ModelPreset,
    "sites": Site,
    "runs": ReferenceRun,
}
"""The type of the rows of each list of the catalog."""

KNOWN_IDS: Final = {
    ("Cluster", "accelerator"): "AcceleratorId",
    ("CatalogOffer", "id"): "OfferId",
    ("Market", "provider"): "ProviderId",
    ("Market", "region"): "RegionCode",
    ("ClusterSite", "id"): "SiteId",
    ("BaseRuns", "ids"): "RunId",
    ("PresetModel", "id"): "ModelId",
}
"""Members of requests that name entries of the catalog, and the component that lists them."""

INSTANTS: Final = (("Quote", "issued_at"), ("Quote", "valid_until"))

DESCRIPTION: Final = """\
Itemised, sourced, reproducible quotes for the cost of AI training runs.

Post a description of a run and of the cluster that it runs on, and get a bill: device-hours,
dollars under three ways of accounting and the way from one to the other, intervals, energy and
carbon, and for every number where it came from. The same request to the same engine
and catalog gives the same id and the same bytes, on every replica and every day.

* Every request that this document calls valid is answered with 200. What nobody prices and what
  had to be assumed are states and coded warnings in the quote, not errors. One exception: a base
  model that is given as the id of a quote which is not kept is a 409.
* What is refused is refused with a problem (RFC 9457) that points at every offending member.
* Amounts are decimal strings, rounded half to even once per line; totals add them as printed.
* HEAD works wherever GET does, and `If-None-Match` gets 304 where there is an `ETag`.
* Members may be added to answers and values to their closed lists; requests stay as strict as
  they are."""

TAGS: Final = {
    "quotes": "What a run costs.",
    "catalog": "What the service knows, with sources and dates.",
    "documents": "This contract, its pages, and the meaning of each problem.",
    "operations": "For those who run the service.",
}


def build_document(catalog: Catalog) -> Schema:
    """The whole contract over one edition of the catalog, as OpenAPI 3.1."""
    lists = catalog_lists(catalog)
    return {
        "openapi": OPENAPI_VERSION,
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "runquote",
            "version": __version__,
            "summary": "What an AI training run costs, line by line.",
            "description": DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document came from."}],
        "security": [],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths(lists, quote_example=quote_of(DEEPSEEK_R1.request, catalog)),
        "components": {
            "schemas": component_schemas(catalog, lists),
            "parameters": request_headers(),
            "headers": headers(),
            "responses": responses(),
        },
    }


def component_schemas(catalog: Catalog, lists: tuple[CatalogList, ...]) -> dict[str, Schema]:
    """All schemas: our types, pages of rows, and the ids that the catalog knows."""
    schemas = components_of([QuoteRequest, Quote, Problem, *ROW_TYPES.values()])
    for (component, member), known in KNOWN_IDS.items():
        members = schemas[component]["properties"]
        if members[member]["type"] == "array":
            members[member]["items"] = reference(known)
        else:
            members[member] = reference(known)
    for component, member in INSTANTS:
        schemas[component]["properties"][member]["format"] = "date-time"
    schemas["Quote"]["properties"]["request"] = {
        **reference("QuoteRequest"),
        "description": "The request as understood: in its canonical form, "
        "with defaults filled in, unordered lists sorted and numbers spelled in one way.",
    }
    for listing in lists:
        row = ROW_TYPES[listing.path].__name__
        schemas[f"{row}Page"] = page_of(listing, row)
    return {**schemas, **known_names(catalog)}


def page_of(listing: CatalogList, row: str) -> Schema:
    """The answer of a list."""
    return {
        "type": "object",
        "description": f"Some {listing.path} in the order of their ids.",
        "properties": {
            "items": {"type": "array", "items": reference(row)},
            "catalog": reference("CatalogStamp"),
            "next_cursor": {
                "type": "string",
                "description": "The `cursor` of the next page; absent on the last one.",
            },
        },
        "required": ["items", "catalog"],
        "additionalProperties": False,
    }


def known_names(catalog: Catalog) -> dict[str, Schema]:
    """What the catalog knows, as closed lists."""
    regions = sorted(catalog.regions)
    return {
        "AcceleratorId": closed("An accelerator of the catalog.", catalog.accelerators),
        "OfferId": closed("An offer of the catalog.", catalog.offers),
        "ModelId": closed("A model of the catalog.", catalog.models),
        "SiteId": closed("A site of the catalog.", catalog.sites),
        "RunId": closed("A reference run of the catalog.", catalog.runs),
        "ProviderId": closed("A provider of the catalog.", catalog.providers),
        "RegionCode": closed(
            "A region of an offer of the catalog, in its provider's own words.", regions
        ),
    }


def closed(description: str, names: Mapping[str, Any] | list[str]) -> Schema:
    """A closed list of names; an empty one admits nothing."""
    return {"type": "string", "description": description, "enum": sorted(names)}


def reference(component: str) -> Schema:
    """A reference to a component schema."""
    return {"$ref": REFERENCE + component}


def quote_of(request: dict[str, Any], catalog: Catalog) -> Any:
    """What the service answers to a request, computed by the very same code.

    Its engine is a stand-in, so that a new engine with the same numbers is the same contract.
    """
    question = question_of(msgspec.convert(request, QuoteRequest), engine=ENGINE, catalog=catalog)
    answer = answer_of(question, engine=ENGINE, catalog=catalog, base_quote=None)
    return msgspec.json.decode(encoded(answer))


def documents(catalog: Catalog) -> dict[str, bytes]:
    """The contract as it is published, by file name; the same document in two notations."""
    document = build_document(catalog)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return {
        "openapi.json": (text + "\n").encode(),
        "openapi.yaml": yaml.dump(
            document, Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=100
        ).encode(),
    }


class PlainDumper(yaml.SafeDumper):
    """YAML without anchors: what is said twice is written twice; long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        """Never an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


PlainDumper.add_representer(str, _text)


def write_documents(catalog: Catalog, directory: Path) -> None:
    """Write the published contract."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in documents(catalog).items():
        (directory / name).write_bytes(content)
