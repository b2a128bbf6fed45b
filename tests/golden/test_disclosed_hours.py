"""Device-hours of DeepSeek-V3's pre-training, from what its report says of model, run and software.

All losses are left at their defaults. The report describes kernels of its own that quantise and
multiply experts in 8 bits in one go (arXiv 2412.19437, section 3.3), which were published later:
grouped products at 1,099 to 1,297 TFLOP/s on an H800 (DeepGEMM, README of 2025-02-26). Said to be
`fused`, they take the ratio that was fitted to stacks of 2026 on other devices and formats; no row
of this run is in the fit. Dense runs stand in test_published_runs.py.
"""

from pathlib import Path

import pytest

from tests.worlds import answer, embedded

DISCLOSED_HOURS = 2.664e6


def predicted(**work):
    stage = {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": "deepseek-v3"},
        "tokens": 14.8e12,
        "sequence_length": 4096,
        "global_batch_tokens": 15360 * 4096,
        "precision": "fp8",
    } | work
    quoted = answer(
        {
            "run": {"name": "DeepSeek-V3", "stages": [{"name": "pre-training", "work": stage}]},
            "cluster": {
                "accelerator": "nvidia-h800-sxm-80gb",
                "devices": 2048,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        embedded(),
    )
    return quoted.stages[0].device_hours


def test_the_hours_of_deepseek_v3_are_met_from_its_description():
    hours = predicted(expert_kernels="fused")
    assert hours.central == pytest.approx(DISCLOSED_HOURS, rel=0.15)


def test_the_hours_are_met_with_the_layout_that_the_report_states_too():
    """16 stages under DualPipe, experts over 64 devices, ZeRO-1, no tensor parallelism (3.2).

    States of the optimizer in 16 bits, norms and latent projections recomputed (3.2.3, 3.3.3).
    """
    layout = {
        "pipeline_parallel": 16,
        "expert_parallel": 64,
        "zero_stage": 1,
        "pipeline_schedule": "dualpipe",
        "recompute": "selective",
    }
    hours = predicted(expert_kernels="fused", optimizer="adamw_bf16_states", layout=layout)
    assert hours.central == pytest.approx(DISCLOSED_HOURS, rel=0.15)
    plain = layout | {"pipeline_schedule": "1f1b"}
    slower = predicted(expert_kernels="fused", optimizer="adamw_bf16_states", layout=plain)
    assert slower.central > 1.2 * hours.central


def test_the_hours_lie_in_the_interval_when_nothing_is_said_of_kernels():
    hours = predicted()
    assert hours.p10 <= DISCLOSED_HOURS <= hours.p90
    assert hours.central > predicted(expert_kernels="fused").central


def test_grouped_kernels_are_what_stacks_have_for_plain_8_bits():
    assert predicted(expert_kernels="grouped") == predicted()


def test_the_front_page_shows_these_hours():
    fused, usual = predicted(expert_kernels="fused"), predicted()
    page = " ".join(Path("README.md").read_text(encoding="utf-8").split())
    assert f"{DISCLOSED_HOURS / 1e6:.2f} million hours" in page
    shown = f"{fused.central / 1e6:.1f} million are predicted, and {usual.central / 1e6:.1f} where"
    assert shown in page
