"""Goodput, evaluation and idle time of a stage, through whole quotes."""

import msgspec
import pytest

from service.core.catalog.catalog import SpotReclaim
from tests.worlds import answer, datum, device, embedded, offer, run_of, told, world


def stage_of(accelerator="nvidia-h100-sxm-80gb", devices=1024, work=None, supply=None, **terms):
    body = {"kind": "compute", "flop": 1e24, "mfu": 0.4} | (work or {})
    quoted = answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": body}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": supply or {"kind": "rate", "usd_per_device_hour": 2.0},
                "reliability": terms,
            },
        },
        embedded(),
    )
    return quoted.stages[0], quoted


def test_llama_3_405b_trains_for_nine_tenths_of_its_time():
    stage, _ = stage_of(devices=16_384)
    assert 0.90 <= stage.goodput.central <= 0.98


def test_opt_175b_s_56_days_for_33_ideal_ones_lie_within_the_interval():
    """Manual restarts, and the catalog's ranges for evaluation and idle time."""
    beside = {
        "evaluation_share": {"low": 0.005, "high": 0.08, "central": 0.02},
        "idle_share": {"low": 0.005, "high": 0.2, "central": 0.03},
    }
    stage, quoted = stage_of("nvidia-a100-sxm-80gb", 992, recovery="manual", work=beside)
    ideal = quoted.figures["stages/0/device_hours_useful"].value
    assert stage.device_hours.p10 <= ideal * 56 / 33 <= stage.device_hours.p90


def test_without_failures_goodput_is_one_and_no_time_is_lost():
    stage, _ = stage_of(failures_per_device_day=0.0)
    assert stage.goodput.central == 1.0
    useful = 1e24 / (989e12 * 0.4) / 3600
    assert stage.device_hours.central == pytest.approx(useful, rel=2e-3)


def test_a_given_goodput_goes_before_failures():
    stage, quoted = stage_of(work={"goodput": 0.7})
    assert stage.goodput.central == 0.7
    assert not stage.losses.restart_share
    assert "assumed_goodput" not in {warning.code for warning in told(quoted)}


def test_spot_supply_interrupts_more_often():
    firm, _ = stage_of(supply={"kind": "market", "term": "on_demand"})
    spot, _ = stage_of(supply={"kind": "market", "term": "spot"})
    assert spot.goodput.central < firm.goodput.central


def test_goodput_changes_hours_and_not_the_price_of_an_hour():
    poor, poor_quote = stage_of(failures_per_device_day=0.01)
    good, good_quote = stage_of(failures_per_device_day=0.0001)
    assert poor.device_hours.central > good.device_hours.central
    rates = {quoted.bases[0].lines[0].rate for quoted in (poor_quote, good_quote)}
    assert rates == {"2.00"}


def test_the_losses_and_goodput_are_the_whole_of_the_time():
    stage, _ = stage_of()
    losses = stage.losses
    lost = losses.checkpoint_share, losses.restart_share, losses.rework_share
    assert losses.goodput.central + sum(share.central for share in lost) == pytest.approx(1.0)


def test_an_interval_that_is_given_is_the_one_that_is_used():
    stage, _ = stage_of(checkpoint_interval_seconds=1_234.0)
    assert stage.losses.checkpoint_interval_seconds.central == 1_234.0


def test_evaluation_and_idle_time_stretch_hours():
    running = {"goodput": 1.0, "startup_hours": 0}
    plain, _ = stage_of(work=running)
    held, _ = stage_of(work=running | {"evaluation_share": 0.2, "idle_share": 0.3})
    assert held.device_hours.central == pytest.approx(2.0 * plain.device_hours.central)


def test_few_devices_hardly_ever_fail():
    stage, _ = stage_of(devices=8)
    assert stage.goodput.central > 0.998


def reclaimed(*rows):
    """The share of spot capacity that a stage in region `r1` is taken to lose within a month."""
    observed = tuple(
        SpotReclaim(
            provider="p",
            region=region,
            instance_type=f"i{share}",
            accelerator="d1",
            observed_on=observed_on,
            reclaimed_share_per_month=datum(f"spot/{share}", share, "share"),
            saving_share=datum(f"saving/{share}", 0.6, "share"),
        )
        for region, observed_on, share in rows
    )
    offers = (offer("o", "p", "d1", 1.0, price_kind="spot", region="r1"),)
    catalog = msgspec.structs.replace(
        world(device("d1"), offers=offers), spot_reclaims={"d1": observed}
    )
    work = {"kind": "compute", "flop": 1e24, "mfu": 0.4}
    cluster = {
        "accelerator": "d1",
        "devices": 64,
        "supply": {"kind": "market", "term": "spot", "region": "r1"},
    }
    figures = answer(run_of({"work": work}, cluster=cluster), catalog).figures
    return {name for name in figures if name.startswith("spot/")}


def test_of_reclaims_the_newest_of_the_region_count_and_of_these_the_middle_one():
    assert reclaimed(("r1", "2025-01", 0.05), ("r1", "2026-01", 0.1)) == {"spot/0.1"}
    assert reclaimed(("r1", "2025-01", 0.05), ("r2", "2026-01", 0.1)) == {"spot/0.05"}
    same_day = [("r1", "2026-01", share) for share in (0.05, 0.1, 0.2)]
    assert reclaimed(*same_day) == {"spot/0.1"}
    assert reclaimed(("r2", "2026-01", 0.2)) == {"spot/0.2"}
