"""Errors of predicted peaks, runs that ran and are refused, and runs that died and are not."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from msgspec import Struct

from service.core.catalog.catalog import Catalog
from service.scoring.lines import lines_of, members_ignored, with_left_out
from service.scoring.memory.estimates import Estimate, estimate_of
from service.scoring.memory.facts import MemoryFact

WORST: Final = 15
BYTES_PER_GIB: Final = 2.0**30

Score = dict[str, Any]


class Weighed(Struct, frozen=True, kw_only=True):
    """One fact, and what the engine says of it or why it says nothing."""

    fact: MemoryFact
    estimate: Estimate | None
    why: str = ""

    @property
    def measured_gib(self) -> float | None:
        """The peak that was reserved, or else the one that was allocated."""
        fact = self.fact
        return fact.peak_reserved_gib or fact.peak_allocated_gib

    @property
    def predicted_gib(self) -> float | None:
        """The prediction of what `measured_gib` counts."""
        if self.estimate is None:
            return None
        reserved = self.fact.peak_reserved_gib or not self.fact.peak_allocated_gib
        found = self.estimate.reserved_bytes if reserved else self.estimate.allocated_bytes
        return found / BYTES_PER_GIB

    @property
    def error(self) -> float | None:
        """Predicted over measured peak, minus one. None without a peak."""
        measured, predicted = self.measured_gib, self.predicted_gib
        if not self.fact.ran or not measured or predicted is None:
            return None
        return predicted / measured - 1.0


def score_memory(path: Path, catalog: Catalog) -> Score:
    """The score of a file of facts about memory, without fitting anything."""
    lines = lines_of(path, MemoryFact)
    score = score_of([weighed(fact, catalog) for fact in lines.rows if fact.is_scored])
    return with_left_out(score, lines) | {"members_ignored": members_ignored(path, MemoryFact)}


def weighed(fact: MemoryFact, catalog: Catalog) -> Weighed:
    """A fact with the engine's estimate of it."""
    if fact.ran is None:
        return Weighed(fact=fact, estimate=None, why=f"the outcome {fact.outcome!r} says neither")
    found = estimate_of(fact, catalog)
    if isinstance(found, str):
        return Weighed(fact=fact, estimate=None, why=found)
    return Weighed(fact=fact, estimate=found)


def score_of(rows: Sequence[Weighed]) -> Score:
    """All rows together, by source, framework and device, the worst, and those left out.

    An error is the predicted over the measured peak, minus one. `tight` neither refuses a run nor
    says that it fits.
    """
    erring = [row for row in rows if row.error is not None]
    worst = sorted(erring, key=lambda row: -abs(row.error or 0.0))[:WORST]
    return summary_of(rows) | {
        "by": {name: _grouped(rows, label) for name, label in LABELS.items()},
        "worst": [row_of(row) for row in worst],
        "not_expressed": [{"id": row.fact.id, "why": row.why} for row in rows if row.why],
    }


def summary_of(rows: Iterable[Weighed]) -> Score:
    """Counts and errors of some rows. Errors are null where no row has a peak."""
    rows = tuple(rows)
    told = [(row.fact.ran, row.estimate.status) for row in rows if row.estimate]
    errors = [row.error for row in rows if row.error is not None]
    return {
        "rows": len(rows),
        "expressed": len(told),
        "ran": sum(ran is True for ran, _ in told),
        "ran_refused": told.count((True, "does_not_fit")),
        "died": sum(ran is False for ran, _ in told),
        "died_fits": told.count((False, "fits")),
        "tight": sum(status == "tight" for _, status in told),
        "peaks": len(errors),
        "median_abs_error": median(map(abs, errors)) if errors else None,
        "median_bias": median(errors) if errors else None,
    }


LABELS: dict[str, Callable[[MemoryFact], str]] = {
    "source": lambda fact: fact.printed_in,
    "framework": lambda fact: fact.framework or "unknown",
    "accelerator": lambda fact: fact.accelerator or "unknown",
}


def _grouped(rows: Iterable[Weighed], label: Callable[[MemoryFact], str]) -> dict[str, Score]:
    groups: dict[str, list[Weighed]] = defaultdict(list)
    for row in rows:
        groups[label(row.fact)].append(row)
    return {name: summary_of(group) for name, group in sorted(groups.items())}


def row_of(row: Weighed) -> Score:
    """One row with a peak, as the score lists it."""
    fact, estimate = row.fact, row.estimate
    return {
        "id": fact.id,
        "framework": fact.framework,
        "accelerator": fact.accelerator,
        "outcome": fact.outcome,
        "status": estimate and estimate.status,
        "measured_gib": row.measured_gib,
        "predicted_gib": row.predicted_gib,
        "error": row.error,
    }
