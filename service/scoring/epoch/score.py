"""Our amounts of `epoch-2024` compared with the published calculation, row by row.

A file in the format of `lab/data/epoch_costs.csv` has a row for each model: the known facts of its
training, and the amounts of a rerun of the authors' own calculation (`rerun_*`, `component_*`). Our
amounts for the same facts are compared with those of the rerun.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from service.scoring.epoch.method import (
    NotExpressedError,
    Tables,
    estimate,
    hardware_of,
    load_tables,
    number_in,
)

WITHIN = 0.005

COLUMNS = {
    "rerun_nominal_usd_per_chip_hour": "usd_per_device_hour",
    "rerun_nominal_capex_energy_usd": "capex_energy_usd",
    "rerun_capex_energy_usd_jun2025": "capex_energy_usd_jun2025",
    "rerun_acquisition_usd_jun2025": "acquisition_usd_jun2025",
    "rerun_cloud_usd_jun2025": "cloud_usd_jun2025",
    "component_chip_usd": "accelerator_usd",
    "component_server_usd": "server_usd",
    "component_interconnect_usd": "network_usd",
    "component_energy_usd": "energy_usd",
}
"""Column of the file -> our amount."""


class Cell(NamedTuple):
    """One amount of one row, ours and that of the rerun."""

    model: str
    hardware: str
    column: str
    ours: float
    theirs: float

    @property
    def error(self) -> float:
        """Ours over theirs, less one."""
        return self.ours / self.theirs - 1.0


def score_epoch(path: str | Path, tables: Tables | None = None) -> dict[str, Any]:
    """Compare every amount of a file with ours. Errors are |ours / theirs - 1|."""
    tables = tables or load_tables()
    cells: list[Cell] = []
    missing: list[dict[str, str]] = []
    models = set()
    for row in _read(Path(path)):
        printed = {column: value for column in COLUMNS if (value := number_in(row, column))}
        if not printed:
            continue
        models.add(row.get("model", ""))
        try:
            ours = estimate(row, tables)
        except NotExpressedError as why:
            missing.append({"model": row.get("model", ""), "column": "all", "why": str(why)})
            continue
        for column, theirs in printed.items():
            mine = ours.get(COLUMNS[column])
            if mine is None:
                missing.append(
                    {"model": row.get("model", ""), "column": column, "why": "no such input"}
                )
                continue
            hardware = hardware_of(row, tables).name
            cells.append(Cell(row.get("model", ""), hardware, column, mine, theirs))
    return _summary(len(models), cells, missing)


def _summary(rows: int, cells: list[Cell], missing: list[dict[str, str]]) -> dict[str, Any]:
    worst = sorted(cells, key=lambda cell: -abs(cell.error))
    off = {cell.model for cell in cells if abs(cell.error) > WITHIN}
    lost = {gap["model"] for gap in missing}
    expressed = {cell.model for cell in cells}
    return {
        "rows": rows,
        "expressed": len(expressed),
        "rows_within_half_percent": len(expressed - off - lost),
        "not_expressed": missing,
        **_spread(cells),
        "by": {
            "column": {
                column: _spread(cell for cell in cells if cell.column == column)
                for column in COLUMNS
            },
            "hardware": {
                name: _spread(cell for cell in cells if cell.hardware == name)
                for name in sorted({cell.hardware for cell in cells})
            },
        },
        "worst": [
            {
                "model": cell.model,
                "column": cell.column,
                "ours": cell.ours,
                "theirs": cell.theirs,
                "error": cell.error,
            }
            for cell in worst[:10]
        ],
    }


def _spread(cells: Iterable[Cell]) -> dict[str, Any]:
    errors = sorted(abs(cell.error) for cell in cells)
    if not errors:
        return {"amounts": 0}
    return {
        "amounts": len(errors),
        "median_abs_error": median(errors),
        "p90_abs_error": errors[min(len(errors) - 1, int(0.9 * len(errors)))],
        "max_abs_error": errors[-1],
        "within_half_percent": sum(error <= WITHIN for error in errors) / len(errors),
    }


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
