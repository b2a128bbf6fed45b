"""Requests as bytes on a plain connection, for what no client library sends."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

from tests.server import Service

HOST = b"Host: x\r\n"
TIMEOUT_S = 20.0


@contextlib.contextmanager
def connected(
    service: Service, *, receive_buffer_bytes: int | None = None
) -> Iterator[socket.socket]:
    """A plain connection. A small buffer makes a client that takes little at a time."""
    with socket.socket() as one:
        if receive_buffer_bytes is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        one.settimeout(TIMEOUT_S)
        one.connect(("127.0.0.1", service.port))
        yield one


def sent(one: socket.socket, data: bytes) -> None:
    """Send as much as the server takes."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
        one.sendall(data)


def said(one: socket.socket) -> bytes:
    """All that the server says until it ends the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := one.recv(65536):
            parts.append(part)
    return b"".join(parts)


def post(body: Any, *headers: bytes, version: bytes = b"1.1", path: bytes = b"/quote") -> bytes:
    """A POST of JSON, with its length. More headers are lines without their ends."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = b"".join(line + b"\r\n" for line in headers)
    return (
        b"POST %s HTTP/%s\r\n" % (path, version)
        + HOST
        + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(data)
        + more
        + b"\r\n"
        + data
    )


def chunked(body: bytes, *, size: int) -> bytes:
    """A body in chunks of so many bytes, with its end."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    """The status of each answer, for answers whose bodies hold no status line."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", answer)]
