"""From bytes to a request: one strict pass, and a slow one that finds every mistake.

The fast pass is msgspec's. It stops at the first mistake. It accepts a repeated member (the last
one wins), so repeated members are looked for separately. Only a refused body goes through the slow
pass. There, the standard library says what is not JSON, and the JSON Schema of the same types
judges what is.

A body that is not JSON is a 400. JSON that does not fit the schema is a 422.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from functools import cache
from itertools import islice
from typing import Any, Final, NoReturn, TypeVar, cast

import msgspec
from msgspec import UNSET, UnsetType

from service.api.pointers import Pointer, pointer_of, shown
from service.api.refusing.decimals import with_numbers
from service.api.refusing.errors import MOST_FAULTS, Code, Fault, Refused, summary_of
from service.api.refusing.schema_errors import faults_of
from service.core.request.claim import ClaimRequest
from service.core.request.request import QuoteRequest

Asked = TypeVar("Asked")

LARGEST_BODY_BYTES: Final = 2**20
LONGEST_INTEGER_DIGITS: Final = 400
BEYOND_RANGE: Final = 10**LONGEST_INTEGER_DIGITS
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
SURROGATE: Final = re.compile("[\ud800-\udfff]")

_decode_anything = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_request(body: bytes) -> QuoteRequest:
    """The request in these bytes. Raises `Refused` with all that is wrong with them."""
    return decoded(body, asked=QuoteRequest)


def decode_claim(body: bytes) -> ClaimRequest:
    """The claim in these bytes. Raises `Refused` with all that is wrong with them."""
    return decoded(body, asked=ClaimRequest)


def decoded(body: bytes, *, asked: type[Asked]) -> Asked:
    """The request of a kind in these bytes. Raises `Refused` with all that is wrong with them."""
    try:
        request: Asked = _decoder_of(cast("Hashable", asked)).decode(body)
        repeated = has_repeated_members(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _with_numbers(body, str(error), asked=asked)
    if repeated:
        refuse(read(body), "a member occurs twice", asked=asked)
    return request


@cache
def _decoder_of(asked: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(asked, strict=True)


def _with_numbers(body: bytes, reason: str, *, asked: type[Asked]) -> Asked:
    """The request, if nothing else is wrong with it than that amounts are decimal strings."""
    document = with_numbers(read(body), asked=asked)
    try:
        return msgspec.convert(document, asked)
    except (msgspec.MsgspecError, OverflowError):
        refuse(document, reason, asked=asked)


def has_repeated_members(body: bytes) -> bool:
    """Whether any object of a well-formed body has two members of one name.

    Reading drops all but the last of them. So the value that was read is written with fewer
    members, and fewer colons. Without escapes, both have the same colons inside of strings.
    """
    written = _encode(_decode_anything(body))
    if b"\\" in body:
        return member_count(written) != member_count(body)
    return written.count(b":") != body.count(b":")


def member_count(body: bytes) -> int:
    """How many members all objects of a well-formed body have, repeated ones included.

    Each member has one colon outside of strings. A backslash occurs only inside of strings. So once
    escaped backslashes and quotes are removed, every other piece between quotes is outside.
    """
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(unescaped.split(b'"')[::2]).count(b":")


def refuse(document: Any, reason: str, *, asked: type = QuoteRequest) -> NoReturn:
    """Raise `Refused` with all that is wrong with a body. `reason` is that of the fast pass."""
    faults = faults_of(document, asked=asked) or [
        # The two passes disagree. That is our mistake, but the caller still learns a reason.
        Fault(code="unreadable_member", detail=reason, pointer="")
    ]
    raise Refused("invalid-request", summary_of(faults), errors=faults)


def read(body: bytes) -> Any:
    """The JSON of a body as Python values. Raises `Refused` if it is not JSON, or ambiguous."""
    try:
        document = _decode_anything(body)
        if not has_repeated_members(body):
            return document
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    document = loaded(text_of(body))
    if flaws := list(islice(flaws_of(document, ()), MOST_FAULTS)):
        raise Refused("unreadable-json", summary_of(flaws), errors=flaws)
    return document


def text_of(body: bytes) -> str:
    """The characters of a body."""
    if not body.strip():
        raise _unreadable("empty_body", "the body is empty; a request is a JSON object")
    if body.startswith(BYTE_ORDER_MARK):
        raise _unreadable("byte_order_mark", "the body begins with a byte order mark; leave it out")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        detail = f"the body is not UTF-8: byte {error.start} is {body[error.start]:#04x}"
        raise _unreadable("not_utf8", detail) from None


def loaded(text: str) -> Any:
    """The text as the standard library reads it, with `Ambiguous` for repeated members."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_not_finite,
            parse_int=_integer,
            parse_float=_fraction,
        )
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        raise _unreadable("not_json", detail, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise _too_deep() from None


class Ambiguous(dict[str, Any]):
    """A JSON object in which some members occur more than once."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.repeated = tuple(name for name, count in counts.items() if count > 1)


def flaws_of(value: Any, path: Pointer) -> Iterator[Fault]:
    """Repeated members and unpaired surrogates, which readers do not agree on."""
    if isinstance(value, Ambiguous):
        for name in value.repeated:
            yield Fault(
                code="duplicate_member",
                detail=f"member {shown(name)} occurs more than once",
                pointer=pointer_of((*path, name)),
            )
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from flaws_of(name, path)
            yield from flaws_of(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flaws_of(inner, (*path, index))
    elif isinstance(value, str) and SURROGATE.search(value):
        detail = "half of a surrogate pair stands alone; it is no character"
        yield Fault(code="lone_surrogate", detail=detail, pointer=pointer_of(path))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else Ambiguous(pairs)


def _not_finite(constant: str) -> NoReturn:
    raise _unreadable("not_finite", f"the body is not JSON: {constant} is not a JSON number")


def _integer(digits: str) -> int:
    """An integer. A very long one is cut: it is out of bounds, and slow to read."""
    return int(digits[:LONGEST_INTEGER_DIGITS])


def _fraction(digits: str) -> int | float:
    """A number with a fraction or an exponent. One out of range becomes a very large integer."""
    value = float(digits)
    return value if math.isfinite(value) else int(math.copysign(1, value)) * BEYOND_RANGE


def _too_deep() -> Refused:
    return _unreadable("too_deep", "the body nests too deep; a request has 9 levels at most")


def _unreadable(
    code: Code, detail: str, *, line: int | UnsetType = UNSET, column: int | UnsetType = UNSET
) -> Refused:
    fault = Fault(code=code, detail=detail, pointer="", line=line, column=column)
    return Refused("unreadable-json", detail, errors=[fault])
