"""Predicted against measured throughput of generation: bias, spread, coverage."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from msgspec import UNSET, Struct

from service.core.answer.base import Estimate
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable
from service.core.draws.memo import Memo
from service.scoring.generation.facts import GenerationFact
from service.scoring.generation.requests import request_of
from service.scoring.lines import lines_of, members_ignored, with_left_out
from service.scoring.runs.predict import quoted

WORST: Final = 15

Score = dict[str, Any]


class Timed(Struct, frozen=True, kw_only=True):
    """One fact, and the tokens a second and device that are predicted, or why there are none."""

    fact: GenerationFact
    predicted: Estimate | None
    why: str = ""

    @property
    def measured(self) -> float:
        """Tokens a second and device."""
        return self.fact.tokens_per_s_per_device or 0.0

    @property
    def log_ratio(self) -> float:
        """ln(predicted / measured). Above 0 the batch was slower than predicted."""
        assert self.predicted is not None
        return math.log(self.predicted.central / self.measured)

    @property
    def is_covered(self) -> bool:
        """Whether the measured throughput lies between p10 and p90."""
        return self.predicted is not None and (
            self.predicted.p10 <= self.measured <= self.predicted.p90
        )


def score_generation(path: Path, catalog: Catalog) -> Score:
    """The score of a file of measured throughput, without fitting anything."""
    memo = Memo()
    lines = lines_of(path, GenerationFact)
    score = score_of([timed(fact, catalog, memo) for fact in lines.rows if fact.is_scored])
    return with_left_out(score, lines) | {"members_ignored": members_ignored(path, GenerationFact)}


def timed(fact: GenerationFact, catalog: Catalog, memo: Memo) -> Timed:
    """A fact with the throughput that a quote of it predicts."""
    request = request_of(fact, catalog)
    if isinstance(request, str):
        return Timed(fact=fact, predicted=None, why=request)
    if not fact.tokens_per_s_per_device:
        return Timed(fact=fact, predicted=None, why="no throughput is printed")
    try:
        (stage,) = quoted(request, catalog, memo).stages
    except NotQuotable as error:
        return Timed(fact=fact, predicted=None, why=str(error))
    if stage.generation is UNSET:
        return Timed(fact=fact, predicted=None, why=stage.feasibility.detail or "not known")
    return Timed(fact=fact, predicted=stage.generation.tokens_per_s_per_device)


def score_of(rows: Sequence[Timed]) -> Score:
    """All rows together, by engine, device and model, the worst ones, and those left out.

    The medians are of the natural logarithm of predicted over measured tokens a second. `coverage`
    is the share of expressed rows whose measured throughput lies between p10 and p90.
    """
    expressed = [row for row in rows if row.predicted is not None]
    worst = sorted(expressed, key=lambda row: -abs(row.log_ratio))[:WORST]
    return summary_of(rows) | {
        "by": {name: _grouped(rows, label) for name, label in LABELS.items()},
        "worst": [row_of(row) for row in worst],
        "not_expressed": [{"id": row.fact.id, "why": row.why} for row in rows if row.why],
    }


def summary_of(rows: Iterable[Timed]) -> Score:
    """Bias, error, coverage and width of some rows. They are null if none is expressed."""
    rows = tuple(rows)
    expressed = [row for row in rows if row.predicted is not None]
    ratios = [row.log_ratio for row in expressed]
    widths = [row.predicted.p90 / row.predicted.p10 for row in expressed if row.predicted]
    return {
        "rows": len(rows),
        "expressed": len(expressed),
        "median_abs_log_ratio": median(map(abs, ratios)) if ratios else None,
        "median_log_ratio": median(ratios) if ratios else None,
        "coverage": sum(row.is_covered for row in expressed) / len(expressed) if ratios else None,
        "median_p90_over_p10": median(widths) if widths else None,
    }


LABELS: dict[str, Callable[[GenerationFact], str]] = {
    "engine": lambda fact: fact.engine or "unknown",
    "accelerator": lambda fact: fact.accelerator or "unknown",
    "model": lambda fact: fact.model or "unknown",
}


def _grouped(rows: Iterable[Timed], label: Callable[[GenerationFact], str]) -> dict[str, Score]:
    groups: dict[str, list[Timed]] = defaultdict(list)
    for row in rows:
        groups[label(row.fact)].append(row)
    return {name: summary_of(group) for name, group in sorted(groups.items())}


def row_of(row: Timed) -> Score:
    """One expressed row, as the score lists it, in tokens a second and device."""
    assert row.predicted is not None
    return {
        "id": row.fact.id,
        "engine": row.fact.engine,
        "accelerator": row.fact.accelerator,
        "model": row.fact.model,
        "measured": row.measured,
        "predicted": row.predicted.central,
        "p10": row.predicted.p10,
        "p90": row.predicted.p90,
        "log_ratio": row.log_ratio,
    }
