"""What a service holds is bounded, whatever it is asked: measured in a process of its own."""

import json
from http.client import HTTPConnection

import pytest

from service.computing.heap import TRIM_AFTER_BYTES, Heap
from tests.bench.memory import MIB, resident
from tests.requests import R1, owned_clusters, ranged_stages
from tests.server import start_service

MOST = 360e6
"""A process with its catalog, its cache and memo full, compressed copies, and what lies between.

335 to 341 MB were seen."""
ALONE = {"RUNQUOTE_COMPUTE_WORKERS": "0"}
NO_CACHE = ALONE | {"RUNQUOTE_CACHE_MEMORY_BYTES": "0"}


@pytest.mark.load
@pytest.mark.parametrize(
    ("make", "requests", "environment"),
    [
        pytest.param(ranged_stages, 110, ALONE, id="the cache of answers is full"),
        pytest.param(ranged_stages, 110, {}, id="a worker computes"),
        pytest.param(owned_clusters, 12, NO_CACHE, id="each has a thousand other figures"),
    ],
)
def test_many_requests_that_share_nothing_leave_little_behind(make, requests, environment):
    found = resident(make, requests=requests, **environment)
    assert found.after < MOST
    assert found.memo < 33 * MIB
    assert all(size < MOST for size in found.workers)


LONG = "x" * 60_000
TEXTS = {
    "no route": ("GET", f"/%s{LONG}"),
    "an id": ("GET", f"/quote/q_%s{LONG}"),
    "a parameter": ("GET", f"/catalog/offers?%s{LONG}=1"),
    "a filter": ("GET", f"/catalog/offers?accelerator=%s{LONG}"),
    "a name": ("POST", "/quote"),
}


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_a_caller_is_kept(text, service):
    """The framework would keep 1,024 paths and 1,024 queries: here 24 MB of each."""
    method, path = TEXTS[text]
    connection = HTTPConnection("127.0.0.1", service.port)
    resident_bytes = []
    for index in range(400):
        named = path % index if "%s" in path else path
        body = json.dumps(R1 | {f"{index}{LONG}": 0}) if method == "POST" else None
        connection.request(method, named, body, {"content-type": "application/json"})
        with connection.getresponse() as answer:
            answer.read()
            assert answer.status in {400, 404, 422}
        if index in {10, 399}:
            resident_bytes.append(service.metric("process_resident_memory_bytes"))
    assert resident_bytes[1] - resident_bytes[0] < 10 * MIB


def test_the_heap_is_trimmed_once_in_so_many_bytes_of_answers():
    trimmed = []

    def trim(pad):
        trimmed.append(pad)
        return 1

    heap = Heap(trim)
    heap.answered(TRIM_AFTER_BYTES - 1)
    assert trimmed == []
    heap.answered(1)
    heap.answered(1)
    assert trimmed == [0]
    heap.answered(3 * TRIM_AFTER_BYTES)
    assert trimmed == [0, 0]
