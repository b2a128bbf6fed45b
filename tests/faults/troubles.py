"""One fault after the other, while there is traffic."""

import contextlib
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import redis as redis_py

from tests.faults.catalogs import HALF_A_ROW
from tests.faults.clocks import Clock, with_a_clock
from tests.faults.redis_faults import KEYS, change_password, told_to
from tests.layers import day_after, put_edition
from tests.processes import below
from tests.redis_proxy import Proxy, start_proxy
from tests.redis_server import RedisServer, start_redis
from tests.server import Service, start_service
from tests.wire import sent

EDITION: Final = day_after(1)
BROKEN_EDITION: Final = day_after(2)
PASSWORD: Final = "right"
MOST_SPOILED: Final = 200
HALF_OPEN: Final = 100
FORKED: Final = b"multiprocessing.forkserver"
"""In the command of workers, and of the process that they are forked from."""
SETTINGS: Final = {
    # Caches that are full early, so that memory can be seen to stay, and Redis is asked.
    "RUNQUOTE_CACHE_MEMORY_BYTES": str(2**20),
    "RUNQUOTE_MEMO_MAX_BYTES": str(8 * 2**20),
    "RUNQUOTE_CATALOG_POLL_S": "0.2",
}


class Trouble(NamedTuple):
    """A fault that begins and ends."""

    name: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None


class Scene(NamedTuple):
    """A service, and all that it works with."""

    service: Service
    redis: RedisServer
    proxy: Proxy
    folder: Path
    clock: Clock | None


@contextlib.contextmanager
def scene(folder: Path, *, own_clock: bool) -> Iterator[Scene]:
    """A service with a Redis behind a proxy, a folder of editions, and maybe its own clock."""
    put_edition(folder, EDITION, 3.0)
    with start_redis(password=PASSWORD) as redis, start_proxy(redis.port) as proxy:
        address = f"redis://:{PASSWORD}@127.0.0.1:{proxy.port}"
        settings = {"RUNQUOTE_REDIS_URL": address, "RUNQUOTE_CATALOG_DIR": str(folder)} | SETTINGS
        if own_clock:
            with with_a_clock(**settings) as (service, clock):
                yield Scene(service, redis, proxy, folder, clock)
        else:
            with start_service(**settings) as service:
                yield Scene(service, redis, proxy, folder, None)


def troubles_of(at: Scene) -> Sequence[Trouble]:
    """Everything that can fail without an end of the service."""
    timed = () if at.clock is None else _of_the_clock(at.clock)
    return (*_of_redis(at), *_of_the_process(at), *_of_the_catalog(at), *timed)


def _of_redis(at: Scene) -> Iterator[Trouble]:
    redis, proxy = at.redis, at.proxy

    def delay(seconds: float) -> None:
        proxy.delay_s = seconds

    def cut_after(count: int | None) -> None:
        proxy.cut_after = count

    yield Trouble("Redis killed", redis.kill, redis.start)
    yield Trouble("Redis hangs", redis.hang, redis.resume)
    yield Trouble("Redis slow", lambda: delay(0.5), lambda: delay(0.0))
    yield Trouble("replies cut", lambda: cut_after(3000), lambda: cut_after(None))
    yield Trouble("Redis flushed", redis.flush)
    yield Trouble(
        "Redis full",
        told_to(redis, "CONFIG", "SET", "maxmemory", "1"),
        told_to(redis, "CONFIG", "SET", "maxmemory", "0"),
    )
    yield Trouble(
        "Redis read-only",
        told_to(redis, "REPLICAOF", "127.0.0.1", "1"),
        told_to(redis, "REPLICAOF", "NO", "ONE"),
    )
    yield Trouble(
        "password changed",
        lambda: change_password(redis, "another"),
        lambda: change_password(redis, PASSWORD),
    )
    yield Trouble("values spoiled", lambda: spoil(redis))


def _of_the_process(at: Scene) -> Iterator[Trouble]:
    pid = at.service.process.pid

    def kill_workers() -> None:
        for one in below(pid):
            with contextlib.suppress(OSError):
                if FORKED in Path(f"/proc/{one}/cmdline").read_bytes():
                    os.kill(one, signal.SIGKILL)

    yield Trouble("workers killed", kill_workers)
    yield Trouble("SIGHUP", lambda: at.service.process.send_signal(signal.SIGHUP))
    idle: list[socket.socket] = []

    def come() -> None:
        for _ in range(HALF_OPEN):
            one = socket.create_connection(("127.0.0.1", at.service.port), timeout=30)
            sent(one, b"GET /livez HTTP/1.1\r\nX: ")
            idle.append(one)

    def go() -> None:
        while idle:
            idle.pop().close()

    yield Trouble("half-open clients", come, go)


def _of_the_catalog(at: Scene) -> Iterator[Trouble]:
    away = at.folder.with_name("away")
    yield Trouble(
        "broken edition",
        lambda: put_edition(at.folder, BROKEN_EDITION, 3.0, HALF_A_ROW),
        lambda: shutil.rmtree(at.folder / BROKEN_EDITION),
    )
    yield Trouble(
        "folder of editions lost",
        lambda: at.folder.rename(away),
        lambda: away.rename(at.folder),
    )


def _of_the_clock(clock: Clock) -> Iterator[Trouble]:
    yield Trouble("clock ahead", lambda: clock.jump("+400d"), lambda: clock.jump("+0"))
    yield Trouble("clock behind", lambda: clock.jump("-400d"), lambda: clock.jump("+0"))


def spoil(redis: RedisServer) -> None:
    """Replace values: some bits are flipped, some ends cut off, some values are of other keys."""
    draw = random.Random(0)
    with redis.client() as client:
        keys = list(islice(client.scan_iter(KEYS + "*"), MOST_SPOILED))
        for number, key in enumerate(keys):
            with contextlib.suppress(redis_py.ResponseError):
                value: Any = client.get(key)
                other: Any = client.get(draw.choice(keys))
                if value and other:
                    client.set(key, _spoiled(number % 3, value, other))


def _spoiled(kind: int, value: bytes, other: bytes) -> bytes:
    middle = len(value) // 2
    if kind == 0:
        return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
    return value[:middle] if kind == 1 else other


class Troubles(threading.Thread):
    """Faults come one after the other, again and again, until told to stop."""

    def __init__(self, plan: Sequence[Trouble], *, lasts_s: float, rest_s: float) -> None:
        super().__init__(daemon=True)
        self.came: Counter[str] = Counter()
        self.stopping = threading.Event()
        self._plan = plan
        self._lasts_s = lasts_s
        self._rest_s = rest_s

    @property
    def all_came(self) -> bool:
        """Whether each fault came and went."""
        return all(self.came[one.name] for one in self._plan)

    def run(self) -> None:
        """Begin and end one fault after the other."""
        while not self.stopping.is_set():
            for one in self._plan:
                if self.stopping.is_set():
                    return
                one.begin()
                time.sleep(self._lasts_s)
                one.end()
                self.came[one.name] += 1
                time.sleep(self._rest_s)

    def stop(self) -> None:
        """Let the fault that is there go, and no other come."""
        self.stopping.set()
        self.join()
