"""Steps of NeMo-RL 0.4 on H100, which no constant was fitted to, predicted from their table.

Source: NVIDIA-NeMo/RL, docs/about/performance-summary.md at v0.4: model, policy, mean length, cap,
devices, samples of a step, seconds of a step. Updates are of 512 samples. The fit has seen steps
of a later release of the same framework, so that these are new rows, but no new source.
"""

import math
import statistics

import msgspec
import pytest

from service.core.request.request import QuoteRequest
from service.scoring.runs.predict import Predicted, predicted_for
from tests.worlds import MEMO, embedded

STEPS = [
    ("llama-3.1-8b", "on", 1_060, 4_096, 16, 2_048, 97.7),
    ("llama-3.1-8b", "off", 1_129, 4_096, 16, 2_048, 74.6),
    ("deepseek-v3", "on", 745, 1_536, 256, 512, 154.0),
    ("deepseek-v3", "off", 744, 1_536, 512, 512, 77.9),
    ("qwen3-235b-a22b", "on", 5_671, 8_192, 128, 512, 506.0),
    ("qwen3-235b-a22b", "off", 5_691, 8_192, 256, 512, 241.0),
    ("qwen3-30b-a3b", "on", 3_154, 4_096, 32, 2_048, 225.0),
    ("qwen3-30b-a3b", "off", 3_158, 4_096, 32, 2_048, 244.0),
    ("qwen3-32b", "on", 3_206, 4_096, 32, 2_048, 393.0),
    ("qwen3-32b", "off", 3_207, 4_096, 64, 2_048, 215.0),
]
OFF = {"kind": "disaggregated", "off_policy_steps": 1}


@pytest.fixture(scope="module")
def steps():
    """ln(predicted / measured), and whether p10 to p90 holds the measured step."""
    found = []
    for model, policy, mean, cap, devices, samples, seconds in STEPS:
        work = {
            "kind": "reinforcement",
            "model": {"kind": "preset", "id": model},
            "steps": 1,
            "prompts_per_step": samples // 16,
            "samples_per_prompt": 16,
            "updates_per_step": samples // 512,
            "responses": {"mean_tokens": mean, "most_tokens": cap},
            "placement": OFF if policy == "off" else {"kind": "colocated"},
            "software_year": 2025.8,
            "goodput": 1.0,
            "evaluation_share": 0.0,
            "idle_share": 0.0,
            "startup_hours": 0.0,
        }
        cluster = {"accelerator": "nvidia-h100-sxm-80gb", "devices": devices}
        run = {"name": model, "stages": [{"name": policy, "work": work}]}
        quoted = predicted_for(
            msgspec.convert({"run": run, "cluster": cluster}, QuoteRequest), embedded(), MEMO
        )
        assert isinstance(quoted, Predicted), quoted
        hours = seconds * devices / 3_600
        found.append((math.log(quoted.central / hours), quoted.p10 <= hours <= quoted.p90))
    return found


def test_half_of_them_are_within_a_factor_of_one_and_a_quarter(steps):
    assert statistics.median(abs(log) for log, _ in steps) <= math.log(1.25)


def test_seven_in_ten_are_within_their_interval(steps):
    assert sum(covered for _, covered in steps) >= 7
