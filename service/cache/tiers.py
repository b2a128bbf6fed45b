"""The quote cache: memory first, then Redis if there is one.

Keys are content ids: digests over everything that decides the bytes. So a hit has the bytes that a
miss would have computed. Nothing is ever invalidated, and expiry only frees room. Where callers
have keys, each has answers of its own: `owned` adds the caller of the request to every key.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias

from service.cache.envelope import InvalidEnvelope, Sealed
from service.cache.key import is_content_id
from service.cache.memory import MemoryTier
from service.cache.observing import UNTOLD, BreakerState, CacheObserver, Result, Unobserved
from service.cache.redis import OPEN_APART_FROM_BYTES, Gist, Offer, RedisTier
from service.caller import owned

DEFAULT_MEMORY_BYTES: Final = 64 * 1024**2
MAX_MEMORY_BYTES: Final = 2**40
DEFAULT_TTL_S: Final = 7 * 24 * 3600
MAX_TTL_S: Final = 365 * 24 * 3600
DEFAULT_TIMEOUT_S: Final = 0.1
DEFAULT_BREAKER_FAILURES: Final = 3
DEFAULT_BREAKER_PAUSE_S: Final = 1.0
DEFAULT_MAX_BODY_BYTES: Final = 32 * 1024**2
MAX_BODY_BYTES: Final = 256 * 1024**2
"""A value of Redis has 512 MB at most."""
DEFAULT_MAX_CONNECTIONS: Final = 16

MOST_SOUGHT: Final = 64
"""Values that are looked for without a task at a time. What is looked for beyond that waits."""
MAX_PENDING_PUTS: Final = 256
MAX_PENDING_PUT_BYTES: Final = 32 * 1024**2
"""Limits of stores under way. Beyond them a store is dropped and not queued. One always may."""

Origin = Literal["memory", "redis", "nowhere", "unasked"]


class Answer(NamedTuple):
    """The bytes under a key, and where they were.

    Without bytes the origin is "nowhere" if no tier has them, and "unasked" if the Redis was not
    asked or did not answer, so that nobody knows.
    """

    body: bytes | None
    origin: Origin


Found: TypeAlias = Callable[[Sealed | None, Origin | None], None]
"""Takes a value that Redis has, or else what is known: that it has none, or that nobody knows.
Without an origin, the value has to be asked for the usual way."""


class CacheUnavailable(Exception):
    """Nobody knows whether an answer is kept: the Redis was not asked, or did not answer"""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id


class QuoteCache:
    """Encoded quotes under their content ids. It belongs to one event loop.

    `get_memory` is a table look-up without `await`. The hot route calls it first, and calls
    `get_shared` only if computing takes clearly longer than a round trip.

    A store in Redis never delays an answer. Stores run in the background, at most MAX_PENDING_PUTS
    at a time, each within the deadline of a command. `close` waits for those under way. `offer` is
    given each answer as it is compressed for Redis, and `gist` says what is kept beside it, to be
    read without opening it.

    Raises InvalidRedisAddress or ValueError for arguments that cannot work.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        ttl_s: int = DEFAULT_TTL_S,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        breaker_failures: int = DEFAULT_BREAKER_FAILURES,
        breaker_pause_s: float = DEFAULT_BREAKER_PAUSE_S,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        secret: str = "",
        observer: CacheObserver | None = None,
        offer: Offer | None = None,
        gist: Gist = lambda _: b"",
    ) -> None:
        _require(memory_bytes=(memory_bytes, 0, MAX_MEMORY_BYTES))
        _require(ttl_s=(ttl_s, 1, MAX_TTL_S))
        _require(timeout_s=(timeout_s, 0.001, 10))
        _require(breaker_failures=(breaker_failures, 1, 1000))
        _require(breaker_pause_s=(breaker_pause_s, 0.001, 3600))
        _require(max_body_bytes=(max_body_bytes, 1, MAX_BODY_BYTES))
        _require(max_connections=(max_connections, 1, 1000))
        self._observer: CacheObserver = observer or Unobserved()
        self._memory = MemoryTier(max_bytes=memory_bytes)
        self._redis: RedisTier | None = None
        self._shares = url is not None
        if url is not None:
            self._redis = RedisTier(
                url=url,
                timeout_s=timeout_s,
                ttl_s=ttl_s,
                max_body_bytes=max_body_bytes,
                max_connections=max_connections,
                failures_to_open=breaker_failures,
                pause_s=breaker_pause_s,
                secret=secret,
                observer=self._observer,
                offer=offer,
                gist=gist,
            )
        self._max_body_bytes = max_body_bytes
        self._sought: dict[str, list[Found]] = {}
        """Who waits for what is looked for in Redis without a task."""
        self._pending_puts: set[asyncio.Task[None]] = set()
        self._pending_put_bytes = 0

    async def start(self) -> None:
        """Connect to the Redis, if there is one. Optional: the first request would do it too.

        A Redis that is away or hangs delays this by a few seconds at most. It is found again later.
        """
        if self._redis is not None:
            await self._redis.start()

    async def close(self) -> None:
        """Let stores under way end, then close connections. The memory tier goes on working."""
        redis, self._redis = self._redis, None
        if self._pending_puts:
            await asyncio.gather(*self._pending_puts, return_exceptions=True)
        if redis is not None:
            await redis.close()

    def get_memory(self, key: str) -> bytes | None:
        """The bytes that this process has under `key`, without waiting for anything."""
        body = self._memory.get(owned(key))
        self._observer.observe("memory", "get", "miss" if body is None else "hit")
        return body

    def get_again(self, key: str) -> bytes | None:
        """The same. A miss is not counted: the caller then asks as if it were the first time."""
        body = self._memory.get(key)
        if body is not None:
            self._observer.observe("memory", "get", "hit")
        return body

    async def get_shared(self, key: str) -> Answer:
        """What the Redis has under `key`, for a caller who has tried `get_memory`."""
        if not self._shares or not is_content_id(key):
            return Answer(None, "nowhere")
        if self._redis is None:
            return Answer(None, "unasked")
        place = owned(key)
        result, body = await self._redis.get(place)
        if body is None:
            return Answer(None, "unasked" if result in UNTOLD else "nowhere")
        self._put_memory(place, body)
        return Answer(body, "redis")

    def seek(self, key: str, found: Found) -> bool:
        """Look into Redis without a task, if that can be done now. Otherwise False.

        One look is for all who ask at the same time. `found` is called once.
        """
        place = owned(key)
        if self._redis is None or not is_content_id(key) or len(self._sought) >= MOST_SOUGHT:
            return False
        others = self._sought.get(place)
        if others is not None:
            others.append(found)
            return True
        again = partial(self._sought_in_vain, place)
        if not self._redis.seek(place, partial(self._judged, place), again):
            return False
        self._sought[place] = [found]
        return True

    def _judged(self, place: str, result: Result, sealed: Sealed | None) -> None:
        origin: Origin = "redis"
        if sealed is None:
            origin = "unasked" if result in UNTOLD else "nowhere"
        for found in self._sought.pop(place):
            found(sealed, origin)

    def _sought_in_vain(self, place: str) -> None:
        for found in self._sought.pop(place):
            found(None, None)

    def opened(self, key: str, sealed: Sealed) -> bytes | None:
        """The body of a value that was found, which memory then keeps. None if it takes long."""
        if len(sealed.content) >= OPEN_APART_FROM_BYTES:
            return None
        try:
            body = sealed.body(max_body_bytes=self._max_body_bytes)
        except InvalidEnvelope:
            return None  # the usual way says what is wrong with it
        self._put_memory(owned(key), body)
        return body

    async def get(self, key: str) -> Answer:
        """The bytes kept under `key`, in memory or else in Redis."""
        body = self.get_memory(key)
        return await self.get_shared(key) if body is None else Answer(body, "memory")

    def put_nowait(self, key: str, body: bytes, *, share: bool = True) -> None:
        """Keep `body` under `key`: at once in memory, and soon in Redis unless `share` is False."""
        place = owned(key)
        self._put_memory(place, body)
        if share and self._redis is not None:
            self._put_soon(self._redis, place, body)

    async def put(self, key: str, body: bytes, *, share: bool = True) -> None:
        """The same as `put_nowait`, under the name that goes with `get`. It does not wait."""
        self.put_nowait(key, body, share=share)

    @property
    def memory_used_bytes(self) -> int:
        """Bytes that the memory tier takes now, bookkeeping included."""
        return self._memory.used_bytes

    @property
    def breaker_states(self) -> dict[str, BreakerState]:
        """The state of the breaker before each server of the Redis, by name."""
        return {} if self._redis is None else self._redis.breaker_states

    def _put_memory(self, key: str, body: bytes) -> None:
        stored = self._memory.put(key, body)
        self._observer.observe("memory", "put", "stored" if stored else "oversized")

    def _put_soon(self, redis: RedisTier, key: str, body: bytes) -> None:
        if redis.turns_away(key, "put"):
            return
        pending_bytes = self._pending_put_bytes
        if len(self._pending_puts) >= MAX_PENDING_PUTS or (
            pending_bytes and pending_bytes + len(body) > MAX_PENDING_PUT_BYTES
        ):
            self._observer.observe("redis", "put", "dropped")
            return
        task = asyncio.create_task(redis.put(key, body), name="cache store")
        self._pending_puts.add(task)
        self._pending_put_bytes += len(body)
        task.add_done_callback(lambda done: self._put_ended(done, len(body)))

    def _put_ended(self, task: asyncio.Task[None], body_bytes: int) -> None:
        self._pending_puts.discard(task)
        self._pending_put_bytes -= body_bytes


def _require(**ranges: tuple[float, float, float]) -> None:
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise ValueError(f"{name} lies between {low} and {high}, but is {value}")
