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

from service.cache.clients import Building, Commands, Line

MAP_TIMEOUT_S: Final = 0.5
"""How long one server may take to answer with the map. Then another one is asked."""
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
        """Read the map from the first server that answers. Raises what the last one raised."""
        await self._building.renew()
        failure: Exception | None = None
        for name in tuple(self._names):
            try:
                async with asyncio.timeout(MAP_TIMEOUT_S):
                    rows = await self._server(name).reply("CLUSTER", "SLOTS")
            except Exception as error:  # noqa: BLE001 - whatever it is, another one may answer
                failure = error
                continue
            await self._take(rows, asked=name)
            return
        assert failure is not None, "an address names a server"
        raise failure

    def follow(self, moved: MovedError, *, asked: str) -> None:
        """Take down where a slot is now, and read the whole map soon: others have moved too."""
        if self._owners:
            host = moved.host or asked.rpartition(":")[0]
            self._owners[moved.slot_id] = _name(host, moved.port)
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh(), name="cache cluster map")

    async def close(self) -> None:
        """Close all connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
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


def _name(host: str, port: int) -> str:
    return f"{host}:{port}"
