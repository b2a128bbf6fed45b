"""Measured peaks of memory, and runs that died, against what a quote says of them."""

import json

import pytest
from typer.testing import CliRunner

from lab.files import MEMORY_FACTS
from service.cli import app
from service.scoring.memory.score import score_memory
from tests.worlds import embedded

RUN = CliRunner()
ONE = {
    "id": "one",
    "outcome": "fits",
    "model": "llama3-8b",
    "accelerator": "nvidia-a100-sxm-80gb",
    "devices": 1,
    "peft": "lora r16 attention",
    "sequence_length": 4096,
    "micro_batch": 1,
    "recompute": "full",
    "framework": "HF Trainer",
    "date": "2025-01",
    "peak_reserved_gib": 22.0,
}


@pytest.fixture(scope="module")
def score():
    return score_memory(MEMORY_FACTS, embedded())


def scored(rows, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = RUN.invoke(app, ["accuracy", "--memory", str(file), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_peaks_are_met_and_runs_that_ran_are_hardly_ever_refused(score):
    """The limits that the estimate is held to. `tight` is neither a refusal nor a promise."""
    assert score["median_abs_error"] <= 0.08
    assert abs(score["median_bias"]) <= 0.02
    assert score["ran_refused"] <= 0.03 * score["ran"]
    assert score["died_fits"] <= 0.15 * score["died"]


def test_rows_that_cannot_be_said_are_named_with_the_reason(score):
    assert score["expressed"] >= 0.9 * score["rows"]
    assert len(score["not_expressed"]) == score["rows"] - score["expressed"]
    assert all(gap["why"] for gap in score["not_expressed"])


def test_members_that_the_format_does_not_know_are_counted(tmp_path):
    rows = [ONE | {"weather": "fine"}, ONE | {"weather": None, "mood": 1}, ONE]
    assert scored(rows, tmp_path)["members_ignored"] == {"mood": 1, "weather": 2}


@pytest.mark.parametrize(
    "spelled", ["nvidia-a100-sxm-80gb", "A100-80GB-SXM", "NVIDIA A100-SXM4-80GB"]
)
def test_a_device_is_known_by_id_and_by_common_spellings(spelled, tmp_path):
    whole = scored([ONE], tmp_path)["worst"][0]
    assert scored([ONE | {"accelerator": spelled}], tmp_path)["worst"][0] == whole | {
        "accelerator": spelled
    }


def test_a_device_that_nobody_knows_is_not_taken_for_another(tmp_path):
    score = scored([ONE | {"accelerator": "Abacus 9"}], tmp_path)
    assert score["expressed"] == 0
    assert "'Abacus 9' is not in the catalog" in score["not_expressed"][0]["why"]


def test_a_run_that_died_counts_where_it_is_said_to_fit(tmp_path):
    died = ONE | {"outcome": "oom", "peak_reserved_gib": None}
    score = scored([ONE, died, died | {"micro_batch": 4096}], tmp_path)
    assert (score["ran"], score["ran_refused"]) == (1, 0)
    assert (score["died"], score["died_fits"]) == (2, 1)


def test_odd_rows_are_read_as_far_as_they_can_be(tmp_path):
    rows = [
        ONE | {"zero": 3, "devices": 2, "parallelism": "2 replicas", "base_bits": "4"},
        ONE | {"recompute": True, "peft": True, "source": "a page", "sequence_length": None},
        ONE | {"outcome": "unclear"},
        {"id": "bare", "outcome": "oom"},
    ]
    score = scored(rows, tmp_path)
    assert (score["rows"], score["expressed"], score["ran"]) == (4, 2, 2)
    assert [gap["id"] for gap in score["not_expressed"]] == ["one", "bare"]
