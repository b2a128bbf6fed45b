"""What one client may take of the server: bytes, seconds, connections."""

import resource
from typing import Final

import msgspec
import structlog
from msgspec import Struct

log = structlog.get_logger("runquote")

FILES_BESIDE_CONNECTIONS: Final = 100
"""Files that the process holds open besides its connections: the log, Redis, the listener."""
LEAST_CONNECTIONS: Final = 10


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds on a connection and on all connections together."""

    head_bytes: int = 64 * 2**10
    """Request line and headers of one request."""
    fields: int = 100
    """Headers of one request."""
    head_s: float = 10.0
    """From the first byte of a request to the end of its headers. A new connection has as long to
    begin."""
    request_s: float = 30.0
    """From the end of the headers to the end of the body."""
    stall_s: float = 30.0
    stall_bytes: int = 32 * 2**10
    """What a client reads in so many seconds, at least, of an answer that waits for it."""
    unread_bytes: int = 64 * 2**20
    """Answers that wait for their clients, of all connections. Beyond it, the connection whose
    client is behind for longest is cut."""
    unfinished_bytes: int = 64 * 2**20
    """Bodies of requests that are not answered, and requests that were read ahead, of all
    connections. Beyond it, the body that came to arrive first is refused."""
    send_buffer_bytes: int = 192 * 2**10
    """What the kernel holds of an answer. It takes megabytes if it is not told."""
    keep_alive_s: int = 5
    """How long a connection may be idle between requests."""
    half_closed_s: float = 0.5
    """How long the next answer may take to be made for a client that sends no more. It may wait for
    answers, or it may have left: the network does not tell."""
    connections: int = 1000
    """Connections at once. Beyond it, the one that is idle for longest is closed."""
    linger_s: float = 2.0
    """How long bytes are read and dropped after an answer that ends the connection, so that its
    client reads the answer before it learns that the connection is closed."""
    linger_bytes: int = 64 * 2**20
    """How many bytes are dropped at most."""


def within_open_files(limits: Limits) -> Limits:
    """The limits with no more connections than the process may have open files.

    The soft limit of open files is raised as far as it is needed and allowed. A log line says if
    that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + FILES_BESIDE_CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    most = max(soft - FILES_BESIDE_CONNECTIONS, LEAST_CONNECTIONS)
    log.warning("few open files are allowed", allowed=soft, wanted=wanted, connections=most)
    return msgspec.structs.replace(limits, connections=most)
