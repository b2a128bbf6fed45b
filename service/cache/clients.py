"""The clients of a Redis. They are built by hand, because redis-py waits and retries by default.

Every wait on a socket is bounded, nothing is retried, no health check runs between commands, and a
new connection sends no optional commands. The protocol is RESP2. Replies to our two commands are
the same in RESP3, and so is the CPU per command (measured). Without HELLO a connection is ready one
round trip earlier, and works with proxies that do not know HELLO.
"""

from typing import Any, Protocol

from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelManagedConnection
from redis.backoff import NoBackoff
from redis.exceptions import MovedError

from service.cache.address import RedisAddress
from service.cache.trust import ManagedTlsConnection, TlsConnection, Trust


class Client(Protocol):
    """What is asked of a Redis of any kind: its servers, by name, and commands to them."""

    def server_of(self, key: str) -> str:
        """The name of the server that has a key, as far as is known."""

    def servers(self) -> tuple[str, ...]:
        """The names of all servers that have keys, as far as is known."""

    def knows(self, server: str) -> bool:
        """Whether a server still has a part in this Redis."""

    async def execute(self, server: str, *command: str | bytes | int) -> Any:
        """The reply of a server. Raises what redis-py raises."""

    async def look_around(self) -> None:
        """Find out anew which servers there are, before one is asked that did not work."""

    def follow(self, moved: MovedError, *, asked: str) -> None:
        """Take down that another server than the one that was asked has a key."""

    async def close(self) -> None:
        """Close all connections."""


class Building:
    """Makes connections to servers of one address, all in the same way.

    `timeout_s` bounds each wait: for a connection, for a write, for a reply.
    """

    def __init__(self, address: RedisAddress, *, timeout_s: float, max_connections: int) -> None:
        self.address = address
        self.trust = Trust(address) if address.tls else None
        self._timeout_s = timeout_s
        self._max_connections = max_connections

    def options(self, *, managed: bool = False) -> dict[str, Any]:
        """How a connection is made, without its host."""
        options: dict[str, Any] = {
            "socket_timeout": self._timeout_s,
            "socket_connect_timeout": self._timeout_s,
            "socket_keepalive": True,
            "health_check_interval": 0,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,  # no CLIENT SETINFO
            "max_connections": self._max_connections,
        }
        if self.trust is None:
            plain = SentinelManagedConnection if managed else Connection
            return options | {"connection_class": plain}
        guarded = ManagedTlsConnection if managed else TlsConnection
        return options | {"connection_class": guarded, "trust": self.trust}

    def credentials(self) -> dict[str, str | None]:
        """User and password of the servers that keep the data."""
        return {"username": self.address.username, "password": self.address.password}

    def server(self, host: str, port: int, **options: Any) -> Redis:
        """The client of one server. It connects with the first command."""
        pool = ConnectionPool(host=host, port=port, **self.options(), **options)
        return Redis.from_pool(pool)  # closing the client closes the pool

    async def renew(self) -> None:
        """Read certificates that have changed."""
        if self.trust is not None:
            await self.trust.renew()


class OneServer:
    """A single server, or the master of a Sentinel group, whichever that is."""

    def __init__(self, building: Building) -> None:
        self._building = building
        self._name = str(building.address).partition("://")[2]
        self._sentinel: Sentinel | None = None
        address = building.address
        if address.kind == "sentinel":
            self._sentinel = _sentinel(building)
            options = building.options(managed=True) | building.credentials()
            self._redis: Redis = self._sentinel.master_for(
                address.master or "", db=address.database, **options
            )
        else:
            ((host, port),) = address.nodes
            self._redis = building.server(host, port, db=address.database, **building.credentials())

    def server_of(self, key: str) -> str:  # noqa: ARG002 - there is only one
        """The name of the server."""
        return self._name

    def servers(self) -> tuple[str, ...]:
        """The name of the server."""
        return (self._name,)

    def knows(self, server: str) -> bool:
        """Whether this is the server."""
        return server == self._name

    async def execute(self, server: str, *command: str | bytes | int) -> Any:  # noqa: ARG002
        """The reply of the server."""
        return await replied(self._redis, *command)

    async def look_around(self) -> None:
        """A Sentinel is asked for the master with each new connection."""
        await self._building.renew()

    def follow(self, moved: MovedError, *, asked: str) -> None:
        """A Cluster was taken for a single server. It is not followed."""

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()


async def replied(redis: Redis, *command: str | bytes | int) -> Any:
    """The reply to a command."""
    return await redis.execute_command(*command)  # type: ignore[no-untyped-call]


def _sentinel(building: Building) -> Sentinel:
    address = building.address
    sentinel = Sentinel([])  # type: ignore[no-untyped-call]
    sentinel.sentinels = [
        building.server(
            host,
            port,
            username=address.sentinel_username,
            password=address.sentinel_password,
        )
        for host, port in address.nodes
    ]
    return sentinel
