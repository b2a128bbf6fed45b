"""Do predictions hold on published measured steps that the fit did not see?

The limits are those of the engine's specification. All that is random is seeded.
"""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from lab.files import STEP_MEASUREMENTS
from lab.steps.fit import fit, folds_of, left_out
from lab.steps.refit import load_batch, load_space
from lab.steps.report import REPORT
from service.cli import app
from service.scoring.lines import members_ignored
from service.scoring.steps.batch import batch_of, predicted_by
from service.scoring.steps.measurements import Measurement
from service.scoring.steps.score import group_of, kind_of
from tests.worlds import embedded

BATCH = load_batch(embedded())
SPACE = load_space(BATCH)
COMMITTED = np.array(
    [
        *(np.log(embedded().engine.constants.values[name]) for name in SPACE.names),
        *(embedded().engine.constants.effects[name] for name in SPACE.effects),
    ]
)


def reported(name):
    """The line of the committed report, in fractions: grouped median, p90, bias, then by source."""
    (line,) = (
        line
        for line in REPORT.read_text(encoding="utf-8").splitlines()
        if re.match(rf"\| {name} \(?\d+\)? \|", line)
    )
    return [float(cell) / 100 for cell in line.split("|")[2:-1]]


def test_the_committed_constants_are_those_that_the_measurements_give():
    again = fit(BATCH, SPACE)
    assert again.logs == pytest.approx(COMMITTED, abs=0.02)
    known = predicted_by(BATCH, embedded().engine.constants)
    assert predicted_by(BATCH, again.constants) == pytest.approx(known, rel=0.01)


def test_configurations_that_the_fit_did_not_see_are_predicted_within_the_limits():
    median, p90, bias, *_ = reported("all")
    assert median <= 0.07
    assert p90 <= 0.22
    assert abs(bias) <= 0.02
    assert reported("moe")[0] <= 0.12


def test_sources_that_the_fit_did_not_see_are_predicted_within_the_limit():
    assert reported("all")[3] <= 0.15


def test_rows_are_predicted_by_fits_that_have_not_seen_them():
    """Rows that took twice as long move the predictions of others, and not their own."""
    rows, doubled = list(BATCH.rows[:60]), 5
    slower = [
        row._replace(measured_s=2.0 * row.measured_s) if place < doubled else row
        for place, row in enumerate(rows)
    ]
    labels = ["doubled" if place < doubled else "as measured" for place in range(len(rows))]
    space = load_space(batch_of(rows))
    before, after = (left_out(batch_of(seen), labels, space) for seen in (rows, slower))
    assert after[:doubled] == pytest.approx(before[:doubled])
    assert np.median(after[doubled:] / before[doubled:]) > 1.1


def test_groups_are_never_split_between_folds():
    groups = np.array([group_of(row) for row in BATCH.rows])
    folds = folds_of(list(groups))
    assert all(len(set(folds[groups == group])) == 1 for group in np.unique(groups))
    assert set(folds) == set(range(5))


def test_a_constant_that_no_row_knows_stays_at_its_prior():
    dense = batch_of([row for row in BATCH.rows if kind_of(row) == "dense"])
    fitted = fit(dense, SPACE)
    place = SPACE.names.index("expert_ratio_fused")
    assert fitted.logs[place] == pytest.approx(SPACE.prior[place], abs=1e-3)


def test_scoring_a_file_prints_what_the_constants_miss_without_fitting(tmp_path):
    lines = STEP_MEASUREMENTS.read_text(encoding="utf-8").splitlines()[:40]
    row = json.loads(lines[0])
    bare = {
        "id": "bare",
        "arch": {**row["arch"], "experts": None},
        "accelerator": "Never-Heard-Of-9000",
        "device_count": None,
        "parallelism": {"tp": None},
        "measured": {"tokens_per_s_per_device": 1000.0},
        "colour": "green",
    }
    recalled = {**row, "id": "recalled", "memory": True}
    refused = {**row, "id": "refused", "excluded_from_eval": "whole-run figure"}
    empty = {"id": "empty"}
    extra = [json.dumps(line) for line in (bare, recalled, refused, empty)]
    file = tmp_path / "steps.jsonl"
    file.write_text("\n".join([*lines, *extra]) + "\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["accuracy", "--steps", str(file), "--json"])
    assert result.exit_code == 0
    score = json.loads(result.stdout)
    scored = [json.loads(line) for line in lines]
    wanted = [r for r in scored if not r["memory"] and not r["excluded_from_eval"]]
    assert score["rows"] == len(wanted) + 2
    assert score["expressed"] == len(wanted)
    assert {row["id"]: row["why"] for row in score["not_expressed"]} == {
        "bare": "the device is not in the catalog",
        "empty": "the model or its sequence length is not described",
    }
    assert set(score["by"]) >= {"source", "accelerator", "precision", "parallelism"}
    assert score["members_ignored"] == members_ignored(file, Measurement)
    assert score["members_ignored"]["colour"] == 1
    sizes = [abs(row["error"]) for row in score["worst"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {"median_abs_error", "p90_abs_error", "median_bias"} < set(score)
    precisions = score["by"]["precision"].values()
    assert sum(part["rows"] for part in precisions) == score["expressed"]
    table = CliRunner().invoke(app, ["accuracy", "--steps", str(file)])
    assert table.exit_code == 0
    assert "rows expressed" in table.stdout
