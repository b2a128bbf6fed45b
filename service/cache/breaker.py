"""The breaker stops asking a Redis that does not answer, and probes it until it does.

No published breaker fits an event loop that must never wait. After their pause, purgatory and
circuitbreaker let all concurrent requests through as a trial, so that a hung server costs each of
them a timeout; purgatory also reads the wall clock. pybreaker is asynchronous on Tornado only.
aiobreaker has had no release since 2021. Here no request is the trial. A probe in the background
is, and it may wait longer than a request could.
"""

import asyncio
from collections.abc import Awaitable, Callable

from service.cache.observing import BreakerState


class Breaker:
    """closed -> open after `failures_to_open` failures in a row -> half_open while a probe is out.

    Only a closed breaker lets requests through. `probe` answers whether the Redis works. It is
    called every `pause_s` seconds until it does. `moved` is called with each change of state.
    """

    def __init__(
        self,
        *,
        failures_to_open: int,
        pause_s: float,
        probe: Callable[[], Awaitable[bool]],
        moved: Callable[[BreakerState], None],
    ) -> None:
        self._failures_to_open = failures_to_open
        self._pause_s = pause_s
        self._probe = probe
        self._moved = moved
        self._failures_in_a_row = 0
        self._recovery: asyncio.Task[None] | None = None
        self.state: BreakerState = "closed"

    @property
    def is_closed(self) -> bool:
        """Whether requests may ask the Redis."""
        return self.state == "closed"

    def succeeded(self) -> None:
        """The Redis answered. An answer counts only while the breaker is closed."""
        if self.is_closed:
            self._failures_in_a_row = 0

    def failed(self) -> bool:
        """The Redis did not answer. Returns True if this failure opened the breaker."""
        if not self.is_closed:
            return False
        self._failures_in_a_row += 1
        if self._failures_in_a_row < self._failures_to_open:
            return False
        self.open()
        return True

    def open(self) -> None:
        """Let no request through until a probe succeeds."""
        if self.is_closed:
            self._move("open")
            self._recovery = asyncio.create_task(self._recover(), name="cache breaker recovery")

    async def close(self) -> None:
        """Stop probing, for good."""
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
            self._recovery = None

    async def _recover(self) -> None:
        while not self.is_closed:
            await asyncio.sleep(self._pause_s)
            self._move("half_open")
            works = await self._probe()
            if works:
                self._failures_in_a_row = 0
            self._move("closed" if works else "open")

    def _move(self, state: BreakerState) -> None:
        self.state = state
        self._moved(state)
