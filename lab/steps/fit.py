"""The constants of the engine from measured steps: least squares in logs, robust, with priors.

Every constant is fitted as the log of its value and drawn to its prior by a residual of its own, as
are the effects of generations and devices to zero. So a constant that few rows know stays where it
was judged to be, and one that no row knows does not move.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from service.catalog_files.engine import ConstantRow, EffectRow
from service.core.figures.arrays import Array
from service.core.figures.constants import Constants
from service.core.training.steptime import Machine, effect_names
from service.scoring.steps.batch import ATTENTION, GEMM, Batch, predicted_s

# Log residuals are weighed by this spread: the noise of measurements from release to release.
NOISE_LOG = 0.07
# How far generations are believed to differ from their kind, and devices within a generation.
GENERATION_GEMM_SD = 0.15
DEVICE_GEMM_SD = 0.05
GENERATION_ATTENTION_SD = 0.12
FOLDS = 5
FOLD_SEED = 20261126
TOLERANCE = 1e-6
MAX_EVALUATIONS = 60

Mask = NDArray[np.bool_]


class Space(NamedTuple):
    """What is fitted, in the order of the vector of logs: constants, then effects."""

    names: tuple[str, ...]
    held: Mapping[str, float]  # constants that stay at their prior
    effects: tuple[str, ...]
    prior: Array
    prior_sd: Array
    low: Array
    high: Array

    def values(self, logs: Array) -> dict[str, float]:
        """All constants by name."""
        fitted = np.exp(logs[: len(self.names)])
        return {**self.held, **dict(zip(self.names, map(float, fitted), strict=True))}

    def constants(self, logs: Array) -> Constants:
        """The constants and effects that a vector stands for."""
        effects = map(float, logs[len(self.names) :])
        return Constants(self.values(logs), dict(zip(self.effects, effects, strict=True)))


class Fit(NamedTuple):
    """A fitted vector of logs and its covariance."""

    space: Space
    logs: Array
    covariance: Array

    @property
    def constants(self) -> Constants:
        """The fitted constants and effects."""
        return self.space.constants(self.logs)


def space_of(
    specs: Sequence[ConstantRow],
    beliefs: Sequence[EffectRow],
    machines: Sequence[Machine],
    *,
    without: Mapping[str, float] | None = None,
) -> Space:
    """What is fitted for these constants and devices; those in `without` are held there."""
    without = without or {}
    fitted = [spec for spec in specs if spec.prior_log_sd > 0 and spec.name not in without]
    held = {spec.name: spec.prior for spec in specs if spec.prior_log_sd == 0}
    spreads = {}
    for machine in machines:
        generation, device = effect_names(GEMM, machine)
        spreads[generation], spreads[device] = GENERATION_GEMM_SD, DEVICE_GEMM_SD
        spreads[effect_names(ATTENTION, machine)[0]] = GENERATION_ATTENTION_SD
    effects = tuple(sorted(spreads))
    believed = {row.name: row.prior for row in beliefs}
    wide = np.full(len(effects), 2.0)
    return Space(
        names=tuple(spec.name for spec in fitted),
        held={**held, **without},
        effects=effects,
        prior=np.array(
            [
                *(np.log(spec.prior) for spec in fitted),
                *(believed.get(name, 0.0) for name in effects),
            ]
        ),
        prior_sd=np.array(
            [*(spec.prior_log_sd for spec in fitted), *(spreads[name] for name in effects)]
        ),
        low=np.array([*(np.log(spec.low) for spec in fitted), *-wide]),
        high=np.array([*(np.log(spec.high) for spec in fitted), *wide]),
    )


def predict(batch: Batch, space: Space, logs: Array, places: "Places") -> Array:
    """Seconds of every row's step for a vector of logs."""
    padded = np.append(logs[len(space.names) :], 0.0)
    return predicted_s(
        batch,
        values=space.values(logs),
        gemm=padded[places.gemm].sum(axis=1),
        attention=padded[places.attention].sum(axis=1),
    )


class Places(NamedTuple):
    """Where the effects of each row stand in a space; beyond its end where it has none."""

    gemm: NDArray[np.int64]
    attention: NDArray[np.int64]


def places_of(batch: Batch, space: Space) -> Places:
    """Where the effects of a batch's rows stand in a space."""
    place = {name: index for index, name in enumerate(space.effects)}
    end = len(space.effects)

    def found(names: NDArray[np.object_]) -> NDArray[np.int64]:
        return np.array([[place.get(name, end) for name in row] for row in names], dtype=np.int64)

    return Places(found(batch.gemm_effects), found(batch.attention_effects))


def fit(batch: Batch, space: Space, *, start: Array | None = None) -> Fit:
    """The most plausible vector for these rows.

        minimise  sum 2 (sqrt(1 + r^2) - 1) + sum ((log - prior) / sd)^2,  r = log error / noise

    The loss of rows is soft: an outlier pulls like its distance, not like its square. Each row's
    part is multiplied by its weight.
    """
    places, measured = places_of(batch, space), np.log(batch.measured_s)
    pull = np.sqrt(batch.weights)

    def residuals(logs: Array) -> Array:
        error = (np.log(predict(batch, space, logs, places)) - measured) / NOISE_LOG
        soft = np.sign(error) * np.sqrt(2 * (np.sqrt(1 + error * error) - 1))
        return np.concatenate([pull * soft, (logs - space.prior) / space.prior_sd])

    solution = least_squares(
        residuals,
        np.clip(space.prior if start is None else start, space.low + 1e-9, space.high - 1e-9),
        bounds=(space.low, space.high),
        xtol=TOLERANCE,
        ftol=TOLERANCE,
        max_nfev=MAX_EVALUATIONS,
    )
    jacobian = np.asarray(solution.jac)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    return Fit(space, solution.x, covariance)


def folds_of(groups: Sequence[str], *, folds: int = FOLDS) -> NDArray[np.int64]:
    """A fold for every row, all rows of a group in one; groups are dealt out at random, once."""
    unique = np.unique(groups)
    dealt = np.random.default_rng(FOLD_SEED).permutation(len(unique)) % folds
    fold = dict(zip(unique, dealt, strict=True))
    return np.array([fold[group] for group in groups], dtype=np.int64)


def left_out(
    batch: Batch, labels: Sequence[object], space: Space, *, start: Array | None = None
) -> Array:
    """Seconds of every row's step, each predicted by a fit without the rows of its label."""
    predicted = np.zeros(len(batch.rows))
    for out, fitted in fits_without(batch, labels, space, start=start):
        seen = batch.at(out)
        predicted[out] = predict(seen, space, fitted.logs, places_of(seen, space))
    return predicted


def fits_without(
    batch: Batch, labels: Sequence[object], space: Space, *, start: Array | None = None
) -> Iterator[tuple[Mask, Fit]]:
    """For each label, its rows and the fit without them."""
    given = np.array(labels)
    for label in np.unique(given):
        out: Mask = given == label
        yield out, fit(batch.at(~out), space, start=start)
