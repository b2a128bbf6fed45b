"""Requests that reach the formulas which the contract's examples do not apply."""

from typing import Any, Final

from service.api.contract.examples import Example, pretraining

LLAMA_8B: Final = {"kind": "preset", "id": "llama-3.1-8b"}
EIGHT_H100: Final = {
    "accelerator": "nvidia-h100-sxm-80gb",
    "devices": 8,
    "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
}


def one_stage(work: dict[str, Any], *, cluster: dict[str, Any]) -> dict[str, Any]:
    """A request of one stage."""
    return {"run": {"name": "one", "stages": [{"name": "one", "work": work}]}, "cluster": cluster}


BASES_ABROAD: Final = tuple(
    Example(
        name=f"a-base-in-{currency.lower()}",
        summary=f"A run of known hours in {currency}, from which another run starts",
        request=one_stage({"kind": "timed", "hours": 24}, cluster=EIGHT_H100)
        | {"options": {"currency": currency}},
    )
    for currency in ("EUR", "JPY")
)

MORE_REQUESTS: Final = (
    Example(
        name="part-of-an-instance",
        summary="A hundred devices of instances of eight, in a block that is paid by the day",
        request=one_stage(
            {"kind": "timed", "hours": 25},
            cluster={
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 100,
                "supply": {
                    "kind": "offer",
                    "id": "aws-us-east-1-p5-48xlarge-capacity-block-2024-12",
                },
            },
        ),
    ),
    Example(
        name="on-a-base-of-stated-cost",
        summary="A run on a base model of which only a sum is published",
        request=one_stage({"kind": "timed", "hours": 24}, cluster=EIGHT_H100)
        | {"accounting": {"base_model": {"kind": "runs", "ids": ["dbrx-132b"]}}},
    ),
    Example(
        name="frozen-and-padded",
        summary="Tuning with frozen layers, each example in a sequence of its own",
        request=one_stage(
            {
                "kind": "finetuning",
                "model": LLAMA_8B,
                "data": {"kind": "examples", "examples": 20000, "mean_tokens": 900},
                "method": {"kind": "frozen", "frozen_share": 0.5},
                "batching": "padded",
            },
            cluster=EIGHT_H100,
        ),
    ),
    Example(
        name="lengths-between-two",
        summary="Generation of which nine in ten responses lie between two lengths, on owned cards",
        request=one_stage(
            {
                "kind": "generation",
                "model": LLAMA_8B,
                "requests": 100000,
                "responses": {
                    "between_tokens": {"low": 200, "high": 4000},
                    "most_tokens": 8192,
                },
            },
            cluster={
                "accelerator": "nvidia-a100-pcie-80gb",
                "devices": 8,
                "supply": {"kind": "owned", "convention": "epoch-2024"},
            },
        )
        | {"accounting": {"storage": {"gigabytes": 5000}}},
    ),
    Example(
        name="sessions-of-agents",
        summary="Sessions of agents of which only the cap is known",
        request=one_stage(
            {
                "kind": "generation",
                "model": LLAMA_8B,
                "requests": 5000,
                "responses": {"most_tokens": 32768},
                "agent": {"read_tokens": 400},
            },
            cluster=EIGHT_H100,
        ),
    ),
    Example(
        name="spot-of-many",
        summary="Hours measured on demand, on spot capacity of whoever sells it",
        request=one_stage(
            {"kind": "metered", "device_hours": 50000, "reclaims": "added"},
            cluster={
                "accelerator": "nvidia-h100-sxm-80gb",
                "devices": 64,
                "supply": {"kind": "market", "term": "spot"},
            },
        ),
    ),
    Example(
        name="stated-mfu-and-checkpoints",
        summary="Pre-training at a stated MFU and checkpoint interval, with a share of staff",
        request={
            "run": {
                "name": "stated",
                "stages": [pretraining("stated", model=LLAMA_8B, tokens=1e12, mfu=0.4)],
            },
            "cluster": {
                **EIGHT_H100,
                "devices": 512,
                "reliability": {"checkpoint_interval_seconds": 1800},
            },
            "accounting": {"staff": {"kind": "share", "share": 0.4}},
        },
    ),
)
"""With the contract's own examples they apply every formula of the registry at least once."""
