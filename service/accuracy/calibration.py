"""What published runs took over their prediction, as the figures that make quotes honest about it.

Two distributions are read off the residuals of the reference runs. `chosen`: steps and benchmarks,
whose hours hold nothing but steps, with a layout that the service chose. `run`: whole runs, over
what `chosen` and the known losses lead to expect.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from service.accuracy.pretraining_runs import STEP_ONLY, THROUGHPUT, TIMED
from service.accuracy.runs import EMBEDDED, Compared, compare
from service.catalog_files import DATA_DIRECTORY
from service.core.catalog import Catalog

FILE: Final = DATA_DIRECTORY / "engine" / "run_errors.toml"
CHOSEN: Final = "engine.measured_over_predicted.chosen"
RUN: Final = "engine.measured_over_predicted.run"
TRAINING: Final = ("pretraining", "mid_training", "sft", "other")
STEPS_ALONE: Final = (*STEP_ONLY, THROUGHPUT, TIMED)
BOUNDS: Final = ("access_window", "stated_upper_bound", "derived_n_x_wall_upper_bound")
"""Bases that say only what hours were not exceeded."""
TAIL: Final = 1.6448536 / 1.2815516
"""From the distance of the 10% quantile to that of the 5%, of a normal."""
HEADER: Final = """\
# Log of disclosed over predicted device-hours of the reference runs of grade A and B.
# `runquote accuracy --calibrate` writes this file. The 5% and 95% quantiles are carried on from
# those of 10% and 90%, because the tails are few rows.
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


def residuals(rows: Sequence[Compared]) -> dict[str, list[float]]:
    """ln(disclosed / predicted) by distribution; of whole runs over the middle of `chosen`."""
    scored = [row for row in rows if row.predicted is not None and row.kind in TRAINING]
    chosen = [-row.log_ratio for row in scored if row.basis in STEPS_ALONE]
    middle = float(np.median(chosen))
    whole = [
        -row.log_ratio - middle
        for row in scored
        if row.basis not in STEPS_ALONE and row.basis not in BOUNDS
    ]
    return {"chosen": chosen, "run": whole}


def quantiles_of(logs: Sequence[float]) -> tuple[float, ...]:
    """5%, 25%, 50%, 75% and 95% of residuals, the outer two carried on from 10% and 90%."""
    p10, p25, p50, p75, p90 = np.quantile(logs, (0.1, 0.25, 0.5, 0.75, 0.9)).tolist()
    return (p50 - TAIL * (p50 - p10), p25, p50, p75, p50 + TAIL * (p90 - p50))


def calibrated(catalog: Catalog, path: Path = EMBEDDED) -> str:
    """The file of both distributions, from the runs in `path`."""
    text = HEADER
    for kind, logs in residuals(compare(path, unbiased(catalog))).items():
        low, high = np.quantile(logs, (0.16, 0.84)).tolist()
        quantiles = ", ".join(f"{quantile:.3f}" for quantile in quantiles_of(logs))
        text += (
            f'\n[[error]]\nkind = "{kind}"\nrows = {len(logs)}\n'
            f"sigma = {math.fabs(high - low) / 2.0:.3f}\nquantiles = [{quantiles}]\n"
        )
    return text
