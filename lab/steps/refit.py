"""`python -m lab steps fit`: the constants anew, and the errors they leave."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from lab.files import ENGINE, ORDINARY_STEPS, STEP_MEASUREMENTS, Texts
from lab.steps.fit import Fit, Space, fit, folds_of, left_out, space_of
from service.catalog_files.engine import ConstantRow, EffectRow
from service.core.catalog.catalog import Catalog
from service.core.figures.arrays import Array
from service.scoring.steps.batch import Batch, batch_of, predicted_by
from service.scoring.steps.inputs import Expressed, expressed
from service.scoring.steps.measurements import read_measurements
from service.scoring.steps.score import LABELS, group_of, kind_of, source_of

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Between these quantiles lie two sigma of a normal distribution.
SIGMA_QUANTILES = (0.15866, 0.84134)
DIGITS = 8
FITTED_MEMBERS = ("value", "log_sd")
# What a row of an ordinary stack weighs beside one of a tuned stack: its noise is that of whoever
# ran it.
ORDINARY_WEIGHT = 0.5
# A row weighs the less, the more rows there are of its configuration: their number to this power.
# Rows of tuned stacks are one configuration in several releases, those of ordinary ones in variants
# that differ less.
TUNED_LIKE_POWER = -1 / 3
ORDINARY_LIKE_POWER = -1 / 2
# Least rows of one source on one device of which a bias can be told.
ANCHORED_ROWS = 3


class Refit(NamedTuple):
    """The fit, and what was predicted for each row by fits that did not see its like."""

    batch: Batch
    constants: tuple[ConstantRow, ...]
    effects: tuple[EffectRow, ...]
    whole: Fit
    by_group: Array  # seconds, grouped five-fold cross-validation
    by_source: Array  # seconds, without the row's family of sources


def load_batch(catalog: Catalog) -> Batch:
    """The measured rows that the fit is made on: of tuned stacks, then of ordinary ones."""
    tuned = _weighed(load_rows(catalog, STEP_MEASUREMENTS), weight=1.0, like=TUNED_LIKE_POWER)
    ordinary = [
        row._replace(is_ordinary=True)
        for row in _weighed(
            load_rows(catalog, ORDINARY_STEPS), weight=ORDINARY_WEIGHT, like=ORDINARY_LIKE_POWER
        )
    ]
    return batch_of([*tuned, *ordinary])


def _weighed(rows: Sequence[Expressed], *, weight: float, like: float) -> list[Expressed]:
    """The rows with their weights: each the weight, times the number of its like to a power."""
    number = Counter(group_of(row) for row in rows)
    return [row._replace(weight=weight * number[group_of(row)] ** like) for row in rows]


def load_rows(catalog: Catalog, path: Path) -> list[Expressed]:
    """The rows of one file that the engine can express."""
    found = (expressed(row, catalog) for row in read_measurements(path))
    return [row for row in found if isinstance(row, Expressed)]


def is_ordinary(batch: Batch) -> NDArray[np.bool_]:
    """The rows of ordinary stacks."""
    return np.array([row.is_ordinary for row in batch.rows])


def folds_in(batch: Batch) -> NDArray[np.int64]:
    """The folds of tuned and of ordinary rows, each dealt out for themselves."""
    ordinary = is_ordinary(batch)
    groups = np.array([group_of(row) for row in batch.rows])
    folds = np.zeros(len(groups), dtype=np.int64)
    for rows in (ordinary, ~ordinary):
        if rows.any():
            folds[rows] = folds_of(list(groups[rows]))
    return folds


def load_specs(directory: Path = ENGINE) -> tuple[tuple[ConstantRow, ...], tuple[EffectRow, ...]]:
    """The constants and effects with their priors, as written by hand."""
    constants = _table(directory / "constants.toml", "constant", ConstantRow)
    return constants, _table(directory / "effects.toml", "effect", EffectRow)


def load_space(
    batch: Batch, directory: Path = ENGINE, *, without: Mapping[str, float] | None = None
) -> Space:
    """What is fitted; constants in `without` are held there."""
    constants, effects = load_specs(directory)
    machines = [row.machine for row in batch.rows]
    return space_of(constants, effects, machines, without=without)


def refit(catalog: Catalog) -> Refit:
    """Everything anew: the fit to all rows, to four fifths, and to all sources but one."""
    batch = load_batch(catalog)
    constants, effects = load_specs()
    space = load_space(batch)
    whole = fit(batch, space)
    folds = folds_in(batch)
    sources = [source_of(row) for row in batch.rows]
    return Refit(
        batch=batch,
        constants=constants,
        effects=effects,
        whole=whole,
        by_group=left_out(batch, list(folds), space, start=whole.logs),
        by_source=left_out(batch, sources, space, start=whole.logs),
    )


def made(catalog: Catalog) -> Texts:
    """The engine's data files as a fit to today's measurements makes them."""
    return engine_texts(refit(catalog))


def witness(catalog: Catalog) -> Iterator[str]:
    """What the fit hangs on: priors, rows, and what the engine says of each row.

    Two vectors of constants are asked, the priors and the fitted ones.
    """
    batch = load_batch(catalog)
    constants, effects = load_specs()
    for spec in (*constants, *effects):
        believed = msgspec.structs.asdict(spec)
        yield str({name: believed[name] for name in believed if name not in FITTED_MEMBERS})
    space = load_space(batch)
    before = predicted_by(batch, space.constants(space.prior))
    now = predicted_by(batch, catalog.engine.constants)
    for row, one, other in zip(batch.rows, before, now, strict=True):
        labels = "|".join(label(row) for label in (group_of, *LABELS.values()))
        yield f"{row.row.id}|{labels}|{row.measured_s:.6g}|{one:.6g}|{other:.6g}"


def engine_texts(done: Refit, directory: Path = ENGINE) -> Texts:
    """The files of constants, effects, errors and covariance."""
    space, logs = done.whole.space, done.whole.logs
    names = (*space.names, *space.effects)
    spread = dict(zip(names, np.sqrt(np.diag(done.whole.covariance)), strict=True))
    values = space.values(logs)
    constants = [
        msgspec.structs.replace(
            row,
            value=_rounded(values[row.name]),
            log_sd=_rounded(float(spread.get(row.name, 0.0))),
        )
        for row in done.constants
    ]
    tables: dict[str, tuple[str, Sequence[Any]]] = {
        "constants.toml": ("constant", constants),
        "effects.toml": ("effect", _effects(done, spread)),
        "errors.toml": ("error", errors_of(done)),
    }
    texts = {
        directory / name: _toml_text(directory / name, table, rows)
        for name, (table, rows) in tables.items()
    }
    return texts | {directory / "covariance.csv": _covariance_text(names, done.whole.covariance)}


def errors_of(done: Refit) -> list[dict[str, Any]]:
    """Log of measured over predicted on unseen rows, by kind; `unseen` leaves out whole sources.

    `anchored_*` is what is left where the median error of the same model, precision, device and
    source is known.
    """
    kinds = np.array([kind_of(row) for row in done.batch.rows])
    grouped = np.log(done.batch.measured_s / done.by_group)
    unseen = np.log(done.batch.measured_s / done.by_source)
    ordinary = is_ordinary(done.batch)
    kinds = np.where(ordinary, "ordinary", kinds)
    return [
        _error("dense", grouped[kinds == "dense"]),
        _error("moe", grouped[kinds == "moe"]),
        _error("ordinary", grouped[ordinary], weights=done.batch.weights[ordinary]),
        _error("unseen", unseen),
        _error("anchored_dense", _anchored(done.batch, unseen, of=kinds == "dense")),
        _error("anchored_moe", _anchored(done.batch, unseen, of=kinds == "moe")),
    ]


def _anchored(batch: Batch, logs: Array, *, of: NDArray[np.bool_]) -> Array:
    labels = np.array(
        [
            f"{source_of(row)}|{row.machine.device}|{row.row.model}|{row.row.precision}"
            for row in batch.rows
        ]
    )
    left = []
    for label in np.unique(labels):
        mine = logs[(labels == label) & of]
        if mine.size >= ANCHORED_ROWS:
            left.append(mine - np.median(mine))
    return np.concatenate(left)


def _error(kind: str, logs: Array, *, weights: Array | None = None) -> dict[str, Any]:
    """Quantiles of residuals. Where rows have weights, they are quantiles of weight."""
    if weights is not None:
        logs = _repeated(logs, weights)
    low, high = np.quantile(logs, SIGMA_QUANTILES)
    return {
        "kind": kind,
        "rows": int(logs.size if weights is None else weights.size),
        "sigma": _rounded(float(high - low) / 2, digits=4),
        "quantiles": [_rounded(float(q), digits=4) for q in np.quantile(logs, QUANTILES)],
    }


def _repeated(logs: Array, weights: Array) -> Array:
    """Each residual as often as its weight says, in hundredths of the whole weight of one row."""
    return np.repeat(logs, np.maximum(1, np.rint(100.0 * weights)).astype(int))


def _effects(done: Refit, spread: dict[str, float]) -> list[EffectRow]:
    """Fitted effects, and those that are only believed because no row knows them."""
    space = done.whole.space
    believed = {row.name: row for row in done.effects}
    start = len(space.names)
    rows = {
        name: EffectRow(
            name=name,
            value=_rounded(float(done.whole.logs[start + place])),
            log_sd=_rounded(spread[name]),
            prior=float(space.prior[start + place]),
            prior_log_sd=float(space.prior_sd[start + place]),
            why=believed[name].why if name in believed else "",
        )
        for place, name in enumerate(space.effects)
    }
    kept = {name: row for name, row in believed.items() if row.prior and name not in rows}
    return [row for _, row in sorted({**rows, **kept}.items())]


def _table(path: Path, table: str, kind: type[msgspec.Struct]) -> Any:
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get(table, [])
    return tuple(msgspec.convert(entry, kind) for entry in entries)


def _toml_text(path: Path, table: str, rows: Iterable[Any]) -> str:
    """Rows as TOML tables below the comment that the file begins with."""
    head = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if not line.startswith("#"):
            break
        head.append(line)
    blocks = ["\n".join(head)] if head else []
    for row in rows:
        members = msgspec.to_builtins(row)
        lines = [f"[[{table}]]", *(f"{key} = {_toml(value)}" for key, value in members.items())]
        blocks.append("\n".join(lines))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return repr(value)


def _covariance_text(names: Sequence[str], covariance: Array) -> str:
    """The covariance of the logs as CSV, names in the header and in the first column."""
    lines = [",".join(["name", *names])]
    for name, row in zip(names, covariance, strict=True):
        lines.append(",".join([name, *(f"{value:.4g}" for value in row)]))
    return "\n".join(lines) + "\n"


def _rounded(value: float, *, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}")
