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
