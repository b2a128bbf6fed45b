"""All measured cases of public threads: what people ran, and the time or the memory that they saw.

Each case is a request as its reporter would write it, with names replaced. What was seen is a fact
of the reporter. A time has to lie between p10 and p90; where a case is two measurements of unlike
software, the interval has to reach the nearer one.
"""

from typing import Any, NamedTuple

import pytest

from tests.worlds import answer, embedded

GB = 1e9
NO_LOSSES = {"goodput": 1, "evaluation_share": 0, "idle_share": 0}
A100, A100_40 = "nvidia-a100-sxm-80gb", "nvidia-a100-sxm-40gb"
A800, H800, H100 = "nvidia-a800-sxm-80gb", "nvidia-h800-sxm-80gb", "nvidia-h100-sxm-80gb"
V100 = "nvidia-v100-sxm2-32gb"


class Case(NamedTuple):
    """What was run, on what, and what was seen.

    `wall_s` are seconds from start to end, `step_s` those of a step, `rate` tokens a second and
    device in training. `states` are answers that are right, `held` the bytes that were allocated
    and reserved.
    """

    work: dict[str, Any]
    cluster: tuple[str, int]
    step_s: tuple[float, ...] = ()
    rate: tuple[float, ...] = ()
    wall_s: tuple[float, ...] = ()
    states: tuple[str, ...] = ()
    held: tuple[float, float] = (0.0, 0.0)


def preset(name: str) -> dict[str, Any]:
    return {"kind": "preset", "id": name}


def transformer(layers: int, hidden: int, heads: int, vocab: int, **more: Any) -> dict[str, Any]:
    shape = {"layers": layers, "hidden_size": hidden, "heads": heads, "vocab_size": vocab}
    return {"kind": "transformer", **shape, **more}


def pretrained(model: Any, length: int, batch: int, steps: int = 1000, **more: Any) -> Any:
    """Steps of `batch` tokens."""
    tokens = {"tokens": steps * batch, "sequence_length": length, "global_batch_tokens": batch}
    return {"kind": "pretraining", "model": model, **tokens, **NO_LOSSES, **more}


def tuned(model: Any, length: int, batch: int, **more: Any) -> Any:
    data = {"kind": "tokens", "tokens": 1000 * batch}
    tokens = {"data": data, "sequence_length": length, "global_batch_tokens": batch}
    return {"kind": "finetuning", "model": model, **tokens, **NO_LOSSES, **more}


def generated(model: str, requests: int, prompt: int, mean: int, most: int, **more: Any) -> Any:
    lengths = {"prompt_tokens": prompt, "responses": {"mean_tokens": mean, "most_tokens": most}}
    asked = {"model": preset(model), "requests": requests, **lengths}
    return {"kind": "generation", **asked, **NO_LOSSES, **more}


def adapters(kind: str = "lora", rank: int = 16, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "rank": rank, **more}


def experts(pipeline: int) -> dict[str, Any]:
    layout = {"pipeline_parallel": pipeline, "expert_parallel": 16 // pipeline, "zero_stage": 1}
    return layout | {"micro_batch": 1, "recompute": "none"}


MISTRAL = tuned(
    preset("mistral-7b-v0.1"), 4096, 16_384, layout={"micro_batch": 4, "recompute": "full"}
)
ATTENTION: dict[str, Any] = {"target": "attention"}
GPT2 = pretrained(preset("gpt2-small"), 1024, 45_056, layout={"micro_batch": 44, "zero_stage": 0})
WIDE_HEAD = transformer(
    24, 1024, 16, 250_000,
    gated_ffn=False, tied_embeddings=True, norm="layernorm", learned_positions=2048,
)  # fmt: skip
WIDE = pretrained(
    WIDE_HEAD, 2048, 524_288, precision="fp16", software_year=2023,
    layout={"micro_batch": 4, "zero_stage": 0},
)  # fmt: skip
ZERO_3 = pretrained(
    preset("llama-7b"), 2048, 262_144, software_year=2023,
    layout={"zero_stage": 3, "recompute": "full", "micro_batch": 4},
)  # fmt: skip
OF_2023 = pretrained(preset("llama-7b"), 2048, 4_194_304, software_year=2023)
ALPACA = {  # tloen/alpaca-lora loads the base in 8 bits (finetune.py, load_in_8bit)
    "kind": "finetuning", "model": preset("llama-7b"), "sequence_length": 256,
    "data": {"kind": "examples", "examples": 52_000, "mean_tokens": 110, "epochs": 3},
    "global_batch_tokens": 32_768, "batching": "padded", "software_year": 2023,
    "method": adapters("qlora", rank=8, base_format="int8", **ATTENTION),
}  # fmt: skip
REINFORCED = {
    "kind": "reinforcement", "model": preset("qwen2.5-0.5b"), "steps": 1000, "prompts_per_step": 16,
    "samples_per_prompt": 1, "prompt_tokens": 100, "steps_per_rollout": 1, "updates_per_step": 1,
    "responses": {"mean_tokens": 250, "most_tokens": 1024}, **NO_LOSSES,
}  # fmt: skip
NO_PLAIN_FIT = ("tight", "does_not_fit")

CASES = {
    "gpt2-eager": Case(
        GPT2 | {"framework": "hf_trainer", "attention_kernel": "unfused"},
        (A100, 1),
        step_s=(0.667,),
    ),
    "gpt2-eager-of-2023": Case(
        GPT2 | {"framework": "hf_trainer", "software_year": 2023}, (A100, 1), step_s=(0.667,)
    ),
    "wide-head": Case(
        WIDE,
        (V100, 64),
        step_s=(2.5,),  # by DeepSpeed; Megatron took 4.3
    ),
    "wide-head-by-deepspeed": Case(
        WIDE | {"framework": "deepspeed"}, (V100, 64), step_s=(2.5,), states=("fits", "tight")
    ),
    "alpaca": Case(ALPACA, ("nvidia-rtx-4090", 1), wall_s=(5 * 3600, 6 * 3600)),
    "experts-16": Case(
        pretrained(preset("qwen3-30b-a3b"), 8192, 1_048_576, layout=experts(2)),
        (H800, 16),
        step_s=(10.361,),
    ),
    "experts-32": Case(
        pretrained(preset("qwen3-30b-a3b"), 8192, 2_097_152, layout=experts(4)),
        (H800, 16),
        step_s=(20.992,),
    ),
    "tpu": Case(  # its owners offload activations, which makes it a plain fit
        pretrained(
            preset("llama-3.1-8b"), 8192, 196_608, layout={"zero_stage": 3, "micro_batch": 3}
        ),
        ("google-tpu-v6e", 8),
        step_s=(3.443,),
        states=("fits", "tight"),
    ),
    "zero-3-of-2023": Case(ZERO_3, (A100_40, 8), rate=(2000,)),
    "zero-3-by-fsdp": Case(ZERO_3 | {"framework": "fsdp_eager"}, (A100_40, 8), rate=(2000,)),
    "zero-3-by-deepspeed": Case(ZERO_3 | {"framework": "deepspeed"}, (A100_40, 8), rate=(2000,)),
    "of-2023": Case(OF_2023, (A100, 8), rate=(2900,)),
    "of-2023-by-the-trainer": Case(
        OF_2023 | {"framework": "hf_trainer"}, (A100, 8), rate=(2900,)
    ),
    "rollouts-on-one-device": Case(REINFORCED, ("huawei-ascend-910b", 1), wall_s=(43_600,)),
    "lora": Case(
        MISTRAL | {"method": adapters(**ATTENTION)},
        (A100, 1),
        rate=(3597,),
        held=(28.0 * GB, 31.2 * GB),
    ),
    "qlora": Case(
        MISTRAL | {"method": adapters("qlora", **ATTENTION)},
        (A100, 1),
        rate=(3428,),
        held=(17.0 * GB, 20.9 * GB),
    ),
    "short-answers": Case(
        generated("llama-3-8b", 100_000, 128, 128, 128),
        (A100, 1),
        wall_s=(100_000 * 128 / 6550, 100_000 * 128 / 5500),
    ),
    "one-stream-of-72b": Case(  # 31 ms a token
        generated(
            "qwen2.5-72b", 8, 128, 1000, 1024,
            serving={"tensor_parallel": 2, "devices_per_replica": 2},
        ),
        (H100, 2),
        wall_s=(1000 * 0.031,),
        states=("fits",),
    ),
    "batch-of-0.6b": Case(generated("qwen3-0.6b", 256, 562, 523, 1024), (A800, 1), wall_s=(15.6,)),
    "batch-of-1b": Case(generated("llama-3.2-1b", 256, 562, 523, 1024), (A800, 1), wall_s=(10.6,)),
    "full-tuning-on-one": Case(
        tuned(preset("llama-7b"), 128, 512, layout={"micro_batch": 4, "zero_stage": 0}),
        (A100, 1),
        states=("does_not_fit",),
    ),
    "full-tuning-on-two": Case(
        tuned(preset("llama-7b"), 128, 1024, layout={"micro_batch": 4, "zero_stage": 3}),
        (A100, 2),
        states=("fits",),
    ),
    "14k-of-gemma": Case(
        tuned(
            preset("gemma-3-12b"), 14_000, 14_000,
            layout={"micro_batch": 1}, method=adapters(rank=8),
        ),
        (H100, 1),
        states=("fits",),
    ),
    "28k-of-gemma": Case(  # a base of 8 bits ran out above 14 to 15 thousand
        tuned(
            preset("gemma-3-12b"), 28_000, 28_000,
            layout={"micro_batch": 1}, method=adapters(rank=8),
        ),
        (H100, 1),
        states=NO_PLAIN_FIT,
    ),
    "64k-entries-under-zero-2": Case(
        tuned(
            transformer(32, 4096, 32, 64_000, ffn_size=11_008), 1024, 8192, precision="fp16",
            layout={"micro_batch": 1, "zero_stage": 2},
        ),
        (V100, 8),
        states=NO_PLAIN_FIT,
    ),
    "33b-under-zero-3": Case(  # 77.5 of 79.35 GiB were reserved, then memory ran out
        tuned(
            transformer(62, 7168, 56, 32_256, kv_heads=8, ffn_size=19_200), 2048, 16_384,
            layout={"micro_batch": 1, "zero_stage": 3},
        ),
        (A800, 8),
        states=NO_PLAIN_FIT,
    ),
    "two-of-8k": Case(
        tuned(
            preset("llama-3-8b"), 8192, 16_384, layout={"micro_batch": 2}, method=adapters(rank=8)
        ),
        (A100, 1),
        states=("fits",),
    ),
    "seen-by-nvidia-smi": Case(  # 21 GB with the context, held to a tenth
        pretrained(
            transformer(32, 4096, 32, 50_257, ffn_size=10_880), 4096, 16_384,
            layout={"tensor_parallel": 8, "zero_stage": 0, "micro_batch": 1, "recompute": "none"},
        ),
        (A100, 32),
        held=(0.9 * 21 * GB, 1.1 * 21 * GB),
    ),
    "20k-on-an-a10g": Case(
        tuned(
            preset("llama-3.2-3b"), 20_480, 327_680, method={"kind": "qlora"},
            layout={"zero_stage": 0, "micro_batch": 1, "recompute": "full"},
        ),
        ("nvidia-a10g", 1),
        states=NO_PLAIN_FIT,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    """The stage that answers each case."""
    return {name: _stage_of(case) for name, case in CASES.items()}


def _stage_of(case: Case) -> Any:
    accelerator, devices = case.cluster
    supply = {"kind": "rate", "usd_per_device_hour": 2.0}
    return answer(
        {
            "run": {"name": "r", "stages": [{"name": "s", "work": case.work}]},
            "cluster": {"accelerator": accelerator, "devices": devices, "supply": supply},
        },
        embedded(),
    ).stages[0]


@pytest.mark.parametrize("name", CASES)
def test_what_was_seen_lies_in_what_is_said(name: str, stages: dict[str, Any]):
    case, stage = CASES[name], stages[name]
    devices = case.cluster[1]
    steps = [*case.step_s]
    if case.rate:
        steps += [case.work["global_batch_tokens"] / devices / rate for rate in case.rate]
    for seconds in steps:
        assert stage.step.seconds.p10 <= seconds <= stage.step.seconds.p90
    for seconds in case.wall_s:
        hours = stage.wall_clock_hours
        assert hours.p10 <= seconds / 3600 <= hours.p90
    if case.states:
        assert stage.feasibility.status in case.states
    if any(case.held):
        allocated, reserved = case.held
        assert allocated <= stage.memory.total_bytes <= reserved


def test_quantised_adapters_are_slower_than_those_beside_16_bits(stages: dict[str, Any]):
    lora, qlora = (stages[name].step.predicted_s for name in ("lora", "qlora"))
    assert lora < qlora < 1.1 * lora
