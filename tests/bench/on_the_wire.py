"""A repeated quote over HTTP, beside the same answer from other applications and servers.

All run in turn on one machine, each round anew, so that a noisy moment hits all alike.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from service.local import quote_bytes
from tests.bench.tables import print_ratios
from tests.redis_server import unused_port
from tests.requests import R1

CONNECTIONS = 16
REQUESTS = 2000
ROUNDS = 3
PEERS_PYTHON = str(Path(sys.prefix) / "peers" / "bin" / "python")
BODIES: Mapping[str, dict[str, Any]] = {
    "a whole quote": R1,
    "a summary": R1 | {"options": {"detail": "summary"}},
}
UVICORN = (
    "--loop", "uvloop", "--http", "httptools", "--ws", "none", "--no-access-log",
    "--log-level", "error", "--host", "127.0.0.1", "--port", "{port}",
)  # fmt: skip
COMMANDS: Mapping[str, Sequence[str]] = {
    "raw ASGI and msgspec": (
        sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:raw", *UVICORN,
    ),
    "runquote": (sys.executable, "-m", "service.cli", "serve"),
    "Litestar, ready bytes": (
        sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:litestar_ready", *UVICORN,
    ),
    "Litestar, typed": (
        sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:litestar_typed", *UVICORN,
    ),
    "FastAPI and pydantic": (
        PEERS_PYTHON, "-m", "uvicorn", "tests.bench.fastapi_peer:app", *UVICORN,
    ),
}  # fmt: skip


def on_the_wire() -> None:
    """Print the server's CPU, rate and p99 for each application and size of answer."""
    for size, body in BODIES.items():
        _side_by_side(size, body)


def _side_by_side(size: str, body: dict[str, Any]) -> None:
    request = _request(body)
    answer = quote_bytes(json.dumps(body).encode())
    cpu: dict[str, list[float]] = {name: [] for name in COMMANDS}
    wall: dict[str, list[float]] = {name: [] for name in COMMANDS}
    p99: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as directory:
        stored = Path(directory) / "answer.json"
        stored.write_bytes(answer)
        for _ in range(ROUNDS):
            for name, command in COMMANDS.items():
                with _server(command, request, stored) as (port, pid):
                    asyncio.run(_load(port, request, count=300))
                    before, start = _cpu_s(pid), time.perf_counter()
                    latencies = asyncio.run(_load(port, request, count=REQUESTS))
                    wall[name].append((time.perf_counter() - start) / REQUESTS * 1e6)
                    cpu[name].append((_cpu_s(pid) - before) / REQUESTS * 1e6)
                    p99[name].append(sorted(latencies)[int(len(latencies) * 0.99)] * 1e3)
    title = f"{size} of {len(answer) / 1000:.0f} KB, asked for again"
    print_ratios(f"Server CPU for {title}", cpu, unit="us")
    print_ratios(f"Wall time a request at {CONNECTIONS} connections, {title}", wall, unit="us")
    print_ratios(f"p99 at {CONNECTIONS} connections, {title}", p99, unit="ms")


def _request(body: dict[str, Any]) -> bytes:
    sent = json.dumps(body).encode()
    head = (
        "POST /quote HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"content-length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent


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
def _server(command: Sequence[str], request: bytes, stored: Path) -> Iterator[tuple[int, int]]:
    port = unused_port()
    environment = {
        "PYTHONPATH": ".",
        "BENCH_ANSWER": str(stored),
        "RUNQUOTE_PORT": str(port),
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            stdout=log,
            stderr=log,
            env=os.environ | environment,
        )
        try:
            _wait_for(port, request)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, request: bytes) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            asyncio.run(_load(port, request, count=CONNECTIONS))
        except (OSError, asyncio.IncompleteReadError):
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        else:
            return


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    on_the_wire()
