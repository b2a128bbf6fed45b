"""The cursor: it reads members of the request, and what it records says where they stand."""

import msgspec
import pytest
from msgspec import UNSET

from service.core.argument import Argument, Fixed
from service.core.figures.sources import Derived, Given
from service.core.request.wire import Interval
from service.core.request.work import Compute, Finetuning
from tests.worlds import embedded, unregistered


@unregistered
def product(*, a, b):
    return a * b


def cursor(said, *, catalog=None):
    argument = Argument(catalog or embedded())
    return argument.at(said, pointer="/run/stages/0/work", prefix="stages/0")


def test_a_quantity_is_given_at_the_pointer_of_its_member():
    at = cursor(Compute(flop=3e24))
    term = at.quantity("flop", unit="flop")
    assert term.central == 3e24
    entry = at.argument.ledger.entry(term.name)
    assert entry.source == Given(pointer="/run/stages/0/work/flop")
    assert entry.unit == "flop"


def test_an_interval_keeps_its_ends():
    at = cursor(Compute(flop=Interval(low=1e24, high=4e24)))
    entry = at.argument.ledger.entry(at.quantity("flop", unit="flop").name)
    assert (entry.low, entry.high) == (1e24, 4e24)
    assert entry.central == pytest.approx(2e24)


@pytest.mark.parametrize("warns", [None, "assumed_mfu"])
def test_a_default_is_taken_where_the_member_is_not_said_and_names_the_member(warns):
    at = cursor(Compute(flop=1e24))
    assert not at.states("mfu")
    term = at.assumed("mfu", unit="share", default="compute.mfu", warns=warns)
    assert at.argument.ledger.entry(term.name).pointer == "/run/stages/0/work/mfu"
    assert [warning.code for warning in at.argument.warnings] == [warns] * (warns is not None)


def test_what_is_said_overrides_the_default_without_a_warning():
    at = cursor(Compute(flop=1e24, mfu=0.4))
    term = at.assumed("mfu", unit="share", default="compute.mfu", warns="assumed_mfu")
    assert term.central == 0.4
    assert not at.argument.warnings


def test_a_derived_figure_stands_under_the_prefix_with_its_inputs_and_structure():
    at = cursor(Compute(flop=3.0, mfu=0.5))
    a = at.quantity("flop", unit="flop")
    named = at.derive(product, "doubled", a=a, b=Fixed(2.0, "/run/stages/0/work/precision"))
    assert (named.name, named.central) == ("stages/0/doubled", 6.0)
    source = at.argument.ledger.entry(named.name).source
    assert source == Derived(
        formula="product", inputs={"a": a.name}, structure={"b": "/run/stages/0/work/precision"}
    )
    assert at.under("stages/0/other").derive(product, a=a, b=3.0).name == "stages/0/other/product"


def test_a_member_that_does_not_exist_is_our_own_mistake():
    with pytest.raises(AssertionError, match="tokenz"):
        cursor(Compute(flop=1e24)).pointer_of("tokenz")


def test_a_cursor_walks_into_a_member():
    work = msgspec.convert(
        {
            "kind": "finetuning",
            "model": {"kind": "parameters", "total": 8e9},
            "data": {"kind": "examples", "examples": 5e4, "mean_tokens": 512},
        },
        Finetuning,
    )
    at = cursor(work).at("data")
    assert at.pointer == "/run/stages/0/work/data"
    assert at.quantity("examples", unit="count").central == 5e4
    assert at.said.epochs == 1.0


def test_what_is_unknown_names_the_member_to_blame():
    at = cursor(Compute(flop=1e24))
    unknown = at.unknown("unsuited", "no such peak", member="precision")
    assert unknown.pointer == "/run/stages/0/work/precision"
    assert at.said.mfu is UNSET
