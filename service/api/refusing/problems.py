"""Refusals as RFC 9457 problems, and the only table of status codes.

400: we could not read it. 422: we read it and it cannot be quoted. 500: our bug. A slug never
changes: `/problems/<slug>` is the problem's `type`. Its title never changes either. The page at
that address says what to do about the problem.
"""

from typing import Annotated, Any, Final
from urllib.parse import quote as percent_encoded

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap, Scope, Send
from msgspec import UNSET, Meta, Struct

from service.api.pointers import printable
from service.api.refusing.errors import (
    MOST_FAULTS,
    CacheAway,
    Code,
    Fault,
    MethodNotAllowed,
    Overloaded,
    QuotaUsedUp,
    Refused,
    summary_of,
)
from service.cache import CacheUnavailable
from service.caller import QuotaExceeded
from service.computing.lanes import Busy
from service.core.catalog import errors as domain
from service.core.catalog.errors import NotQuotable, QuoteError, UnknownName
from service.metrics import Metrics

log = structlog.get_logger("runquote.http")

MEDIA_TYPE: Final = "application/problem+json"


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A refusal (RFC 9457): what kind, what happened this time, and every offending member."""

    type: Annotated[
        str,
        Meta(
            pattern=r"^/problems/[a-z0-9-]+$(?!\n)",
            description="The kind of problem: the address of a page that explains it.",
            examples=["/problems/unknown-accelerator"],
        ),
    ]
    title: Annotated[str, Meta(description="The kind in words, always the same.")]
    status: Annotated[int, Meta(ge=400, le=599, description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What happened this time.")]
    instance: Annotated[
        str,
        Meta(description="This occurrence: `/requests/` and the request id; not to be fetched."),
    ]
    errors: Annotated[
        tuple[Fault, ...],
        Meta(max_length=MOST_FAULTS, description="Every offending member, where there are any."),
    ] = ()


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of problem: its row in the table, and what its page says."""

    slug: str
    status: int
    title: str
    meaning: str
    remedy: str
    codes: tuple[Code, ...] = ()

    @property
    def uri(self) -> str:
        """The problem's `type`."""
        return f"/problems/{self.slug}"


def title_of(error: type[Exception]) -> str:
    """An error's title: the first line of its docstring."""
    return (error.__doc__ or error.__name__).strip().splitlines()[0].removesuffix(".")


def unknown(error: type[UnknownName], *, code: Code, listing: str) -> Kind:
    """The row of a name that the catalog does not know."""
    return Kind(
        slug=code.replace("_", "-"),
        status=422,
        title=title_of(error),
        meaning=f"The request names a catalog {error.what} that does not exist. A lookup never "
        "guesses, so nothing was quoted.",
        remedy=f"Take one of the `nearest` names, or look it up under /catalog/{listing}.",
        codes=(code,),
    )


# An error of the domain without a row has the row of the nearest of its base classes.
DOMAIN: Final[dict[type[QuoteError], Kind]] = {
    domain.UnknownAccelerator: unknown(
        domain.UnknownAccelerator, code="unknown_accelerator", listing="accelerators"
    ),
    domain.UnknownGeneration: unknown(
        domain.UnknownGeneration, code="unknown_generation", listing="accelerators"
    ),
    domain.UnknownOffer: unknown(domain.UnknownOffer, code="unknown_offer", listing="offers"),
    domain.UnknownBookRate: Kind(
        slug="unknown-book-rate",
        status=422,
        title=title_of(domain.UnknownBookRate),
        meaning="The supply names a negotiated rate, and the price book that the service was "
        "started with has no rate of this name, or there is no price book.",
        remedy="Take one of the `nearest` names, or give the price as a supply of kind `rate`.",
        codes=("unknown_book_rate",),
    ),
    domain.UnknownEdition: Kind(
        slug="unknown-catalog",
        status=422,
        title=title_of(domain.UnknownEdition),
        meaning="`catalog` names an edition that this service was not started with, does not have "
        "any more, or could not load.",
        remedy="Take one of `nearest`, which are the editions that there are, the newest first; or "
        "leave `catalog` out for the current one.",
        codes=("unknown_catalog",),
    ),
    domain.UnknownModel: unknown(domain.UnknownModel, code="unknown_model", listing="models"),
    domain.UnknownSite: unknown(domain.UnknownSite, code="unknown_site", listing="sites"),
    domain.UnknownRun: unknown(domain.UnknownRun, code="unknown_run", listing="runs"),
    domain.UnknownProvider: unknown(
        domain.UnknownProvider, code="unknown_provider", listing="offers"
    ),
    domain.UnknownRegion: unknown(domain.UnknownRegion, code="unknown_region", listing="offers"),
    domain.UnknownStage: Kind(
        slug="unknown-stage",
        status=422,
        title=title_of(domain.UnknownStage),
        meaning="A stage waits for one that is not in the run, so its order is not known.",
        remedy="Name in `after` only stages of the same run, as they are spelled there.",
        codes=("unknown_stage",),
    ),
    domain.SpeedAbovePeak: Kind(
        slug="speed-above-peak",
        status=422,
        title=title_of(domain.SpeedAbovePeak),
        meaning="The `anchor` of a stage says that a device trains more tokens a second than its "
        "dense peak allows, by the FLOP of the anchor's own model and sequence length.",
        remedy="Give the tokens per second of one device, the model and the sequence length that "
        "were measured.",
        codes=("speed_above_peak",),
    ),
    domain.StageCycle: Kind(
        slug="stage-cycle",
        status=422,
        title=title_of(domain.StageCycle),
        meaning="Every stage that the errors point at waits, through others, for its own end. A "
        "stage without `after` waits for the one before it in the list.",
        remedy="Leave one of the names out. An empty `after` starts a stage with the run.",
        codes=("stage_cycle",),
    ),
    UnknownName: unknown(UnknownName, code="unknown_name", listing="accelerators"),
    domain.BaseQuoteNotKept: Kind(
        slug="base-quote-not-kept",
        status=409,
        title=title_of(domain.BaseQuoteNotKept),
        meaning="The request takes its base model from a quote by id, and that quote is not kept "
        "here, or not any more. Its total cannot be known from its id.",
        remedy="Post the request of that quote again, which gives the same id, and then this one; "
        "or state the base model as an amount.",
        codes=("base_quote_not_kept",),
    ),
    domain.NamedQuoteNotKept: Kind(
        slug="named-quote-not-kept",
        status=409,
        title=title_of(domain.NamedQuoteNotKept),
        meaning="The request is about a quote that it names by its id, and that quote is not kept "
        "here, or not any more. What it said cannot be known from its id.",
        remedy="Name the quote by its request (`kind: request`), which gives the same quote by the "
        "same engine and edition; or post that request again, and then this one.",
        codes=("named_quote_not_kept",),
    ),
    domain.TooMuchToCompute: Kind(
        slug="too-much-to-compute",
        status=422,
        title=title_of(domain.TooMuchToCompute),
        meaning="The request is well-formed, and its quote would take so long to compute that "
        "others would wait for it.",
        remedy="Ask for the stages in several requests, with a base model or a sum of your own "
        "between them; state layouts and splits, so that none is searched for.",
        codes=("too_much_to_compute",),
    ),
    QuoteError: Kind(
        slug="not-quotable",
        status=422,
        title=title_of(QuoteError),
        meaning="The request was understood, but it contradicts itself, or its members name "
        "several kinds of things that do not exist.",
        remedy="Each entry of `errors` points at one member and says what is wrong with it; "
        "correct them all and post the request again.",
        codes=("not_quotable",),
    ),
}

EDGE: Final = (
    Kind(
        slug="unreadable-request",
        status=400,
        title="The request cannot be read",
        meaning="The request is not well-formed HTTP, or its address is not.",
        remedy="Compare it with the contract at /openapi.json.",
    ),
    Kind(
        slug="unreadable-json",
        status=400,
        title="The body cannot be read as JSON",
        meaning="The body is empty, is not UTF-8, is not JSON (NaN and Infinity are not), nests "
        "too deep, or has a member twice, which readers do not agree on.",
        remedy="Send one JSON object in UTF-8 without a byte order mark. `line` and `column`, "
        "where given, say where reading stopped.",
        codes=(
            "byte_order_mark",
            "duplicate_member",
            "empty_body",
            "lone_surrogate",
            "not_finite",
            "not_json",
            "not_utf8",
            "too_deep",
        ),
    ),
    Kind(
        slug="invalid-query",
        status=400,
        title="The query cannot be read",
        meaning="The query has a parameter that this operation does not take, takes once only, or "
        "does not take with this value.",
        remedy="The contract at /openapi.json lists the parameters of each operation. `nearest` "
        "and `allowed` list values that are allowed.",
        codes=(
            "not_allowed",
            "out_of_bounds",
            "pattern_mismatch",
            "repeated_parameter",
            "unknown_cursor",
            "unknown_parameter",
        ),
    ),
    Kind(
        slug="key-required",
        status=401,
        title="The request has no key that is known here",
        meaning="This service answers to callers with a key. The header `Authorization` is "
        "missing, or its key is not known, or not any more.",
        remedy="Send `Authorization: Bearer` and the key that the operator gave you.",
    ),
    Kind(
        slug="misdirected-request",
        status=421,
        title="The request is meant for another host",
        meaning="The operator has listed the names that this service answers to, and the `Host` "
        "of the request is none of them.",
        remedy="Ask by a name that the operator has listed in RUNQUOTE_ALLOWED_HOSTS.",
    ),
    Kind(
        slug="quota-exceeded",
        status=429,
        title="The quota is used up",
        meaning="A caller may ask for so much work in a minute. A request costs a millisecond of "
        "it, and a quote the CPU time that it is estimated to take.",
        remedy="Wait as long as the `Retry-After` header says. `RateLimit` says after each answer "
        "how much is left. What was quoted before costs a millisecond again.",
    ),
    Kind(
        slug="not-found",
        status=404,
        title="There is nothing at this address",
        meaning="No operation has this path.",
        remedy="The contract at /openapi.json lists all paths.",
    ),
    Kind(
        slug="unknown-entry",
        status=404,
        title="The list has no entry of this id",
        meaning="The address is that of an entry of a list, and the list has none of this id; or a "
        "`cursor` marks a row that this list, filtered and sorted like this, does not have.",
        remedy="Take one of `nearest`, which are ids that look alike, or one that the list has. "
        "Begin a list without its `cursor`.",
        codes=("unknown_cursor", "unknown_entry"),
    ),
    Kind(
        slug="quote-not-kept",
        status=404,
        title="The quote is not kept here, or not any more",
        meaning="Quotes are kept for a while, not for ever. Nothing is lost: the id is a digest "
        "of the engine, the catalog and the request.",
        remedy="Post the request again: the same request to the same engine and catalog gives the "
        "same id and the same bytes.",
    ),
    Kind(
        slug="bill-not-whole",
        status=409,
        title="The bill has lines without a price, or the quote has no such bill",
        meaning="In FOCUS a cost must not be null. A line without a price has none, and zero would "
        "be untrue, so a bill with such lines is not written as if it were whole.",
        remedy="Ask for a `basis` that the quote has, add `partial=true` for the lines that have a "
        "price, or give the price that is missing and post the request again.",
    ),
    Kind(
        slug="claim-not-kept",
        status=404,
        title="The judged claim is not kept here, or not any more",
        meaning="Judged claims are kept for a while, not for ever. Nothing is lost: the id is a "
        "digest of the engine, the catalog and the claim.",
        remedy="Post the claim again: the same claim to the same engine and catalog gives the same "
        "id and the same bytes.",
    ),
    Kind(
        slug="comparison-not-kept",
        status=404,
        title="The comparison is not kept here, or not any more",
        meaning="Comparisons are kept for a while, not for ever. Nothing is lost: the id is a "
        "digest of the engine, the catalog and the request.",
        remedy="Post the request again: the same request to the same engine and catalog gives the "
        "same id and the same bytes.",
    ),
    Kind(
        slug="solution-not-kept",
        status=404,
        title="The solution is not kept here, or not any more",
        meaning="Solutions are kept for a while, not for ever. Nothing is lost: the id is a digest "
        "of the engine, the catalog and the request.",
        remedy="Post the request again: the same request to the same engine and catalog gives the "
        "same id and the same bytes.",
    ),
    Kind(
        slug="method-not-allowed",
        status=405,
        title="This address does not take this method",
        meaning="The path exists, but not for this method.",
        remedy="The `Allow` header lists the methods that it takes.",
    ),
    Kind(
        slug="not-acceptable",
        status=406,
        title="The answer does not come in an acceptable media type",
        meaning="The `Accept` header rules out every media type that this operation answers in.",
        remedy="Accept a media type that the contract lists for the operation, or leave out "
        "the header.",
    ),
    Kind(
        slug="body-timeout",
        status=408,
        title="The body did not arrive in time",
        meaning="The headers announced a body, and it did not arrive, or it arrived too slowly.",
        remedy="Send the body at once, and check that Content-Length is its length in bytes.",
    ),
    Kind(
        slug="head-timeout",
        status=408,
        title="The headers did not arrive in time",
        meaning="A request began, and its headers did not end within ten seconds.",
        remedy="Send the whole head at once.",
    ),
    Kind(
        slug="payload-too-large",
        status=413,
        title="The body is too large",
        meaning="A request body may have up to 1 MiB, unless the operator chose otherwise. So may "
        "a packed one once it is unpacked.",
        remedy="A run of 64 stages needs a tenth of that. Look for padding and for repetition.",
    ),
    Kind(
        slug="batch-too-long",
        status=413,
        title="The batch is too long",
        meaning="A batch may have 10,000 lines, and so many bytes and so much work as the operator "
        "chose. The lines before this one are answered, and none after it.",
        remedy="Send the rest as another batch.",
    ),
    Kind(
        slug="address-too-long",
        status=414,
        title="The address is too long",
        meaning="The request line has more bytes than the head of a request may have.",
        remedy="No address of the contract has more than some hundred characters. Send the rest "
        "in the body.",
    ),
    Kind(
        slug="unsupported-media-type",
        status=415,
        title="The body is of another media type",
        meaning="A quote is asked for in JSON in UTF-8, as it is or packed by zstd or gzip. The "
        "header `Content-Type` or `Content-Encoding` says otherwise, `Content-Type` is missing, or "
        "the body cannot be unpacked.",
        remedy="Send `Content-Type: application/json`, and no `Content-Encoding` but one that "
        "`Accept-Encoding` of this answer lists.",
    ),
    Kind(
        slug="expectation-failed",
        status=417,
        title="The expectation cannot be met",
        meaning="The `Expect` header asks for something else than `100-continue`.",
        remedy="Leave the header out.",
    ),
    Kind(
        slug="invalid-request",
        status=422,
        title="The request does not fit its schema",
        meaning="The body is JSON, but members are missing, unknown, of another type or out of "
        "bounds.",
        remedy="Each entry of `errors` points at one member. Correct them all and post again. The "
        "schema is in /openapi.json.",
        codes=(
            "missing_member",
            "not_a_whole_number",
            "not_allowed",
            "out_of_bounds",
            "pattern_mismatch",
            "too_few_items",
            "too_long",
            "too_many_items",
            "too_short",
            "unknown_kind",
            "unknown_member",
            "unreadable_member",
            "wrong_type",
        ),
    ),
    Kind(
        slug="head-too-large",
        status=431,
        title="The headers are too large",
        meaning="The request line and headers have more than 64 KiB, or there are more than a "
        "hundred headers.",
        remedy="Look for cookies or traces that grow. This service reads few headers.",
    ),
    Kind(
        slug="internal-error",
        status=500,
        title="The service failed",
        meaning="This is our mistake, not yours.",
        remedy="Report it with the request id at the end of `instance`. The log has it too.",
    ),
    Kind(
        slug="cache-unavailable",
        status=503,
        title="It is not known whether the answer is kept",
        meaning="The answer of this id, or the quote that a base model is taken from, is not in "
        "the memory of this process. The Redis that replicas share was not asked, or did not "
        "answer. The answer may well be kept.",
        remedy="Wait as long as the `Retry-After` header says, then send it again; or post the "
        "request that the id belongs to, which gives the same id.",
    ),
    Kind(
        slug="draining",
        status=503,
        title="The service is about to end",
        meaning="The process was told to end. It answers what has come, and takes no more.",
        remedy="Send the next request to another replica, or wait as long as `Retry-After` says.",
    ),
    Kind(
        slug="http-version",
        status=400,
        title="This version of HTTP is not spoken",
        meaning="The request line names another version than HTTP/1.1 or HTTP/1.0.",
        remedy="Speak HTTP/1.1.",
    ),
    Kind(
        slug="overloaded",
        status=503,
        title="The service has more to do than it can",
        meaning="Too many others wait, or the quote was not ready in time.",
        remedy="Wait as long as the `Retry-After` header says, then send it again.",
    ),
)

KINDS: Final[dict[str, Kind]] = {
    kind.slug: kind
    for kind in sorted((*EDGE, *DOMAIN.values()), key=lambda kind: (kind.status, kind.slug))
}
BEFORE_ANY_OPERATION: Final = frozenset(
    (
        "address-too-long",
        "expectation-failed",
        "head-timeout",
        "head-too-large",
        "http-version",
        "misdirected-request",
        "not-found",
        "unreadable-request",
    )
)
"""Kinds that the server meets before it knows which operation is asked for."""
SLUG_OF_LITESTAR_STATUS: Final = {404: "not-found", 413: "payload-too-large"}


class Rendered(Struct, frozen=True):
    """A problem as it is sent. `slug` is for counting."""

    status: int
    headers: dict[str, str]
    body: bytes
    slug: str


def refusal_of(error: Exception) -> Refused:
    """The refusal for an error. An unforeseen error is a 500."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, Busy | QuotaExceeded | CacheUnavailable):
        return refusal_of_now(error)
    if isinstance(error, QuoteError):
        error = NotQuotable((error,))
    if isinstance(error, NotQuotable):
        slugs = {kind_of(type(one)).slug for one in error.errors}
        faults = tuple(map(fault_of, error.errors[:MOST_FAULTS]))
        slug = slugs.pop() if len(slugs) == 1 else kind_of(QuoteError).slug
        return Refused(slug, summary_of(faults), errors=faults)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return refusal_of_litestar(error)
    return Refused("internal-error", "an unforeseen error; it is in the log of the service")


def refusal_of_now(error: Busy | QuotaExceeded | CacheUnavailable) -> Refused:
    """The refusal for what may be answered a little later."""
    if isinstance(error, Busy):
        return Overloaded(error.detail, retry_after_s=error.retry_after_s)
    if isinstance(error, QuotaExceeded):
        return QuotaUsedUp(retry_after_s=error.retry_after_s)
    return CacheAway(error.id)


def refusal_of_litestar(error: HTTPException) -> Refused:
    """The refusal for an unknown path or method, which the framework refuses by itself."""
    if error.status_code == 405:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        methods = {method.strip() for method in headers.get("allow", "").split(",")} - {""}
        return MethodNotAllowed(allowed=sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    slug = SLUG_OF_LITESTAR_STATUS.get(error.status_code, "unreadable-request")
    return Refused(slug, KINDS[slug].title if slug == "not-found" else error.detail)


def render(error: Exception, *, request_id: str) -> Rendered:
    """An error as status, headers and body. The edge adds the headers of every answer."""
    refusal = refusal_of(error)
    kind = KINDS[refusal.slug]
    problem = Problem(
        type=kind.uri,
        title=kind.title,
        status=kind.status,
        detail=refusal.detail,
        instance=f"/requests/{percent_encoded(request_id, safe='')}",
        errors=refusal.errors,
    )
    body = msgspec.json.encode(problem)
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **refusal.headers,
    }
    return Rendered(kind.status, headers, body, kind.slug)


def kind_of(error: type[QuoteError]) -> Kind:
    """The row of an error of the domain, or of the nearest of its base classes that has one."""
    return next(DOMAIN[base] for base in error.__mro__ if base in DOMAIN)


def fault_of(error: QuoteError) -> Fault:
    """An error of the domain as one entry of `errors`."""
    return Fault(
        code=kind_of(type(error)).codes[0],
        detail=error.detail,
        pointer=error.pointer,
        nearest=error.nearest if isinstance(error, UnknownName) else UNSET,
    )


def explain(error: Exception) -> str:
    """An error for people at a terminal, with a line for every offending member."""
    refusal = refusal_of(error)
    if refusal.slug == "internal-error":
        raise error
    lines = [f"{fault.pointer or 'the request'}: {fault.detail}" for fault in refusal.errors]
    return "\n".join(map(printable, (KINDS[refusal.slug].title, *(lines or [refusal.detail]))))


async def send_problem(error: Exception, scope: Scope, send: Send, *, metrics: Metrics) -> None:
    """Answer with an error in a handler that works without the framework."""
    rendered = noted(error, scope, metrics)
    headers = [(name.lower().encode(), value.encode()) for name, value in rendered.headers.items()]
    await send({"type": "http.response.start", "status": rendered.status, "headers": headers})
    await send({"type": "http.response.body", "body": rendered.body, "more_body": False})


def exception_handlers(metrics: Metrics) -> ExceptionHandlersMap:
    """Litestar's handlers: every exception becomes a problem, and is counted."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        rendered = noted(error, request.scope, metrics)
        return Response(rendered.body, status_code=rendered.status, headers=rendered.headers)

    return {HTTPException: answer, Exception: answer}


def noted(error: Exception, scope: Scope, metrics: Metrics) -> Rendered:
    """An error rendered for this request, counted, and logged if it is our own mistake."""
    request_id = str(scope["state"]["request_id"])
    rendered = render(error, request_id=request_id)
    metrics.problems.labels(rendered.slug).inc()
    scope["state"].get("noted", {})["problem"] = rendered.slug
    if rendered.slug == "internal-error":
        log.error("unforeseen error", request_id=request_id, exc_info=error)
    return rendered
