"""Refusals of the edge, by slug of the kind of problem, with every offending member."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from service.api.pointers import shown
from service.core.names.names import Names

MOST_FAULTS: Final = 100

Code: TypeAlias = Literal[
    "base_quote_not_kept",
    "byte_order_mark",
    "duplicate_member",
    "empty_body",
    "lone_surrogate",
    "missing_member",
    "named_quote_not_kept",
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
    "unknown_book_rate",
    "unknown_catalog",
    "unknown_cursor",
    "unknown_entry",
    "unknown_generation",
    "unknown_kind",
    "unknown_member",
    "unknown_model",
    "unknown_name",
    "unknown_offer",
    "unknown_parameter",
    "unknown_provider",
    "unknown_region",
    "unknown_stage",
    "speed_above_peak",
    "stage_cycle",
    "too_much_to_compute",
    "unknown_run",
    "unknown_site",
    "unreadable_member",
    "wrong_type",
]
Place: TypeAlias = Annotated[int, Meta(ge=1, description="In the body, counted from 1.")]


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One mistake: where it is, what it is, and facts to act on.

    `pointer` leads into the request body, `parameter` names a query parameter.
    """

    code: Annotated[Code, Meta(description="What is wrong, for programs.")]
    detail: Annotated[str, Meta(description="What is wrong, for people.")]
    pointer: Annotated[str | UnsetType, Meta(description="JSON pointer (RFC 6901).")] = UNSET
    parameter: str | UnsetType = UNSET
    nearest: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="Known names that look most like it.")
    ] = UNSET
    allowed: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="All values that are allowed.")
    ] = UNSET
    minimum: int | float | UnsetType = UNSET
    maximum: int | float | UnsetType = UNSET
    line: Place | UnsetType = UNSET
    column: Place | UnsetType = UNSET


class Refused(Exception):
    """A request that is not answered as asked. `headers` are sent with the problem."""

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


class InvalidQuery(Refused):
    """Query parameters that this operation does not take, or not with these values"""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("invalid-query", summary_of(faults), errors=faults)


class EntryNotFound(Refused):
    """A list has no entry of this id"""

    def __init__(self, entry_id: str, *, listing: str, known: Names) -> None:
        detail = f"{listing} has no entry {shown(entry_id)}"
        close = known.nearest(entry_id[:LONGEST_COMPARED_CHARACTERS])
        fault = Fault(code="unknown_entry", detail=detail, nearest=close)
        super().__init__("unknown-entry", detail, errors=[fault])


class CursorOfAnotherList(Refused):
    """A cursor marks no row of this list, filtered and sorted like this"""

    def __init__(self, fault: Fault) -> None:
        super().__init__("unknown-entry", fault.detail, errors=[fault])


class QuoteNotKept(Refused):
    """No quote of this id is in the cache"""

    def __init__(self, quote_id: str) -> None:
        super().__init__(
            "quote-not-kept",
            f"quote {shown(quote_id)} is not kept; post its request again: it gets the same id",
        )


class NotExportable(Refused):
    """The bill has lines without a price, or the quote has no such bill"""

    def __init__(self, words: str) -> None:
        super().__init__("bill-not-whole", words)


class ClaimNotKept(Refused):
    """No judged claim of this id is in the cache"""

    def __init__(self, claim_id: str) -> None:
        super().__init__(
            "claim-not-kept",
            f"claim {shown(claim_id)} is not kept; post it again: it gets the same id",
        )


class ComparisonNotKept(Refused):
    """No comparison of this id is in the cache"""

    def __init__(self, comparison_id: str) -> None:
        super().__init__(
            "comparison-not-kept",
            f"comparison {shown(comparison_id)} is not kept; post its request again: it gets the "
            "same id",
        )


class SolutionNotKept(Refused):
    """No solution of this id is in the cache"""

    def __init__(self, solution_id: str) -> None:
        super().__init__(
            "solution-not-kept",
            f"solution {shown(solution_id)} is not kept; post its request again: it gets the same "
            "id",
        )


NOT_KEPT: Final[Mapping[str, Callable[[str], Refused]]] = {
    "quote": QuoteNotKept,
    "claim": ClaimNotKept,
    "compare": ComparisonNotKept,
    "solve": SolutionNotKept,
}
"""What is said of an id that is not kept, by the kind of question that its path is of."""


class CacheAway(Refused):
    """The Redis that replicas share was not asked for an answer, or did not answer"""

    def __init__(self, id: str) -> None:
        super().__init__(
            "cache-unavailable",
            f"whether {shown(id)} is kept is not known: the Redis that replicas share does not "
            "answer",
            headers={"Retry-After": "1"},
        )


class MethodNotAllowed(Refused):
    """The path exists, but not for this method"""

    def __init__(self, *, allowed: Sequence[str]) -> None:
        methods = ", ".join(allowed)
        super().__init__(
            "method-not-allowed", f"this address takes {methods}", headers={"Allow": methods}
        )


class NotAcceptable(Refused):
    """None of the media types on offer is accepted"""

    def __init__(self, accept: str, *, offered: Sequence[str]) -> None:
        super().__init__(
            "not-acceptable", f"the answer comes as {' or '.join(offered)}, not as {shown(accept)}"
        )


class BodyTimeout(Refused):
    """The body did not arrive in time"""

    def __init__(self, seconds: float) -> None:
        detail = f"the body did not arrive within {seconds:g} seconds"
        super().__init__("body-timeout", detail, headers={"Connection": "close"})


class PayloadTooLarge(Refused):
    """The body has more bytes than are read"""

    def __init__(self, limit: int) -> None:
        detail = f"the body has more than {limit:,} bytes"
        super().__init__("payload-too-large", detail, headers={"Connection": "close"})


class BatchTooLong(Refused):
    """A batch has more lines or bytes, or takes more work, than one may"""

    def __init__(self, detail: str) -> None:
        super().__init__("batch-too-long", f"the batch is too long: {detail}")


class HeadTooLarge(Refused):
    """The request line and headers have more bytes or headers than are read"""

    def __init__(self, *, head_bytes: int, fields: int) -> None:
        detail = f"the head has more than {head_bytes:,} bytes, or more than {fields} headers"
        super().__init__("head-too-large", detail)


class AddressTooLong(Refused):
    """The request line has more bytes than are read"""

    def __init__(self, head_bytes: int) -> None:
        super().__init__("address-too-long", f"the address has more than {head_bytes:,} bytes")


class HeadTimeout(Refused):
    """The headers did not arrive in time"""

    def __init__(self, seconds: float) -> None:
        super().__init__("head-timeout", f"the headers did not arrive within {seconds:g} seconds")


class UnknownVersion(Refused):
    """The request is in a version of HTTP that is not spoken"""

    def __init__(self) -> None:
        super().__init__("http-version", "this server speaks HTTP/1.1 and HTTP/1.0")


class UnmetExpectation(Refused):
    """The request expects something else than 100-continue"""

    def __init__(self) -> None:
        super().__init__("expectation-failed", "the only expectation that is met is 100-continue")


class Overloaded(Refused):
    """There is more to do than can be done in time"""

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__("overloaded", detail, headers={"Retry-After": str(retry_after_s)})


class Draining(Refused):
    """The process is about to end"""

    def __init__(self) -> None:
        super().__init__(
            "draining",
            "this process is about to end; another takes its place",
            headers={"Retry-After": "1"},
        )


class UnsupportedMediaType(Refused):
    """The body is of a media type that is not read"""

    def __init__(self, got: str | None, *, wanted: str) -> None:
        sent = f"Content-Type {shown(got)}" if got else "no Content-Type"
        super().__init__(
            "unsupported-media-type",
            f"the request has {sent}; send {wanted} in UTF-8",
            headers={"Accept": wanted},
        )


class UnknownContentCoding(Refused):
    """The body is in a coding that is not unpacked"""

    def __init__(self, got: str | None, *, known: Sequence[str]) -> None:
        super().__init__(
            "unsupported-media-type",
            f"the body comes with Content-Encoding {shown(got or '')}; send it as it is, or in"
            f" {' or '.join(known)}",
            headers={"Accept-Encoding": ", ".join(known)},
        )


class BrokenContentCoding(Refused):
    """The body is not in the coding that it is said to be in"""

    def __init__(self, coding: str, *, known: Sequence[str]) -> None:
        super().__init__(
            "unsupported-media-type",
            f"the body comes with Content-Encoding {coding} and cannot be unpacked as {coding}:"
            " it is not, it is cut short, or something follows its end",
            headers={"Accept-Encoding": ", ".join(known)},
        )


LONGEST_COMPARED_CHARACTERS: Final = 128


def summary_of(faults: Sequence[Fault]) -> str:
    """The text of a problem: its only error, or their number and the first one."""
    if len(faults) == 1:
        return faults[0].detail
    more = " or more" if len(faults) >= MOST_FAULTS else ""
    return f"{len(faults)} errors{more}, the first: {faults[0].detail}"


class KeyRequired(Refused):
    """A request has no key, or one that is not known"""

    def __init__(self, detail: str, *, sent: bool = False) -> None:
        challenge = 'Bearer realm="runquote"' + (', error="invalid_token"' if sent else "")
        super().__init__("key-required", detail, headers={"WWW-Authenticate": challenge})


class QuotaUsedUp(Refused):
    """A caller has asked for more than it may in a minute"""

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "quota-exceeded",
            f"the quota of this minute is used up; there is room in {retry_after_s} seconds",
            headers={"Retry-After": str(retry_after_s)},
        )


class WrongHost(Refused):
    """The request is meant for another host"""

    def __init__(self) -> None:
        super().__init__("misdirected-request", "this service does not answer to that Host")
