"""The registry of formulas: names that are unique and cited, units that are said once."""

import pytest

from service.core.figures.formulas import REGISTRY, WHOLE, formula
from tests.requests import R1
from tests.worlds import answer, embedded


def test_a_name_is_given_to_one_formula_only():
    taken = next(iter(REGISTRY))
    with pytest.raises(ValueError, match=taken):
        formula(taken, unit="usd")(lambda: 1.0)


def test_a_formula_is_its_function():
    line_usd = REGISTRY["line_usd"]
    assert line_usd(quantity=3.0, rate=2.0) == 6.0
    assert line_usd.function(quantity=3.0, rate=2.0) == 6.0
    assert line_usd.units == {WHOLE: "usd"}


def test_figures_cite_formulas_by_their_registered_names():
    sources = [figure.source for figure in answer(R1, embedded()).figures.values()]
    cited = {source.formula for source in sources if hasattr(source, "formula")}
    assert cited
    assert cited <= set(REGISTRY)


def test_a_name_on_the_wire_holds_no_module_path():
    assert not [name for name in REGISTRY if not name.replace("_", "").isalnum()]
