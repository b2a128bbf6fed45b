"""The assumptions of a quote and where they come from, as numbered footnotes."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET, Struct

from service.sheet.kept import KeptFigure
from service.sheet.words import figure, leaf

SOURCED: Final = frozenset({"published", "judged"})
"""Kinds of sources that are footnotes. What is given stands in the request; the rest follows."""


class Source(Struct, frozen=True, kw_only=True):
    """A footnote: a publication, or a judgement, with its date."""

    number: int
    kind: str
    title: str
    locator: str
    as_of: str
    url: str


class Assumption(Struct, frozen=True, kw_only=True):
    """A figure of the catalog that the quote rests on."""

    figure: str
    name: str
    value: str
    range: str
    source: Source
    pointer: str
    moves: float
    """Largest share of a total's variance that it explains."""


def assumptions_of(
    figures: Mapping[str, KeptFigure], moves: Mapping[str, float]
) -> tuple[Assumption, ...]:
    """The figures with a source of their own, what moves a total most first."""
    sourced = [name for name, one in figures.items() if one.source.get("kind") in SOURCED]
    sourced.sort(key=lambda name: -moves.get(name, 0.0))
    sources: dict[tuple[str, ...], Source] = {}
    found = []
    for name in sourced:
        one = figures[name]
        key = _words(one.source)
        source = sources.setdefault(key, _source(len(sources) + 1, one.source))
        found.append(
            Assumption(
                figure=name,
                name=leaf(name),
                value=figure(one.value, one.unit),
                range=range_of(one),
                source=source,
                pointer="" if one.pointer is UNSET else one.pointer,
                moves=moves.get(name, 0.0),
            )
        )
    return tuple(found)


def footnotes(assumptions: Iterable[Assumption]) -> tuple[Source, ...]:
    """The footnotes of assumptions, each once, in their order."""
    return tuple({one.source.number: one.source for one in assumptions}.values())


def range_of(one: KeptFigure) -> str:
    """The range of a figure; empty if it has none, or is exact."""
    if one.low is UNSET or one.high is UNSET or one.low == one.high:
        return ""
    return f"{one.low:,.4g} to {one.high:,.4g}"


def _words(source: Mapping[str, Any]) -> tuple[str, ...]:
    title = str(source.get("title", source.get("why", "")))
    return (
        str(source.get("kind", "")),
        title,
        str(source.get("locator", "")),
        str(source.get("as_of", "")),
        str(source.get("url", "")),
    )


def _source(number: int, source: Mapping[str, Any]) -> Source:
    kind, title, locator, as_of, url = _words(source)
    return Source(number=number, kind=kind, title=title, locator=locator, as_of=as_of, url=url)


def leaves(names: Iterable[str], figures: Mapping[str, KeptFigure]) -> dict[str, KeptFigure]:
    """The figures with a source of their own that these follow from, by name."""
    found: dict[str, KeptFigure] = {}
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in figures:
            continue
        seen.add(name)
        one = figures[name]
        if one.source.get("kind") in SOURCED:
            found[name] = one
        waiting += dict(one.source.get("inputs", {})).values()
    return {name: found[name] for name in figures if name in found}
