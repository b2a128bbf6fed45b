"""Examples of comparisons, as they are posted and as they are answered. Tests run the requests."""

from typing import Any, Final

from service.api.contract.examples import Example, pretraining
from service.api.contract.excerpt import STAND_INS

SOLUTION_ID: Final = "s_" + "0f" * 32
COMPARISON_ID: Final = "k_" + "0f" * 32

LLAMA_8B: Final = Example(
    name="llama-8b-within-30-days",
    summary="A model like Llama 3.1 8B on 2 T tokens within 30 days, on any device of any seller",
    request={
        "run": {
            "name": "8B on 2 T tokens",
            "stages": [
                pretraining(
                    "pre-training", model={"kind": "preset", "id": "llama-3.1-8b"}, tokens=2e12
                )
            ],
        },
        "constraints": {"deadline_hours": 720},
        "confidence": 0.8,
    },
)
LORA_70B: Final = Example(
    name="lora-of-70b-on-50000-examples",
    summary="A LoRA of a 70B on 50,000 examples, at the least cost",
    request={
        "run": {
            "name": "LoRA of a 70B",
            "stages": [
                {
                    "name": "tuning",
                    "work": {
                        "kind": "finetuning",
                        "model": {"kind": "preset", "id": "llama-3.1-70b"},
                        "method": {"kind": "lora"},
                        "data": {"kind": "examples", "examples": 50000, "mean_tokens": 1000},
                    },
                }
            ],
        },
        "confidence": 0.8,
        "most": 10,
    },
)
COMPARISONS: Final = (
    LLAMA_8B,
    LORA_70B,
    Example(
        name="terms-and-sizes-of-h100",
        summary="Sizes, terms and a purchase of one device, with a budget",
        request={
            "run": {
                "name": "100,000 device-hours",
                "stages": [
                    {"name": "run", "work": {"kind": "metered", "device_hours": 100000}},
                ],
            },
            "choices": {
                "accelerators": ["nvidia-h100-sxm-80gb"],
                "devices": [96, 100, 256],
                "terms": ["on_demand", "reserved_1y", "owned"],
                "sellers": ["crusoe", "lambda", "nebius"],
            },
            "constraints": {"budget_usd": 400000, "deadline_hours": 1500},
            "objective": "time",
        },
    ),
)
"""Comparisons as they are posted."""


def _levels(central: float, p50: float, p80: float, p90: float) -> dict[str, float]:
    return {"central": central, "p50": p50, "p80": p80, "p90": p90}


COMPARISON_EXCERPT: Final[dict[str, Any]] = {
    **STAND_INS,
    "id": COMPARISON_ID,
    "request": LLAMA_8B.request,
    "objective": "cost",
    "confidence": 0.8,
    "horizon_hours": 720.0,
    "candidates": [
        {
            "rank": 1,
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 256.0,
                "supply": {"kind": "market", "term": "on_demand", "provider": "tensorpool"},
            },
            "term": "on_demand",
            "price": {
                "seller": "tensorpool",
                "segment": "neocloud",
                "usd_per_device_hour": "1.99",
                "basis": "own_price",
                "offer": "tensorpool-h100",
                "observed_on": "2026-11-20",
                "panel": {"sellers": 24, "median_usd_per_device_hour": "2.95"},
                "makes_cluster": "unknown",
            },
            "nodes": 32,
            "devices_per_node": 8,
            "devices_sold": 256,
            "billed_hours": 277.0,
            "billed_days": 11.541666666666666,
            "device_hours": _levels(70912.0, 79000.0, 123250.0, 155000.0),
            "wall_clock_hours": _levels(277.0, 308.6, 481.4, 605.5),
            "costs": [
                {
                    "basis": "rental",
                    "total": {"amount": "141002.72", "currency": "USD"},
                    "p50": "160000.00",
                    "p80": "263302.11",
                    "p90": "330000.00",
                }
            ],
            "unused_commitment": "0.00",
            "keeps": {"deadline": 0.918945, "all": 0.918945},
            "probability_cheapest": 0.241211,
            "on_frontier": True,
        }
    ],
    "frontier": [
        {
            "cluster": {
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 256.0,
                "supply": {"kind": "market", "term": "on_demand", "provider": "tensorpool"},
            },
            "rank": 1,
            "cost": "263302.11",
            "hours": 481.4,
        }
    ],
    "infeasible": [
        {
            "reason": "deadline",
            "count": 187,
            "examples": [
                {"accelerator": "nvidia-h100-sxm-80gb", "devices": 2.0, "sellers": ["aws"]}
            ],
            "nearest": "2,048 nvidia-l40s would be done in 760 hours",
        }
    ],
    "wasteful": [],
    "counts": {"feasible": 259, "infeasible": 493, "plans": 65},
}

H100S: Final[dict[str, Any]] = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 256}
PRICE: Final = Example(
    name="price-that-meets-a-budget",
    summary="The price of a device-hour at which 100,000 of them cost $250,000",
    request={
        "run": {
            "name": "100,000 device-hours",
            "stages": [{"name": "run", "work": {"kind": "metered", "device_hours": 100000}}],
        },
        "cluster": H100S,
        "find": {"kind": "price"},
        "limits": {"budget_usd": 250000},
    },
)
SOLUTIONS: Final = (
    PRICE,
    Example(
        name="most-tokens-for-a-budget",
        summary="How many tokens an 8B can be trained on for $150,000 within 30 days",
        request={
            "run": LLAMA_8B.request["run"],
            "cluster": H100S,
            "find": {"kind": "tokens"},
            "limits": {"budget_usd": 150000, "deadline_hours": 720},
            "held_at": "p80",
        },
    ),
    Example(
        name="largest-model-for-a-budget",
        summary="Which model of a family can be trained on 300 B tokens for $500,000",
        request={
            "run": {
                "name": "300 B tokens",
                "stages": [
                    pretraining(
                        "pre-training", model={"kind": "preset", "id": "llama-3.1-8b"}, tokens=3e11
                    )
                ],
            },
            "cluster": H100S,
            "find": {
                "kind": "model",
                "models": ["llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"],
            },
            "limits": {"budget_usd": 500000},
        },
    ),
    Example(
        name="smallest-cluster-for-a-deadline",
        summary="The fewest H100s on which an 8B is trained on 2 T tokens within 30 days",
        request={
            "run": LLAMA_8B.request["run"],
            "cluster": H100S,
            "find": {"kind": "devices", "most": 1024},
            "limits": {"deadline_hours": 720},
            "held_at": "p80",
        },
    ),
    Example(
        name="when-owning-pays",
        summary="From which use on 256 owned H100s cost less than the cheapest seller",
        request={
            "run": LLAMA_8B.request["run"],
            "cluster": H100S,
            "find": {"kind": "owning"},
        },
    ),
)
"""Solutions as they are asked for."""

SOLUTION_EXCERPT: Final[dict[str, Any]] = {
    **STAND_INS,
    "id": SOLUTION_ID,
    "request": PRICE.request,
    "find": "price",
    "status": "solved",
    "detail": "4 would not keep the limits",
    "usd_per_device_hour": 2.5,
    "cost": {
        "basis": "rental",
        "total": {"amount": "250000.00", "currency": "USD"},
        "p50": "250000.00",
        "p80": "250000.00",
        "p90": "250000.00",
    },
    "wall_clock_hours": _levels(390.625, 390.625, 390.625, 390.625),
    "quote": {
        "run": PRICE.request["run"],
        "cluster": {**H100S, "supply": {"kind": "rate", "usd_per_device_hour": 2.5}},
    },
}
