"""Counts of `limits` in the Redis that replicas share, over the clients that the cache has.

`limits` would make clients of its own, which retry and wait. Ours wait for a bounded time, know
Sentinel, Cluster and TLS, and stand behind a breaker.

An ACL user needs `~rq:* +evalsha +script|load` and what the scripts call:
`+get +set +pttl +rename +exists +incrby`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha1
from typing import Any, Final

import redis
import structlog
from limits.aio.storage import RedisStorage
from redis.exceptions import MovedError, NoScriptError

from service.cache.breaker import Breaker
from service.cache.connecting.address import redis_address
from service.cache.connecting.clients import Building, OneServer
from service.cache.connecting.cluster import WHOLE, Cluster

log = structlog.get_logger("runquote")

PREFIX: Final = "rq:limits"
FAILURES_TO_OPEN: Final = 3
PAUSE_S: Final = 1.0
PROBE_S: Final = 2.0
MOST_CONNECTIONS: Final = 32

Script = Callable[[Sequence[str], Sequence[Any]], Awaitable[Any]]


class Uncounted(Exception):
    """The Redis did not count"""


class Scripts:
    """What `limits` needs of a client: scripts that run where their keys are."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        address = redis_address(url)
        building = Building(
            address, timeout_s=max(timeout_s, PROBE_S), max_connections=2 * MOST_CONNECTIONS
        )
        self._client = Cluster(building) if address.kind == "cluster" else OneServer(building)
        self._timeout_s = timeout_s
        self._connections = asyncio.Semaphore(MOST_CONNECTIONS)
        self.breaker = Breaker(
            failures_to_open=FAILURES_TO_OPEN,
            pause_s=PAUSE_S,
            probe=self._works,
            moved=lambda _: None,
        )

    def register_script(self, script: bytes) -> Script:
        """A script as a function of its keys and arguments, which raises `Uncounted`."""
        digest = sha1(script, usedforsecurity=False).hexdigest()

        async def run(keys: Sequence[str], arguments: Sequence[Any]) -> Any:
            if not self.breaker.is_closed:
                raise Uncounted
            try:
                async with asyncio.timeout(self._timeout_s), self._connections:
                    reply = await self._run(digest, script, keys, arguments)
            except Exception as error:  # noqa: BLE001 - fail open, whatever went wrong
                if self.breaker.failed():
                    _complain(error)
                raise Uncounted from None
            self.breaker.succeeded()
            return reply

        return run

    async def start(self) -> None:
        """Connect, so that no request has to. A Redis that is away is connected to later."""
        trouble = await self._trouble()
        if trouble is not None:
            self.breaker.open()
            _complain(trouble)

    async def close(self) -> None:
        """Close all connections."""
        await self.breaker.close()
        await self._client.close()

    async def _run(
        self, digest: str, script: bytes, keys: Sequence[str], arguments: Sequence[Any]
    ) -> Any:
        server = await self._server_of(keys[0])
        rest = (len(keys), *keys, *arguments)
        try:
            return await self._client.execute(server, "EVALSHA", digest, *rest)
        except NoScriptError:
            await self._client.execute(server, "SCRIPT LOAD", script)
            return await self._client.execute(server, "EVALSHA", digest, *rest)
        except MovedError as moved:
            self._client.follow(moved, asked=server)
            server = self._client.server_of(keys[0])
            await self._client.execute(server, "SCRIPT LOAD", script)
            return await self._client.execute(server, "EVALSHA", digest, *rest)

    async def _server_of(self, key: str) -> str:
        server = self._client.server_of(key)
        if server == WHOLE:
            await self._client.look_around()
            server = self._client.server_of(key)
        return server

    async def _works(self) -> bool:
        return await self._trouble() is None

    async def _trouble(self) -> Exception | None:
        """Why the Redis does not answer. None if it answers."""
        try:
            async with asyncio.timeout(PROBE_S):
                await self._client.look_around()
                server = await self._server_of(PREFIX)
                await self._client.execute(server, "EXISTS", PREFIX)
        except Exception as error:  # noqa: BLE001 - whatever it is, it does not work
            return error
        return None


def _complain(error: Exception) -> None:
    log.warning("limits_not_counted", detail=str(error) or type(error).__name__)


class SharedCounts(RedisStorage):
    """The storage of `limits` over our clients. Scripts are the only way in that is used."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._scripts = Scripts(url, timeout_s=timeout_s)
        super().__init__("async+redis://ours:6379", implementation="redispy", key_prefix=PREFIX)

    def configure_bridge(self) -> None:
        """Give the scripts of `limits` our clients."""
        bridge: Any = self.bridge
        bridge.storage = self._scripts
        bridge.connection_getter = lambda _: self._scripts

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What a Redis that fails raises."""
        return redis.RedisError

    async def start(self) -> None:
        """Connect, so that no request has to. A Redis that is away is connected to later."""
        await self._scripts.start()

    async def close(self) -> None:
        """Close all connections."""
        await self._scripts.close()
