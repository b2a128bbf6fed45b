"""The first caller of a process waits no longer than the next, and warming up leaves no trace."""

import subprocess
import sys

from msgspec.structs import replace

from service.computing.warming import warm_up
from service.core.draws.memo import KINDS, Memo
from tests.server import start_service
from tests.worlds import TEST_ENGINE, device, embedded, world

FIRST_AND_LATER = """
import sys
from itertools import count

import msgspec

from service.answering import question_of
from service.catalog_files import load_catalog
from service.computing.warming import warm_up
from service.computing.worker import computed
from service.core.draws.memo import Memo
from service.core.request.request import QuoteRequest
from tests.varied import WORKS, stages_of
from tests.worlds import TEST_ENGINE

catalog, memo = load_catalog(), Memo()
{warming}

def calls_of(place):
    request = stages_of(WORKS["disaggregated"] | {{"steps": 1000 + place}}, 1)
    calls = count()
    sys.setprofile(lambda frame, event, what: event == "call" and next(calls))
    asked = msgspec.json.decode(msgspec.json.encode(request), type=QuoteRequest)
    question = question_of(asked, engine=TEST_ENGINE, catalog=catalog)
    computed(question, engine=TEST_ENGINE, catalog=catalog, memo=memo, kept={{}})
    sys.setprofile(None)
    return next(calls)

first, later = calls_of(0), calls_of(1)
print(first / later)
"""
WARM_UP = "warm_up(engine=TEST_ENGINE, catalog=catalog, memo=memo)"


def first_over_later(warming):
    """Calls of functions for the first quote of a new process, over those for the next."""
    command = [sys.executable, "-c", FIRST_AND_LATER.format(warming=warming)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return float(run.stdout)


def test_the_first_quote_of_a_process_does_hardly_more_than_the_next():
    assert first_over_later("") > 1.4
    assert first_over_later(WARM_UP) < 1.2


def test_a_service_that_nobody_has_asked_has_counted_nothing():
    with start_service() as service:
        text = service.client.get("/metrics").text
    counted = [
        line
        for line in text.splitlines()
        if line.startswith(("runquote_quotes_total", "runquote_claims_total", "runquote_memo"))
        and "entries" not in line
        and "bytes" not in line
    ]
    assert all(line.endswith(" 0.0") for line in counted), counted


def test_what_is_warmed_is_kept_and_not_counted():
    memo, edition = Memo(), replace(embedded(), digest="sha256:" + "7" * 64)
    warm_up(engine=TEST_ENGINE, catalog=edition, memo=memo)
    assert len(memo) > 50
    assert all(memo.counts(kind) == (0, 0) for kind in KINDS)
    other = Memo()
    warm_up(engine=TEST_ENGINE, catalog=edition, memo=other)
    assert len(other) == 0, "an edition is warmed once in a process"


def test_an_edition_that_lacks_what_is_typical_stays_cold():
    memo, edition = Memo(), replace(world(device("d1")), digest="sha256:" + "8" * 64)
    warm_up(engine=TEST_ENGINE, catalog=edition, memo=memo)
    assert len(memo) == 0
