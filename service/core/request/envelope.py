"""What a request says beside its question: the envelope of a quote, outside its id.

A member of the envelope moves no number and chooses no row. It is not in the canonical request, so
it changes neither the id nor the bytes that are kept. What follows from it is added to the answer
at the edge, by `service.envelope`, from the kept bytes and the envelope alone.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from service.core.request.wire import UNPRINTABLE, Wire

DAY_OF_ANY_YEAR: Final = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))"
)
LEAP_YEAR: Final = r"(?:20(?:[02468][048]|[13579][26])|21(?:0[48]|[2468][048]|[13579][26]))"
START_PATTERN: Final = rf"^(?:2[01]\d\d-{DAY_OF_ANY_YEAR}|{LEAP_YEAR}-02-29)$(?!\n)"
StartDate: TypeAlias = Annotated[
    str,
    Meta(
        pattern=START_PATTERN,
        description="The day on which the run starts, at 00:00 UTC: an ISO date from 2000-01-01 "
        "to 2199-12-31. It is outside the id.",
        examples=["2027-01-15"],
    ),
]
ReadOn: TypeAlias = Annotated[
    str,
    Meta(
        pattern=START_PATTERN,
        description="The day on which the answer is read, against which validity and the age of "
        "prices are judged: an ISO date from 2000-01-01 to 2199-12-31. It is outside the id.",
        examples=["2026-12-01"],
    ),
]
LONGEST_TITLE: Final = 100
LONGEST_REFERENCE: Final = 60
LONGEST_NOTE: Final = 280
"""Characters. All of a heading must fit into the address of a quote."""
TEXT_PATTERN: Final = rf"^(?!\s*$)[^{UNPRINTABLE}]+$(?!\n)"


def _text(longest: int, what: str) -> Meta:
    return Meta(
        min_length=1,
        max_length=longest,
        pattern=TEXT_PATTERN,
        description=f"{what} Printable, at most {longest} characters. It is outside the id.",
    )


Title: TypeAlias = Annotated[str, _text(LONGEST_TITLE, "What the quote is called on its sheet.")]
Buyer: TypeAlias = Annotated[str, _text(LONGEST_TITLE, "Whom the quote is for.")]
Reference: TypeAlias = Annotated[str, _text(LONGEST_REFERENCE, "A number or a name of your own.")]
Note: TypeAlias = Annotated[str, _text(LONGEST_NOTE, "What else stands on the sheet.")]


class Envelope(Wire, frozen=True, kw_only=True):
    """What is said beside the question. No member of it is part of the id."""

    start: StartDate | UnsetType = UNSET
    today: ReadOn | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    buyer: Buyer | UnsetType = UNSET
    reference: Reference | UnsetType = UNSET
    note: Note | UnsetType = UNSET
