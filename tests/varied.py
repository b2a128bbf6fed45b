"""Requests that cost very different amounts of CPU: kinds of work, numbers of stages, intervals."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from service.core.catalog.catalog import MarketTerm, Segment
from tests.claims import R1_RUNS, of_runs, of_work
from tests.requests import around, ranged_stages

Request = dict[str, Any]
Numbers: TypeAlias = Literal["as they are", "of owned clusters", "with intervals"]
"""Whether stages have clusters of their own, which are owned, and whether numbers are intervals."""

SMALL: Final = {"kind": "preset", "id": "llama-3.1-8b"}
LARGE: Final = {"kind": "preset", "id": "llama-3.1-405b"}
EXPERTS: Final = {"kind": "preset", "id": "deepseek-v3"}
MANY_DIVISORS: Final = {
    "kind": "transformer",
    "layers": 720,
    "hidden_size": 2880,
    "heads": 720,
    "vocab_size": 1000,
    "moe": {"experts": 240, "experts_per_token": 2, "moe_ffn_size": 64},
}
"""A transformer with some 200,000 layouts."""
SHORT: Final = {"mean_tokens": 1000.0, "most_tokens": 8192}
LONG: Final = {"mean_tokens": 16000.0, "most_tokens": 65536}
LEARNING: Final = {
    "kind": "reinforcement",
    "model": SMALL,
    "steps": 1000,
    "prompts_per_step": 256,
    "samples_per_prompt": 16,
    "responses": SHORT,
}
APART: Final = {"placement": {"kind": "disaggregated"}}
WORKS: Final[Mapping[str, Request]] = {
    "metered": {"kind": "metered", "device_hours": 1000.0},
    "timed": {"kind": "timed", "hours": 100.0},
    "compute": {"kind": "compute", "flop": 1e22},
    "pretraining": {"kind": "pretraining", "model": SMALL, "tokens": 1e12},
    "pretraining of parameters": {
        "kind": "pretraining",
        "model": {"kind": "parameters", "total": 70e9},
        "tokens": 1e12,
    },
    "pretraining of experts": {"kind": "pretraining", "model": EXPERTS, "tokens": 14.8e12},
    "pretraining in a stated layout": {
        "kind": "pretraining",
        "model": LARGE,
        "tokens": 1e12,
        "layout": {"tensor_parallel": 8, "pipeline_parallel": 16},
    },
    "pretraining of long sequences": {
        "kind": "pretraining",
        "model": EXPERTS,
        "tokens": 1e11,
        "sequence_length": 131072,
        "global_batch_tokens": 131072 * 512,
    },
    "pretraining of many divisors": {
        "kind": "pretraining",
        "model": MANY_DIVISORS,
        "tokens": 1e12,
        "sequence_length": 131072,
        "global_batch_tokens": 131072 * 720,
    },
    "finetuning": {
        "kind": "finetuning",
        "model": SMALL,
        "data": {"kind": "tokens", "tokens": 1e9},
        "method": {"kind": "lora"},
    },
    "generation": {"kind": "generation", "model": SMALL, "requests": 1_000_000, "responses": SHORT},
    "generation of experts": {
        "kind": "generation",
        "model": EXPERTS,
        "requests": 1_000_000,
        "responses": LONG,
    },
    "colocated": LEARNING,
    "colocated experts": LEARNING | {"model": EXPERTS, "responses": LONG},
    "disaggregated": LEARNING | APART,
    "disaggregated experts": LEARNING | APART | {"model": EXPERTS, "responses": LONG},
    "disaggregated as stated": LEARNING
    | {
        "placement": {"kind": "disaggregated", "generation_devices": 1024},
        "serving": {"tensor_parallel": 1, "devices_per_replica": 1},
        "layout": {"tensor_parallel": 1, "zero_stage": 3},
    },
}
"""Works by name. None has an interval."""
H100: Final = "nvidia-h100-sxm-80gb"
H200: Final = "nvidia-h200-sxm-141gb"
CLUSTER: Final = {"accelerator": H100, "devices": 256}
TERMS: Final = (*get_args(MarketTerm), "owned")
SEGMENTS: Final = get_args(Segment)
SIZES: Final = ("device_hours", "hours", "flop", "tokens")
"""Members of a work that say how much of it there is."""
OWNED: Final = {
    "kind": "owned",
    "usd_per_device": 30_000.0,
    "years": 4.0,
    "residual_share": 0.1,
    "utilization": 0.7,
    "cost_of_capital": 0.08,
    "maintenance_share": 0.05,
    "usd_per_kilowatt_month": 150.0,
    "network_share": 0.1,
}
SITE: Final = {"pue": 1.2, "usd_per_kwh": 0.08, "carbon_kg_co2e_per_kwh": 0.3}
RELIABILITY: Final = {
    "failures_per_device_day": 1e-4,
    "restart_seconds": 900.0,
    "checkpoint_seconds": 20.0,
    "checkpoint_interval_seconds": 3600.0,
}
LOSSES: Final = {"evaluation_share": 0.02, "idle_share": 0.03, "startup_hours": 0.5}


def ranged(numbers: Mapping[str, Any]) -> Request:
    """All numbers as intervals, each narrow."""
    return {
        name: around(value) if isinstance(value, float) else value
        for name, value in numbers.items()
    }


def stages_of(
    work: Request, count: int, *, numbers: Numbers = "as they are", alike: bool = False
) -> Request:
    """So many stages of a work, each with numbers of its own unless they are `alike`."""
    cluster = {"accelerator": "nvidia-h800-sxm-80gb", "devices": 2048}
    return {
        "run": {
            "name": "varied",
            "stages": [
                _stage(work, 0 if alike else place, numbers=numbers) | {"name": f"s {place}"}
                for place in range(count)
            ],
        },
        "cluster": cluster,
    }


def _stage(work: Request, place: int, *, numbers: Numbers) -> Request:
    work = dict(work)
    for member in SIZES:
        if member in work:
            work[member] = work[member] * (1 + place / 100)
    if "prompts_per_step" in work:
        work["prompts_per_step"] += 64 * place
    if work["kind"] in {"pretraining", "finetuning"} and "layout" not in work:
        work.setdefault("global_batch_tokens", 4096.0 * 1024)
        work["global_batch_tokens"] *= 1 + place
    cluster = {
        "accelerator": "nvidia-h800-sxm-80gb",
        "devices": 2048,
        "supply": OWNED,
        "site": SITE,
        "reliability": RELIABILITY,
    }
    if numbers == "as they are":
        return {"work": work}
    if numbers == "of owned clusters":
        return {"work": work, "cluster": cluster}
    if work["kind"] not in {"metered", "timed"}:
        work |= LOSSES
    work = ranged(work) | {name: work[name] for name in ("global_batch_tokens",) if name in work}
    if "responses" in work:
        work["responses"] = work["responses"] | {
            "mean_tokens": around(work["responses"]["mean_tokens"])
        }
    cluster |= {
        "supply": ranged(OWNED) | {"utilization": {"low": 0.6, "high": 0.9}},
        "site": ranged(SITE),
        "reliability": ranged(RELIABILITY),
    }
    return {"work": work, "cluster": cluster, "repeat": around(1.3)}


def varied_quotes() -> Iterator[tuple[str, Request]]:
    """Requests for quotes of all kinds, by name."""
    for kind, work in WORKS.items():
        for count in (1, 8, 32) if kind != "pretraining of many divisors" else (1, 3):
            for numbers in get_args(Numbers):
                yield f"{count} x {kind} {numbers}", stages_of(work, count, numbers=numbers)
    for kind in ("pretraining", "disaggregated"):
        yield f"32 x {kind} alike", stages_of(WORKS[kind], 32, alike=True)
    others: Mapping[str, Request] = {
        "in summary": {"options": {"detail": "summary"}},
        "for rental": {"options": {"bases": ["rental"]}},
        "in euros": {"options": {"currency": "EUR"}},
        "with many terms": {"accounting": many_terms()},
    }
    for kind in ("metered", "disaggregated"):
        for name, other in others.items():
            yield f"8 x {kind} {name}", stages_of(WORKS[kind], 8) | other
    for numbers in get_args(Numbers):
        yield f"64 x metered {numbers}", stages_of(WORKS["metered"], 64, numbers=numbers)
    yield "64 ranges", ranged_stages(1)


def many_terms() -> Request:
    """An accounting with as many discounts and uplifts as there may be, all of them intervals."""

    def share(place: int) -> Request:
        return {"low": 0.01 + place / 1000, "high": 0.03 + place / 1000}

    return {
        "discounts": [{"label": f"d{place}", "share": share(place)} for place in range(16)],
        "uplifts": [
            {"label": f"u{place}", "kind": ("markup", "tax")[place % 2], "share": share(place)}
            for place in range(16)
        ],
    }


def varied_claims() -> Iterator[tuple[str, Request]]:
    """Claims of all kinds, by name."""
    cluster = {"accelerator": "nvidia-h800-sxm-80gb", "devices": 512}
    yield "claim about three runs", of_runs(294_000, *R1_RUNS)
    yield "claim about one run", of_runs(5_576_000, "deepseek-v3-pretrain")
    yield "claim about a run without hours", of_runs(4_600_000, "kimi-k2")
    for kind in ("metered", "pretraining", "disaggregated"):
        yield f"claim about {kind}", of_work(1_000_000, WORKS[kind], cluster=cluster)


def varied_decisions() -> Iterator[tuple[str, Request]]:
    """Comparisons and questions to be solved, of all kinds, by name."""
    compared: tuple[tuple[str, dict[str, list[Any]]], ...] = (
        ("metered", {}),
        ("metered", {"terms": list(TERMS)}),
        ("metered", {"accelerators": [H100], "devices": [64]}),
        ("pretraining", {}),
        ("pretraining", {"terms": list(TERMS), "segments": list(SEGMENTS)}),
        ("pretraining", {"accelerators": [H100], "devices": [64]}),
        ("pretraining", {"accelerators": [H100, H200], "devices": [64, 256, 1024]}),
        ("pretraining", {"accelerators": [H100], "devices": [256], "terms": list(TERMS)}),
        ("pretraining of experts", {"accelerators": [H100, H200], "devices": [512, 1024, 2048]}),
        ("pretraining of experts", {}),
        ("finetuning", {}),
        ("finetuning", {"devices": [1, 2, 4, 8]}),
        ("generation", {"devices": [64, 128]}),
        ("colocated", {"accelerators": [H100, H200], "devices": [64, 128]}),
        ("disaggregated", {"accelerators": [H100, H200], "devices": [64, 128]}),
    )
    for kind, choices in compared:
        name = ", ".join(f"{len(listed)} {member}" for member, listed in choices.items())
        yield f"comparison of {kind}, {name or 'all'}", _decision(kind, choices=choices)
    yield "comparison of 3 pretrainings", _decision("pretraining", count=3, choices={})
    yield "comparison of 8 metered", _decision("metered", count=8, choices={})
    for kind in ("metered", "pretraining", "disaggregated"):
        limits = {"budget_usd": 5e6, "deadline_hours": 2000}
        find = {"kind": "price"}
        yield f"price of {kind}", _decision(kind, cluster=CLUSTER, find=find, limits=limits)
    for kind in ("metered", "pretraining"):
        find = {"kind": "owning"}
        yield f"owning of {kind}", _decision(kind, cluster=CLUSTER, find=find, limits={})
    yield from _tokens_and_models()


def _tokens_and_models() -> Iterator[tuple[str, Request]]:
    """Tokens, which are tried until they are found, and models, each of which is tried."""
    both: Request = {"budget_usd": 5e6, "deadline_hours": 2000}
    limits: tuple[Request, ...] = (both, {"budget_usd": 5e4}, {"deadline_hours": 300})
    for kind in ("pretraining", "pretraining of experts", "finetuning"):
        for limit in limits:
            asked = _decision(kind, cluster=CLUSTER, find={"kind": "tokens"}, limits=limit)
            yield f"tokens of {kind}, by {' and '.join(limit)}", asked
        for count in (3, 8):
            find: Request = {"kind": "tokens"}
            asked = _decision(kind, count=count, cluster=CLUSTER, find=find, limits=both)
            yield f"tokens of one of {count} stages of {kind}", asked
    models = ["llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "deepseek-v3", "qwen3-32b"]
    for kind in ("pretraining", "finetuning"):
        for count in (1, 3, 5):
            find = {"kind": "model", "models": models[:count]}
            asked = _decision(kind, cluster=CLUSTER, find=find, limits=both)
            yield f"one of {count} models of {kind}", asked


def _decision(kind: str, *, count: int = 1, **asked: Request) -> Request:
    """A run of stages of one kind, and what is asked of it."""
    stages = [{"name": f"stage {place}", "work": WORKS[kind]} for place in range(count)]
    return {"run": {"name": kind, "stages": stages}, **asked}


def varied_trials() -> Iterator[tuple[str, Request]]:
    """Questions to be solved by trying sizes, as often as it takes, by name."""
    for kind in ("metered", "pretraining", "finetuning", "generation", "colocated"):
        find: Request = {"kind": "devices", "most": 1024}
        deadline = {"deadline_hours": 2000}
        yield f"devices of {kind}", _decision(kind, cluster=CLUSTER, find=find, limits=deadline)
