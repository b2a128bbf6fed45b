"""A soak: callers, and what happens meanwhile to Redis, the catalog and the workers."""

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from service.editions.shelf import Sources
from tests.layers import day_after, put_edition
from tests.processes import below, busiest_below, resident_bytes
from tests.redis_server import RedisServer, start_redis
from tests.server import Service, start_service
from tests.soak.checks import Sample
from tests.soak.mix import Visit, acts

CALLERS: Final = 6
PAUSE_S: Final = 0.01
LOOK_S: Final = 0.5
EDITIONS: Final = (day_after(1), day_after(2))
SETTINGS: Final = {
    # Caches that are full early, so that memory can be seen to stay.
    "RUNQUOTE_CACHE_MEMORY_BYTES": str(8 * 2**20),
    "RUNQUOTE_MEMO_MAX_BYTES": str(8 * 2**20),
    "RUNQUOTE_CATALOG_POLL_S": "0.2",
    "RUNQUOTE_DRAIN_S": "1",
}


class Soaked(Struct, frozen=True, kw_only=True):
    """What is known after a soak."""

    visits: Sequence[Visit]
    memory: Sequence[Sample]
    worker_memory: Sequence[Sample]
    events: Sequence[str]
    exit_status: int
    log: str
    sources: Sources


class Soak:
    """A service under traffic, for so many seconds."""

    def __init__(
        self, service: Service, redis: RedisServer, folder: Path, *, seconds: float
    ) -> None:
        self._service = service
        self._redis = redis
        self._folder = folder
        self._seconds = seconds
        self._over = threading.Event()
        self._start = time.monotonic()
        self.visits = [Visit(service.port, seed) for seed in range(CALLERS)]
        self.memory: list[Sample] = []
        self.worker_memory: list[Sample] = []
        self.events: list[str] = []

    def run(self) -> None:
        """Let callers call, and let things happen at their times."""
        threads = [threading.Thread(target=self._call, args=(visit,)) for visit in self.visits]
        for thread in threads:
            thread.start()
        for share, happen in self._plan():
            self._look_until(share * self._seconds)
            self.events.append(f"{self._now():.0f} s: {happen()}")
        self._look_until(self._seconds)
        self._over.set()
        for thread in threads:
            thread.join()

    def _plan(self) -> Sequence[tuple[float, Callable[[], str]]]:
        return (
            (0.15, self._kill_redis),
            (0.25, self._start_redis),
            (0.30, self._swap_catalog),
            (0.40, self._kill_worker),
            (0.45, self._hang_up),
        )

    def _call(self, visit: Visit) -> None:
        for act in acts(visit.draw):
            if self._over.is_set():
                return
            visit.do(act)
            time.sleep(PAUSE_S)

    def _now(self) -> float:
        return time.monotonic() - self._start

    def _look_until(self, seconds: float) -> None:
        """Note the memory of the processes now and then."""
        while (now := self._now()) < seconds:
            pid = self._service.process.pid
            self.memory.append(Sample(now, resident_bytes(pid)))
            workers = sum(resident_bytes(one) for one in below(pid))
            self.worker_memory.append(Sample(now, workers))
            time.sleep(LOOK_S)

    def _kill_redis(self) -> str:
        self._redis.kill()
        return "Redis is killed"

    def _start_redis(self) -> str:
        self._redis.start()
        return "Redis is started again, empty"

    def _swap_catalog(self) -> str:
        put_edition(self._folder, EDITIONS[1], 2.0)
        return f"catalog {EDITIONS[1]} comes"

    def _kill_worker(self) -> str:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            busy = busiest_below(self._service.process.pid)
            if busy is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(busy, signal.SIGKILL)
                return "a worker is killed"
            time.sleep(0.01)
        return "no worker computed"

    def _hang_up(self) -> str:
        self._service.process.send_signal(signal.SIGHUP)
        return "SIGHUP"


@contextlib.contextmanager
def catalog_folder() -> Iterator[Path]:
    """A folder with one edition."""
    with tempfile.TemporaryDirectory(prefix="catalog-") as directory:
        folder = Path(directory)
        (folder / ".writing").mkdir()
        put_edition(folder, EDITIONS[0], 3.0)
        yield folder


@contextlib.contextmanager
def soaked(seconds: float) -> Iterator[Soaked]:
    """What is known after so many seconds, as long as the folder of editions is there."""
    with (
        catalog_folder() as folder,
        start_redis() as redis,
        start_service(
            RUNQUOTE_REDIS_URL=redis.url, RUNQUOTE_CATALOG_DIR=str(folder), **SETTINGS
        ) as service,
    ):
        soak = Soak(service, redis, folder, seconds=seconds)
        soak.run()
        status = service.stop()
        yield Soaked(
            visits=soak.visits,
            memory=soak.memory,
            worker_memory=soak.worker_memory,
            events=soak.events,
            exit_status=status,
            log=service.log(),
            sources=Sources(folder=folder),
        )
