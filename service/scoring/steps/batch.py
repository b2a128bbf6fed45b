"""Many rows as arrays, predicted together by the formula that serves one layout."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.figures.arrays import Array
from service.core.figures.constants import Constants
from service.core.training.parallelism import Layout
from service.core.training.steptime import (
    Machine,
    StepWork,
    Traits,
    coefficients_of,
    effect_names,
    parts_of,
    traits_of,
)
from service.scoring.steps.inputs import Expressed

NUMBERS = 6  # of a machine's members; the others name it
GEMM, ATTENTION = "gemm_share", "attention_share"


class Batch(NamedTuple):
    """Rows as arrays of one length. Effects are looked up by name."""

    rows: tuple[Expressed, ...]
    work: StepWork
    layout: Layout
    global_batch: Array
    machine: Machine
    traits: Traits
    measured_s: Array
    weights: Array
    gemm_effects: NDArray[np.object_]  # names of the effects of each row: shape [rows, levels]
    attention_effects: NDArray[np.object_]

    def at(self, mask: NDArray[np.bool_]) -> "Batch":
        """The rows that a mask selects."""
        return batch_of([row for row, wanted in zip(self.rows, mask, strict=True) if wanted])


def batch_of(rows: Sequence[Expressed]) -> Batch:
    """Rows as arrays."""
    unfitted = Constants({}, {})
    traits = [traits_of(machine=row.machine, recipe=row.recipe, constants=unfitted) for row in rows]
    rates = _columns([row.machine[:NUMBERS] for row in rows])
    numbers = Machine(rates[0], rates[1], rates[2], rates[3], rates[4], rates[5])
    return Batch(
        rows=tuple(rows),
        work=StepWork(*_columns([row.work for row in rows])),
        layout=Layout(*_columns([row.layout for row in rows])),
        global_batch=np.array([float(row.global_batch) for row in rows]),
        machine=numbers,
        traits=Traits(*_columns(traits)),
        measured_s=np.array([row.measured_s for row in rows]),
        weights=np.array([row.weight for row in rows]),
        gemm_effects=_names(rows, GEMM),
        attention_effects=_names(rows, ATTENTION),
    )


def predicted_s(
    batch: Batch, *, values: Mapping[str, float], gemm: Array, attention: Array
) -> Array:
    """Seconds of every row's step. `gemm` and `attention` are the summed effects of each row."""
    traits = batch.traits._replace(gemm_effect=gemm, attention_effect=attention)
    parts = parts_of(
        work=batch.work,
        layout=batch.layout,
        global_batch=batch.global_batch,
        machine=batch.machine,
        coefficients=coefficients_of(traits=traits, values=values),
    )
    return np.asarray(parts.total, dtype=np.float64)


def predicted_by(batch: Batch, constants: Constants) -> Array:
    """Seconds of every row's step with these constants."""

    def summed(names: NDArray[np.object_]) -> Array:
        known = constants.effects
        return np.array([sum(known.get(name, 0.0) for name in row) for row in names])

    return predicted_s(
        batch,
        values=constants.values,
        gemm=summed(batch.gemm_effects),
        attention=summed(batch.attention_effects),
    )


def _names(rows: Sequence[Expressed], of: str) -> NDArray[np.object_]:
    return np.array([effect_names(of, row.machine) for row in rows], dtype=np.object_)


def _columns(rows: Sequence[Sequence[object]]) -> list[Array]:
    return list(np.array(rows, dtype=np.float64).T)
