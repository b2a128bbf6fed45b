"""The canonical request and the content id of its quote.

One question has one canonical request, however it was written:

* members are in one order, and defaults are filled in (RFC 8785),
* numbers are spelled in one way: 1e3, 1000 and 1000.0 are one number, and so are 0 and -0.0,
* members that are `Unordered` are sorted, and hold each entry once,
* an interval whose ends are equal is the number that they are, where a number may stand,
* members of the envelope, such as `start`, are left out: the kept answer does not show them. So is
  `catalog`: the digest of that edition is a part of the id beside the request.

All other differences make another request, because the answer shows them. A default of the catalog
that is written out is the caller's number and no longer an assumption. An interval with its ends
exchanged is warned of. A name is printed as it was sent, in whatever Unicode form.

The quote is computed from the canonical request and from nothing else of what was sent.
"""

from collections.abc import Callable, Hashable
from functools import cache
from hashlib import sha256
from typing import Any, Final, TypeAlias, TypeVar, cast, get_origin

import msgspec
import rfc8785
from msgspec import inspect

from service.core.request.envelope import Envelope
from service.core.request.wire import UNORDERED, Interval

EDITION: Final = "catalog"
"""The member that names an edition. The id hangs on the digest of the edition, not on its name."""
OUTSIDE_ID: Final = frozenset((*Envelope.__struct_fields__, EDITION))
"""Members of a request that are left out of its canonical form."""

Rewrite: TypeAlias = Callable[[Any], Any]
"""From a value as it was sent, in plain JSON types, to its canonical form."""

Asked = TypeVar("Asked")


def canonical_request(request: Any) -> bytes:
    """The bytes of the canonical form of a request, which has no envelope."""
    said = msgspec.to_builtins(request)
    inside = {name: value for name, value in said.items() if name not in OUTSIDE_ID}
    return written(_rewrite_of_request(cast("Hashable", type(request)))(inside))


def written(value: Any) -> bytes:
    """A value in plain JSON types as RFC 8785 writes it.

    Numbers of usual size are written alike by all, so the fast encoder writes them.
    """
    try:
        return _encode(_usual(value))
    except _Unusual:
        return rfc8785.dumps(value)


class _Unusual(Exception):
    """A number that encoders write in different ways"""


_encode: Final = msgspec.json.Encoder(order="sorted").encode
MOST_WHOLE: Final = 2.0**53
LEAST_PLAIN: Final = 1e-4
"""From here up to `MOST_WHOLE`, numbers are written without an exponent everywhere."""


def _usual(value: Any) -> Any:
    """The same value with whole numbers as such. Raises `_Unusual`. Member names are ASCII."""
    kind = type(value)
    if kind is dict:
        return {name: _usual(one) for name, one in value.items()}
    if kind is float:
        if value.is_integer() and abs(value) < MOST_WHOLE:
            return int(value)
        if LEAST_PLAIN <= abs(value) < MOST_WHOLE:
            return value
        raise _Unusual
    if kind is list or kind is tuple:
        return [_usual(one) for one in value]
    return value


def read_canonical(canonical: bytes, *, asked: type[Asked]) -> Asked:
    """The request in canonical bytes, from which it is answered."""
    request: Asked = _decoder_of(cast("Hashable", asked)).decode(canonical)
    return request


def content_id(
    canonical: bytes, *, prefix: str, domain: bytes, engine_digest: str, catalog_digest: str
) -> str:
    """A prefix, and the SHA-256 over domain, digests of the engine and the catalog, and request.

    Each kind of question has a prefix and a domain of its own.
    """
    return prefix + _hash_of(domain, engine_digest.encode(), catalog_digest.encode(), canonical)


@cache
def _decoder_of(asked: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(asked)


@cache
def _rewrite_of_request(asked: Hashable) -> Rewrite:
    return rewrite_of(inspect.type_info(asked)) or (lambda value: value)


def _hash_of(*parts: bytes) -> str:
    digest = sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def rewrite_of(kind: inspect.Type) -> Rewrite | None:
    """How values of a type get their canonical form. None if they have it already."""
    match kind:
        case inspect.Metadata(type=inner, extra=extra):
            return _sorted_once if extra == UNORDERED else rewrite_of(inner)
        case inspect.VarTupleType(item_type=item):
            each = rewrite_of(item)
            return each and _each(each)
        case inspect.StructType():
            members = {
                field.encode_name: rewrite
                for field in kind.fields
                if (rewrite := rewrite_of(field.type)) is not None
            }
            return _members(members) if members else None
        case inspect.UnionType(types=types):
            return _alternative(types)
    return None


def _alternative(types: tuple[inspect.Type, ...]) -> Rewrite | None:
    """How alternatives get their form: a number or an interval, a name or an object, or by tag."""
    objects = [one for one in types if isinstance(one, inspect.StructType)]
    if len(objects) < len(types):
        intervals = [one for one in objects if get_origin(one.cls) is Interval]
        return _number_if_equal if intervals else _of_object(objects)
    tagged = {one.tag: rewrite for one in objects if (rewrite := rewrite_of(one)) is not None}
    tag_field = objects[0].tag_field

    def by_tag(value: Any) -> Any:
        rewrite = tagged.get(value[tag_field])
        return value if rewrite is None else rewrite(value)

    return by_tag if tagged else None


def _of_object(objects: list[inspect.StructType]) -> Rewrite | None:
    """How the one object among alternatives gets its form, where a name may stand for it."""
    rewrite = rewrite_of(objects[0]) if objects else None

    def rewritten(value: Any) -> Any:
        return rewrite(value) if rewrite and isinstance(value, dict) else value

    return rewritten if rewrite else None


def _sorted_once(values: Any) -> Any:
    return sorted(set(values))


def _number_if_equal(value: Any) -> Any:
    """A number for an interval without width, unless its `central` lies elsewhere."""
    if not isinstance(value, dict):
        return value
    low = value["low"]
    return low if low == value["high"] == value.get("central", low) else value


def _each(rewrite: Rewrite) -> Rewrite:
    return lambda values: [rewrite(value) for value in values]


def _members(rewrites: dict[str, Rewrite]) -> Rewrite:
    """An object with some of its members rewritten, those that are there."""

    def rewritten(value: Any) -> Any:
        for name, rewrite in rewrites.items():
            if name in value:
                value[name] = rewrite(value[name])
        return value

    return rewritten
