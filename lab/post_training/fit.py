"""Six constants of reinforcement, from published runs.

Robust least squares of ln(predicted / disclosed) over the runs of kind `rl`, each constant drawn to
what was believed of it before. Runs of one source share software, habits and a device, so that they
count for less than as many runs of different sources; what the fit is worth is told by runs of
sources that it has not seen.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import least_squares

from lab.files import LAB_DATA
from lab.post_training.rows import PriorRow, Row, log_ratios, range_of, with_constants
from service.catalog_files import DATA_DIRECTORY
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.core.figures.arrays import Array
from service.core.figures.sources import Judged
from service.scoring.runs.predict import Predicted, predicted_for

FITTED: Final = DATA_DIRECTORY / "assumptions" / "post_training_fitted.toml"
COVARIANCE: Final = LAB_DATA / "post_training_covariance.csv"
REPORT: Final = LAB_DATA / "post_training_report.md"
NOISE_LOG: Final = 0.4
"""A factor of one and a half: a row further off pulls like its distance, not like its square."""
SHARED_VARIANCE: Final = 0.5
"""Of the variance of a row's residual, what the rows of its source have in common."""
STEP: Final = 0.05
"""Of the derivatives, in logarithms: layouts jump, which a short step would take for a slope."""
TOLERANCE: Final = 1e-4
MAX_EVALUATIONS: Final = 25
DIGITS: Final = 3
HEADER: Final = """\
# Written by `python -m lab post-training fit` from the reinforcement runs of grade A and B.
# Priors and the width of the ranges: lab/data/post_training_priors.toml.
"""


class PostTrainingFit(NamedTuple):
    """Logarithms of the constants, their covariance, and what they leave of each row."""

    priors: tuple[PriorRow, ...]
    rows: tuple[Row, ...]
    logs: Array
    covariance: Array
    log_ratios: Array  # ln(predicted / disclosed), in the sample


class LeftOut(NamedTuple):
    """A run as quoted by a fit that has seen no run of its source."""

    predicted: Predicted
    log_ratio: float  # ln(predicted / disclosed)
    is_covered: bool  # whether p10 to p90 holds the disclosed hours


def weights_of(rows: Sequence[Row]) -> Array:
    """Weights of residuals: n rows of a source count as n / (1 + c (n - 1)) independent ones.

    Source: the design effect of clustered samples, Kish, Survey Sampling (1965).
    """
    counts = Counter(row.source for row in rows)
    return np.array([(1.0 + SHARED_VARIANCE * (counts[row.source] - 1.0)) ** -0.5 for row in rows])


def fit_post_training(
    rows: Sequence[Row],
    catalog: Catalog,
    priors: Sequence[PriorRow],
    *,
    start: Array | None = None,
) -> PostTrainingFit:
    """The most plausible vector for these rows.

    minimise  sum w^2 2 (sqrt(1 + r^2) - 1) + sum ((log - prior) / sd)^2,  r = log ratio / noise
    """
    middle = np.array([np.log(prior.prior) for prior in priors])
    spread = np.array([prior.log_sd for prior in priors])
    least = np.array([np.log(prior.least) for prior in priors])
    weights = weights_of(rows)

    def residuals(logs: Array) -> Array:
        error = log_ratios(rows, catalog, priors, logs) / NOISE_LOG
        soft = np.sign(error) * np.sqrt(2.0 * (np.sqrt(1.0 + error * error) - 1.0))
        return np.concatenate([weights * soft, (logs - middle) / spread])

    def slopes(logs: Array) -> Array:
        steps = np.eye(len(logs)) * STEP
        columns = [residuals(logs + step) - residuals(logs - step) for step in steps]
        return np.array(columns).T / (2.0 * STEP)

    solution = least_squares(
        residuals,
        np.maximum(middle if start is None else start, least + 1e-6),
        jac=slopes,
        bounds=(least, np.full(len(priors), np.inf)),
        xtol=TOLERANCE,
        ftol=TOLERANCE,
        max_nfev=MAX_EVALUATIONS,
    )
    jacobian = np.asarray(solution.jac)
    logs = np.asarray(solution.x)
    return PostTrainingFit(
        priors=tuple(priors),
        rows=tuple(rows),
        logs=logs,
        covariance=np.linalg.inv(jacobian.T @ jacobian),
        log_ratios=log_ratios(rows, catalog, priors, logs),
    )


def left_out(done: PostTrainingFit, catalog: Catalog) -> tuple[LeftOut, ...]:
    """Every row as quoted by a fit to the rows of all other sources."""
    found: dict[str, LeftOut] = {}
    memo = Memo()
    for source in sorted({row.source for row in done.rows}):
        seen = [row for row in done.rows if row.source != source]
        fitted = fit_post_training(seen, catalog, done.priors)
        unseen = with_constants(catalog, done.priors, fitted.logs)
        for row in done.rows:
            if row.source == source:
                found[row.id] = _left_out(row, unseen, memo)
    return tuple(found[row.id] for row in done.rows)


def _left_out(row: Row, catalog: Catalog, memo: Memo) -> LeftOut:
    quoted = predicted_for(row.request, catalog, memo)
    assert isinstance(quoted, Predicted)
    return LeftOut(
        predicted=quoted,
        log_ratio=float(np.log(quoted.central / row.disclosed)),
        is_covered=quoted.p10 <= row.disclosed <= quoted.p90,
    )


def table_of(done: PostTrainingFit, *, as_of: str) -> str:
    """The fitted constants as assumptions: the middle of the fit, as wide as runs differ."""
    text = HEADER
    sources = len({row.source for row in done.rows})
    for prior, log in zip(done.priors, done.logs, strict=True):
        low, value, high = range_of(prior, log)
        source = Judged(
            why=f"{prior.why}; fitted to {len(done.rows)} published runs of {sources} sources, "
            f"before which it was taken to be {prior.prior:g}",
            as_of=as_of,
            confidence="low",
        )
        text += (
            f'\n[[assumption]]\nname = "{prior.name}"\nunit = "{prior.unit}"\n'
            f"value = {_rounded(value)}\nlow = {_rounded(low)}\n"
            f"high = {_rounded(high)}\n"
            f'source = {{ kind = "judged", why = "{source.why}", as_of = "{source.as_of}", '
            f'confidence = "{source.confidence}" }}\n'
        )
    return text


def covariance_of(done: PostTrainingFit) -> str:
    """The covariance of the logs as CSV, names in the header and in the first column."""
    names = [prior.name for prior in done.priors]
    lines = [",".join(["name", *names])]
    for name, row in zip(names, done.covariance, strict=True):
        lines.append(",".join([name, *(f"{value:.3g}" for value in row)]))
    return "\n".join(lines) + "\n"


def left_out_table(done: PostTrainingFit, unseen: Sequence[LeftOut]) -> str:
    """Residuals in the sample and left out, and the device-hours quoted then, as CSV."""
    lines = ["id,source,in_sample,left_out,left_out_covered,central,p10,p90"]
    for row, log, out in zip(done.rows, done.log_ratios, unseen, strict=True):
        covered = "yes" if out.is_covered else "no"
        hours = (f"{getattr(out.predicted, name):.6g}" for name in ("central", "p10", "p90"))
        logs = f"{log:.3f},{out.log_ratio:.3f}"
        lines.append(f"{row.id},{row.source},{logs},{covered},{','.join(hours)}")
    return "\n".join(lines) + "\n"


def _rounded(value: float) -> str:
    return f"{value:.{DIGITS}g}"
