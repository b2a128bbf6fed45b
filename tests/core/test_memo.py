"""The memo: within its bound whatever is asked, and never a caller's text among its keys."""

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.draws.memo import ENTRY_BYTES, KINDS, LARGEST_PART, Memo
from tests.requests import R1
from tests.worlds import answer, embedded

arrays = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), max_size=30)


@given(max_bytes=st.integers(0, 20_000), asked=arrays)
def test_it_never_holds_more_than_its_bound(max_bytes, asked):
    memo = Memo(max_bytes=max_bytes)
    for name, size in asked:
        memo.array("column", (name, size), partial(np.zeros, size))
        assert memo.used_bytes <= max_bytes


def test_what_is_kept_is_made_once_and_cannot_be_written():
    memo = Memo()
    first = memo.array("column", "name", lambda: np.zeros(3))
    assert memo.array("column", "name", lambda: np.ones(3)) is first
    assert not first.flags.writeable
    assert memo.counts("column") == (1, 1)
    assert memo.counts("draws") == (0, 0)
    assert (len(memo), memo.used_bytes) == (1, first.nbytes + ENTRY_BYTES)


def test_what_was_not_used_for_longest_makes_room():
    memo = Memo(max_bytes=8 * (ENTRY_BYTES + 80))
    for name in range(8):
        memo.array("column", name, lambda: np.zeros(10))
    memo.get("column", 0)
    memo.array("column", 8, lambda: np.zeros(10))
    assert memo.get("column", 0) is not None
    assert memo.get("column", 1) is None


def test_what_would_drive_out_all_the_rest_is_not_kept():
    memo = Memo(max_bytes=100_000)
    memo.put("excess", "figures", {}, size_bytes=10)
    memo.put("excess", "figures", {}, size_bytes=int(100_000 * LARGEST_PART))
    assert memo.get("excess", "figures") is None
    assert memo.used_bytes == 0


def secretive(text):
    """R1 with a text of the caller's wherever one may stand, and with intervals."""
    request = json.loads(json.dumps(R1))
    request["run"]["name"] = text
    for stage in request["run"]["stages"]:
        stage["name"] += text
        stage["work"]["device_hours"] = {"low": 1e4, "high": 2e4}
    terms = {"label": text, "share": {"low": 0.05, "high": 0.2}}
    return request | {"accounting": {"discounts": [terms], "uplifts": [terms | {"kind": "tax"}]}}


def texts_in(value):
    """All texts in a key or a value of a memo."""
    if isinstance(value, str | bytes):
        yield str(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts_in(key)
            yield from texts_in(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from texts_in(inner)
    elif hasattr(value, "__dict__"):
        yield from texts_in(vars(value))


def test_nothing_is_kept_under_or_with_a_text_of_the_callers():
    memo = Memo()
    answer(secretive("a text nobody else writes"), embedded(), memo)
    assert all(sum(memo.counts(kind)) for kind in KINDS)
    for key, value in memo._entries.items():
        assert not any("nobody else" in text for text in texts_in((key, value)))


@pytest.mark.parametrize("max_bytes", [0, 2**20])
def test_a_text_of_the_callers_makes_no_entry_of_its_own(max_bytes):
    memo = Memo(max_bytes=max_bytes)
    answer(secretive("first"), embedded(), memo)
    entries, used_bytes = len(memo), memo.used_bytes
    answer(secretive("second"), embedded(), memo)
    assert (len(memo), memo.used_bytes) == (entries, used_bytes)
