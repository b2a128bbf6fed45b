"""A ledger whose numbers differ by lane."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from service.core.figures.arrays import FEW
from service.core.figures.formulas import Formula
from service.core.figures.lanes import Group, Lanes, first_lanes
from service.core.figures.ledger import Ledger

NO_VECTOR = (TypeError, ValueError, AttributeError)
"""What a formula raises that takes one number at a time."""


class LaneAnswer:
    """What a formula answers in all lanes, found when a part of it is needed."""

    def __init__(self, find: Callable[[], list[tuple[int, Any]]]) -> None:
        self._find = find
        self._found: list[tuple[int, Any]] | None = None

    def part(self, part: str) -> Any:
        """A member of the answer in each lane, or the whole."""
        if self._found is None:
            self._found = self._find()
        pieces = [(count, getattr(one, part) if part else one) for count, one in self._found]
        return np.concatenate(
            [np.broadcast_to(np.asarray(one, dtype=np.float64), (count,)) for count, one in pieces]
        )


class LaneLedger(Ledger):
    """Every number of some quotes that are argued together."""

    __slots__ = ("group",)

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group

    def empty(self) -> Ledger:
        """A ledger of the same lanes without entries."""
        return LaneLedger(self.group)

    def answer_to(
        self, formula: Formula[..., Any], centrals: dict[str, float], structure: dict[str, Any]
    ) -> Any:
        """What a formula answers to central values, of which some differ by lane."""
        terms = centrals | structure
        if first_lanes(terms.values()) is None:
            return formula.function(**terms)
        group = self.group
        return LaneAnswer(lambda: _found(formula.function, terms, group))

    def part_of(self, answer: Any, part: str) -> Any:
        """A member of an answer as a number, or the whole."""
        if isinstance(answer, LaneAnswer):
            return Lanes(self.group, lambda: answer.part(part))
        return answer if isinstance(answer, Lanes) else super().part_of(answer, part)


def _found(
    function: Callable[..., Any], terms: dict[str, Any], group: Group
) -> list[tuple[int, Any]]:
    """Answers for a few lanes at a time, or else for one lane after the other.

    In arrays of a few numbers a formula finds the same floats as in single ones.
    """
    try:
        return [
            (stop - start, function(**_block_of(terms, start, stop)))
            for start, stop in _blocks(group.size)
        ]
    except NO_VECTOR:
        return [(1, one) for one in group.each(function, **terms)]


def _blocks(size: int) -> Sequence[tuple[int, int]]:
    return [(start, min(start + FEW, size)) for start in range(0, size, FEW)]


def _block_of(terms: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    return {
        name: value.numbers()[start:stop] if isinstance(value, Lanes) else value
        for name, value in terms.items()
    }


def columns_of(terms: dict[str, Any], block: slice) -> dict[str, Any]:
    """Numbers of some lanes as columns beside rows: shape `[lanes, 1]` where they differ."""
    return {
        name: value.numbers()[block, np.newaxis] if isinstance(value, Lanes) else value
        for name, value in terms.items()
    }
