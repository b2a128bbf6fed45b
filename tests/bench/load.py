"""Servers under load: as fast as connections allow, or at a steady rate; and what CPU they take."""

import asyncio
import contextlib
import gc
import os
import select
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import uvloop

from tests.redis_server import unused_port

T = TypeVar("T")
CONNECTIONS: Final = 16
ALLOWED: Final = os.sched_getaffinity(0)
"""The cores that this process may use when it begins."""
START_S: Final = 60.0
RECEIVED_BYTES: Final = 2**18
HEAD_BYTES: Final = 2**11


class Asking(asyncio.Protocol):
    """Asks again as soon as it is answered. It takes little time itself: it counts bytes."""

    def __init__(self, waiting: Iterator[bytes], count: int) -> None:
        self._waiting = waiting
        self._left = count
        self._head = b""
        self._missing = 0
        self._asked_at = 0.0
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.WriteTransport, transport)  # that of uvloop is none by type
        self._ask()

    def _ask(self) -> None:
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._waiting))

    def data_received(self, data: bytes) -> None:
        """Count what came. A head says how much is missing."""
        if not self._missing:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = b""
            self._missing = length_in(head) - len(body)
        else:
            self._missing -= len(data)
        assert self._missing >= 0, "more came than the head says"
        if not self._missing:
            self._answered()

    def _answered(self) -> None:
        self.latencies.append(time.perf_counter() - self._asked_at)
        self._left -= 1
        if self._left:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that is lost before its last answer is an error."""
        if not self.done.done():
            self.done.set_exception(exc or asyncio.IncompleteReadError(b"", None))


def length_in(head: bytes) -> int:
    """The length of the body behind a head of status 200."""
    assert head.startswith(b"HTTP/1.1 200"), head
    return next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )


async def flood(port: int, requests: Sequence[bytes], *, count: int) -> list[float]:
    """Seconds that each of `count` requests took, as many at once as there are connections."""
    waiting = cycle(requests)
    client = partial(Asking, waiting, count // CONNECTIONS)
    connect = asyncio.get_running_loop().create_connection
    asking = [(await connect(client, "127.0.0.1", port))[1] for _ in range(CONNECTIONS)]
    await asyncio.gather(*(one.done for one in asking))
    return [latency for one in asking for latency in one.latencies]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a client on the loop that takes least."""
    return uvloop.run(work)


def steady(port: int, request: bytes, *, count: int, per_s: float) -> list[float]:
    """Seconds from when each of `count` requests was due until it was answered.

    A request that finds no free connection waits for one, and that counts. The client looks at its
    sockets without a pause: timers of event loops go off a millisecond late, and then send several
    requests at once.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(without_collector())
        waiting = stack.enter_context(select.epoll())
        free = deque(stack.enter_context(Paced(port)) for _ in range(CONNECTIONS))
        asking = {one.fileno(): one for one in free}
        for number in asking:
            waiting.register(number, select.EPOLLIN)
        latencies: list[float] = []
        begun, asked = time.perf_counter(), 0
        while len(latencies) < count:
            due = begun + asked / per_s
            if asked < count and free and time.perf_counter() >= due:
                free.popleft().ask(request, due=due)
                asked += 1
            for number, _ in waiting.poll(0):
                one = asking[number]
                if one.has_all():
                    latencies.append(time.perf_counter() - one.due)
                    free.append(one)
    return latencies


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Keep the collector of cycles from stopping this process."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Paced(socket.socket):
    """A keep-alive connection that is read without waiting."""

    def __init__(self, port: int) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.connect(("127.0.0.1", port))
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.setblocking(False)
        self.due = 0.0
        self._head = b""
        self._missing = 0
        self._room = bytearray(RECEIVED_BYTES)

    def ask(self, request: bytes, *, due: float) -> None:
        """Send a request that was due at some time. It is smaller than the kernel's buffer."""
        self.due = due
        self.sendall(request)

    def has_all(self) -> bool:
        """Read what has come. True if the answer is whole."""
        if self._missing:
            # Only counted: the kernel drops it, and copies nothing.
            self._missing -= self._received(RECEIVED_BYTES, socket.MSG_TRUNC)
            return not self._missing
        received = self._received(HEAD_BYTES)
        self._head += self._room[:received]
        head, found, body = self._head.partition(b"\r\n\r\n")
        if not found:
            return False
        self._head = b""
        self._missing = length_in(head) - len(body)
        return self.has_all() if self._missing else True

    def _received(self, at_most: int, flags: int = 0) -> int:
        try:
            received = self.recv_into(self._room, at_most, flags)
        except BlockingIOError:
            return 0
        if not received:
            raise asyncio.IncompleteReadError(self._head, None)
        return received


def posted(path: str, body: bytes, *, encoding: str = "") -> bytes:
    """A POST as it goes over the wire."""
    accepts = f"accept-encoding: {encoding}\r\n" if encoding else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{accepts}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def fetched(path: str, *, encoding: str = "") -> bytes:
    """A GET as it goes over the wire."""
    accepts = f"accept-encoding: {encoding}\r\n" if encoding else ""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{accepts}\r\n".encode()


def at_share(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


@contextlib.contextmanager
def served(
    command: Sequence[str], first: bytes, environment: Mapping[str, str]
) -> Iterator[tuple[int, int]]:
    """A server that has answered its first request: its port and its process."""
    port = unused_port()
    own = {"PYTHONPATH": ".", "RUNQUOTE_PORT": str(port), **environment}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            stdout=log,
            stderr=log,
            env=os.environ | own,
        )
        pin(process.pid)
        try:
            _wait_for(port, first)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def pin(pid: int) -> None:
    """Give a server a core of its own, and leave the others to its clients."""
    server, *others = sorted(ALLOWED)
    if others:
        os.sched_setaffinity(pid, {server})
        os.sched_setaffinity(0, others)


def _wait_for(port: int, request: bytes) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            run(flood(port, [request], count=CONNECTIONS))
        except (OSError, asyncio.IncompleteReadError):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        else:
            return


def cpu_of(pid: int) -> float:
    """Seconds of CPU that all threads of a process have taken."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
