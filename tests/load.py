"""Callers that post quotes one after another, as services do that call this one."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

from tests.requests import R1

HEADERS = {"content-type": "application/json"}
PAUSE_S = 0.02
"""Between two tries to connect."""


def named(name: str) -> dict[str, Any]:
    """R1 under a name of its own, so that its quote is in no cache."""
    return R1 | {"run": R1["run"] | {"name": name}}


class Answered(NamedTuple):
    """An answer: when it came, how long it took, and its status."""

    at: float
    took_s: float
    status: int


class Caller(threading.Thread):
    """Posts quotes one after another, until it is told to stop or nobody listens any more."""

    def __init__(
        self,
        port: int,
        *,
        keep_alive: bool,
        until_refused: bool = True,
        pause_s: float = 0.0,
        make: Callable[[str], Any] = named,
        path: str = "/quote",
    ) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.answers: list[Answered] = []
        self.lost: list[str] = []
        """Requests that were sent on an open connection and not answered."""
        self.stopping = threading.Event()
        self._keep_alive = keep_alive
        self._until_refused = until_refused
        self._pause_s = pause_s
        self._make = make
        self._path = path

    def run(self) -> None:
        """Call until there is an end."""
        while not self.stopping.is_set():
            connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.connect()
            except OSError:
                if self._until_refused:
                    return
                time.sleep(PAUSE_S)
                continue
            try:
                while self._call(connection) and self._keep_alive and not self.stopping.is_set():
                    time.sleep(self._pause_s)
            except (OSError, HTTPException) as error:
                self.lost.append(repr(error))
            finally:
                connection.close()

    def _call(self, connection: HTTPConnection) -> bool:
        """Whether the connection may be used again."""
        body = self._make(f"{self.name} {len(self.answers)}")
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
        start = time.monotonic()
        connection.request(method, self._path, data, HEADERS)
        answer = connection.getresponse()
        answer.read()
        now = time.monotonic()
        self.answers.append(Answered(now, now - start, answer.status))
        return answer.getheader("connection") != "close"


class Load:
    """Callers together."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self.callers = callers

    @property
    def answers(self) -> list[Answered]:
        """All answers so far."""
        return [one for caller in self.callers for one in list(caller.answers)]

    @property
    def lost(self) -> list[str]:
        """All requests without an answer so far."""
        return [one for caller in self.callers for one in list(caller.lost)]

    def between(self, begin: float, end: float) -> list[Answered]:
        """The answers to requests that were sent and answered within this time."""
        return [one for one in self.answers if begin <= one.at - one.took_s and one.at <= end]

    def join(self, timeout_s: float = 60.0) -> None:
        """Wait for callers that end by themselves."""
        for caller in self.callers:
            caller.join(timeout_s)

    def stop(self) -> None:
        """End all callers."""
        for caller in self.callers:
            caller.stopping.set()
        self.join()


@contextmanager
def under_load(callers: Sequence[Caller]) -> Iterator[Load]:
    """Callers that call for the length of a `with`."""
    load = Load(callers)
    for caller in callers:
        caller.start()
    try:
        yield load
    finally:
        load.stop()


def quantile(answers: Sequence[Answered], share: float) -> float:
    """The time in seconds within which this share of answers came."""
    ordered = sorted(one.took_s for one in answers)
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1]


def quietest(
    answers: Sequence[Answered], share: float, *, begin: float, end: float, stretches: int
) -> float:
    """The least of the quantiles of equal stretches of time: others may disturb the machine."""
    length = (end - begin) / stretches
    starts = [begin + number * length for number in range(stretches)]
    parts = ([one for one in answers if at <= one.at - one.took_s < at + length] for at in starts)
    return min(quantile(part, share) for part in parts if part)
