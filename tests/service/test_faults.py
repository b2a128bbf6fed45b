"""The quick rows of the suite of faults; `make faults` runs all of them and writes their page."""

import re

import msgspec
import pytest

from tests.faults import catalogs, clients, clocks, processes, redis_faults, work  # noqa: F401
from tests.faults.fuzzing import FUZZED, SHORT, fuzzed
from tests.faults.page import COLUMNS, HEAD, PAGE, expected, page, row, rows_of, with_earlier_pieces
from tests.faults.rows import (
    FAULTS,
    AtLeast,
    AtMost,
    Expected,
    Fault,
    Seen,
    measured,
    recovery,
    within,
)

QUICK = [one for one in FAULTS if one.quick]


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
def test_a_fault_is_as_expected(fault):
    assert fault.differences(fault.run(), times=False) == []


@pytest.mark.load
def test_few_mutated_requests_while_faults_come_and_go():
    (row,) = (one for one in FAULTS if one.name == FUZZED)
    seen = fuzzed(requests=SHORT, most_compared=20, lasts_s=0.1)
    assert row.differences(seen, times=False) == []


def test_the_page_has_every_fault_and_what_is_expected_of_it():
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row not in COLUMNS.splitlines()]
    assert [row[2:].split(" | ")[:2] for row in rows] == [
        [fault.name, expected(fault)] for fault in FAULTS
    ]
    assert "**differs**" not in text


def test_no_two_faults_have_one_name():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len({one.group for one in FAULTS}) == len(
        re.findall("^## ", PAGE.read_text(), re.MULTILINE)
    )


FACTS: dict[str, Expected] = {"answers": "200", "p99": AtMost(100.0, "ms")}
ROW = Fault(
    group="G", name="breaks", expects=FACTS, recovers_s=2.0, quick=True, run=lambda: Seen({})
)


@pytest.mark.parametrize(
    ("seen", "differences"),
    [
        (Seen({"answers": "200", "p99": 100.0}, 2.0), []),
        (Seen({"answers": "503", "p99": 1.0}), ["answers: 503, not 200"]),
        (Seen({"answers": "200", "p99": 101.0}), ["p99: 200 ms, not at most 100 ms"]),
        (Seen({"answers": "200"}), ["p99: not seen, not at most 100 ms"]),
        (Seen({"answers": "200", "p99": 1.0}, 2.1), ["recovery: 3 s"]),
    ],
)
def test_what_differs_is_said(seen, differences):
    assert ROW.differences(seen) == differences


def test_times_may_be_let_be():
    assert ROW.differences(Seen({"answers": "200", "p99": 1e9}, 1e9), times=False) == []
    assert ROW.differences(Seen({"answers": "503", "p99": 1e9}, 1e9), times=False) != []


def test_what_is_counted_has_to_come_to_enough():
    row = msgspec.structs.replace(ROW, expects={"sent": AtLeast(1000, "requests")})
    assert row.differences(Seen({"sent": 1000.0}), times=False) == []
    few = row.differences(Seen({"sent": 999.0}), times=False)
    assert few == ["sent: 999 requests, not at least 1,000 requests"]
    assert measured(row, Seen({"sent": 12345.0})) == ["sent 12,345 requests"]


def test_numbers_are_rounded_up_so_that_runs_look_alike():
    assert [within(value) for value in (0, 0.4, 1, 1.1, 2.5, 99, 101, 263)] == [
        "0", "0.5", "1", "2", "3", "100", "200", "300",
    ]  # fmt: skip
    assert [recovery(seconds) for seconds in (None, 0.1, 0.9)] == ["", "at once", "within 1 s"]


def test_a_row_says_what_was_expected_and_seen():
    seen = Seen({"answers": "200", "p99": 42.0}, 0.7)
    assert page({"breaks": (seen, [])}, [ROW], before={}).splitlines()[-1] == (
        "| breaks | answers: 200; p99: at most 100 ms | as expected; p99 within 50 ms "
        "| within 1 s |"
    )
    differing = page({"breaks": (seen, ["answers: 503, not 200"])}, [ROW], before={})
    assert "**differs**" in differing


def test_a_fault_that_is_not_tried_keeps_its_row():
    other = msgspec.structs.replace(ROW, name="bends")
    both = page(
        {one.name: (Seen({"answers": "200", "p99": 1.0}), []) for one in (ROW, other)},
        [ROW, other],
        before={},
    )
    again = page(
        {"bends": (Seen({"answers": "200", "p99": 40.0}), [])},
        [ROW, other],
        before=rows_of(both),
    )
    kept, tried = again.splitlines()[-2:]
    assert kept == both.splitlines()[-2]
    assert "p99 within 1 ms" in kept
    assert "p99 within 50 ms" in tried


def test_pieces_of_a_test_are_counted_together():
    facts: dict[str, Expected] = {
        "sent": AtLeast(5, "requests"),
        "wrong": "0",
        "gained": AtMost(30.0, "MB"),
    }
    fault = Fault(
        group="G", name="pieces", expects=facts, recovers_s=None, quick=False, run=lambda: Seen({})
    )
    seen: list[Seen] = []
    printed: list[str] = []
    for sent, gained in ((1200.0, 4.0), (900.0, 1.0), (7.0, 8.0)):
        one = Seen({"sent": sent, "wrong": "0", "gained": gained})
        seen.append(with_earlier_pieces(fault, one, printed))
        printed = [row(fault, seen[-1], fault.differences(seen[-1]))]
    assert [one.facts["sent"] for one in seen] == [1200, 2100, 2107]
    assert [one.facts["gained"] for one in seen] == [4, 5, 8]  # the page rounds them up
    assert "sent 2,107 requests; gained within 10 MB" in printed[0]
    bad = Seen({"sent": 1.0, "wrong": "1", "gained": 0.0})
    after = [row(fault, bad, fault.differences(bad))]
    assert with_earlier_pieces(fault, bad, after).facts["sent"] == 1
