"""An observer that remembers, and patience that ends."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from service.cache import BreakerState, Operation, Reason, Result, Tier

PATIENCE_S = 60.0  # far beyond what anything here takes: it ends a test that would never end


class Recorder:
    """Counts what a cache reports, as the metrics would."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[Tier, Operation, Result]] = Counter()
        self.failures: Counter[Reason] = Counter()
        self.servers: Mapping[BreakerState, int] = {}
        self.states: list[BreakerState] = []
        """The states that the breaker of a single Redis went through."""

    def observe(self, tier: Tier, operation: Operation, result: Result) -> None:
        self.seen[tier, operation, result] += 1

    def failed(self, reason: Reason) -> None:
        self.failures[reason] += 1

    def breakers(self, states: Mapping[BreakerState, int]) -> None:
        self.servers = states
        if sum(states.values()) == 1:
            self.states += [state for state, servers in states.items() if servers]

    def redis_gets(self) -> dict[Result, int]:
        return self._of("redis", "get")

    def redis_puts(self) -> dict[Result, int]:
        return self._of("redis", "put")

    def _of(self, tier: Tier, operation: Operation) -> dict[Result, int]:
        return {r: n for (t, o, r), n in self.seen.items() if (t, o) == (tier, operation)}


async def until(holds: Callable[[], bool]) -> None:
    """Return as soon as `holds()`."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


async def until_is(expected: object, ask: Callable[[], Awaitable[object]]) -> None:
    """Return as soon as `ask()` answers `expected`."""
    async with asyncio.timeout(PATIENCE_S):
        while await ask() != expected:
            await asyncio.sleep(0.005)
