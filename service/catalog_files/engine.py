"""`engine/*.toml`: the constants of the step-time engine, and the errors that they leave."""

from collections.abc import Mapping
from contextlib import suppress
from math import exp
from typing import Annotated

from msgspec import Meta, Struct

from service.catalog_files.files import DataFiles, RefusedError
from service.core.catalog.catalog import Accelerator
from service.core.catalog.engine import Engine, EngineError
from service.core.figures.constants import Constants
from service.core.figures.sources import Datum, Published

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_./-]*$(?!\n)")]
Log = Annotated[float, Meta(ge=-5, le=5)]


ERROR_FIGURE = "engine.measured_over_predicted"
UNSEEN = "unseen"
OF_RUNS = ("run", "framework", "device", "reinforcement")
KINDS_OF_ERROR = ("dense", "moe", "ordinary", "unseen", "anchored_dense", "anchored_moe", "chosen")
STEPS = "measured steps that the fit did not see"
MEASURED_ON = {
    "chosen": "published runs, jointly: steps whose layout is left to the service",
    "framework": "published runs, jointly: what a framework that is not said adds",
    "device": "published runs, jointly: what a device adds on which no step was measured",
    "reinforcement": "published runs, jointly: steps of reinforcement over those predicted",
    "run": "published runs, jointly: hours of whole runs over those expected",
}


class ConstantRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One constant: fitted value, prior, and the range that is physically possible."""

    name: Name
    unit: str
    value: Annotated[float, Meta(gt=0, le=1e6)]
    log_sd: Annotated[float, Meta(ge=0, le=5)]  # of the fitted value
    prior: Annotated[float, Meta(gt=0, le=1e6)]
    prior_log_sd: Annotated[float, Meta(ge=0, le=5)]  # 0: held at the prior
    low: float
    high: float
    meaning: str
    source: str


class EffectRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Logarithm of how one generation or device differs from its kind or generation."""

    name: Name  # constant/generation or constant/device
    value: Log
    log_sd: Annotated[float, Meta(ge=0, le=5)]
    prior: Log
    prior_log_sd: Annotated[float, Meta(gt=0, le=5)]
    why: str = ""  # of a prior other than 0


class ErrorRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Residuals of one kind of row, as `EngineError` describes them."""

    kind: Name
    rows: Annotated[int, Meta(ge=1)]
    sigma: Annotated[float, Meta(gt=0, le=5)]
    quantiles: Annotated[tuple[Log, ...], Meta(min_length=5, max_length=5)]


def read_engine(files: DataFiles, accelerators: Mapping[str, Accelerator]) -> Engine:
    """The step-time engine of this edition. Effects are of devices and generations that exist."""
    known = accelerators.keys() | {device.generation for device in accelerators.values()}
    values: dict[str, float] = {}
    for place, row in files.toml_rows("engine/constants.toml", "constant", ConstantRow):
        with suppress(RefusedError):
            place.check_new(row.name, values)
            if not row.low <= row.value <= row.high:
                place.report(f"{row.value:g} is not between {row.low:g} and {row.high:g}")
            values[row.name] = row.value
    effects: dict[str, float] = {}
    measured: set[str] = set()
    for place, effect in files.toml_rows("engine/effects.toml", "effect", EffectRow):
        with suppress(RefusedError):
            place.check_new(effect.name, effects)
            if effect.name.rpartition("/")[2] not in known:
                place.report(f"no device or generation has the effect {effect.name}")
            effects[effect.name] = effect.value
            if effect.value != effect.prior:
                measured.add(effect.name.rpartition("/")[2])
    errors: dict[str, EngineError] = {}
    for place, error in files.toml_rows("engine/*errors.toml", "error", ErrorRow):
        with suppress(RefusedError):
            place.check_new(error.kind, errors)
            errors[error.kind] = EngineError(
                kind=error.kind, rows=error.rows, sigma=error.sigma, quantiles=error.quantiles
            )
    return Engine(
        constants=Constants(values, effects),
        errors=errors,
        measured=frozenset(measured & accelerators.keys()),
    )


def error_figures(engine: Engine, *, as_of: str) -> dict[str, Datum]:
    """Measured over predicted step time as figures, with any bias of the residuals.

    A kind of step that was not measured takes the residuals of sources outside the fit.
    """
    found: dict[str, Datum] = {}
    for kind in (*KINDS_OF_ERROR, *OF_RUNS):
        error = engine.errors.get(kind)
        if error is None and kind in KINDS_OF_ERROR:
            error = engine.errors.get(UNSEEN)
        if error is None:
            continue
        low, _, middle, _, high = (exp(quantile) for quantile in error.quantiles)
        found[f"{ERROR_FIGURE}.{kind}"] = Datum(
            name=f"assumptions/{ERROR_FIGURE}.{kind}",
            _value=middle,
            unit="ratio",
            source=Published(
                title="runquote accuracy",
                locator=f"spread of {error.rows} residuals of {MEASURED_ON.get(error.kind, STEPS)}",
                as_of=as_of,
                confidence="high" if error.kind == kind else "medium",
            ),
            low=low,
            high=high,
        )
    return found
