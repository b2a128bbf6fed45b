"""What makes the times of public threads what they are: kernels, losses, frameworks."""

from typing import Any

import pytest

from tests.worlds import answer, embedded

NO_LOSSES = {"goodput": 1, "evaluation_share": 0, "idle_share": 0}
VERY_WIDE_HEAD = {
    "kind": "transformer", "layers": 24, "hidden_size": 1024, "heads": 16, "vocab_size": 250_000,
    "gated_ffn": False, "tied_embeddings": True, "norm": "layernorm", "learned_positions": 2048,
}  # fmt: skip


def stage_of(accelerator: str, devices: int, work: dict[str, Any]) -> Any:
    return answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": NO_LOSSES | work}]},
            "cluster": {
                "accelerator": accelerator,
                "devices": devices,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
        embedded(),
    ).stages[0]


def pretraining(model: Any, *, length: int, batch: int, **more: Any) -> dict[str, Any]:
    tokens = {"tokens": 1000 * batch, "sequence_length": length, "global_batch_tokens": batch}
    return {"kind": "pretraining", "model": model, **tokens, **more}


GPT2 = pretraining(
    {"kind": "preset", "id": "gpt2-small"},
    length=1024,
    batch=45_056,
    layout={"micro_batch": 44, "zero_stage": 0},
)
QWEN = {"kind": "transformer", "vocab_size": 151_936}
QWEN_7B = QWEN | {"layers": 32, "hidden_size": 4096, "heads": 32, "ffn_size": 11_008}
QWEN_14B = QWEN | {"layers": 40, "hidden_size": 5120, "heads": 40, "ffn_size": 13_696}


@pytest.mark.parametrize(
    ("model", "plain", "four", "eight"),
    [(QWEN_7B, 4.31, 2.41, 1.97), (QWEN_14B, 2.60, 1.36, 1.08)],
    ids=["7b", "14b"],
)
def test_bases_in_eight_bits_take_what_was_measured(model, plain, four, eight):
    """Samples a second of LoRA beside 16 bits, bitsandbytes' NF4 and GPTQ's 8 bits, on an A100.

    Source: benchmark of ms-swift (docs/source_en/LLM/Benchmark.md, 2024), batches of one, full
    recompute. Lengths after samples that are too long are left out are not printed: 700 tokens is
    where the speed beside 16 bits is predicted.
    """
    work = {
        "kind": "finetuning", "model": model, "data": {"kind": "tokens", "tokens": 1e7},
        "sequence_length": 700, "global_batch_tokens": 16 * 700, "framework": "hf_trainer",
        "layout": {"micro_batch": 1, "recompute": "full"}, "software_year": 2024,
    }  # fmt: skip

    def step_of(kind, **more):
        method = {"kind": kind, "rank": 8, "target": "attention"} | more
        return stage_of("nvidia-a100-sxm-80gb", 1, work | {"method": method}).step

    assert step_of("lora").predicted_s == pytest.approx(16 / plain, rel=0.05)
    for step, samples_per_s in (
        (step_of("qlora"), four),
        (step_of("qlora", base_format="int8"), eight),
    ):
        assert step.seconds.p10 <= 16 / samples_per_s <= step.seconds.p90


def test_scores_that_stand_in_memory_take_time_by_their_number_and_kernels():
    """Twice the length is four times the scores, and eager kernels move each of them often."""

    def attention_of(framework: str, kernel: str, length: int) -> float:
        work = GPT2 | {
            "sequence_length": length, "framework": framework, "attention_kernel": kernel,
            "layout": {"micro_batch": 44 * 1024 / length, "zero_stage": 0, "recompute": "full"},
        }  # fmt: skip
        return stage_of("nvidia-a100-sxm-80gb", 1, work).step.parts["attention"]

    eager, longer = (attention_of("hf_trainer", "unfused", length) for length in (1024, 2048))
    assert longer == pytest.approx(2 * eager)
    assert eager > 3 * attention_of("megatron", "unfused", 1024)
    assert eager > 5 * attention_of("hf_trainer", "flash_2", 1024)


def test_a_loss_of_several_kernels_takes_longer_than_a_fused_one():
    unfused, fused, usual, own = (
        stage_of("nvidia-a100-sxm-80gb", 1, GPT2 | said).step.parts["vocabulary"]
        for said in (
            {"framework": "hf_trainer", "loss_kernel": "unfused"},
            {"framework": "hf_trainer", "loss_kernel": "fused"},
            {"framework": "hf_trainer"},
            {"framework": "megatron"},
        )
    )
    assert unfused == usual > 1.4 * fused
    assert own == fused


def test_the_spread_of_all_frameworks_has_eager_kernels_and_narrows_with_the_cluster():
    """Of one device it is wider than that of a framework that is said, of 1,024 it is as wide."""

    def width(devices: int, **said: str) -> float:
        step = stage_of(
            "nvidia-a100-sxm-80gb",
            devices,
            pretraining(VERY_WIDE_HEAD, length=2048, batch=4 * 2048 * devices, software_year=2023)
            | {"layout": {"micro_batch": 4, "zero_stage": 0}}
            | said,
        ).step.seconds
        return float(step.p90 / step.p10)

    assert width(8) > 1.3 * width(8, framework="megatron")
    assert width(8) > width(1024)


@pytest.mark.parametrize("name", ["fsdp_eager", "lightning"])
def test_frameworks_that_take_any_model_lie_between_fused_and_eager_ones_unless_they_compile(name):
    """LLM Foundry has fused kernels of its own, the Trainer those of the models' code."""

    def step_of(framework: str, **said: Any) -> Any:
        work = GPT2 | {"software_year": 2023, "framework": framework} | said
        return stage_of("nvidia-a100-sxm-80gb", 1, work).step

    fused, open_, eager = (step_of(one) for one in ("llm_foundry", name, "hf_trainer"))
    assert 1.1 * fused.predicted_s < open_.predicted_s < eager.predicted_s / 1.1
    assert open_.seconds.p10 < fused.seconds.p90
    assert open_.seconds.p90 > 1.4 * fused.seconds.p50
    width, narrow = (one.seconds.p90 / one.seconds.p10 for one in (open_, fused))
    assert width > 1.2 * narrow
    compiled = step_of(name, compile=True)
    assert compiled.predicted_s == step_of("llm_foundry", compile=True).predicted_s
