"""The clients of a Redis. They are built by hand, because redis-py waits and retries by default.

Every wait on a socket is bounded, nothing is retried, no health check runs between commands, and a
new connection sends no optional commands. The protocol is RESP2. Replies to our two commands are
the same in RESP3, and so is the CPU per command (measured). Without HELLO a connection is ready one
round trip earlier, and works with proxies that do not know HELLO.
"""

import asyncio
from typing import Any, Protocol

from hiredis import pack_command
from redis.asyncio import Connection, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelManagedConnection
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, ResponseError

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


class Commands:
    """Commands to one server, each on a connection of its own that is kept for the next.

    redis-py's pool and its client take as long for a command as the command itself takes. Whoever
    sends one bounds how long that may last. Then the connection is dropped with it, so that a late
    reply is never taken for that of another command.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._kept: list[Any] = []

    async def reply(self, *command: str | bytes | int) -> Any:
        """The reply to a command. Raises what redis-py raises."""
        connection = await self._connected()
        try:
            words = (*str(command[0]).split(), *command[1:])  # as redis-py takes SCRIPT LOAD
            packed = pack_command(words)  # type: ignore[arg-type]
            await connection.send_packed_command(packed, check_health=False)
            reply = await connection.read_response()
        except ResponseError:  # an answer too: nothing of it is left to be read
            self._kept.append(connection)
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._kept.append(connection)
        return reply

    async def _connected(self) -> Any:
        """A connection that works, as far as is known without asking the server."""
        while self._kept:
            kept = self._kept.pop()
            if kept.is_connected and not kept._reader.at_eof():  # noqa: SLF001 - can_read() waits
                return kept
            await kept.disconnect(nowait=True)
        made: Any = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await made.connect()
        except BaseException:
            await made.disconnect(nowait=True)
            raise
        made.socket_timeout = None  # whoever sends a command bounds it as a whole
        return made

    async def drop_kept(self) -> None:
        """Close the connections that no command is on."""
        kept, self._kept = self._kept, []
        await asyncio.gather(*(one.disconnect(nowait=True) for one in kept))

    async def close(self) -> None:
        """Close the connections."""
        await self.drop_kept()
        await self._redis.aclose()


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
            master: Redis = self._sentinel.master_for(
                address.master or "", db=address.database, **options
            )
            self._commands = Commands(master)
        else:
            ((host, port),) = address.nodes
            self._commands = Commands(
                building.server(host, port, db=address.database, **building.credentials())
            )

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
        return await self._commands.reply(*command)

    async def look_around(self) -> None:
        """A Sentinel is asked for the master with each new connection."""
        await self._building.renew()

    def follow(self, moved: MovedError, *, asked: str) -> None:
        """A Cluster was taken for a single server. It is not followed."""

    async def close(self) -> None:
        """Close all connections."""
        await self._commands.close()
        if self._sentinel is not None:
            await self._sentinel.aclose()


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
