"""Nothing becomes a number of a quote without standing in its figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.figures.ledger import Ledger, replay
from service.core.figures.sources import Datum, Derived, Given
from tests.worlds import datum, unregistered

numbers = st.floats(min_value=1e-3, max_value=1e6)


@unregistered
def product(*, a, b):
    return a * b


def replay_all(ledger, rows):
    return replay((*ledger.tape.standing, *ledger.tape.of_run), rows)


def test_a_datum_does_not_show_its_number_by_any_public_name():
    public = [name for name in dir(datum("x", 42.0, "usd")) if not name.startswith("_")]
    assert all(getattr(datum("x", 42.0, "usd"), name) != 42.0 for name in public)


def test_what_is_taken_given_or_derived_stands_in_the_figures():
    ledger = Ledger()
    price = ledger.take(datum("price", 2.0, "usd/device_hour"))
    hours = ledger.given(3.0, pointer="/hours", unit="device_hour")
    cost = ledger.derive(product, name="cost", inputs={"a": price, "b": hours})
    figures = ledger.figures()
    assert list(figures) == ["price", "request/hours", "cost"]
    assert cost.central == 2.0 * 3.0
    assert figures["request/hours"].source == Given(pointer="/hours")
    derived = figures["cost"].source
    assert isinstance(derived, Derived)
    assert derived.inputs == {"a": "price", "b": "request/hours"}


def test_taking_a_datum_twice_makes_one_figure():
    ledger, price = Ledger(), datum("price", 2.0, "usd/device_hour")
    assert ledger.take(price) == ledger.take(price)
    assert len(ledger.figures()) == 1


def test_deriving_the_same_name_twice_is_our_own_mistake():
    ledger = Ledger()
    a = ledger.take(datum("a", 2.0, "ratio"))
    ledger.derive(product, name="aa", inputs={"a": a, "b": a})
    with pytest.raises(AssertionError):
        ledger.derive(product, name="aa", inputs={"a": a, "b": a})


@given(a=numbers, b=numbers, draws=st.lists(numbers, min_size=1, max_size=8))
def test_a_replay_is_the_same_formula_over_draws(a, b, draws):
    ledger = Ledger()
    first = ledger.take(datum("a", a, "ratio"))
    second = ledger.take(datum("b", b, "ratio"))
    ledger.derive(product, name="ab", inputs={"a": first, "b": second})
    replayed = replay_all(ledger, {"a": np.array(draws)})
    assert np.array_equal(replayed["ab"], [draw * b for draw in draws])
    assert set(replayed) == {"a", "ab"}


def test_a_replay_leaves_alone_what_does_not_move():
    ledger = Ledger()
    still, moving = (ledger.take(datum(name, 2.0, "ratio")) for name in ("still", "moving"))
    ledger.derive(product, name="still2", inputs={"a": still, "b": still})
    ledger.derive(product, name="moving2", inputs={"a": moving, "b": still})
    replayed = replay_all(ledger, {"moving": np.array([1.0, 3.0])})
    assert "still2" not in replayed
    assert np.array_equal(replayed["moving2"], [2.0, 6.0])


def test_a_datum_is_written_with_its_value_where_it_is_shown():
    import msgspec

    shown = msgspec.to_builtins(datum("price", 2.0, "usd/device_hour"))
    assert shown["value"] == 2.0
    assert msgspec.convert(shown, Datum) == datum("price", 2.0, "usd/device_hour")
