"""What a service holds after requests that all differ, each service in a process of its own."""

from collections.abc import Callable
from typing import Any, NamedTuple

from rich.table import Table

from tests.bench.tables import console
from tests.processes import below, resident_bytes
from tests.requests import owned_clusters, ranged_stages
from tests.server import start_service

MIB = 2**20
CASES: dict[str, tuple[Callable[[int], dict[str, Any]], int, dict[str, str]]] = {
    "64 stages with ranges": (ranged_stages, 150, {}),
    "64 stages with ranges, no cache": (ranged_stages, 150, {"RUNQUOTE_CACHE_MEMORY_BYTES": "0"}),
    "64 owned clusters, no cache": (owned_clusters, 40, {"RUNQUOTE_CACHE_MEMORY_BYTES": "0"}),
    "64 owned clusters": (owned_clusters, 40, {}),
}


class Resident(NamedTuple):
    """Memory of a service in bytes: before requests, and after them, with its workers then."""

    before: float
    after: float
    memo: float
    workers: tuple[float, ...]


def resident(
    make: Callable[[int], dict[str, Any]], *, requests: int, **environment: str
) -> Resident:
    """What a service holds after so many requests, one after the other."""
    name = "process_resident_memory_bytes"
    with start_service(**environment) as service:
        before = service.metric(name)
        for index in range(requests):
            service.client.post("/quote", json=make(index)).raise_for_status()
        return Resident(
            before,
            service.metric(name),
            service.metric("runquote_memo_bytes"),
            tuple(resident_bytes(pid) for pid in below(service.process.pid)),
        )


def memory() -> None:
    """Print what services hold with the settings that they come with, or without a cache."""
    table = Table(title="Resident memory, MiB", title_justify="left")
    for column in ("case", "requests", "before", "after", "memo", "largest worker"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for name, (make, requests, environment) in CASES.items():
        found = resident(make, requests=requests, **environment)
        sizes = (*found[:3], max(found.workers, default=0.0))
        table.add_row(name, str(requests), *(f"{bytes_ / MIB:.1f}" for bytes_ in sizes))
    console.print(table)
