"""Published runs of agents, predicted from what was said of their turns and lengths."""

import pytest

from tests.worlds import answer, embedded


def device_hours(work, *, accelerator, devices):
    quoted = answer(
        {
            "run": {"name": "published", "stages": [{"name": "published", "work": work}]},
            "cluster": {"accelerator": accelerator, "devices": devices},
        },
        embedded(),
    )
    return quoted.stages[0].device_hours


DEEPSWE = {
    "kind": "reinforcement",
    "model": {"kind": "preset", "id": "qwen3-32b"},
    "steps": 200,
    "prompts_per_step": 64,
    "samples_per_prompt": 8,
    "responses": {"most_tokens": 32_768},
    "software_year": 2025.5,
}
ON = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64}
DISCLOSED = 64 * 6 * 24


@pytest.mark.parametrize(
    "agent",
    [
        {},
        {"turns": {"low": 20, "high": 45}, "most_turns": 50},
        {
            "turns": {"low": 20, "high": 45},
            "most_turns": 50,
            "environment_seconds": {"low": 5, "high": 60},
        },
    ],
    ids=["cap alone", "turns", "turns and waits"],
)
def test_deepswe_lies_inside(agent):
    """64 H100 for six days, 200 steps of 64 x 8 trajectories of at most 32,768 tokens, 50 turns.

    Source: README of agentica-project/rllm and the release of DeepSWE (together.ai/blog/deepswe,
    2025-07-02); examples/swe/train_deepswe_32b.sh for the limits. Mean turns are not published.
    """
    found = device_hours(DEEPSWE | {"agent": agent}, **ON)
    assert found.p10 <= DISCLOSED <= found.p90


def test_deepswe_as_samples_of_one_turn_was_an_order_of_magnitude_too_short():
    """What a caller without turns gets: 9,216 hours were disclosed, 572 quoted by 0.1."""
    assert device_hours(DEEPSWE, **ON).central < DISCLOSED / 10


def test_the_throughput_of_prorl_agent_lies_inside():
    """0.37 trajectories a second of Qwen3-14B on 8 H100, 0.42 seconds for a command in a shell.

    Source: ProRL Agent (arXiv 2603.18815), ablation of its components. Its limits are taken to be
    those of the data that it was trained on (SkyRL-v0: 50 turns, 32,768 tokens).
    """
    trajectories = 10_000
    found = device_hours(
        {
            "kind": "generation",
            "model": {"kind": "preset", "id": "qwen3-14b"},
            "requests": trajectories,
            "responses": {"most_tokens": 32_768},
            "agent": {"most_turns": 50, "environment_seconds": {"low": 0.4, "high": 0.8}},
        },
        accelerator="nvidia-h100-sxm-80gb",
        devices=8,
    )
    assert found.p10 <= trajectories / 0.37 * 8 / 3_600 <= found.p90


def test_the_sessions_of_polar_lie_inside():
    """64 GPU-hours for 1,638 sessions of 51 turns, 5 to 8 at a time, on 8 H100.

    Source: Polar (arXiv 2605.24220), its case of offline data: Qwen3.5-122B-A10B in SGLang with
    tensor parallelism of 8 and at most 32,768 tokens. A command takes as long as in ProRL Agent, or
    some seconds where it runs tests.
    """
    found = device_hours(
        {
            "kind": "generation",
            "model": {"kind": "parameters", "total": 122e9, "active": 10e9},
            "requests": 1_638,
            "responses": {"most_tokens": 32_768},
            "agent": {"turns": 51, "environment_seconds": {"low": 0.4, "high": 4}},
            "serving": {"tensor_parallel": 8, "most_sequences": 8, "engine": "sglang"},
        },
        accelerator="nvidia-h100-sxm-80gb",
        devices=8,
    )
    assert found.p10 <= 64 <= found.p90
