"""The smallest and largest legal value of every number, in pairs, gives a finite quote."""

import itertools
import json
import math
import re
from decimal import Decimal

import msgspec
import pytest

from service.core.answer import PricedBill
from service.core.request.request import QuoteRequest
from tests.requests import R1
from tests.worlds import answer, embedded

CLUSTER = R1["cluster"]


def with_work(work, **cluster):
    stage = {"name": "s", "work": work}
    return {"run": {"name": "r", "stages": [stage]}, "cluster": CLUSTER | cluster}


REQUESTS = {
    "metered": with_work({"kind": "metered", "device_hours": 1.0}),
    "timed": with_work({"kind": "timed", "hours": 1.0}),
    "compute": with_work({"kind": "compute", "flop": 1.0, "mfu": 0.5, "goodput": 0.5}),
    "finetuning": with_work(
        {
            "kind": "finetuning",
            "model": {"kind": "parameters", "total": 1e9},
            "data": {"kind": "examples", "examples": 1000, "mean_tokens": 300, "epochs": 2},
            "method": {"kind": "lora"},
            "evaluation_share": 0.1,
            "idle_share": 0.1,
        },
        devices=8,
    ),
    "generation": with_work(
        {
            "kind": "generation",
            "model": {"kind": "parameters", "total": 1e9},
            "requests": 1000,
            "prompt_tokens": 300,
            "responses": {
                "mean_tokens": 500,
                "most_tokens": 4096,
                "between_tokens": {"low": 100, "high": 2000},
            },
        },
        devices=8,
    ),
    "reinforcement": with_work(
        {
            "kind": "reinforcement",
            "model": {"kind": "parameters", "total": 1e9},
            "steps": 10,
            "prompts_per_step": 16,
            "samples_per_prompt": 4,
            "prompt_tokens": 300,
            "responses": {"mean_tokens": 500, "most_tokens": 4096},
            "placement": {"kind": "disaggregated", "generation_devices": 4},
        },
        devices=8,
    ),
}
REQUESTS["a device that is described"] = with_work(
    {"kind": "compute", "flop": 1.0, "mfu": 0.5, "goodput": 0.5},
    accelerator={
        "name": "d",
        "generation": "hopper",
        "memory_gb": 80.0,
        "memory_bandwidth_gb_per_s": 3000.0,
        "peak_dense_tflops": {"bf16": 900.0},
        "power_w": 700.0,
        "scale_up_gb_per_s": 450.0,
        "scale_up_domain_devices": 8.0,
        "devices_per_node": 8.0,
        "usd_per_device": 3e4,
    },
    supply={"kind": "owned"},
)

ACCOUNTED = {
    "owned by straight line": {
        "owned": {
            "usd_per_device": 1e4,
            "years": 5.0,
            "residual_share": 0.1,
            "utilization": 0.5,
            "cost_of_capital": 0.1,
            "maintenance_share": 0.1,
            "usd_per_kilowatt_month": 100.0,
            "network_share": 0.2,
        },
        "embodied_carbon": True,
    },
    "owned by epoch-2024": {
        "owned": {
            "convention": "epoch-2024",
            "usd_per_device": 1e4,
            "price_includes_server": False,
            "age_years": 1.0,
            "network_share": 0.2,
        },
        "hardware": "owned",
    },
    "rental with all that comes with it": {
        "storage": {"gigabytes": 1e3, "usd_per_gigabyte_month": 0.1, "months": 2.0},
        "transfer": {"gigabytes": 1e3, "usd_per_gigabyte": 0.1},
        "support": {"share": 0.1},
        "commitment_hours": 100.0,
        "discounts": [{"label": "d", "share": 0.1}],
        "uplifts": [{"kind": "markup", "label": "u", "share": 0.1}],
    },
    "fully loaded": {
        "base_model": {"kind": "amount", "usd": 1e6},
        "experiments": {"factor": 2.0},
        "staff": {
            "kind": "people",
            "people": 10.0,
            "months": 6.0,
            "time_share": 0.5,
            "usd_per_person_year": 2e5,
            "overhead": 1.3,
        },
        "data": {"kind": "ratio", "ratio": 0.1},
    },
    "fully loaded by shares": {
        "experiments": {"factor": {"low": 1.0, "high": 2.0}},
        "staff": {"kind": "share", "share": 0.3},
        "data": {"kind": "amount", "usd": 1e6},
    },
}
SITE = {"pue": 1.2, "usd_per_kwh": 0.1, "carbon_kg_co2e_per_kwh": 0.4}
REQUESTS |= {
    name: with_work({"kind": "metered", "device_hours": 1.0}, site=SITE) | {"accounting": terms}
    for name, terms in ACCOUNTED.items()
}


def members(tree, path=()):
    """The paths of all numbers of a request as the decoder understands it."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from members(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from members(value, (*path, index))
    elif isinstance(tree, float):
        yield path


def understood(request):
    decoded = msgspec.json.decode(json.dumps(request), type=QuoteRequest)
    return msgspec.to_builtins(decoded)


def set_at(tree, path, value):
    *way, last = path
    for step in way:
        tree = tree[step]
    tree[last] = value


def ends_of(request, path):
    """The smallest and largest value at this path that the decoder takes, read off its refusals."""
    found = []
    for beyond, word in ((-1e300, ">="), (1e300, "<=")):
        tree = json.loads(json.dumps(request))
        set_at(tree, path, beyond)
        with pytest.raises(msgspec.ValidationError) as refusal:
            msgspec.json.decode(json.dumps(tree), type=QuoteRequest)
        bound = re.search(rf"{word} (\S+)", str(refusal.value))
        assert bound, f"{path} has no bound: {refusal.value}"
        found.append(float(bound[1]))
    return found


def nulls_of(encoded):
    """Where the encoded answer has a null: no member is null, and infinities are written as one."""
    found = re.finditer(rb"[:,\[]null(?=[,\]}])", encoded)
    return [encoded[max(0, null.start() - 40) : null.end()] for null in found]


@pytest.mark.parametrize("kind", REQUESTS)
def test_corners_in_pairs_give_finite_well_formed_quotes(kind):
    request = understood(REQUESTS[kind])
    paths = list(members(request))
    assert paths
    corners = {path: ends_of(request, path) for path in paths}
    pairs = itertools.combinations_with_replacement(paths, 2)
    for first, second in pairs:
        for a, b in itertools.product(corners[first], corners[second]):
            tree = json.loads(json.dumps(request))
            set_at(tree, first, a)
            set_at(tree, second, b)
            quoted = answer(tree, embedded())
            assert nulls_of(msgspec.json.encode(quoted)) == []
            for bill in quoted.bases:
                if isinstance(bill, PricedBill):
                    assert Decimal(bill.total.amount).is_finite()


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_would_be_found(number):
    for holder in ({"value": number}, [1.0, number], {"a": [number, 1.0]}):
        assert nulls_of(msgspec.json.encode(holder))
    assert nulls_of(msgspec.json.encode({"value": 1e300, "text": "null"})) == []
