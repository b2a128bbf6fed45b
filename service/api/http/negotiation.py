"""Media types: what a request carries and what its sender accepts."""

import re
from functools import lru_cache
from typing import Final

from service.api.refusing.errors import NotAcceptable, UnsupportedMediaType

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
YAML: Final = "application/yaml"
HTML: Final = "text/html"
WEIGHT: Final = re.compile(r"[01](\.\d{0,3})?")

LONGEST_ACCEPT: Final = 1024
"""Characters of an `Accept` header. A browser's has some hundred, and reading takes time."""


def check_content_type(content_type: str | None, *, wanted: str = JSON) -> None:
    """Only JSON in UTF-8 can be read, or lines of it; raises `UnsupportedMediaType`."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() != wanted or charset not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType(content_type, wanted=wanted)


def check_accepts(accept: str | None, *offered: str) -> str:
    """The best of the media types on offer; raises `NotAcceptable` if none is accepted.

    Of the ranges that a type fits, the most exact one says how much it is wanted. A weight of 0
    means that it is not acceptable (RFC 9110, 12.5.1).
    """
    if not accept:
        return offered[0]
    weights = () if len(accept) > LONGEST_ACCEPT else weights_of(accept, offered)
    if not any(weights):
        raise NotAcceptable(accept, offered=offered)
    return offered[weights.index(max(weights))]


@lru_cache(maxsize=64)
def weights_of(accept: str, offered: tuple[str, ...]) -> tuple[float, ...]:
    """How much each media type on offer is wanted, from 0 to 1."""
    ranges = [range_of(part) for part in accept.lower().split(",") if part.strip()]
    return tuple(
        max(
            ((fits, weight) for name, weight in ranges if (fits := exactness(name, media_type))),
            default=(0, 0.0),
        )[1]
        for media_type in offered
    )


def range_of(part: str) -> tuple[str, float]:
    """A media range and its weight. A weight that is no number counts as 0.

    Other parameters are left out: what is on offer has none that a client could choose by.
    """
    name, *parameters = (word.strip() for word in part.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return name, weight_of(value.strip())
    return name, 1.0


def weight_of(text: str) -> float:
    """A weight as it is written (RFC 9110, 12.4.2)."""
    return min(float(text), 1.0) if WEIGHT.fullmatch(text) else 0.0


def exactness(media_range: str, media_type: str) -> int:
    """How exactly a range names a media type: 0 if not at all, 3 if by its name."""
    if media_range == media_type:
        return 3
    if media_range in {"*/*", "*"}:
        return 1
    kind, _, rest = media_range.partition("/")
    return 2 if rest == "*" and kind == media_type.partition("/")[0] else 0
