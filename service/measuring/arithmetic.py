"""One time of many steps, and the time of a whole model from two depths of it."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct


class Unsteady(Exception):
    """More layers took no longer, so that nothing can be said of the others"""


class Times(Struct, frozen=True, kw_only=True):
    """Seconds of one step, from several: the middle one, and between which four in five lie."""

    median: float
    p10: float
    p90: float
    steps: int


class Depth(NamedTuple):
    """What was measured of a model with this many layers."""

    layers: float
    measured: float


def times_of(seconds: Sequence[float]) -> Times:
    """The median of steps and their spread. There is at least one."""
    low, high = np.quantile(np.array(seconds), (0.1, 0.9))
    return Times(
        median=statistics.median(seconds), p10=float(low), p90=float(high), steps=len(seconds)
    )


def extrapolated(shallow: Depth, deep: Depth, *, layers: float) -> float:
    """What a model of `layers` layers would show, if every further layer adds as much.

        deep + (deep - shallow) / (layers of deep - layers of shallow) * (layers - layers of deep)

    All layers are alike, and what is not a layer (embedding, head, loss) is in both. Raises
    `Unsteady` if the deeper one shows no more.
    """
    added = deep.measured - shallow.measured
    if added <= 0.0:
        raise Unsteady(
            f"{deep.layers:g} layers took {deep.measured:.4g} and {shallow.layers:g} took "
            f"{shallow.measured:.4g}: time more steps"
        )
    each = added / (deep.layers - shallow.layers)
    return deep.measured + each * (layers - deep.layers)
