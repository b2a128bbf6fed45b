"""From work to device-hours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import UnpricedLine
from service.core.stages.given import device_hours_for_flop
from tests.worlds import answer, device, run_of, told, world

CLUSTER = {"accelerator": "d1", "devices": 64, "supply": {"kind": "rate", "usd_per_device_hour": 2}}
ABOUT_THE_SITE = {"assumed_site", "unknown_power"}
shares = st.floats(0.01, 1.0)


def only_stage(work, catalog=None, **facts):
    quoted = answer(
        run_of({"work": work, **facts}, cluster=CLUSTER), catalog or world(device("d1"))
    )
    return quoted.stages[0], quoted


def codes_about_the_work(quoted):
    return [w.code for w in told(quoted) if w.code not in ABOUT_THE_SITE]


def test_metered_hours_are_taken_as_they_are():
    stage, _ = only_stage({"kind": "metered", "device_hours": 128})
    assert stage.device_hours.central == 128.0
    assert stage.wall_clock_hours.central == 128.0 / 64


def test_timed_hours_hold_every_device():
    stage, _ = only_stage({"kind": "timed", "hours": 3})
    assert stage.device_hours.central == 3 * 64


def test_attempts_multiply_the_hours():
    stage, _ = only_stage({"kind": "timed", "hours": 3}, repeat=2.5)
    assert stage.device_hours.central == 3 * 64 * 2.5


def test_flop_become_hours_by_peak_mfu_and_goodput():
    work = {"kind": "compute", "flop": 1e21, "mfu": 0.5, "goodput": 0.8, "startup_hours": 0}
    stage, _ = only_stage(work)
    assert stage.device_hours.central == pytest.approx(1e21 / (1e15 * 0.5 * 0.8) / 3600)
    assert stage.mfu.central == 0.5
    assert stage.goodput.central == 0.8


def test_shares_that_are_not_given_are_assumed_and_said_to_be():
    stage, quoted = only_stage({"kind": "compute", "flop": 1e21})
    assert stage.mfu.central == 0.4
    assert {"assumed_mfu", "assumed_goodput"} <= set(codes_about_the_work(quoted))
    assert quoted.figures["assumptions/compute.mfu"].pointer == "/run/stages/0/work/mfu"


def test_a_missing_peak_is_a_state_and_not_a_zero():
    catalog = world(device("d1", bf16=None))
    stage, quoted = only_stage({"kind": "compute", "flop": 1e21}, catalog)
    assert stage.feasibility.status == "unknown"
    (line,) = quoted.bases[0].lines
    assert isinstance(line, UnpricedLine)
    assert line.reason == "device_hours_unknown"


def test_another_precision_stands_in_with_a_warning():
    _, quoted = only_stage({"kind": "compute", "flop": 1e21, "precision": "fp8"})
    assert "precision_substituted" in {warning.code for warning in told(quoted)}


def test_an_interval_has_a_middle_and_reversed_ends_are_exchanged():
    stage, quoted = only_stage({"kind": "metered", "device_hours": {"low": 400, "high": 100}})
    assert stage.device_hours.central == pytest.approx((100 * 400) ** 0.5)
    assert codes_about_the_work(quoted) == ["interval_reversed"]
    figure = quoted.figures["request/run/stages/0/work/device_hours"]
    assert (figure.low, figure.high) == (100.0, 400.0)


@given(low=shares, high=shares)
def test_a_better_mfu_never_needs_more_device_hours(low, high):
    low, high = sorted((low, high))
    rest = {"flop": 1e24, "peak_flop_per_s": 1e15, "goodput": 0.9}
    assert device_hours_for_flop(mfu=high, **rest) <= device_hours_for_flop(mfu=low, **rest)
