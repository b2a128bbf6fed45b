"""The client of a Redis Cluster, which asks each server by itself.

redis-py's own client would let a lost server trouble all the others: after a failure the next
command, for whatever key, first reads the map of the cluster anew, and may ask the lost server for
it. If a server says that the cluster is down, it closes all connections and sleeps. Each map that
is read makes it connect anew to all servers. Here the map is read beside the requests.
"""

import asyncio
import random
from contextlib import suppress
from typing import Any, Final

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ClusterDownError, MovedError

from service.cache.connecting.clients import Building, Commands
from service.cache.connecting.line import Line

MAP_TIMEOUT_S: Final = 0.5
"""How long a server may take to answer with the map while there is another one to ask."""
WHOLE: Final = "cluster"
"""The name that stands for all servers while no map is known."""


class Cluster:
    """The servers of a Redis Cluster, by `host:port`."""

    def __init__(self, building: Building) -> None:
        self._building = building
        self._names = [_name(host, port) for host, port in building.address.nodes]
        """Servers to ask for the map, the one that answered last first."""
        self._servers: dict[str, Commands] = {}
        self._owners: list[str | None] = []
        """The server of each slot. Empty while no map is known."""
        self._reading: asyncio.Task[None] | None = None
        """The reading of the map that is under way, for all who want it."""
        self._refreshing: asyncio.Task[None] | None = None

    def server_of(self, key: str) -> str:
        """The name of the master that has a key, as far as is known."""
        if not self._owners:
            return WHOLE
        return self._owners[key_slot(key.encode())] or WHOLE

    def servers(self) -> tuple[str, ...]:
        """The names of all masters, and `WHOLE` where one is not known."""
        return tuple(sorted({owner or WHOLE for owner in self._owners})) or (WHOLE,)

    def knows(self, server: str) -> bool:
        """Whether a server has slots. `WHOLE` stands for slots that no known server has."""
        return server in self._owners if server != WHOLE else not self._is_mapped

    @property
    def _is_mapped(self) -> bool:
        return bool(self._owners) and None not in self._owners

    async def execute(
        self, server: str, *command: str | bytes | int, takes_long: bool = False
    ) -> Any:
        """The reply of a server. For `WHOLE`, the map is read first."""
        if server == WHOLE:
            await self.look_around()
            if not self._is_mapped:
                raise ClusterDownError("CLUSTERDOWN not all slots have a server")
            server = self.server_of(str(command[1]))
        return await self._server(server).reply(*command, takes_long=takes_long)

    def line_to(self, server: str) -> Line | None:
        """A connection to a server, if there is one that takes a command now."""
        known = self._servers.get(server)
        return None if known is None else known.line()

    async def look_around(self) -> None:
        """Read the map from the first server that answers. Raises what the last one raised.

        Whoever asks while it is read waits for the same reading. It goes on if one of them leaves.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="cache cluster reading")
            self._reading.add_done_callback(_is_told)
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        await self._building.renew()
        *names, last = self._names
        for name in names:
            with suppress(Exception):  # whatever it is, another one may answer
                await self._read_from(name, within_s=MAP_TIMEOUT_S)
                return
        await self._read_from(last, within_s=max(MAP_TIMEOUT_S, self._building.timeout_s))

    async def _read_from(self, name: str, *, within_s: float) -> None:
        async with asyncio.timeout(within_s):
            rows = await self._server(name).reply("CLUSTER", "SLOTS")
        await self._take(rows, asked=name)

    def follow(self, moved: MovedError, *, asked: str) -> None:
        """Take down where a slot is now, and read the whole map soon: others have moved too."""
        if self._owners:
            host = moved.host or asked.rpartition(":")[0]
            self._owners[moved.slot_id] = _name(host, moved.port)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="cache cluster map")

    async def close(self) -> None:
        """Close all connections."""
        under_way = [task for task in (self._refreshing, self._reading) if task is not None]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        servers, self._servers = self._servers, {}
        await asyncio.gather(*(server.close() for server in servers.values()))

    async def _refresh(self) -> None:
        with suppress(Exception):  # the map that we have stays in use
            await self.look_around()
        await asyncio.sleep(MAP_TIMEOUT_S)  # no sooner again

    def _server(self, name: str) -> Commands:
        server = self._servers.get(name)
        if server is None:
            host, _, port = name.rpartition(":")
            credentials = self._building.credentials()
            server = Commands(self._building.server(host, int(port), **credentials))
            self._servers[name] = server
        return server

    async def _take(self, rows: list[Any], *, asked: str) -> None:
        """Put a map in use: rows of a first slot, a last slot, the master and its replicas."""
        host_asked = asked.rpartition(":")[0]
        owners: list[str | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        members = {_name(host, port) for host, port in self._building.address.nodes}
        for first, last, *servers in rows:
            # A server without a name of its own is where the one that was asked is.
            names = [
                _name(host.decode() if host else host_asked, port) for host, port, *_ in servers
            ]
            owners[first : last + 1] = names[:1] * (last + 1 - first)
            members.update(names)
        self._owners = owners
        others = sorted(members - {asked})
        random.shuffle(others)
        self._names = [asked, *others]
        for gone in self._servers.keys() - members - {asked}:
            self._servers.pop(gone).retire()  # commands under way keep theirs


def _is_told(reading: asyncio.Task[None]) -> None:
    """Whoever waited was told what went wrong. If all have left, nobody is to be told."""
    if not reading.cancelled():
        reading.exception()


def _name(host: str, port: int) -> str:
    return f"{host}:{port}"
