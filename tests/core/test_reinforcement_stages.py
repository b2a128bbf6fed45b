"""Reinforcement through whole quotes: phases that add up, splits, rollouts, laws."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.post_training import LEARNING, SMALL, codes, hours, stage_of


@settings(max_examples=15, deadline=None)
@given(
    few=st.integers(1, 256),
    factor=st.integers(2, 4),
    placement=st.sampled_from(
        [{"kind": "colocated"}, {"kind": "disaggregated", "generation_devices": 32}]
    ),
)
def test_more_samples_never_make_a_reinforcement_step_shorter(few, factor, placement):
    layout = {"layout": {"tensor_parallel": 8, "data_parallel": 1, "recompute": "full"}}
    work = LEARNING | {"placement": placement} | layout
    less, more = (hours(work | {"prompts_per_step": n}) for n in (few, few * factor))
    assert less <= more * (1 + 1e-3)


def test_twice_the_devices_gain_little_where_the_longest_sample_holds_them():
    """The tail of a batch does not get shorter: device-hours nearly double."""
    work = LEARNING | {"prompts_per_step": 4, "responses": {"most_tokens": 32_768}}
    few, many = (stage_of(work, devices=count)[0] for count in (32, 64))
    ratio = many.phases["generation"].central / few.phases["generation"].central
    assert ratio > 0.95


def test_the_phases_of_a_colocated_step_add_up_to_it():
    stage, _ = stage_of(LEARNING)
    step = stage.phases["step_seconds"].central
    parts = {name: phase for name, phase in stage.phases.items() if not name.startswith("step_")}
    assert sum(phase.central for phase in parts.values()) == pytest.approx(step)


def test_side_by_side_the_slower_half_sets_the_step():
    placement = {"kind": "disaggregated", "generation_devices": 32, "off_policy_steps": 1}
    stage, _ = stage_of(LEARNING | {"placement": placement})
    phase = {name: estimate.central for name, estimate in stage.phases.items()}
    generating = phase["prefill"] + phase["generation"]
    own = ("log_probabilities", "reference", "reward", "update", "fixed")
    learning = sum(phase[name] for name in own)
    slower = max(generating, learning)
    assert phase["step_seconds"] == pytest.approx(slower + phase["weight_transfer"])


def test_new_weights_arrive_sooner_with_newer_software_until_the_links_bind():
    placement = {"kind": "disaggregated", "generation_devices": 32, "off_policy_steps": 1}

    def seconds(year, gbit_per_s):
        said = {"placement": placement, "software_year": year}
        stage, _ = stage_of(LEARNING | said, network_gbit_per_s_per_device=gbit_per_s)
        return stage.phases["weight_transfer"].central

    assert seconds(2026.5, 400) < seconds(2026.0, 400) < seconds(2025.5, 400)
    assert seconds(2026.5, 1) == seconds(2025.5, 1) > seconds(2025.5, 400)


def test_a_split_that_is_not_given_is_chosen_and_said():
    stage, quoted = stage_of(LEARNING | {"placement": {"kind": "disaggregated"}})
    assert stage.feasibility.status == "fits"
    assert "assumed_split" in codes(quoted)


@pytest.mark.parametrize("devices", [1, 8])
def test_a_split_that_leaves_nobody_to_learn_is_a_contradiction(devices):
    placement = {"kind": "disaggregated"} | ({"generation_devices": 8} if devices == 8 else {})
    stage, _ = stage_of(LEARNING | {"placement": placement}, devices=devices)
    assert stage.feasibility.status == "contradictory"


def test_reference_and_reward_passes_cost_time():
    plain = hours(LEARNING | {"reference_model": False})
    assert hours(LEARNING) > plain
    assert hours(LEARNING | {"reference_model": False, "reward_model": SMALL}) > plain


def test_a_critic_of_the_size_of_the_policy_values_and_learns_as_it_does():
    stage, _ = stage_of(LEARNING | {"critic": SMALL, "epochs_per_step": 2})
    phase = {name: estimate.central for name, estimate in stage.phases.items()}
    assert phase["values"] == pytest.approx(phase["log_probabilities"])
    assert phase["critic_update"] == pytest.approx(phase["update"])
    without = hours(LEARNING | {"epochs_per_step": 2})
    assert hours(LEARNING | {"critic": SMALL, "epochs_per_step": 2}) > without


def test_prompts_that_are_left_out_are_written_and_not_learned_from():
    """Half of what is written is kept: a batch of twice the prompts, and an update of the same."""
    one = {"steps_per_rollout": 1}
    half, _ = stage_of(LEARNING | one | {"kept_share": 0.5})
    whole, _ = stage_of(LEARNING | one)
    twice, _ = stage_of(LEARNING | one | {"prompts_per_step": 128})
    for phase in ("prefill", "generation"):
        assert half.phases[phase].central == pytest.approx(twice.phases[phase].central)
    for phase in ("log_probabilities", "reference", "update"):
        assert half.phases[phase].central == pytest.approx(whole.phases[phase].central)
    for tokens in ("prompt", "response"):
        assert half.tokens[tokens].central == pytest.approx(twice.tokens[tokens].central)


def test_steps_that_share_a_rollout_share_its_tail():
    assert hours(LEARNING | {"steps_per_rollout": 4}) < hours(LEARNING)


def rollout_of(work, **place):
    """Steps that were taken to share a rollout, and whether that is said."""
    _, quoted = stage_of(work, **place)
    figure = quoted.figures["stages/0/steps_per_rollout"]
    return figure.value, "assumed_rollout" in codes(quoted)


@pytest.mark.parametrize(
    ("prompts", "updates", "steps", "shared"),
    [(64, 1, 100, 2), (128, 1, 100, 1), (2, 1, 100, 16), (2, 4, 100, 4), (2, 1, 5, 5)],
)
def test_a_rollout_is_widened_until_every_device_has_sixteen_samples(
    prompts, updates, steps, shared
):
    """On 64 devices, 8 samples a prompt; up to 16 updates, and no further than the run."""
    work = LEARNING | {"prompts_per_step": prompts, "updates_per_step": updates, "steps": steps}
    assert rollout_of(work) == (shared, True)


def test_a_rollout_that_is_given_is_not_assumed():
    stage, quoted = stage_of(LEARNING | {"steps_per_rollout": 4})
    assert "assumed_rollout" not in codes(quoted)
    writing = stage.generation
    assert writing.concurrent_sequences.central * writing.replicas == pytest.approx(4 * 512)


def test_batches_that_are_written_ahead_are_not_widened_too():
    placement = {"kind": "disaggregated", "generation_devices": 32, "off_policy_steps": 2}
    _, quoted = stage_of(LEARNING | {"placement": placement})
    assert "assumed_rollout" not in codes(quoted)


@settings(max_examples=15)
@given(samples=st.integers(1, 64), devices=st.sampled_from([8, 16, 64]))
def test_twice_the_samples_never_take_less_where_the_rollout_is_assumed(samples, devices):
    work = LEARNING | {"prompts_per_step": 4, "samples_per_prompt": samples}
    once, twice = (
        hours(work | {"samples_per_prompt": n}, devices=devices) for n in (samples, 2 * samples)
    )
    assert twice >= once * (1 - 1e-9)


@settings(max_examples=15)
@given(
    ahead=st.integers(1, 8),
    mean=st.sampled_from([200, 1_000, 6_000]),
    prompts=st.sampled_from([4, 64, 1_024]),
)
def test_batches_further_ahead_never_take_longer(ahead, mean, prompts):
    few, more = (
        hours(
            LEARNING
            | {
                "prompts_per_step": prompts,
                "responses": {"mean_tokens": mean, "most_tokens": 8_192},
                "serving": {"tensor_parallel": 1, "devices_per_replica": 1},
                "placement": {
                    "kind": "disaggregated",
                    "generation_devices": 32,
                    "off_policy_steps": steps,
                },
            }
        )
        for steps in (ahead, 2 * ahead)
    )
    assert more <= few * (1 + 1e-9)


def test_log_probabilities_of_the_engine_are_not_computed_again():
    stage, _ = stage_of(LEARNING | {"rollout_log_probabilities": True})
    assert stage.phases["log_probabilities"].central == 0.0


def test_learning_beside_an_engine_on_the_same_devices_is_slower():
    apart = LEARNING | {
        "placement": {"kind": "disaggregated", "generation_devices": 32},
        "layout": {"tensor_parallel": 1},
    }
    together, _ = stage_of(LEARNING | {"layout": {"tensor_parallel": 1}}, devices=32)
    alone, _ = stage_of(apart)
    assert together.phases["update"].central > alone.phases["update"].central


@pytest.mark.parametrize(
    ("devices", "mean", "behind"), [(64, 4_000, 1), (32, 500, 1), (64, 1_000, 0)]
)
def test_a_split_that_is_chosen_is_the_best_of_those_tried_where_steps_are_long(
    devices, mean, behind
):
    """Steps of a minute and more: what a step costs beside does not count."""
    work = LEARNING | {
        "prompts_per_step": 2_048,
        "responses": {"mean_tokens": mean, "most_tokens": 8_192},
    }

    def on(**placement):
        placement |= {"kind": "disaggregated", "off_policy_steps": behind}
        return hours(work | {"placement": placement}, devices=devices)

    tried = [on(generation_devices=devices * eighths // 8) for eighths in range(1, 8)]
    assert on() == pytest.approx(min(tried), rel=0.01)
    assert max(tried) > 2 * min(tried)


@pytest.mark.parametrize("behind", [0, 1, 4])
@pytest.mark.parametrize("reward", [None, "llama-3.1-70b"])
@pytest.mark.parametrize("mean", [300, 2_000])
def test_a_split_that_is_chosen_counts_rewards_and_what_a_short_step_costs_beside(
    behind, reward, mean
):
    work = LEARNING | {"responses": {"mean_tokens": mean, "most_tokens": 8_192}}
    if reward:
        work |= {"reward_model": {"kind": "preset", "id": reward}}

    def on(**placement):
        placement |= {"kind": "disaggregated", "off_policy_steps": behind}
        return hours(work | {"placement": placement})

    tried = [on(generation_devices=8 * eighths) for eighths in range(1, 8)]
    assert on() == pytest.approx(min(tried), rel=1e-9)


def test_every_batch_that_is_written_ahead_has_prompts_of_its_own():
    """So that a step reads as many prompts, however many batches are under way."""

    def prefill(behind):
        placement = {
            "kind": "disaggregated",
            "generation_devices": 32,
            "off_policy_steps": behind,
        }
        serving = {"tensor_parallel": 1, "devices_per_replica": 1}
        stage, _ = stage_of(LEARNING | {"placement": placement, "serving": serving})
        return stage.phases["prefill"].central

    assert prefill(4) == pytest.approx(prefill(1))
