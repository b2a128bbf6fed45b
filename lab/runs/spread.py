"""By how much published runs exceed their prediction, as a sum of what a request leaves open.

Each component is log-normal, with a median and a spread, and a run has those components whose
question its request leaves open. All are fitted together, so that a few rows of a kind borrow from
all others. The noise of vague papers is one more component of the disclosed hours: it is fitted and
then left out of quotes.
"""

import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from scipy.optimize import minimize
from scipy.stats import norm, t

from lab.files import RUN_SPREAD
from service.core.figures.arrays import Array

VAGUE: Final = "vague"
DEGREES_OF_FREEDOM: Final = 5.0
"""Of the residuals: a few papers are far off, and must not widen what all others say."""
AT_P90: Final = float(norm.ppf(0.9) / t.ppf(0.9, DEGREES_OF_FREEDOM))
"""Makes 10% and 90% of Student's distribution those of a normal with the same deviation."""
Z_P90: Final = float(norm.ppf(0.9))
SLOPE: Final = 1e-3


class Component(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is believed of one component, and what is possible."""

    kind: str
    open: str
    middle: float
    middle_sd: float
    middle_range: tuple[float, float]
    sd: float
    sd_log_sd: float
    sd_range: tuple[float, float]
    why: str


class Residual(NamedTuple):
    """ln(disclosed / predicted) of a run, its components, and the spread of the rest of its quote.

    `own` is the deviation of the log of the predicted hours from all other figures.
    """

    developer: str
    log: float
    open: frozenset[str]
    own: float


class Spread(NamedTuple):
    """The fitted log of a component's median, the deviation of its log, and its rows.

    `sd` holds what is not known of the middle too.
    """

    middle: float
    sd: float
    rows: int

    def quantile(self, share: float) -> float:
        """The log below which so large a share lies."""
        return self.middle + self.sd * float(norm.ppf(share))


def load_components(path: Path = RUN_SPREAD) -> tuple[Component, ...]:
    """The components, in the order of the file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["component"]
    return tuple(msgspec.convert(entry, Component) for entry in entries)


def fit_spread(rows: Sequence[Residual], components: Sequence[Component]) -> dict[str, Spread]:
    """The most plausible components for these rows.

        minimise  -sum w ln t5(log - sum middle; sd)  + sum ((x - prior) / deviation)^2 / 2,
        sd^2 = sum sd_component^2 + (spread of the quote itself)^2,  w = n^-1/2 for n of a developer

    The n runs of a developer share its ways: they are not n witnesses, nor one.
    """
    data = _Data(rows, components)
    bounds = [
        bound
        for one in components
        for bound in (one.middle_range, (np.log(one.sd_range[0]), np.log(one.sd_range[1])))
    ]
    found = minimize(data.loss, data.prior, jac=data.slope, method="L-BFGS-B", bounds=bounds)
    assert found.success, found.message
    unsure = np.diag(np.linalg.inv(_curvature(data, found.x)))[0::2]
    return {
        one.kind: Spread(
            middle=float(middle),
            sd=float(np.hypot(np.exp(log_sd), np.sqrt(max(0.0, variance)))),
            rows=int(np.sum(data.open[:, place])),
        )
        for place, (one, middle, log_sd, variance) in enumerate(
            zip(components, found.x[0::2], found.x[1::2], unsure, strict=True)
        )
    }


class _Data:
    """The rows as arrays, and what a vector of middles and log deviations costs."""

    def __init__(self, rows: Sequence[Residual], components: Sequence[Component]) -> None:
        kinds = [one.kind for one in components]
        self.open = np.array([[kind in row.open for kind in kinds] for row in rows], dtype=float)
        self.logs = np.array([row.log for row in rows])
        self.own = np.array([row.own for row in rows])
        runs = Counter(row.developer for row in rows)
        self.weights = np.array([runs[row.developer] ** -0.5 for row in rows])
        self.prior = np.array([x for one in components for x in (one.middle, np.log(one.sd))])
        self.prior_sd = np.array([x for one in components for x in (one.middle_sd, one.sd_log_sd)])

    def loss(self, x: Array) -> float:
        """Minus the log of the posterior, without constants."""
        off, sd = self._scored(x)
        score = off / (sd * AT_P90)
        heavy = (DEGREES_OF_FREEDOM + 1.0) / 2.0 * np.log1p(score * score / DEGREES_OF_FREEDOM)
        believed = (x - self.prior) / self.prior_sd
        return float(np.sum(self.weights * (heavy + np.log(sd))) + believed @ believed / 2.0)

    def slope(self, x: Array) -> Array:
        """The derivatives of the loss."""
        off, sd = self._scored(x)
        score = off / (sd * AT_P90)
        pull = (DEGREES_OF_FREEDOM + 1.0) * score / (DEGREES_OF_FREEDOM + score * score)
        slope: Array = (x - self.prior) / self.prior_sd**2
        slope[0::2] -= (self.weights * pull / (sd * AT_P90)) @ self.open
        of_variance = self.weights * (1.0 - pull * score) / (sd * sd)
        slope[1::2] += (of_variance @ self.open) * np.exp(2.0 * x[1::2])
        return slope

    def _scored(self, x: Array) -> tuple[Array, Array]:
        """How far each row is off, and the deviation that it is expected to have."""
        off = self.logs - self.open @ x[0::2]
        return off, np.sqrt(self.open @ np.exp(2.0 * x[1::2]) + self.own * self.own)


def _curvature(data: _Data, at: Array) -> Array:
    """Second derivatives of the loss, by central differences of the first."""
    steps = np.eye(len(at)) * SLOPE
    found = np.array([data.slope(at + one) - data.slope(at - one) for one in steps])
    curvature: Array = (found + found.T) / (4.0 * SLOPE)
    return curvature
