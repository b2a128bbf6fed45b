"""The order of stages: what waits for what, and how long the whole run takes."""

import pytest

from service.core.catalog.errors import NotQuotable, StageCycle, UnknownStage
from tests.worlds import answer, device, run_of, world

CLUSTER = {"accelerator": "d1", "devices": 8, "supply": {"kind": "rate", "usd_per_device_hour": 2}}
WORLD = world(device("d1"))


def stage(name, hours, **facts):
    return {"name": name, "work": {"kind": "timed", "hours": hours}, **facts}


def quoted(*stages):
    return answer(run_of(*stages, cluster=CLUSTER), WORLD)


def test_stages_on_one_cluster_follow_each_other():
    run = quoted(stage("a", 3), stage("b", 4), stage("c", 5))
    assert run.wall_clock_hours.central == 12.0
    assert run.critical_path == ("a", "b", "c")


def test_stages_on_clusters_of_their_own_run_side_by_side_where_that_is_said():
    run = quoted(
        stage("a", 3),
        stage("b", 4, cluster=CLUSTER, after=["a"]),
        stage("c", 9, cluster=CLUSTER, after=["a"]),
        stage("d", 1, after=["b", "c"]),
    )
    assert run.wall_clock_hours.central == 3 + 9 + 1
    assert run.critical_path == ("a", "c", "d")


def test_a_stage_begins_when_the_last_of_those_it_waits_for_has_ended():
    run = quoted(
        stage("a", 3),
        stage("b", 4, cluster=CLUSTER, after=["a"]),
        stage("c", 9, cluster=CLUSTER, after=["a"]),
        stage("d", 1, after=["b", "c"]),
    )
    assert [one.begins_after_hours.central for one in run.stages] == [0, 3, 3, 12]
    assert [one.ends_after_hours.central for one in run.stages] == [3, 7, 12, 13]


def test_begin_and_end_are_read_off_joint_draws():
    apart = {"low": 1, "high": 9}
    run = quoted(stage("a", apart), stage("b", 4), stage("c", apart))
    first, second, third = run.stages
    assert second.begins_after_hours.p90 == first.ends_after_hours.p90
    assert third.begins_after_hours.p50 == pytest.approx(first.ends_after_hours.p50 + 4)
    # Two stages are not both slow: the sum of their 90% quantiles is not reached.
    assert third.ends_after_hours.p90 < first.ends_after_hours.p90 * 2 + 4


def test_a_stage_after_nothing_starts_with_the_run():
    run = quoted(stage("a", 3), stage("b", 4, cluster=CLUSTER, after=[]))
    assert run.wall_clock_hours.central == 4.0
    assert run.critical_path == ("b",)


def test_the_run_s_own_cluster_does_one_stage_at_a_time():
    run = quoted(stage("a", 3), stage("b", 4, after=[]))
    assert run.wall_clock_hours.central == 7.0


def test_a_stage_listed_first_may_wait_for_a_later_one():
    run = quoted(stage("a", 3, after=["b"]), stage("b", 4, after=[]))
    assert run.critical_path == ("b", "a")
    assert run.wall_clock_hours.central == 7.0


def test_attempts_stretch_the_wall_clock():
    run = quoted(stage("a", 3, repeat=2), stage("b", 4))
    assert run.wall_clock_hours.central == 10.0


def test_an_unknown_name_is_an_error_at_its_place():
    with pytest.raises(NotQuotable) as refusal:
        quoted(stage("a", 3), stage("b", 4, after=["a", "x"]))
    (error,) = refusal.value.errors
    assert isinstance(error, UnknownStage)
    assert error.pointer == "/run/stages/1/after/1"


def test_a_circle_is_an_error_at_every_stage_in_it_that_says_so():
    with pytest.raises(NotQuotable) as refusal:
        quoted(stage("a", 3, after=["b"]), stage("b", 4, after=["a"]), stage("c", 1))
    assert [error.pointer for error in refusal.value.errors] == [
        "/run/stages/0/after",
        "/run/stages/1/after",
    ]
    assert all(isinstance(error, StageCycle) for error in refusal.value.errors)


def test_without_the_hours_of_a_stage_the_wall_clock_is_not_known():
    catalog = world(device("d1", bf16=None))
    work = {"kind": "compute", "flop": 1e20}
    run = answer(run_of(stage("a", 3), {"work": work}, cluster=CLUSTER), catalog)
    assert not run.wall_clock_hours
    assert not any(one.begins_after_hours or one.ends_after_hours for one in run.stages)
    assert run.critical_path == ()
