"""A repeated quote over HTTP, beside the same answer from other applications and servers.

All run in turn on one machine, each round anew, so that a noisy moment hits all alike. Each bound
that the service is held to is printed with what was seen.
"""

import contextlib
import json
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPResponse
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import msgspec

from service.api.http.copies.encodings import Encoding, compressed
from service.local import quote_bytes
from tests.bench.load import (
    CONNECTIONS,
    at_share,
    cpu_of,
    fetched,
    flood,
    posted,
    run,
    served,
    steady,
)
from tests.bench.tables import Bound, print_bounds, print_ratios
from tests.redis_server import RedisServer, start_redis
from tests.requests import R1
from tests.varied import WORKS, stages_of

REQUESTS: Final = 2000
ROUNDS: Final = 3
SETTLING_S: Final = 0.2
"""A server may do a part of its work after its answers. Ours writes lines of its log every 50 ms,
and 2,000 answers may take no longer than that."""
PEERS_PYTHON: Final = str(Path(sys.prefix) / "peers" / "bin" / "python")
BODIES: Final[Mapping[str, dict[str, Any]]] = {
    "a whole quote": R1,
    "a summary": R1 | {"options": {"detail": "summary"}},
}
UVICORN: Final = (
    "--loop", "uvloop", "--http", "httptools", "--ws", "none", "--no-access-log",
    "--log-level", "error", "--host", "127.0.0.1", "--port", "{port}",
)  # fmt: skip
RUNQUOTE: Final = "runquote"
NAMED: Final = "runquote, each with an id"
"""Callers give a request an id of its own, so that no two have the same bytes."""
RAW: Final = "raw ASGI and msgspec"
TYPED: Final = "Litestar, typed"
FASTAPI: Final = "FastAPI and pydantic"
SERVE: Final = (sys.executable, "-m", "service.cli", "serve")
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    RAW: (sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:raw", *UVICORN),
    RUNQUOTE: SERVE,
    "Litestar, ready bytes": (
        sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:litestar_ready", *UVICORN,
    ),
    TYPED: (sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:litestar_typed", *UVICORN),
    FASTAPI: (PEERS_PYTHON, "-m", "uvicorn", "tests.bench.fastapi_peer:app", *UVICORN),
}  # fmt: skip
REDIS_PEER: Final = (
    sys.executable, "-m", "uvicorn", "tests.bench.wire_peers:one_redis_get", *UVICORN,
)  # fmt: skip
RAW_REDIS: Final = "raw ASGI with one GET of Redis"
ENCODINGS: Final[tuple[Encoding, ...]] = ("zstd", "br")
COPY_ROUNDS: Final = 5
REDIS_ROUNDS: Final = 7
KEPT: Final = 64
"""Quotes in the Redis: so many that two requests at once are seldom for the same one."""
PATIENCE_S: Final = 120.0
LEAST_OF_RAW: Final = 0.8
LEAST_OF_TYPED: Final = 2.0
LEAST_OF_FASTAPI: Final = 3.0
MOST_OF_BYTES: Final = 0.15
MOST_P99_OF_P50: Final = 4.0


class Seen(NamedTuple):
    """What a server took for each request, each a list with one number a round."""

    cpu_us: list[float]
    wall_us: list[float]
    p99_ms: list[float]


def on_the_wire() -> None:
    """Print the server's CPU, rate and p99 for each application and size of answer."""
    bounds = [bound for size, body in BODIES.items() for bound in _from_memory(size, body)]
    bounds += _from_redis()
    print_bounds(bounds)


def _from_memory(size: str, body: dict[str, Any]) -> list[Bound]:
    """Quotes that the process has in memory."""
    sent = json.dumps(body).encode()
    request, answer = posted("/quote", sent), quote_bytes(sent)
    named = [request.replace(b"host:", b"x-request-id: %d\r\nhost:" % one, 1) for one in range(997)]
    seen = {name: Seen([], [], []) for name in (*COMMANDS, NAMED)}
    tails: dict[str, list[float]] = {RAW: [], RUNQUOTE: []}
    with tempfile.TemporaryDirectory() as directory:
        stored = Path(directory) / "answer.json"
        stored.write_bytes(answer)
        environment = {"BENCH_ANSWER": str(stored)}
        for _ in range(ROUNDS):
            for name, command in COMMANDS.items():
                with served(command, request, environment) as (port, pid):
                    _measure(seen[name], port, pid, [request])
                    if name in tails:
                        tail = _tail_at_half_load(port, request, seen[name].wall_us[-1])
                        tails[name].append(tail)
                    if name == RUNQUOTE:
                        _measure(seen[NAMED], port, pid, named)
    title = f"{size} of {len(answer) / 1000:.0f} KB, asked for again"
    _print(title, seen)
    print_ratios(f"p99 over p50 at half load, {title}", tails, unit="times")
    return [
        *_bounds_of_rates(size, seen),
        Bound(f"{size}: p99 over p50 at half load", median(tails[RUNQUOTE]), most=MOST_P99_OF_P50),
        *_copies_from_memory(size, sent, answer),
    ]


def _copies_from_memory(size: str, body: bytes, answer: bytes) -> list[Bound]:
    """The same, sent compressed. The raw application sends ready bytes of each encoding."""
    bounds: list[Bound] = []
    for encoding in ENCODINGS:
        copy = compressed(answer, encoding)
        request = posted("/quote", body, encoding=encoding)
        seen = {name: Seen([], [], []) for name in (RAW, RUNQUOTE)}
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as servers:
            stored = Path(directory) / "copy"
            stored.write_bytes(copy)
            peer = {"BENCH_ANSWER": str(stored), "BENCH_ENCODING": encoding}
            by_name = {
                RAW: servers.enter_context(served(COMMANDS[RAW], request, peer)),
                RUNQUOTE: servers.enter_context(served(SERVE, request, {})),
            }
            _until_sent(by_name[RUNQUOTE][0], request, encoding)
            for _ in range(COPY_ROUNDS):
                for name, (port, pid) in by_name.items():
                    _measure(seen[name], port, pid, [request])
        _print(f"{size} by {encoding}, {len(copy) / 1000:.1f} KB, asked for again", seen)
        bounds += _bounds_over(f"{size} by {encoding}", seen, {RAW: LEAST_OF_RAW})
    share = len(compressed(answer, "br")) / len(answer)
    return [*bounds, Bound(f"{size}: bytes of a kept copy", share, most=MOST_OF_BYTES)]


def _until_sent(port: int, request: bytes, encoding: str) -> None:
    """Ask until the answer comes in this encoding: a Brotli copy is made beside the requests."""
    deadline = time.monotonic() + PATIENCE_S
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while True:
            connection.sendall(request)
            answer = HTTPResponse(connection)
            answer.begin()
            answer.read()
            if answer.getheader("content-encoding") == encoding:
                return
            assert time.monotonic() < deadline, f"nothing is sent by {encoding}"
            time.sleep(0.2)


def _from_redis() -> list[Bound]:
    """Quotes that only the Redis has, as where a replica is new.

    The raw application gets a value of the size of what it sends, by one GET. Both servers stand
    side by side and are asked in turn, so that a noisy moment hits both.
    """
    bodies = [json.dumps(_dear(place)).encode() for place in range(KEPT)]
    answers = [quote_bytes(body) for body in bodies]
    ids = [msgspec.json.decode(answer, type=dict[str, Any])["id"] for answer in answers]
    copies = [compressed(answer, "zstd") for answer in answers]
    seen: dict[str, dict[str, Seen]] = {}
    with start_redis() as redis, contextlib.ExitStack() as servers:
        with redis.client() as client:
            for id, answer, copy in zip(ids, answers, copies, strict=True):
                client.set(f"plain:{id}", answer)
                client.set(f"zstd:{id}", copy)
        own = {
            "RUNQUOTE_REDIS_URL": redis.url,
            "RUNQUOTE_REDIS_TIMEOUT_S": "5",
            "RUNQUOTE_CACHE_MEMORY_BYTES": "0",
        }
        peer = {"BENCH_REDIS": redis.url, "BENCH_ANSWER": "/dev/null"}
        posts = [posted("/quote", body) for body in bodies]
        first = fetched(f"/plain:{ids[0]}")
        raw = servers.enter_context(served(REDIS_PEER, first, peer))
        ours = servers.enter_context(served(SERVE, posts[0], own))
        _keep_all(redis, ours[0], posts)
        for kind, encoding in (("plain", ""), ("zstd", "zstd")):
            cases = {
                RAW_REDIS: (raw, [fetched(f"/{kind}:{id}", encoding=encoding) for id in ids]),
                "GET": (ours, [fetched(f"/quote/{id}", encoding=encoding) for id in ids]),
                "POST": (ours, [posted("/quote", body, encoding=encoding) for body in bodies]),
            }
            seen[kind] = {name: Seen([], [], []) for name in cases}
            for _ in range(REDIS_ROUNDS):
                for name, ((port, pid), requests) in cases.items():
                    _measure(seen[kind][name], port, pid, requests)
    sizes = {"plain": len(answers[0]), "zstd": len(copies[0])}
    for kind, some in seen.items():
        _print(f"an answer that Redis has, sent {kind}, {sizes[kind] / 1000:.0f} KB", some)
    return [bound for kind, some in seen.items() for bound in _bounds_of_redis(kind, some)]


def _bounds_of_redis(kind: str, seen: Mapping[str, Seen]) -> list[Bound]:
    """By how much the service is slower than a bare application that gets a value of that size."""
    raw = seen[RAW_REDIS]
    return [
        Bound(f"Redis hit by {name}, {kind}: {what}", _ratio(theirs, ours), least=LEAST_OF_RAW)
        for name, own in seen.items()
        if name != RAW_REDIS
        for what, theirs, ours in (
            ("CPU of raw ASGI over ours", raw.cpu_us, own.cpu_us),
            ("our rate over raw ASGI's", raw.wall_us, own.wall_us),
        )
    ]


def _keep_all(redis: RedisServer, port: int, posts: Sequence[bytes]) -> None:
    """Ask until the Redis has all quotes. Stores beyond what may be under way are dropped."""
    deadline = time.monotonic() + PATIENCE_S
    with redis.client() as client:
        while True:
            run(flood(port, posts, count=KEPT))
            time.sleep(0.5)
            if sum(1 for _ in client.scan_iter("rq:*:q_*")) >= KEPT:
                return
            assert time.monotonic() < deadline, "the Redis does not keep all quotes"


def _dear(place: int) -> dict[str, Any]:
    """A request that takes so long to compute that Redis is asked first."""
    return stages_of(WORKS["disaggregated"] | {"steps": 1000 + place}, 1)


def _measure(seen: Seen, port: int, pid: int, requests: Sequence[bytes]) -> None:
    run(flood(port, requests, count=300))
    time.sleep(SETTLING_S)
    before, start = cpu_of(pid), time.perf_counter()
    latencies = run(flood(port, requests, count=REQUESTS))
    seen.wall_us.append((time.perf_counter() - start) / REQUESTS * 1e6)
    time.sleep(SETTLING_S)
    seen.cpu_us.append((cpu_of(pid) - before) / REQUESTS * 1e6)
    seen.p99_ms.append(at_share(latencies, 0.99) * 1e3)


def _tail_at_half_load(port: int, request: bytes, wall_us: float) -> float:
    """p99 over p50 at half of the rate that the server has just answered at."""
    latencies = steady(port, request, count=REQUESTS, per_s=1e6 / wall_us / 2)
    return at_share(latencies, 0.99) / at_share(latencies, 0.5)


def _print(title: str, seen: Mapping[str, Seen]) -> None:
    for what, unit, values in (
        ("Server CPU", "us", {name: one.cpu_us for name, one in seen.items()}),
        (
            f"Wall time a request at {CONNECTIONS} connections",
            "us",
            {name: one.wall_us for name, one in seen.items()},
        ),
        (
            f"p99 at {CONNECTIONS} connections",
            "ms",
            {name: one.p99_ms for name, one in seen.items()},
        ),
    ):
        print_ratios(f"{what}, {title}", values, unit=unit)


def _bounds_of_rates(size: str, seen: Mapping[str, Seen]) -> list[Bound]:
    """By how much the service is quicker than others, by CPU and by rate."""
    least = {RAW: LEAST_OF_RAW, TYPED: LEAST_OF_TYPED, FASTAPI: LEAST_OF_FASTAPI}
    return _bounds_over(size, seen, least)


def _bounds_over(size: str, seen: Mapping[str, Seen], least: Mapping[str, float]) -> list[Bound]:
    own = seen[RUNQUOTE]
    return [
        Bound(f"{size}: {what} of {peer} over ours", _ratio(theirs, ours), least=bound)
        for peer, bound in least.items()
        for what, theirs, ours in (
            ("CPU", seen[peer].cpu_us, own.cpu_us),
            ("wall time", seen[peer].wall_us, own.wall_us),
        )
    ]


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """The middle ratio of the rounds."""
    return median(one / own for one, own in zip(theirs, ours, strict=True))


if __name__ == "__main__":
    on_the_wire()
