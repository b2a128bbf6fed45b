"""The paths of quotes."""

from service.api.contract.examples import (
    DEEPSEEK_R1,
    QUOTE_ID,
    REQUESTS,
)
from service.api.contract.excerpt import QUOTE_EXCERPT, SUMMARY
from service.api.contract.parameters import (
    OF_A_QUOTE,
    OF_A_SHEET,
)
from service.api.contract.paths.pieces import (
    EVERYWHERE,
    JSON,
    READ_AGAIN,
    REFUSALS,
    SHOWN,
    answer,
    component,
    conditional,
    header_references,
    problem_references,
    query_parameter,
    schema,
)
from service.api.schemas import Schema
from service.sheet.forms import BY_MEDIA_TYPE, IN_SHORT, XLSX


def create_quote() -> Schema:
    """POST /quote."""
    return {
        "operationId": "createQuote",
        "tags": ["quotes"],
        "summary": "Quote one run on one cluster",
        "description": "The answer depends on nothing but the request, the engine and "
        "the catalog, and so does its id: posting again is harmless and cheap. `start` is outside "
        "the id. With it, the answer is the quote as it is kept with a `calendar` at its end.",
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The run and the cluster. At most 1 MiB, also once unpacked if it "
            "comes with a `Content-Encoding` of zstd or gzip.",
            "content": {
                JSON: {
                    "schema": schema("QuoteRequest"),
                    "examples": {
                        example.name: {"summary": example.summary, "value": example.request}
                        for example in REQUESTS
                        if example.name in SHOWN
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The quote. `Accept` may ask for it in another form, as for one "
                "that is kept; clients that are generated from this contract get JSON.",
                "headers": header_references(
                    *READ_AGAIN, "Content-Location", "Server-Timing", "RunQuote-Prices"
                ),
                "content": {
                    JSON: {
                        "schema": schema("Quote"),
                        "examples": {
                            DEEPSEEK_R1.name: {"summary": SUMMARY, "value": QUOTE_EXCERPT}
                        },
                    },
                },
                "links": {
                    "getQuote": {
                        "operationId": "getQuote",
                        "description": "The same quote, while it is kept.",
                        "parameters": {"id": "$response.body#/id"},
                    },
                    "getAccelerator": {
                        "operationId": "getAccelerator",
                        "description": "The accelerator of the first stage.",
                        "parameters": {"id": "$response.body#/stages/0/accelerator"},
                    },
                },
            },
            **problem_references(*REFUSALS),
        },
    }


def in_other_forms() -> Schema:
    """The forms of a quote besides its JSON, by media type.

    They are those of a quote that is read again. Where one is made, generated clients would have
    to tell six kinds of answers apart.
    """
    texts = {
        form.media_type: {"schema": {"type": "string"}}
        for form in BY_MEDIA_TYPE.values()
        if form.media_type.startswith("text/")
    }
    return {
        IN_SHORT.media_type: {"schema": schema("QuoteSummary")},
        **texts,
        XLSX: {"schema": {"type": "string", "contentMediaType": XLSX}},
    }


def get_quote() -> Schema:
    """GET /quote/{id}."""
    return {
        "operationId": "getQuote",
        "tags": ["quotes"],
        "summary": "A quote issued before, while it is kept",
        "parameters": [
            quote_in_path(),
            *map(query_parameter, (*OF_A_QUOTE, *OF_A_SHEET)),
            *conditional(),
        ],
        "responses": {
            **answer(
                "The very bytes that were answered when it was issued; or the quote in the form "
                "that `Accept` or `format` names, made from these bytes alone. A `start` adds the "
                "calendar, which is no part of what is kept.",
                {JSON: {"schema": schema("Quote")}, **in_other_forms()},
                "Server-Timing",
                "RunQuote-Prices",
            ),
            **problem_references(
                "invalid-query", "quote-not-kept", *EVERYWHERE, "cache-unavailable"
            ),
        },
    }


def quote_in_path() -> Schema:
    """The id of a quote in an address."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The quote's `id`.",
        "schema": {"type": "string", "pattern": "^q_[0-9a-f]{64}$(?!\\n)"},
        "example": QUOTE_ID,
    }
