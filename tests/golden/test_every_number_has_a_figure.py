"""Every number of an answer is reachable from its figures, and every figure from print."""

import itertools
import json
import math
from typing import Any

import msgspec
import pytest

from tests.worlds import answer, embedded

ACCELERATORS = (
    "nvidia-h100-sxm-80gb",
    "nvidia-a100-sxm-80gb",
    "nvidia-h200-sxm-141gb",
    "nvidia-b200-sxm",
    "amd-mi300x",
)
WORKS: tuple[dict[str, Any], ...] = (
    {"kind": "timed", "hours": {"low": 90, "high": 120}},
    {"kind": "compute", "flop": 1e22},
    {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": "llama-3-8b"},
        "tokens": {"low": 9e10, "high": 1.2e11},
    },
    {"kind": "metered", "device_hours": 4096},
)
REQUESTS = [
    {
        "run": {"name": "run", "stages": [{"name": "stage", "work": work}]},
        "cluster": {"accelerator": accelerator, "devices": 64},
    }
    for accelerator, work in itertools.product(ACCELERATORS, WORKS)
]
NAMES = [
    f"{work['kind']} on {accelerator}"
    for accelerator, work in itertools.product(ACCELERATORS, WORKS)
]
STRUCTURE = {"request", "layout", "runners_up", "catalog", "magnitude", "moves"}
"""Members that hold structure, print or the order of warnings, not numbers of the argument."""
COUNTED = {"devices"}


def quoted(request):
    if request["run"]["stages"][0]["work"]["kind"] == "pretraining":
        known = next(id for id in embedded().models if id.startswith("llama") and "8b" in id)
        request["run"]["stages"][0]["work"]["model"]["id"] = known
    return json.loads(msgspec.json.encode(answer(request, embedded())))


def numbers(tree, names=()):
    """All numbers outside of figures, each with the figures that its surroundings name."""
    if isinstance(tree, dict):
        own = tuple(tree.get("figures") or ()) if isinstance(tree.get("figures"), list) else ()
        figure = tree.get("figure")
        named = (*own, figure) if isinstance(figure, str) else own
        for key, value in tree.items():
            if key not in STRUCTURE and not (key == "figures" and isinstance(value, dict)):
                yield from numbers(value, named or names)
    elif isinstance(tree, list):
        for value in tree:
            yield from numbers(value, names)
    elif isinstance(tree, float):
        yield tree, names


def leaves(name, figures, seen):
    """The leaves that a figure is walked back to."""
    source = figures[name]["source"]
    if source["kind"] != "derived":
        yield name
        return
    if name not in seen:
        seen.add(name)
        assert source["formula"]
        for given in source["inputs"].values():
            yield from leaves(given, figures, seen)


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_every_number_is_walked_back_to_print_a_judgement_or_the_request(request_):
    body = quoted(request_)
    figures = body["figures"]
    values = {figure["value"] for figure in figures.values()}
    found = 0
    for number, names in numbers({key: body[key] for key in body if key != "figures"}):
        assert math.isfinite(number)
        assert names or number in values, f"{number} names no figure"
        for name in names:
            assert name in figures
        found += 1
    assert found
    for name, figure in figures.items():
        source = figure["source"]
        if source["kind"] == "published":
            assert source["title"]
            assert source["locator"]
            assert source["as_of"]
        if source["kind"] == "judged":
            assert source["why"]
            assert source["as_of"]
        assert set(leaves(name, figures, set())) <= set(figures)


ELSEWHERE: dict[str, dict[str, Any]] = {
    "a region": {"site": {"id": "aws:us-east-1"}},
    "a region that takes its tariff from a continent": {"site": {"id": "gcp:asia-east1"}},
    "a country": {"site": {"id": "grid:no"}, "supply": {"kind": "market", "term": "spot"}},
    "reserved": {"supply": {"kind": "market", "term": "reserved_1y"}},
    "an offer": {"supply": {"kind": "offer", "id": ""}},
    "owned": {"supply": {"kind": "owned"}},
    "by ratings": {"supply": {"kind": "owned", "convention": "epoch-2024"}},
}


def in_other_places():
    """The same run where other rows of the catalog speak for it."""
    for name, cluster in ELSEWHERE.items():
        request = json.loads(json.dumps(REQUESTS[2]))
        request["cluster"] |= json.loads(json.dumps(cluster))
        if request["cluster"].get("supply", {}).get("kind") == "offer":
            request["cluster"]["supply"]["id"] = next(
                row.id
                for row in embedded().price_rows[request["cluster"]["accelerator"]]
                if row.price_kind == "on_demand"
            )
        request["accounting"] = {"base_model": {"kind": "runs", "ids": ["deepseek-v3-pretrain"]}}
        yield pytest.param(request, id=name)


@pytest.mark.parametrize(
    "request_",
    [
        *(pytest.param(one, id=name) for one, name in zip(REQUESTS, NAMES, strict=True)),
        *in_other_places(),
    ],
)
def test_every_printed_or_judged_figure_has_a_range_or_says_that_it_is_exact(request_):
    body = quoted(json.loads(json.dumps(request_)))
    ranged = 0
    for name, figure in body["figures"].items():
        if figure["source"]["kind"] not in ("published", "judged"):
            continue
        assert figure["low"] <= figure["value"] <= figure["high"], name
        basis = figure.get("range_basis", "")
        assert (figure["low"] == figure["high"]) == basis.startswith("exact: "), name
        ranged += figure["low"] < figure["high"]
    assert ranged > 5


def test_what_sellers_ask_moves_a_market_quote_and_a_given_rate_has_no_spread():
    asked = json.loads(json.dumps(REQUESTS[-1]))  # of a market of few sellers
    by_basis = {bill["basis"]: bill for bill in quoted(asked)["bases"]}
    drivers = [driver["figure"] for driver in by_basis["rental"]["drivers"]]
    assert drivers[0] == "assumptions/rental.market_level"
    assert any(name.startswith("price_moves/") for name in drivers)
    asked["cluster"]["supply"] = {"kind": "rate", "usd_per_device_hour": 2.0}
    rental = next(bill for bill in quoted(asked)["bases"] if bill["basis"] == "rental")
    assert set(rental["interval"].values()) == {rental["total"]["amount"]} == {"8192.00"}


def test_there_are_twenty_of_these_quotes():
    assert len(REQUESTS) == 20
