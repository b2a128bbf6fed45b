"""How much a caller may ask for: CPU time of quotes in a sliding minute, counted by `limits`.

A unit is a millisecond of CPU as it is estimated before the work begins. Each request costs one
unit at least. A quote that costs more than a whole quota costs the whole quota, so that it can be
had at all.
"""

from math import ceil
from typing import Final, Literal, NamedTuple, NoReturn, Protocol, TypeAlias

from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter as SharedLimiter
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter as OwnLimiter

from service.access.shared_counts import SharedCounts, Uncounted
from service.caller import QuotaExceeded

WINDOW_S: Final = 60
POLICY: Final = "cpu"
UNITS_PER_S: Final = 1000

Outcome: TypeAlias = Literal["within", "exceeded", "uncounted"]


class Observer(Protocol):
    """Counts what is charged."""

    def __call__(self, outcome: Outcome, units: int) -> None:
        """So many units were taken from a quota, or refused, or could not be counted."""


class Usage(NamedTuple):
    """A sliding window: what the minute before used, how much of it still counts, and this one."""

    before: int
    before_counts_s: float
    now: int
    now_lasts_s: float

    @property
    def used(self) -> float:
        """What counts now: the minute before counts in part, and less by the second."""
        return self.before * self.before_counts_s / WINDOW_S + self.now

    def remaining(self, quota: int) -> int:
        """What is left of a quota."""
        return max(0, quota - int(self.used))

    def wait_s(self, cost: int, quota: int) -> float:
        """How long until so many units are free."""
        room = quota - cost - self.now
        if room >= 0:  # the minute before must fade that far
            counts_s = room * WINDOW_S / self.before if self.before else WINDOW_S
            return max(0.0, self.before_counts_s - counts_s)
        # This minute ends, is the one before, and then fades.
        return self.now_lasts_s + WINDOW_S * (1 - (quota - cost) / self.now)


class QuotaSpent(QuotaExceeded):
    """There are not so many units left"""

    def __init__(self, usage: Usage, *, retry_after_s: int) -> None:
        super().__init__(retry_after_s=retry_after_s)
        self.usage = usage


def units_of(cpu_s: float) -> int:
    """What so much work costs beside the unit of its request."""
    return max(0, ceil(cpu_s * UNITS_PER_S) - 1)


class Quotas:
    """Counts what callers ask for: in this process, or in the Redis that replicas share.

    A Redis that does not count lets everything through, which the observer learns.
    """

    def __init__(self, *, observe: Observer, shared: SharedCounts | None = None) -> None:
        self._observe = observe
        self._own_storage = MemoryStorage()
        self._own = OwnLimiter(self._own_storage)
        self._counts = shared
        self._shared = None if shared is None else SharedLimiter(shared)

    @property
    def is_shared(self) -> bool:
        """Whether other processes count as well, so that a charge has to wait for an answer."""
        return self._shared is not None

    def charge_at_once(self, who: str, cost: int, *, quota: int) -> Usage | None:
        """Take units in this process. None if there are not so many."""
        item = RateLimitItemPerMinute(quota)
        cost = min(cost, quota)
        taken = self._own.hit(item, who, cost=cost)
        self._observe("within" if taken else "exceeded", cost)
        return self.usage_at_once(who, quota=quota) if taken else None

    def usage_at_once(self, who: str, *, quota: int) -> Usage:
        """What this process has counted."""
        key = RateLimitItemPerMinute(quota).key_for(who)
        return usage_of(self._own_storage.get_sliding_window(key, WINDOW_S))

    async def charge(self, who: str, cost: int, *, quota: int) -> Usage | None:
        """Take units. None if nobody counts. Raises `QuotaExceeded`, and then takes none."""
        cost = min(cost, quota)
        if self._shared is None or self._counts is None:
            own = self.charge_at_once(who, cost, quota=quota)
            return own or self._refuse(self.usage_at_once(who, quota=quota), cost, quota)
        item = RateLimitItemPerMinute(quota)
        try:
            taken = await self._shared.hit(item, who, cost=cost)
            counted = await self._counts.get_sliding_window(item.key_for(who), WINDOW_S)
        except Uncounted:
            self._observe("uncounted", cost)
            return None
        self._observe("within" if taken else "exceeded", cost)
        usage = usage_of(counted)
        return usage if taken else self._refuse(usage, cost, quota)

    async def start(self) -> None:
        """Connect to Redis, if there is one, so that no request has to."""
        if self._counts is not None:
            await self._counts.start()

    async def close(self) -> None:
        """Close the connections to Redis, if there are any."""
        if self._counts is not None:
            await self._counts.close()

    @staticmethod
    def _refuse(usage: Usage, cost: int, quota: int) -> NoReturn:
        raise QuotaSpent(usage, retry_after_s=max(1, ceil(usage.wait_s(cost, quota))))


def usage_of(counted: tuple[int, float, int, float]) -> Usage:
    """What `limits` says of a window, whose count lives on for a minute after it."""
    before, before_counts_s, now, now_lives_s = counted
    return Usage(before, before_counts_s, now, max(0.0, now_lives_s - WINDOW_S))
