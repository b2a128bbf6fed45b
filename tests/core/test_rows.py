"""Rows of draws: the same as the formulas over draws, whatever is remembered of other quotes."""

import itertools
import math
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.core.draws import rows
from service.core.draws.columns import DRAWS, draws_of
from service.core.draws.looks import DIGITS, ENDS, rounded
from service.core.draws.memo import Memo
from service.core.draws.rows import CENTRE, replayed, uncertain_leaves
from service.core.draws.spread import Spread
from service.core.figures.ledger import Ledger, replay
from tests.requests import R1
from tests.worlds import MEMO, answer, datum, embedded, unregistered

WIDE = {"low": 80_000.0, "high": 130_000.0}
OWNED = {"owned": {"usd_per_device": {"low": 25_000.0, "high": 45_000.0}}}


@unregistered
def product(*, a, b):
    return a * b


@unregistered
def total(**terms):
    return sum(terms.values())


def ledger_of(*, run, cluster, catalog):
    """A bill of hours times an owned rate, with a price beside it; each leaf low, central, high."""
    ledger = Ledger()
    (low, central, high), term = catalog, {}
    term["price"] = ledger.take(datum("price", central, "usd", low=low, high=high))
    for name, pointer, (low, central, high) in (
        ("hours", "/run/stages/0/hours", run),
        ("years", "/accounting/years", cluster),
    ):
        term[name] = ledger.given(central, pointer=pointer, unit="hour", low=low, high=high)
    for name, a, b in (
        ("rate", "price", "years"),
        ("cost", "hours", "rate"),
        ("dearer", "cost", "years"),
        ("kept", "rate", "years"),
    ):
        inputs = {"a": term[a], "b": term[b]}
        term[name] = ledger.derive(product, name=name, inputs=inputs)
    inputs = {name: term[name] for name in ("cost", "dearer", "kept")}
    ledger.derive(total, name="total", inputs=inputs)
    return ledger


ranges = st.tuples(st.floats(0.5, 50.0), st.floats(1.0, 3.0), st.floats(1.0, 3.0)).map(
    lambda drawn: (drawn[0] / drawn[1], drawn[0], drawn[0] * drawn[2])
)


@given(run=ranges, cluster=ranges, catalog=ranges)
def test_rows_are_the_formulas_over_draws_centres_and_ends(run, cluster, catalog):
    ledger = ledger_of(run=run, cluster=cluster, catalog=catalog)
    leaves = uncertain_leaves(ledger)
    names = [entry.name for entry in ledger]
    found = replayed(ledger, leaves, MEMO, keep=names).rows
    tape = (*ledger.tape.standing, *ledger.tape.of_run)
    drawn = replay(tape, {leaf.name: draws_of(leaf, MEMO) for leaf in leaves})
    for name in ("rate", "cost", "dearer", "kept", "total"):
        if name not in drawn:
            assert name not in found
            continue
        assert np.array_equal(found[name][:DRAWS], drawn[name])
        assert found[name][CENTRE] == pytest.approx(ledger.entry(name).central, rel=1e-12)
        for leaf, ends in zip(leaves, found[name][ENDS].reshape(-1, 2), strict=True):
            at_ends = replay(tape, {leaf.name: np.array([leaf.low, leaf.high])})
            alone = at_ends.get(name, [ledger.entry(name).central] * 2)
            assert ends == pytest.approx(alone, rel=1e-12)


def test_what_hangs_on_the_run_is_not_kept_for_the_next():
    ledger = ledger_of(run=(1.0, 2.0, 3.0), cluster=(1.0, 2.0, 3.0), catalog=(1.0, 2.0, 3.0))
    standing = {name for applied in ledger.tape.standing for name in applied.parts.values()}
    assert standing == {"rate", "kept"}
    assert [leaf.name for leaf in uncertain_leaves(ledger)][-1] == "request/run/stages/0/hours"


def requests():
    """R1 with other hours, with hours as a range, with terms of ownership as a range."""
    for hours, accounting in itertools.product((101_000.0, 90_000.0, WIDE), ({}, OWNED)):
        request = msgspec.json.decode(msgspec.json.encode(R1))
        request["run"]["stages"][0]["work"]["device_hours"] = hours
        yield request | {"accounting": accounting}


def answers(asked, memo):
    return [msgspec.json.encode(answer(request, embedded(), memo)) for request in asked]


@pytest.mark.parametrize("max_bytes", [0, 10_000, 300_000, 2**25])
def test_what_is_kept_of_other_quotes_changes_no_byte(max_bytes):
    asked = list(requests())
    fresh = [answers([request], Memo())[0] for request in asked]
    memo = Memo(max_bytes=max_bytes)
    assert answers(asked, memo) == fresh
    assert answers(reversed(asked), memo) == fresh[::-1]
    assert len(set(fresh)) == len(asked)


@pytest.mark.parametrize("block_bytes", [1, 100_000])
def test_rows_that_are_dropped_on_the_way_change_no_byte(block_bytes, monkeypatch):
    asked = list(requests())
    whole = answers(asked, Memo())
    monkeypatch.setattr(rows, "BLOCK_BYTES", block_bytes)
    assert answers(asked, Memo()) == whole
    assert answers(asked, Memo(max_bytes=0)) == whole


def test_quotes_of_one_cluster_share_what_stands():
    memo = Memo()
    for request in requests():
        if not request["accounting"]:
            answer(request, embedded(), memo)
    assert memo.counts("standing") == (2, 1)


@given(sizes=st.lists(st.sampled_from([1e-300, 1e-9, 1.0, 1e9]), min_size=2, max_size=4))
def test_multiples_of_a_row_have_its_quantiles_times_their_factor(sizes):
    ledger = Ledger()
    leaf = ledger.take(datum("leaf", 2.0, "usd", low=1.0, high=5.0))
    other = ledger.take(datum("other", 3.0, "usd", low=2.0, high=4.0))
    shape = ledger.derive(product, name="shape", inputs={"a": leaf, "b": other})
    for index, size in enumerate(sizes):
        factor = ledger.take(datum(f"factor {index}", size, "ratio"))
        inputs = {"a": shape, "b": factor}
        ledger.derive(product, name=f"multiple {index}", inputs=inputs)
    found = replayed(ledger, uncertain_leaves(ledger), MEMO).intervals
    for index, size in enumerate(sizes):
        multiple = found[f"multiple {index}"]
        for level in ("p10", "p50", "p90"):
            expected = size * getattr(found["shape"], level)
            assert math.isclose(getattr(multiple, level), expected, rel_tol=1e-9)


def test_a_row_of_next_to_nothing_is_no_yardstick_for_others():
    ledger = Ledger()
    leaf = ledger.take(datum("leaf", 2.0, "usd", low=1.0, high=5.0))
    for index, size in enumerate((1e-305, 1e12)):
        factor = ledger.take(datum(f"factor {index}", size, "ratio"))
        ledger.derive(product, name=f"multiple {index}", inputs={"a": leaf, "b": factor})
    found = replayed(ledger, uncertain_leaves(ledger), MEMO).intervals
    assert found["multiple 0"].p90 < 1e-300
    assert math.isclose(found["multiple 1"].p50, 2e12, rel_tol=0.01)


@given(st.floats(-1e33, 1e33), st.integers(-30, 30))
def test_quantiles_keep_their_first_digits_and_no_others(drawn, power):
    number = drawn * 10.0**power
    (kept,) = rounded(np.array([number]))
    assert kept == pytest.approx(number, rel=0.5e-10, abs=0.0)
    if 1e-8 < abs(number) < 1e30:  # there the powers of ten are floats without an error
        assert len(Decimal(repr(float(kept))).normalize().as_tuple().digits) <= DIGITS + 1


@given(mantissa=st.floats(1.000001, 1.999999), exponent=st.integers(-26, 98))
@example(mantissa=1.25, exponent=0)
def test_quantiles_that_are_rounded_stay_as_they_are(mantissa, exponent):
    """Except beside a power of two, where the digits that are kept change from 12 to 11."""
    (kept,) = rounded(np.array([mantissa * 2.0**exponent]))
    assert rounded(np.array([kept])) == kept


@given(run=ranges, cluster=ranges, catalog=ranges)
def test_quantiles_of_leaves_have_no_more_digits_than_those_of_what_follows(run, cluster, catalog):
    ledger = ledger_of(run=run, cluster=cluster, catalog=catalog)
    spread = Spread(ledger, MEMO)
    for leaf in uncertain_leaves(ledger):
        found = np.array(msgspec.structs.astuple(spread.interval(leaf.name)))
        assert np.array_equal(found, rounded(found))
        assert found[1] == pytest.approx(leaf.central, rel=1e-10)
