"""Agents: what turns make of lengths, of the time of a batch, and of a quote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.model.shape import architecture_of
from service.core.request.transformer import Transformer
from service.core.serving.agent_formulas import (
    most_written_in_trajectory,
    prefilled_per_written_token,
    turns_of_trajectory,
    written_of_turn,
)
from service.core.serving.decoding import (
    PerWrittenToken,
    Replica,
    Serving,
    ServingDevice,
    ServingSpeed,
    batch_seconds,
)
from service.core.serving.length_formulas import lengths_of
from tests.worlds import answer, embedded, told

REPLICA = Replica(
    architecture=architecture_of(
        Transformer(layers=32, hidden_size=4096, heads=32, kv_heads=8, vocab_size=128256)
    ),
    server=ServingDevice(
        peak_flop_per_s=989e12,
        memory_bytes=80e9,
        memory_byte_per_s=3.35e12,
        link_byte_per_s=450e9,
        network_byte_per_s=50e9,
        domain_devices=8.0,
    ),
    speed=ServingSpeed(
        memory_share=0.8,
        bandwidth_share=0.6,
        flop_share=0.4,
        layer_seconds=6e-5,
        expert_layer_seconds=1e-4,
        exchange_seconds=1.5e-5,
        far_exchange_seconds=6e-5,
        step_seconds=2e-3,
        most_sequences=256.0,
    ),
    serving=Serving(tensor_parallel=1.0, devices=1.0),
)
MEAN, SAMPLES = 2_000.0, 64.0


def batch(turns):
    return batch_seconds(
        replica=REPLICA,
        replicas=1.0,
        samples=SAMPLES,
        prompts=8.0,
        prompt_tokens=500.0,
        lengths=lengths_of(mean_tokens=MEAN, cap_tokens=8_000.0, sigma=0.6),
        turns=turns,
    )


turns = st.builds(
    PerWrittenToken,
    read=st.floats(0.0, 5.0),
    prefilled=st.floats(0.0, 20.0),
    pause_seconds=st.floats(0.0, 1.0),
)


def test_an_agent_that_neither_reads_nor_waits_is_a_sample_of_one_turn():
    assert batch(PerWrittenToken(0.0, 0.0, 0.0)) == pytest.approx(
        batch(PerWrittenToken()), rel=1e-12
    )


@given(one=turns, waits=st.floats(0.0, 1.0), reads=st.floats(0.0, 5.0))
def test_more_of_waiting_or_reading_never_takes_less_time(one, waits, reads):
    more = PerWrittenToken(one.read + reads, one.prefilled + reads, one.pause_seconds + waits)
    assert batch(more).seconds >= batch(one).seconds * (1 - 1e-9)


@given(one=turns)
def test_a_batch_lasts_at_least_as_long_as_its_longest_trajectory_waits(one):
    found = batch(one)
    assert found.seconds >= found.longest_tokens * one.pause_seconds
    assert found.longest_seconds >= found.longest_tokens * one.pause_seconds


@given(waits=st.floats(1.0, 100.0))
def test_environments_that_take_all_the_time_are_not_made_faster_by_decoding(waits):
    """Decoding takes 2,000 tokens of some ms. The rest of a trajectory's time is its waits."""
    found = batch(PerWrittenToken(0.0, 0.0, waits))
    waited = found.longest_tokens * waits
    assert waited <= found.drain_seconds <= waited * 1.1


def test_turns_and_tokens_follow_from_one_another():
    """18,000 tokens in 30 turns are 600 a turn: 200 written and 400 read, twice as many."""
    assert written_of_turn(tokens=18e3, turns=30.0, read_per_written=2.0) == pytest.approx(200)
    assert written_of_turn(tokens=18e3, turns=30.0, read_tokens=400.0) == pytest.approx(200)
    assert turns_of_trajectory(tokens=18e3, written_tokens=200.0, read_tokens=400.0) == 30
    assert most_written_in_trajectory(
        written_tokens=200.0, read_tokens=400.0, most_tokens=30e3, most_turns=40.0
    ) == pytest.approx(min(30e3 / 3, 40 * 200))


def test_an_engine_that_keeps_no_prefix_reads_all_there_is_at_every_turn():
    """(1,000 + 6,000 * 2 / 2) tokens at each turn of 100 written ones, besides 1 for 1."""
    found = prefilled_per_written_token(
        prompt_tokens=1_000.0,
        response_tokens=6_000.0,
        written_tokens=100.0,
        read_per_written=1.0,
        reread_share=1.0,
    )
    assert found == pytest.approx(1 + 7_000 / 100)


AGENT = {"turns": 20, "written_tokens": 150, "read_tokens": 300, "environment_seconds": 2}
WORK = {
    "kind": "reinforcement",
    "model": {"kind": "preset", "id": "qwen3-8b"},
    "steps": 10,
    "prompts_per_step": 8,
    "samples_per_prompt": 8,
    "prompt_tokens": 1_000,
}


def stage_of(agent, **more):
    work = WORK | {"agent": agent} | more
    quoted = answer(
        {
            "run": {"name": "agents", "stages": [{"name": "agents", "work": work}]},
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 8},
        },
        embedded(),
    )
    (stage,) = quoted.stages
    return stage, quoted


def test_what_an_agent_reads_is_trained_on_and_not_written():
    """64 trajectories of 20 turns, 150 tokens written and 300 read in each."""
    stage, quoted = stage_of(AGENT)
    assert stage.tokens["response"].central == pytest.approx(64 * 20 * 150)
    assert stage.tokens["read"].central == pytest.approx(64 * 20 * 300)
    longer = stage_of(AGENT | {"read_tokens": 3_000})[0]
    assert longer.phases["update"].central > 5 * stage.phases["update"].central
    assert "assumed_agent" not in {warning.code for warning in told(quoted)}


def test_waits_hold_devices_and_train_nothing():
    """20 turns of 60 seconds are 20 minutes for a mean trajectory, and more for the longest."""
    waiting = stage_of(AGENT | {"environment_seconds": 60})[0]
    assert waiting.phases["generation"].central > 20 * 60
    assert waiting.generation.binding == "environment"
    quick = stage_of(AGENT | {"environment_seconds": 0})[0]
    assert waiting.phases["update"].central == quick.phases["update"].central


def test_what_is_not_said_of_an_agent_is_assumed_and_told():
    stage, quoted = stage_of({}, responses={"most_tokens": 16_384})
    places = {
        place
        for warning in told(quoted)
        if warning.code == "assumed_agent"
        for place in (warning.pointer, *warning.also_at)
    }
    agent = "/run/stages/0/work/agent"
    assert places >= {f"{agent}/{member}" for member in ("read_tokens", "environment_seconds")}
    whole = stage.tokens["response"].central + stage.tokens["read"].central
    assert 64 * 16_384 * 0.3 < whole < 64 * 16_384 * 0.9


def test_two_statements_of_what_is_written_that_disagree_are_told():
    said = {
        warning.code for warning in stage_of(AGENT, responses={"mean_tokens": 9_000})[1].warnings
    }
    assert "contradictory" in said
    said = {
        warning.code for warning in stage_of(AGENT, responses={"mean_tokens": 3_000})[1].warnings
    }
    assert "contradictory" not in said
