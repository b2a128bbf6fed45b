"""The second tier: a Redis that replicas share.

It may be slow, full, wrong or gone. A caller sees no more of that than a miss.

It uses two commands, GETRANGE and SET, on keys under `rq:`. GETRANGE bounds the bytes that are read
of a value that is not ours. An ACL user needs `~rq:* +getrange +set`; in a Cluster also
`+cluster|slots +command`.
"""

import asyncio
import time
from functools import partial
from typing import Any, Final, NamedTuple

import structlog
from redis.exceptions import ClusterDownError, MaxConnectionsError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.cache.address import RedisAddress, redis_address
from service.cache.breaker import Breaker
from service.cache.clients import build_client
from service.cache.envelope import (
    HEADER_BYTES,
    Envelopes,
    InvalidEnvelope,
    Unauthentic,
    value_bytes,
)
from service.cache.key import KEY_SCHEMA, redis_key
from service.cache.observing import BreakerState, CacheObserver, Operation, Result

PROBE_TIMEOUT_S: Final = 2.0
"""A probe delays no request. It may have to find a master or read a cluster's map first."""

COMPLAINT_INTERVAL_S: Final = 60.0
"""A lasting failure is logged once a minute. The metrics count each time."""

PATIENCE_S: Final = 1.0
"""How long one wait for a server may take where no request waits: for a map, a master, a store."""

TRANSFER_BYTES_PER_S: Final = 10_000_000
"""What the network carries at least. A long value may take so much longer than the usual wait."""

FIRST_READ_BYTES: Final = 256 * 1024
"""What is read of a value at first. It says how long the whole is, which is seldom longer."""

THREAD_FROM_BYTES: Final = 1024**2
"""Bodies from this size on are sealed and opened in a thread, so that no other request waits."""

_PROBE_KEY: Final = f"rq:{KEY_SCHEMA}:probe"


class _Failure(NamedTuple):
    """Why a command gave nothing."""

    result: Result
    is_outage: bool  # the Redis does not work; False if it answered and refused
    reason: str


class RedisTier:
    """Bytes under content ids in a Redis, behind a deadline and a breaker.

    A get waits at most `timeout_s` in all, and longer only for a long value. A command that is
    given up drops its connection, so that a late reply is never taken for that of another command.
    `get` and `put` raise nothing but cancellation.
    """

    def __init__(
        self,
        *,
        url: str,
        timeout_s: float,
        ttl_s: int,
        max_body_bytes: int,
        max_connections: int,
        failures_to_open: int,
        pause_s: float,
        secret: str,
        observer: CacheObserver,
    ) -> None:
        self.address: RedisAddress = redis_address(url)
        self._client = build_client(
            self.address, timeout_s=max(timeout_s, PATIENCE_S), max_connections=max_connections
        )
        self._timeout_s = timeout_s
        self._envelopes = Envelopes(secret=secret)
        self._ttl_s = ttl_s
        self._max_body_bytes = max_body_bytes
        self._connections = asyncio.Semaphore(max_connections)
        self._observer = observer
        self._log: Any = structlog.get_logger(__name__).bind(redis=str(self.address))
        self._complained_at: dict[tuple[str, str], float] = {}
        self.breaker = Breaker(
            failures_to_open=failures_to_open,
            pause_s=pause_s,
            probe=self._works,
            moved=self._breaker_moved,
        )
        observer.breaker_state(self.breaker.state)

    async def start(self) -> None:
        """Connect, so that no request has to. A Redis that is away is connected to later."""
        outage = await self._outage()
        if outage is not None:
            self._log.warning("cache_redis_unavailable", reason=outage)
            self.breaker.open()

    async def close(self) -> None:
        """Close the connections. A Redis that hangs delays this only briefly."""
        await self.breaker.close()
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._client.close()
        except Exception as error:  # noqa: BLE001 - nobody can act on it any more
            self._log.info("cache_redis_close_failed", reason=_reason(error))

    def turns_away(self, operation: Operation) -> bool:
        """Whether the breaker is open. If so, the operation is counted as `open`."""
        if self.breaker.is_closed:
            return False
        self._observer.observe("redis", operation, "open")
        return True

    async def get(self, content_id: str) -> tuple[Result, bytes | None]:
        """The bytes kept under `content_id`, if they are there and are those that were put."""
        result, body = await self._get(redis_key(content_id))
        self._observer.observe("redis", "get", result)
        return result, body

    async def put(self, content_id: str, body: bytes) -> None:
        """Keep `body` under `content_id` for the time to live, if the Redis accepts it."""
        result = await self._put(redis_key(content_id), body)
        self._observer.observe("redis", "put", result)

    async def _get(self, key: str) -> tuple[Result, bytes | None]:
        if not self.breaker.is_closed:
            return "open", None
        value = await self._read(key)
        if isinstance(value, _Failure):
            return value.result, None
        if not value:
            return "miss", None
        try:
            return "hit", await self._unsealed(key, value)
        except InvalidEnvelope as error:
            self._complain("cache_redis_value_invalid", operation="get", key=key, reason=str(error))
            return "unauthentic" if isinstance(error, Unauthentic) else "invalid", None

    async def _read(self, key: str) -> Any:
        """The value under a key, or a failure. Of a value that is not ours, only the start."""
        start = await self._command("get", "GETRANGE", key, 0, FIRST_READ_BYTES - 1)
        if isinstance(start, _Failure) or len(start) < FIRST_READ_BYTES:
            return start
        try:
            length = value_bytes(start)
        except InvalidEnvelope:
            return start
        if length > HEADER_BYTES + self._max_body_bytes:
            return start
        # The end of a GETRANGE is inclusive: this asks for one byte more than our value has.
        rest = await self._command(
            "get", "GETRANGE", key, FIRST_READ_BYTES, length, transfer_bytes=length
        )
        return rest if isinstance(rest, _Failure) else start + rest

    async def _unsealed(self, key: str, value: bytes) -> bytes:
        unseal = partial(
            self._envelopes.unseal, key=key, value=value, max_body_bytes=self._max_body_bytes
        )
        if len(value) < THREAD_FROM_BYTES // 8:  # an eighth is left of a long body
            return unseal()
        return await asyncio.to_thread(unseal)

    async def _put(self, key: str, body: bytes) -> Result:
        if not self.breaker.is_closed:
            return "open"
        if len(body) > self._max_body_bytes:
            self._complain("cache_redis_value_oversized", operation="put", key=key, bytes=len(body))
            return "oversized"
        seal = partial(self._envelopes.seal, key=key, body=body)
        value = await asyncio.to_thread(seal) if len(body) >= THREAD_FROM_BYTES else seal()
        reply = await self._command(
            "put", "SET", key, value, "EX", self._ttl_s, transfer_bytes=len(value)
        )
        return reply.result if isinstance(reply, _Failure) else "stored"

    async def _command(
        self, operation: Operation, *command: str | bytes | int, transfer_bytes: int = 0
    ) -> Any:
        """The reply to one command, or the failure, which the breaker and the log then know of."""
        deadline_s = self._timeout_s + transfer_bytes / TRANSFER_BYTES_PER_S
        try:
            reply = await self._execute(*command, deadline_s=deadline_s)
        except Exception as error:  # noqa: BLE001 - fail open: whatever went wrong is only a miss
            failure = _failure(error)
            if not failure.is_outage:
                self.breaker.succeeded()
                self._complain("cache_redis_refused", operation=operation, reason=failure.reason)
            elif self.breaker.failed():
                self._log.warning("cache_redis_unavailable", reason=failure.reason)
            return failure
        self.breaker.succeeded()
        return reply

    async def _execute(self, *command: str | bytes | int, deadline_s: float) -> Any:
        # When the deadline cancels a command, redis-py drops the connection it was on.
        async with asyncio.timeout(deadline_s), self._connections:
            return await self._client.execute(*command)

    async def _works(self) -> bool:
        return await self._outage() is None

    async def _outage(self) -> str | None:
        """Why the Redis does not answer the command of a request. None if it answers.

        A refusal counts as an answer.
        """
        try:
            await self._execute("GETRANGE", _PROBE_KEY, 0, 0, deadline_s=PROBE_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, the Redis does not work
            failure = _failure(error)
            return failure.reason if failure.is_outage else None
        return None

    def _breaker_moved(self, state: BreakerState) -> None:
        self._observer.breaker_state(state)
        if state == "closed":
            self._log.info("cache_redis_recovered")

    def _complain(self, event: str, *, operation: Operation, **facts: str | int) -> None:
        now = time.monotonic()
        last = self._complained_at.get((event, operation))
        if last is None or now - last >= COMPLAINT_INTERVAL_S:
            self._complained_at[event, operation] = now
            self._log.warning(event, operation=operation, **facts)


def _failure(error: Exception) -> _Failure:
    match error:
        case TimeoutError() | RedisTimeoutError():
            return _Failure("timeout", is_outage=True, reason=_reason(error))
        case MaxConnectionsError():  # we asked too much of our own pool
            return _Failure("error", is_outage=False, reason=_reason(error))
        case ClusterDownError():
            return _Failure("error", is_outage=True, reason=_reason(error))
        case ResponseError() if str(error).startswith("WRONGTYPE"):
            return _Failure("invalid", is_outage=False, reason=_reason(error))
        case ResponseError():  # full, read-only or not permitted, but it answers
            return _Failure("error", is_outage=False, reason=_reason(error))
        case _:  # refused, reset, wrong password, loading, not a Redis
            return _Failure("error", is_outage=True, reason=_reason(error))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
