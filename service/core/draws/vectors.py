"""Rows of draws for many values of some entries at once.

Candidates of a comparison differ in a price, and share all else. So formulas are replayed once over
a matrix, with a row for each candidate, instead of once a candidate.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from service.core.draws.columns import DRAWS, Leaf, Sample, draws_of
from service.core.draws.looks import ENDS, rounded
from service.core.draws.memo import Memo
from service.core.draws.quantiles import Levels, quantiles
from service.core.draws.rows import CENTRE
from service.core.figures.arrays import Array
from service.core.figures.ledger import Application


def rows_of_leaves(leaves: Sequence[Leaf], memo: Memo) -> dict[str, Array]:
    """The row of each leaf: its draws, its centre, and its centre or own end for each end."""
    width = DRAWS + 1 + 2 * len(leaves)
    rows = np.repeat([[leaf.central] for leaf in leaves] or np.empty((0, 1)), width, axis=1)
    for place, leaf in enumerate(leaves):
        rows[place, :DRAWS] = draws_of(leaf, memo)
        rows[place, ENDS][2 * place : 2 * place + 2] = leaf.low, leaf.high
    return {leaf.name: row for leaf, row in zip(leaves, rows, strict=True)}


def needed(tape: Iterable[Application], names: Iterable[str]) -> list[Application]:
    """The applications of a tape that some entries follow from, in its order."""
    wanted, found = set(names), []
    for applied in reversed(list(tape)):
        if not wanted.isdisjoint(applied.parts.values()):
            wanted.update(applied.names.values())
            found.append(applied)
    return found[::-1]


def central(matrix: Array) -> Array:
    """The numbers with every figure at its centre.

    A matrix has shape `[candidates, 1025 + 2 figures]`, or is one row for all of them.
    """
    found: Array = matrix[..., CENTRE]
    return found


def drawn(matrix: Array) -> Array:
    """The joint draws."""
    found: Array = matrix[..., :DRAWS]
    return found


def quantiles_of(matrix: Array, sample: Sample, levels: Levels) -> Array:
    """The quantiles of each row, ascending, as a quote has them: shape `[candidates, levels]`."""
    rows = np.atleast_2d(matrix)
    if not rows[:, ENDS].size:
        return np.repeat(central(rows)[:, np.newaxis], levels.size, axis=1)
    return rounded(quantiles(list(rows[:, :DRAWS]), rows[:, ENDS], sample, levels))
