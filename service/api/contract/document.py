"""The OpenAPI document: the schemas of our own types, and the paths that use them.

The names in the catalog are not part of it. Ids are strings, so another edition of the catalog does
not change the contract.
"""

import json
from typing import Any, Final

import yaml

from service import __version__
from service.answering import REQUESTS
from service.api.contract.about_quotes import about_quote_paths
from service.api.contract.defaults import with_defaults_in_words
from service.api.contract.ids import name_schemas, refer_to_names
from service.api.contract.parameters import CATALOG_LISTS, CatalogList
from service.api.contract.paths.pieces import headers, request_headers, responses
from service.api.contract.paths.whole import paths, security_schemes
from service.api.contract.shaping.flat_answers import with_flat_answers
from service.api.contract.shaping.in_short import in_short
from service.api.contract.shaping.open_answers import with_open_answers
from service.api.contract.shared_schemas import reference, shared
from service.api.contract.sheet_paths import sheet_paths
from service.api.refusing.problems import Problem
from service.api.schemas import Schema, components_of
from service.core.answer import ClaimAnswer, Quote
from service.core.answer.comparison import Comparison
from service.core.answer.difference import QuoteDifference
from service.core.answer.reconciliation import Reconciliation
from service.core.answer.solution import Solution
from service.core.request.about_quotes.difference import DifferenceRequest
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.sheet.parts import FigureExplained, FigureList, LineList
from service.sheet.summary import QuoteSummary
from service.sheet.verifying import FiledQuote, Verification

OPENAPI_VERSION: Final = "3.1.1"
DIALECT: Final = "https://spec.openapis.org/oas/3.1/dialect/base"
INSTANTS: Final = (
    ("Quote", "issued_at"),
    ("Quote", "valid_until"),
    ("ClaimAnswer", "issued_at"),
    ("ClaimAnswer", "valid_until"),
    ("Comparison", "issued_at"),
    ("Comparison", "valid_until"),
    ("Solution", "issued_at"),
    ("Solution", "valid_until"),
)
LINE_DEPTH: Final = 3
"""A line for each path and each component: the file is small, and a change of it can be seen."""
ECHOED: Final = {
    "Quote": "QuoteRequest",
    "ClaimAnswer": "ClaimRequest",
    "Comparison": "CompareRequest",
    "Solution": "SolveRequest",
}
"""The answers that repeat their request."""

DESCRIPTION: Final = """\
Itemised, sourced, reproducible quotes for the cost of AI training runs.

Post a description of a run and of the cluster that it runs on, and get a bill: device-hours,
dollars under three ways of accounting, intervals, energy and carbon, and the source of every
number. The same request to the same engine and catalog gives the same id and the same bytes.

* Every request that this document calls valid and whose names the catalog knows is answered with
  200. Lines without a price and assumptions are states and coded warnings. Two exceptions: a base
  quote that is not kept is a 409, and a measured speed above the peak of its device is a 422.
* A name that the catalog does not know is a 422 that lists the nearest known ones; all are under
  /catalog. The same holds for `after`, which names stages of the run.
* A refusal is a problem (RFC 9457) that points at every offending member.
* Amounts are decimal strings. Each line is rounded half to even, once. Totals add the amounts as
  printed, and round nothing.
* Where the operator gives out keys, an answer is read with the key that asked for it. Where there
  are quotas, `RateLimit` says what is left of the minute, in milliseconds of estimated CPU.
* HEAD works wherever GET does, and `If-None-Match` gets 304 if there is an `ETag`.
* Members may be added to answers, and values to what `x-extensible-enum` lists. Requests stay
  strict."""

TAGS: Final = {
    "quotes": "What a run costs.",
    "claims": "What a published figure can mean.",
    "decisions": "Whom to buy from, how much, and when it is done.",
    "catalog": "What the service knows, with sources and dates.",
    "documents": "This contract, its pages, and the meaning of each problem.",
    "operations": "For operators of the service.",
}


def build_document() -> Schema:
    """The whole contract, as OpenAPI 3.1."""
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
        "paths": {**paths(), **sheet_paths(), **about_quote_paths()},
        "components": {
            "schemas": published_schemas(),
            "parameters": request_headers(),
            "headers": headers(),
            "responses": responses(),
            "securitySchemes": security_schemes(),
        },
    }


def published_schemas() -> dict[str, Schema]:
    """All schemas as clients read them: shortened, and open where the service answers."""
    schemas = with_open_answers(with_flat_answers(shared(exact_schemas())))
    return {name: with_defaults_in_words(schema) for name, schema in schemas.items()}


def exact_schemas() -> dict[str, Schema]:
    """All schemas, spelled out: our types, pages of rows, and names in requests."""
    rows = [listing.row for listing in CATALOG_LISTS]
    parts = [QuoteSummary, LineList, FigureList, FigureExplained, FiledQuote, Verification]
    answers = (Quote, ClaimAnswer, Comparison, Solution, QuoteDifference, Reconciliation)
    asked = (*REQUESTS, DifferenceRequest, ReconciliationRequest)
    schemas = components_of([*asked, *answers, *parts, Problem, *rows])
    refer_to_names(schemas)
    for component, member in INSTANTS:
        schemas[component]["properties"][member]["format"] = "date-time"
    for answer, request in ECHOED.items():
        schemas[answer]["properties"]["request"] = {
            **reference(request),
            "description": "The request as understood: in its canonical form, "
            "with defaults filled in, unordered lists sorted and numbers spelled in one way.",
        }
    fill_parts(schemas)
    schemas["Solution"]["properties"]["quote"] = {
        **reference("QuoteRequest"),
        "description": "The request of the quote that has these amounts.",
    }
    pages = {f"{listing.row.__name__}Page": page_of(listing) for listing in CATALOG_LISTS}
    return {**schemas, **pages, **name_schemas()}


def fill_parts(schemas: dict[str, Schema]) -> None:
    """Name what parts of a quote repeat of it, byte for byte."""
    figure = reference("Figure")
    line = schemas["PricedBill"]["properties"]["lines"]["items"]
    schemas["LineOfABill"]["properties"]["line"] = line
    explained = schemas["FigureExplained"]["properties"]
    explained["figure"] = figure
    explained["inputs"]["additionalProperties"] = figure
    schemas["FigureList"]["properties"]["figures"]["additionalProperties"] = figure
    of_next = schemas["NextQuote"]["properties"]
    of_next["anchor"] = {"type": "object", "description": "The measured speed."}
    of_next["work"] = {"type": "object", "description": "The work of the stage, as it went."}
    schemas["FiledQuote"]["properties"]["request"] = {
        "type": "object",
        "description": "The request of the quote, as POST /quote takes it.",
    }


def page_of(listing: CatalogList) -> Schema:
    """The answer of a list."""
    return {
        "type": "object",
        "description": f"Some {listing.path}.",
        "properties": {
            "items": {"type": "array", "items": reference(listing.row.__name__)},
            "total": {"type": "integer", "description": "How many rows pass the filters."},
            "catalog": reference("CatalogStamp"),
            "next_cursor": {
                "type": "string",
                "description": "The `cursor` of the next page; absent on the last one.",
            },
        },
        "required": ["items", "total", "catalog"],
        "additionalProperties": False,
    }


def documents() -> dict[str, bytes]:
    """The published contract by file name: for programs as JSON, with all its words as YAML."""
    document = build_document()
    return {
        "openapi.json": (in_lines(in_short(document), depth=LINE_DEPTH) + "\n").encode(),
        "openapi.yaml": yaml.dump(
            document, Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=100
        ).encode(),
    }


def in_lines(node: Any, *, depth: int) -> str:
    """JSON without spaces, and with a line for every member down to a depth."""
    if depth == 0 or not isinstance(node, dict):
        return json.dumps(node, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    members = (f"{json.dumps(name)}:{in_lines(one, depth=depth - 1)}" for name, one in node.items())
    return "{\n" + ",\n".join(members) + "\n}"


class PlainDumper(yaml.SafeDumper):
    """YAML without anchors, and with long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        """Never an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


PlainDumper.add_representer(str, _text)
