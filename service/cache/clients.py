"""The client of a Redis. It is built by hand, because redis-py waits and retries by default.

Every wait on a socket is bounded, nothing is retried, no health check runs between commands, and a
new connection sends no optional commands. The protocol is RESP2. Replies to our two commands are
the same in RESP3, and so is the CPU per command (measured). Without HELLO a connection is ready one
round trip earlier, and works with proxies that do not know HELLO.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from redis.asyncio import Connection, ConnectionPool, Redis, RedisCluster, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from service.cache.address import RedisAddress


class Client(NamedTuple):
    """The two methods of a client that we use, for any kind of Redis."""

    execute: Callable[..., Awaitable[Any]]
    close: Callable[[], Awaitable[None]]


def build_client(address: RedisAddress, *, timeout_s: float, max_connections: int) -> Client:
    """A client for `address`. It connects with the first command.

    `timeout_s` bounds each wait: for a connection, for a write, for a reply.
    """
    match address.kind:
        case "single":
            return _single(address, timeout_s=timeout_s, max_connections=max_connections)
        case "sentinel":
            return _sentinel(address, timeout_s=timeout_s, max_connections=max_connections)
        case "cluster":
            return _cluster(address, timeout_s=timeout_s, max_connections=max_connections)


def _common(address: RedisAddress, *, timeout_s: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,  # no CLIENT SETINFO
        "username": address.username,
        "password": address.password,
    }


def _tls(address: RedisAddress) -> dict[str, Any]:
    if not address.tls:
        return {}
    return {
        "ssl_ca_certs": address.ssl_ca_certs,
        "ssl_certfile": address.ssl_certfile,
        "ssl_keyfile": address.ssl_keyfile,
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
    }


def _single(address: RedisAddress, *, timeout_s: float, max_connections: int) -> Client:
    ((host, port),) = address.nodes
    pool = ConnectionPool(
        connection_class=SSLConnection if address.tls else Connection,
        max_connections=max_connections,
        host=host,
        port=port,
        db=address.database,
        **_common(address, timeout_s=timeout_s),
        **_tls(address),
    )
    redis = Redis.from_pool(pool)  # closing the client closes the pool
    return Client(execute=redis.execute_command, close=redis.aclose)


def _sentinel(address: RedisAddress, *, timeout_s: float, max_connections: int) -> Client:
    tls = {"ssl": True, **_tls(address)} if address.tls else {}
    common = _common(address, timeout_s=timeout_s)
    own_credentials = {
        "username": address.sentinel_username,
        "password": address.sentinel_password,
    }
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        list(address.nodes), sentinel_kwargs={**common, **own_credentials, **tls}, **common, **tls
    )
    redis: Redis = sentinel.master_for(
        address.master or "", max_connections=max_connections, db=address.database
    )

    async def close() -> None:
        await redis.aclose()
        await sentinel.aclose()

    return Client(execute=redis.execute_command, close=close)


def _cluster(address: RedisAddress, *, timeout_s: float, max_connections: int) -> Client:
    tls = {"ssl": True, **_tls(address)} if address.tls else {}
    cluster = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
        require_full_coverage=False,  # a lost shard costs its own keys only
        # Per node; a connection that is being dropped still counts for a moment.
        max_connections=2 * max_connections,
        **_common(address, timeout_s=timeout_s),
        **tls,
    )
    return Client(execute=cluster.execute_command, close=cluster.aclose)
