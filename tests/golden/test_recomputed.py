"""Quotes added up again from their JSON alone, to the last printed digit."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from service.local import quote_bytes
from tests import recomputed
from tests.recomputed import formulas
from tests.recomputed.asked import FOREIGN, REQUESTS
from tests.recomputed.bills import (
    bridges_that_do_not_lead,
    exclusions_without_a_bill,
    lines_that_do_not_multiply,
    outcomes_out_of_order,
    totals_that_do_not_add,
)
from tests.recomputed.formulas import figures_that_do_not_follow
from tests.recomputed.loaded import loaded_that_does_not_follow
from tests.recomputed.reading import Json, priced_lines, read
from tests.recomputed.rental import rental_that_does_not_follow
from tests.recomputed.stages import purchases_that_do_not_add, stages_that_do_not_add

IN_FULL = (
    lines_that_do_not_multiply,
    totals_that_do_not_add,
    bridges_that_do_not_lead,
    exclusions_without_a_bill,
    purchases_that_do_not_add,
    rental_that_does_not_follow,
    loaded_that_does_not_follow,
    figures_that_do_not_follow,
)
IN_SUMMARY = (outcomes_out_of_order, stages_that_do_not_add)
ALL = REQUESTS | FOREIGN
FULL = [name for name in ALL if ALL[name]["options"]["detail"] == "full"]


@cache
def quoted(name: str) -> Json:
    return read(quote_bytes(json.dumps(ALL[name]).encode()))


def test_there_are_thirty_and_more_of_these_quotes_and_some_in_each_other_currency():
    assert len(REQUESTS) >= 30
    asked = {request["options"]["currency"] for request in FOREIGN.values()}
    assert asked == {"EUR", "GBP", "JPY", "CNY", "INR"}


def test_the_recomputation_knows_nothing_of_the_core():
    for module in Path(recomputed.__path__[0]).glob("*.py"):
        words = module.read_text(encoding="utf-8").splitlines()
        imports = [line for line in words if line.startswith(("import ", "from "))]
        assert not [line for line in imports if "service" in line], module


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("faults_of", IN_FULL)
def test_a_full_quote_adds_up(name: str, faults_of: Callable[[Json], Iterator[str]]):
    assert list(faults_of(quoted(name))) == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("faults_of", IN_SUMMARY)
def test_a_quote_of_any_detail_adds_up(name: str, faults_of: Callable[[Json], Iterator[str]]):
    assert list(faults_of(quoted(name))) == []


def add(parent: Json, member: str, number: str) -> None:
    """Add to a number, or to an amount that is written as text."""
    moved = Decimal(parent[member]) + Decimal(number)
    parent[member] = str(moved) if isinstance(parent[member], str) else moved


def line_of(quote: Json, basis: int, item: str) -> Json:
    return next(line for line in quote["bases"][basis]["lines"] if line["item"] == item)


CHANGES: dict[str, tuple[Callable[[Json], Iterator[str]], Callable[[Json], object]]] = {
    "amount of a line": (
        lines_that_do_not_multiply,
        lambda at: add(line_of(at, 0, "tax"), "amount", "0.01"),
    ),
    "total": (totals_that_do_not_add, lambda at: add(at["bases"][1]["total"], "amount", "0.01")),
    "step of a bridge": (
        bridges_that_do_not_lead,
        lambda at: add(at["bridges"][0]["steps"][1], "amount", "0.01"),
    ),
    "missing step": (bridges_that_do_not_lead, lambda at: at["bridges"][0]["steps"].pop()),
    "missing exclusion": (exclusions_without_a_bill, lambda at: at["bases"][0]["excludes"].pop()),
    "order of outcomes": (outcomes_out_of_order, lambda at: at["bases"][0]["outcomes"].reverse()),
    "budget": (outcomes_out_of_order, lambda at: add(at["bases"][0]["budget"], "p80", "1e9")),
    "device-hours": (
        stages_that_do_not_add,
        lambda at: add(at["stages"][0]["device_hours"], "p90", "0.1"),
    ),
    "energy of the run": (
        stages_that_do_not_add,
        lambda at: add(at["totals"]["energy_kwh"]["it"], "central", "1"),
    ),
    "purchase": (
        purchases_that_do_not_add,
        lambda at: add(at["ownership"][0]["acquisition"], "servers", "1"),
    ),
    "support": (
        rental_that_does_not_follow,
        lambda at: add(line_of(at, 0, "support"), "quantity", "0.01"),
    ),
    "tax": (rental_that_does_not_follow, lambda at: add(line_of(at, 0, "tax"), "quantity", "0.01")),
    "missing uplift": (rental_that_does_not_follow, lambda at: at["bases"][0]["lines"].pop()),
    "experiments": (
        loaded_that_does_not_follow,
        lambda at: add(line_of(at, 2, "experiments"), "rate", "1e-6"),
    ),
    "order of lines": (
        loaded_that_does_not_follow,
        lambda at: at["bases"][2]["lines"].insert(0, {"item": "tax"}),
    ),
    "figure": (
        figures_that_do_not_follow,
        lambda at: add(at["figures"]["owned/lines/0/usd"], "value", "1"),
    ),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_quote_of_which_one_thing_is_changed_does_not_add_up(changed: str):
    faults_of, change = CHANGES[changed]
    quote = deepcopy(quoted("spot, with all that comes with rent"))
    assert list(faults_of(quote)) == []
    change(quote)
    assert list(faults_of(quote)) != []


def test_a_summary_has_the_totals_of_the_full_quote():
    asked = ALL["a summary"]
    full = read(quote_bytes(json.dumps(asked | {"options": {}}).encode()))
    kept = ("status", "total", "budget", "interval", "outcomes", "priced_lines_total")
    for short, whole in zip(quoted("a summary")["bases"], full["bases"], strict=True):
        assert {key: short.get(key) for key in kept} == {key: whole.get(key) for key in kept}


def test_together_they_have_every_item_unit_and_reason_that_bills_know():
    lines = [line for name in FULL for bill in quoted(name)["bases"] for line in bill["lines"]]
    contract = json.loads((Path(__file__).parents[2] / "openapi/openapi.json").read_bytes())
    known = contract["components"]["schemas"]
    assert {line["item"] for line in lines} == set(known["Item"]["x-extensible-enum"])
    assert {line["unit"] for line in lines} == set(
        known["Line"]["properties"]["unit"]["x-extensible-enum"]
    )
    assert {bill["status"] for name in FULL for bill in quoted(name)["bases"]} == {
        "priced",
        "unpriced",
    }
    assert any(len(priced_lines(bill)) > 60 for name in FULL for bill in quoted(name)["bases"])


def test_together_they_apply_every_formula_that_is_written_down_again():
    applied = {formula for name in FULL for _, formula, _ in formulas.recomputed(quoted(name))}
    assert applied == {*formulas.WHOLE, *formulas.PARTS}
