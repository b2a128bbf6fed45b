"""Phases of a reinforcement step: sums, overlaps and laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.core.stages.reinforcement.formulas import (
    StepPhases,
    colocated_step,
    decoding_seconds,
    devices_learning,
    domain_byte_per_s,
    forward_seconds,
    generation_devices,
    off_policy_step,
    passes_of,
    run_device_hours,
    seconds_per_step,
    stepped,
    steps_sharing_rollout,
    streaming_seconds,
    training_pass_seconds,
    weight_bytes,
    weight_handling_byte_per_s,
    weight_transfer_seconds,
)

seconds = st.floats(0.0, 1e6)
phases = st.builds(StepPhases, *[seconds] * len(StepPhases._fields))


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


def test_weights_arrive_as_fast_as_the_slower_of_links_and_software():
    """40 GB pass links of 20 GB/s and software of 5 GB/s as one pipeline."""
    rates = {"link_byte_per_s": 20e9, "handling_byte_per_s": 5e9}
    assert weight_transfer_seconds(weight_bytes=40e9, **rates) == 8.0
    rates["handling_byte_per_s"] = 80e9
    assert weight_transfer_seconds(weight_bytes=40e9, **rates) == 2.0


@pytest.mark.parametrize(
    ("devices", "generating", "out", "expected"),
    [
        (16.0, 16.0, 50e9, 8 * 50e9),  # the eight adapters of a server
        (16.0, 4.0, 50e9, 4 * 50e9),  # no more than devices that generate
        (16.0, 16.0, 100e9, 450e9),  # and what one device takes inside of it
        (8.0, 8.0, 50e9, 450e9),  # one server has no network between
        (8.0, 4.0, 50e9, 450e9),
    ],
)
def test_a_domain_receives_weights_over_all_links_of_its_devices(
    devices, generating, out, expected
):
    assert (
        domain_byte_per_s(
            scale_up_byte_per_s=450e9,
            scale_out_byte_per_s=out,
            devices=devices,
            generating=generating,
            scale_up_domain=8.0,
        )
        == expected
    )


rates = st.floats(1e8, 2e12)
counts = st.integers(1, 4_096).map(float)


@st.composite
def clusters(draw):
    devices = draw(counts)
    return {
        "scale_up_byte_per_s": draw(rates),
        "scale_out_byte_per_s": draw(rates),
        "devices": devices,
        "generating": min(devices, draw(counts)),
        "scale_up_domain": draw(st.sampled_from([1.0, 4.0, 8.0, 72.0])),
    }


@given(cluster=clusters(), member=st.sampled_from(["scale_up", "scale_out"]), more=st.floats(1, 8))
def test_faster_links_never_make_weights_slower(cluster, member, more):
    name = f"{member}_byte_per_s"
    faster = cluster | {name: cluster[name] * more}
    assert domain_byte_per_s(**faster) >= domain_byte_per_s(**cluster)


@given(cluster=clusters(), more=counts)
def test_more_generating_devices_never_make_weights_slower(cluster, more):
    wider = cluster | {"generating": min(cluster["devices"], cluster["generating"] + more)}
    assert domain_byte_per_s(**wider) >= domain_byte_per_s(**cluster)


@given(cluster=clusters())
def test_a_domain_is_no_slower_than_one_device_and_no_faster_than_its_own_links(cluster):
    up, out = cluster["scale_up_byte_per_s"], cluster["scale_out_byte_per_s"]
    assert min(up, out) <= domain_byte_per_s(**cluster) <= up


@given(
    year=st.floats(2018.0, 2030.0),
    later=st.floats(0.0, 5.0),
    growth=st.floats(1.0, 9.0),
)
def test_newer_software_never_handles_weights_slower(year, later, growth):
    def rate(when):
        return weight_handling_byte_per_s(byte_per_s=30e9, growth=growth, software_year=when)

    assert rate(year + later) >= rate(year)
    assert rate(2030.0) / rate(2018.0) == pytest.approx(growth)
    assert rate(2026.0) == pytest.approx(30e9)


def test_a_step_side_by_side_takes_its_slower_side_and_new_weights():
    """Writing takes 5 + 60 seconds, learning 10 + 4 + 2 + 30 and 6 beside; weights take 3."""
    whole = StepPhases(
        prefill=5.0,
        generation=60.0,
        log_probabilities=10.0,
        reference=4.0,
        reward=2.0,
        values=0.0,
        update=30.0,
        critic_update=0.0,
        weight_transfer=3.0,
        fixed=6.0,
    )
    step = off_policy_step(phases=whole)
    assert (step.generating, step.training) == (65.0, 52.0)
    assert step.seconds == 65 + 3
    assert (step.waiting_generators, step.waiting_trainers) == (0.0, 13.0)
    assert stepped(side_by_side=True, **whole._asdict()) == step
    assert stepped(side_by_side=False, **whole._asdict()) == colocated_step(phases=whole)
    assert colocated_step(phases=whole).training == 46.0


def test_a_rollout_is_shared_by_its_steps_and_the_batches_ahead():
    assert seconds_per_step(seconds=120.0) == 120.0
    assert seconds_per_step(seconds=120.0, steps_per_rollout=4.0, batches_ahead=3.0) == 10.0
    decoding = decoding_seconds(queue_seconds=50.0, drain_seconds=30.0, steps_per_rollout=4.0)
    assert decoding == (50 + 30) / 4


@pytest.mark.parametrize(
    ("flow", "longest", "expected"),
    [
        (60.0, 40.0, 60 / 6),  # bound by the flow of samples
        (60.0, 70.0, 70 / 6),  # by the longest sample
        (90.0, 70.0, 80 / 6),  # batches written whole are faster
    ],
)
def test_batches_that_follow_one_another_take_what_binds_them(flow, longest, expected):
    assert streaming_seconds(
        queue_seconds=50.0,
        drain_seconds=30.0,
        flow_seconds=flow,
        longest_seconds=longest,
        batches_ahead=3.0,
        steps_per_rollout=2.0,
    ) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "shared"),
    [
        ({}, 64 * 16 / 128),  # 1,024 samples fill the devices
        ({"samples": 4_096.0}, 1.0),
        ({"updates_per_rollout": 12.0}, 12 / 2),
        ({"steps": 5.0}, 5.0),
    ],
)
def test_steps_share_a_rollout_that_fills_the_devices_and_is_not_too_old(given, shared):
    terms = {
        "samples": 128.0,
        "devices": 64.0,
        "samples_per_device": 16.0,
        "updates_per_rollout": 32.0,
        "steps": 1_000.0,
        "updates_per_step": 2.0,
    }
    assert steps_sharing_rollout(**terms | given) == shared


def test_a_training_pass_takes_the_mini_batches_by_their_tokens_and_what_slows_them():
    """Two updates of 10 seconds for 1,000 tokens a sample, which have 1,200 on average."""
    seconds = training_pass_seconds(
        seconds=10.0,
        updates=2.0,
        prompt_tokens=300.0,
        response_tokens=900.0,
        slowdown=1.5,
        sequence_length=1_000.0,
        colocated_slowdown=1.1,
    )
    assert seconds == pytest.approx(10 * 2 * 1.2 * 1.5 * 1.1)


def test_a_split_gives_the_learners_whole_devices_and_at_least_one():
    assert generation_devices(devices=100.0, learning_share=3 / 8) == 100 - 37
    assert generation_devices(devices=4.0, learning_share=1 / 8) == 4 - 1
    assert devices_learning(devices=100.0, generation_devices=63.0) == 37.0


def test_a_reward_model_costs_passes_by_its_active_parameters():
    def dense(layers):
        return architecture_of(
            Transformer(layers=layers, hidden_size=512, heads=8, ffn_size=1024, vocab_size=8)
        )

    passes = passes_of(model=dense(4), policy=dense(2))
    layer = 4 * 512 * 512 + 3 * 512 * 1024 + 2 * 512
    beside = 2 * 8 * 512 + 512
    assert passes == pytest.approx((4 * layer + beside) / (2 * layer + beside))
    held = weight_bytes(architecture=dense(2), bytes_per_weight=2.0)
    assert held == 2 * (2 * layer + beside)
