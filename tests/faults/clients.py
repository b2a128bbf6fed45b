"""Clients that are slow, silent, endless, malformed or gone: each is bounded, others are served."""

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection
from typing import Final

import httpx

from service.api.contract.decisions.examples import LLAMA_8B
from tests.faults.probing import all_told, health, seconds_until, told
from tests.faults.rows import AtMost, Fact, Seen, fault
from tests.processes import MIB, below, computing_below, cpu_s, lives, resident_bytes
from tests.requests import R1, disaggregated_stages, metered, owned_clusters
from tests.server import SERVE, Service, start_service
from tests.wire import HOST, connected, post, said, sent, statuses

GROUP: Final = "Clients"
MEMORY: Final = AtMost(300.0, "MB")
CPU: Final = AtMost(1.0, "s")
LIVEZ: Final = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
TYPE: Final = b"Content-Type: application/json\r\n"
SERVED: Final = "200"


def others(service: Service) -> str:
    """How somebody else is served, who connects now."""
    probes = [httpx.get(f"{service.url}{path}", timeout=30) for path in ("/livez", "/readyz")]
    quote = httpx.post(f"{service.url}/quote", json=R1, timeout=30)
    return all_told({told(answer) for answer in (*probes, quote)})


def all_statuses(connections: Iterable[socket.socket]) -> str:
    """The statuses of all that is said until the connections end."""
    return all_told({str(status) for one in connections for status in statuses(said(one))})


def memory_mb(service: Service) -> float:
    """What the service holds."""
    return resident_bytes(service.process.pid) / 1e6


@contextlib.contextmanager
def many(service: Service, count: int) -> Iterator[list[socket.socket]]:
    """So many open connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connected(service)) for _ in range(count)]


def in_threads(count: int, do: Callable[[], object]) -> None:
    """Do the same several times at once."""
    threads = [threading.Thread(target=do) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@fault(
    GROUP,
    "ten requests with 200 MB of headers each",
    expects={"answers": "431", "others": SERVED, "memory": MEMORY, "CPU": CPU},
)
def endless_headers() -> Seen:
    found: set[str] = set()

    with start_service() as service:

        def send() -> None:
            with connected(service) as one:
                sent(one, LIVEZ[:-2] + b"X: ")
                for _ in range(50):
                    sent(one, b"x" * (4 * MIB))
                found.update(map(str, statuses(said(one))))

        before = cpu_s(service.process.pid)
        in_threads(10, send)
        taken = cpu_s(service.process.pid) - before
        facts = {"answers": all_told(found), "others": others(service)}
        return Seen(facts | {"memory": memory_mb(service), "CPU": taken})


@fault(
    GROUP,
    "10,000 idle connections",
    expects={"others": SERVED, "memory": MEMORY, "CPU": CPU},
)
def idle() -> Seen:
    with start_service() as service:
        before = cpu_s(service.process.pid)
        with many(service, 10_000):
            taken = cpu_s(service.process.pid) - before
            return Seen({"others": others(service), "memory": memory_mb(service), "CPU": taken})


@fault(
    GROUP,
    "900 heads of 60 KB that come to no end",
    expects={"others": SERVED, "answers": "408", "memory": MEMORY, "CPU": CPU},
    recovers_s=15.0,
)
def slow_heads() -> Seen:
    with start_service() as service:
        before = cpu_s(service.process.pid)
        with many(service, 900) as held:
            for one in held:
                sent(one, LIVEZ[:-2] + b"X: " + b"x" * 60_000)
            start = time.monotonic()
            facts: dict[str, Fact] = {
                "others": others(service),
                "memory": memory_mb(service),
                "CPU": cpu_s(service.process.pid) - before,
                "answers": all_statuses(held),
            }
            return Seen(facts, time.monotonic() - start)


@fault(
    GROUP,
    "900 bodies of 1 MiB that never end",
    expects={"others": SERVED, "first one": "503", "last one": "408", "memory": MEMORY},
    recovers_s=20.0,
)
def endless_bodies() -> Seen:
    half = post(b" " * MIB)[:-1]
    with start_service() as service, many(service, 900) as held:
        for one in held:
            sent(one, half)
        facts: dict[str, Fact] = {
            "others": others(service),
            "memory": memory_mb(service),
            "first one": all_statuses(held[:1]),
        }
        start = time.monotonic()
        facts["last one"] = all_statuses(held[-1:])
        return Seen(facts, time.monotonic() - start)


@fault(
    GROUP,
    "ten clients that send 400,000 requests and read nothing",
    expects={"others": SERVED, "memory": MEMORY},
)
def unread_pipelines() -> Seen:
    with start_service() as service, many(service, 10) as held:
        for one in held:
            one.settimeout(1.0)
        threads = [
            threading.Thread(target=sent, args=(one, LIVEZ * 400_000), daemon=True) for one in held
        ]
        for thread in threads:
            thread.start()
        time.sleep(5.0)
        facts: dict[str, Fact] = {"others": others(service), "memory": memory_mb(service)}
        for thread in threads:
            thread.join()
        return Seen(facts)


@fault(
    GROUP,
    "100 answers of 3 MB that nobody reads",
    expects={"others": SERVED, "memory": MEMORY},
)
def unread_answers() -> Seen:
    body = owned_clusters(1)
    with start_service() as service, contextlib.ExitStack() as stack:
        service.client.post("/quote", json=body)
        for index in range(100):
            one = stack.enter_context(connected(service, receive_buffer_bytes=4096))
            sent(one, post(body | {"start": f"{2027 + index // 12}-{index % 12 + 1:02d}-01"}))
        time.sleep(3.0)
        return Seen({"others": others(service), "memory": memory_mb(service)})


@fault(
    GROUP,
    "client that reads 3 MB in 12 seconds, on a connection that is to be closed",
    expects={"answer": "whole", "others": SERVED},
)
def slow_reader() -> Seen:
    body = owned_clusters(2)
    with start_service() as service:
        size = len(service.client.post("/quote", json=body).content)
        with connected(service, receive_buffer_bytes=65536) as one:
            sent(one, post(body, b"Connection: close"))
            _, _, part = one.recv(4096).partition(b"\r\n\r\n")
            read = len(part)
            facts = {"others": others(service)}
            while part := one.recv(65536):
                read += len(part)
                time.sleep(12.0 * len(part) / size)
        return Seen(facts | {"answer": "whole" if read == size else f"{read} of {size} bytes"})


@fault(
    GROUP,
    "connection on which nothing comes, or nothing more",
    expects={"others": SERVED, "ended": "both"},
    recovers_s=15.0,
)
def half_open() -> Seen:
    with start_service() as service, connected(service) as silent, connected(service) as used:
        start = time.monotonic()
        used.sendall(LIVEZ)
        facts = {"others": others(service)}
        said(used)
        said(silent)
        return Seen(facts | {"ended": "both"}, time.monotonic() - start)


def refusal_by_urllib(service: Service, body: bytes) -> str:
    request = urllib.request.Request(
        f"{service.url}/quote", body, {"content-type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        return f"{error.code} {json.load(error)['type'].removeprefix('/problems/')}"
    return "200"


def refusal_by_http_client(service: Service, body: bytes) -> str:
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.request("POST", "/quote", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    return f"{answer.status} {json.load(answer)['type'].removeprefix('/problems/')}"


def refusal_by_httpx(service: Service, body: bytes) -> str:
    headers = {"content-type": "application/json"}
    return told(httpx.post(f"{service.url}/quote", content=body, headers=headers, timeout=30))


def refusal_by_httpx_in_chunks(service: Service, body: bytes) -> str:
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    headers = {"content-type": "application/json"}
    return told(httpx.post(f"{service.url}/quote", content=pieces, headers=headers, timeout=30))


@fault(
    GROUP,
    "body of 16 MB, sent by urllib, http.client, and httpx at once and in chunks",
    expects={"each reads": "413 payload-too-large", "others": SERVED},
)
def too_large() -> Seen:
    body = b" " * 16 * MIB
    with start_service() as service:
        found = {
            send(service, body)
            for send in (
                refusal_by_urllib,
                refusal_by_http_client,
                refusal_by_httpx,
                refusal_by_httpx_in_chunks,
            )
            for _ in range(3)
        }
        return Seen({"each reads": all_told(found), "others": others(service)})


@fault(
    GROUP,
    "leaves while its costly quote is computed",
    expects={"others": SERVED, "computing": "ended"},
    recovers_s=1.0,
)
def leaves() -> Seen:
    with start_service() as service:
        with connected(service) as one:
            sent(one, post(disaggregated_stages(3)))
            busy = computing_below(service.process.pid)
            facts = {"others": others(service)}
        took = seconds_until(lambda: not lives(busy))
        return Seen(facts | {"computing": "ended"}, took)


RUN_8B: Final = LLAMA_8B.request["run"]
COSTLY: Final = {
    "comparison": (
        b"/compare",
        {
            "run": RUN_8B,
            "choices": {
                "accelerators": [
                    *("nvidia-h100-sxm-80gb", "nvidia-h200-sxm-141gb", "nvidia-b200-sxm"),
                    *("amd-mi300x", "nvidia-a100-sxm-80gb", "nvidia-gb200"),
                ],
                "devices": [64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024],
            },
        },
    ),
    "solution": (
        b"/solve",
        {
            "run": {
                "name": "eight lengths of sequences",
                "stages": [
                    {
                        "name": f"{length} tokens",
                        "work": RUN_8B["stages"][0]["work"] | {"sequence_length": length},
                    }
                    for length in range(1024, 9 * 1024, 1024)
                ],
            },
            "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 256},
            "find": {"kind": "devices", "most": 1024},
            "limits": {"deadline_hours": 8000},
        },
    ),
    "batch": (
        b"/quote/batch",
        b"\n".join(
            json.dumps(metered("batch", {"run": 1000.0 + hours}, devices=8)).encode()
            for hours in range(10_000)
        ),
    ),
}
"""Questions that take a second or more of a processor, by the path that answers them."""
BUSY_S: Final = 0.1
"""CPU that a service takes in a quarter of a second while it computes for somebody."""
GLANCE_S: Final = 0.25


def computes(service: Service) -> bool:
    """Whether a service and its workers take CPU as those do that compute."""

    def taken_s() -> float:
        found = {}
        for one in (service.process.pid, *below(service.process.pid)):
            with contextlib.suppress(OSError):
                found[one] = cpu_s(one)
        return sum(found.values())

    before = taken_s()
    time.sleep(GLANCE_S)
    return taken_s() - before > BUSY_S


def freed_in_s(service: Service, path: bytes, body: object) -> tuple[str, float]:
    """Whether a service computes for a client, and how soon it stops once the client has left."""
    kind = b"application/x-ndjson" if path == b"/quote/batch" else b"application/json"
    with connected(service) as one:
        sent(one, post(body, path=path).replace(b"application/json", kind, 1))
        busy = any(computes(service) for _ in range(4))
    took = seconds_until(lambda: not computes(service))
    return ("computed, and then freed" if busy else "never computed"), took


@fault(
    GROUP,
    "leaves while a comparison, a solution or a batch is computed",
    expects={"others": SERVED} | dict.fromkeys(COSTLY, "computed, and then freed"),
    recovers_s=1.0,
)
def leaves_decisions() -> Seen:
    with start_service() as service:
        sent_first = httpx.post(f"{service.url}/quote", json=disaggregated_stages(1), timeout=120)
        assert sent_first.status_code == 200
        seconds_until(lambda: not computes(service))
        facts, most_s = {"others": others(service)}, 0.0
        for name, (path, body) in COSTLY.items():
            facts[name], took = freed_in_s(service, path, body)
            most_s = max(most_s, took)
        return Seen(facts, most_s)


@fault(
    GROUP,
    "200 connections where 64 files may be open",
    expects={"others": SERVED, "in the log": "yes", "health": "200"},
    quick=True,
)
def few_files() -> Seen:
    few = ("sh", "-c", 'ulimit -n 64 && exec "$0" "$@"')
    with start_service(command=(*few, *SERVE)) as service, many(service, 200):
        return Seen(
            {
                "others": others(service),
                "in the log": "yes" if "few open files" in service.log() else "no",
                "health": health(service),
            }
        )
