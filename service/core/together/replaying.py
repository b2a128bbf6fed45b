"""The tape over draws that differ by lane: formulas applied again, and the draws of leaves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from service.core.draws.columns import Leaf, column_of, draws_of, values_at
from service.core.draws.looks import rounded
from service.core.draws.memo import Memo
from service.core.draws.quantiles import Levels
from service.core.figures.arrays import Array
from service.core.figures.lanes import Lanes, first_lanes
from service.core.figures.ledger import Application
from service.core.together.ledger import columns_of

RowsInLanes: TypeAlias = dict[str, Array]


def all_alike(leaves: Iterable[Leaf], tape: Iterable[Application]) -> bool:
    """Whether leaves, and formulas with all that they were applied to, differ in no lane."""
    terms = chain.from_iterable(
        (*applied.centrals.values(), *applied.fixed.values()) for applied in tape
    )
    return first_lanes(chain(chain.from_iterable(leaves), terms)) is None


def replayed_in_lanes(
    tape: Sequence[Application], rows: Mapping[str, Array], block: slice
) -> Iterator[tuple[str, Array]]:
    """What formulas answer to rows of some lanes, one after the other, in the order of the tape.

    What hangs on no row is left out, and so is what there is a row of. A row is dropped after the
    last formula that needs it, so that few are there at a time, and stay in the cache of a core.
    """
    left = dict(rows)
    last = {name: at for at, applied in enumerate(tape) for name in applied.names.values()}
    for at, (formula, names, centrals, fixed, parts) in enumerate(tape):
        drawn = {key: left[name] for key, name in names.items() if name in left}
        for name in names.values():
            if last[name] == at:
                left.pop(name, None)
        if not drawn or all(name in rows for name in parts.values()):
            continue
        terms = columns_of({**centrals, **drawn, **fixed}, block)
        answer = formula.function(**terms)
        del drawn, terms
        for part, name in parts.items():
            row = getattr(answer, part) if part else answer
            if isinstance(row, np.ndarray):
                if name in last:
                    left[name] = row
                yield name, row


def draws_in_lanes(leaf: Leaf, memo: Memo) -> Array:
    """The draws of a leaf, shape `[1024]`, or `[lanes, 1024]`."""
    lanes = first_lanes(leaf)
    if lanes is None:
        return draws_of(leaf, memo)
    column = column_of(leaf.name, memo)
    low, central, high = leaf.low, leaf.central, leaf.high
    return np.array(
        lanes.group.each(values_at, column, unit=leaf.unit, low=low, central=central, high=high)
    )


def quantiles_of_leaf(leaf: Leaf, levels: Levels) -> list[Any]:
    """The quantiles of a leaf: numbers, or those of each lane."""
    lanes = first_lanes(leaf)

    def found(low: float, central: float, high: float) -> list[float]:
        values = values_at(levels.normal, unit=leaf.unit, low=low, central=central, high=high)
        numbers: list[float] = rounded(values).tolist()
        return numbers

    if lanes is None:
        return list(found(leaf.low, leaf.central, leaf.high))
    columns = np.array(lanes.group.each(found, leaf.low, leaf.central, leaf.high)).T
    return [Lanes(lanes.group, column) for column in columns]
