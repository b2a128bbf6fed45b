"""Quotes whose requests differ in some numbers alone: argued once, printed for each."""

from collections.abc import Iterable, Sequence
from itertools import islice, repeat
from operator import attrgetter
from re import Pattern
from re import compile as pattern_of
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Raw, Struct

from service.core.answer import EngineStamp, Quote
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.draws.memo import Memo
from service.core.figures.lanes import TEXT_BEGINS, TEXT_ENDS, Column, Group, Inexpressible, Lanes
from service.core.quote import quote
from service.core.request.request import QuoteRequest
from service.core.together.ledger import LaneLedger
from service.core.together.spread import LaneSpread

COLUMN: Final = "\0%d\0"
"""Stands for a number or a printed amount of a column. No JSON has a zero byte."""
MARKED_COLUMNS: Final[Pattern[bytes]] = pattern_of(
    b"\0([0-9]+)\0|%b([0-9]+)%b" % (TEXT_BEGINS.encode(), TEXT_ENDS.encode())
)


class Together(NamedTuple):
    """Answers by lane, None where a lane was left, and an answer that stands for all of them."""

    bodies: list[bytes | None]
    answer: Quote


class LaneQuestion(NamedTuple):
    """A question: its id, its canonical form, and that as a request."""

    id: str
    canonical: bytes
    request: QuoteRequest


def quotes_together(
    asked: Sequence[LaneQuestion],
    catalog: Catalog,
    *,
    engine: EngineStamp,
    valid_until: str,
    memo: Memo,
) -> Together | None:
    """The quotes of some requests, byte for byte as of each alone. None if they are not alike."""
    group = Group(len(asked))
    try:
        with np.errstate(all="ignore"):
            answer = quote(
                stacked([one.request for one in asked], group),
                catalog,
                id=group.text([one.id for one in asked]),
                canonical_request=_column(group, [one.canonical for one in asked]),
                engine=engine,
                valid_until=valid_until,
                memo=memo,
                ledger=LaneLedger(group),
                spread_of=LaneSpread,
            )
            return Together(bodies_by_lane(answer, group), answer)
    except (Inexpressible, NotQuotable, TypeError, ValueError, ArithmeticError):
        return None


def stacked(values: Sequence[Any], group: Group) -> Any:
    """Requests as one, with a number for each lane where they differ. Raises `Inexpressible`."""
    first = values[0]
    if isinstance(first, Struct):
        if len(set(map(type, values))) > 1:
            raise Inexpressible("other kinds")
        members = {
            name: stacked(list(map(attrgetter(name), values)), group)
            for name in first.__struct_fields__
        }
        return type(first)(**members)
    if isinstance(first, tuple):
        if any(not isinstance(one, tuple) or len(one) != len(first) for one in values):
            raise Inexpressible("other numbers of entries")
        return tuple(stacked(entries, group) for entries in zip(*values, strict=True))
    if values.count(first) == len(values):
        return first
    if all(isinstance(one, float) for one in values):
        return Lanes(group, np.array(values))
    raise Inexpressible("other values")


def bodies_by_lane(answer: Quote, group: Group) -> list[bytes | None]:
    """The bytes of each lane's answer."""

    def column(value: Any) -> Raw:
        if not isinstance(value, Lanes):
            raise Inexpressible(type(value).__name__)
        parts = (
            value.values.json() if isinstance(value.values, Column) else (json_of(value.values),)
        )
        return Raw(
            b"".join(one if isinstance(one, bytes) else _column(group, one) for one in parts)
        )

    encoded = msgspec.json.encode(answer, enc_hook=column)
    constants, pieces = [], []
    at = 0
    for found in MARKED_COLUMNS.finditer(encoded):
        constants.append(encoded[at : found.start()])
        pieces.append(group.columns[int(found[1] or found[2])])
        at = found.end()
    lines = zip(*_interleaved(constants, pieces), repeat(encoded[at:]))
    whole: list[bytes | None] = [b"".join(line) for line in islice(lines, group.size)]
    return [one if alive else None for one, alive in zip(whole, group.alive, strict=True)]


def _interleaved(
    constants: Iterable[bytes], pieces: Iterable[Sequence[bytes]]
) -> Iterable[Iterable[bytes]]:
    for constant, piece in zip(constants, pieces, strict=True):
        yield repeat(constant)
        yield piece


def json_of(values: Any) -> list[bytes]:
    """Values as JSON. A printed amount has no comma in it."""
    numbers = values.tolist() if isinstance(values, np.ndarray) else values
    return msgspec.json.encode(numbers)[1:-1].split(b",")


def _column(group: Group, pieces: Sequence[bytes]) -> bytes:
    return (COLUMN % group.column(pieces)).encode()
