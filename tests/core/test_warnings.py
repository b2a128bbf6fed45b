"""Warnings: a severity for every code, one for each cause, the gravest and the dearest first."""

import json
import re
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.contract.examples import REQUESTS
from service.core import printing
from service.core.answer import WARNINGS, WarningCode
from service.core.argument import Caution
from service.core.printing.warnings import RANKS, merged, place_of
from service.formula_reference.requests import MORE_REQUESTS
from tests.requests import R1
from tests.worlds import answer, embedded, priced, told

CORE = Path(printing.__file__).parents[1]
README = Path(__file__).parents[2] / "README.md"
MOST_WARNINGS = 6
"""Two of them are about the market: a committed price of a large cluster, part of it derived."""


def pretraining(stages: int = 1):
    """A plain pre-training on the market, in some stages alike."""
    work = {
        "kind": "pretraining",
        "model": {"kind": "preset", "id": "llama-3.1-8b"},
        "tokens": 15e12,
    }
    named = [{"name": f"stage {index}", "work": work} for index in range(stages)]
    return {
        "run": {"name": "plain", "stages": named},
        "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1024},
    }


def of_the_readme():
    """The first request that the README posts."""
    (body,) = re.findall(r"-d @- <<'END'\n(.*?)\nEND", README.read_text(), re.DOTALL)[:1]
    return json.loads(body)


DEFAULT_LIKE = {
    "the README's": of_the_readme(),
    "R1": R1,
    "a plain pre-training": pretraining(),
    "64 stages alike": pretraining(64),
    **{example.name: example.request for example in (*REQUESTS, *MORE_REQUESTS)},
}


@cache
def quoted(name):
    return answer(DEFAULT_LIKE[name], embedded())


def test_every_code_has_a_severity_a_meaning_and_an_advice():
    assert set(WARNINGS) == set(get_args(WarningCode))
    assert all(
        kind.meaning.endswith(".") and kind.advice.endswith(".") for kind in WARNINGS.values()
    )
    assert set(RANKS) == {kind.severity for kind in WARNINGS.values()}


def test_every_code_is_warned_of_somewhere():
    listed = CORE / "answer" / "warnings.py"
    text = "".join(path.read_text() for path in CORE.rglob("*.py") if path != listed)
    assert [code for code in WARNINGS if f'"{code}"' not in text] == []


@pytest.mark.parametrize("name", DEFAULT_LIKE)
def test_a_default_request_has_few_warnings_and_the_rest_are_notes(name):
    found = quoted(name)
    assert len(found.warnings) <= MOST_WARNINGS
    assert {one.severity for one in found.warnings} <= {"act", "check"}
    assert {one.severity for one in found.notes} <= {"note"}


@pytest.mark.parametrize("name", DEFAULT_LIKE)
def test_warnings_come_by_severity_then_by_what_they_move_then_by_place(name):
    shown = told(quoted(name))
    keys = [(RANKS[one.severity], -one.moves, place_of(one.pointer)) for one in shown]
    assert keys == sorted(keys)
    assert all(one.severity == WARNINGS[one.code].severity for one in shown)
    assert all(list(one.also_at) == sorted(one.also_at, key=place_of) for one in shown)
    places = [
        (one.code, one.detail, place) for one in shown for place in (one.pointer, *one.also_at)
    ]
    assert len(places) == len(set(places))


def test_a_default_that_64_stages_take_is_told_once_with_all_places():
    one, many = quoted("a plain pre-training"), quoted("64 stages alike")
    assert [note.code for note in many.notes] == [note.code for note in one.notes]
    (layout,) = (note for note in many.notes if note.code == "assumed_layout")
    assert (layout.pointer, *layout.also_at) == tuple(
        f"/run/stages/{index}/work/layout" for index in range(64)
    )


def test_a_weak_driver_moves_its_share_of_the_total_that_it_moves_most():
    found = quoted("a plain pre-training")
    (market,) = (one for one in found.warnings if one.pointer == "/cluster/supply"
                 and one.code == "weak_driver")  # fmt: skip
    shares = [
        driver.share
        for bill in found.bases
        for driver in priced(bill).drivers
        if driver.figure == "assumptions/rental.market_level"
    ]
    assert market.moves == max(shares)
    assert f"{max(shares):.0%} (rental)" in market.detail


def test_a_number_without_spread_moves_the_lines_that_rest_on_it():
    """512 devices for 2,000 hours at $2 are $2,048,000, of which the run's 100,000 hours cost
    $200,000: the rest is the commitment's."""
    cluster = R1["cluster"] | {"accelerator": "nvidia-h100-sxm-80gb"}
    stages = [{"name": "run", "work": {"kind": "metered", "device_hours": 1e5}}]
    request = {
        "run": {"name": "run", "stages": stages},
        "cluster": cluster,
        "accounting": {"commitment_hours": 2000},
        "options": {"bases": ["rental"]},
    }
    (found,) = (
        one for one in answer(request, embedded()).warnings if one.code == "commitment_unused"
    )
    assert found.pointer == "/accounting/commitment_hours"
    assert found.moves == pytest.approx((2_048_000 - 200_000) / 2_048_000, abs=1e-6)


def test_what_leaves_a_bill_without_a_total_comes_first():
    request = pretraining() | {"cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1}}
    request["run"]["stages"][0]["work"]["model"]["id"] = "llama-3.1-405b"
    first, *_ = answer(request, embedded()).warnings
    assert (first.severity, first.moves) == ("act", 1.0)


@given(st.lists(st.integers(0, 63), min_size=1, unique=True))
def test_places_sort_by_number_and_one_cause_keeps_all_of_them(stages):
    cautions = [
        Caution("assumed_goodput", f"{index} devices", f"/run/stages/{index}/work/goodput")
        for index in stages
    ]
    (cause,) = merged(cautions)
    assert [int(pointer.split("/")[3]) for pointer in cause.pointers] == sorted(stages)
