"""What the paths of the contract are made of: answers, parameters, headers and problems."""

from http import HTTPStatus
from typing import Final, NamedTuple

from service.api.contract.examples import (
    Example,
    problem_example,
)
from service.api.contract.ids import NAMES_IN_QUERIES
from service.api.contract.parameters import (
    Choice,
    Count,
    Parameter,
    Place,
    Words,
)
from service.api.contract.shaping.open_answers import KNOWN_VALUES
from service.api.refusing.problems import DOMAIN, KINDS, MEDIA_TYPE
from service.api.schemas import REFERENCE, Schema
from service.core.catalog.errors import UnknownName

JSON: Final = "application/json"
HTML: Final = "text/html"
TEXT: Final = "text/plain"
READ_AGAIN: Final = ("ETag", "Cache-Control", "Vary")
UNKNOWN_VALUE: Final = " A value that no row has is refused with the nearest ones."
OF_A_CALLER: Final = ("key-required", "quota-exceeded")
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


class Shown(NamedTuple):
    """The schemas of a question and its answer, and examples of both."""

    request: str
    requests: tuple[Example, ...]
    answer: str
    excerpt: Schema


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
