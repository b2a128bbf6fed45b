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
    BaseQuoteNotKept,
    NotQuotable,
    UnknownAccelerator,
    UnknownModel,
    UnknownName,
    UnknownOffer,
    UnknownProvider,
    UnknownRegion,
    UnknownRun,
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
                "supply": {"kind": "market", "term": "reserved_1y"},
                "site": {"id": "grid:de"},
            },
            "accounting": {
                "discounts": [{"label": "volume", "share": 0.12}],
                "uplifts": [{"label": "reseller's margin", "share": {"low": 0.03, "high": 0.08}}],
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
    "base-quote-not-kept": BaseQuoteNotKept(asked=QUOTE_ID, pointer="/accounting/base_model/id"),
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
        UnknownSite, "us-east-1", "aws:us-east-1", "aws:us-east-2", pointer="/cluster/site/id"
    ),
    "unknown-provider": UNKNOWN_PROVIDER,
    "unknown-region": unknown(
        UnknownRegion, "us-east-9", "us-east-1", "us-east-2", pointer="/cluster/supply/region"
    ),
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
    "overloaded": Refused("overloaded", "512 requests are waiting", headers={"Retry-After": "1"}),
}


def problem_example(slug: str) -> dict[str, Any]:
    """A problem of this kind, as it would be answered."""
    body = render(PROBLEMS[slug], request_id=REQUEST_ID).body
    example: dict[str, Any] = msgspec.json.decode(body)
    return example
