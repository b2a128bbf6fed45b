"""JSON pointers (RFC 6901), and texts of callers as answers repeat them."""

import re
import sys
from typing import Any, Final, TypeAlias

from service.core.request.wire import UNPRINTABLE

Pointer: TypeAlias = tuple[str | int, ...]

LONGEST_ECHO_CHARACTERS: Final = 80
NOT_PRINTED: Final = re.compile(f"[{UNPRINTABLE}]")


def pointer_of(path: Pointer) -> str:
    """The pointer of a path, with `~0` for `~` and `~1` for `/`. The document's own is empty."""
    return "".join(
        "/" + speakable(str(step)).replace("~", "~0").replace("/", "~1") for step in path
    )


def shown(value: Any) -> str:
    """A value of a request, cut short but recognisable."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if not isinstance(value, str):
        return f"{value:g}" if abs(value) <= sys.float_info.max else "a number beyond all range"
    text = printable(speakable(value))
    if len(text) <= LONGEST_ECHO_CHARACTERS:
        return f'"{text}"'
    return f'"{text[:LONGEST_ECHO_CHARACTERS]}..." ({len(value)} characters)'


def printable(text: str) -> str:
    """Text with escapes for characters that do not print as what they are."""
    return NOT_PRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def speakable(text: str) -> str:
    """Text that can be sent, with unpaired surrogates spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()
