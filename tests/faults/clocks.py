"""A wall clock that jumps, as when it is set right or a machine was asleep.

The clock is that of libfaketime, which stands between the process and the C library. Clocks that
only go forward are let be: the system does not let them jump either.
"""

import contextlib
import importlib.util
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from tests.faults.probing import RIGHT, all_told, health, quoted, seconds_until, told
from tests.faults.rows import Seen, fault
from tests.redis_server import start_redis
from tests.requests import R1
from tests.server import Service, start_service

GROUP: Final = "Clock"
DAYS: Final = timedelta(days=400)
NOW: Final = datetime.now(UTC)
JUMPS: Final = {
    "+400d": (NOW + DAYS).year,
    "-400d": (NOW - DAYS).year,
    "+0": NOW.year,
}
"""Offsets from the true time, and the year that it then is."""


def library() -> str:
    """libfaketime, as its wheel holds it."""
    found = importlib.util.find_spec("libfaketime")
    assert found is not None, "libfaketime is installed"
    assert found.origin is not None, "libfaketime has files"
    (path,) = Path(found.origin).parent.rglob("libfaketime.so*")
    return str(path)


class Clock:
    """The wall clock of a process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump("+0")

    def jump(self, offset: str) -> None:
        """Set it off by so much from the true time."""
        self._file.write_text(offset + "\n")


@contextlib.contextmanager
def with_a_clock(**environment: str) -> Iterator[tuple[Service, Clock]]:
    """A service, and the clock that it sees."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "offset"
        clock = Clock(file)
        faked = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds for which the file is not read again
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Without this, waits until a monotonic time end at once, and Python's threads take ten
            # times as much CPU as the work.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }
        with start_service(**faked, **environment) as service:
            yield service, clock


def year_of(service: Service) -> int:
    """The year that the service puts into its answers."""
    return parsedate_to_datetime(service.client.get("/livez").headers["date"]).year


@fault(
    GROUP,
    "jumps 400 days ahead, 800 back, and to the right time again",
    expects={
        "connection kept alive": "used throughout",
        "quotes": RIGHT,
        "by id": "200",
        "health": "200",
    },
    recovers_s=2.0,
    quick=True,
)
def jumps() -> Seen:
    settings = {"RUNQUOTE_CACHE_MEMORY_BYTES": "0"}
    with start_redis() as redis, with_a_clock(RUNQUOTE_REDIS_URL=redis.url, **settings) as both:
        service, clock = both
        path = service.client.post("/quote", json=R1).headers["content-location"]
        seconds_until(lambda: service.client.get(path).status_code == 200)
        found: dict[str, set[str]] = defaultdict(set)
        took = []
        for offset, year in JUMPS.items():
            kept_alive = HTTPConnection("127.0.0.1", service.port, timeout=30)
            before = address_of(kept_alive)
            clock.jump(offset)
            took.append(seconds_until(lambda year=year: year_of(service) == year))  # type: ignore[misc]
            kept = "used throughout" if address_of(kept_alive) == before else "lost"
            found["connection kept alive"].add(kept)
            found["quotes"].add(quoted(service, f"clock {offset}", count=3))
            found["by id"].add(told(service.client.get(path)))
            found["health"].add(health(service))
        return Seen({name: all_told(answers) for name, answers in found.items()}, max(took))


def address_of(connection: HTTPConnection) -> str:
    """From where a request was sent just now. A connection that was lost is made anew elsewhere."""
    connection.request("GET", "/livez")
    connection.getresponse().read()
    return str(connection.sock.getsockname())
