"""Structured logs: one JSON line for each event, on standard error. No line ever waits.

Lines are written by a thread of their own. Who reads standard error may be slow or gone, and its
device may be full: then lines are dropped and counted, and requests go on.
"""

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from time import sleep, time
from typing import Any, Final, TypeAlias

import msgspec
import structlog

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
MOST_LINES: Final = 10_000
"""Lines that wait to be written. More are dropped."""
PAUSE_S: Final = 0.05
"""How long a line may wait for others that are written with it."""
LEAST_AT_ONCE: Final = 16
"""Lines that are made before requests go on, at least. They take some 40 us."""
MOST_BREATHS: Final = 64
"""How often requests go on while lines are made, at most: more are made at once where many wait."""
BREATH_S: Final = 50e-6
"""A sleep of this length lets the thread that answers take the interpreter. A sleep of zero lets go
of it too, but takes it back before the other thread has woken. The kernel adds up to 50 us to any
sleep, so a shorter one would not end much sooner."""
ENCODER: Final = msgspec.json.Encoder(enc_hook=repr)
"""What has no JSON of its own is printed."""
FAREWELL_S: Final = 1.0
"""How long the end of the process waits for the last lines."""


Fields: TypeAlias = Callable[..., dict[str, Any]]
"""Makes the fields of a line from what is known of an event."""
RequestLog: TypeAlias = Callable[[Fields, tuple[Any, ...]], None]
"""Takes what is known of a request that is over, and how its fields are made of that."""
Unwritten: TypeAlias = str | tuple[Fields, tuple[Any, ...], float]
"""A line, or how it is made: a function, its arguments, and the time of the event."""


class LineWriter:
    """A text stream that never blocks: lines wait in memory for the thread that writes them."""

    def __init__(
        self, descriptor: int, *, most_lines: int = MOST_LINES, pause_s: float = PAUSE_S
    ) -> None:
        self._descriptor = descriptor
        self._most_lines = most_lines
        self._pause_s = pause_s
        self._lines: deque[Unwritten] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self.dropped = 0
        """Lines that nobody will read."""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, text: str) -> int:
        """Take a line, unless too many wait."""
        if len(self._lines) < self._most_lines:
            self._lines.append(text)
        else:
            self.dropped += 1
        return len(text)

    def defer(self, fields: Fields, facts: tuple[Any, ...]) -> None:
        """Take a line of a request that the thread makes itself, from `fields(*facts)`."""
        if len(self._lines) < self._most_lines:
            self._lines.append((fields, facts, time()))
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Lines are written soon, in any case."""

    def close(self, *, wait_s: float = FAREWELL_S) -> None:
        """Write what waits, if that takes no longer than `wait_s`."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        while not self._ending.wait(self._pause_s):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        waiting = len(self._lines)
        if not waiting:
            return
        left = self._taken(waiting)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:  # the device is full, or nobody reads any more
            self.dropped += left.count(b"\n")

    def _taken(self, waiting: int) -> bytes:
        """Lines that wait, some at a time: requests go on between them.

        The thread that answers would wait for the interpreter until all were made, or 5 ms.
        """
        at_once = max(LEAST_AT_ONCE, waiting // MOST_BREATHS)
        made = bytearray()
        for place in range(waiting):
            if place and place % at_once == 0:
                sleep(BREATH_S)
            line = self._lines.popleft()
            if isinstance(line, str):
                made += line.encode()
            else:
                _write_request(made, *line)
        return bytes(made)


def request_log(writer: LineWriter, *, level: str, form: str) -> RequestLog | None:
    """A log of requests whose lines are made off the path of their answers. None if it is usual."""
    if form != "json":
        return None
    if LEVELS[level] > logging.INFO:
        return lambda _fields, _facts: None
    return writer.defer


def _write_request(made: bytearray, fields: Fields, facts: tuple[Any, ...], seconds: float) -> None:
    """Append the line of a request."""
    line = fields(*facts)
    line["event"], line["level"], line["timestamp"] = "request", "info", _moment(seconds)
    ENCODER.encode_into(line, made, -1)
    made += b"\n"


def _moment(seconds: float) -> str:
    """A time as structlog writes it."""
    whole, micros = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=2)
def _second(whole: int) -> str:
    """A whole second, which many lines share."""
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def configure_logs(*, level: str, form: str) -> LineWriter:
    """Set up structlog, and format the logs of libraries in the same way."""
    writer = LineWriter(sys.stderr.fileno())
    writer.start()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=as_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=writer),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    return writer


def as_json(event: Any, **_: Any) -> str:
    """A line of the log."""
    return ENCODER.encode(event).decode()
