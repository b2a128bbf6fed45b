"""Work that is too much, and what it does to others."""

import itertools
import threading
import time
from typing import Final

import httpx

from tests.faults.probing import all_told, seconds_until, told
from tests.faults.rows import AtMost, Fact, Seen, fault
from tests.load import Caller, quietest, under_load
from tests.requests import disaggregated_stages
from tests.server import Service, start_service

GROUP: Final = "Work"
LASTS_S: Final = 24.0
STRETCHES: Final = 8
RATE_PAUSE_S: Final = 0.02
SOON: Final = AtMost(100.0, "ms")


class Worst(threading.Thread):
    """Asks for the costliest quote, again and again, each time another one."""

    def __init__(self, service: Service) -> None:
        super().__init__(daemon=True)
        self.told: set[str] = set()
        self._url = f"{service.url}/quote"
        self.stopping = threading.Event()

    def run(self) -> None:
        """Ask until told to stop."""
        for number in itertools.count(1):
            if self.stopping.is_set():
                return
            answer = httpx.post(self._url, json=disaggregated_stages(number), timeout=120)
            self.told.add(told(answer))


@fault(
    GROUP,
    "the costliest legal request, one after another, with a probe and cheap quotes beside it",
    expects={
        "the costliest": "200",
        "answers beside it": "200",
        "/livez p50": SOON,
        "/livez p99": SOON,
        "quote p50": SOON,
        "quote p99": SOON,
    },
)
def worst() -> Seen:
    """Times are those of the quietest of eight stretches of three seconds."""
    with start_service() as service:
        port = service.port
        callers = {
            "/livez": Caller(
                port, keep_alive=True, pause_s=RATE_PAUSE_S, make=lambda _: None, path="/livez"
            ),
            "quote": Caller(port, keep_alive=True, pause_s=RATE_PAUSE_S),
        }
        costly = Worst(service)
        costly.start()
        time.sleep(2.0)
        begin = time.monotonic()
        with under_load(list(callers.values())) as load:
            time.sleep(LASTS_S)
            end = time.monotonic()
        costly.stopping.set()
        costly.join()
    facts: dict[str, Fact] = {
        "the costliest": all_told(costly.told),
        "answers beside it": all_told({str(one.status) for one in load.answers}),
    }
    for name, caller in callers.items():
        for share in (0.50, 0.99):
            took_s = quietest(caller.answers, share, begin=begin, end=end, stretches=STRETCHES)
            facts[f"{name} p{share * 100:.0f}"] = 1000 * took_s
    return Seen(facts)


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
