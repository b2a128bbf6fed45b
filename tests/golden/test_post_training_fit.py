"""Are the constants of reinforcement those of the published runs, and what are they worth?"""

import csv
import math
import statistics

import numpy as np
import pytest
from msgspec import UNSET

from lab.files import LEFT_OUT
from lab.post_training.fit import COVARIANCE, REPORT, fit_post_training, weights_of
from lab.post_training.report import with_steps_per_rollout
from lab.post_training.rows import (
    central_hours,
    committed_logs,
    load_priors,
    load_rows,
    log_ratios,
    range_of,
    with_constants,
)
from service.core.request.work import Reinforcement
from tests.worlds import embedded

PRIORS = load_priors()
ROWS = load_rows(embedded())
COMMITTED = committed_logs(embedded(), PRIORS)


@pytest.fixture(scope="module")
def left_out():
    with LEFT_OUT.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row for row in csv.DictReader(lines)}


def test_what_the_rows_say_makes_every_constant_better_known():
    rows = csv.reader(COVARIANCE.read_text(encoding="utf-8").splitlines()[1:])
    covariance = np.array([[float(cell) for cell in row[1:]] for row in rows])
    assert covariance == pytest.approx(covariance.T)
    assert np.all(np.linalg.eigvalsh(covariance) > 0.0)
    for prior, variance in zip(PRIORS, np.diag(covariance), strict=True):
        assert 0.0 < math.sqrt(variance) < prior.log_sd


def test_few_constants_are_fitted_and_each_says_what_it_was_before():
    """Six for 21 runs. Of one, how fast software gets faster, these runs say next to nothing."""
    assert len(PRIORS) <= 6
    for prior, log in zip(PRIORS, COMMITTED, strict=True):
        low, value, high = range_of(prior, log)
        assert prior.why
        assert prior.least <= low <= value < high
        assert prior.low <= prior.prior <= prior.high


def test_the_fit_finds_the_constant_that_made_the_rows():
    """Colocated runs of unknown length, disclosed as if their responses had 1,300 tokens."""
    truth = np.log([prior.prior for prior in PRIORS])
    truth[0] = math.log(1_300.0)
    rows = [
        row
        for row in ROWS
        if row.id in {"deepscaler-1.5b", "areal-1.5b-sync"} or "colocate" in row.id
    ]
    made = [
        row._replace(disclosed=row.disclosed * math.exp(log))
        for row, log in zip(rows, log_ratios(rows, embedded(), PRIORS, truth), strict=True)
    ]
    found = fit_post_training(made, embedded(), PRIORS)
    assert PRIORS[0].name == "inference.response_tokens"
    assert 1_200.0 < math.exp(found.logs[0]) < 1_800.0 < PRIORS[0].prior


def test_rows_of_one_source_count_for_less_than_as_many_of_several():
    weight = dict(zip((row.id for row in ROWS), weights_of(ROWS), strict=True))
    assert weight["deepseek-r1-zero"] == 1.0
    assert weight["areal-1.5b-sync"] == pytest.approx(1.5**-0.5)
    assert sum(weight[row.id] ** 2 for row in ROWS if row.source == "NVIDIA") < 2.0


def test_half_of_the_runs_of_unseen_sources_are_within_a_factor_of_one_and_a_half(left_out):
    assert set(left_out) == {row.id for row in ROWS}
    errors = [abs(float(row["left_out"])) for row in left_out.values()]
    assert statistics.median(errors) <= math.log(1.5)


def test_the_errors_in_the_sample_are_those_of_the_committed_constants(left_out):
    now = log_ratios(ROWS, embedded(), PRIORS, COMMITTED)
    assert [float(left_out[row.id]["in_sample"]) for row in ROWS] == pytest.approx(now, abs=0.02)


def test_the_report_shows_what_is_left_out(left_out):
    text = REPORT.read_text(encoding="utf-8")
    for id, row in left_out.items():
        assert f"| {id} | {row['source']} |" in text
    covered = statistics.mean(row["left_out_covered"] == "yes" for row in left_out.values())
    assert f"of {covered:.0%} of the rows" in text


def test_an_assumed_rollout_moves_no_run_away_from_what_its_source_says():
    for row in ROWS:
        work = row.request.run.stages[0].work
        assert isinstance(work, Reinforcement)
        assumed = central_hours(with_steps_per_rollout(row.request, UNSET), embedded())
        one_each = central_hours(with_steps_per_rollout(row.request, 1.0), embedded())
        as_described = central_hours(row.request, embedded())
        if work.steps_per_rollout is not UNSET:
            assert assumed == pytest.approx(as_described, rel=0.01)
        if row.id == "deepseek-r1-zero":
            assert one_each > 5.0 * assumed


def test_constants_of_a_vector_stand_in_the_catalog_with_their_ranges():
    logs = COMMITTED + 0.1
    moved = with_constants(embedded(), PRIORS, logs)
    for prior, log in zip(PRIORS, logs, strict=True):
        datum = moved.assumption(prior.name)
        assert datum._value == pytest.approx(math.exp(log))
        assert isinstance(datum.low, float)
        assert isinstance(datum.high, float)
        assert datum.low <= datum._value <= datum.high
    assert committed_logs(moved, PRIORS) == pytest.approx(logs)


def test_the_hours_left_out_are_those_of_the_errors(left_out):
    for row in ROWS:
        found = left_out[row.id]
        assert float(found["central"]) / row.disclosed == pytest.approx(
            math.exp(float(found["left_out"])), rel=0.01
        )
        within = float(found["p10"]) <= row.disclosed <= float(found["p90"])
        assert found["left_out_covered"] == ("yes" if within else "no")
