"""Phases of a reinforcement step: sums, overlaps and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.stages.reinforcement.formulas import (
    StepPhases,
    colocated_step,
    forward_seconds,
    off_policy_step,
    run_device_hours,
    weight_transfer_seconds,
)

seconds = st.floats(0.0, 1e6)
phases = st.builds(StepPhases, *[seconds] * 8)


@given(phases=phases)
def test_a_colocated_step_is_the_sum_of_its_phases(phases):
    assert colocated_step(phases=phases).seconds == pytest.approx(sum(phases))


@given(phases=phases)
def test_side_by_side_is_never_slower_than_in_turn_and_never_faster_than_one_side(phases):
    apart, together = colocated_step(phases=phases), off_policy_step(phases=phases)
    assert together.seconds <= apart.seconds * (1 + 1e-12)
    assert together.seconds >= max(together.generating, together.training)


@given(phases=phases)
def test_side_by_side_only_the_faster_side_waits(phases):
    step = off_policy_step(phases=phases)
    assert min(step.waiting_generators, step.waiting_trainers) == 0.0


def test_a_forward_pass_is_a_third_of_a_training_step():
    assert forward_seconds(training_seconds=270.0, passes=1.0) == 90.0


def test_r1_zero_took_68_seconds_a_step():
    """512 devices for 198 hours, 10,400 steps."""
    held = run_device_hours(step_seconds=68.5, steps=10_400.0, devices=512.0)
    assert held == pytest.approx(512 * 198, rel=0.01)


def test_weights_arrive_at_the_rate_of_one_device():
    assert weight_transfer_seconds(weight_bytes=40e9, byte_per_s=5e9) == 8.0
