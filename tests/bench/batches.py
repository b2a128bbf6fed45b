"""A batch of distinct metered quotes, beside the same quotes posted one by one."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final, NamedTuple

from tests.bench.tables import Bound, print_bounds, print_ratios
from tests.processes import below, cpu_s
from tests.server import Service, start_service

QUOTES: Final = 10_000
SINGLE_POSTS: Final = 1000
"""Each is alike, so a tenth of them says what all would take."""
ROUNDS: Final = 5
LEAST_RATIO: Final = 10.0
NDJSON: Final = {"content-type": "application/x-ndjson"}
DETAILS: Final = ("summary", "full")


class Took(NamedTuple):
    """Milliseconds of a quote: of processors of the service, and on the clock of its client."""

    cpu: float
    clock: float


def metered(number: int, detail: str = "summary") -> dict[str, Any]:
    """A metered request that no other number has, by its hours."""
    stage = {"name": "R1", "work": {"kind": "metered", "device_hours": 200_000 + number}}
    return {
        "run": {"name": "R1", "stages": [stage]},
        "cluster": {
            "accelerator": "nvidia-h800-sxm-80gb",
            "devices": 512,
            "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
        },
        "options": {"detail": detail},
    }


def cpu_of(service: Service) -> float:
    """Seconds of processors that a service and its workers have taken."""
    return sum(map(cpu_s, (service.process.pid, *below(service.process.pid))))


def took(service: Service, quotes: int, ask: Callable[[], None]) -> Took:
    """What each of some quotes took."""
    cpu, start = cpu_of(service), time.perf_counter()
    ask()
    clock = time.perf_counter() - start
    return Took((cpu_of(service) - cpu) / quotes * 1000, clock / quotes * 1000)


def singles(service: Service, first: int, detail: str) -> Took:
    """What a single post takes, on one connection that is kept."""

    def ask() -> None:
        for number in range(first, first + SINGLE_POSTS):
            assert service.client.post("/quote", json=metered(number, detail)).status_code == 200

    return took(service, SINGLE_POSTS, ask)


def batch(service: Service, first: int, detail: str) -> Took:
    """What a line of a batch takes."""
    numbers = range(first, first + QUOTES)
    body = "\n".join(json.dumps(metered(number, detail)) for number in numbers)

    def ask() -> None:
        answer = service.client.post("/quote/batch", content=body, headers=NDJSON, timeout=600)
        assert answer.content.count(b'"status":200') == QUOTES

    return took(service, QUOTES, ask)


def batches() -> None:
    """Print what a quote takes in a batch and alone, and the ratio that is asked for.

    The first batch after a start is printed beside the others: workers start with it.
    """
    bounds = []
    for detail in DETAILS:
        alone, lines = [], []
        with start_service() as service:
            start = batch(service, 0, detail)
            for place in range(ROUNDS):
                first = QUOTES + place * (SINGLE_POSTS + QUOTES)
                alone.append(singles(service, first, detail))
                lines.append(batch(service, first + SINGLE_POSTS, detail))
        for of in Took._fields:
            by_one, in_batch = ([getattr(one, of) for one in some] for some in (alone, lines))
            print_ratios(
                f"distinct metered quotes, {detail}, {of} time",
                {
                    "one by one": by_one,
                    "in a batch": in_batch,
                    "in the first one after a start": [getattr(start, of)],
                },
                unit="ms",
            )
            ratio = median(by_one) / median(in_batch)
            name = f"single posts over lines of a batch, {detail}, {of} time"
            bounds.append(Bound(name, ratio, least=LEAST_RATIO))
    print_bounds(bounds)


if __name__ == "__main__":
    batches()
