"""Quotes whose requests differ in some numbers alone: argued once, printed for each."""

from collections.abc import Iterator, Sequence
from itertools import repeat
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
from service.core.figures.lanes import (
    TEXT_BEGINS,
    TEXT_ENDS,
    Column,
    Group,
    Inexpressible,
    Lanes,
    Pieces,
    pieces_of,
)
from service.core.quote import quote
from service.core.request.request import QuoteRequest
from service.core.together.ledger import LaneLedger
from service.core.together.spread import LaneSpread

COLUMN: Final = "\0%d\0"
"""Stands for a number or a printed amount of a column. No JSON has a zero byte."""
MARKED_COLUMNS: Final[Pattern[bytes]] = pattern_of(
    b"\0([0-9]+)\0|%b([0-9]+)%b" % (TEXT_BEGINS.encode(), TEXT_ENDS.encode())
)


class Printed(Struct, frozen=True):
    """The bytes of answers: what all of them have, and columns of pieces in which they differ."""

    constants: list[bytes]
    """What stands before each piece, and at the end."""
    order: list[int]
    """Of which column each piece is."""
    columns: list[Pieces]
    lanes: list[int]
    """The places of those that are answered. All columns have a piece of all lanes."""

    @property
    def mean_bytes(self) -> int:
        """The bytes of one answer, about."""
        joined = [len(column.joined) for column in self.columns]
        varying = sum(joined[column] for column in self.order)
        return sum(map(len, self.constants)) + varying // len(self.lanes)

    def bodies(self) -> Iterator[bytes]:
        """The bytes of each answer, in the order of `lanes`."""
        if not self.order:
            yield from repeat(self.constants[0], len(self.lanes))
            return
        columns = [column.split() for column in self.columns]
        wanted = frozenset(self.lanes)
        parts = [b""] * (2 * len(self.constants) - 1)
        parts[::2] = self.constants
        for lane, pieces in enumerate(zip(*(columns[at] for at in self.order), strict=True)):
            if lane in wanted:
                parts[1::2] = pieces
                yield b"".join(parts)


class Together(NamedTuple):
    """Answers of those that were not left, and an answer that stands for all of them."""

    printed: Printed
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
                canonical_request=_column(group, pieces_of(one.canonical for one in asked)),
                engine=engine,
                valid_until=valid_until,
                memo=memo,
                ledger=LaneLedger(group),
                spread_of=LaneSpread,
            )
            return Together(printed_by_lane(answer, group), answer)
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


def printed_by_lane(answer: Any, group: Group) -> Printed:
    """The bytes of each lane's answer."""

    def column(value: Any) -> Raw:
        if not isinstance(value, Lanes):
            raise Inexpressible(type(value).__name__)
        values = value.values
        parts = values.json() if isinstance(values, Column) else (json_of(values),)
        named = (_column(group, one) if isinstance(one, Pieces) else one for one in parts)
        return Raw(b"".join(named))

    encoded = msgspec.json.encode(answer, enc_hook=column)
    constants, order, columns = [b""], [], dict[Pieces, int]()
    at = 0
    for found in MARKED_COLUMNS.finditer(encoded):
        constants[-1] += encoded[at : found.start()]
        at = found.end()
        pieces = group.columns[int(found[1] or found[2])]
        if (alike := pieces.of_all(group.size)) is not None:
            constants[-1] += alike
        else:
            order.append(columns.setdefault(pieces, len(columns)))
            constants.append(b"")
    constants[-1] += encoded[at:]
    return Printed(constants, order, list(columns), group.living())


def json_of(values: Any) -> Pieces:
    """Values as JSON. Neither a number nor a printed amount has a comma in it."""
    numbers = values.tolist() if isinstance(values, np.ndarray) else values
    return Pieces(msgspec.json.encode(numbers)[1:-1], b",")


def _column(group: Group, pieces: Pieces) -> bytes:
    return (COLUMN % group.column(pieces)).encode()
