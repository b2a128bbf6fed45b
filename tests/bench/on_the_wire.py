"""uvicorn and Granian side by side: the same application, connections and requests."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.tables import console, print_ratios
from tests.redis_server import unused_port
from tests.requests import R1

CONNECTIONS = 16
REQUESTS = 3000
ROUNDS = 3
COMMANDS = {
    "uvicorn": [
        "-m", "uvicorn", "tests.bench.target:app", "--loop", "uvloop", "--http", "httptools",
        "--ws", "none", "--no-access-log", "--log-level", "error", "--host", "127.0.0.1", "--port",
    ],
    "granian": [
        "-m", "granian", "tests.bench.target:app", "--interface", "asgi", "--loop", "uvloop",
        "--workers", "1", "--no-ws", "--no-log", "--host", "127.0.0.1", "--port",
    ],
}  # fmt: skip


def on_the_wire() -> None:
    """Print CPU per request, p99 and rate of both servers, on memory hits."""
    request = _request()
    cpu: dict[str, list[float]] = {name: [] for name in COMMANDS}
    p99: dict[str, list[float]] = {name: [] for name in COMMANDS}
    rate: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            with _server(command) as (port, pid):
                asyncio.run(_load(port, request, count=300))
                before, start = _cpu_s(pid), time.perf_counter()
                latencies = asyncio.run(_load(port, request, count=REQUESTS))
                wall = time.perf_counter() - start
                cpu[name].append((_cpu_s(pid) - before) / REQUESTS * 1e6)
                p99[name].append(sorted(latencies)[int(len(latencies) * 0.99)] * 1e3)
                rate[name].append(REQUESTS / wall)
    print_ratios("Server CPU for one POST /quote, memory hit", cpu, unit="us")
    print_ratios(f"p99 at {CONNECTIONS} connections", p99, unit="ms")
    for name, values in rate.items():
        console.print(f"{name}: {median(values):,.0f} requests a second")


def _request() -> bytes:
    body = json.dumps(R1).encode()
    head = (
        "POST /quote HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _load(port: int, request: bytes, *, count: int) -> list[float]:
    """Seconds that each of `count` requests took, over keep-alive connections."""
    latencies: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count // CONNECTIONS):
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return latencies


@contextlib.contextmanager
def _server(command: list[str]) -> Iterator[tuple[int, int]]:
    port = unused_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *command, str(port)],
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": "."},
        )
        try:
            _wait_for(port)
            yield port, _worker_of(process.pid)
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            asyncio.run(_load(port, _request(), count=CONNECTIONS))
        except (OSError, asyncio.IncompleteReadError):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        else:
            return


def _worker_of(pid: int) -> int:
    """The process that answers: Granian's is a child of the one that was started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    times = {int(child): _cpu_s(int(child)) for child in [*children, str(pid)]}
    return max(times, key=lambda candidate: times[candidate])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
