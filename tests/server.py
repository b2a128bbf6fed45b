"""The real service in a process of its own, on a free port, for tests that talk HTTP to it."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import httpx

from tests.redis_server import unused_port

SERVE = (sys.executable, "-m", "service", "serve")
START_TIMEOUT_S = 60.0
PATIENT = {"RUNQUOTE_REDIS_TIMEOUT_S": "1.5", "RUNQUOTE_COMPUTE_DEADLINE_S": "120"}
"""Beside many tests a healthy Redis and a costly quote may take longer than the defaults allow.

A test of these bounds sets its own.
"""
SETTLE_TIMEOUT_S = 20.0
"""What is counted and logged of a request stands there soon after its answer, not before."""


class Service:
    """One `runquote serve`, its client and its log."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=60.0)
        self._log = log

    def log(self) -> str:
        """What it has said on standard error so far."""
        return self._log.read_text(errors="replace")

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series; 0 where it is not there yet."""
        for line in self.client.get("/metrics").text.splitlines():
            if line.startswith((f"{name}{{", f"{name} ")):
                series, _, value = line.rpartition(" ")
                if all(f'{key}="{label}"' in series for key, label in labels.items()):
                    return float(value)
        return 0.0

    def settles(self, holds: Callable[[], bool]) -> bool:
        """Whether something comes to hold of what it counts and logs."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stop(self) -> int:
        """End it as an orchestrator would, and give its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=START_TIMEOUT_S)


@contextlib.contextmanager
def start_service(*, command: Sequence[str] = SERVE, **environment: str) -> Iterator[Service]:
    """A service for the length of a `with`; `environment` holds RUNQUOTE_* settings.

    `command` starts it, in place of `runquote serve`.
    """
    with tempfile.TemporaryDirectory(prefix="runquote-") as directory:
        log = Path(directory) / "log"
        with log.open("wb") as sink:
            service = _start_anywhere(command, environment, log, sink.fileno())
        try:
            yield service
        finally:
            service.client.close()
            if service.process.poll() is None:
                service.process.kill()
            service.process.wait()


@contextlib.contextmanager
def started_on(stderr: IO[bytes], **environment: str) -> Iterator[httpx.Client]:
    """A service whose standard error goes to this file, and a client of it."""
    port = unused_port()
    more = {"RUNQUOTE_PORT": str(port), "RUNQUOTE_LOG_LEVEL": "debug"} | environment
    with subprocess.Popen(
        SERVE, env=_plain_environment() | more, stdout=subprocess.DEVNULL, stderr=stderr
    ) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20.0) as client:
                deadline = time.monotonic() + START_TIMEOUT_S
                while time.monotonic() < deadline and process.poll() is None:
                    with contextlib.suppress(httpx.TransportError):
                        client.get("/livez")
                        break
                    time.sleep(0.05)
                yield client
        finally:
            process.kill()


def run_to_the_end(
    *, command: Sequence[str] = SERVE, cwd: Path | None = None, **environment: str
) -> tuple[int, str]:
    """Exit status and standard error of a service that cannot start."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        env=_plain_environment() | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    return ended.returncode, ended.stderr.decode(errors="replace")


def _start_anywhere(
    command: Sequence[str], environment: dict[str, str], log: Path, sink: int
) -> Service:
    for _ in range(20):
        port = unused_port()
        process = subprocess.Popen(
            command,
            env=_plain_environment() | {"RUNQUOTE_PORT": str(port)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
        service = Service(process, port, log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            # Two servers can bind one port; only ours knows its process id.
            if f'"pid":{process.pid},' in service.log() and _answers(service):
                return service
            time.sleep(0.02)
        process.kill()
        process.wait()
        if "address already in use" not in service.log():
            break
    raise AssertionError(f"the service did not start:\n{service.log()}")


def _answers(service: Service) -> bool:
    try:
        return service.client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def _plain_environment() -> dict[str, str]:
    outside = {key: value for key, value in os.environ.items() if not key.startswith("RUNQUOTE_")}
    return outside | PATIENT
