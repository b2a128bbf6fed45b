"""Numbers of many candidates at once: rows of a matrix, and quantiles that are read off when asked.

What candidates share is replayed once. What depends on the price is replayed over a matrix that has
a row for each seller.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from msgspec import Struct

from service.core.draws.columns import DRAWS, Leaf, Sample
from service.core.draws.memo import Memo
from service.core.draws.quantiles import Levels
from service.core.draws.rows import CENTRE, uncertain_leaves
from service.core.draws.vectors import central, drawn, needed, quantiles_of, rows_of_leaves
from service.core.figures.arrays import Array
from service.core.figures.ledger import Application, Ledger, Term, replay

NamedRows: TypeAlias = Mapping[str, Array]


class Numbers:
    """One number of several candidates: a row of draws for each."""

    def __init__(self, matrix: Array, sample: Sample, levels: Levels) -> None:
        self._matrix = np.atleast_2d(matrix)
        self._sample = sample
        self._levels = levels
        self._quantiles: Array | None = None

    def all(self) -> "list[Number]":
        """The number of each candidate."""
        return [Number(self, place) for place in range(len(self._matrix))]

    @property
    def quantiles(self) -> Array:
        """The quantiles of each candidate, as a quote has them: shape `[candidates, levels]`."""
        if self._quantiles is None:
            self._quantiles = quantiles_of(self._matrix, self._sample, self._levels)
        return self._quantiles

    def row(self, place: int) -> Array:
        """The row of one candidate."""
        found: Array = self._matrix[place]
        return found


class Number(Struct, frozen=True):
    """A number of a candidate: central, its quantiles at the levels, and its joint draws."""

    of: Numbers
    place: int

    @property
    def central(self) -> float:
        """The number with every figure at its centre."""
        return float(central(self.of.row(self.place)))

    @property
    def draws(self) -> Array:
        """The joint draws."""
        return drawn(self.of.row(self.place))

    def quantile(self, level: int) -> float:
        """The quantile at one of the levels, by its place among them."""
        return float(self.of.quantiles[self.place, level])

    @property
    def quantiles(self) -> Array:
        """The quantiles at the levels, ascending."""
        found: Array = self.of.quantiles[self.place]
        return found


class View:
    """NamedRows of what candidates have in common, and numbers read off rows."""

    def __init__(self, leaves: Sequence[Leaf], memo: Memo, levels: Levels) -> None:
        self.leaves = tuple(leaves)
        self._memo = memo
        self._levels = levels
        self._sample = Sample(tuple(one.name for one in leaves), memo)
        self.rows: dict[str, Array] = dict(rows_of_leaves(leaves, memo))
        self.width = DRAWS + 1 + 2 * len(leaves)

    def widened(self, leaves: Iterable[Leaf]) -> "View":
        """The same rows beside those of more leaves, on which none of them depends."""
        wider = View(tuple(dict.fromkeys((*self.leaves, *leaves))), self._memo, self._levels)
        others = {name: row for name, row in self.rows.items() if name not in wider.rows}
        wider.rows |= zip(others, wider.placed(list(others.values()), self), strict=True)
        return wider

    def placed(self, rows: Sequence[Array], of: "View") -> Array:
        """Rows of another view as they are here, where its leaves are among others."""
        there = np.array(rows).reshape(-1, of.width)
        here = np.repeat(there[:, CENTRE : CENTRE + 1], self.width, axis=1)
        here[:, :DRAWS] = there[:, :DRAWS]
        places = {leaf: place for place, leaf in enumerate(self.leaves)}
        lows = CENTRE + 1 + 2 * np.array([places[leaf] for leaf in of.leaves], dtype=np.intp)
        here[:, lows], here[:, lows + 1] = there[:, CENTRE + 1 :: 2], there[:, CENTRE + 2 :: 2]
        return here

    def bring(self, names: Iterable[str], ledger: Ledger) -> None:
        """Add the rows of some entries of a ledger. Those that do not vary have none."""
        tape = needed((*ledger.tape.standing, *ledger.tape.of_run), names)
        known = self.rows
        new = [step for step in tape if not all(name in known for name in step.parts.values())]
        self.rows = self.replayed(new, known)

    def replayed(self, tape: Iterable[Application], rows: NamedRows) -> dict[str, Array]:
        """NamedRows of all that depends on some rows, with these."""
        steps = list(tape)
        again = replay(steps, rows)
        derived = {name: again.get(name) for step in steps for name in step.parts.values()}
        varying = {name: row for name, row in derived.items() if isinstance(row, np.ndarray)}
        return {**rows, **varying}

    def replayed_with(
        self, name: str, matrix: Array, tape: Sequence[Application]
    ) -> dict[str, Array]:
        """The same with rows for an entry that some formula of the tape answers with."""
        others = [step for step in tape if name not in step.parts.values()]
        return self.replayed(others, {**self.rows, name: matrix})

    def row(self, term: Term, rows: NamedRows | None = None) -> Array:
        """The row of a term, or its rows. One that does not vary is full of its central value."""
        found = (self.rows if rows is None else rows).get(term.name)
        return np.full(self.width, term.central) if found is None else found

    def numbers(self, matrix: Array) -> list[Number]:
        """The numbers in the rows of a matrix."""
        return Numbers(matrix, self._sample, self._levels).all()

    def numbers_of(self, matrices: Sequence[Array]) -> list[list[Number]]:
        """The numbers in the rows of each matrix. Their quantiles are found together."""
        together = iter(self.numbers(np.concatenate(matrices)))
        return [list(islice(together, len(matrix))) for matrix in matrices]

    def number(self, term: Term, rows: NamedRows | None = None) -> Number:
        """A number that is the same for all candidates."""
        return self.numbers(self.row(term, rows))[0]

    def sum_of(self, terms: Iterable[Term]) -> Number:
        """The sum of some terms, which is the same for all candidates."""
        return self.numbers(np.sum([self.row(term) for term in terms], axis=0))[0]


def leaves_of(ground: Ledger, branches: Iterable[Ledger] = ()) -> tuple[Leaf, ...]:
    """What varies in a ledger or in any of its branches, each once."""
    found = {leaf.name: leaf for leaf in uncertain_leaves(ground)}
    for branch in branches:
        found |= {leaf.name: leaf for leaf in uncertain_leaves(branch, beyond=ground)}
    return tuple(found.values())


def added(ground: Ledger, grown: Ledger) -> list[Application]:
    """What was applied in a branch beyond its ground, in order."""
    return [
        *grown.tape.standing[len(ground.tape.standing) :],
        *grown.tape.of_run[len(ground.tape.of_run) :],
    ]
