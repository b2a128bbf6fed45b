"""Requests rewritten from public threads, with what was seen: did it fit, and in how much?"""

from typing import Any

import pytest

from tests.worlds import answer, embedded

GB, GIB = 1e9, 2.0**30
LLAMA_7B = {"kind": "preset", "id": "llama-7b"}
MISTRAL_7B = {"kind": "preset", "id": "mistral-7b-v0.1"}


def stage_of(accelerator: str, devices: int, kind: str = "finetuning", **work: Any) -> Any:
    tokens = {"data": {"kind": "tokens", "tokens": 1e7}} if kind == "finetuning" else {}
    return answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": {"kind": kind} | tokens | work}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        embedded(),
    ).stages[0]


def tuned(accelerator: str, devices: int, length: int, **work: Any) -> Any:
    batch = work.pop("batch", 1)
    return stage_of(
        accelerator,
        devices,
        sequence_length=length,
        global_batch_tokens=length * batch,
        **work,
    )


def test_full_tuning_of_7b_needs_two_devices_of_80_gb_and_sharding():
    one = tuned(
        "nvidia-a100-sxm-80gb", 1, 128, batch=4, model=LLAMA_7B,
        layout={"micro_batch": 4, "zero_stage": 0},
    )  # fmt: skip
    assert one.feasibility.status == "does_not_fit"
    two = tuned(
        "nvidia-a100-sxm-80gb", 2, 128, batch=8, model=LLAMA_7B,
        layout={"micro_batch": 4, "zero_stage": 3},
    )  # fmt: skip
    assert two.feasibility.status == "fits"


@pytest.mark.parametrize(("length", "fits"), [(14_000, True), (28_000, False)])
def test_logits_of_262_thousand_entries_bound_the_length_of_a_lora(length: int, *, fits: bool):
    stage = tuned(
        "nvidia-h100-sxm-80gb", 1, length, model={"kind": "preset", "id": "gemma-3-12b"},
        layout={"micro_batch": 1}, method={"kind": "lora", "rank": 8},
    )  # fmt: skip
    assert (stage.feasibility.status == "fits") is fits


def test_a_vocabulary_of_64_thousand_under_zero_2_is_no_plain_fit_on_cards_of_32_gb():
    model = {
        "kind": "transformer", "layers": 32, "hidden_size": 4096, "heads": 32,
        "ffn_size": 11008, "vocab_size": 64000,
    }  # fmt: skip
    stage = tuned(
        "nvidia-v100-sxm2-32gb", 8, 1024, batch=8, model=model, precision="fp16",
        layout={"micro_batch": 1, "zero_stage": 2},
    )  # fmt: skip
    assert stage.feasibility.status != "fits"


def test_33b_under_zero_3_on_eight_devices_is_no_plain_fit():
    """77.5 of 79.35 GiB were reserved, then memory ran out."""
    model = {
        "kind": "transformer", "layers": 62, "hidden_size": 7168, "heads": 56, "kv_heads": 8,
        "ffn_size": 19200, "vocab_size": 32256,
    }  # fmt: skip
    stage = tuned(
        "nvidia-a800-sxm-80gb", 8, 2048, batch=8, model=model,
        layout={"micro_batch": 1, "zero_stage": 3},
    )  # fmt: skip
    assert stage.feasibility.status != "fits"
    assert stage.memory.capacity_bytes == 79.35 * GIB


def test_a_lora_of_8b_with_two_sequences_of_8k_fits_80_gb():
    stage = tuned(
        "nvidia-a100-sxm-80gb", 1, 8192, batch=2, model={"kind": "preset", "id": "llama-3-8b"},
        layout={"micro_batch": 2}, method={"kind": "lora", "rank": 8},
    )  # fmt: skip
    assert stage.feasibility.status == "fits"


def test_megatron_takes_what_nvidia_smi_showed():
    model = {
        "kind": "transformer", "layers": 32, "hidden_size": 4096, "heads": 32,
        "ffn_size": 10880, "vocab_size": 50257,
    }  # fmt: skip
    stage = stage_of(
        "nvidia-a100-sxm-80gb", 32, kind="pretraining", model=model, tokens=16_384_000,
        sequence_length=4096, global_batch_tokens=16_384,
        layout={"tensor_parallel": 8, "zero_stage": 0, "micro_batch": 1, "recompute": "none"},
    )  # fmt: skip
    assert stage.memory.total_bytes == pytest.approx(21 * GB, rel=0.1)


@pytest.mark.parametrize(("kind", "reserved"), [("lora", 31.2), ("qlora", 20.9)])
def test_adapters_beside_7b_reserve_what_was_seen(kind: str, reserved: float):
    stage = tuned(
        "nvidia-a100-sxm-80gb", 1, 4096, batch=4, model=MISTRAL_7B, framework="hf_trainer",
        layout={"micro_batch": 4, "recompute": "full"},
        method={"kind": kind, "rank": 16, "target": "attention"},
    )  # fmt: skip
    assert stage.memory.total_bytes == pytest.approx(reserved * GB, rel=0.13)


def test_twenty_thousand_tokens_of_a_3b_do_not_fit_what_an_a10g_has():
    stage = tuned(
        "nvidia-a10g", 1, 20_480, batch=16, model={"kind": "preset", "id": "llama-3.2-3b"},
        layout={"zero_stage": 0, "micro_batch": 1, "recompute": "full"},
        method={"kind": "qlora"},
    )  # fmt: skip
    assert stage.feasibility.status != "fits"
    assert stage.memory.capacity_bytes == 22.49 * GIB


def test_optimizer_states_on_the_host_make_room_and_take_time():
    def tuned_7b(**layout: bool) -> Any:
        return tuned(
            "nvidia-h100-sxm-80gb", 8, 4096, batch=8, framework="deepspeed",
            model={"kind": "preset", "id": "llama-2-7b"},
            layout={"zero_stage": 3, "recompute": "full"} | layout,
        )  # fmt: skip

    here, host = tuned_7b(), tuned_7b(optimizer_offload=True)
    both = tuned_7b(optimizer_offload=True, weight_offload=True)
    assert here.memory.total_bytes > host.memory.total_bytes > both.memory.total_bytes
    assert "optimizer_states" not in host.memory.parts
    assert "weights" not in both.memory.parts
    assert here.step.predicted_s < host.step.predicted_s < both.step.predicted_s


def test_eight_bits_hold_twice_what_four_do():
    four, eight = (
        tuned(
            "nvidia-a100-sxm-80gb", 1, 2048, model=MISTRAL_7B,
            layout={"micro_batch": 1, "recompute": "full"},
            method={"kind": "qlora", "base_format": base},
        ).memory.parts["weights"]
        for base in ("nf4", "int8")
    )  # fmt: skip
    ends = 2 * 2 * 32_000 * 4_096
    assert (eight - ends) == pytest.approx((four - ends) * 8 / 4.127)


@pytest.mark.parametrize(
    ("model", "accelerator", "batch", "seconds"),
    [
        ("qwen3-0.6b", "nvidia-a800-sxm-80gb", (256, 562, 523, 1024), 15.6),
        ("llama-3.2-1b", "nvidia-a800-sxm-80gb", (256, 562, 523, 1024), 10.6),
        ("llama-3-8b", "nvidia-a100-sxm-80gb", (100_000, 128, 125, 128), 100_000 * 125 / 6_000),
    ],
)
def test_batches_take_what_was_seen(
    model: str, accelerator: str, batch: tuple[int, int, int, int], seconds: float
):
    """A batch is its requests, their tokens, the mean response and its cap."""
    requests, prompt, written, most = batch
    stage = stage_of(
        accelerator, 1, kind="generation", model={"kind": "preset", "id": model},
        requests=requests, prompt_tokens=prompt, startup_hours=0,
        responses={"mean_tokens": written, "most_tokens": most},
        goodput=1, evaluation_share=0, idle_share=0,
    )  # fmt: skip
    hours = stage.wall_clock_hours
    assert hours.p10 <= seconds / 3600 <= hours.p90
