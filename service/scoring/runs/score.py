"""Predicted against disclosed device-hours of published runs: bias, spread, coverage."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import NormalDist, mean, median
from typing import Any, Final

import numpy as np
from msgspec import UNSET, Struct

from service.catalog_files.disclosed.runs import LooseRunRow, run_of
from service.core.catalog.catalog import Catalog, ReferenceRun
from service.core.draws.memo import Memo
from service.core.figures.ledger import Ledger
from service.scoring.devices import accelerator_named
from service.scoring.lines import lines_of, members_ignored, rows_of, with_left_out
from service.scoring.runs.predict import Predicted, predicted

SCORED_GRADES: Final = ("A", "B")
WORST_LISTED: Final = 10
OUTSIDE_SHARE: Final = 0.2
"""Share of runs that lie outside of p10 to p90, if intervals are right."""

OPEN: Final = {"chosen": "layout", "framework": "framework", "device": "device", "run": "losses"}
"""What a request may leave open, by the error that quotes count for it."""
SCORED_SHARES: Final = (np.arange(200) + 0.5) / 200.0
SCORES: Final = np.array([NormalDist().inv_cdf(share) for share in SCORED_SHARES])
Z_P90: Final = NormalDist().inv_cdf(0.9)
CHANCES: Final = (np.arange(10_000) + 0.5) / 10_000.0

Score = dict[str, Any]


class Compared(Struct, frozen=True, kw_only=True):
    """One run: its disclosed hours, and the predicted ones or why there are none."""

    id: str
    kind: str
    developer: str
    accelerator: str
    grade: str
    basis: str
    disclosed: float
    predicted: Predicted | None
    why: str = ""

    @property
    def log_ratio(self) -> float:
        """ln(predicted / disclosed)."""
        assert self.predicted is not None
        return math.log(self.predicted.central / self.disclosed)

    @property
    def left_open(self) -> str:
        """What the description leaves open that quotes count an error for, in words."""
        errors = frozenset() if self.predicted is None else self.predicted.errors
        words = [word for kind, word in OPEN.items() if kind in errors]
        return ", ".join(words) or "nothing of these"

    @property
    def is_covered(self) -> bool:
        """Whether the disclosed hours lie between p10 and p90."""
        return (
            self.predicted is not None
            and self.predicted.p10 <= self.disclosed <= self.predicted.p90
        )


def compare(path: Path, catalog: Catalog) -> tuple[Compared, ...]:
    """Every scored row of a file in the format of the catalog's reference runs."""
    return _compare(rows_of(path, LooseRunRow), catalog)


def score_runs(path: Path, catalog: Catalog) -> Score:
    """The score of a file of runs, with the members of its rows that the format does not know."""
    lines = lines_of(path, LooseRunRow)
    score = score_of(_compare(lines.rows, catalog))
    return with_left_out(score, lines) | {"members_ignored": members_ignored(path, LooseRunRow)}


def scored(path: Path, catalog: Catalog) -> Iterator[ReferenceRun]:
    """The runs of a file that disclose device-hours well enough."""
    return _scored(rows_of(path, LooseRunRow), catalog)


def read(path: Path, catalog: Catalog) -> Iterator[ReferenceRun]:
    """The rows of a file of runs, one JSON object a line."""
    return _runs(rows_of(path, LooseRunRow), catalog)


def _compare(rows: Iterable[LooseRunRow], catalog: Catalog) -> tuple[Compared, ...]:
    memo = Memo()
    return tuple(compared(run, catalog, memo) for run in _scored(rows, catalog))


def _scored(rows: Iterable[LooseRunRow], catalog: Catalog) -> Iterator[ReferenceRun]:
    for run in _runs(rows, catalog):
        if run.benchmark_grade in SCORED_GRADES and run.device_hours is not UNSET:
            yield run


def _runs(rows: Iterable[LooseRunRow], catalog: Catalog) -> Iterator[ReferenceRun]:
    """Rows as runs of the catalog, with its names of devices."""
    for row in rows:
        named = accelerator_named(row.accelerator or "", catalog)
        known = {row.accelerator: named.id} if named and row.accelerator else {}
        yield run_of(row, {**catalog.accelerator_aliases, **known})


def compared(run: ReferenceRun, catalog: Catalog, memo: Memo) -> Compared:
    """A run that discloses its device-hours, with the predicted ones."""
    assert run.device_hours is not UNSET
    found = predicted(run, catalog, memo)
    return Compared(
        id=run.id,
        kind=run.kind,
        developer=run.developer,
        accelerator=run.accelerator or str(run.facts.get("accelerator_as_stated", "")),
        grade=run.benchmark_grade,
        basis=run.device_hours_basis,
        disclosed=Ledger().take(run.device_hours).central,
        predicted=None if isinstance(found, str) else found,
        why=found if isinstance(found, str) else "",
    )


def score_of(rows: Sequence[Compared]) -> Score:
    """All rows together, by kind, accelerator and grade, the worst ones, and those left out.

    `expressed` are the runs that can be put as a request. The medians are of the natural logarithm
    of predicted over disclosed device-hours. `coverage` is the share of expressed rows whose
    disclosed hours lie between p10 and p90.
    """
    expressed = [row for row in rows if row.predicted is not None]
    worst = sorted(expressed, key=lambda row: -abs(row.log_ratio))[:WORST_LISTED]
    return summary_of(rows) | {
        "by": {
            "kind": _grouped(rows, "kind"),
            "accelerator": _grouped(rows, "accelerator"),
            "grade": _grouped(rows, "grade"),
            "left_open": _grouped(rows, "left_open"),
        },
        "worst": [row_of(row) for row in worst],
        "not_expressed": [{"id": row.id, "why": row.why} for row in rows if row.predicted is None],
    }


def summary_of(rows: Iterable[Compared]) -> Score:
    """Bias, error and coverage of some rows. They are null if none is expressed."""
    rows = tuple(rows)
    expressed = [row for row in rows if row.predicted is not None]
    ratios = [row.log_ratio for row in expressed]
    return {
        "rows": len(rows),
        "expressed": len(expressed),
        "median_abs_log_ratio": median(map(abs, ratios)) if ratios else None,
        "median_log_ratio": median(ratios) if ratios else None,
        "coverage": sum(row.is_covered for row in expressed) / len(expressed) if ratios else None,
        "coverage_by_chance": by_chance(len(expressed)) if ratios else None,
        "interval_score": mean(map(interval_score, expressed)) if ratios else None,
        "crps": mean(map(crps, expressed)) if ratios else None,
        "median_p90_over_p10": median(map(p90_over_p10, expressed)) if ratios else None,
    }


def interval_score(row: Compared) -> float:
    """The score of an interval in logarithms, of which less is better: its width, and its misses.

    ln(p90 / p10) + 2 / 0.2 * ln of how far the disclosed hours lie outside. Source: Gneiting and
    Raftery 2007 (doi 10.1198/016214506000001437, section 6.2).
    """
    assert row.predicted is not None
    low, high, truth = map(math.log, (row.predicted.p10, row.predicted.p90, row.disclosed))
    outside = max(low - truth, truth - high, 0.0)
    return high - low + 2.0 / OUTSIDE_SHARE * outside


def crps(row: Compared) -> float:
    """The continuous ranked probability score in logarithms, of which less is better.

    The mean of 2 (share - 1[disclosed < quantile]) (disclosed - quantile) over the quantiles at
    equally spaced shares. The hours are taken as log-normal on either side of the predicted ones.

    Source: Gneiting and Raftery 2007 (doi 10.1198/016214506000001437, sections 4.2 and 6.1).
    """
    assert row.predicted is not None
    low, central, high, truth = map(
        math.log, (row.predicted.p10, row.predicted.central, row.predicted.p90, row.disclosed)
    )
    deviation = np.where(SCORES < 0.0, central - low, high - central) / Z_P90
    quantiles = central + deviation * SCORES
    return float(np.mean(2.0 * (SCORED_SHARES - (truth < quantiles)) * (truth - quantiles)))


def by_chance(rows: int) -> list[float]:
    """Between which shares coverage lies nine times in ten, if intervals of 80% are right.

    The 5% and 95% quantiles of a beta distribution with the mean and the number of rows, which is
    smooth where a binomial one has steps.
    """
    inside = 1.0 - OUTSIDE_SHARE
    log_density = (rows * inside - 1.0) * np.log(CHANCES) + (rows * OUTSIDE_SHARE - 1.0) * np.log(
        1.0 - CHANCES
    )
    density = np.exp(log_density - np.max(log_density))
    below = (np.cumsum(density) - density / 2.0) / np.sum(density)
    low, high = np.interp((0.05, 0.95), below, CHANCES).tolist()
    return [round(low, 3), round(high, 3)]


def p90_over_p10(row: Compared) -> float:
    """How wide the interval of a run is."""
    assert row.predicted is not None
    return row.predicted.p90 / row.predicted.p10


def _grouped(rows: Iterable[Compared], by: str) -> dict[str, Score]:
    groups: dict[str, list[Compared]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, by)].append(row)
    return {name: summary_of(group) for name, group in sorted(groups.items())}


def row_of(row: Compared) -> Score:
    """One expressed row, as the score lists it."""
    assert row.predicted is not None
    return {
        "id": row.id,
        "kind": row.kind,
        "accelerator": row.accelerator,
        "grade": row.grade,
        "left_open": row.left_open,
        "disclosed": row.disclosed,
        "predicted": row.predicted.central,
        "p10": row.predicted.p10,
        "p90": row.predicted.p90,
        "log_ratio": row.log_ratio,
    }
