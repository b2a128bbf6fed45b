"""A batch of distinct metered quotes, beside the same quotes posted one by one."""

import json
import time
from statistics import median
from typing import Any, Final

from tests.bench.tables import Bound, print_bounds, print_ratios
from tests.server import Service, start_service

QUOTES: Final = 10_000
SINGLE_POSTS: Final = 1000
"""Each is alike, so a tenth of them says what all would take."""
ROUNDS: Final = 3
LEAST_RATIO: Final = 10.0
NDJSON: Final = {"content-type": "application/x-ndjson"}


def metered(number: int) -> dict[str, Any]:
    """A metered request that no other number has."""
    stage = {"name": "R1", "work": {"kind": "metered", "device_hours": 100_000 + number}}
    return {
        "run": {"name": "R1", "stages": [stage]},
        "cluster": {
            "accelerator": "nvidia-h800-sxm-80gb",
            "devices": 512,
            "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
        },
        "options": {"detail": "summary"},
    }


def ms_of_singles(service: Service, first: int) -> float:
    """Milliseconds of a single post, on one connection that is kept."""
    start = time.perf_counter()
    for number in range(first, first + SINGLE_POSTS):
        assert service.client.post("/quote", json=metered(number)).status_code == 200
    return (time.perf_counter() - start) / SINGLE_POSTS * 1000


def ms_of_batch(service: Service, first: int) -> float:
    """Milliseconds of a line of a batch."""
    body = "\n".join(json.dumps(metered(number)) for number in range(first, first + QUOTES))
    start = time.perf_counter()
    answer = service.client.post("/quote/batch", content=body, headers=NDJSON, timeout=600)
    taken = time.perf_counter() - start
    assert answer.content.count(b'"status":200') == QUOTES
    return taken / QUOTES * 1000


def batches() -> None:
    """Print how long a quote takes in a batch and alone, and the ratio that is asked for."""
    singles, lines = [], []
    with start_service() as service:
        for place in range(ROUNDS):
            first = place * (SINGLE_POSTS + QUOTES)
            singles.append(ms_of_singles(service, first))
            lines.append(ms_of_batch(service, first + SINGLE_POSTS))
    print_ratios(
        "distinct metered quotes, summaries",
        {"one by one": singles, "in a batch": lines},
        unit="ms",
    )
    ratio = median(singles) / median(lines)
    print_bounds([Bound("single posts over lines of a batch", ratio, least=LEAST_RATIO)])
