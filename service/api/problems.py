"""What is refused, and how it is said: RFC 9457 problems, and the only table of status codes.

400: we could not read it. 422: we read it and it cannot be quoted. 500: our bug. A slug is for
ever: `/problems/<slug>` is the problem's `type`, its title never changes, and the page at that
address says what to do about it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import quote as percent_encoded

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.core import errors as domain
from service.core.errors import NotQuotable, QuoteError, UnknownName

MEDIA_TYPE: Final = "application/problem+json"
MOST_FAULTS: Final = 100

Code: TypeAlias = Literal[
    "byte_order_mark",
    "duplicate_member",
    "empty_body",
    "lone_surrogate",
    "missing_member",
    "not_a_whole_number",
    "not_allowed",
    "not_finite",
    "not_json",
    "not_quotable",
    "not_utf8",
    "out_of_bounds",
    "pattern_mismatch",
    "repeated_parameter",
    "too_deep",
    "too_few_items",
    "too_long",
    "too_many_items",
    "too_short",
    "unknown_accelerator",
    "unknown_kind",
    "unknown_member",
    "unknown_model",
    "unknown_name",
    "unknown_offer",
    "unknown_parameter",
    "unknown_provider",
    "unknown_region",
    "unknown_run",
    "unknown_site",
    "unreadable_member",
    "wrong_type",
]


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that is wrong: where, what, and facts to act on.

    `pointer` leads into the request body, `parameter` names a query parameter.
    """

    code: Code
    detail: str
    pointer: Annotated[str | UnsetType, Meta(description="JSON pointer (RFC 6901).")] = UNSET
    parameter: str | UnsetType = UNSET
    nearest: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="Known names that look most alike.")
    ] = UNSET
    allowed: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="All values that would do.")
    ] = UNSET
    minimum: int | float | UnsetType = UNSET
    maximum: int | float | UnsetType = UNSET
    line: Annotated[int | UnsetType, Meta(ge=1, description="Line of the body.")] = UNSET
    column: Annotated[int | UnsetType, Meta(ge=1, description="Character of that line.")] = UNSET


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A refusal (RFC 9457): what kind, what happened this time, and every offending member."""

    type: Annotated[
        str,
        Meta(
            pattern=r"^/problems/[a-z0-9-]+$(?!\n)",
            description="Identifies the kind of problem; a page that explains it.",
            examples=["/problems/unknown-accelerator"],
        ),
    ]
    title: Annotated[str, Meta(description="The kind in words, always the same.")]
    status: Annotated[int, Meta(ge=400, le=599, description="The HTTP status.")]
    detail: Annotated[str, Meta(description="What happened this time.")]
    instance: Annotated[
        str, Meta(description="Identifies this occurrence: `/requests/` and the request id.")
    ]
    errors: Annotated[tuple[Fault, ...], Meta(max_length=MOST_FAULTS)] = ()


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of problem: the row of the table, and what its page says."""

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


class Refused(Exception):
    """A request that the edge refuses, by the slug of the kind of problem."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.detail = detail
        self.errors = tuple(errors[:MOST_FAULTS])
        self.headers = dict(headers or {})


class Rendered(Struct, frozen=True):
    """A problem as it goes over the wire; `slug` is for counting."""

    status: int
    headers: dict[str, str]
    body: bytes
    slug: str


def unknown(kind: type[UnknownName], *, slug: str, code: Code) -> Kind:
    """The row of a name that the catalog does not know."""
    plural = f"{kind.what}s" if kind.what != "entry" else "entries"
    listed = {"region": "offers", "provider": "offers", "entry": "accelerators"}
    return Kind(
        slug=slug,
        status=422,
        title=title_of(kind),
        meaning=f"The request names a catalog {kind.what} that does not exist. "
        "A lookup never guesses, so nothing was quoted.",
        remedy=f"Take one of the `nearest` names, or look the {plural} up under "
        f"/catalog/{listed.get(kind.what, plural)}.",
        codes=(code,),
    )


def title_of(error: type[Exception]) -> str:
    """An error's title: the first line of its docstring."""
    return (error.__doc__ or error.__name__).strip().splitlines()[0].removesuffix(".")


# Rows by class of error; where an error of the domain has none, that of its base class holds.
DOMAIN: Final[dict[type[QuoteError], Kind]] = {
    domain.UnknownAccelerator: unknown(
        domain.UnknownAccelerator, slug="unknown-accelerator", code="unknown_accelerator"
    ),
    domain.UnknownOffer: unknown(domain.UnknownOffer, slug="unknown-offer", code="unknown_offer"),
    domain.UnknownModel: unknown(domain.UnknownModel, slug="unknown-model", code="unknown_model"),
    domain.UnknownSite: unknown(domain.UnknownSite, slug="unknown-site", code="unknown_site"),
    domain.UnknownProvider: unknown(
        domain.UnknownProvider, slug="unknown-provider", code="unknown_provider"
    ),
    domain.UnknownRegion: unknown(
        domain.UnknownRegion, slug="unknown-region", code="unknown_region"
    ),
    UnknownName: unknown(UnknownName, slug="unknown-name", code="unknown_name"),
    QuoteError: Kind(
        slug="not-quotable",
        status=422,
        title=title_of(QuoteError),
        meaning="The request was understood, but it contradicts itself, or several of its members "
        "name what does not exist.",
        remedy="Each entry of `errors` points at one member and says what is wrong with it; "
        "mend them all and post the request again.",
        codes=("not_quotable",),
    ),
}

EDGE: Final[tuple[Kind, ...]] = (
    Kind(
        slug="unreadable-json",
        status=400,
        title="The body cannot be read as JSON",
        meaning="The body is empty, is not UTF-8, is not JSON (NaN and Infinity are not), nests "
        "too deep, or has a member twice, so that two readers would read two requests.",
        remedy="Send one JSON object in UTF-8 without a byte order mark. `line` and `column` say "
        "where reading stopped.",
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
        title="A query parameter cannot be read",
        meaning="The query has a parameter that this operation does not take, takes once, or does "
        "not take with this value.",
        remedy="The contract at /openapi.json lists the parameters of each operation; `allowed` "
        "and `nearest` say what would do.",
        codes=(
            "not_allowed",
            "not_utf8",
            "out_of_bounds",
            "pattern_mismatch",
            "repeated_parameter",
            "unknown_parameter",
        ),
    ),
    Kind(
        slug="not-found",
        status=404,
        title="There is nothing at this address",
        meaning="No operation has this path, or the catalog has no entry of this id.",
        remedy="The contract at /openapi.json lists all paths; the lists under /catalog list all "
        "ids. `nearest` names ids that look alike.",
        codes=(
            "unknown_accelerator",
            "unknown_model",
            "unknown_offer",
            "unknown_run",
            "unknown_site",
        ),
    ),
    Kind(
        slug="quote-not-kept",
        status=404,
        title="The quote is not kept here, or not any more",
        meaning="Quotes are kept for a while, not for ever. The id is a digest of the engine "
        "version, the catalog and the request, so nothing is lost.",
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
        remedy="Accept `application/json` and `application/problem+json`, or leave the header out.",
    ),
    Kind(
        slug="payload-too-large",
        status=413,
        title="The body is too large",
        meaning="A request body may have up to 1 MiB (1,048,576 bytes).",
        remedy="A run has at most 64 stages, which fit many times over: look for padding.",
    ),
    Kind(
        slug="unsupported-media-type",
        status=415,
        title="The body is of another media type",
        meaning="A quote is asked for in JSON, and the `Content-Type` header says otherwise, "
        "or the body is encoded (`Content-Encoding`).",
        remedy="Send `Content-Type: application/json` and no `Content-Encoding`.",
    ),
    Kind(
        slug="invalid-request",
        status=422,
        title="The request does not fit its schema",
        meaning="The body is JSON, but members are missing, unknown, of another type or out of "
        "bounds.",
        remedy="Each entry of `errors` points at one member: mend them all and post again. The "
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
        slug="internal-error",
        status=500,
        title="The service failed",
        meaning="This is our mistake, not yours.",
        remedy="Report it with the request id of `instance`; it is in our log.",
    ),
    Kind(
        slug="overloaded",
        status=503,
        title="The service has more to do than it can",
        meaning="The request was not looked at, because too many others are waiting.",
        remedy="Wait as long as the `Retry-After` header says, and send it again.",
    ),
)

KINDS: Final[dict[str, Kind]] = {
    kind.slug: kind
    for kind in sorted((*EDGE, *DOMAIN.values()), key=lambda kind: (kind.status, kind.slug))
}


def problem_of(error: Exception, *, request_id: str) -> Problem:
    """The problem that an error is to the caller; whatever we did not foresee is a 500."""
    if isinstance(error, Refused):
        return _problem(KINDS[error.slug], error.detail, error.errors, request_id)
    if isinstance(error, QuoteError):
        error = NotQuotable((error,))
    if isinstance(error, NotQuotable):
        kinds = {kind_of(type(one)).slug for one in error.errors}
        slug = kinds.pop() if len(kinds) == 1 else "not-quotable"
        faults = tuple(map(fault_of, error.errors[:MOST_FAULTS]))
        return _problem(KINDS[slug], summary_of(faults), faults, request_id)
    return _problem(KINDS["internal-error"], "An unforeseen error was logged.", (), request_id)


def render(error: Exception, *, request_id: str) -> Rendered:
    """An error as status, headers and body; `Vary` and the request id are the edge's."""
    problem = problem_of(error, request_id=request_id)
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    if isinstance(error, Refused):
        headers |= error.headers
    return Rendered(
        problem.status, headers, msgspec.json.encode(problem), problem.type.rsplit("/", 1)[-1]
    )


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


def summary_of(faults: Sequence[Fault]) -> str:
    """What a problem says of its errors: the only one, or how many and the first."""
    if len(faults) == 1:
        return faults[0].detail
    count = (
        f"{MOST_FAULTS} errors or more" if len(faults) >= MOST_FAULTS else f"{len(faults)} errors"
    )
    return f"{count}, the first: {faults[0].detail}"


def _problem(kind: Kind, detail: str, faults: tuple[Fault, ...], request_id: str) -> Problem:
    return Problem(
        type=kind.uri,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=f"/requests/{percent_encoded(request_id, safe='')}",
        errors=faults,
    )
