"""Published runs quoted as if they had not been run.

`make check-generated` holds report, calibration and the catalog's predictions to the engine.
"""

import json

import pytest
from msgspec import UNSET
from typer.testing import CliRunner

from lab.files import MORE_RUNS, REFERENCE_RUNS
from lab.runs.calibration import is_vague
from lab.runs.leave_one_out import as_if_new
from service.cli import app
from service.scoring.runs.score import compare, score_of
from tests.worlds import embedded, number


@pytest.fixture(scope="module")
def rows():
    return (*compare(REFERENCE_RUNS, embedded()), *compare(MORE_RUNS, embedded()))


@pytest.fixture(scope="module")
def unseen():
    found, _ = as_if_new(embedded())
    return found


def test_intervals_hold_the_disclosed_hours_as_often_as_they_say(rows, unseen):
    """Of developers that the figures do not know, and of papers that are not vague: 80%, give or
    take what so many rows can tell. Quotes leave out the noise of vague papers.
    """
    precise = score_of([row for row in unseen if not is_vague(row)])
    least, most = precise["coverage_by_chance"]
    assert least <= precise["coverage"] <= most
    assert 0.72 <= score_of(unseen)["coverage"] <= 0.90
    assert 0.75 <= score_of(rows)["coverage"] <= 0.90


def test_runs_of_new_developers_are_met_within_a_quarter(unseen):
    assert score_of(unseen)["median_abs_log_ratio"] < 0.25


def test_a_developer_never_seen_is_quoted_without_its_own_rows(rows, unseen):
    """The error figures of a developer's quotes move when its own runs are taken out of them."""
    seen = {row.id: row.predicted.central for row in rows if row.predicted is not None}
    moved = {row.id for row in unseen if row.id in seen and row.predicted.central != seen[row.id]}
    assert {"llama31-405b", "llama2-70b"} <= moved


def test_predictions_of_all_runs_together_have_little_bias(rows):
    assert abs(score_of(rows)["median_log_ratio"]) < 0.05


def test_most_rows_can_be_expressed(rows):
    score = score_of(rows)
    assert score["expressed"] >= 0.85 * score["rows"]
    assert len(score["not_expressed"]) == score["rows"] - score["expressed"]
    assert all(gap["why"] for gap in score["not_expressed"])


@pytest.mark.parametrize(
    ("run", "within"),
    [("llama31-405b", 0.20), ("llama2-70b", 0.15)],
)
def test_disclosed_hours_are_met(rows, run, within):
    (row,) = (row for row in rows if row.id == run)
    assert row.predicted.central == pytest.approx(row.disclosed, rel=within)


def test_the_catalog_shows_what_is_predicted_beside_what_was_disclosed():
    run = embedded().runs["deepseek-r1-zero"]
    assert run.predicted is not UNSET
    assert run.predicted.p10 < number(run.device_hours) < run.predicted.p90


def test_any_file_in_the_format_is_scored(tmp_path):
    lines = REFERENCE_RUNS.read_text().splitlines()
    chosen = [line for line in lines if json.loads(line)["id"] in {"llama2-70b", "llama2-7b"}]
    file = tmp_path / "runs.jsonl"
    file.write_text("\n".join(chosen) + "\n")
    result = CliRunner().invoke(app, ["accuracy", "--runs", str(file), "--json"])
    assert result.exit_code == 0
    score = json.loads(result.stdout)
    assert score["rows"] == score["expressed"] == 2
    assert set(score["by"]) == {"kind", "accelerator", "grade", "left_open"}
    assert {row["id"] for row in score["worst"]} == {"llama2-70b", "llama2-7b"}
    assert 0.0 <= score["coverage"] <= 1.0
