"""Drivers of a number: first-order shares of its variance, and interactions of figures."""

from typing import Final, NamedTuple

import numpy as np

from service.core.draws.columns import DRAWS, Sample
from service.core.draws.memo import Memo
from service.core.figures.arrays import Array
from service.core.figures.units import Z_90

MOST_REGRESSED: Final = 24
"""Most figures whose share follows from the draws. That of the others follows from the ends."""
LEAST_REGRESSED: Final = 3e-4
"""Figures below this share of the variance, judged by their ends, are not regressed."""
RIDGE: Final = 1e-9
FACTORIALS: Final[Array] = np.array([1.0, 2.0, 6.0]).reshape(3, 1, 1)


class Shares(NamedTuple):
    """First-order shares of variance `[numbers, figures]`, and the rest `[numbers]`."""

    first_order: Array
    interactions: Array


def variance_shares(
    values: Array, sample: Sample, ends: Array, *, regressed: Array | None = None
) -> Shares:
    """The share of each number's variance that each figure explains alone, and the rest.

        value = mean + sum over figures of (w1 He1(z) + w2 He2(z) + w3 He3(z)) + rest
        share = (w1^2 + 2 w2^2 + 6 w3^2) / (sum of these over all figures + variance of the rest)

    `values` has shape `[numbers, draws]`, over the columns of `sample`. `ends` has shape
    `[numbers, figures, 2]`: the number minus its central value, with one figure alone at an end of
    its 90% interval. The figures that matter, or those at the places `regressed`, are regressed
    together. The others are taken to be linear between their ends.

    Source: Sudret, "Global sensitivity analysis using polynomial chaos expansions" (2008).
    """
    alone = variance_by_ends(ends)
    regressed = those_that_matter(alone) if regressed is None else regressed
    basis, inverse = _basis_of(tuple(sample.figures[index] for index in regressed), sample.memo)
    centred = values - values.mean(axis=1, keepdims=True)
    draws = values.shape[1]
    projected = basis @ centred.T
    weights = inverse @ projected
    parts = (weights.reshape(3, len(regressed), len(values)) ** 2 * FACTORIALS).sum(axis=0).T
    # |centred - weights' basis|^2, from the equation that the weights solve, without the draws.
    left = (centred**2).sum(axis=1) - (weights * (projected + RIDGE * DRAWS * weights)).sum(axis=0)
    rest = np.maximum(left, 0.0) / (draws - len(basis) - 1)
    total = parts.sum(axis=1) + rest
    total = np.where(total > 0.0, total, 1.0)
    first_order = alone / total[:, None]
    first_order[:, regressed] = 0.0
    interactions = np.maximum(rest / total - first_order.sum(axis=1), 0.0)
    first_order[:, regressed] = parts / total[:, None]
    return Shares(first_order, interactions)


def variance_by_ends(ends: Array) -> Array:
    """The variance from a figure's two ends, by slope and curvature.

    ((high - low) / 2 / 1.645)^2 + ((high + low) / 2)^2 / 1.645^2
    """
    low, high = ends[..., 0], ends[..., 1]
    variance: Array = (low**2 + high**2) / 2.0 / Z_90**2
    return variance


def those_that_matter(alone: Array) -> Array:
    """Indices of the figures to regress: those largest for any of the numbers, in a fixed order."""
    whole = alone.sum(axis=1, keepdims=True)
    part = (alone / np.where(whole > 0.0, whole, 1.0)).max(axis=0)
    largest = np.argsort(-part, kind="stable")[:MOST_REGRESSED]
    chosen: Array = np.sort(largest[part[largest] > LEAST_REGRESSED])
    return chosen


def _basis_of(figures: tuple[str, ...], memo: Memo) -> tuple[Array, Array]:
    """He1, He2 and He3 of every score, shape `[3 figures, draws]`, and the inverse of their gram.

    It depends on the figures alone, which similar questions share.
    """
    kept: tuple[Array, Array] | None = memo.get("basis", figures)
    if kept is not None:
        return kept
    scores = Sample(figures, memo).scores(range(len(figures)))
    squares = scores**2
    basis = np.concatenate((scores, squares - 1.0, scores * (squares - 3.0)))
    gram = basis @ basis.T
    gram[np.diag_indices_from(gram)] += RIDGE * DRAWS
    made = (basis, np.asarray(np.linalg.inv(gram), dtype=np.float64))
    memo.put("basis", figures, made, size_bytes=sum(array.nbytes for array in made))
    return made
