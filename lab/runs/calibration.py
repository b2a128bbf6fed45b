"""`python -m lab runs calibrate`: what published runs took over their prediction.

Two distributions are read off the residuals of the reference runs. `chosen`: steps and benchmarks,
whose hours hold nothing but steps, with a layout that the service chose. `run`: whole runs, over
what `chosen` and the known losses lead to expect.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from lab.files import ENGINE, REFERENCE_RUNS, Texts
from service.core.catalog.catalog import Catalog
from service.core.figures.arrays import Array
from service.scoring.runs.pretraining import STEP_ONLY, THROUGHPUT, TIMED
from service.scoring.runs.score import Compared, compare

FILE: Final = ENGINE / "run_errors.toml"
CHOSEN: Final = "engine.measured_over_predicted.chosen"
RUN: Final = "engine.measured_over_predicted.run"
FIGURES: Final = {"chosen": CHOSEN, "run": RUN}
TRAINING: Final = ("pretraining", "mid_training", "sft", "other")
STEPS_ALONE: Final = (*STEP_ONLY, THROUGHPUT, TIMED)
BOUNDS: Final = ("access_window", "stated_upper_bound", "derived_n_x_wall_upper_bound")
"""Bases that say only what hours were not exceeded."""
TAIL: Final = 1.6448536 / 1.2815516
"""From the distance of the 10% quantile to that of the 5%, of a normal."""
HEADER: Final = """\
# Log of disclosed over predicted device-hours of the reference runs of grade A and B.
# `python -m lab runs calibrate` writes this file. The 5% and 95% quantiles are carried on from
# those of 10% and 90%, because the tails are few rows. The n runs of a developer weigh sqrt(n):
# then p10-p90 hold as many runs of developers that the figures do not know as they say.
"""


def unbiased(catalog: Catalog) -> Catalog:
    """The catalog with both figures at one and without a range."""
    assumptions = dict(catalog.assumptions)
    datum = assumptions[CHOSEN]
    assumptions.pop(RUN, None)
    assumptions[CHOSEN] = msgspec.structs.replace(
        datum, _value=1.0, low=msgspec.UNSET, high=msgspec.UNSET
    )
    return msgspec.structs.replace(catalog, assumptions=assumptions)


class Residuals(NamedTuple):
    """ln(disclosed / predicted) of runs, and what each of them weighs."""

    logs: Array
    weights: Array

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Where so much of the weight lies below, between the middles of the rows."""
        order = np.argsort(self.logs)
        weights = self.weights[order]
        below = (np.cumsum(weights) - weights / 2.0) / np.sum(weights)
        found: list[float] = np.interp(shares, below, self.logs[order]).tolist()
        return found

    def spread(self) -> tuple[float, ...]:
        """5%, 25%, 50%, 75% and 95%, the outer two carried on from 10% and 90%."""
        p10, p25, p50, p75, p90 = self.quantiles((0.1, 0.25, 0.5, 0.75, 0.9))
        return (p50 - TAIL * (p50 - p10), p25, p50, p75, p50 + TAIL * (p90 - p50))


def residuals(rows: Sequence[Compared]) -> dict[str, Residuals]:
    """Of steps alone, and of whole runs over the middle of those; a kind without rows is left out.

    The n runs of a developer share its ways: they are not n witnesses, nor one. Together they weigh
    sqrt(n).
    """
    scored = [row for row in rows if row.predicted is not None and row.kind in TRAINING]
    chosen = [row for row in scored if row.basis in STEPS_ALONE]
    whole = [row for row in scored if row.basis not in STEPS_ALONE and row.basis not in BOUNDS]
    found = {}
    middle = 0.0
    if chosen:
        found["chosen"] = _residuals(chosen, over=0.0)
        (middle,) = found["chosen"].quantiles((0.5,))
    if whole:
        found["run"] = _residuals(whole, over=middle)
    return found


def _residuals(rows: Sequence[Compared], *, over: float) -> Residuals:
    runs_of = Counter(row.developer for row in rows)
    return Residuals(
        logs=np.array([-row.log_ratio - over for row in rows]),
        weights=np.array([runs_of[row.developer] ** -0.5 for row in rows]),
    )


def made(catalog: Catalog) -> Texts:
    """The file of both distributions as today's engine and runs make them."""
    return {FILE: calibrated(catalog)}


def calibrated(catalog: Catalog, path: Path = REFERENCE_RUNS) -> str:
    """The file of both distributions, from the runs in `path`."""
    text = HEADER
    for kind, found in residuals(compare(path, unbiased(catalog))).items():
        low, high = found.quantiles((0.16, 0.84))
        quantiles = ", ".join(f"{quantile:.3f}" for quantile in found.spread())
        text += (
            f'\n[[error]]\nkind = "{kind}"\nrows = {found.logs.size}\n'
            f"sigma = {(high - low) / 2.0:.3f}\nquantiles = [{quantiles}]\n"
        )
    return text
