"""`python -m lab runs calibrate`: what published runs took over their prediction.

The spread of whole runs, by what a request leaves open, is read off the residuals of the reference
runs (`lab.runs.spread`, `lab/data/run_spread.toml`).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from lab.files import ENGINE, MORE_RUNS, REFERENCE_RUNS, Texts
from lab.runs.spread import VAGUE, Z_P90, Residual, Spread, fit_spread, load_components
from service.core.catalog.catalog import Catalog
from service.scoring.runs.pretraining import STEP_ONLY, THROUGHPUT, TIMED
from service.scoring.runs.score import Compared, compare

FILE: Final = ENGINE / "run_errors.toml"
ERROR: Final = "engine.measured_over_predicted"
FIGURES: Final = {
    kind: f"{ERROR}.{kind}" for kind in ("chosen", "framework", "device", "reinforcement", "run")
}
"""The components that a quote may count, and their figures."""
TRAINING: Final = ("pretraining", "mid_training", "sft", "other")
REINFORCEMENT: Final = "reinforcement"
STEPS_ALONE: Final = (*STEP_ONLY, THROUGHPUT, TIMED)
BOUNDS: Final = ("access_window", "stated_upper_bound", "derived_n_x_wall_upper_bound")
"""Bases that say only what hours were not exceeded."""
VAGUE_GRADE: Final = "B"
SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
HEADER: Final = """\
# Log of disclosed over predicted device-hours of the reference runs of grade A and B, by what a
# request leaves open. `python -m lab runs calibrate` fits all kinds together and writes this file;
# lab/data/run_spread.toml says what each means and what was believed of it before. `rows` are the
# runs that leave it open. `vague` is the noise of papers of grade B, which no quote counts.
"""


def unbiased(catalog: Catalog) -> Catalog:
    """The catalog with every one of the figures at one and without a range."""
    assumptions = dict(catalog.assumptions)
    for name in FIGURES.values():
        assumptions[name] = msgspec.structs.replace(
            assumptions[name], _value=1.0, low=msgspec.UNSET, high=msgspec.UNSET
        )
    return msgspec.structs.replace(catalog, assumptions=assumptions)


def compared_unbiased(catalog: Catalog) -> tuple[Compared, ...]:
    """All reference runs as the engine alone predicts them: the catalog's, the laboratory's."""
    plain = unbiased(catalog)
    return (*compare(REFERENCE_RUNS, plain), *compare(MORE_RUNS, plain))


def is_vague(row: Compared) -> bool:
    """Whether the disclosed hours of a whole run hold the noise of a vague paper."""
    return row.grade == VAGUE_GRADE and row.basis not in STEPS_ALONE


def residuals(rows: Iterable[Compared]) -> tuple[Residual, ...]:
    """Residuals of training, tuning and reinforcement but for agents. Bounds are none."""
    return tuple(
        _residual(row)
        for row in rows
        if row.predicted is not None
        and (row.kind in TRAINING or REINFORCEMENT in row.predicted.errors)
        and row.basis not in BOUNDS
    )


def _residual(row: Compared) -> Residual:
    hours = row.predicted
    assert hours is not None
    # A step of reinforcement is in part one of training, whose error its own component holds.
    learns = REINFORCEMENT in hours.errors
    of_quote = frozenset({REINFORCEMENT}) if learns else hours.errors & FIGURES.keys()
    return Residual(
        developer=row.developer,
        log=-row.log_ratio,
        open=of_quote | frozenset({VAGUE} if is_vague(row) else ()),
        own=math.log(hours.p90 / hours.p10) / (2.0 * Z_P90),
    )


def made(catalog: Catalog) -> Texts:
    """The file of components as today's engine and runs make them."""
    return {FILE: calibrated(catalog)}


def calibrated(catalog: Catalog) -> str:
    """The file's text."""
    return text_of(fit_spread(residuals(compared_unbiased(catalog)), load_components()))


def text_of(found: Mapping[str, Spread]) -> str:
    """The components as rows of `run_errors.toml`."""
    text = HEADER
    for kind, spread in found.items():
        quantiles = ", ".join(f"{spread.quantile(share):.3f}" for share in SHARES)
        text += (
            f'\n[[error]]\nkind = "{kind}"\nrows = {spread.rows}\n'
            f"sigma = {spread.sd:.3f}\nquantiles = [{quantiles}]\n"
        )
    return text


def with_spread(catalog: Catalog, found: Mapping[str, Spread]) -> Catalog:
    """The catalog with other components behind the figures."""
    assumptions = dict(catalog.assumptions)
    for kind, name in FIGURES.items():
        low, _, middle, _, high = (math.exp(found[kind].quantile(share)) for share in SHARES)
        assumptions[name] = msgspec.structs.replace(
            assumptions[name], _value=middle, low=low, high=high
        )
    return msgspec.structs.replace(catalog, assumptions=assumptions)
