"""The second tier: a Redis that replicas share.

It may be slow, full, wrong or gone. A caller learns the bytes, or that they are not there, or that
nobody knows.

It uses two commands, GETRANGE and SET, on keys under `rq:`. GETRANGE bounds the bytes that are read
of a value that is not ours. An ACL user needs `~rq:* +getrange +set`; in a Cluster also
`+cluster|slots`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import structlog
from hiredis import pack_command

from service.cache.connecting.address import RedisAddress, redis_address
from service.cache.connecting.clients import Building, OneServer
from service.cache.connecting.cluster import Cluster
from service.cache.envelope import (
    HEADER_BYTES,
    Envelopes,
    InvalidEnvelope,
    Sealed,
    Unauthentic,
    value_bytes,
)
from service.cache.key import redis_key
from service.cache.observing import BreakerState, CacheObserver, Operation, Result
from service.cache.servers import Servers, Unanswered
from service.caller import SEPARATOR

PATIENCE_S: Final = 1.0
"""How long one wait for a server may take where no request waits: for a map, a master, a store."""

TRANSFER_BYTES_PER_S: Final = 10_000_000
"""What the network carries at least. A long value may take so much longer than the usual wait."""

FIRST_READ_BYTES: Final = 256 * 1024
"""What is read of a value at first. It says how long the whole is, which is seldom longer."""

LONG_BYTES: Final = 64 * 1024
"""A value that is longer is written, or read on, apart from short ones, which would wait for it."""

OPEN_APART_FROM_BYTES: Final = 128 * 1024
"""From this size on, a compressed body is opened in a thread, so that no other request waits. It is
an eighth of what it holds."""

SEAL_APART_FROM_BYTES: Final = 32 * 1024
"""Bodies from this size on are sealed in a thread: to compress takes ten times as long."""

Offer: TypeAlias = Callable[[str, bytes], None]
"""Takes the body of an id as zstd compresses it, for who can send it as it is."""

Gist: TypeAlias = Callable[[bytes], bytes]
"""What is to be known of a body without opening it. It is called in any thread."""

Found: TypeAlias = Callable[[Result, Sealed | None], None]
"""Takes what came of a look-up: a value that is a hit, and nothing otherwise."""


class RedisTier:
    """Bytes under content ids in a Redis. Each of its servers stands behind a breaker.

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
        offer: Offer | None,
        gist: Gist,
    ) -> None:
        self.address: RedisAddress = redis_address(url)
        building = Building(
            self.address,
            timeout_s=max(timeout_s, PATIENCE_S),
            max_connections=2 * max_connections,  # one that is being dropped still counts
        )
        self._servers = Servers(
            Cluster(building) if self.address.kind == "cluster" else OneServer(building),
            max_connections=max_connections,
            failures_to_open=failures_to_open,
            pause_s=pause_s,
            observer=observer,
            log=structlog.get_logger(__name__).bind(redis=str(self.address)),
        )
        self._timeout_s = timeout_s
        self._envelopes = Envelopes(secret=secret)
        self._ttl_s = ttl_s
        self._max_body_bytes = max_body_bytes
        self._observer = observer
        self._offer = offer
        self._gist = gist

    async def start(self) -> None:
        """Connect, so that no request has to. A Redis that is away is connected to later."""
        await self._servers.start()

    async def close(self) -> None:
        """Close the connections. A Redis that hangs delays this only briefly."""
        await self._servers.close()

    @property
    def breaker_states(self) -> dict[str, BreakerState]:
        """The state of the breaker of each server."""
        return self._servers.breaker_states

    def turns_away(self, content_id: str, operation: Operation) -> bool:
        """Whether the breaker before an id is open. If so, the operation is counted as `open`."""
        if self._servers.asks_for(redis_key(content_id)):
            return False
        self._observer.observe("redis", operation, "open")
        return True

    def seek(self, content_id: str, found: Found, again: Callable[[], None]) -> bool:
        """Look for a value without a task, if that can be done now. Otherwise False.

        `found` is told the result, unless the value has to be looked for the usual way: then
        `again` is called.
        """
        key = redis_key(content_id)
        words = ("GETRANGE", key, 0, FIRST_READ_BYTES - 1)
        packed = pack_command(words)  # type: ignore[arg-type]
        told = partial(self._told, key, found, again)
        return self._servers.ask_now("get", packed, key, deadline_s=self._timeout_s, told=told)

    def _told(
        self, key: str, found: Found, again: Callable[[], None], reply: bytes | Unanswered | None
    ) -> None:
        if reply is None or (not isinstance(reply, Unanswered) and len(reply) >= FIRST_READ_BYTES):
            again()
            return
        result, sealed = self._judged(key, reply)
        self._observer.observe("redis", "get", result)
        found(result, sealed)

    def _judged(self, key: str, reply: bytes | Unanswered) -> tuple[Result, Sealed | None]:
        """What a reply means: a hit with its value, or why there is none."""
        if isinstance(reply, Unanswered):
            return reply.result, None
        if not reply:
            return "miss", None
        try:
            return "hit", self._envelopes.opened(key=key, value=reply)
        except InvalidEnvelope as error:
            return self._refused(key, error), None

    def _refused(self, key: str, error: InvalidEnvelope) -> Result:
        self._servers.complain("cache_redis_value_invalid", reason=str(error), key=key)
        return "unauthentic" if isinstance(error, Unauthentic) else "invalid"

    async def get(self, content_id: str) -> tuple[Result, bytes | None]:
        """The bytes kept under `content_id`, if they are there and are those that were put."""
        try:
            result, body = await self._get(content_id)
        except Unanswered as ended:
            result, body = ended.result, None
        self._observer.observe("redis", "get", result)
        return result, body

    async def put(self, content_id: str, body: bytes) -> None:
        """Keep `body` under `content_id` for the time to live, if the Redis accepts it."""
        try:
            result = await self._put(content_id, body)
        except Unanswered as ended:
            result = ended.result
        self._observer.observe("redis", "put", result)

    async def _get(self, content_id: str) -> tuple[Result, bytes | None]:
        key = redis_key(content_id)
        value = await self._read(key)
        if not value:
            return "miss", None
        try:
            sealed = self._envelopes.opened(key=key, value=value)
            body = await self._body(sealed)
            self._offer_copy(content_id, sealed)
            return "hit", body  # noqa: TRY300 - what was opened is a hit
        except InvalidEnvelope as error:
            return self._refused(key, error), None

    async def _read(self, key: str) -> bytes:
        """The value under a key. Of a value that is not ours, only the start."""
        start = await self._command("get", "GETRANGE", key, 0, FIRST_READ_BYTES - 1)
        if len(start) < FIRST_READ_BYTES:
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
        return start + rest

    async def _body(self, sealed: Sealed) -> bytes:
        if len(sealed.content) < OPEN_APART_FROM_BYTES:
            return sealed.body(max_body_bytes=self._max_body_bytes)
        return await asyncio.to_thread(sealed.body, max_body_bytes=self._max_body_bytes)

    def _offer_copy(self, content_id: str, sealed: Sealed) -> None:
        if sealed.frame is not None and self._offer is not None:
            self._offer(content_id.partition(SEPARATOR)[0], sealed.frame)

    async def _put(self, content_id: str, body: bytes) -> Result:
        key = redis_key(content_id)
        if len(body) > self._max_body_bytes:
            self._servers.complain(
                "cache_redis_value_oversized",
                reason="larger than Redis keeps by the settings",
                key=key,
                bytes=len(body),
            )
            return "oversized"
        seal = partial(self._sealed, key, body)
        apart = len(body) >= SEAL_APART_FROM_BYTES
        value, sealed = await asyncio.to_thread(seal) if apart else seal()
        self._offer_copy(content_id, sealed)
        await self._command("put", "SET", key, value, "EX", self._ttl_s, transfer_bytes=len(value))
        return "stored"

    def _sealed(self, key: str, body: bytes) -> tuple[bytes, Sealed]:
        """A body as a value, and what is in it."""
        value = self._envelopes.seal(key=key, body=body, gist=self._gist(body))
        return value, self._envelopes.opened(key=key, value=value)

    async def _command(
        self,
        operation: Operation,
        name: str,
        key: str,
        *arguments: str | bytes | int,
        transfer_bytes: int = 0,
    ) -> bytes:
        deadline_s = self._timeout_s + transfer_bytes / TRANSFER_BYTES_PER_S
        return await self._servers.command(
            operation,
            name,
            key,
            *arguments,
            deadline_s=deadline_s,
            takes_long=transfer_bytes > LONG_BYTES,
        )
