"""What of the code counts when a generated file is asked whether it is current?"""

import pytest

from lab.files import LAB_DATA
from lab.upkeep.digests import code_digest, files_digest, statements_of, with_imported

SOURCE = '''
"""A module."""

from math import exp

RATE = 2.0


def price(hours: float) -> float:
    """What it costs."""
    # a comment
    return RATE * hours
'''


def statements(source):
    return sorted(statements_of(source))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    # a comment\n", ""),
        ('    """What it costs."""\n', ""),
        ('"""A module."""\n', ""),
        ("from math import exp", "from math import exp, log"),
        ("RATE * hours", "(RATE\n        * hours)"),
        ("RATE = 2.0\n", ""),
    ],
)
def test_comments_docstrings_imports_layout_and_places_do_not_count(before, after):
    changed = SOURCE.replace(before, after)
    assert changed != SOURCE
    if before == "RATE = 2.0\n":
        changed += "\n\nRATE = 2.0\n"
    assert statements(changed) == statements(SOURCE)


@pytest.mark.parametrize(
    ("before", "after"),
    [("2.0", "2.1"), ("2.0", "2"), ("RATE * hours", "hours * RATE"), ("price", "cost")],
)
def test_a_changed_number_formula_or_name_counts(before, after):
    assert statements(SOURCE.replace(before, after)) != statements(SOURCE)


def test_a_product_hangs_on_what_its_module_imports():
    imported = with_imported("lab.steps.refit")
    assert {"lab.steps.refit", "lab.steps.fit", "service.scoring.steps.inputs"} <= imported
    assert "service.core.training.steptime.parts" in imported
    assert not {name for name in imported if name.startswith(("service.api", "lab.runs"))}


def test_code_counts_whatever_the_order_of_its_modules():
    one, other = "lab.steps.refit", "lab.steps.fit"
    assert code_digest(one, other) == code_digest(other, one) != code_digest(one)


def test_a_file_counts_by_its_name_and_its_text():
    priors, costs = LAB_DATA / "post_training_priors.toml", LAB_DATA / "epoch_costs.csv"
    assert files_digest([priors, costs]) == files_digest([costs, priors])
    assert files_digest([priors]) != files_digest([costs])
    assert files_digest([priors]) != files_digest([priors, LAB_DATA / "none.csv"])
