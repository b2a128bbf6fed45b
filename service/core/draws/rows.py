"""Rows of draws for the entries of a ledger.

A row has 1,024 joint draws of a number. After them comes the number with every figure at its
centre, and then the number with each uncertain figure alone at its low and at its high end: shape
`[1025 + 2 figures]`. Slopes follow from the ends, and correct the quantiles.

Rows that depend only on the cluster, the accounting and the catalog are the same for every run, so
they are kept for the next quote. All other rows are computed in blocks, and a row is dropped after
the last formula that needs it. All rows of 64 stages with owned clusters together take 370 MB.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice, pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET

from service.core.draws.columns import DRAWS, Leaf, Sample, draws_of, values_at
from service.core.draws.looks import ENDS, Looks, Quantiles, Rows, rounded
from service.core.draws.memo import Memo
from service.core.draws.quantiles import INTERVAL, WITH_OUTCOMES, Levels
from service.core.figures.arrays import Array
from service.core.figures.ledger import Application, Entry, Ledger, replay

CENTRE: Final = DRAWS
BLOCK_BYTES: Final = 4 * 2**20
"""Bytes of the rows that are computed together, and then looked at."""
LOOK_BYTES: Final = 1000
"""Bytes that a look takes for one row, in its two tables (measured: 640 and 330)."""


class Standing(NamedTuple):
    """Rows that do not depend on the run, and a look at those that are derived."""

    rows: Rows
    looks: Looks


NOTHING: Final = Standing({}, Looks())


class Replayed(NamedTuple):
    """The rows to keep, with their quantiles at all levels, and the intervals of all that vary."""

    rows: Rows
    intervals: dict[str, Quantiles]
    with_outcomes: dict[str, list[float]]


def leaf_of(entry: Entry) -> Leaf | None:
    """The entry as an uncertain leaf. None if it is derived or has no range."""
    low, high = entry.low, entry.high
    if low is UNSET or high is UNSET or low == high:
        return None
    return Leaf(entry.name, entry.unit, low, entry.central, high)


def uncertain_leaves(ledger: Ledger, *, beyond: Ledger | None = None) -> tuple[Leaf, ...]:
    """The uncertain leaves of the ledger. Those of the run come last.

    If the ledger grew out of another, only those `beyond` the other can be asked for.
    """
    entries = islice(ledger, 0 if beyond is None else len(beyond), None)
    leaves = [leaf for entry in entries if (leaf := leaf_of(entry)) is not None]
    leaves.sort(key=lambda leaf: ledger.hangs_on_run(leaf.name))
    return tuple(leaves)


def interval_of_leaf(leaf: Leaf) -> Quantiles:
    """The quantiles of a leaf. It rises with its score, so they are its values at the score's."""
    return Quantiles(*_quantiles_of_leaf(leaf, INTERVAL))


def _quantiles_of_leaf(leaf: Leaf, levels: Levels) -> list[float]:
    values = values_at(
        levels.normal, unit=leaf.unit, low=leaf.low, central=leaf.central, high=leaf.high
    )
    quantiles: list[float] = rounded(values).tolist()
    return quantiles


def replayed(
    ledger: Ledger, leaves: tuple[Leaf, ...], memo: Memo, *, keep: Collection[str] = ()
) -> Replayed:
    """The argument of a ledger over draws of its leaves, in the order of `uncertain_leaves`.

    It returns only the rows to `keep` that vary, with their quantiles at all levels.
    """
    lasting = tuple(leaf for leaf in leaves if not ledger.hangs_on_run(leaf.name))
    standing, of_run = ledger.tape
    rows_that_stand = len(lasting) + sum(len(applied.parts) for applied in standing)
    if rows_that_stand * row_bytes(lasting) < memo.largest_bytes:
        before = standing_of(lasting, standing, memo)
        rows, looks = _Replay(leaves, memo, before, outcomes=keep).after(of_run, keep=keep)
    else:
        replay_of_all = _Replay(leaves, memo, outcomes=keep)
        rows, looks = replay_of_all.after([*standing, *of_run], keep=keep)
    return Replayed(rows, looks.intervals, looks.with_outcomes)


def row_bytes(leaves: Sequence[Leaf]) -> int:
    """Bytes of a row over this many leaves."""
    return (DRAWS + 1 + 2 * len(leaves)) * np.dtype(np.float64).itemsize


def standing_of(leaves: tuple[Leaf, ...], tape: list[Application], memo: Memo) -> Standing:
    """Rows that vary with the leaves of a tape that does not depend on the run."""
    key = blake2b(msgspec.msgpack.encode((leaves, tape), enc_hook=lambda formula: formula.name))
    kept: Standing | None = memo.get("standing", key.digest())
    if kept is not None:
        return kept
    derived = [name for applied in tape for name in applied.parts.values()]
    keep = [*(leaf.name for leaf in leaves), *derived]
    made = _Replay(leaves, memo).after(tape, keep=keep)
    for row in made.rows.values():
        row.setflags(write=False)
    size_bytes = sum(row.nbytes + LOOK_BYTES for row in made.rows.values())
    memo.put("standing", key.digest(), made, size_bytes=size_bytes)
    return made


def _ends_of_blocks(tape: Sequence[Application], *, most_rows: int) -> Iterator[int]:
    """Where to cut a tape so that each block derives at most this many rows, if possible."""
    derived = 0
    for at, applied in enumerate(tape):
        derived += len(applied.parts)
        if derived > most_rows and at:
            yield at
            derived = len(applied.parts)
    yield len(tape)


class _Replay:
    """The rows that are needed at one place of a tape, and looks at those that were passed.

    The rows of `outcomes` are looked at with all levels.
    """

    def __init__(
        self,
        leaves: tuple[Leaf, ...],
        memo: Memo,
        before: Standing = NOTHING,
        *,
        outcomes: Collection[str] = (),
    ) -> None:
        self._leaves = leaves
        self._outcomes = frozenset(outcomes)
        self._places = {leaf.name: place for place, leaf in enumerate(leaves)}
        self._sample = Sample(tuple(self._places), memo)
        self._before = before.rows
        self._looks = before.looks.copy()
        self._rows: Rows = {}

    def after(self, tape: Sequence[Application], *, keep: Collection[str]) -> Standing:
        """The rows to keep, and looks at all derived rows."""
        most_rows = BLOCK_BYTES // row_bytes(self._leaves)
        if len(self._leaves) + sum(len(applied.parts) for applied in tape) <= most_rows:
            self._bring((*self._before, *self._places))
            self._apply(tape)
        else:
            self._apply_in_blocks(tape, most_rows=most_rows, keep=keep)
        self._bring(keep)
        kept = {name: self._rows[name] for name in keep if name in self._rows}
        self._look_at_outcomes_left(kept)
        return Standing(kept, self._looks)

    def _look_at_outcomes_left(self, rows: Rows) -> None:
        """Find all quantiles of rows that this replay did not derive: leaves, and earlier ones."""
        seen = self._looks.with_outcomes
        left = [name for name in rows if name in self._outcomes and name not in seen]
        for name in left:
            if name in self._places:
                seen[name] = _quantiles_of_leaf(self._leaves[self._places[name]], WITH_OUTCOMES)
        earlier = {name: rows[name] for name in left if name not in self._places}
        self._looks.add_with_outcomes(earlier, self._sample)

    def _apply_in_blocks(
        self, tape: Sequence[Application], *, most_rows: int, keep: Collection[str]
    ) -> None:
        """Apply block by block. After each, drop the rows that nothing later needs, but `keep`."""
        last = {name: at for at, applied in enumerate(tape) for name in applied.names.values()}
        last.update(dict.fromkeys(keep, len(tape)))
        for start, end in pairwise((0, *_ends_of_blocks(tape, most_rows=most_rows))):
            block = tape[start:end]
            self._bring(name for applied in block for name in applied.names.values())
            self._apply(block)
            rows = self._rows.items()
            self._rows = {name: row for name, row in rows if last.get(name, -1) >= end}

    def _apply(self, tape: Sequence[Application]) -> None:
        """Add the rows that some formulas derive, and look at them."""
        derived = {
            name: row
            for name, row in replay(tape, self._rows).items()
            if name not in self._rows and isinstance(row, np.ndarray)
        }
        with_outcomes = {name: row for name, row in derived.items() if name in self._outcomes}
        others = {name: row for name, row in derived.items() if name not in with_outcomes}
        self._looks.add_with_outcomes(with_outcomes, self._sample)
        self._looks.add(others, self._sample)
        self._rows |= derived

    def _bring(self, names: Iterable[str]) -> None:
        """Add the rows of these names that are leaves, or were derived before."""
        new = dict.fromkeys(name for name in names if name not in self._rows)
        before = {name: self._before[name] for name in new if name in self._before}
        self._rows |= self._widened(before)
        for name in new.keys() & self._places.keys() - before.keys():
            self._rows[name] = self._row_of_leaf(self._places[name])

    def _row_of_leaf(self, place: int) -> Array:
        """The row of a leaf. After the draws it is at its centre, except at its own two ends."""
        leaf = self._leaves[place]
        row = np.full(DRAWS + 1 + 2 * len(self._leaves), leaf.central)
        row[:DRAWS] = draws_of(leaf, self._sample.memo)
        row[ENDS][2 * place : 2 * place + 2] = leaf.low, leaf.high
        return row

    def _widened(self, rows: Rows) -> Rows:
        """Rows with added ends of figures that they do not depend on: their centre."""
        width = DRAWS + 1 + 2 * len(self._leaves)
        by = width - len(next(iter(rows.values()))) if rows else 0
        if not by:
            return rows
        narrow = np.array(list(rows.values()))
        ends = np.repeat(narrow[:, CENTRE : CENTRE + 1], by, axis=1)
        return dict(zip(rows, np.concatenate((narrow, ends), axis=1), strict=True))
