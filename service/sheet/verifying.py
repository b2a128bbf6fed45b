"""Whether a filed quote is what this engine and catalog answer, and where it first differs."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from service.core.answer.base import Answer, Pointer, QuoteId
from service.core.answer.quote import CatalogStamp, EngineStamp
from service.core.request.envelope import Buyer, Note, ReadOn, Reference, StartDate, Title

ABSENT: Final = object()
"""Stands where one of two values has nothing."""
LONGEST_SHOWN: Final = 200
Verdict = Literal["same", "differs", "other_engine_or_catalog"]


class Difference(Answer, frozen=True, kw_only=True):
    """The first place where two answers differ, with what each has there, as JSON.

    A long value is cut. Without `filed` or `answered`, that one has nothing there.
    """

    pointer: Annotated[Pointer, Meta(description="JSON pointer into the quote.")]
    filed: str | UnsetType = UNSET
    answered: str | UnsetType = UNSET


class Verification(Answer, frozen=True, kw_only=True):
    """What came of comparing a filed quote with the answer to its request.

    `same`: equal in every member, and `same_bytes` says whether also byte for byte. `differs`: it
    is not what this engine and catalog answer, though it says that it is by them.
    `other_engine_or_catalog`: it says that another engine, or another catalog, answered; a
    difference is then no sign that it was changed.
    """

    verdict: Verdict
    detail: str
    same_bytes: bool
    filed_id: str
    id: Annotated[QuoteId, Meta(description="The id of the answer to the request of the quote.")]
    engine: EngineStamp
    catalog: CatalogStamp
    first_difference: Difference | UnsetType = UNSET


class FiledCalendar(Struct, frozen=True):
    """What a filed quote says of its start."""

    start: StartDate


class FiledToday(Struct, frozen=True):
    """What a filed quote says of the day on which it was read."""

    on: ReadOn


class FiledHeading(Struct, frozen=True):
    """Words of the caller on a filed quote."""

    title: Title | UnsetType = UNSET
    buyer: Buyer | UnsetType = UNSET
    reference: Reference | UnsetType = UNSET
    note: Note | UnsetType = UNSET


class FiledCatalog(Struct, frozen=True):
    """The edition that a filed quote was answered from."""

    version: str = ""
    digest: str = ""


class FiledEngine(Struct, frozen=True):
    """The engine that answered."""

    version: str = ""
    digest: str = ""


class FiledQuote(Struct, frozen=True):
    """What is read of a filed quote to ask its question again."""

    id: str
    request: dict[str, Any]
    engine: FiledEngine = FiledEngine()
    catalog: FiledCatalog = FiledCatalog()
    calendar: FiledCalendar | UnsetType = UNSET
    today: FiledToday | UnsetType = UNSET
    heading: FiledHeading = FiledHeading()


def asked_again(filed: FiledQuote) -> dict[str, Any]:
    """The request of a filed quote, with what was said beside it."""
    request = filed.request
    said: dict[str, Any] = msgspec.to_builtins(filed.heading)
    if filed.calendar is not UNSET:
        said["start"] = filed.calendar.start
    if filed.today is not UNSET:
        said["today"] = filed.today.on
    return {**request, **said}


def verification(filed: bytes, answered: bytes) -> Verification:
    """Compare a filed quote with the answer to its request."""
    theirs, ours = msgspec.json.decode(filed), msgspec.json.decode(answered)
    head = msgspec.json.decode(filed, type=FiledQuote)
    own = msgspec.json.decode(answered, type=FiledQuote)
    difference = first_difference(theirs, ours)
    alike = (head.engine.digest, head.catalog.digest) == (own.engine.digest, own.catalog.digest)
    verdict: Verdict = "same" if difference is UNSET else "differs"
    if difference is not UNSET and not alike:
        verdict = "other_engine_or_catalog"
    return Verification(
        verdict=verdict,
        detail=WORDS[verdict],
        same_bytes=filed.strip() == answered,
        filed_id=head.id,
        id=own.id,
        engine=EngineStamp(version=own.engine.version, digest=own.engine.digest),
        catalog=CatalogStamp(version=own.catalog.version, digest=own.catalog.digest),
        first_difference=difference,
    )


WORDS: Final[Mapping[Verdict, str]] = {
    "same": "this engine and catalog give this quote",
    "differs": "it says that it is by this engine and catalog, and they answer otherwise",
    "other_engine_or_catalog": "it says that it is by another engine or catalog, which cannot be "
    "asked here; this is where the answer of this one first differs",
}


def first_difference(theirs: Any, ours: Any) -> Difference | UnsetType:
    """The first place where two JSON values differ, in the order of ours."""
    for pointer, one, other in differences(theirs, ours, ""):
        return Difference(
            pointer=pointer,
            filed=UNSET if one is ABSENT else shortened(one),
            answered=UNSET if other is ABSENT else shortened(other),
        )
    return UNSET


def differences(theirs: Any, ours: Any, pointer: str) -> Iterator[tuple[str, Any, Any]]:
    """The places where two JSON values differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in dict.fromkeys((*ours, *theirs)):
            below = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from differences(theirs.get(name, ABSENT), ours.get(name, ABSENT), below)
    elif isinstance(theirs, list) and isinstance(ours, list):
        for index in range(max(len(theirs), len(ours))):
            one = theirs[index] if index < len(theirs) else ABSENT
            other = ours[index] if index < len(ours) else ABSENT
            yield from differences(one, other, f"{pointer}/{index}")
    elif isinstance(theirs, bool) is not isinstance(ours, bool) or theirs != ours:
        yield pointer, theirs, ours


def shortened(value: Any) -> str:
    """A value as JSON, cut if it is long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
