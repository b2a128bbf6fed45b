"""The page itself: every registered formula as Markdown, by room of the core."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from textwrap import dedent
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args, get_origin

from service.core.figures.arrays import Real
from service.core.figures.formulas import REGISTRY, WHOLE, Formula
from service.core.figures.units import Unit
from service.formula_reference.inputs import Observed, observed_units

ROOMS: Final = ("model", "cluster", "training", "serving", "stages", "bills", "claims")
"""Rooms of the core that have formulas, in reading order. A formula elsewhere is an error."""
ANY_UNIT: Final = "any unit"
NO_FIGURE: Final = "no figure"
INTRODUCTION: Final = """\
# Formulas

Made by `runquote formulas --write docs/formulas.md` from the registry of formulas, from their
docstrings and from quotes. A derived figure of a quote names its formula (`source.formula`) and the
figures that were its inputs (`source.inputs`); both are names of this page. A name stays the same
for ever, wherever its code stands.

Units of inputs are read off the quotes of the contract's examples and of a few more requests, which
together apply each of the {count} formulas. An input called "{no_figure}" is a structure, such as a
layout, or a number that a quote shows no figure of. Units are those of `figures` in the contract;
In a quote in another currency than dollars, formulas of amounts are applied again to amounts in it.
`ratio` is a number without a unit, `share` one from 0 to 1, `count` a number of things.
"""
Row: TypeAlias = tuple[str, str]


class Described(NamedTuple):
    """A docstring of a formula in its parts."""

    summary: str
    body: tuple[str, ...]  # paragraphs of prose, and blocks that begin with four spaces
    source: str


def formulas_page() -> str:
    """The whole page, with units observed on the example requests.

    Raises `ValueError` if a formula has no source, is applied by no request, or has an input with
    two units that it does not declare.
    """
    units = observed_units()
    rooms: dict[str, list[Formula[..., Any]]] = {room: [] for room in ROOMS}
    for formula in sorted(REGISTRY.values(), key=_place):
        rooms[_room(formula)].append(formula)
    parts = [INTRODUCTION.format(count=len(REGISTRY), no_figure=NO_FIGURE)]
    for room, formulas in rooms.items():
        parts.append(f"## {room}\n\n{_sentence_of(room)}\n")
        parts.extend(_section(formula, units) for formula in formulas)
    return "\n".join(parts)


def described(formula: Formula[..., Any]) -> Described:
    """The docstring in parts. Raises `ValueError` if it has no formula or no source."""
    lines = inspect.cleandoc(formula.__doc__ or "").splitlines()
    at = next((n for n, line in enumerate(lines) if line.startswith("Source: ")), None)
    if at is None:
        raise ValueError(f"the docstring of {formula.name} has no source")
    summary, *body = "\n".join(lines[:at]).strip("\n").split("\n\n")
    if not any(paragraph.startswith("    ") for paragraph in body):
        raise ValueError(f"the docstring of {formula.name} has no formula")
    source = " ".join(lines[at:]).removeprefix("Source: ")
    return Described(" ".join(summary.splitlines()), tuple(body), source)


def input_rows(formula: Formula[..., Any], units: Mapping[str, frozenset[Unit]]) -> Iterator[Row]:
    """Each input with its unit. `units` are those that were observed.

    Keywords without a number of their own (`**usd`) are one row, unless their units differ.
    """
    own: set[str] = set()
    for name, parameter in inspect.signature(formula.function).parameters.items():
        own.add(name)
        if parameter.kind is parameter.VAR_KEYWORD:
            rest = {key: units[key] for key in units if key not in own}
            yield from _keyword_rows(formula, name, rest)
        elif name in units:
            yield f"`{name}`", _unit_of(formula, name, units[name])
        else:
            yield f"`{name}`", _kind_of(parameter.annotation)


def _keyword_rows(
    formula: Formula[..., Any], name: str, units: Mapping[str, frozenset[Unit]]
) -> Iterator[Row]:
    together = frozenset().union(*units.values())
    if len(together) == 1 or not formula.units:
        yield f"`{name}`, any number of them", _unit_of(formula, name, together)
        return
    for key in units:
        yield f"`{key}`", _unit_of(formula, key, units[key])


def _unit_of(formula: Formula[..., Any], name: str, units: frozenset[Unit]) -> str:
    if not formula.units or name in formula.any_unit:
        return ANY_UNIT
    if len(units) > 1:
        raise ValueError(f"{name} of {formula.name} has several units: {', '.join(sorted(units))}")
    return next(iter(units))


def _kind_of(annotation: Any) -> str:
    """The kind of an input that no quote shows as a figure."""
    if annotation is bool:
        return f"{NO_FIGURE}: yes or no"
    if get_origin(annotation) is Literal:
        return f"{NO_FIGURE}: {', '.join(f'`{word}`' for word in get_args(annotation))}"
    if annotation in (float, Real):
        return f"{NO_FIGURE}: a number"
    return f"{NO_FIGURE}: `{annotation.__name__}`"


def _section(formula: Formula[..., Any], units: Observed) -> str:
    if formula.name not in units:
        raise ValueError(
            f"no request applies {formula.name}; add one to service/formula_reference/requests.py"
        )
    words = described(formula)
    rows = tuple(input_rows(formula, units[formula.name]))
    body = [
        f"```text\n{dedent(paragraph)}\n```" if paragraph.startswith("    ") else paragraph
        for paragraph in words.body
    ]
    table = ["| input | unit |", "| --- | --- |", *(f"| {name} | {unit} |" for name, unit in rows)]
    inputs = "\n".join(table) if rows else "No inputs."
    parts = [
        f"### `{formula.name}`",
        words.summary,
        *body,
        inputs,
        f"Answers in {_answer(formula)}.",
        f"Source: {words.source}",
    ]
    return "\n\n".join(parts) + "\n"


def _answer(formula: Formula[..., Any]) -> str:
    if not formula.units:
        return "the unit of its inputs"
    if WHOLE in formula.units:
        return f"{formula.units[WHOLE]}"
    parts: dict[Unit, list[str]] = {}
    for part, unit in formula.units.items():
        parts.setdefault(unit, []).append(f"`{part}`")
    return "; ".join(f"{unit} ({', '.join(several)})" for unit, several in parts.items())


def _room(formula: Formula[..., Any]) -> str:
    """The room of the core that a formula's module stands in."""
    return formula.function.__module__.split(".")[2]


def _place(formula: Formula[..., Any]) -> tuple[str, int]:
    """Where a formula stands in the code."""
    return formula.function.__module__, formula.function.__code__.co_firstlineno


def _sentence_of(room: str) -> str:
    """The first line of the docstring of a room."""
    return (sys.modules[f"service.core.{room}"].__doc__ or "").splitlines()[0]
