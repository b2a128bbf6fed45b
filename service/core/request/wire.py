"""What parts of a request share: named members only, intervals, and the names of the bases."""

from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

T = TypeVar("T")

UNORDERED: Final[dict[str, Any]] = {"unordered": True}
"""Marks a list as a set: the canonical request sorts it, and holds each entry once."""

Unordered: TypeAlias = Annotated[
    tuple[T, ...], Meta(extra=UNORDERED, description="Order and repeats make no difference.")
]

DECIMAL: Final[dict[str, Any]] = {"written": "decimal"}
"""Marks a number that may come as a decimal string, as our own answers print amounts."""

UNPRINTABLE: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
"""Characters that do not print as what they are, as a regular expression names them: controls,
breaks of lines, and what turns the direction of writing or cannot be seen."""
PRINTABLE: Final = Meta(
    min_length=1,
    max_length=128,
    pattern=rf"^(?!\s*$)[^{UNPRINTABLE}]+$(?!\n)",
)
"""Text that prints as what it is, and not only a space."""

Name: TypeAlias = Annotated[
    str,
    PRINTABLE,
    Meta(description="A name of your own; printable, at most 128 characters."),
]


class Interval(Struct, Generic[T], forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A 90% interval: one time in twenty below `low`, one time in twenty above `high`.

    Without `central`, the median of the distribution is taken. Ends in the wrong order are
    exchanged, and the quote warns of it. Equal ends mean the same as the number alone.
    """

    low: T
    high: T
    central: T | UnsetType = UNSET


class Wire(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of all parts of a request: named members only, unknown ones refused."""
