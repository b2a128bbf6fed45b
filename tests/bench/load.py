"""Servers under load: as fast as connections allow, or at a steady rate; and what CPU they take."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from tests.redis_server import unused_port

CONNECTIONS: Final = 16
START_S: Final = 60.0


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """A new connection to a server of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> int:
        """The bytes of the answer's body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        await self._reader.readexactly(length)
        return length

    def close(self) -> None:
        """End it."""
        self._writer.close()


async def flood(port: int, requests: Sequence[bytes], *, count: int) -> list[float]:
    """Seconds that each of `count` requests took, as many at once as there are connections."""
    waiting = cycle(requests)
    latencies: list[float] = []

    async def client() -> None:
        connection = await Connection.to(port)
        for _ in range(count // CONNECTIONS):
            request = next(waiting)
            start = time.perf_counter()
            await connection.ask(request)
            latencies.append(time.perf_counter() - start)
        connection.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return latencies


async def steady(port: int, request: bytes, *, count: int, per_s: float) -> list[float]:
    """Seconds from when each of `count` requests was due until it was answered.

    A request that finds no free connection waits for one, and that counts.
    """
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await Connection.to(port))
    latencies: list[float] = []

    async def one(due: float) -> None:
        connection = await free.get()
        await connection.ask(request)
        latencies.append(time.perf_counter() - due)
        free.put_nowait(connection)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for place in range(count):
            due = begun + place / per_s
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(due))
    while not free.empty():
        free.get_nowait().close()
    return latencies


def posted(path: str, body: bytes, *, encoding: str = "") -> bytes:
    """A POST as it goes over the wire."""
    accepts = f"accept-encoding: {encoding}\r\n" if encoding else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{accepts}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def fetched(path: str) -> bytes:
    """A GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


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
        try:
            _wait_for(port, first)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, request: bytes) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            asyncio.run(flood(port, [request], count=CONNECTIONS))
        except (OSError, asyncio.IncompleteReadError):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        else:
            return


def cpu_of(pid: int) -> float:
    """Seconds of CPU that all threads of a process have taken."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
