"""Media types: what a request carries and what its sender accepts."""

from typing import Final

from litestar.datastructures.headers import Accept

from service.api.refusing.errors import NotAcceptable, UnknownContentCoding, UnsupportedMediaType

JSON: Final = "application/json"
YAML: Final = "application/yaml"
HTML: Final = "text/html"
IDENTITY: Final = "identity"


LONGEST_ACCEPT: Final = 1024
"""Characters of an `Accept` header. A browser's has some hundred, and reading takes time."""


def check_content_type(content_type: str | None) -> None:
    """Only JSON in UTF-8 can be read; raises `UnsupportedMediaType`."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() != JSON or charset not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType(content_type, wanted=JSON)


def check_content_encoding(content_encoding: str | None) -> None:
    """A body is read as it is and not unpacked; raises `UnknownContentCoding`."""
    if (content_encoding or IDENTITY).strip().lower() != IDENTITY:
        raise UnknownContentCoding(content_encoding)


def check_accepts(accept: str | None, *offered: str) -> str:
    """The best of the media types on offer; raises `NotAcceptable` if none is accepted."""
    if not accept:
        return offered[0]
    if len(accept) > LONGEST_ACCEPT:
        raise NotAcceptable(accept, offered=offered)
    best = Accept(accept).best_match(list(offered))
    if best is None:
        raise NotAcceptable(accept, offered=offered)
    return best
