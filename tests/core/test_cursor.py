"""The cursor: it reads members of the request, and what it records says where they stand."""

import msgspec
import pytest
from msgspec import UNSET

from service.core.argument import Argument, Fixed
from service.core.catalog.errors import UnknownModel
from service.core.figures.sources import Derived, Given
from service.core.request.transformer import MixtureOfExperts, Transformer
from service.core.request.wire import Interval
from service.core.request.work import Compute, Finetuning, PresetModel
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


def test_a_shared_figure_is_derived_once():
    at = cursor(Compute(flop=3.0)).under("accelerators/x")
    first = at.derive_once(product, a=at.quantity("flop", unit="flop"), b=2.0)
    assert at.derive_once(product, a=at.quantity("flop", unit="flop"), b=5.0) == first
    assert first.name == "accelerators/x/product"


def test_a_member_names_a_row_of_the_catalog():
    at = cursor(PresetModel(id="llama-3.1-8b"))
    assert at.row("id", at.argument.catalog.model).id == "llama-3.1-8b"
    at = cursor(PresetModel(id="llama-8"))
    with pytest.raises(UnknownModel) as caught:
        at.row("id", at.argument.catalog.model)
    assert caught.value.pointer == "/run/stages/0/work/id"


def test_the_same_place_in_another_argument_leaves_the_first_alone():
    at = cursor(Compute(flop=3.0))
    scratch = at.on(Argument(at.argument.catalog))
    scratch.quantity("flop", unit="flop")
    assert [len(list(place.argument.ledger)) for place in (at, scratch)] == [0, 1]


def test_a_pointer_reaches_a_members_member():
    at = cursor(Transformer(layers=2, hidden_size=8, heads=2, vocab_size=16, moe=UNSET))
    assert at.pointer_of("moe") == "/run/stages/0/work/moe"
    with pytest.raises(AssertionError, match="expertz"):
        at.pointer_of("moe/expertz")
    moe = MixtureOfExperts(experts=8, experts_per_token=2, moe_ffn_size=16)
    at = cursor(Transformer(layers=2, hidden_size=8, heads=2, vocab_size=16, moe=moe))
    assert at.pointer_of("moe/experts") == "/run/stages/0/work/moe/experts"


def test_a_request_is_warned_of_what_it_makes_unknown_and_not_of_what_the_catalog_lacks():
    at = cursor(Compute(flop=1e24))
    for reason in ("contradictory", "does_not_fit", "unsuited"):
        at.argument.warn_of(at.unknown(reason, "why", member="flop"))
    codes = [(warning.code, warning.pointer) for warning in at.argument.warnings]
    assert codes == [
        (code, "/run/stages/0/work/flop") for code in ("contradictory", "does_not_fit")
    ]


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
