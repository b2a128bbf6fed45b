"""The paths of the contract: each operation, its parameters, and all its answers."""

from http import HTTPStatus
from typing import Final, NamedTuple

from service.answering import COMPARE, SOLVE, AnyKind
from service.api.contract.decisions.examples import (
    COMPARISON_EXCERPT,
    COMPARISON_ID,
    COMPARISONS,
    SOLUTION_EXCERPT,
    SOLUTION_ID,
    SOLUTIONS,
)
from service.api.contract.examples import (
    CLAIM_ID,
    CLAIMS,
    DEEPSEEK_R1,
    QUOTE_ID,
    R1_CLAIM,
    REQUESTS,
    Example,
    problem_example,
)
from service.api.contract.excerpt import CLAIM_EXCERPT, CLAIM_SUMMARY, QUOTE_EXCERPT, SUMMARY
from service.api.contract.ids import NAMES_IN_QUERIES
from service.api.contract.parameters import (
    CATALOG_LISTS,
    OF_A_QUOTE,
    OF_A_SHEET,
    CatalogList,
    Choice,
    Count,
    Parameter,
    Place,
    Words,
)
from service.api.contract.shaping.open_answers import KNOWN_VALUES
from service.api.refusing.errors import NOT_KEPT
from service.api.refusing.problems import DOMAIN, KINDS, MEDIA_TYPE
from service.api.schemas import REFERENCE, Schema
from service.core.catalog.errors import UnknownName
from service.sheet.forms import BY_MEDIA_TYPE, IN_SHORT, XLSX

JSON: Final = "application/json"
HTML: Final = "text/html"
TEXT: Final = "text/plain"

READ_AGAIN: Final = ("ETag", "Cache-Control", "Vary")
EVERYWHERE: Final = ("method-not-allowed", "not-acceptable", "internal-error")
UNKNOWN_NAMES: Final = {
    kind.slug for error, kind in DOMAIN.items() if issubclass(error, UnknownName)
}
SHOWN: Final = frozenset(
    {
        "llama-8b-within-30-days",
        "price-that-meets-a-budget",
        "deepseek-r1",
        "deepseek-r1-294k",
        "market-h100",
        "compute-with-intervals",
        "owned",
        "llama-3-405b-from-its-tokens",
        "r1-zero-from-its-description",
    }
)
"""The examples of requests in the contract: one of each kind. Tests answer the others too."""
ALIKE: Final = (UNKNOWN_NAMES - {"unknown-accelerator"}) | {
    "speed-above-peak",
    "stage-cycle",
    "too-much-to-compute",
}
"""Problems that look like that of an unknown accelerator.

The contract shows none of them, and none that has no `errors`. Their own pages show each."""

KEY: Final = "key"
PROBES: Final = frozenset({"getLiveness", "getReadiness"})
OF_A_CALLER: Final = ("key-required", "quota-exceeded")
OF_A_SCRAPER: Final = ("key-required",)

UNKNOWN_VALUE: Final = " A value that no row has is refused with the nearest ones."
NAMES: Final = tuple(slug for slug, kind in KINDS.items() if kind.status == 422)


REFUSALS: Final = (
    "unreadable-json",
    "method-not-allowed",
    "not-acceptable",
    "body-timeout",
    "base-quote-not-kept",
    "payload-too-large",
    "unsupported-media-type",
    *NAMES,
    "internal-error",
    "cache-unavailable",
    "overloaded",
)
"""How a request with a body may be refused."""


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


def create_claim() -> Schema:
    """POST /claim."""
    return {
        "operationId": "createClaim",
        "tags": ["claims"],
        "summary": "Put a published figure to the test",
        "description": "The figure is read in every way that it may be meant: as rental at the "
        "stated rate and at the market's, as owned hardware by two conventions, for the final run "
        "alone and with all that a headline leaves out. Prices are those of the catalog's edition.",
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The claim. At most 1 MiB.",
            "content": {
                JSON: {
                    "schema": schema("ClaimRequest"),
                    "examples": {
                        example.name: {"summary": example.summary, "value": example.request}
                        for example in CLAIMS
                        if example.name in SHOWN
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The judged claim.",
                "headers": header_references(
                    *READ_AGAIN, "Content-Location", "Server-Timing", "RunQuote-Prices"
                ),
                "content": {
                    JSON: {
                        "schema": schema("ClaimAnswer"),
                        "examples": {
                            R1_CLAIM.name: {"summary": CLAIM_SUMMARY, "value": CLAIM_EXCERPT}
                        },
                    }
                },
                "links": {
                    "getClaim": {
                        "operationId": "getClaim",
                        "description": "The same judgement, while it is kept.",
                        "parameters": {"id": "$response.body#/id"},
                    },
                },
            },
            **problem_references(*REFUSALS),
        },
    }


def get_claim() -> Schema:
    """GET /claim/{id}."""
    return {
        "operationId": "getClaim",
        "tags": ["claims"],
        "summary": "A claim judged before, while it is kept",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The judgement's `id`.",
                "schema": {"type": "string", "pattern": "^c_[0-9a-f]{64}$(?!\\n)"},
                "example": CLAIM_ID,
            },
            *conditional(),
        ],
        "responses": {
            **answer(
                "The very bytes that were answered when it was judged.",
                {JSON: {"schema": schema("ClaimAnswer")}},
                "Server-Timing",
                "RunQuote-Prices",
            ),
            **problem_references("claim-not-kept", *EVERYWHERE, "cache-unavailable"),
        },
    }


def decision_paths() -> dict[str, Schema]:
    """Comparisons and solutions: `POST` of a question, `GET` of its answer while it is kept."""
    return {
        "/compare": {
            "post": posted(
                "createComparison",
                "Every way to buy one run, ranked",
                "Each candidate is a device, a size, a seller and a term. Its amounts are those of "
                "the quote for its `cluster`, to the cent. What is not feasible is counted by the "
                "reason and never priced, with the nearest change that would be. The number of "
                "sizes that are looked at is bounded; `counts` says what was left out.",
                Shown("CompareRequest", COMPARISONS, "Comparison", COMPARISON_EXCERPT),
                again="getComparison",
            )
        },
        "/compare/{id}": {
            "get": kept(
                COMPARE,
                "getComparison",
                "A comparison made before, while it is kept",
                "Comparison",
                COMPARISON_ID,
            )
        },
        "/solve": {
            "post": posted(
                "createSolution",
                "The number that keeps a run within its limits",
                "The price of a device-hour at which a run meets a budget; the most tokens, the "
                "largest model or the smallest cluster within a budget and a deadline; or from "
                "when on owning costs less than the best rental. Post `quote` to /quote for the "
                "bill that has these amounts.",
                Shown("SolveRequest", SOLUTIONS, "Solution", SOLUTION_EXCERPT),
                again="getSolution",
            )
        },
        "/solve/{id}": {
            "get": kept(
                SOLVE,
                "getSolution",
                "A solution made before, while it is kept",
                "Solution",
                SOLUTION_ID,
            )
        },
    }


class Shown(NamedTuple):
    """The schemas of a question and its answer, and examples of both."""

    request: str
    requests: tuple[Example, ...]
    answer: str
    excerpt: Schema


def posted(name: str, summary: str, description: str, shown: Shown, *, again: str) -> Schema:
    """`POST` of a kind of question. `again` is the operation that has the answer again."""
    first = shown.requests[0]
    return {
        "operationId": name,
        "tags": ["decisions"],
        "summary": summary,
        "description": description,
        "parameters": [component("parameters", "X-Request-ID")],
        "requestBody": {
            "required": True,
            "description": "The question. At most 1 MiB.",
            "content": {
                JSON: {
                    "schema": schema(shown.request),
                    "examples": {
                        example.name: {"summary": example.summary, "value": example.request}
                        for example in shown.requests
                        if example.name in SHOWN
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": header_references(
                    *READ_AGAIN, "Content-Location", "Server-Timing", "RunQuote-Prices"
                ),
                "content": {
                    JSON: {
                        "schema": schema(shown.answer),
                        "examples": {first.name: {"summary": "Abridged", "value": shown.excerpt}},
                    }
                },
                "links": {
                    again: {
                        "operationId": again,
                        "description": "The same answer, while it is kept.",
                        "parameters": {"id": "$response.body#/id"},
                    },
                },
            },
            **problem_references(*REFUSALS),
        },
    }


def kept(kind: AnyKind, name: str, summary: str, answered: str, id: str) -> Schema:
    """`GET` of an answer by its id."""
    return {
        "operationId": name,
        "tags": ["decisions"],
        "summary": summary,
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The answer's `id`.",
                "schema": {"type": "string", "pattern": f"^{kind.prefix}[0-9a-f]{{64}}$(?!\\n)"},
                "example": id,
            },
            *conditional(),
        ],
        "responses": {
            **answer(
                "The very bytes that were answered before.",
                {JSON: {"schema": schema(answered)}},
                "Server-Timing",
                "RunQuote-Prices",
            ),
            **problem_references(NOT_KEPT[kind.name](id).slug, *EVERYWHERE, "cache-unavailable"),
        },
    }


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


def document_paths() -> dict[str, Schema]:
    """The contract, its page, and the pages of the problems."""
    slug = {
        "name": "slug",
        "in": "path",
        "required": True,
        "description": "The last part of a problem's `type`; /problems lists them.",
        "schema": schema("CatalogId"),
        "example": "invalid-request",
    }
    page = {HTML: {"schema": {"type": "string"}}}
    return {
        "/": plain("getStart", "documents", "A page to ask for a quote on", page),
        "/openapi.json": plain(
            "getContractAsJson",
            "documents",
            "This document as JSON",
            {JSON: {"schema": {"type": "object"}}},
        ),
        "/openapi.yaml": plain(
            "getContractAsYaml",
            "documents",
            "This document as YAML",
            {"application/yaml": {"schema": {"type": "object"}}},
        ),
        "/docs": plain("getDocs", "documents", "This document as a page to read", page),
        "/docs/try": plain("getTry", "documents", "This document as a page to try", page),
        "/problems": plain("listProblems", "documents", "All kinds of problems, as a page", page),
        "/problems/{slug}": plain(
            "getProblem",
            "documents",
            "What a kind of problem means, and what to do about it",
            {**page, TEXT: {"schema": {"type": "string"}}},
            parameters=[slug],
            problems=("unknown-entry",),
        ),
    }


def operation_paths() -> dict[str, Schema]:
    """Health and metrics."""
    texts = {"type": "string"}
    ready = {
        "engine": schema("EngineStamp"),
        "catalog": schema("CatalogStamp"),
        "editions": {
            "type": "array",
            "items": texts,
            "description": "Versions that `catalog` in a request may name, the newest first.",
        },
    }
    return {
        "/livez": plain(
            "getLiveness",
            "operations",
            "Whether the process answers",
            {JSON: {"schema": object_of({"status": one_text("alive")})}},
            cached=False,
        ),
        "/readyz": plain(
            "getReadiness",
            "operations",
            "Whether quotes can be given; Redis does not count",
            {JSON: {"schema": object_of({"status": one_text("ready"), **ready})}},
            problems=("draining",),
            cached=False,
        ),
        "/metrics": plain(
            "getMetrics",
            "operations",
            "Metrics for Prometheus",
            {TEXT: {"schema": texts}, "application/openmetrics-text": {"schema": texts}},
            cached=False,
        ),
    }


def plain(
    operation_id: str,
    tag: str,
    summary: str,
    content: Schema,
    *,
    parameters: list[Schema] | None = None,
    problems: tuple[str, ...] = (),
    cached: bool = True,
) -> Schema:
    """A path that is only read."""
    success = answer(f"{summary}.", content)
    if not cached:
        success = {"200": {**success["200"], "headers": header_references("Cache-Control")}}
    return {
        "get": {
            "operationId": operation_id,
            "tags": [tag],
            "summary": summary,
            "parameters": [*(parameters or []), *(conditional() if cached else [])],
            "responses": {**success, **problem_references(*problems, *EVERYWHERE)},
        }
    }


def answer(description: str, content: Schema, *more: str, links: Schema | None = None) -> Schema:
    """200 with an `ETag`, and the 304 that belongs to it."""
    success: Schema = {
        "description": description,
        "headers": header_references(*READ_AGAIN, *more),
        "content": content,
    }
    if links:
        success["links"] = links
    return {"200": success, "304": component("responses", "NotModified")}


def query_parameter(parameter: Parameter) -> Schema:
    """A query parameter as the contract prints it."""
    shape: Schema
    description = parameter.description
    if isinstance(parameter, Choice) and parameter.closed:
        shape = {"type": "string", "enum": list(parameter.values)}
    elif isinstance(parameter, Choice):
        known = NAMES_IN_QUERIES.get(parameter.name)
        shape = schema(known.component) if known else {"type": "string"}
        description += UNKNOWN_VALUE
    elif isinstance(parameter, Count):
        shape = {
            "type": "integer",
            "minimum": parameter.minimum,
            "maximum": parameter.maximum,
        }
        if parameter.default is not None:
            shape["x-default"] = parameter.default
            description += f" Left out, it is {parameter.default}."
    elif isinstance(parameter, Place):
        shape = {"type": "string"}
        description += UNKNOWN_VALUE
    elif isinstance(parameter, Words):
        shape = {
            "type": "string",
            "minLength": 1,
            "maxLength": parameter.longest,
            "pattern": parameter.pattern,
        }
    else:
        shape = {"type": "string", "pattern": parameter.pattern}
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": shape,
    }


def conditional() -> list[Schema]:
    """The headers that every cacheable GET takes."""
    return [
        component("parameters", "If-None-Match"),
        component("parameters", "X-Request-ID"),
    ]


def request_headers() -> dict[str, Schema]:
    """Headers of requests, as components."""
    return {
        "X-Request-ID": {
            "name": "X-Request-ID",
            "in": "header",
            "description": "Your name for this request, returned and logged. Up to 128 of "
            "`A-Z a-z 0-9 . _ : / + = -`; anything else is replaced by a name of ours.",
            "schema": {"type": "string"},
        },
        "If-None-Match": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of the copy that you have: if it is still the same, the "
            "answer is 304 without a body.",
            "schema": {"type": "string"},
        },
    }


def headers() -> dict[str, Schema]:
    """Headers of answers, as components."""
    text = {"type": "string"}
    return {
        "X-Request-ID": header(
            "The name of this request: yours, or one of ours.",
            {"type": "string", "pattern": "^[A-Za-z0-9._:/+=-]{1,128}$(?!\\n)"},
        ),
        "ETag": header(
            "Digest of this representation.", {"type": "string", "pattern": '^"[^"]+"$(?!\\n)'}
        ),
        "Cache-Control": header("How long a copy may be kept, and by whom.", text),
        "Vary": header("The request headers that the answer depends on.", text),
        "Content-Location": header(
            "Where the answer can be had again.",
            {
                "type": "string",
                "pattern": "^/(quote/q_|claim/c_|compare/k_|solve/s_|catalog/).+$(?!\\n)",
            },
        ),
        "Server-Timing": header("Milliseconds by phase.", text),
        "Link": header("The first page and the next one (RFC 8288).", text),
        "RunQuote-Prices": header(
            "How the answer stands today (UTC), as a dictionary of structured fields (RFC 9651): "
            "`on`, the day; `valid`, whether its prices still count as current; and of prices of "
            "the catalog for device-hours `median-days` and `oldest-days`, the ages of the middle "
            "and the oldest one, and `stale`, how many are older than the operator allows.",
            text,
        ),
        "Allow": header("The methods that this address takes.", text),
        "Accept": header("The media type that this operation reads.", text),
        "Retry-After": header("Seconds to wait.", {"type": "integer", "minimum": 0}),
        "WWW-Authenticate": header("How a key is sent (RFC 6750).", text),
        "RateLimit-Policy": header(
            "The caller's quota, as draft-ietf-httpapi-ratelimit-headers has it: `q` milliseconds "
            "of estimated CPU in `w` seconds. On every answer to a caller with a quota.",
            text,
        ),
        "RateLimit": header(
            "What is left of the quota: `r` milliseconds, for `t` seconds at least. It is left out "
            "while the Redis that counts for all replicas does not answer.",
            text,
        ),
    }


def header(description: str, shape: Schema) -> Schema:
    """A header of every answer of its kind."""
    return {"description": description, "schema": shape}


HEADERS_OF_STATUS: Final = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept",),
    429: ("Retry-After", "RateLimit-Policy", "RateLimit"),
    503: ("Retry-After",),
}


def responses() -> dict[str, Schema]:
    """Answers without a body of their own, as components: 304 and all problems by status."""
    return {
        "NotModified": {
            "description": "Your copy is still the same.",
            "headers": header_references(*READ_AGAIN),
        },
        **{
            response_name(slugs): problem_response(slugs)
            for slugs in (
                ("unknown-entry",),
                ("quote-not-kept",),
                ("claim-not-kept",),
                ("quote-not-kept", "unknown-entry"),
                ("comparison-not-kept",),
                ("solution-not-kept",),
                ("unreadable-json",),
                ("invalid-query",),
                NAMES,
                ("cache-unavailable", "overloaded"),
                ("base-quote-not-kept", "named-quote-not-kept"),
            )
        },
        **{
            response_name((slug,)): problem_response((slug,))
            for slug in (
                *EVERYWHERE,
                *OF_A_CALLER,
                "body-timeout",
                "base-quote-not-kept",
                "bill-not-whole",
                "payload-too-large",
                "batch-too-long",
                "unsupported-media-type",
                "cache-unavailable",
                "draining",
            )
        },
    }


def problem_response(slugs: tuple[str, ...]) -> Schema:
    """The answer for these kinds of problems, which share a status."""
    status = KINDS[slugs[0]].status
    content: Schema = {"schema": schema("Problem")}
    if shown := [slug for slug in slugs if KINDS[slug].codes and slug not in ALIKE]:
        content["examples"] = {
            slug: {"summary": KINDS[slug].title, "value": problem_example(slug)} for slug in shown
        }
    return {
        "description": "; or ".join(KINDS[slug].title for slug in slugs) + ".",
        "headers": header_references("Cache-Control", *HEADERS_OF_STATUS.get(status, ())),
        "content": {MEDIA_TYPE: content},
    }


def problem_references(*slugs: str) -> Schema:
    """All problems of an operation, by status."""
    by_status: dict[int, tuple[str, ...]] = {}
    for slug in sorted(slugs, key=lambda slug: KINDS[slug].status):
        status = KINDS[slug].status
        by_status[status] = (*by_status.get(status, ()), slug)
    return {
        str(status): component("responses", response_name(some))
        for status, some in by_status.items()
    }


def response_name(slugs: tuple[str, ...]) -> str:
    """The name of a component: the only kind of problem, or the status that several share."""
    words = (
        slugs[0].split("-")
        if len(slugs) == 1
        else HTTPStatus(KINDS[slugs[0]].status).phrase.split()
    )
    return "".join(word.capitalize() for word in words)


def header_references(*names: str) -> Schema:
    """References to headers. The request id is on every answer."""
    return {name: component("headers", name) for name in (*names, "X-Request-ID")}


def component(kind: str, name: str) -> Schema:
    """A reference to a component that is not a schema."""
    return {"$ref": f"#/components/{kind}/{name}"}


def schema(name: str) -> Schema:
    """A reference to a schema."""
    return {"$ref": REFERENCE + name}


def object_of(members: Schema) -> Schema:
    """An object that has all of these members, and may gain others."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": True,
    }


def one_text(text: str) -> Schema:
    """A string that is the same in every answer of today."""
    return {"type": "string", KNOWN_VALUES: [text]}
