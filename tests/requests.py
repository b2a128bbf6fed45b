"""Requests that several tests make: published disclosures."""

from typing import Any


def metered(name: str, stages: dict[str, float], *, devices: int) -> dict[str, Any]:
    """Stages of known H800-hours at the two dollars that DeepSeek assumes."""
    return {
        "run": {
            "name": name,
            "stages": [
                {"name": stage, "work": {"kind": "metered", "device_hours": hours}}
                for stage, hours in stages.items()
            ],
        },
        "cluster": {
            "accelerator": "nvidia-h800-sxm-80gb",
            "devices": devices,
            "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
        },
    }


R1 = metered(
    "DeepSeek-R1", {"R1-Zero": 101000, "SFT data creation": 5000, "R1": 41000}, devices=512
)
V3 = metered(
    "DeepSeek-V3",
    {"pre-training": 2664000, "context extension": 119000, "post-training": 5000},
    devices=2048,
)


def around(value: float) -> dict[str, float]:
    """An interval around a number, narrow on the low side."""
    return {"low": round(value / 1.2, 6), "high": round(value * 1.3, 6)}


def ranged_stages(index: int, *, stages: int = 64) -> dict[str, Any]:
    """Stages of known hours, all of them intervals; no two requests have the same numbers."""
    hours = {f"stage {stage}": 1000.0 + 7 * index + stage for stage in range(stages)}
    request = metered("ranges", hours, devices=512)
    for stage in request["run"]["stages"]:
        stage["work"]["device_hours"] = around(stage["work"]["device_hours"])
    request["cluster"]["supply"]["usd_per_device_hour"] = around(2.0 + index / 1000)
    return request


def owned_clusters(index: int, *, stages: int = 64) -> dict[str, Any]:
    """Stages on owned clusters of their own: some 1,160 intervals, in other places each time."""
    listed = [_stage_on_owned(index, stage, stages=stages) for stage in range(stages)]
    run = {"name": "owned", "stages": listed}
    return {"run": run, "cluster": listed[0]["cluster"]}


def _stage_on_owned(index: int, stage: int, *, stages: int) -> dict[str, Any]:
    more = 1.0 + (index * stages + stage) / 1000
    supply = {
        "kind": "owned",
        "usd_per_device": around(30_000.0 * more),
        "years": around(4.0),
        "residual_share": around(0.1),
        "utilization": {"low": 0.6, "high": 0.9},
        "cost_of_capital": around(0.08),
        "maintenance_share": around(0.05),
        "usd_per_kilowatt_month": around(150.0 * more),
        "network_share": around(0.1),
    }
    site = {
        "pue": {"low": 1.1, "high": 1.3},
        "usd_per_kwh": around(0.08 * more),
        "carbon_kg_co2e_per_kwh": around(0.3),
    }
    reliability = {
        "failures_per_device_day": around(1e-4 * more),
        "restart_seconds": around(900.0 * more),
        "checkpoint_seconds": around(20.0 * more),
        "checkpoint_interval_seconds": around(3600.0 * more),
    }
    cluster = {
        "accelerator": "nvidia-h800-sxm-80gb",
        "devices": 512 + stage,
        "supply": supply,
        "site": site,
        "network_gbit_per_s_per_device": around(400.0),
        "reliability": reliability,
    }
    # A figure more or less is another set of figures, which shares nothing with the others.
    flop = 1e22 if stage == index % stages else around(1e22 * more)
    work = {"kind": "compute", "flop": flop, "mfu": {"low": 0.3, "high": 0.5}}
    return {"name": f"stage {stage}", "work": work, "cluster": cluster, "repeat": around(1.3)}


def disaggregated_stages(index: int, *, stages: int = 64) -> dict[str, Any]:
    """Reinforcement learning whose splits are searched for, on owned clusters that all differ."""
    return {
        "run": {
            "name": f"costly {index}",
            "stages": [_disaggregated(index, stage) for stage in range(stages)],
        },
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 512},
    }


def _disaggregated(index: int, stage: int) -> dict[str, Any]:
    return {
        "name": f"stage {stage}",
        "work": {
            "kind": "reinforcement",
            "model": {"kind": "preset", "id": "llama-3.1-8b"},
            "steps": {"low": 800 + index, "high": 1300 + stage},
            "prompts_per_step": 256 + stage,
            "samples_per_prompt": 16,
            "prompt_tokens": around(500.0 + stage),
            "responses": {"mean_tokens": around(4000.0 + stage), "most_tokens": 16384},
            "placement": {"kind": "disaggregated"},
        },
        "cluster": {
            "accelerator": "nvidia-h100-sxm-80gb",
            "devices": 64 + 8 * stage,
            "supply": {"kind": "owned", "usd_per_device": around(30000.0 + stage)},
        },
    }
