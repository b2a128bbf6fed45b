"""Thirty requests that differ in supply, basis, work, terms, discounts, base, staff and data."""

from typing import Any, Final

Request = dict[str, Any]
LLAMA_8B: Final = {"kind": "preset", "id": "llama-3.1-8b"}
H100, A100, H800, H200, B200, GB200, V100 = (
    "nvidia-h100-sxm-80gb",
    "nvidia-a100-sxm-80gb",
    "nvidia-h800-sxm-80gb",
    "nvidia-h200-sxm-141gb",
    "nvidia-b200-sxm",
    "nvidia-gb200",
    "nvidia-v100-sxm-32gb",
)
V3: Final = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]
VAT: Final = {"kind": "tax", "label": "VAT", "share": 0.19}
MARGIN: Final = {"kind": "markup", "label": "margin", "share": 0.07}
NET: Final = {"kind": "markup", "label": "contingency", "share": 0.125}


def metered(hours: Any) -> Request:
    """Device-hours that are known."""
    return {"kind": "metered", "device_hours": hours}


def timed(hours: Any) -> Request:
    """Hours on the clock that are known."""
    return {"kind": "timed", "hours": hours}


def at_rate(usd: Any) -> Request:
    """A price that the caller knows."""
    return {"kind": "rate", "usd_per_device_hour": usd}


def pretraining(model: str, *, tokens: float, batch: float, precision: str = "bf16") -> Request:
    """Tokens and a model of the catalog."""
    return {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": model},
        "tokens": tokens,
        "sequence_length": 4096,
        "global_batch_tokens": batch,
        "precision": precision,
    }


def asked(
    *works: Request,
    on: str,
    devices: float,
    supply: Request | None = None,
    detail: str = "full",
    currency: str = "USD",
    **accounting: Any,
) -> Request:
    """A run of stages on one cluster. A work may bring members of its stage in `stage`."""
    cluster: Request = {"accelerator": on, "devices": devices}
    stages = []
    for place, work in enumerate(works):
        own = work.get("stage", {})
        plain = {name: value for name, value in work.items() if name != "stage"}
        stages.append({"name": f"stage {place}", "work": plain, **own})
    return {
        "run": {"name": "recomputed", "stages": stages},
        "cluster": cluster if supply is None else cluster | {"supply": supply},
        "accounting": accounting,
        "options": {"detail": detail, "currency": currency},
    }


REQUESTS: Final[dict[str, Request]] = {
    "R1 at two dollars": asked(
        metered(101000), metered(5000), metered(41000), on=H800, devices=512, supply=at_rate(2)
    ),
    "R1 on V3": asked(
        metered(147000),
        on=H800,
        devices=512,
        supply=at_rate(2.0),
        base_model={"kind": "runs", "ids": V3},
    ),
    "R1 on the rental of V3, with its people": asked(
        metered(147000),
        on=H800,
        devices=512,
        supply=at_rate({"low": 1.4, "high": 2.9}),
        base_model={"kind": "runs", "ids": V3, "scope": "rental"},
        staff={"kind": "people", "people": 194, "months": 3},
    ),
    "half an instance at the market": asked(timed(25), on=H100, devices=100),
    "one device, billed exactly": asked(timed(10), on=H100, devices=1, billing="exact"),
    "a block that is paid by the day": asked(
        timed(25.5),
        on=H100,
        devices=100,
        supply={"kind": "offer", "id": "aws-us-east-1-p5-48xlarge-capacity-block-2024-12"},
    ),
    "reserved for a year": asked(
        metered(100000), on=H100, devices=512, supply={"kind": "market", "term": "reserved_1y"}
    ),
    "spot, with all that comes with rent": asked(
        metered({"low": 40000, "high": 90000}),
        timed(12),
        on=A100,
        devices=60,
        supply={"kind": "market", "term": "spot"},
        storage={"gigabytes": 250000},
        transfer={"gigabytes": 1200, "usd_per_gigabyte": 0.05},
        support={"share": 0.03},
        uplifts=[VAT, MARGIN, NET],
    ),
    "hours measured on demand, on spot of several sellers": asked(
        metered(50000) | {"reclaims": "added"},
        on=H100,
        devices=64,
        supply={"kind": "market", "term": "spot"},
    ),
    "a minimum term and two discounts": asked(
        metered(9000),
        on=H200,
        devices=32,
        supply=at_rate(2.75),
        commitment_hours=800,
        storage={"gigabytes": 90000, "months": 2},
        discounts=[
            {"label": "volume", "share": 0.15},
            {"label": "storage", "share": 0.1, "covers": ["storage", "device_rental"]},
        ],
        support={},
        uplifts=[MARGIN, VAT],
    ),
    "a term that the experiments do not fill": asked(
        metered(2000000),
        on=H100,
        devices=1024,
        commitment_hours=3000,
        discounts=[{"label": "term", "share": 0.3, "covers": ["unused_commitment"]}],
        experiments={"factor": 1.1},
    ),
    "two clusters": asked(
        metered(12000),
        timed(80)
        | {"stage": {"cluster": {"accelerator": A100, "devices": 12, "supply": at_rate(1.3)}}},
        on=H100,
        devices=64,
        transfer={"gigabytes": 500},
        uplifts=[VAT],
    ),
    "the owner's own run": asked(
        metered(300000), on=H100, devices=256, supply={"kind": "owned"}, uplifts=[VAT]
    ),
    "the owner's terms": asked(
        metered(300000),
        on=H100,
        devices=100,
        supply={
            "kind": "owned",
            "usd_per_device": 28000,
            "years": 4,
            "residual_share": 0.15,
            "utilization": 0.6,
            "cost_of_capital": 0.08,
            "maintenance_share": 0.04,
            "usd_per_kilowatt_month": 150,
            "network_share": 0.12,
        },
    ),
    "the owner by declining value": asked(
        metered(57e6),
        on="nvidia-a100-sxm-40gb",
        devices=25000,
        supply={
            "kind": "owned",
            "convention": "epoch-2024",
            "usd_per_device": 24875,
            "age_years": 1.75,
        },
        base_model={"kind": "none"},
    ),
    "rented, and loaded with owned hardware": asked(
        timed({"low": 200, "high": 500}),
        on=A100,
        devices=12,
        hardware="owned",
        owned={
            "convention": "epoch-2024",
            "usd_per_device": 9000,
            "price_includes_server": False,
        },
        staff={"kind": "share", "share": 0.4},
        data={"kind": "ratio", "ratio": 0.2},
    ),
    "bare cards of its own": asked(
        timed(700),
        on=A100,
        devices=30,
        supply={"kind": "owned", "usd_per_device": 11000, "price_includes_server": False},
    ),
    "racks of 72": asked(timed(400), on=GB200, devices=100, supply={"kind": "owned"}),
    "a development of known size": asked(
        metered(4000000),
        on=H100,
        devices=2048,
        supply=at_rate(2.2),
        base_model={"kind": "none"},
    ),
    "everything said": asked(
        metered(64000),
        on=H200,
        devices=128,
        supply={"kind": "offer", "id": "seeweb-it-fr2-ecs8gpu10-on-demand-2026-05"},
        experiments={"factor": 4},
        staff={"kind": "amount", "usd": 1234567.89},
        data={"kind": "amount", "usd": 99999.5},
        base_model={"kind": "amount", "usd": 3000000, "scope": "fully_loaded"},
    ),
    "a base of which a sum is published": asked(
        timed(24),
        on=H100,
        devices=8,
        supply=at_rate(2.5),
        base_model={"kind": "runs", "ids": ["dbrx-132b", "alpaca-7b"]},
        data={"kind": "ratio", "ratio": 0.01},
    ),
    "a base without a price": asked(
        metered(5000), on=H100, devices=8, base_model={"kind": "runs", "ids": ["llama31-8b"]}
    ),
    "sixty-four lines under a cent": asked(
        *(metered(0.0041) for _ in range(64)), on=H100, devices=8, supply=at_rate(1.0)
    ),
    "next to nothing": asked(metered(1e-6), on=H100, devices=1, supply=at_rate(0.37)),
    "pre-training on 128": asked(
        pretraining("llama-2-7b", tokens=1e12, batch=4194304), on=A100, devices=128
    ),
    "V3 as it was disclosed": asked(
        pretraining("deepseek-v3", tokens=14.8e12, batch=62914560, precision="fp8"),
        on=H800,
        devices=2048,
        supply=at_rate(2),
        embodied_carbon=True,
    ),
    "compute in intervals": asked(
        {
            "kind": "compute",
            "flop": {"low": 2e24, "high": 4e24},
            "mfu": {"low": 0.32, "central": 0.4, "high": 0.45},
            "precision": "bf16",
            "stage": {"repeat": {"low": 1, "high": 1.5}},
        },
        on=H200,
        devices=4096,
        supply=at_rate({"low": 1.8, "high": 3.2}),
        uplifts=[NET],
    ),
    "a tuning and its data": asked(
        {
            "kind": "generation",
            "model": LLAMA_8B,
            "requests": 200000,
            "prompt_tokens": 400,
            "responses": {"mean_tokens": 800, "most_tokens": 4096},
        },
        {
            "kind": "finetuning",
            "model": LLAMA_8B,
            "method": {"kind": "qlora", "rank": 32, "target": "all_linear"},
            "data": {"kind": "tokens", "tokens": 2e8},
        },
        on=H100,
        devices=8,
        discounts=[{"label": "friends", "share": 0.5}],
    ),
    "reinforcement": asked(
        {
            "kind": "reinforcement",
            "model": LLAMA_8B,
            "steps": 200,
            "prompts_per_step": 64,
            "samples_per_prompt": 8,
            "responses": {"mean_tokens": {"low": 800, "high": 2500}, "most_tokens": 8192},
        },
        on=H100,
        devices=64,
        supply={"kind": "market", "term": "on_demand"},
    ),
    "a device that nobody rents": asked(timed(100), on="huawei-ascend-910b", devices=64),
    "a summary": asked(metered({"low": 800, "high": 2000}), on=B200, devices=16, detail="summary"),
}

FOREIGN: Final[dict[str, Request]] = {
    "in euros at the market": asked(
        metered(300000),
        on=H200,
        devices=128,
        supply={"kind": "market"},
        support={"share": 0.03},
        discounts=[{"label": "friends", "share": 0.1}],
        uplifts=[VAT, MARGIN],
        base_model={"kind": "amount", "usd": 3000000},
        currency="EUR",
    ),
    "in euros as it is quoted": asked(
        metered(64000),
        on=H200,
        devices=128,
        supply={"kind": "offer", "id": "seeweb-it-fr2-ecs8gpu10-on-demand-2026-05"},
        staff={"kind": "amount", "usd": 1234567.89},
        currency="EUR",
    ),
    "in yen": asked(
        metered(101000),
        metered(46000),
        on=H800,
        devices=512,
        supply=at_rate({"low": 1.4, "high": 2.9}),
        base_model={"kind": "runs", "ids": V3},
        uplifts=[VAT],
        currency="JPY",
    ),
    "in yen, next to nothing": asked(
        *(metered(0.0041) for _ in range(8)),
        on=H100,
        devices=8,
        supply=at_rate(1.0),
        currency="JPY",
    ),
    "in pounds, owned": asked(
        metered(300000), on=H100, devices=256, supply={"kind": "owned"}, currency="GBP"
    ),
    "in yuan": asked(timed(100), on=H800, devices=64, supply=at_rate(2.0), currency="CNY"),
    "in rupees": asked(timed(100), on=H100, devices=64, supply=at_rate(2.0), currency="INR"),
}
"""Requests in other currencies than dollars."""
