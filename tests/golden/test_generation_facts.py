"""Measured throughput of generation against what a quote predicts."""

import json

import pytest
from typer.testing import CliRunner

from lab.files import GENERATION_FACTS
from service.cli import app
from service.scoring.generation.score import score_generation
from tests.worlds import embedded

RUN = CliRunner()
ONE = {
    "id": "one",
    "engine": "vllm",
    "model": "llama3.1-8b",
    "precision": "bf16",
    "accelerator": "H100-80GB-SXM",
    "devices": 1,
    "tp": 1,
    "requests": 64,
    "prompt_tokens": 128,
    "output_tokens": 256,
    "tokens_per_s_output": 5000.0,
}


@pytest.fixture(scope="module")
def score():
    return score_generation(GENERATION_FACTS, embedded())


def scored(rows, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = RUN.invoke(app, ["accuracy", "--generation", str(file), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_throughput_is_met_as_well_as_the_intervals_say(score):
    """What is left of a bias is that of few mixtures of experts, whose kernels were not tuned."""
    assert score["expressed"] >= 0.98 * score["rows"]
    assert score["median_abs_log_ratio"] <= 0.15
    assert abs(score["median_log_ratio"]) <= 0.07
    assert 0.70 <= score["coverage"] <= 0.88
    assert score["median_p90_over_p10"] <= 3.0


def test_batches_on_other_devices_than_the_h20_have_little_bias(score, tmp_path):
    facts = [json.loads(line) for line in GENERATION_FACTS.read_text("utf-8").splitlines()]
    file = tmp_path / "others.jsonl"
    others = [fact for fact in facts if fact["accelerator"] != "H20"]
    file.write_text("\n".join(map(json.dumps, others)), encoding="utf-8")
    assert abs(score_generation(file, embedded())["median_log_ratio"]) <= 0.03
    assert abs(score["by"]["accelerator"]["H20"]["median_log_ratio"]) <= 0.12


def test_rows_that_cannot_be_said_are_named_with_the_reason(score):
    assert len(score["not_expressed"]) == score["rows"] - score["expressed"]
    assert all(gap["why"] for gap in score["not_expressed"])


def test_the_throughput_of_one_device_is_compared(tmp_path):
    """Sources print all devices together, unless they say otherwise."""
    two = ONE | {"devices": 2, "tp": 2}
    both, each = scored([two, two | {"notes": "per device"}], tmp_path)["worst"]
    assert {both["measured"], each["measured"]} == {2500.0, 5000.0}
    assert both["predicted"] == each["predicted"]


def test_members_that_the_format_does_not_know_are_counted(tmp_path):
    assert scored([ONE | {"mood": 1}, ONE], tmp_path)["members_ignored"] == {"mood": 1}
