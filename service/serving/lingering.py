"""A connection whose end reaches its client, and that waits for slow readers but not for ever."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from service.serving.limits import Limits


class LingeringTransport(asyncio.Transport):
    """A transport that closes by half, so that its client reads the last answer.

    If a socket is closed while bytes wait in it to be read, the kernel resets the connection. The
    client then loses an answer that it has not read yet. So `close` ends the writing side only,
    drops what still comes, and cuts the connection some time after the answer has left, or after
    too many bytes.

    An answer may take long to be read. `stalled` is called as soon as its client reads too little
    of it in the time of the limits.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        stalled: Callable[[], None],
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._limits = limits
        self._stalled = stalled
        self._dropped = 0
        self._written = 0
        self._left_before = 0
        self._waits_since = 0.0
        self._reading: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
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
        self._end_soon(waits=True)

    def _end_soon(self, *, waits: bool) -> None:
        self._end = self._loop.call_later(self._limits.linger_s / 2, self._end_if_read, waits)

    def _end_if_read(self, waited: bool) -> None:
        """Cut the connection if nothing has waited to be read since the last look."""
        waits = self.unread_bytes > 0
        if waits or waited:
            self._end_soon(waits=waits)
        else:
            self._transport.abort()

    def drop(self, size: int) -> None:
        """Count bytes that came after the end, and cut the connection if they are too many."""
        self._dropped += size
        if self._dropped > self._limits.linger_bytes:
            self._transport.abort()

    def abort(self) -> None:
        """Cut the connection now."""
        self._transport.abort()

    def forget(self) -> None:
        """Stop all clocks, once the connection is lost."""
        for clock in (self._reading, self._end):
            if clock is not None:
                clock.cancel()
        self._reading = self._end = None

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self.lingering or self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, unless the connection has ended: then nobody reads it."""
        if self.is_closing():
            return
        self._watch_reading(len(data))
        self._transport.write(data)

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write parts that belong together, without making one of them."""
        if self.is_closing():
            return
        parts = tuple(parts)
        self._watch_reading(sum(map(len, parts)))
        self._transport.writelines(parts)

    def _watch_reading(self, size: int) -> None:
        """Start the clock for a client that has so much more to read."""
        if not self.unread_bytes:
            self._waits_since, self._left_before = self._loop.time(), self._written
        self._written += size
        if self._reading is None:
            self._reading = self._loop.call_later(self._limits.stall_s, self._check_reading)

    def _check_reading(self) -> None:
        """End the connection if its client has read too little for too long."""
        self._reading = None
        unread = self.unread_bytes
        if not unread or self._transport.is_closing():
            return
        now, left = self._loop.time(), self._written - unread
        waited_s = now - self._waits_since
        if waited_s >= self._limits.stall_s:
            if left - self._left_before < self._limits.stall_bytes:
                self._stalled()
                return
            self._waits_since, self._left_before, waited_s = now, left, 0.0
        self._reading = self._loop.call_later(self._limits.stall_s - waited_s, self._check_reading)

    @property
    def unread_bytes(self) -> int:
        """Bytes that wait here for the client to read. The kernel holds more."""
        return self._transport.get_write_buffer_size()

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
        return self.unread_bytes
