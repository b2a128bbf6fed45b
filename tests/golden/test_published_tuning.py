"""Published runs of tuning on preferences and of distillation, from what was said of them."""

import pytest

from tests.worlds import answer, embedded

PYTHIA = {"kind": "preset", "id": "pythia-2.8b"}
HELPFUL_AND_HARMLESS = {
    "model": PYTHIA,
    "data": {"kind": "examples", "examples": 160_800, "mean_tokens": {"low": 180, "high": 300}},
    "batching": "padded",
    "sequence_length": 512,
    "global_batch_tokens": 64 * 512,
    "software_year": 2023.5,
    "framework": "fsdp_eager",
}
"""160,800 pairs in batches of 64 of at most 512 tokens; their mean length is not published."""


def hours(work, *, accelerator, devices):
    quoted = answer(
        {
            "run": {"name": "published", "stages": [{"name": "published", "work": work}]},
            "cluster": {"accelerator": accelerator, "devices": devices},
        },
        embedded(),
    )
    (stage,) = quoted.stages
    assert stage.feasibility.status == "fits"
    return stage.wall_clock_hours


def share_below(hours, found):
    return sum(outcome < hours for outcome in found.outcomes) / len(found.outcomes)


def test_the_reference_run_of_dpo_lies_inside():
    """2 h 45 on four A100 for Pythia 2.8B, after 1 h 30 of tuning on the preferred answers.

    Source: README of eric-mitchell/direct-preference-optimization, the repository of its authors.
    """
    four = {"accelerator": "nvidia-a100-sxm-80gb", "devices": 4}
    tuned = hours({"kind": "finetuning"} | HELPFUL_AND_HARMLESS, **four)
    preferred = hours({"kind": "preference"} | HELPFUL_AND_HARMLESS, **four)
    assert share_below(1.5, tuned) < 0.95, "one in five lies outside p10 to p90"
    assert preferred.p10 <= 2.75 <= preferred.p90
    assert preferred.central / tuned.central == pytest.approx(2.75 / 1.5, rel=0.6)


def test_the_distillation_of_a_pruned_nemotron_lies_inside():
    """About 9,000 H100-hours for 100 billion tokens on 96 nodes, so 11.7 hours of each.

    The student has 24 billion parameters, 3 billion of them active; the teacher 31.6 and 3.6.
    Source: NVIDIA Model-Optimizer, examples of pruning and distillation.
    """
    found = hours(
        {
            "kind": "distillation",
            "model": {"kind": "parameters", "total": 24e9, "active": 3e9},
            "teacher": {"kind": "parameters", "total": 31.6e9, "active": 3.6e9},
            "data": {"kind": "tokens", "tokens": 100e9},
            "sequence_length": 8192,
            "global_batch_tokens": 768 * 8192,
            "framework": "megatron",
        },
        accelerator="nvidia-h100-sxm-80gb",
        devices=768,
    )
    assert found.p10 <= 9_000 / 768 <= found.p90


def test_the_public_request_for_dpo_is_answered():
    """Asked in a thread: 52,000 pairs on two A100. About 12 hours were told, evaluations too."""
    work = {
        "kind": "preference",
        "model": PYTHIA,
        "data": {"kind": "examples", "examples": 52_000, "mean_tokens": 300, "epochs": 3},
    }
    found = hours(work, accelerator="nvidia-a100-sxm-80gb", devices=2)
    assert 0 < found.p10 < found.central < found.p90
