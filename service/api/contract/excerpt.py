"""Answers to the first examples of the contract, abridged to what the request itself determines.

A whole answer has a few hundred numbers that follow from the catalog and the engine, and the
contract would change with the last digit of each. The excerpt keeps what multiplication and
division of the request's own numbers give. Names of the engine, of the edition and of the quote
are stand-ins. What an answer must have and the excerpt does not show is empty here.
"""

from typing import Any, Final

import msgspec

from service.api.contract.examples import CLAIM_ID, DEEPSEEK_R1, ENGINE, QUOTE_ID, R1_CLAIM

SUMMARY: Final = "$294,000.00, abridged: one basis of three, and few of the numbers and sources"
OUTCOMES: Final = 20
STAND_INS: Final = {
    "id": QUOTE_ID,
    "issued_at": "2026-01-01T00:00:00Z",
    "valid_until": "2026-01-31T00:00:00Z",
    "engine": msgspec.to_builtins(ENGINE),
    "catalog": {"version": "2026-01-01", "digest": "sha256:" + "0c" * 32},
}


def certain(number: float, figure: str) -> dict[str, Any]:
    """An estimate without spread."""
    return {**dict.fromkeys(("central", "p10", "p50", "p90"), number), "figure": figure}


def hours(number: float, figure: str) -> dict[str, Any]:
    """Hours without spread, and their equal outcomes."""
    return certain(number, figure) | {"outcomes": [number] * OUTCOMES}


def sure(amount: str) -> dict[str, str]:
    """The quantiles of an amount without spread."""
    return dict.fromkeys(("p10", "p50", "p90"), amount)


def rental_line(index: int, stage: str, *, hours: float, amount: str) -> dict[str, Any]:
    """What the devices of one stage cost."""
    return {
        "status": "priced",
        "stage": stage,
        "item": "device_rental",
        "quantity": hours,
        "unit": "device_hour",
        "rate": "2.00",
        "amount": amount,
        "interval": sure(amount),
        "figures": [
            f"rental/lines/{index}/usd",
            f"request/run/stages/{index}/work/device_hours",
            "request/cluster/supply/usd_per_device_hour",
        ],
    }


def given(value: float, unit: str, pointer: str) -> dict[str, Any]:
    """A figure that the request states."""
    source = {"kind": "given", "pointer": pointer}
    return {"value": value, "unit": unit, "source": source, "pointer": pointer}


QUOTE_EXCERPT: Final[dict[str, Any]] = {
    **STAND_INS,
    "request": DEEPSEEK_R1.request,
    "bases": [
        {
            "status": "priced",
            "basis": "rental",
            "total": {"amount": "294000.00", "currency": "USD"},
            "budget": {"p50": "294000.00", "p80": "294000.00"},
            "interval": sure("294000.00"),
            "outcomes": ["294000.00"] * OUTCOMES,
            "figure": "rental/total_usd",
            "lines": [
                rental_line(0, "R1-Zero", hours=101000.0, amount="202000.00"),
                rental_line(1, "SFT data", hours=5000.0, amount="10000.00"),
                rental_line(2, "R1", hours=41000.0, amount="82000.00"),
            ],
            "drivers": [],
            "interactions": 0.0,
            "excludes": [],
        }
    ],
    "exclusions": [],
    "bridges": [],
    "ownership": [],
    "stages": [
        {
            "name": "R1-Zero",
            "accelerator": "nvidia-h800-sxm-80gb",
            "devices": 512,
            "feasibility": {"status": "not_checked"},
            "device_hours": hours(101000.0, "request/run/stages/0/work/device_hours"),
            "wall_clock_hours": hours(197.265625, "stages/0/wall_clock_hours"),
        }
    ],
    "totals": {},
    "critical_path": ["R1-Zero", "SFT data", "R1"],
    "figures": {
        "request/cluster/devices": given(512.0, "count", "/cluster/devices"),
        "request/run/stages/0/work/device_hours": given(
            101000.0, "device_hour", "/run/stages/0/work/device_hours"
        ),
        "stages/0/wall_clock_hours": {
            "value": 197.265625,
            "unit": "hour",
            "source": {
                "kind": "derived",
                "formula": "wall_clock_hours",
                "inputs": {
                    "device_hours": "request/run/stages/0/work/device_hours",
                    "devices": "request/cluster/devices",
                },
            },
        },
    },
    "warnings": [],
    "notes": [],
}

CLAIM_SUMMARY: Final = "Exact at an assumed $2, abridged: one reading of many, few numbers"
CLAIM_EXCERPT: Final[dict[str, Any]] = {
    **STAND_INS,
    "id": CLAIM_ID,
    "request": R1_CLAIM.request,
    "amount": {"amount": "294000.00", "currency": "USD"},
    "verdict": {
        "verdict": "exact",
        "sentence": "Exact as the rental of the final runs at an assumed $2.00 a device-hour.",
    },
    "hours": {
        "disclosed": certain(147000.0, "claim/disclosed_device_hours"),
        "stages": [
            {
                "name": "deepseek-r1-zero",
                "disclosed": certain(101000.0, "runs/deepseek-r1-zero/device_hours"),
            }
        ],
    },
    "rate": {
        "implied": certain(2.0, "claim/implied_usd_per_device_hour"),
        "stated": certain(2.0, "claim/stated_usd_per_device_hour"),
        "judged_at": "said_on",
        "priced_for": "2025-09-17",
        "market": [],
        "history": [],
    },
    "readings": [
        {
            "basis": "rental_stated",
            "scope": "final_run",
            "what": "the rental of the final runs at an assumed $2.00 a device-hour",
            "total": {"amount": "294000.00", "currency": "USD"},
            "interval": sure("294000.00"),
            "figure": "rental_stated/final_run_usd",
            "position": 0.5,
            "ratio": 1.0,
            "verdict": "exact",
        }
    ],
    "omissions": [],
    "bridge": {
        "basis": "rental_stated",
        "start_scope": "final_run",
        "end_scope": "final_run",
        "start": {"amount": "294000.00", "currency": "USD"},
        "steps": [{"component": "unexplained", "amount": "0.00", "running_total": "294000.00"}],
        "end": {"amount": "294000.00", "currency": "USD"},
    },
    "sources": [],
    "figures": {},
    "warnings": [],
    "not_checkable": [],
}
