"""Steps of NeMo-RL 0.4 and 0.7, which no constant was fitted to, predicted from their tables.

Source: NVIDIA-NeMo/RL, docs/about/performance-summary.md at v0.4 and v0.7: model, policy, mean
length, cap, devices, samples of a step and of an update, seconds of a step. The fit has seen steps
of another release of the same framework, so that these are new rows, but no new source.

Nor are they unseen: these tables were looked at several times while the mechanism of new weights
was chosen (all links of a domain, software that gets faster around 2026.0). What it is worth on
rows that nobody has looked at will be somewhat less.
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
NEWER = [
    ("h100", "deepseek-v3", 0, 722, 1_536, 256, 512, 512, 93.0),
    ("h100", "deepseek-v3", 0, 724, 1_536, 512, 512, 512, 81.2),
    ("h100", "deepseek-v3", 1, 729, 1_536, 512, 512, 512, 46.6),
    ("h100", "qwen3-235b-a22b", 0, 5_719, 8_192, 128, 512, 512, 367.0),
    ("h100", "qwen3-235b-a22b", 0, 5_698, 8_192, 256, 512, 512, 285.0),
    ("h100", "qwen3-235b-a22b", 1, 5_695, 8_192, 256, 512, 512, 204.0),
    ("h100", "qwen3-30b-a3b", 0, 3_198, 4_096, 32, 2_048, 2_048, 171.0),
    ("h100", "qwen3-30b-a3b", 1, 3_203, 4_096, 32, 2_048, 2_048, 141.0),
    ("h100", "qwen3-30b-a3b", 8, 3_203, 4_096, 192, 2_048, 512, 33.1),
    ("h100", "qwen3-32b", 1, 3_258, 4_096, 64, 2_048, 2_048, 161.0),
    ("h100", "qwen3-32b", 0, 3_256, 4_096, 32, 2_048, 2_048, 323.0),
    ("h100", "qwen3-30b-a3b", 0, 8_170, 40_960, 32, 2_048, 512, 2_022.0),
    ("gb200", "deepseek-v3", 0, 719, 1_536, 128, 512, 512, 78.5),
    ("gb200", "deepseek-v3", 0, 728, 1_536, 256, 512, 512, 70.7),
    ("gb200", "deepseek-v3", 1, 719, 1_536, 256, 512, 512, 35.0),
    ("gb200", "qwen3-235b-a22b", 0, 5_707, 8_192, 64, 512, 512, 268.0),
    ("gb200", "qwen3-235b-a22b", 0, 5_711, 8_192, 128, 512, 512, 210.0),
    ("gb200", "qwen3-235b-a22b", 1, 5_699, 8_192, 128, 512, 512, 160.0),
    ("gb200", "qwen3-30b-a3b", 0, 3_198, 4_096, 16, 2_048, 2_048, 186.0),
    ("gb200", "qwen3-30b-a3b", 1, 3_200, 4_096, 16, 2_048, 2_048, 242.0),
    ("gb200", "qwen3-32b", 1, 3_255, 4_096, 32, 2_048, 2_048, 140.0),
    ("gb200", "qwen3-32b", 0, 3_254, 4_096, 16, 2_048, 2_048, 295.0),
]
"""All rows in 16 bits of v0.7, but for a model that is no preset here."""
DEVICES = {"h100": "nvidia-h100-sxm-80gb", "gb200": "nvidia-gb200"}


def predicted(row, *, software_year):
    """ln(predicted / measured), and whether p10 to p90 holds the measured step."""
    device, model, off_policy, mean, cap, devices, samples, updated, seconds = row
    off = {"kind": "disaggregated", "off_policy_steps": off_policy}
    work = {
        "kind": "reinforcement",
        "model": {"kind": "preset", "id": model},
        "steps": 1,
        "prompts_per_step": samples // 16,
        "samples_per_prompt": 16,
        "updates_per_step": samples // updated,
        "responses": {"mean_tokens": mean, "most_tokens": cap},
        "placement": off if off_policy else {"kind": "colocated"},
        "software_year": software_year,
        "goodput": 1.0,
        "evaluation_share": 0.0,
        "idle_share": 0.0,
        "startup_hours": 0.0,
    }
    cluster = {"accelerator": DEVICES[device], "devices": devices}
    run = {"name": model, "stages": [{"name": "step", "work": work}]}
    quoted = predicted_for(
        msgspec.convert({"run": run, "cluster": cluster}, QuoteRequest), embedded(), MEMO
    )
    assert isinstance(quoted, Predicted), quoted
    hours = seconds * devices / 3_600
    return math.log(quoted.central / hours), quoted.p10 <= hours <= quoted.p90


@pytest.fixture(scope="module")
def steps():
    """The older table, on H100, with updates of 512 samples."""
    return [
        predicted(
            ("h100", model, int(policy == "off"), mean, cap, devices, samples, 512, seconds),
            software_year=2025.8,
        )
        for model, policy, mean, cap, devices, samples, seconds in STEPS
    ]


@pytest.fixture(scope="module")
def newer():
    return [predicted(row, software_year=2026.5) for row in NEWER]


def test_half_of_them_are_within_a_fifth(steps):
    """0.19 of a natural logarithm."""
    assert statistics.median(abs(log) for log, _ in steps) <= 0.20


def test_seven_in_ten_are_within_their_interval(steps):
    assert sum(covered for _, covered in steps) >= 7


def test_half_of_the_newer_ones_are_within_a_fifth(newer):
    """0.18 of a natural logarithm; before weights came over all links of a domain, 0.21."""
    assert statistics.median(abs(log) for log, _ in newer) <= 0.20


def test_two_in_three_of_the_newer_ones_are_within_their_interval(newer):
    """15 of 22 are. At a true 80%, no more than that are in one table of eight (13%)."""
    assert sum(covered for _, covered in newer) >= 14
