"""Published reinforcement runs as rows of a fit, and what constants predict of them."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Struct

from lab.files import LAB_DATA, REFERENCE_RUNS
from service.core.argument import Argument, Unknown
from service.core.catalog.catalog import Catalog, ReferenceRun
from service.core.figures.arrays import Array
from service.core.figures.ledger import Ledger
from service.core.figures.units import Unit
from service.core.request.request import QuoteRequest
from service.core.stages.effort import efforts_of
from service.scoring.runs.predict import request_of
from service.scoring.runs.score import SCORED_GRADES, read

PRIORS: Final = LAB_DATA / "post_training_priors.toml"
KIND: Final = "rl"
Z_90: Final = 1.6448536


class PriorRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was believed of a constant, and between which values nine in ten runs lie."""

    name: str
    unit: Unit
    prior: float
    low: float
    high: float
    least: float
    why: str

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm, over runs and of the belief in the middle."""
        return float(np.log(self.high / self.low) / (2.0 * Z_90))


class Row(NamedTuple):
    """A run that can be expressed: its request, its source and its disclosed device-hours."""

    id: str
    source: str
    request: QuoteRequest
    disclosed: float


def load_priors(path: Path = PRIORS) -> tuple[PriorRow, ...]:
    """The constants that are fitted, in the order of the vector of logs."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["prior"]
    return tuple(msgspec.convert(entry, PriorRow) for entry in entries)


def load_rows(catalog: Catalog, path: Path = REFERENCE_RUNS) -> tuple[Row, ...]:
    """Every scored reinforcement run whose description makes a request."""
    found = (_row(run, catalog) for run in read(path, catalog) if run.kind == KIND)
    return tuple(row for row in found if row is not None)


def _row(run: ReferenceRun, catalog: Catalog) -> Row | None:
    if run.benchmark_grade not in SCORED_GRADES or run.device_hours is UNSET:
        return None
    request = request_of(run, catalog)
    if isinstance(request, str):
        return None
    disclosed = Ledger().take(run.device_hours).central
    return Row(run.id, run.developer, request, disclosed)


def with_constants(catalog: Catalog, priors: Sequence[PriorRow], logs: Array) -> Catalog:
    """The catalog with the constants that a vector stands for, as wide as runs differ."""
    assumptions = dict(catalog.assumptions)
    for prior, log in zip(priors, logs, strict=True):
        low, value, high = range_of(prior, log)
        assumptions[prior.name] = msgspec.structs.replace(
            assumptions[prior.name], _value=value, low=low, high=high
        )
    return msgspec.structs.replace(catalog, assumptions=assumptions)


def range_of(prior: PriorRow, log: float) -> tuple[float, float, float]:
    """A constant between its ends, which are as far from it as those of the prior."""
    value = float(np.exp(log))
    low = max(prior.least, value * prior.low / prior.prior)
    return min(low, value), value, value * prior.high / prior.prior


def central_hours(request: QuoteRequest, catalog: Catalog) -> float:
    """Device-hours of all stages, every figure at its central value; NaN where they are unknown."""
    argument, total = Argument(catalog), 0.0
    for effort in efforts_of(argument, request):
        if isinstance(effort.device_hours, Unknown):
            return float("nan")
        total += effort.device_hours.central
    return total


def log_ratios(
    rows: Sequence[Row], catalog: Catalog, priors: Sequence[PriorRow], logs: Array
) -> Array:
    """ln(predicted / disclosed) of every row for a vector of logs."""
    fitted = with_constants(catalog, priors, logs)
    return np.array([np.log(central_hours(row.request, fitted) / row.disclosed) for row in rows])


def committed_logs(catalog: Catalog, priors: Sequence[PriorRow]) -> Array:
    """The vector that the catalog's constants stand for."""
    ledger = Ledger()
    values = [ledger.take(catalog.assumption(prior.name)).central for prior in priors]
    return np.log(values)
