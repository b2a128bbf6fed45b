"""Errors of predictions on measured steps, in total and by groups of rows.

An error is predicted over measured step time, minus one.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.core.catalog.catalog import Catalog
from service.core.figures.arrays import Array
from service.scoring.lines import lines_of, members_ignored, with_left_out
from service.scoring.steps.batch import Batch, batch_of, predicted_by
from service.scoring.steps.inputs import Expressed, expressed
from service.scoring.steps.measurements import Measurement

WORST = 15


def score_steps(path: Path, catalog: Catalog) -> dict[str, Any]:
    """The score of the catalog's constants on a file of measurements, without fitting anything."""
    lines = lines_of(path, Measurement)
    read = [row for row in lines.rows if row.is_scored]
    found = [expressed(row, catalog) for row in read]
    rows = [row for row in found if isinstance(row, Expressed)]
    said = {
        "not_expressed": [
            {"id": row.id, "why": why}
            for row, why in zip(read, found, strict=True)
            if isinstance(why, str)
        ],
        "members_ignored": members_ignored(path, Measurement),
    }
    if not rows:
        none: dict[str, Any] = {
            "rows": len(found),
            "expressed": 0,
            **summary(np.zeros(0)),
            "by": {},
            "worst": [],
        }
        return with_left_out(none | said, lines)
    batch = batch_of(rows)
    score = score_of(batch, predicted_by(batch, catalog.engine.constants), rows=len(found))
    return with_left_out(score | said, lines)


def score_of(batch: Batch, predicted_s: Array, *, rows: int | None = None) -> dict[str, Any]:
    """The score of these predictions. `rows` counts also those that could not be expressed."""
    errors = predicted_s / batch.measured_s - 1
    worst = np.argsort(-np.abs(errors), kind="stable")[:WORST]
    return {
        "rows": len(batch.rows) if rows is None else rows,
        "expressed": len(batch.rows),
        **summary(errors),
        "by": {name: _by(batch.rows, errors, of) for name, of in LABELS.items()},
        "worst": [
            {
                "id": batch.rows[row].row.id,
                "model": batch.rows[row].row.model,
                "accelerator": batch.rows[row].row.accelerator,
                "precision": batch.rows[row].row.precision,
                "measured_s": float(batch.measured_s[row]),
                "predicted_s": float(predicted_s[row]),
                "error": float(errors[row]),
            }
            for row in worst
        ],
    }


def summary(errors: Array) -> dict[str, float | None]:
    """Median and 90th percentile of absolute errors, and the median error with its sign."""
    if not errors.size:
        return {"median_abs_error": None, "p90_abs_error": None, "median_bias": None}
    sizes = np.abs(errors)
    return {
        "median_abs_error": float(np.median(sizes)),
        "p90_abs_error": float(np.quantile(sizes, 0.9)),
        "median_bias": float(np.median(errors)),
    }


def source_of(row: Expressed) -> str:
    """The family of sources of a row, or the title of its source."""
    return row.row.source_family or row.row.source.title or "unknown"


def group_of(row: Expressed) -> str:
    """The group of a row, which keeps near-duplicates together."""
    return row.row.config_group or row.row.id


def parallelism_of(row: Expressed) -> str:
    """Which kinds of parallelism a row has: tp+pp, fsdp, ep, or dp alone."""
    layout = row.layout
    kinds = {
        "tp": layout.tensor_parallel,
        "pp": layout.pipeline_parallel,
        "cp": layout.context_parallel,
        "ep": layout.expert_parallel,
    }
    found = [name for name, degree in kinds.items() if degree > 1]
    if layout.zero_stage >= 3:
        found.append("fsdp")
    return "+".join(found) or "dp"


def kind_of(row: Expressed) -> str:
    """Dense or mixture of experts."""
    return "moe" if row.work.moe_layers > 0 else "dense"


LABELS: dict[str, Callable[[Expressed], str]] = {
    "source": source_of,
    "accelerator": lambda row: row.row.accelerator or "unknown",
    "precision": lambda row: row.row.precision or "unknown",
    "parallelism": parallelism_of,
    "kind": kind_of,
}


def _by(
    rows: Sequence[Expressed], errors: Array, label: Callable[[Expressed], str]
) -> dict[str, Any]:
    labels = np.array([label(row) for row in rows])
    return {
        str(name): {"rows": int((labels == name).sum()), **summary(errors[labels == name])}
        for name in np.unique(labels)
    }
