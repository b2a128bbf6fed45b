"""Published runs quoted as if their developers were new: nothing is read off runs of their own."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lab.files import LEFT_OUT, REFERENCE_RUNS
from lab.runs.calibration import FIGURES, Residuals, residuals, unbiased
from service.core.catalog.catalog import Catalog
from service.core.draws.memo import Memo
from service.scoring.runs.predict import Predicted
from service.scoring.runs.score import Compared, compare, compared, scored


def unseen(catalog: Catalog, path: Path = REFERENCE_RUNS) -> tuple[Compared, ...]:
    """Every scored run from figures that the runs of other developers give.

    Of training and tuning these are the two error figures; of reinforcement the fitted constants,
    as the fits that left a developer out were written down (`post-training fit`), for the runs
    that the fit knows.
    """
    rows = compare(path, unbiased(catalog))
    by_developer = {
        developer: with_errors(
            catalog, residuals([row for row in rows if row.developer != developer])
        )
        for developer in {row.developer for row in rows}
    }
    left_out = _reinforced()
    memo = Memo()
    found = (compared(run, by_developer[run.developer], memo) for run in scored(path, catalog))
    return tuple(
        msgspec.structs.replace(row, predicted=left_out.get(row.id, row.predicted)) for row in found
    )


def _reinforced(path: Path = LEFT_OUT) -> dict[str, Predicted]:
    """Reinforcement runs by id, each from a fit that has seen none of its developer."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {
            row["id"]: Predicted(*(float(row[column]) for column in ("central", "p10", "p90")))
            for row in csv.DictReader(lines)
        }


def with_errors(catalog: Catalog, found: Mapping[str, Residuals]) -> Catalog:
    """The catalog with other residuals behind the error figures."""
    assumptions = dict(catalog.assumptions)
    for kind, residuals_of_kind in found.items():
        low, _, middle, _, high = map(math.exp, residuals_of_kind.spread())
        name = FIGURES[kind]
        assumptions[name] = msgspec.structs.replace(
            assumptions[name], _value=middle, low=low, high=high
        )
    return msgspec.structs.replace(catalog, assumptions=assumptions)
