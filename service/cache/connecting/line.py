"""A connection to a Redis server, with many commands on their way.

Commands of one turn of the event loop leave in one write. A write to a socket takes longer than all
else that is done for a command, and wakes the server each time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, Final, TypeAlias

from hiredis import Reader
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

NOT_YET: Final = object()
"""What the reader of replies returns until a reply is whole."""
FED_BYTES: Final = 32 * 1024
"""The reader is fed this much at a time. It moves all that it holds with each reply that it gives,
so that eight replies of 23 KB, fed at once, take three times as long."""
CLOCK_S: Final = 0.001
"""What timers of the loop may be early by."""

Take: TypeAlias = Callable[[Any], None]
"""Takes a reply, or the exception that redis-py would raise, or a `TimeoutError`."""


class Asked:
    """A command on its way: who takes its reply, as long as somebody does, and by when."""

    __slots__ = ("due", "take")

    def __init__(self, take: Take, due: float | None) -> None:
        self.take: Take | None = take
        self.due = due


class Line(asyncio.Protocol):
    """A connection that redis-py has made.

    Redis answers in the order in which it is asked. So a reply belongs to the command that waits
    for longest, whether anybody still wants it or not. redis-py itself takes longer for a command
    than all of this: it sends one at a time, and reads each reply in pieces.
    """

    def __init__(self, connection: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = Reader(
            protocolError=InvalidResponse, replyError=BaseParser.parse_error, notEnoughData=NOT_YET
        )
        self._waiting: deque[Asked] = deque()
        self._unsent: list[bytes] = []
        self._clock: asyncio.TimerHandle | None = None
        """One for all commands that have to be answered in time."""
        self._rings_at = 0.0
        self._writer = connection._writer  # noqa: SLF001 - a writer that is let go closes itself
        connection._reader = connection._writer = None  # noqa: SLF001 - redis-py reads no more
        self._transport = self._writer.transport
        self._transport.set_protocol(self)
        self.is_open = True
        """Whether commands may be sent."""

    @property
    def is_idle(self) -> bool:
        """Whether no reply is owed."""
        return not self._waiting

    def ask(self, packed: bytes, take: Take, *, within_s: float) -> None:
        """Send a command whose reply is given to `take`, unless it is late.

        Then the connection takes no more commands, since it may hang.
        """
        due = monotonic() + within_s
        self._send(packed, Asked(take, due))
        if self._clock is None or due < self._rings_at:
            self._ring(due, within_s)

    async def reply(self, packed: bytes) -> Any:
        """The reply to a command. Raises what redis-py raises."""
        answered: asyncio.Future[Any] = self._loop.create_future()
        asked = Asked(partial(_fulfil, answered), None)
        self._send(packed, asked)
        try:
            reply = await answered
        except asyncio.CancelledError:
            asked.take = None
            self.retire()  # it may hang
            raise
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _send(self, packed: bytes, asked: Asked) -> None:
        self._waiting.append(asked)
        if not self._unsent:
            self._loop.call_soon(self._send_all)
        self._unsent.append(packed)

    def _send_all(self) -> None:
        unsent, self._unsent = self._unsent, []
        if not self._transport.is_closing():
            self._transport.writelines(unsent)

    def retire(self) -> None:
        """Take no more commands, and close as soon as nobody waits for a reply."""
        self.is_open = False
        if all(asked.take is None for asked in self._waiting):
            self._transport.abort()

    def _ring(self, due: float, left_s: float) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._rings_at = due
        self._clock = self._loop.call_later(left_s, self._tell_who_is_late)

    def _tell_who_is_late(self) -> None:
        self._clock = None
        now = monotonic()
        late: list[Take] = []
        next_due: float | None = None
        for asked in self._waiting:
            if asked.take is None or asked.due is None:
                continue
            if asked.due <= now + CLOCK_S:
                late.append(asked.take)
                asked.take = None
            elif next_due is None or asked.due < next_due:
                next_due = asked.due
        if next_due is not None:
            self._ring(next_due, next_due - now)
        if late:
            self.retire()
        for take in late:
            self._give(take, TimeoutError())

    def data_received(self, data: bytes) -> None:
        """Give replies to those who wait for them."""
        try:
            for start in range(0, len(data), FED_BYTES):
                self._reader.feed(data, start, min(FED_BYTES, len(data) - start))
                while (reply := self._reader.gets()) is not NOT_YET:
                    self._answer(reply)
        except InvalidResponse as error:
            self._end(error)
            self._transport.abort()
        if not self.is_open:
            self.retire()

    def _answer(self, reply: Any) -> None:
        if not self._waiting:
            raise InvalidResponse("a reply to nothing")
        take = self._waiting.popleft().take
        if take is not None:
            self._give(take, reply)

    def _give(self, take: Take, reply: Any) -> None:
        """Whatever goes wrong with one reply is no matter of those behind it."""
        try:
            take(reply)
        except Exception as error:  # noqa: BLE001 - the loop says what it is, as of any callback
            self._loop.call_exception_handler({"message": "a reply of Redis", "exception": error})

    def connection_lost(self, exc: Exception | None) -> None:
        """All who wait get nothing."""
        error = RedisConnectionError("Connection closed by server.")
        error.__cause__ = exc
        self._end(error)

    def eof_received(self) -> None:
        """The server has closed the connection."""
        self.is_open = False

    def _end(self, error: Exception) -> None:
        self.is_open = False
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        waiting, self._waiting = self._waiting, deque()
        for asked in waiting:
            if asked.take is not None:
                self._give(asked.take, error)


def _fulfil(answered: asyncio.Future[Any], reply: Any) -> None:
    if not answered.done():
        answered.set_result(reply)
