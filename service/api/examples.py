"""Requests that people would send, and the problems that they would get: all of them are run."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from service.api.decoding import decode_request
from service.api.parameters import PAGING, read_query
from service.api.problems import render
from service.api.refusals import (
    BodyTimeout,
    EntryNotFound,
    MethodNotAllowed,
    NotAcceptable,
    PayloadTooLarge,
    QuoteNotKept,
    Refused,
    UnsupportedMediaType,
)
from service.core.errors import (
    NotQuotable,
    UnknownAccelerator,
    UnknownModel,
    UnknownName,
    UnknownOffer,
    UnknownProvider,
    UnknownRegion,
    UnknownSite,
)

REQUEST_ID: Final = "0b8f1a52-7d1e-4c39-9f43-6f2a8e0c5d17"
QUOTE_ID: Final = "q_" + "0f" * 32


class Example(Struct, frozen=True, kw_only=True):
    """A request by what it is about."""

    name: str
    summary: str
    request: dict[str, Any]


def metered(name: str, device_hours: float) -> dict[str, Any]:
    """A stage whose device-hours are known."""
    return {"name": name, "work": {"kind": "metered", "device_hours": device_hours}}


def pretraining(name: str, **work: Any) -> dict[str, Any]:
    """A stage of tokens through a model."""
    return {"name": name, "work": {"kind": "pretraining", **work}}


DEEPSEEK_R1: Final = Example(
    name="deepseek-r1",
    summary="DeepSeek-R1 as disclosed: $294,000.00",
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
REQUESTS: Final = (
    DEEPSEEK_R1,
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
)

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
    """A name that the catalog does not know."""
    return error(asked=asked, known=known, pointer=pointer)


UNKNOWN_ACCELERATOR: Final = unknown(
    UnknownAccelerator, "nvidia-h100", *SOME_ACCELERATORS, pointer="/cluster/accelerator"
)
UNKNOWN_PROVIDER: Final = unknown(
    UnknownProvider, "amazon", "aws", "azure", "gcp", pointer="/cluster/supply/provider"
)


def raised_by(call: Callable[..., object], *arguments: object) -> Refused:
    """The refusal that a call ends in."""
    try:
        call(*arguments)
    except Refused as refusal:
        return refusal
    raise AssertionError(f"{call} refuses nothing")


PROBLEMS: Final[dict[str, Exception]] = {
    "unreadable-request": Refused("unreadable-request", "the address cannot be decoded"),
    "unreadable-json": raised_by(decode_request, b'{"run": {"name": "DeepSeek-R1", "stages": [NaN'),
    "invalid-query": raised_by(read_query, [("limit", "1000"), ("page", "2")], PAGING),
    "not-found": EntryNotFound(
        "nvidia-h100", listing="/catalog/accelerators", known=SOME_ACCELERATORS
    ),
    "quote-not-kept": QuoteNotKept(QUOTE_ID),
    "method-not-allowed": MethodNotAllowed(allowed=("GET", "HEAD", "OPTIONS")),
    "not-acceptable": NotAcceptable("application/xml", offered=("application/json",)),
    "body-timeout": BodyTimeout(15.0),
    "payload-too-large": PayloadTooLarge(2**20),
    "unsupported-media-type": UnsupportedMediaType("text/plain", wanted="application/json"),
    "invalid-request": raised_by(decode_request, msgspec.json.encode(WRONG_REQUEST)),
    "unknown-accelerator": UNKNOWN_ACCELERATOR,
    "unknown-offer": unknown(
        UnknownOffer,
        "aws-p5-spot",
        "aws-p5.48xlarge-us-east-1-spot-2026-11",
        pointer="/cluster/supply/id",
    ),
    "unknown-model": unknown(
        UnknownModel, "llama-3-70b", "llama-3.1-70b", "llama-3.1-8b", pointer="/model/id"
    ),
    "unknown-site": unknown(
        UnknownSite, "us-east-1", "aws:us-east-1", "aws:us-east-2", pointer="/cluster/site"
    ),
    "unknown-provider": UNKNOWN_PROVIDER,
    "unknown-region": unknown(
        UnknownRegion, "us-east-9", "us-east-1", "us-east-2", pointer="/cluster/supply/region"
    ),
    "unknown-name": unknown(UnknownName, "a100", *SOME_ACCELERATORS, pointer="/cluster"),
    "not-quotable": NotQuotable((UNKNOWN_ACCELERATOR, UNKNOWN_PROVIDER)),
    "internal-error": RuntimeError(),
    "overloaded": Refused("overloaded", "512 requests are waiting", headers={"Retry-After": "1"}),
}


def problem_example(slug: str) -> dict[str, Any]:
    """A problem of this kind, as it would be answered."""
    body = render(PROBLEMS[slug], request_id=REQUEST_ID).body
    example: dict[str, Any] = msgspec.json.decode(body)
    return example
