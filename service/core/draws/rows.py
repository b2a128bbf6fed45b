"""Rows of draws for the entries of a ledger, and the quantiles that they have.

A row has 1,024 joint draws of a number, behind them the number with every figure at its centre, and
behind that the number with each uncertain figure alone at its low and at its high end: shape
`[1025 + 2 figures]`. The ends give slopes, and slopes correct the quantiles.

What hangs on the cluster, the accounting and the catalog alone is the same whatever is run on it,
so its rows are kept for the next quote.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import floor, log10
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from msgspec import UNSET, Struct

from service.core.draws.columns import DRAWS, draws_of, values_at
from service.core.draws.quantiles import NORMAL_QUANTILES, quantiles
from service.core.figures.arrays import Array, Real
from service.core.figures.ledger import Application, Entry, Ledger, replay
from service.core.figures.units import Unit

CENTRE: Final = DRAWS
ENDS: Final = slice(DRAWS + 1, None)
PROBED: Final = slice(0, 32)
"""Draws that tell whether two numbers are multiples of one another."""
STEPS: Final = 1e11
"""How finely, as parts of the largest of them."""
DIGITS: Final = 12
"""Digits of a quantile that are kept at least: the last that a float has differ by processor."""
EXPONENTS: Final = range(-1074, 1025)
"""Those that floats have in base two."""
DECIMALS: Final = [DIGITS - 1 - floor((exponent - 1) * log10(2.0)) for exponent in EXPONENTS]
"""Those that keep the first digits of a number with each of these exponents."""
RAISED: Final[Array] = np.array([float(f"1e{min(max(at, 0), 300)}") for at in DECIMALS])
"""Ten to the power of the decimals, as far as a float goes."""
LOWERED: Final[Array] = np.array([float(f"1e{min(max(at, 0), 300) - at}") for at in DECIMALS])
"""What is left: ten to the power of the digits before the point that are not kept."""


class Quantiles(Struct, frozen=True):
    """Three quantiles of the joint draws."""

    p10: float
    p50: float
    p90: float


class Leaf(NamedTuple):
    """An uncertain leaf of the ledger."""

    name: str
    unit: Unit
    low: float
    central: float
    high: float


Rows: TypeAlias = dict[str, Array]
Frozen: TypeAlias = tuple[Any, ...]
"""An application with tuples of items for its dictionaries, so that it can be looked up."""


class Seen(NamedTuple):
    """A row that was looked at: its size, which multiples of it are compared to, and quantiles."""

    size: float
    quantiles: list[float]


class Look(NamedTuple):
    """Intervals by name, and what was seen by shape."""

    intervals: dict[str, Quantiles]
    seen: dict[bytes, Seen]


class Standing(NamedTuple):
    """Rows that hang on nothing of the run, leaves first, and a look at those that are derived."""

    rows: Rows
    look: Look


class Replayed(NamedTuple):
    """All that varies with the leaves of a ledger, these included; intervals of the derived."""

    rows: Rows
    intervals: dict[str, Quantiles]


def leaf_of(entry: Entry) -> Leaf | None:
    """The entry as a leaf with a range of some width, if it is one."""
    low, high = entry.low, entry.high
    if low is UNSET or high is UNSET or low == high:
        return None
    return Leaf(entry.name, entry.unit, low, entry.central, high)


def uncertain_leaves(ledger: Ledger) -> tuple[Leaf, ...]:
    """The ledger's leaves that have a range of some width; those of the run come last."""
    leaves = [leaf for entry in ledger if (leaf := leaf_of(entry)) is not None]
    leaves.sort(key=lambda leaf: ledger.hangs_on_run(leaf.name))
    return tuple(leaves)


def interval_of_leaf(leaf: Leaf) -> Quantiles:
    """A leaf rises with its score, so its quantiles are its values at those of the score."""
    values = values_at(
        NORMAL_QUANTILES, unit=leaf.unit, low=leaf.low, central=leaf.central, high=leaf.high
    )
    return Quantiles(*rounded(values).tolist())


def replayed(ledger: Ledger, leaves: tuple[Leaf, ...]) -> Replayed:
    """The argument of a ledger over draws of its leaves, as `uncertain_leaves` lists them."""
    lasting = tuple(leaf for leaf in leaves if not ledger.hangs_on_run(leaf.name))
    passing = leaves[len(lasting) :]
    standing = standing_of(lasting, tuple(map(_frozen, ledger.tape.standing)))
    before = _widened(standing.rows, by=2 * len(passing)) | _rows_of_leaves(passing, of=leaves)
    rows = _varying(replay(ledger.tape.of_run, before))
    figures = tuple(leaf.name for leaf in leaves)
    look = look_at(
        {name: row for name, row in rows.items() if name not in before},
        figures,
        standing.look.seen,
    )
    return Replayed(rows, standing.look.intervals | look.intervals)


@lru_cache(maxsize=32)
def standing_of(leaves: tuple[Leaf, ...], tape: tuple[Frozen, ...]) -> Standing:
    """What varies with the leaves of a tape that hangs on nothing of the run."""
    before = _rows_of_leaves(leaves, of=leaves)
    rows = _varying(replay(map(_thawed, tape), before))
    for row in rows.values():
        row.setflags(write=False)
    figures = tuple(leaf.name for leaf in leaves)
    derived = {name: row for name, row in rows.items() if name not in before}
    return Standing(rows, look_at(derived, figures))


def _frozen(applied: Application) -> Frozen:
    return (
        applied.formula,
        tuple(applied.names.items()),
        tuple(applied.centrals.items()),
        tuple(applied.fixed.items()),
        tuple(applied.parts.items()),
    )


def _thawed(frozen: Frozen) -> Application:
    formula, *items = frozen
    return Application(formula, *map(dict, items))


def _rows_of_leaves(leaves: tuple[Leaf, ...], *, of: tuple[Leaf, ...]) -> Rows:
    """The rows of some leaves: each at its centre behind the draws, but for its own two ends."""
    rows = {}
    for leaf in leaves:
        row = np.full(DRAWS + 1 + 2 * len(of), leaf.central)
        row[:DRAWS] = draws_of(*leaf)
        own = DRAWS + 1 + 2 * of.index(leaf)
        row[own], row[own + 1] = leaf.low, leaf.high
        rows[leaf.name] = row
    return rows


def _widened(rows: Rows, *, by: int) -> Rows:
    """Rows with room for the ends of figures that they do not hang on: there at their centre."""
    if not (rows and by):
        return rows
    narrow = np.array(list(rows.values()))
    wide = np.concatenate((narrow, np.repeat(narrow[:, CENTRE : CENTRE + 1], by, axis=1)), axis=1)
    return dict(zip(rows, wide, strict=True))


def _varying(again: Mapping[str, Real]) -> Rows:
    return {name: row for name, row in again.items() if isinstance(row, np.ndarray)}


def look_at(
    rows: Rows, figures: tuple[str, ...], seen: Mapping[bytes, Seen] = MappingProxyType({})
) -> Look:
    """The intervals of several rows at once.

    Rows that are positive multiples of one another, judged by some draws, are one to look at:
    stages differ in hours and lines in rates, but few differ in shape.
    """
    if not rows:
        return Look({}, dict(seen))
    at = list(rows.values())
    probes = np.array([row[PROBED] for row in at])
    sizes = np.abs(probes).max(axis=1)
    sizes[sizes == 0.0] = 1.0
    shapes = np.rint(probes / sizes[:, None] * STEPS)
    width, packed = shapes.shape[1] * shapes.itemsize, shapes.tobytes()
    keys = [packed[start : start + width] for start in range(0, len(packed), width)]
    new: dict[bytes, int] = {}
    for index, key in enumerate(keys):
        if key not in seen:
            new.setdefault(key, index)
    after = dict(seen)
    if new:
        found = quantiles(
            [at[index][:DRAWS] for index in new.values()],
            np.array([at[index][ENDS] for index in new.values()]),
            figures,
        )
        after.update(
            (key, Seen(float(sizes[index]), row))
            for (key, index), row in zip(new.items(), found.tolist(), strict=True)
        )
    like = [after[key] for key in keys]
    factors = sizes / [one.size for one in like]
    scaled = rounded(np.array([one.quantiles for one in like]) * factors[:, None])
    return Look(
        {name: Quantiles(*row) for name, row in zip(rows, scaled.tolist(), strict=True)}, after
    )


def rounded(numbers: Array) -> Array:
    """Numbers to their first 12 digits, some to 13, as decimals are rounded.

    Logarithms and sums differ between processors in the last digit of a float, and the answer to
    the same question is to be the same on all of them.
    """
    exponents = np.frexp(numbers)[1] - EXPONENTS.start
    raised, lowered = RAISED[exponents], LOWERED[exponents]
    nearest: Array = np.rint(numbers * raised / lowered) / raised * lowered
    return nearest
