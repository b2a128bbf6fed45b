"""The rooms of the core: which modules are formulas, and which names they share."""

import ast
import tomllib
from collections import defaultdict
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
CORE = "service.core"
NOT_FOR_FORMULAS = tuple(f"{CORE}.{room}" for room in ("answer", "argument", "catalog", "request"))
TWO_CONVENTIONS = {
    "PurchaseRates",
    "acquisition",
    "device_hour_usd",
    "energy_usd",
    "kwh_per_device_hour",
    "purchase_rates",
}
"""Both ways of writing hardware off, straight_line and epoch-2024, define these."""


@pytest.fixture(scope="module")
def imports():
    """All imports of the service, as a graph."""
    return grimp.build_graph("service", cache_dir=None)


def held_to_the_rule(imports):
    """The modules that the contract of formulas names, with all that are in them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("Formulas know no")
    )
    assert tuple(contract["forbidden_modules"]) == NOT_FOR_FORMULAS
    named = set(contract["source_modules"])
    return named.union(*(imports.find_descendants(module) for module in named))


def test_every_module_that_knows_no_request_argument_or_catalog_is_held_to_that(imports):
    modules = imports.find_descendants(CORE)
    others = set(NOT_FOR_FORMULAS).union(*map(imports.find_descendants, NOT_FOR_FORMULAS))
    packages = {module for module in modules if imports.find_children(module)}
    pure = {
        module
        for module in modules - others - packages
        if others.isdisjoint(imports.find_upstream_modules(module))
    }
    assert pure == held_to_the_rule(imports) - packages


def names_of(node):
    """The names that a statement of a module defines."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def test_a_name_of_the_core_is_defined_in_one_module():
    homes = defaultdict(set)
    for path in (ROOT / "service" / "core").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            for name in names_of(node):
                if not name.startswith("_"):
                    homes[name].add(str(path.relative_to(ROOT)))
    shared = {name: places for name, places in homes.items() if len(places) > 1}
    assert not {name: shared[name] for name in set(shared) - TWO_CONVENTIONS}
