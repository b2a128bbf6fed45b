"""docs/formulas.md: every formula, its inputs with their units, and its source."""

from functools import cache
from pathlib import Path

import pytest

from service.api.contract.examples import REQUESTS
from service.core.figures.formulas import REGISTRY, Formula
from service.core.figures.units import Unit
from service.formula_reference.inputs import Observed, observed_units
from service.formula_reference.page import described, formulas_page, input_rows
from service.formula_reference.requests import MORE_REQUESTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "formulas.md"


@cache
def observed() -> Observed:
    """Read off the quotes once for all tests."""
    return observed_units()


def made(function, **facts) -> Formula:
    """A formula that is in no registry."""
    return Formula(function, name="made", **{"units": {"": "usd"}} | facts)


def test_the_document_is_what_the_command_writes():
    assert DOCUMENT.read_text(encoding="utf-8") == formulas_page(), (
        "run: runquote formulas --write docs/formulas.md"
    )


def test_every_formula_is_applied_by_an_example_request():
    assert set(observed()) == set(REGISTRY)


def test_every_further_request_reaches_a_formula_that_the_examples_do_not():
    known = set(observed_units(REQUESTS))
    assert [one.name for one in MORE_REQUESTS if not set(observed_units([one])) - known] == []


@pytest.mark.parametrize("name", [name for name, formula in REGISTRY.items() if formula.units])
def test_an_input_has_one_unit_unless_the_registry_says_otherwise(name):
    formula = REGISTRY[name]
    for key, units in observed()[name].items():
        assert len(units) == 1 or key in formula.any_unit, f"{key}: {sorted(units)}"


@pytest.mark.parametrize("name", REGISTRY)
def test_inputs_that_may_have_any_unit_have_several(name):
    for key in REGISTRY[name].any_unit:
        assert len(observed()[name][key]) > 1


@pytest.mark.parametrize("name", REGISTRY)
def test_the_docstring_of_a_formula_has_the_formula_and_its_source(name):
    words = described(REGISTRY[name])
    assert words.summary.endswith(".")
    assert words.source.endswith(".")


def without_source() -> float:
    """A price.

    2 * 3
    """
    return 6.0


def without_formula() -> float:
    """A price: 2 * 3.

    Source: definition.
    """
    return 6.0


@pytest.mark.parametrize(
    ("function", "lacks"), [(without_source, "source"), (without_formula, "formula")]
)
def test_a_docstring_that_lacks_a_part_is_named(function, lacks):
    with pytest.raises(ValueError, match=f"made has no {lacks}"):
        described(made(function))


def test_an_input_with_two_units_is_named():
    with pytest.raises(ValueError, match="rate of made has several units: ratio, usd"):
        list(input_rows(made(lambda *, rate: rate), {"rate": frozenset({"usd", "ratio"})}))


def test_keywords_are_one_row_if_they_have_one_unit_and_one_row_each_otherwise():
    formula = made(lambda **usd: sum(usd.values()))
    usd, hour = frozenset[Unit]({"usd"}), frozenset[Unit]({"hour"})
    alike = {"a": usd, "b": usd}
    assert list(input_rows(formula, alike)) == [("`usd`, any number of them", "usd")]
    apart = {"a": usd, "b": hour}
    assert list(input_rows(formula, apart)) == [("`a`", "usd"), ("`b`", "hour")]
