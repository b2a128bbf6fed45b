"""Ends and starts of the process, its workers, its log, its settings and its files."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx

from tests.faults.probing import RIGHT, all_told, health, quoted, seconds_until, told
from tests.faults.rows import AtMost, Fact, Seen, fault
from tests.load import Caller, named, under_load
from tests.processes import below, computing_below, lives
from tests.redis_server import start_redis, unused_port
from tests.requests import R1, disaggregated_stages
from tests.server import SERVE, Service, run_to_the_end, start_service, started_on

GROUP: Final = "Process"
CALLERS: Final = 8
ACCEPTED: Final = 1000
"""Requests that are answered before the signal comes."""


def ended_under_load(*, keep_alive: bool) -> Seen:
    """What callers see of a SIGTERM."""
    with start_service(RUNQUOTE_DRAIN_S="1") as service:
        callers = [Caller(service.port, keep_alive=keep_alive) for _ in range(CALLERS)]
        with under_load(callers) as load:
            seconds_until(lambda: len(load.answers) >= ACCEPTED)
            start = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            load.join()
        status = service.process.wait(timeout=60)
        facts: dict[str, Fact] = {
            "lost": str(len(load.lost)),
            "answers": all_told({str(one.status) for one in load.answers}),
            "exit status": str(status),
            "ended": time.monotonic() - start,
        }
        return Seen(facts)


ENDED: Final[dict[str, str | AtMost]] = {
    "lost": "0",
    "answers": "200",
    "exit status": "0",
    "ended": AtMost(20.0, "s"),
}


@fault(GROUP, "SIGTERM under load, connections kept alive", expects=ENDED)
def term_kept_alive() -> Seen:
    return ended_under_load(keep_alive=True)


@fault(GROUP, "SIGTERM under load, a connection for each request", expects=ENDED)
def term_new_connections() -> Seen:
    return ended_under_load(keep_alive=False)


@fault(
    GROUP,
    "SIGTERM while a costly quote is computed",
    expects={"its answer": "200", "exit status": "0"},
)
def term_costly() -> Seen:
    found: list[str] = []
    with start_service(RUNQUOTE_DRAIN_S="0", RUNQUOTE_SHUTDOWN_TIMEOUT_S="60") as service:

        def ask() -> None:
            body = disaggregated_stages(1, stages=16)
            found.append(told(httpx.post(f"{service.url}/quote", json=body, timeout=60)))

        asking = threading.Thread(target=ask)
        asking.start()
        computing_below(service.process.pid)
        service.process.send_signal(signal.SIGTERM)
        asking.join()
        return Seen(
            {
                "its answer": all_told(set(found)),
                "exit status": str(service.process.wait(timeout=60)),
            }
        )


@fault(
    GROUP,
    "SIGHUP under load, twenty times",
    expects={"lost": "0", "answers": "200", "health": "200"},
)
def hangups() -> Seen:
    with start_service() as service:
        with under_load([Caller(service.port, keep_alive=True) for _ in range(2)]) as load:
            for _ in range(20):
                service.process.send_signal(signal.SIGHUP)
                time.sleep(0.1)
        return Seen(
            {
                "lost": str(len(load.lost)),
                "answers": all_told({str(one.status) for one in load.answers}),
                "health": health(service),
            }
        )


@fault(
    GROUP,
    "SIGKILL under load, with a costly quote under way; started anew beside the same Redis",
    expects={"processes left": "0", "by id": "200", "quotes": RIGHT},
    recovers_s=30.0,
)
def kill() -> Seen:
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as service:
        path = service.client.post("/quote", json=R1).headers["content-location"]
        with under_load([Caller(service.port, keep_alive=True) for _ in range(2)]):
            threading.Thread(target=_ask_in_vain, args=(service,), daemon=True).start()
            computing_below(service.process.pid)
            workers = below(service.process.pid)
            service.process.kill()
            service.process.wait()
        start = time.monotonic()
        seconds_until(lambda: not any(map(lives, workers)))
        with start_service(RUNQUOTE_REDIS_URL=redis.url) as successor:
            took = time.monotonic() - start
            facts = {
                "processes left": str(sum(map(lives, workers))),
                "by id": told(successor.client.get(path)),
                "quotes": quoted(successor, "after the kill"),
            }
            return Seen(facts, took)


def _ask_in_vain(service: Service) -> None:
    with contextlib.suppress(httpx.TransportError):
        httpx.post(f"{service.url}/quote", json=disaggregated_stages(1), timeout=60)


@fault(
    GROUP,
    "SIGKILL of the worker that computes",
    expects={"its quote": "503 overloaded Retry-After", "others": "200", "again": "200"},
    recovers_s=10.0,
)
def killed_worker() -> Seen:
    found: list[str] = []
    with start_service() as service:

        def ask() -> None:
            answer = httpx.post(f"{service.url}/quote", json=disaggregated_stages(1), timeout=60)
            found.append(told(answer))

        asking = threading.Thread(target=ask)
        asking.start()
        busy = computing_below(service.process.pid)
        os.kill(busy, signal.SIGKILL)
        start = time.monotonic()
        others = told(service.client.post("/quote", json=named("beside")))
        asking.join()
        again = told(service.client.post("/quote", json=disaggregated_stages(2, stages=1)))
        facts = {"its quote": all_told(set(found)), "others": others, "again": again}
        return Seen(facts, time.monotonic() - start)


def answers_to(client: httpx.Client, *, count: int) -> str:
    """How so many quotes and a probe are answered."""
    answers = {told(client.post("/quote", json=R1)) for _ in range(count)}
    return all_told(answers | {told(client.get("/livez"))})


@fault(GROUP, "log: a pipe that nobody reads", expects={"answers": "200"})
def unread_log() -> Seen:
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb") as sink, started_on(sink) as client:
        return Seen({"answers": answers_to(client, count=600)})


@fault(GROUP, "log: a pipe whose reader is gone", expects={"answers": "200"})
def broken_log() -> Seen:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as sink, started_on(sink) as client:
        client.post("/quote", json=R1)
        os.close(reader)
        return Seen({"answers": answers_to(client, count=100)})


@fault(
    GROUP,
    "log: a device that is full, from the start",
    expects={"answers": "200", "dropped lines": "counted"},
)
def full_log() -> Seen:
    with Path("/dev/full").open("wb") as full, started_on(full) as client:
        answers = answers_to(client, count=100)
        time.sleep(0.3)
        (line,) = (
            line
            for line in client.get("/metrics").text.splitlines()
            if line.startswith("runquote_log_lines_dropped_total ")
        )
        dropped = float(line.split()[1])
        return Seen({"answers": answers, "dropped lines": "counted" if dropped >= 100 else "no"})


@fault(
    GROUP,
    "SIGTERM while it starts, held up by a Redis that hangs",
    expects={"exit status": "0", "traceback": "no"},
)
def term_at_the_start() -> Seen:
    with start_redis() as redis:
        redis.hang()
        environment = os.environ | {
            "RUNQUOTE_PORT": str(unused_port()),
            "RUNQUOTE_REDIS_URL": redis.url,
        }
        with subprocess.Popen(SERVE, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            while '"event":"started"' not in (line := process.stderr.readline()):
                assert line, "it said that it started"
            process.send_signal(signal.SIGTERM)
            rest = process.stderr.read()
            status = process.wait(timeout=60)
    return Seen({"exit status": str(status), "traceback": "yes" if "Traceback" in rest else "no"})


def start_fails(status: int, said: str, *, word: str) -> Seen:
    """What a start that fails says."""
    return Seen(
        {
            "exit status": str(status),
            "names it": "yes" if word in said else "no",
            "traceback": "yes" if "Traceback" in said else "no",
        }
    )


FAILS: Final = {"exit status": "2", "names it": "yes", "traceback": "no"}


@fault(GROUP, "start with a setting that is none", expects=FAILS)
def unknown_setting() -> Seen:
    return start_fails(*run_to_the_end(RUNQUOTE_PRT="1"), word="RUNQUOTE_PRT")


@fault(GROUP, "start with a value out of bounds", expects=FAILS)
def bad_setting() -> Seen:
    return start_fails(*run_to_the_end(RUNQUOTE_DRAIN_S="soon"), word="RUNQUOTE_DRAIN_S")


@contextlib.contextmanager
def damaged_package() -> Iterator[Path]:
    """A copy of the package with a file of the catalog that breaks off."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(__file__).parents[2]
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / "service", Path(directory) / "service", ignore=ignored)
        shutil.copytree(root / "openapi", Path(directory) / "openapi")
        damaged = Path(directory) / "service" / "data" / "claims.toml"
        damaged.write_text(damaged.read_text()[:-40])
        yield Path(directory)


@fault(GROUP, "start with a file of the catalog that breaks off", expects=FAILS)
def bad_catalog() -> Seen:
    with damaged_package() as directory:
        ended = run_to_the_end(cwd=directory, PYTHONPATH=str(directory))
    return start_fails(*ended, word="claims.toml")


@fault(
    GROUP,
    "start on a port that is taken",
    expects=FAILS | {"exit status": "3"},
)
def taken_port() -> Seen:
    with start_service() as service:
        return start_fails(*run_to_the_end(RUNQUOTE_PORT=str(service.port)), word=str(service.port))
