"""A Sentinel group and a Cluster for tests, from the same server as in `redis_server`."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.redis_server import START_TIMEOUT_S, RedisServer, start_redis, unused_port

CLUSTER_SLOTS = 16_384
MASTER = "quotes"


class SentinelServer(RedisServer):
    """A sentinel that by itself may replace the master it watches."""

    def __init__(self, *, master_port: int, password: str | None = None) -> None:
        self._master_port = master_port
        super().__init__(password=password)

    def _arguments(self, port: int) -> list[str]:
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            f"sentinel monitor {MASTER} 127.0.0.1 {self._master_port} 1",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 5000",
        ]
        if self.password is not None:
            lines.append(f"requirepass {self.password}")
        config = Path(self._directory.name) / "sentinel.conf"  # which a sentinel rewrites
        config.write_text("\n".join(lines) + "\n")
        return [str(config), "--sentinel"]


@contextlib.contextmanager
def start_sentinel(
    *, sentinel_password: str | None = None
) -> Iterator[tuple[SentinelServer, RedisServer, RedisServer]]:
    """A sentinel, a master and its replica, ready to be failed over."""
    with contextlib.ExitStack() as stack:
        at_once = ("--repl-diskless-sync-delay", "0")
        master = stack.enter_context(start_redis(*at_once))
        replica = stack.enter_context(
            start_redis(*at_once, "--replicaof", f"127.0.0.1 {master.port}")
        )
        sentinel = SentinelServer(master_port=master.port, password=sentinel_password)
        stack.callback(sentinel.close)
        _wait_for(lambda: _is_in_sync(replica) and _sees_a_replica(sentinel))
        yield sentinel, master, replica


@contextlib.contextmanager
def start_cluster(
    *, nodes: int = 3, partial: bool = False, first_port: int | None = None
) -> Iterator[list[RedisServer]]:
    """A cluster of masters that share the slots evenly, the first one on `first_port`.

    If it is `partial`, it serves the slots that have a server when others have none.
    """
    coverage = ("--cluster-require-full-coverage", "no" if partial else "yes")
    with contextlib.ExitStack() as stack:
        ports = [first_port, *[None] * (nodes - 1)]
        servers = [stack.enter_context(_cluster_node(*coverage, port=port)) for port in ports]
        share = CLUSTER_SLOTS / nodes
        for number, server in enumerate(servers):
            first, last = round(number * share), round((number + 1) * share) - 1
            with server.client() as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        with servers[0].client() as client:
            for server in servers[1:]:
                with server.client() as peer:
                    bus_port = peer.config_get("cluster-port")["cluster-port"]
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", server.port, bus_port)
        _wait_for(lambda: all(_cluster_is_whole(server, nodes=nodes) for server in servers))
        yield servers


@contextlib.contextmanager
def add_replica(master: RedisServer) -> Iterator[RedisServer]:
    """A replica of a master of a cluster, in sync with it, that may take its place."""
    with _cluster_node("--repl-diskless-sync-delay", "0") as replica:
        with master.client() as client:
            client.config_set("repl-diskless-sync-delay", 0)
            bus_port = client.config_get("cluster-port")["cluster-port"]
            master_id = client.execute_command("CLUSTER", "MYID").decode()
        with replica.client() as client:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", master.port, bus_port)
            _wait_for(lambda: master_id in _known_to(client))
            client.execute_command("CLUSTER", "REPLICATE", master_id)
        _wait_for(lambda: _is_in_sync(replica))
        yield replica


def move_slot(slot: int, *, source: RedisServer, target: RedisServer) -> None:
    """Give an empty slot to another server, which alone knows of it at first."""
    with target.client() as client:
        owner = client.execute_command("CLUSTER", "MYID").decode()
        for server in (target, source):
            with server.client() as each:
                each.execute_command("CLUSTER", "SETSLOT", slot, "NODE", owner)


def _cluster_node(
    *more: str, port: int | None = None
) -> contextlib.AbstractContextManager[RedisServer]:
    bus_port = str(unused_port())
    options = ("--cluster-enabled", "yes", "--cluster-port", bus_port, *more)
    return start_redis(*options, "--cluster-node-timeout", "2000", port=port)


def _known_to(client: Any) -> set[str]:
    return {node["node_id"] for node in client.execute_command("CLUSTER NODES").values()}


def _cluster_is_whole(server: RedisServer, *, nodes: int) -> bool:
    with server.client() as client:
        info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(nodes)


def _is_in_sync(replica: RedisServer) -> bool:
    with replica.client() as client:
        replication = client.info("replication")
    return replication["master_link_status"] == "up"


def _sees_a_replica(sentinel: SentinelServer) -> bool:
    with sentinel.client() as client:
        states: Any = client.sentinel_masters()
    return states[MASTER]["num-slaves"] == 1


def _wait_for(holds) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, "the servers did not find each other"
        time.sleep(0.05)
