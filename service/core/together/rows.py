"""Rows of draws that differ by lane, and quantiles of them.

All is found as `draws.rows` finds it for one quote, in the same order: rows of one shape are looked
at once, and in each lane it is the same row of them. So the quantiles are the same to the last bit.

What every row needs is found for all lanes at once: a few draws, by which its shape is known, its
centre, and its ends. All draws of a row are found only if somebody asks for its quantiles, for a
few lanes at a time, so that they stay in the cache of a core.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.core.draws.columns import DRAWS, Leaf, Sample
from service.core.draws.looks import PLACES_OF_INTERVAL, PROBED, STEPS, Quantiles, rounded
from service.core.draws.memo import Memo
from service.core.draws.quantiles import (
    INTERVAL,
    WITH_OUTCOMES,
    Levels,
    OneOrder,
    Ordered,
    corrected,
    interpolated,
    joined,
)
from service.core.draws.rows import BLOCK_BYTES, Standing, row_bytes, standing_of
from service.core.draws.vectors import needed
from service.core.figures.arrays import FEW, Array
from service.core.figures.lanes import Group, Inexpressible, Lanes
from service.core.figures.ledger import Application, Ledger
from service.core.together.ledger import columns_of
from service.core.together.replaying import (
    RowsInLanes,
    all_alike,
    draws_in_lanes,
    quantiles_of_leaf,
    replayed_in_lanes,
)

SAMPLED: Final = FEW + 8
"""Draws of each row that are found at once: more than are taken for points, see `figures.arrays`,
and among them those by which shapes are told apart."""
CENTRE_COLUMN: Final = SAMPLED
END_COLUMNS: Final = slice(SAMPLED + 1, None)
LANES_AT_ONCE: Final = 32
"""Lanes whose draws are found together: 256 KiB for each row."""
LEAST_SIZE: Final = 1e-150
"""Rows below this size are not scaled, as in `Shapes`."""
FIRST_ROOM: Final = 64
"""Shapes that there is room for at first."""
MULTIPLIERS: Final[NDArray[np.uint64]] = np.arange(
    1, 2 * (PROBED.stop - PROBED.start), 2, dtype=np.uint64
) * np.uint64(0x9E3779B97F4A7C15)
"""By which the draws of a shape are told apart in its code: odd, so that no bit is lost."""
HALF: Final = np.uint64(32)


class ShapeInLanes:
    """A row that stands for all rows of its shape, and its quantiles once they are found."""

    def __init__(self, name: str, sizes: Array, levels: Levels, *, figures: int) -> None:
        self.name = name
        self.sizes = sizes
        self.levels = levels
        self.figures = figures
        """How many figures the quantiles are corrected for."""
        self.quantiles: Array | None = None
        """Shape `[lanes, levels]`, before they are rounded."""


class QuantilesInLanes:
    """The quantiles of a row: those of its shape, scaled, when they are needed."""

    def __init__(
        self, shape: ShapeInLanes, factors: Array, find: Callable[[ShapeInLanes], Array]
    ) -> None:
        self.shape = shape
        self._factors = factors
        self._find = find
        self._found: Array | None = None

    def column(self, place: int) -> Array:
        """A quantile in each lane."""
        if self._found is None:
            found = self.shape.quantiles
            found = self._find(self.shape) if found is None else found
            self._found = rounded(found * self._factors[:, None])
        return self._found[:, place]


class ShapesInLanes:
    """The shapes of rows, in the order in which they were found."""

    def __init__(self, group: Group, levels: Levels) -> None:
        self._group = group
        self.levels = levels
        self._shapes: list[ShapeInLanes] = []
        self._codes = np.empty((FIRST_ROOM, group.size), dtype=np.uint64)

    def take(self, before: Standing) -> None:
        """Add rows of all lanes that were looked at before."""
        for key, one in before.looks.shapes.seen.items():
            shape = ShapeInLanes("", np.array([one.size]), self.levels, figures=0)
            shape.quantiles = np.array([one.quantiles])
            self._add(shape, _codes_of(np.frombuffer(key)))

    def of(self, name: str, row: Array, *, figures: int) -> tuple[ShapeInLanes, Array]:
        """The shape of a row, and by how much the row is larger, in each lane."""
        probes = np.atleast_2d(row)[:, PROBED]
        sizes = np.abs(probes).max(axis=1)
        sizes[sizes < LEAST_SIZE] = 1.0
        steps = np.rint(probes / sizes[:, None] * STEPS)
        codes = _codes_of(steps)
        like = self._like(codes)
        if like is None:
            like = ShapeInLanes(name, sizes, self.levels, figures=figures)
            self._add(like, codes)
        return like, np.broadcast_to(sizes / like.sizes, (self._group.size,))

    def _like(self, codes: NDArray[np.uint64]) -> ShapeInLanes | None:
        """The first row of the same shape. Lanes in which it is another one are left."""
        count = len(self._shapes)
        equal = self._codes[:count] == codes
        if not equal.any():
            return None
        places = np.where(equal.any(axis=0), equal.argmax(axis=0), count)
        place = int(places[self._group.agree_on(places)])
        return self._shapes[place] if place < count else None

    def _add(self, shape: ShapeInLanes, codes: NDArray[np.uint64]) -> None:
        count = len(self._shapes)
        if count == len(self._codes):
            self._codes = np.concatenate((self._codes, np.empty_like(self._codes)))
        self._codes[count] = codes
        self._shapes.append(shape)


class LooksInLanes:
    """The quantiles of rows by name. Rows do not keep them, since they find their values in rows.

    So all is freed with the last of its values, and no collector of cycles has to find it.
    """

    def __init__(self) -> None:
        self.intervals: dict[str, Quantiles] = {}
        self.with_outcomes: dict[str, list[Any]] = {}
        self.shapes: dict[str, ShapeInLanes] = {}


class LaneRows:
    """The rows of some quotes that are argued together, and looks at all that are derived."""

    def __init__(
        self,
        ledger: Ledger,
        leaves: tuple[Leaf, ...],
        group: Group,
        memo: Memo,
        *,
        totals: Collection[str],
        outcomes: Collection[str],
        looks: LooksInLanes,
    ) -> None:
        self._totals = frozenset(totals)
        self._kept: dict[str, list[Array]] = {}
        self._ledger = ledger
        self._group = group
        self._memo = memo
        self._leaves = leaves
        self._tape = (*ledger.tape.standing, *ledger.tape.of_run)
        self._sample = Sample(tuple(leaf.name for leaf in leaves), memo)
        self._shapes = ShapesInLanes(group, INTERVAL)
        self._shapes_with_outcomes = ShapesInLanes(group, WITH_OUTCOMES)
        self._asked: dict[int, ShapeInLanes] = {}
        self._draws: RowsInLanes = {}
        self.rows: RowsInLanes = {}
        """Some draws of each row, its centre and its ends."""
        self._replay(ledger, frozenset(outcomes), looks)

    def ask(self, shape: ShapeInLanes) -> None:
        """The quantiles of a shape will be needed. They are found together with others."""
        if shape.quantiles is None:
            self._asked[id(shape)] = shape

    def draws(self, names: Iterable[str]) -> Iterator[tuple[str, Array]]:
        """All draws of some entries, for a few lanes at a time: shape `[lanes, 1024]` each."""
        wanted = frozenset(names)
        for block, size, rows in self._replayed(wanted):
            for name, row in self._or_central(rows, wanted, block):
                yield name, np.broadcast_to(row, (size, DRAWS))

    def _replayed(
        self, names: Collection[str]
    ) -> Iterator[tuple[slice, int, Iterator[tuple[str, Array]]]]:
        """All rows that some entries follow from, and theirs, for a few lanes at a time.

        Rows that are the same in all lanes have shape `[1024]`.
        """
        steps = needed(self._tape, names)
        begin = {name for step in steps for name in step.names.values()}.union(names)
        known = {name: self._draws[name] for name in begin if name in self._draws}
        for start in range(0, self._group.size, LANES_AT_ONCE):
            block = slice(start, start + LANES_AT_ONCE)
            rows = {name: row[block] if row.ndim == 2 else row for name, row in known.items()}
            size = len(range(*block.indices(self._group.size)))
            yield block, size, chain(rows.items(), replayed_in_lanes(steps, rows, block))

    def _or_central(
        self, rows: Iterable[tuple[str, Array]], names: AbstractSet[str], block: slice
    ) -> Iterator[tuple[str, Array]]:
        """The rows of some entries, or else their numbers where nothing uncertain enters."""
        left = set(names)
        for name, row in rows:
            if name in left:
                left.remove(name)
                yield name, row
        certain = {name: self._ledger.entry(name).central for name in left}
        yield from columns_of(certain, block).items()

    def draws_of_all(self, names: Sequence[str]) -> Iterator[Array]:
        """All draws of some totals, for a few lanes at a time: shape `[entries, lanes, 1024]`."""
        left = [name for name in names if name not in self._kept]
        for name, row in self.draws(left) if left else ():
            self._kept.setdefault(name, []).append(row)
        yield from map(np.array, zip(*(self._kept[name] for name in names), strict=True))

    def intervals_if(
        self, supposed: Sequence[tuple[Collection[str], AbstractSet[str]]]
    ) -> list[dict[str, Quantiles]]:
        """p10, p50, p90 of entries if some figures are known, for each pair of these.

        A pair has the entries, and all that hangs on what is known. What does not hang on it is
        found once for all of them.
        """
        plans, shared = [], set[str]()
        for names, moved in supposed:
            every = needed(self._tape, names)
            steps = [one for one in every if not moved.isdisjoint(one.parts.values())]
            plans.append((frozenset(names), moved, steps))
            inputs = {name for one in steps for name in one.names.values()}.union(names)
            shared |= inputs.difference(moved)
        found: list[dict[str, list[Array]]] = [
            {name: [] for name in names} for names, _ in supposed
        ]
        orders = [{name: OneOrder() for name in names} for names, _ in supposed]
        for block, size, rows in self._replayed(shared):
            begin = {name: row for name, row in rows if name in shared}
            for (names, moved, steps), order, pieces in zip(plans, orders, found, strict=True):
                kept = {name: row for name, row in begin.items() if name not in moved}
                again = chain(kept.items(), replayed_in_lanes(steps, kept, block))
                for name, row in self._or_central(again, names, block):
                    drawn, _ = order[name].sorted(np.broadcast_to(row, (size, DRAWS)))
                    pieces[name].append(rounded(interpolated(drawn)))
        return [
            {name: Quantiles(*self._lanes(np.concatenate(pieces))) for name, pieces in one.items()}
            for one in found
        ]

    def _lanes(self, found: Array) -> list[Any]:
        return [Lanes(self._group, column) for column in found.T]

    def _replay(self, ledger: Ledger, outcomes: frozenset[str], looks: LooksInLanes) -> None:
        """The argument over draws of its leaves, in the order of `draws.rows`."""
        leaves = self._leaves
        lasting = tuple(leaf for leaf in leaves if not ledger.hangs_on_run(leaf.name))
        self._check_size()
        for place, leaf in enumerate(leaves):
            self._draws[leaf.name] = draws_in_lanes(leaf, self._memo)
            self.rows[leaf.name] = self._row_of(leaf, place)
        standing, of_run = ledger.tape
        if all_alike(lasting, standing):
            before = standing_of(lasting, standing, self._memo)
            self._take(before, len(lasting))
            looks.intervals |= before.looks.intervals
        else:
            self._apply(standing, len(lasting), frozenset(), looks)
        self._apply(of_run, len(leaves), outcomes, looks)
        self._look_at_outcomes_left(outcomes, looks)

    def _check_size(self) -> None:
        """One quote of this size is computed at once, and not block by block."""
        rows = len(self._leaves) + sum(len(applied.parts) for applied in self._tape)
        bytes_of_all = rows * row_bytes(self._leaves)
        if bytes_of_all > BLOCK_BYTES or bytes_of_all >= self._memo.largest_bytes:
            raise Inexpressible("too many rows")

    def _take(self, before: Standing, figures: int) -> None:
        """Begin with rows that are the same in all lanes, and kept from quote to quote."""
        more = 2 * (len(self._leaves) - figures)
        for name, row in before.rows.items():
            if name not in self.rows:
                self._draws[name] = row[:DRAWS]
                parts = (row[:SAMPLED], row[DRAWS:], np.full(more, row[DRAWS]))
                self.rows[name] = np.concatenate(parts)
        self._shapes.take(before)

    def _apply(
        self,
        tape: Sequence[Application],
        figures: int,
        outcomes: frozenset[str],
        looks: LooksInLanes,
    ) -> None:
        for name, row in replayed_in_lanes(tape, dict(self.rows), slice(None)):
            self._look_at(name, row, figures, looks, with_outcomes=name in outcomes)
            self.rows[name] = row

    def _look_at(
        self, name: str, row: Array, figures: int, looks: LooksInLanes, *, with_outcomes: bool
    ) -> None:
        shapes = self._shapes_with_outcomes if with_outcomes else self._shapes
        shape, factors = shapes.of(name, row, figures=figures)
        looks.shapes[name] = shape
        looked = QuantilesInLanes(shape, factors, self._found)
        found: list[Any] = [
            Lanes(self._group, lambda place=place: looked.column(place))  # type: ignore[misc]
            for place in range(shapes.levels.size)
        ]
        if with_outcomes:
            self.ask(shape)
            looks.with_outcomes[name] = found
            found = [found[place] for place in PLACES_OF_INTERVAL]
        looks.intervals[name] = Quantiles(*found)

    def _look_at_outcomes_left(self, outcomes: frozenset[str], looks: LooksInLanes) -> None:
        """All quantiles of leaves, and of rows that were looked at before the run's."""
        for leaf in self._leaves:
            if leaf.name in outcomes:
                looks.with_outcomes[leaf.name] = quantiles_of_leaf(leaf, WITH_OUTCOMES)
        for name in outcomes & self.rows.keys() - looks.with_outcomes.keys():
            figures = len(self._leaves)
            self._look_at(name, self.rows[name], figures, looks, with_outcomes=True)

    def _found(self, shape: ShapeInLanes) -> Array:
        """The quantiles of a shape, found together with all that were asked for."""
        shapes = [*({**self._asked, id(shape): shape}).values()]
        self._asked = {}
        seen: dict[int, list[Ordered]] = {id(one): [] for one in shapes}
        orders = {one.name: OneOrder() for one in shapes}
        kept = self._totals & orders.keys() - self._kept.keys()
        for name, row in self.draws(orders):
            for one in shapes:
                if one.name == name:
                    seen[id(one)].append(orders[name].statistics(row, one.levels))
            if name in kept:
                self._kept.setdefault(name, []).append(row)
        for alike in _by_kind(shapes):
            ends = np.concatenate([self._ends(one) for one in alike])
            ordered = joined(chain.from_iterable(seen[id(one)] for one in alike))
            found = corrected(ordered, ends, self._sample, alike[0].levels)
            for one, piece in zip(alike, np.split(found, len(alike)), strict=True):
                one.quantiles = piece
        assert shape.quantiles is not None
        return shape.quantiles

    def _ends(self, shape: ShapeInLanes) -> Array:
        ends = np.atleast_2d(self.rows[shape.name])[:, END_COLUMNS][:, : 2 * shape.figures]
        return np.broadcast_to(ends, (self._group.size, ends.shape[1]))

    def _row_of(self, leaf: Leaf, place: int) -> Array:
        """Some draws of a leaf, and its centre, except at its own two ends."""
        draws = self._draws[leaf.name]
        row = np.empty((*draws.shape[:-1], SAMPLED + 1 + 2 * len(self._leaves)))
        row[..., :SAMPLED] = draws[..., :SAMPLED]
        row[..., CENTRE_COLUMN:] = _column(leaf.central)
        at = CENTRE_COLUMN + 1 + 2 * place
        row[..., at : at + 1] = _column(leaf.low)
        row[..., at + 1 : at + 2] = _column(leaf.high)
        return row


def _codes_of(steps: Array) -> NDArray[np.uint64]:
    """A number for each shape, another one for another shape. All bits enter all others."""
    mixed = steps.view(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> HALF)) * MULTIPLIERS
    codes: NDArray[np.uint64] = (mixed ^ (mixed >> HALF)).sum(axis=-1)
    return codes


def _by_kind(shapes: Iterable[ShapeInLanes]) -> list[list[ShapeInLanes]]:
    """Shapes whose quantiles are found alike."""
    found: dict[tuple[str, int], list[ShapeInLanes]] = {}
    for one in shapes:
        found.setdefault((one.levels.name, one.figures), []).append(one)
    return list(found.values())


def _column(value: Any) -> Any:
    return value.numbers()[:, np.newaxis] if isinstance(value, Lanes) else value
