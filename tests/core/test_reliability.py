"""Goodput: published runs and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.cluster.failures import (
    goodput,
    held_device_hours,
    optimal_interval_seconds,
    spot_interruptions_per_device_day,
)

AUTOMATIC = {
    "failures_per_device_day": 4.7e-4,
    "spot_interruptions_per_device_day": 0.0,
    "restart_seconds": 480.0,
    "checkpoint_seconds": 15.0,
    "checkpoint_interval_seconds": 0.0,
}
devices = st.floats(1.0, 1e5)
rates = st.floats(0.0, 0.01)


def spread(centre, low, high, z):
    """A log-normal figure at `z` standard deviations, from its 90% interval."""
    return centre * np.exp(np.log(high / low) / (2 * 1.645) * z)


def test_llama_3_failure_rate_is_its_interruptions_over_its_gpus_and_days():
    assert pytest.approx(4.7e-4, rel=0.01) == 419 / 16_384 / 54


def test_llama_3_trains_for_nine_tenths_of_its_time():
    """The report says more than 90% effective training time."""
    run = goodput(devices=16_384, **AUTOMATIC)
    assert 0.90 <= run.goodput <= 0.97
    assert run.mean_hours_between_failures == pytest.approx(24 / (16_384 * 4.7e-4))


def test_megascale_trains_for_nine_tenths_of_its_time():
    """12,288 GPUs, more than 100 recoveries in several weeks, more than 90% effective."""
    rate = 100 / 12_288 / 30
    run = goodput(devices=12_288, **{**AUTOMATIC, "failures_per_device_day": rate})
    assert 0.90 <= run.goodput <= 0.98


def test_opt_175b_lost_its_weeks_to_manual_restarts():
    """33 ideal days took 56 on 992 A100; p10 to p90 of the defaults for manual recovery hold it."""
    draws = np.random.default_rng(1).standard_normal((3, 4_000))
    run = goodput(
        devices=992.0,
        failures_per_device_day=spread(8.1e-4, 2.5e-4, 2.6e-3, draws[0]),
        spot_interruptions_per_device_day=0.0,
        restart_seconds=spread(14_400.0, 3_600.0, 43_200.0, draws[1]),
        checkpoint_seconds=spread(60.0, 10.0, 300.0, draws[2]),
        checkpoint_interval_seconds=0.0,
    )
    low, high = np.percentile(run.goodput, [10, 90])
    assert low <= 33 / 56 <= high


def test_opt_175b_follows_from_its_own_restarts():
    """105 restarts in 56 days, five hours each, a checkpoint every three hours."""
    run = goodput(
        devices=992,
        failures_per_device_day=105 / 56 / 992,
        spot_interruptions_per_device_day=0.0,
        restart_seconds=5 * 3_600,
        checkpoint_seconds=60,
        checkpoint_interval_seconds=3 * 3_600,
    )
    assert run.goodput == pytest.approx(33 / 56, abs=0.03)


@given(count=devices, interval=st.sampled_from([0.0, 600.0, 7_200.0]))
def test_without_failures_goodput_is_one(count, interval):
    run = goodput(
        devices=count,
        **{
            **AUTOMATIC,
            "failures_per_device_day": 0.0,
            "checkpoint_interval_seconds": interval,
        },
    )
    assert run.goodput == 1.0
    assert run.restart_share == run.rework_share == run.checkpoint_share == 0.0


@given(count=devices, rate=rates, restart=st.floats(1.0, 1e5), write=st.floats(0.1, 1e4))
def test_the_shares_of_time_add_up_to_one(count, rate, restart, write):
    run = goodput(
        devices=count,
        failures_per_device_day=rate,
        spot_interruptions_per_device_day=0.0,
        restart_seconds=restart,
        checkpoint_seconds=write,
        checkpoint_interval_seconds=0.0,
    )
    whole = run.goodput + run.checkpoint_share + run.restart_share + run.rework_share
    assert whole == pytest.approx(1.0)
    assert 0.0 < run.goodput <= 1.0
    assert all(np.isfinite(share) for share in run)


@given(few=devices, many=devices, rate=rates)
def test_a_larger_cluster_never_has_a_better_goodput(few, many, rate):
    few, many = sorted((few, many))
    small, large = (
        goodput(devices=count, **{**AUTOMATIC, "failures_per_device_day": rate}).goodput
        for count in (few, many)
    )
    assert large <= small + 1e-12


@given(interval=st.floats(10.0, 1e6), count=st.floats(64.0, 2e4))
def test_no_given_interval_does_better_than_the_optimal_one(interval, count):
    best = goodput(devices=count, **AUTOMATIC).goodput
    chosen = goodput(
        devices=count, **{**AUTOMATIC, "checkpoint_interval_seconds": interval}
    ).goodput
    assert chosen <= best + 1e-4


def test_youngs_interval_is_the_first_term_of_dalys():
    mean = 3.1 * 3_600
    young = (2 * 15 * mean) ** 0.5
    daly = optimal_interval_seconds(checkpoint_seconds=15.0, mean_seconds_between_failures=mean)
    assert daly == pytest.approx(young, rel=0.03)
    assert daly < young


def test_spot_reclaims_interrupt_a_run_once_per_instance():
    rate = spot_interruptions_per_device_day(monthly_reclaimed_share=0.15, devices_per_instance=8)
    assert rate == pytest.approx(-np.log(0.85) / (365.25 / 12) / 8)
    assert (
        spot_interruptions_per_device_day(monthly_reclaimed_share=0.0, devices_per_instance=8) == 0
    )
    held = goodput(devices=512, **AUTOMATIC)
    spot = goodput(devices=512, **{**AUTOMATIC, "spot_interruptions_per_device_day": rate})
    assert spot.goodput < held.goodput


def test_disclosed_hours_hold_everything_else():
    held = held_device_hours(
        useful_device_hours=900.0, goodput=0.9, evaluation_share=0.02, idle_share=0.03
    )
    assert held == pytest.approx(900 / 0.9 / 0.95)


def test_draws_and_single_numbers_agree():
    counts = np.array([8.0, 1_024.0, 16_384.0])
    together = goodput(devices=counts, **AUTOMATIC)
    alone = [goodput(devices=float(count), **AUTOMATIC).goodput for count in counts]
    assert together.goodput == pytest.approx(alone)


def test_dalys_interval_by_hand():
    """d = 2 and M = 100 seconds: sqrt(2 d M) is 20, and sqrt(d / 2M) a tenth."""
    daly = optimal_interval_seconds(checkpoint_seconds=2.0, mean_seconds_between_failures=100.0)
    assert daly == pytest.approx(20 * (1 + 0.1 / 3 + 0.01 / 9) - 2)


@given(share=st.floats(1e-6, 0.2), mean=st.floats(60.0, 1e7))
def test_dalys_interval_is_where_the_loss_of_a_cycle_is_least(share, mean):
    """exp((t + d) / M) / t is least where t / M = 1 - exp(-(t + d) / M)."""
    pause = share * mean
    t = optimal_interval_seconds(checkpoint_seconds=pause, mean_seconds_between_failures=mean)
    assert t / mean == pytest.approx(1 - np.exp(-(t + pause) / mean), rel=2e-3)


def test_checkpoints_that_take_longer_than_failures_let_them_be_every_mean_time():
    """From d = 2 M on."""
    for pause in (200.0, 1_000.0):
        assert (
            optimal_interval_seconds(checkpoint_seconds=pause, mean_seconds_between_failures=100.0)
            == 100.0
        )


def test_a_cycle_loses_its_pause_its_restart_and_half_of_what_it_redoes():
    """A failure a day, checkpoints of 100 seconds each hour, restarts of half an hour."""
    run = goodput(
        devices=100.0,
        failures_per_device_day=0.006,
        spot_interruptions_per_device_day=0.004,
        restart_seconds=1_800.0,
        checkpoint_seconds=100.0,
        checkpoint_interval_seconds=3_600.0,
    )
    rate = 1 / 86_400
    held = np.exp(rate * 1_800) * (np.exp(rate * 3_700) - 1) / (rate * 3_600)
    assert run.goodput == pytest.approx(1 / held)
    assert run.failures_per_day == pytest.approx(1.0)
    assert run.mean_hours_between_failures == pytest.approx(24.0)
    pause, redone, restart = 100 / 3_600, rate * 3_700 / 2, rate * 1_800
    whole = pause + redone + restart
    lost = 1 - 1 / held
    assert run.checkpoint_share == pytest.approx(lost * pause / whole)
    assert run.rework_share == pytest.approx(lost * redone / whole)
    assert run.restart_share == pytest.approx(lost * restart / whole)
