"""The smallest and largest legal value of every number, in pairs, gives a finite quote."""

import itertools
import json
import math
import re
from decimal import Decimal

import msgspec
import pytest

from service.catalog_files import load_catalog
from service.core.request import QuoteRequest
from tests.requests import R1
from tests.worlds import answer

CATALOG = load_catalog()
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


def walk(tree):
    if isinstance(tree, dict):
        for value in tree.values():
            yield from walk(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from walk(value)
    else:
        yield tree


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
            quoted = json.loads(msgspec.json.encode(answer(tree, CATALOG)))
            numbers = [leaf for leaf in walk(quoted) if isinstance(leaf, int | float)]
            assert all(math.isfinite(number) for number in numbers)
            assert None not in list(walk(quoted))
            for bill in quoted["bases"]:
                if bill["status"] == "priced":
                    assert Decimal(bill["total"]["amount"]).is_finite()
