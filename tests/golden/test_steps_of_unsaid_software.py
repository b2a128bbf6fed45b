"""What a quote says of a measured step if its caller knows the layout, and names no software.

Each source weighs as the root of its rows, as in the fits of runs. The rows are those of devices
with one copy of the model each or split between them, whose framework any caller might have run.
"""

from collections import defaultdict
from typing import Any, NamedTuple

import msgspec
import numpy as np

from lab.files import ORDINARY_STEPS, STEP_MEASUREMENTS
from service.scoring.devices import accelerator_named
from service.scoring.steps.inputs import Expressed, expressed, transformer_of_row
from service.scoring.steps.measurements import read_measurements
from tests.worlds import answer, embedded

MOST_OF_SOURCE = 12
"""Rows of a source, spread over its table: enough to tell its share inside."""
PRECISIONS = ("bf16", "fp16", "fp32")
RECOMPUTES = {0.0: "none", 1.0: "selective", 2.0: "full"}


class Said(NamedTuple):
    """A measured step beside the interval that is quoted of it."""

    measured_s: float
    p10: float
    p90: float


def _asked(row: Expressed) -> dict[str, Any] | None:
    """The row as a request that names no software. None where it is another kind of work."""
    layout, model = row.layout, transformer_of_row(row.row)
    cuts = layout.tensor_parallel * layout.pipeline_parallel * layout.expert_parallel
    is_plain = row.recipe.precision in PRECISIONS and not row.row.has_adapters
    if model is None or cuts * layout.context_parallel > 1 or not is_plain:
        return None
    batch = row.global_batch * (row.row.arch.seq_len or 0)
    work = {
        "kind": "pretraining",
        "model": {"kind": "transformer", **msgspec.to_builtins(model)},
        "tokens": 100 * batch,
        "sequence_length": row.row.arch.seq_len,
        "global_batch_tokens": batch,
        "precision": row.recipe.precision,
        "layout": {
            "zero_stage": layout.zero_stage,
            "micro_batch": layout.micro_batch,
            "recompute": RECOMPUTES[float(layout.recompute)],
        },
    }
    device = accelerator_named(row.row.accelerator or "", embedded())
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    cluster = {"devices": row.row.device_count or 1, "supply": supply}
    return {
        "run": {"name": "r", "stages": [{"name": "s", "work": work}]},
        "cluster": cluster | {"accelerator": device.id if device else ""},
    }


def _rows_by_source() -> dict[tuple[str | None, str], list[Expressed]]:
    found: dict[tuple[str | None, str], list[Expressed]] = defaultdict(list)
    for path in (STEP_MEASUREMENTS, ORDINARY_STEPS):
        for row in read_measurements(path):
            step = expressed(row, embedded())
            if not isinstance(step, str) and step.machine.kind == "gpu" and _asked(step):
                found[row.source_family, step.recipe.framework].append(step)
    return found


def _said_of(row: Expressed) -> Said | None:
    """None where the layout does not fit without what the source says of its software."""
    request = _asked(row)
    assert request is not None
    step = answer(request, embedded()).stages[0].step
    if not step:
        return None
    return Said(row.measured_s, step.seconds.p10, step.seconds.p90)


def test_steps_of_software_that_nobody_names_lie_inside_as_often_as_intervals_mean_to_hold():
    inside, above, weights = [], [], []
    for rows in _rows_by_source().values():
        every = max(1, len(rows) // MOST_OF_SOURCE)
        said = [one for row in rows[::every] if (one := _said_of(row)) is not None]
        if said:
            inside.append(np.mean([one.p10 <= one.measured_s <= one.p90 for one in said]))
            above.append(np.mean([one.measured_s > one.p90 for one in said]))
            weights.append(len(said) ** 0.5)
    assert len(weights) >= 15
    assert 0.72 <= np.average(inside, weights=weights) <= 0.88
    assert np.average(above, weights=weights) <= 0.18
