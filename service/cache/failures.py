"""Why a Redis gave no answer, in a closed set of reasons, and how that is logged.

redis-py tells many of these apart by text only, or by what an exception was raised for.
"""

import errno
import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MaxConnectionsError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.cache.observing import Reason, Result

COMPLAINT_INTERVAL_S: Final = 60.0
"""What lasts is logged once a minute for each reason. The metrics count each time."""
LONGEST_DETAIL: Final = 200
DEMOTED: Final = "The previous master is now a slave"
"""What redis-py says of a master that a Sentinel has replaced."""
CLOSED: Final = ("Connection closed by server", "Error while reading from", "Error while writing")
"""How redis-py says that a connection ended before the reply did."""
CONNECTING: Final = re.compile(r"Error (\d+) connecting to ")
_BY_NUMBER: Final[dict[int, Reason]] = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "cut",
    errno.EPIPE: "cut",
}


class Failure(NamedTuple):
    """Why a command gave nothing."""

    reason: Reason
    result: Result
    is_outage: bool
    """Whether the server does not work. False if it answered and refused."""
    detail: str


def failure_of(error: Exception) -> Failure:
    """What an exception of redis-py or of the network means."""
    reason = _reason_of(error)
    return Failure(
        reason,
        _RESULTS.get(reason, "error"),
        is_outage=reason not in _ANSWERED and not isinstance(error, AskError | TryAgainError),
        detail=f"{type(error).__name__}: {error}"[:LONGEST_DETAIL],
    )


_RESULTS: Final[dict[Reason, Result]] = {"timeout": "timeout", "wrong_type": "invalid"}
_ANSWERED: Final[frozenset[Reason]] = frozenset(
    ("not_permitted", "out_of_memory", "own_limit", "read_only", "refused_command", "wrong_type")
)
"""The server works, and does not do this for us; or we did not ask."""
# The first row that matches counts. An exception class may be a subclass of a later one.
_BY_CLASS: Final[
    tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Reason], ...]
] = (
    (MaxConnectionsError, "own_limit"),
    ((AuthenticationError, AuthorizationError), "password"),
    (BusyLoadingError, "loading"),
    (MasterNotFoundError, "no_master"),
    (ClusterDownError, "cluster_down"),
    ((AskError, TryAgainError), "moved"),
    (ReadOnlyError, "read_only"),
    (OutOfMemoryError, "out_of_memory"),
    (NoPermissionError, "not_permitted"),
    (InvalidResponse, "not_redis"),
    ((TimeoutError, RedisTimeoutError), "timeout"),
)
_BY_CAUSE: Final[
    tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Reason], ...]
] = (
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLEOFError, "cut"),
    (ssl.SSLError, "tls"),
    (socket.gaierror, "unknown_host"),
    (ConnectionRefusedError, "refused"),
    ((ConnectionResetError, BrokenPipeError, EOFError), "cut"),
    (OSError, "unreachable"),
)


def _reason_of(error: Exception) -> Reason:
    for classes, reason in _BY_CLASS:
        if isinstance(error, classes):
            return reason
    if isinstance(error, ResponseError):
        return "wrong_type" if str(error).startswith("WRONGTYPE") else "refused_command"
    for classes, reason in _BY_CAUSE:
        if any(isinstance(cause, classes) for cause in _causes(error)):
            return reason
    return _reason_in(str(error)) if isinstance(error, RedisConnectionError) else "other"


def _reason_in(text: str) -> Reason:
    """Why there is no connection, in redis-py's words.

    A connection that is found closed is made anew. What then fails has only a number in its text.
    """
    if text.startswith(DEMOTED):
        return "moved"
    if text.startswith(CLOSED):
        return "cut"
    number = CONNECTING.match(text)
    return "other" if number is None else _BY_NUMBER.get(int(number[1]), "unreachable")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised for."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


class Complaints:
    """Log lines about what may happen often: each kind is said at once, then once a minute."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._said: dict[tuple[str, str, str], float] = {}
        self._unsaid: dict[tuple[str, str, str], int] = {}

    def make(self, event: str, *, server: str, reason: str, **facts: str | int) -> bool:
        """Log a warning unless its like was logged just now. Returns whether it was."""
        kind = (event, server, reason)
        now = time.monotonic()
        if now - self._said.get(kind, -COMPLAINT_INTERVAL_S) < COMPLAINT_INTERVAL_S:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return False
        self._said[kind] = now
        unsaid = self._unsaid.pop(kind, 0)
        more = {"unsaid": unsaid} if unsaid else {}
        self._log.warning(event, server=server, reason=reason, **facts, **more)
        return True
