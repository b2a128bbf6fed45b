"""Parts of a kept quote: its lines, its figures, and what one figure follows from and leads to."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from service.core.answer.base import Answer, QuoteId
from service.core.answer.bills import StageName
from service.core.figures.sources import FigureName
from service.core.figures.vocabulary import BasisName


class LineOfABill(Answer, frozen=True, kw_only=True):
    """A line, with the basis of its bill and its place in it, from 0."""

    basis: BasisName
    index: int
    line: Raw


class LineList(Answer, frozen=True, kw_only=True):
    """Lines of the bills of a quote. Those of different bases do not add."""

    quote: QuoteId
    lines: tuple[LineOfABill, ...]


class FigureList(Answer, frozen=True, kw_only=True):
    """Figures of a quote by name."""

    quote: QuoteId
    figures: dict[str, Raw]


class LineInShort(Answer, frozen=True, kw_only=True):
    """A line that a figure leads to."""

    basis: BasisName
    index: int
    item: str
    stage: StageName | UnsetType = UNSET


class FigureExplained(Answer, frozen=True, kw_only=True):
    """A figure with what it follows from, what follows from it, and where it moves a total."""

    quote: QuoteId
    name: FigureName
    figure: Raw
    inputs: Annotated[dict[str, Raw], Meta(description="The figures that it follows from.")]
    feeds: Annotated[tuple[FigureName, ...], Meta(description="What follows from it at once.")]
    lines: Annotated[tuple[LineInShort, ...], Meta(description="Lines that name it.")]
    moves: Annotated[
        dict[BasisName, float],
        Meta(description="Its share of the variance of each total that it drives."),
    ]


class FigureSource(Struct, frozen=True):
    """What links figures: a derived one names its inputs."""

    inputs: dict[str, str] = {}


class LinkedFigure(Struct, frozen=True):
    """A figure, as far as it is linked to others."""

    source: FigureSource


class LineHead(Struct, frozen=True):
    """A line, as far as it is looked for."""

    item: str
    stage: str | UnsetType = UNSET
    figures: tuple[str, ...] = ()


class DriverHead(Struct, frozen=True):
    """A driver."""

    figure: str
    share: float


class BillInParts(Struct, frozen=True):
    """A bill, whose lines are kept as they are."""

    basis: BasisName
    lines: tuple[Raw, ...] = ()
    drivers: tuple[DriverHead, ...] = ()


class QuoteInParts(Struct, frozen=True):
    """A quote, whose lines and figures are kept as they are."""

    id: str
    bases: tuple[BillInParts, ...]
    figures: dict[str, Raw]


line_head = msgspec.json.Decoder(LineHead).decode
in_parts = msgspec.json.Decoder(QuoteInParts).decode


def lines_of(
    body: bytes, *, basis: object = None, stage: object = None, item: object = None
) -> LineList:
    """The lines of a quote: all, or those of a basis, of a stage, of an item."""
    quote = in_parts(body)
    return LineList(
        quote=quote.id,
        lines=tuple(
            LineOfABill(basis=bill.basis, index=index, line=raw)
            for bill, index, raw, head in _heads(quote)
            if basis in {None, bill.basis}
            and stage in {None, head.stage}
            and item in {None, head.item}
        ),
    )


def figures_of(body: bytes, *, prefix: str = "") -> FigureList:
    """The figures of a quote whose names begin with a prefix."""
    quote = in_parts(body)
    found = {name: raw for name, raw in quote.figures.items() if name.startswith(prefix)}
    return FigureList(quote=quote.id, figures=found)


def figure_of(body: bytes, name: str) -> FigureExplained | None:
    """A figure of a quote with what stands around it. None if the quote has none of this name."""
    quote = in_parts(body)
    if name not in quote.figures:
        return None
    links = {one: _inputs(raw) for one, raw in quote.figures.items()}
    return FigureExplained(
        quote=quote.id,
        name=name,
        figure=quote.figures[name],
        inputs={one: quote.figures[one] for one in links[name] if one in quote.figures},
        feeds=tuple(one for one, inputs in links.items() if name in inputs),
        lines=tuple(
            LineInShort(basis=bill.basis, index=index, item=head.item, stage=head.stage)
            for bill, index, _, head in _heads(quote)
            if name in head.figures
        ),
        moves=_moves(quote, name),
    )


def figure_names(body: bytes) -> tuple[str, ...]:
    """The names of the figures of a quote."""
    return tuple(in_parts(body).figures)


def _inputs(raw: Raw) -> tuple[str, ...]:
    source = msgspec.json.decode(raw, type=LinkedFigure).source
    return tuple(dict.fromkeys(source.inputs.values()))


def _moves(quote: QuoteInParts, name: str) -> dict[BasisName, float]:
    return {
        bill.basis: one.share for bill in quote.bases for one in bill.drivers if one.figure == name
    }


def _heads(quote: QuoteInParts) -> Iterator[tuple[BillInParts, int, Raw, Any]]:
    for bill in quote.bases:
        for index, raw in enumerate(bill.lines):
            yield bill, index, raw, line_head(raw)
