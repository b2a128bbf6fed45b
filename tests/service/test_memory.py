"""What a service holds is bounded, whatever it is asked: measured in a process of its own."""

import pytest

from service.heap import TRIM_AFTER_BYTES, Heap
from tests.bench.memory import MIB, resident
from tests.requests import owned_clusters, ranged_stages

MOST = 250e6
NO_CACHE = {"RUNQUOTE_CACHE_MEMORY_BYTES": "0"}


@pytest.mark.parametrize(
    ("make", "requests", "environment"),
    [
        pytest.param(ranged_stages, 110, {}, id="the cache of answers is full"),
        pytest.param(owned_clusters, 12, NO_CACHE, id="each has a thousand other figures"),
    ],
)
def test_many_requests_that_share_nothing_leave_little_behind(make, requests, environment):
    found = resident(make, requests=requests, **environment)
    assert found.after < MOST
    assert found.memo < 33 * MIB


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
