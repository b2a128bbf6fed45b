"""Examples of requests and of problems. Tests run all of them."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from service import __version__
from service.api.contract.parameters import PAGING, read_query
from service.api.refusing.decoding import decode_request
from service.api.refusing.errors import (
    AddressTooLong,
    BatchTooLong,
    BodyTimeout,
    CacheAway,
    ClaimNotKept,
    ComparisonNotKept,
    Draining,
    EntryNotFound,
    HeadTimeout,
    HeadTooLarge,
    KeyRequired,
    MethodNotAllowed,
    NotAcceptable,
    NotExportable,
    Overloaded,
    PayloadTooLarge,
    QuotaUsedUp,
    QuoteNotKept,
    Refused,
    SolutionNotKept,
    UnknownVersion,
    UnmetExpectation,
    UnsupportedMediaType,
    WrongHost,
)
from service.api.refusing.problems import render
from service.core.answer import EngineStamp
from service.core.catalog.errors import (
    BaseQuoteNotKept,
    NamedQuoteNotKept,
    NotQuotable,
    SpeedAbovePeak,
    StageCycle,
    TooMuchToCompute,
    UnknownAccelerator,
    UnknownBookRate,
    UnknownEdition,
    UnknownGeneration,
    UnknownModel,
    UnknownName,
    UnknownOffer,
    UnknownProvider,
    UnknownRegion,
    UnknownRun,
    UnknownSite,
    UnknownStage,
)
from service.core.names.names import Names

REQUEST_ID: Final = "0b8f1a52-7d1e-4c39-9f43-6f2a8e0c5d17"
QUOTE_ID: Final = "q_" + "0f" * 32
CLAIM_ID: Final = "c_" + "0f" * 32
ENGINE: Final = EngineStamp(version=__version__, digest="sha256:" + "0e" * 32)
"""Stands for the engine in examples of answers."""


class Example(Struct, frozen=True, kw_only=True):
    """A request with a name and a summary of what it shows."""

    name: str
    summary: str
    request: dict[str, Any]


def metered(name: str, device_hours: float) -> dict[str, Any]:
    """A stage whose device-hours are known."""
    return {"name": name, "work": {"kind": "metered", "device_hours": device_hours}}


def pretraining(name: str, **work: Any) -> dict[str, Any]:
    """A stage of tokens through a model."""
    return {"name": name, "work": {"kind": "pretraining", **work}}


def r1_zero(name: str, *, steps: float, most_tokens: float) -> dict[str, Any]:
    """A part of DeepSeek-R1-Zero: 32 prompts of 16 samples a step, 8,192 samples a rollout."""
    work = {
        "kind": "reinforcement",
        "model": {"kind": "preset", "id": "deepseek-v3"},
        "steps": steps,
        "prompts_per_step": 32,
        "samples_per_prompt": 16,
        "steps_per_rollout": 16,
        "responses": {"most_tokens": most_tokens},
    }
    return {"name": name, "work": work}


DEEPSEEK_R1: Final = Example(
    name="deepseek-r1",
    summary="DeepSeek-R1 as disclosed, rental $294,000.00, and all that the headline leaves out",
    request={
        "run": {
            "name": "DeepSeek-R1",
            "stages": [
                metered("R1-Zero", 101000),
                metered("SFT data", 5000),
                metered("R1", 41000),
            ],
        },
        "cluster": {
            "accelerator": "nvidia-h800-sxm-80gb",
            "devices": 512,
            "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
        },
    },
)
AGENT: Final = Example(
    name="agents",
    summary="An agent that mends software in up to 50 turns, with the wait for its containers",
    request={
        "run": {
            "name": "Software agent",
            "stages": [
                {
                    "name": "agent",
                    "work": {
                        "kind": "reinforcement",
                        "model": {"kind": "preset", "id": "qwen3-32b"},
                        "steps": 200,
                        "prompts_per_step": 64,
                        "samples_per_prompt": 8,
                        "responses": {"most_tokens": 32768},
                        "agent": {
                            "turns": {"low": 20, "high": 45},
                            "most_turns": 50,
                            "environment_seconds": {"low": 5, "high": 60},
                        },
                    },
                }
            ],
        },
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64},
    },
)
KINDS_OF_MODELS: Final = Example(
    name="kinds-of-models",
    summary="A hybrid, an encoder, two stacks, sparse attention, and a model that sees",
    request={
        "run": {
            "name": "Kinds of models",
            "stages": [
                pretraining(
                    "hybrid",
                    model={
                        "kind": "transformer",
                        "layers": 32,
                        "hidden_size": 4096,
                        "heads": 32,
                        "kv_heads": 8,
                        "vocab_size": 131072,
                        "mixer": {"kind": "mamba2", "layers": 28, "heads": 128, "head_dim": 64},
                    },
                    tokens=1e11,
                ),
                pretraining(
                    "encoder",
                    model={"kind": "preset", "id": "modernbert-large"},
                    tokens=1e11,
                    sequence_length=1024,
                ),
                pretraining(
                    "two stacks",
                    model={
                        "kind": "transformer",
                        "layers": 48,
                        "hidden_size": 1024,
                        "heads": 16,
                        "vocab_size": 32128,
                        "encoder": {"layers": 24, "input_share": 0.8},
                    },
                    tokens=1e11,
                    sequence_length=640,
                ),
                pretraining(
                    "sparse attention",
                    model={"kind": "preset", "id": "deepseek-v3.2"},
                    tokens=1e9,
                    sequence_length=131072,
                ),
                {
                    "name": "images",
                    "work": {
                        "kind": "finetuning",
                        "model": {"kind": "preset", "id": "qwen2.5-vl-7b", "image_share": 0.7},
                        "data": {"kind": "examples", "examples": 200000, "mean_tokens": 1500},
                    },
                },
            ],
        },
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 256},
    },
)
REQUESTS: Final = (
    DEEPSEEK_R1,
    Example(
        name="deepseek-v3-predicted",
        summary="DeepSeek-V3's pre-training from its description, kernels for experts among it",
        request={
            "run": {
                "name": "DeepSeek-V3",
                "stages": [
                    pretraining(
                        "pre-training",
                        model={"kind": "preset", "id": "deepseek-v3"},
                        tokens=14.8e12,
                        sequence_length=4096,
                        global_batch_tokens=15360 * 4096,
                        precision="fp8",
                        expert_kernels="fused",
                    )
                ],
            },
            "cluster": {
                "accelerator": "nvidia-h800-sxm-80gb",
                "devices": 2048,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
    ),
    Example(
        name="deepseek-v3",
        summary="DeepSeek-V3 as disclosed: $5,576,000.00",
        request={
            "run": {
                "name": "DeepSeek-V3",
                "stages": [
                    metered("pre-training", 2664e3),
                    metered("context extension", 119e3),
                    metered("post-training", 5e3),
                ],
            },
            "cluster": {
                "accelerator": "nvidia-h800-sxm-80gb",
                "devices": 2048,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
    ),
    Example(
        name="market-h100",
        summary="A known number of device-hours at today's market price",
        request={
            "run": {"name": "fine-tuning", "stages": [metered("SFT", 12000)]},
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 64},
        },
    ),
    Example(
        name="spot-of-one-provider",
        summary="Two weeks of wall clock on spot devices of one provider",
        request={
            "run": {
                "name": "two weeks",
                "stages": [{"name": "training", "work": {"kind": "timed", "hours": 336}}],
            },
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 256,
                "supply": {"kind": "market", "term": "spot", "provider": "gcp"},
            },
        },
    ),
    Example(
        name="compute-with-intervals",
        summary="FLOP, MFU and price known within bounds only, and one stage in three repeated",
        request={
            "run": {
                "name": "planned",
                "stages": [
                    {
                        "name": "pre-training",
                        "work": {
                            "kind": "compute",
                            "flop": {"low": 2e24, "high": 4e24},
                            "mfu": {"low": 0.32, "high": 0.45, "central": 0.4},
                            "goodput": 0.93,
                            "precision": "bf16",
                        },
                        "repeat": {"low": 1.0, "high": 1.5},
                    }
                ],
            },
            "cluster": {
                "accelerator": "nvidia-h200-sxm-141gb",
                "devices": 4096,
                "supply": {"kind": "rate", "usd_per_device_hour": {"low": 1.8, "high": 3.2}},
            },
        },
    ),
    Example(
        name="r1-on-v3",
        summary="DeepSeek-R1 with the model that it starts from: $5,870,000.00, and more on top",
        request={
            **DEEPSEEK_R1.request,
            "accounting": {
                "base_model": {
                    "kind": "runs",
                    "ids": ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"],
                }
            },
        },
    ),
    Example(
        name="owned",
        summary="Devices of your own at a site of your choice, with people and carbon",
        request={
            "run": {"name": "owned", "stages": [metered("pre-training", 5.7e7)]},
            "cluster": {
                "accelerator": "nvidia-a100-sxm-40gb",
                "devices": 25000,
                "supply": {
                    "kind": "owned",
                    "convention": "epoch-2024",
                    "usd_per_device": 24875,
                    "age_years": 1.75,
                },
                "site": {"id": "azure:eastus", "usd_per_kwh": 0.0806},
            },
            "accounting": {
                "staff": {"kind": "people", "people": 300, "months": 24},
                "embodied_carbon": True,
            },
        },
    ),
    Example(
        name="negotiated",
        summary="A reserved year that the run does not fill, a discount, storage and a margin",
        request={
            "run": {"name": "negotiated", "stages": [metered("training", 2e6)]},
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 512,
                "supply": {"kind": "market", "term": "reserved_1y", "region": "europe"},
                "site": {"id": "grid:de"},
            },
            "accounting": {
                "discounts": [{"label": "volume", "share": 0.12}],
                "uplifts": [
                    {
                        "kind": "markup",
                        "label": "reseller's margin",
                        "share": {"low": 0.03, "high": 0.08},
                    }
                ],
                "support": {},
                "storage": {"gigabytes": 500e3, "months": 12},
                "transfer": {"gigabytes": 20e3},
            },
            "options": {"bases": ["rental", "owned"]},
        },
    ),
    Example(
        name="two-clusters",
        summary="Pre-training on one cluster, reinforcement learning on another",
        request={
            "run": {
                "name": "two clusters",
                "stages": [
                    metered("pre-training", 1.3e6),
                    {
                        **metered("reinforcement learning", 90e3),
                        "cluster": {
                            "accelerator": "nvidia-h200-sxm-141gb",
                            "devices": 128,
                            "supply": {"kind": "market", "term": "reserved_1y"},
                        },
                    },
                ],
            },
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 2048,
                "supply": {"kind": "rate", "usd_per_device_hour": 1.9},
            },
        },
    ),
    Example(
        name="llama-3-405b-from-its-tokens",
        summary="Pre-training predicted from model, tokens and devices; the layout is chosen",
        request={
            "run": {
                "name": "Llama 3.1 405B",
                "stages": [
                    pretraining(
                        "pre-training",
                        tokens=15.6e12,
                        model={"kind": "preset", "id": "llama-3.1-405b"},
                        sequence_length=8192,
                        global_batch_tokens=16e6,
                    )
                ],
            },
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 16384,
                "network_gbit_per_s_per_device": 400,
            },
        },
    ),
    Example(
        name="a-model-known-by-its-parameters",
        summary="Only parameter counts are known, and the tokens within bounds; a shape is assumed",
        request={
            "run": {
                "name": "a mixture of experts",
                "stages": [
                    pretraining(
                        "pre-training",
                        tokens={"low": 8e12, "high": 15e12},
                        model={"kind": "parameters", "total": 400e9, "active": 30e9},
                        precision="fp8",
                    )
                ],
            },
            "cluster": {"accelerator": "nvidia-h200-sxm-141gb", "devices": 2048},
        },
    ),
    Example(
        name="a-device-of-your-own",
        summary="A device that the catalog does not name, from its data sheet",
        request={
            "run": {
                "name": "on another device",
                "stages": [
                    pretraining(
                        "pre-training",
                        model={"kind": "preset", "id": "llama-3.1-8b"},
                        tokens=1e12,
                        precision="fp8",
                    )
                ],
            },
            "cluster": {
                "accelerator": {
                    "name": "a card of ours",
                    "generation": "hopper",
                    "memory_gb": 120,
                    "memory_bandwidth_gb_per_s": 4400,
                    "peak_dense_tflops": {"bf16": 900},
                    "power_w": {"low": 550, "high": 650},
                    "devices_per_node": 8,
                },
                "devices": 256,
                "supply": {"kind": "rate", "usd_per_device_hour": 3.1},
            },
        },
    ),
    Example(
        name="in-euros",
        summary="A run in Germany, with its bills in euros at a dated rate of exchange",
        request={
            "run": {"name": "in euros", "stages": [metered("training", 20000)]},
            "cluster": {
                "accelerator": "nvidia-h200-sxm-141gb",
                "devices": 64,
                "site": {"id": "grid:de"},
            },
            "accounting": {"uplifts": [{"kind": "tax", "label": "VAT", "share": 0.19}]},
            "options": {"currency": "EUR"},
        },
    ),
    Example(
        name="your-own-transformer",
        summary="A transformer and a layout of your own, anchored to a measured speed",
        request={
            "run": {
                "name": "own architecture",
                "stages": [
                    pretraining(
                        "pre-training",
                        tokens=2e12,
                        model={
                            "kind": "transformer",
                            "layers": 48,
                            "hidden_size": 6144,
                            "heads": 48,
                            "kv_heads": 8,
                            "vocab_size": 128000,
                        },
                        sequence_length=8192,
                        global_batch_tokens=4194304,
                        layout={"tensor_parallel": 4, "zero_stage": 1, "recompute": "selective"},
                        goodput={"low": 0.85, "high": 0.97},
                        anchor={
                            "tokens_per_s_per_device": 2600,
                            "devices": 64,
                            "layout": {"tensor_parallel": 4, "recompute": "selective"},
                            "global_batch_tokens": 1048576,
                        },
                    )
                ],
            },
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 512},
        },
    ),
    Example(
        name="r1-zero-from-its-description",
        summary="Reinforcement learning predicted from steps, samples and length caps",
        request={
            "run": {
                "name": "DeepSeek-R1-Zero",
                "stages": [
                    r1_zero("to step 8,200", steps=8200, most_tokens=32768),
                    r1_zero("to step 10,400", steps=2200, most_tokens=65536),
                ],
            },
            "cluster": {
                "accelerator": "nvidia-h800-sxm-80gb",
                "devices": 512,
                "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
            },
        },
    ),
    Example(
        name="post-training-side-by-side",
        summary="Data is generated, then a model tuned beside a reward model's own adapters",
        request={
            "run": {
                "name": "post-training",
                "stages": [
                    {
                        "name": "data",
                        "work": {
                            "kind": "generation",
                            "model": {"kind": "preset", "id": "llama-3.1-70b"},
                            "requests": 500000,
                            "samples_per_prompt": 4,
                            "prompt_tokens": 400,
                            "responses": {"mean_tokens": 1200, "most_tokens": 8192},
                        },
                    },
                    {
                        "name": "reward model",
                        "after": ["data"],
                        "cluster": {
                            "accelerator": "nvidia-h100-sxm-80gb",
                            "devices": 8,
                            "supply": {"kind": "market", "term": "spot"},
                        },
                        "work": {
                            "kind": "finetuning",
                            "model": {"kind": "preset", "id": "llama-3.1-8b"},
                            "method": {"kind": "qlora", "rank": 32, "base_format": "int8"},
                            "data": {"kind": "tokens", "tokens": 2e8},
                        },
                    },
                    {
                        "name": "tuning",
                        "after": ["data"],
                        "work": {
                            "kind": "finetuning",
                            "model": {"kind": "preset", "id": "llama-3.1-70b"},
                            "data": {
                                "kind": "examples",
                                "examples": 400000,
                                "mean_tokens": 1600,
                                "epochs": 2,
                            },
                        },
                    },
                    {
                        "name": "reinforcement",
                        "after": ["reward model", "tuning"],
                        "work": {
                            "kind": "reinforcement",
                            "model": {"kind": "preset", "id": "llama-3.1-70b"},
                            "reward_model": {"kind": "preset", "id": "llama-3.1-8b"},
                            "steps": 500,
                            "prompts_per_step": 128,
                            "samples_per_prompt": 8,
                            "responses": {"mean_tokens": {"low": 800, "high": 2500}},
                            "placement": {"kind": "disaggregated", "off_policy_steps": 1},
                        },
                    },
                ],
            },
            "cluster": {"accelerator": "nvidia-h200-sxm-141gb", "devices": 64},
        },
    ),
    Example(
        name="preferences-a-judge-and-a-student",
        summary="DPO, a reward model, PPO with a critic, and a smaller model that learns from it",
        request={
            "run": {
                "name": "Preferences, and a student",
                "stages": [
                    {
                        "name": "preferences",
                        "work": {
                            "kind": "preference",
                            "model": {"kind": "preset", "id": "llama-3.1-8b"},
                            "data": {
                                "kind": "examples",
                                "examples": 60000,
                                "mean_tokens": 500,
                                "epochs": 3,
                            },
                            "loss": "dpo",
                        },
                    },
                    {
                        "name": "judge",
                        "work": {
                            "kind": "reward_modelling",
                            "model": {"kind": "preset", "id": "llama-3.1-8b"},
                            "method": {"kind": "lora"},
                            "data": {"kind": "examples", "examples": 60000, "mean_tokens": 500},
                        },
                    },
                    {
                        "name": "ppo",
                        "after": ["preferences", "judge"],
                        "work": {
                            "kind": "reinforcement",
                            "model": {"kind": "preset", "id": "llama-3.1-8b"},
                            "reward_model": {"kind": "preset", "id": "llama-3.1-8b"},
                            "critic": {"kind": "preset", "id": "llama-3.1-8b"},
                            "steps": 200,
                            "prompts_per_step": 256,
                            "samples_per_prompt": 1,
                            "kept_share": 0.8,
                            "responses": {"mean_tokens": 400, "most_tokens": 1024},
                        },
                    },
                    {
                        "name": "student",
                        "after": ["ppo"],
                        "work": {
                            "kind": "distillation",
                            "model": {"kind": "preset", "id": "llama-3.2-1b"},
                            "teacher": {"kind": "preset", "id": "llama-3.1-8b"},
                            "data": {"kind": "tokens", "tokens": 2e9},
                        },
                    },
                ],
            },
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 16},
        },
    ),
    AGENT,
    KINDS_OF_MODELS,
)

R1_CLAIM: Final = Example(
    name="deepseek-r1-294k",
    summary="294 thousand dollars for R1, by the reference runs of the catalog",
    request={
        "amount": 294000,
        "said_on": "2025-09-17",
        "scope": "final_run",
        "what": {
            "kind": "runs",
            "ids": ["deepseek-r1-zero", "deepseek-r1-sft-data", "deepseek-r1"],
        },
    },
)
CLAIMS: Final = (
    R1_CLAIM,
    Example(
        name="more-than-100-million",
        summary="More than 100 million dollars for a run that is described, on owned devices",
        request={
            "amount": 1e8,
            "bound": "at_least",
            "said_on": "2023-04",
            "what": {
                "kind": "request",
                "run": {"name": "GPT-4", "stages": [metered("pre-training", 57e6)]},
                "cluster": {
                    "accelerator": "nvidia-a100-sxm-40gb",
                    "devices": 25000,
                    "supply": {"kind": "owned", "convention": "epoch-2024"},
                },
                "accounting": {"base_model": {"kind": "none"}},
            },
        },
    ),
    Example(
        name="disclosed-hours-of-a-described-run",
        summary="An interval for a described run, whose disclosed hours are put to the test too",
        request={
            "amount": {"low": 4e6, "high": 7e6},
            "said_on": "2024-12-27",
            "what": {
                "kind": "request",
                "device_hours": 2664000,
                "run": {
                    "name": "DeepSeek-V3",
                    "stages": [
                        pretraining(
                            "pre-training",
                            model={"kind": "preset", "id": "deepseek-v3"},
                            tokens=14.8e12,
                            global_batch_tokens=15360 * 4096,
                            precision="fp8",
                            expert_kernels="fused",
                        )
                    ],
                },
                "cluster": {
                    "accelerator": "nvidia-h800-sxm-80gb",
                    "devices": 2048,
                    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
                },
            },
        },
    ),
)
"""Claims as they are posted."""

WRONG_REQUEST: Final = {
    "run": {"name": "DeepSeek-R1", "stages": [{"name": "R1", "work": {"kind": "measured"}}]},
    "cluster": {"accelerator": "nvidia-h800-sxm-80gb", "devices": 0.5, "suply": {"kind": "market"}},
}
SOME_ACCELERATORS: Final = (
    "nvidia-h100-pcie-80gb",
    "nvidia-h100-sxm-80gb",
    "nvidia-h200-sxm-141gb",
    "nvidia-h800-sxm-80gb",
)


def unknown(error: type[UnknownName], asked: str, *known: str, pointer: str) -> UnknownName:
    """A name that the catalog does not hold."""
    return error(asked=asked, known=Names(known), pointer=pointer)


UNKNOWN_ACCELERATOR: Final = unknown(
    UnknownAccelerator, "nvidia-h100", *SOME_ACCELERATORS, pointer="/cluster/accelerator"
)
UNKNOWN_PROVIDER: Final = unknown(
    UnknownProvider, "amazon", "aws", "azure", "gcp", pointer="/cluster/supply/provider"
)


def raised_by(call: Callable[..., object], *arguments: object) -> Refused:
    """The refusal that a call raises."""
    try:
        call(*arguments)
    except Refused as refusal:
        return refusal
    raise AssertionError(f"{call} refuses nothing")


PROBLEMS: Final[dict[str, Exception]] = {
    "unreadable-request": Refused("unreadable-request", "the address cannot be decoded"),
    "unreadable-json": raised_by(decode_request, b'{"run": {"name": "DeepSeek-R1", "stages": [NaN'),
    "invalid-query": raised_by(read_query, [("limit", "1000"), ("page", "2")], PAGING),
    "not-found": Refused("not-found", "There is nothing at this address"),
    "unknown-entry": EntryNotFound(
        "nvidia-h100", listing="/catalog/accelerators", known=Names(SOME_ACCELERATORS)
    ),
    "quote-not-kept": QuoteNotKept(QUOTE_ID),
    "bill-not-whole": NotExportable(
        "the owned bill has lines without a price: energy; ask for a partial one"
    ),
    "claim-not-kept": ClaimNotKept(CLAIM_ID),
    "comparison-not-kept": ComparisonNotKept("k_" + "0f" * 32),
    "solution-not-kept": SolutionNotKept("s_" + "0f" * 32),
    "base-quote-not-kept": BaseQuoteNotKept(asked=QUOTE_ID, pointer="/accounting/base_model/id"),
    "named-quote-not-kept": NamedQuoteNotKept(asked=QUOTE_ID, pointer="/before/id"),
    "method-not-allowed": MethodNotAllowed(allowed=("GET", "HEAD", "OPTIONS")),
    "not-acceptable": NotAcceptable("application/xml", offered=("application/json",)),
    "body-timeout": BodyTimeout(15.0),
    "payload-too-large": PayloadTooLarge(2**20),
    "batch-too-long": BatchTooLong("it has more than 10,000 lines"),
    "unsupported-media-type": UnsupportedMediaType("text/plain", wanted="application/json"),
    "invalid-request": raised_by(decode_request, msgspec.json.encode(WRONG_REQUEST)),
    "unknown-accelerator": UNKNOWN_ACCELERATOR,
    "unknown-offer": unknown(
        UnknownOffer,
        "aws-p5-spot",
        "aws-p5.48xlarge-us-east-1-spot-2026-11",
        pointer="/cluster/supply/id",
    ),
    "unknown-book-rate": unknown(
        UnknownBookRate,
        "h100-2026",
        "h100-2027",
        "h200-2027",
        pointer="/cluster/supply/name",
    ),
    "unknown-catalog": UnknownEdition(
        asked="2026-10-01", known=("2026-12-01", "2026-11-26"), pointer="/catalog"
    ),
    "unknown-generation": unknown(
        UnknownGeneration, "cdna-5", "cdna-3", "cdna-2", pointer="/cluster/accelerator/generation"
    ),
    "unknown-model": unknown(
        UnknownModel, "llama-3-70b", "llama-3.1-70b", "llama-3.1-8b", pointer="/model/id"
    ),
    "unknown-site": unknown(
        UnknownSite, "us-east-1", "aws:us-east-1", "aws:us-east-2", pointer="/cluster/site/id"
    ),
    "unknown-provider": UNKNOWN_PROVIDER,
    "unknown-region": unknown(
        UnknownRegion, "us-east-9", "us-east-1", "us-east-2", pointer="/cluster/supply/region"
    ),
    "unknown-stage": unknown(
        UnknownStage, "pretraining", "pre-training", "R1", pointer="/run/stages/1/after/0"
    ),
    "too-much-to-compute": TooMuchToCompute(
        seconds=14.2, most_seconds=10.0, stages=64, pointer="/run/stages"
    ),
    "speed-above-peak": SpeedAbovePeak(
        tokens_per_s=500_000.0,
        peak_tokens_per_s=20_000.0,
        device="nvidia-h100-sxm-80gb",
        pointer="/run/stages/0/work/anchor/tokens_per_s_per_device",
    ),
    "stage-cycle": StageCycle(name="R1", pointer="/run/stages/1/after"),
    "unknown-run": unknown(
        UnknownRun,
        "deepseek-v3",
        "deepseek-v3-pretrain",
        "deepseek-v3-context",
        pointer="/accounting/base_model/ids/0",
    ),
    "unknown-name": unknown(UnknownName, "a100", *SOME_ACCELERATORS, pointer="/cluster"),
    "not-quotable": NotQuotable((UNKNOWN_ACCELERATOR, UNKNOWN_PROVIDER)),
    "internal-error": RuntimeError(),
    "cache-unavailable": CacheAway(QUOTE_ID),
    "overloaded": Overloaded("512 requests are waiting"),
    "head-timeout": HeadTimeout(10.0),
    "address-too-long": AddressTooLong(65536),
    "expectation-failed": UnmetExpectation(),
    "head-too-large": HeadTooLarge(head_bytes=65536, fields=100),
    "draining": Draining(),
    "http-version": UnknownVersion(),
    "key-required": KeyRequired("the request has no key"),
    "quota-exceeded": QuotaUsedUp(retry_after_s=12),
    "misdirected-request": WrongHost(),
}


def problem_example(slug: str) -> dict[str, Any]:
    """A problem of this kind, as the service answers it."""
    body = render(PROBLEMS[slug], request_id=REQUEST_ID).body
    example: dict[str, Any] = msgspec.json.decode(body)
    return example
