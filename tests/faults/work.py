"""Work that is too much, and what it does to others."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from tests.faults import costly
from tests.faults.costly import ANSWERED, REFUSED, Asking, Worst
from tests.faults.probing import all_told, seconds_until, told
from tests.faults.rows import AtMost, Expected, Fact, Seen, fault
from tests.load import Caller, quietest, under_load
from tests.requests import disaggregated_stages
from tests.server import start_service

GROUP: Final = "Work"
LASTS_S: Final = 15.0
STRETCHES: Final = 5
RATE_PAUSE_S: Final = 0.02
DEADLINE_S: Final = "20"
"""The default."""
ENDS: Final = f"{ANSWERED} or {REFUSED}"
SOON: Final = AtMost(100.0, "ms")


def beside(make: Callable[[httpx.Client], Asking]) -> Seen:
    """How long a probe and cheap quotes take beside costly requests, and how these end.

    Times are those of the quietest of some stretches of three seconds. A costly request that takes
    longer than its deadline is refused. On a machine that is busy with other things, that may be
    each of them, so a refusal is as good as an answer here, and its time is looked at.
    """
    with start_service(RUNQUOTE_COMPUTE_DEADLINE_S=DEADLINE_S) as service:
        port = service.port
        callers = {
            "/livez": Caller(
                port, keep_alive=True, pause_s=RATE_PAUSE_S, make=lambda _: None, path="/livez"
            ),
            "quote": Caller(port, keep_alive=True, pause_s=RATE_PAUSE_S),
        }
        worst = Worst(service.url, make)
        begin = time.monotonic()
        with under_load(list(callers.values())) as load:
            time.sleep(LASTS_S)
            end = time.monotonic()
            ended = worst.end()
    facts: dict[str, Fact] = {
        "costly ones": ENDS if ended.told <= {ANSWERED, REFUSED} else all_told(ended.told),
        "longest": ended.longest_s,
        "answers beside it": all_told({str(one.status) for one in load.answers}),
    }
    for name, caller in callers.items():
        for share in (0.50, 0.99):
            took_s = quietest(caller.answers, share, begin=begin, end=end, stretches=STRETCHES)
            facts[f"{name} p{share * 100:.0f}"] = 1000 * took_s
    return Seen(facts)


BESIDE: Final[Mapping[str, Expected]] = {
    "costly ones": ENDS,
    "longest": AtMost(30.0, "s"),
    "answers beside it": "200",
    "/livez p50": SOON,
    "/livez p99": SOON,
    "quote p50": SOON,
    "quote p99": SOON,
}


@fault(
    GROUP,
    "the costliest legal quote, one after another, with a probe and cheap quotes beside it",
    expects=BESIDE,
)
def worst() -> Seen:
    return beside(costly.quotes)


@fault(GROUP, "the costliest comparison, likewise", expects=BESIDE)
def worst_comparison() -> Seen:
    return beside(costly.comparisons)


@fault(GROUP, "the costliest solution, likewise", expects=BESIDE)
def worst_solution() -> Seen:
    return beside(costly.solutions)


@fault(
    GROUP,
    "a batch of costly, alike and unlike lines, likewise",
    expects={**BESIDE, "longest": AtMost(200.0, "s")},
)
def worst_batch() -> Seen:
    return beside(costly.batches)


@fault(GROUP, "the difference of two kept quotes of 6 MB, likewise", expects=BESIDE)
def worst_difference() -> Seen:
    return beside(costly.differences)


@fault(GROUP, "the reconciliation of a kept quote of 6 MB, likewise", expects=BESIDE)
def worst_reconciliation() -> Seen:
    return beside(costly.reconciliations)


@fault(
    GROUP,
    "a quote that takes longer than its deadline",
    expects={"answer": "503 overloaded Retry-After", "a smaller one": "200"},
    recovers_s=10.0,
)
def late() -> Seen:
    with start_service(RUNQUOTE_COMPUTE_DEADLINE_S="1") as service:
        answer = told(service.client.post("/quote", json=disaggregated_stages(1)))

        def in_time() -> bool:
            body = disaggregated_stages(1, stages=1)
            return service.client.post("/quote", json=body).status_code == 200

        return Seen({"answer": answer, "a smaller one": "200"}, seconds_until(in_time))


@fault(
    GROUP,
    "sixteen costly quotes at once, where five seconds of work may wait",
    expects={"answers": "200 or 503 overloaded Retry-After", "health": "200"},
)
def too_many() -> Seen:
    found: set[str] = set()
    with start_service() as service:

        def ask(number: int) -> None:
            body = disaggregated_stages(number, stages=32)
            found.add(told(httpx.post(f"{service.url}/quote", json=body, timeout=120)))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        healthy = told(service.client.get("/readyz"))
        for thread in threads:
            thread.join()
    return Seen({"answers": all_told(found), "health": healthy})
