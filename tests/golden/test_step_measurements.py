"""Do predictions hold on published measured steps that the fit did not see?

The limits are those of the engine's specification. All that is random is seeded.
"""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lab.files import STEP_MEASUREMENTS
from lab.steps.fit import fit, folds_of, left_out
from lab.steps.refit import load_batch, load_space
from service.cli import app
from service.scoring.steps.batch import batch_of, predicted_by
from service.scoring.steps.score import group_of, kind_of, source_of
from tests.worlds import embedded

BATCH = load_batch(embedded())
SPACE = load_space(BATCH)
COMMITTED = np.array(
    [
        *(np.log(embedded().engine.constants.values[name]) for name in SPACE.names),
        *(embedded().engine.constants.effects[name] for name in SPACE.effects),
    ]
)


def errors_without(labels):
    return left_out(BATCH, labels, SPACE, start=COMMITTED) / BATCH.measured_s - 1


def test_the_committed_constants_are_those_that_the_measurements_give():
    again = fit(BATCH, SPACE)
    assert again.logs == pytest.approx(COMMITTED, abs=0.02)
    known = predicted_by(BATCH, embedded().engine.constants)
    assert predicted_by(BATCH, again.constants) == pytest.approx(known, rel=0.01)


def test_configurations_that_the_fit_did_not_see_are_predicted_within_the_limits():
    errors = errors_without(list(folds_of([group_of(row) for row in BATCH.rows])))
    assert np.median(np.abs(errors)) <= 0.07
    assert np.quantile(np.abs(errors), 0.9) <= 0.22
    assert abs(np.median(errors)) <= 0.02
    experts = np.array([kind_of(row) == "moe" for row in BATCH.rows])
    assert np.median(np.abs(errors[experts])) <= 0.12


def test_sources_that_the_fit_did_not_see_are_predicted_within_the_limit():
    errors = errors_without([source_of(row) for row in BATCH.rows])
    assert np.median(np.abs(errors)) <= 0.15


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
    assert score["expressed"] == len(wanted) + 1
    assert set(score["by"]) >= {"source", "accelerator", "precision", "parallelism"}
    sizes = [abs(row["error"]) for row in score["worst"]]
    assert sizes == sorted(sizes, reverse=True)
    assert score["by"]["accelerator"]["Never-Heard-Of-9000"]["rows"] == 1
    assert {"median_abs_error", "p90_abs_error", "median_bias"} < set(score)
    precisions = score["by"]["precision"].values()
    assert sum(part["rows"] for part in precisions) == score["expressed"]
    table = CliRunner().invoke(app, ["accuracy", "--steps", str(file)])
    assert table.exit_code == 0
    assert "rows expressed" in table.stdout
