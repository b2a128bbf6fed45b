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
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ReadOnlyError

from service.cache.connecting.address import RedisAddress
from service.cache.connecting.line import Line
from service.cache.connecting.trust import ManagedTlsConnection, TlsConnection, Trust
from service.cache.failures import DEMOTED


class Client(Protocol):
    """What is asked of a Redis of any kind: its servers, by name, and commands to them."""

    def server_of(self, key: str) -> str:
        """The name of the server that has a key, as far as is known."""

    def servers(self) -> tuple[str, ...]:
        """The names of all servers that have keys, as far as is known."""

    def knows(self, server: str) -> bool:
        """Whether a server still has a part in this Redis."""

    async def execute(
        self, server: str, *command: str | bytes | int, takes_long: bool = False
    ) -> Any:
        """The reply of a server. Raises what redis-py raises."""

    def line_to(self, server: str) -> Line | None:
        """A connection to a server, if there is one that takes a command now."""

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
        self.timeout_s = timeout_s
        self._max_connections = max_connections

    def options(self, *, managed: bool = False) -> dict[str, Any]:
        """How a connection is made, without its host."""
        options: dict[str, Any] = {
            "socket_timeout": self.timeout_s,
            "socket_connect_timeout": self.timeout_s,
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
    """Commands to one server, on a connection that they share.

    A command that takes long has a connection of its own, so that no other waits for it. Whoever
    sends one bounds how long that may last. Then its connection takes no more commands.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._shared: Line | None = None
        self._own: list[Line] = []
        """Connections of commands that took long, for the next ones."""
        self._connecting = asyncio.Lock()

    async def reply(self, *command: str | bytes | int, takes_long: bool = False) -> Any:
        """The reply to a command. Raises what redis-py raises."""
        words = (*str(command[0]).split(), *command[1:])  # as redis-py takes SCRIPT LOAD
        packed = pack_command(words)  # type: ignore[arg-type]
        if takes_long:
            return await self._reply_apart(packed)
        line = self.line() or await self._connect_once()
        return await line.reply(packed)

    def line(self) -> Line | None:
        """The shared connection, if it takes commands now."""
        line = self._shared
        return line if line is not None and line.is_open else None

    async def _reply_apart(self, packed: bytes) -> Any:
        line = next((one for one in self._own if one.is_open and one.is_idle), None)
        if line is None:
            line = await self._connected()
            self._own = [one for one in self._own if one.is_open]
            self._own.append(line)
        return await line.reply(packed)

    async def _connect_once(self) -> Line:
        """The shared connection, made by the first who needs it."""
        async with self._connecting:
            line = self.line()
            if line is None:
                line = self._shared = await self._connected()
            return line

    async def _connected(self) -> Line:
        made: Any = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await made.connect()
        except BaseException:
            await made.disconnect(nowait=True)
            raise
        return Line(made)

    def retire(self) -> None:
        """Close the connections as soon as no command is on them."""
        lines = [*self._own, self._shared]
        self._own, self._shared = [], None
        for line in lines:
            if line is not None:
                line.retire()

    async def close(self) -> None:
        """Close the connections."""
        self.retire()
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

    async def execute(
        self,
        server: str,  # noqa: ARG002 - there is only one
        *command: str | bytes | int,
        takes_long: bool = False,
    ) -> Any:
        """The reply of the server."""
        try:
            return await self._commands.reply(*command, takes_long=takes_long)
        except ReadOnlyError as error:
            if self._sentinel is None:
                raise
            self._commands.retire()  # so that a Sentinel is asked for the new master
            raise RedisConnectionError(DEMOTED) from error

    def line_to(self, server: str) -> Line | None:  # noqa: ARG002 - there is only one
        """A connection to the server, if there is one that takes a command now."""
        return self._commands.line()

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
