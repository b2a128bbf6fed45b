"""A connection whose end reaches its client: what is still coming is read and dropped."""

import asyncio
from typing import Any

from service.serving.limits import Limits


class LingeringTransport(asyncio.Transport):
    """A transport that closes by half, so that its client reads the last answer.

    If a socket is closed while bytes wait in it to be read, the kernel resets the connection. The
    client then loses an answer that it has not read yet. So `close` ends the writing side only,
    drops what still comes, and cuts the connection after a time, or after too many bytes.
    """

    def __init__(
        self, transport: asyncio.Transport, *, loop: asyncio.AbstractEventLoop, limits: Limits
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._limits = limits
        self._dropped = 0
        self.lingering = False

    def close(self) -> None:
        """Send what is written, end the writing side, and wait for the client to end its own."""
        if self.is_closing():
            return
        self.lingering = True
        try:
            self._transport.write_eof()
        except (NotImplementedError, RuntimeError, OSError):  # as over TLS, or after a reset
            self._transport.close()
            return
        self._transport.resume_reading()
        self._loop.call_later(self._limits.linger_s, self._transport.abort)

    def drop(self, size: int) -> None:
        """Count bytes that came after the end, and cut the connection if they are too many."""
        self._dropped += size
        if self._dropped > self._limits.linger_bytes:
            self._transport.abort()

    def abort(self) -> None:
        """Cut the connection now."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.lingering or self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, unless the connection has ended: then nobody reads it."""
        if not self.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Read no more, unless what comes is dropped."""
        if not self.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection, such as its `peername`."""
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the client to read."""
        return self._transport.get_write_buffer_size()
