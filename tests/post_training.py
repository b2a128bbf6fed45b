"""Work after pretraining: one piece of each kind, and what a quote says of it."""

from typing import Any

from tests.worlds import answer, embedded, told

SMALL = {"kind": "preset", "id": "llama-3.1-8b"}
LARGE = {"kind": "preset", "id": "llama-3.1-405b"}
TUNING = {
    "kind": "finetuning",
    "model": SMALL,
    "data": {"kind": "examples", "examples": 10_000, "mean_tokens": 1_000, "epochs": 3},
}
WRITING = {
    "kind": "generation",
    "model": SMALL,
    "requests": 10_000,
    "prompt_tokens": 500,
    "responses": {"mean_tokens": 1_000, "most_tokens": 8_192},
}
LEARNING = {
    "kind": "reinforcement",
    "model": SMALL,
    "steps": 100,
    "prompts_per_step": 64,
    "samples_per_prompt": 8,
    "prompt_tokens": 200,
    "responses": {"mean_tokens": 1_000, "most_tokens": 8_192},
}
KINDS: dict[str, dict[str, Any]] = {
    "finetuning": TUNING,
    "generation": WRITING,
    "reinforcement": LEARNING,
}


def stage_of(work, devices=64, accelerator="nvidia-h100-sxm-80gb", **cluster):
    quoted = answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": work}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            }
            | cluster,
        },
        embedded(),
    )
    return quoted.stages[0], quoted


def hours(work, **place):
    stage, _ = stage_of(work, **place)
    assert stage.feasibility.status == "fits", stage.feasibility
    return stage.device_hours.central


def total_bytes(work):
    stage, _ = stage_of(work)
    return stage.memory.total_bytes


def codes(quoted):
    return {warning.code for warning in told(quoted)}
