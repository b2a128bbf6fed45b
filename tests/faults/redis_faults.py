"""A Redis that is away, late, wrong or full: quotes stay right, and nothing is told as gone."""

import contextlib
import itertools
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import redis as redis_py
import trustme

from service.cache.envelope import Envelopes
from service.settings import Settings
from tests.faults.probing import (
    RIGHT,
    all_told,
    counted,
    health,
    quoted,
    quoted_once,
    seconds_until,
    told,
)
from tests.faults.rows import AtMost, Seen, fault
from tests.load import Caller, named, quietest, under_load
from tests.redis_proxy import start_proxy
from tests.redis_server import RedisServer, start_redis, unused_port
from tests.redis_topologies import MASTER, start_cluster, start_sentinel
from tests.requests import disaggregated_stages
from tests.server import Service, start_service

GROUP: Final = "Redis"
KEYS: Final = "rq:4:"
AWAY: Final = "503 cache-unavailable Retry-After"
GONE: Final = "404 quote-not-kept"
AWAY_FACTS: Final = {"quotes": RIGHT, "by id": AWAY, "health": "200"}
HERE_FACTS: Final = {"quotes": RIGHT, "by id": "200", "health": "200"}
RECOVERS_S: Final = 5.0
HASTE: Final = {"RUNQUOTE_REDIS_TIMEOUT_S": str(Settings().redis_timeout_s)}
"""The time for Redis that a service has unless it is told."""
NUMBERS: Final = itertools.count()


def serving(address: str, **environment: str) -> contextlib.AbstractContextManager[Service]:
    """A service that has a Redis and no memory of its own, so that all is asked of the Redis."""
    settings = {"RUNQUOTE_REDIS_URL": address, "RUNQUOTE_CACHE_MEMORY_BYTES": "0"}
    return start_service(**(settings | environment))


def path_of_new(service: Service) -> str:
    """The address of a quote that is posted now."""
    answer = service.client.post("/quote", json=named(f"kept {next(NUMBERS)}"))
    return answer.headers["content-location"]


def is_shared(service: Service) -> bool:
    """Whether a quote that is posted now is soon found by its id."""
    path = path_of_new(service)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        if service.client.get(path).status_code == 200:
            return True
        time.sleep(0.02)
    return False


def kept(service: Service) -> str:
    """The address of a quote that the Redis has."""
    path = path_of_new(service)
    seconds_until(lambda: service.client.get(path).status_code == 200)
    return path


def by_id(service: Service, path: str) -> str:
    """How one who asks by id is answered, before and after the breaker opens."""
    return all_told({told(service.client.get(path)) for _ in range(8)})


def reasons(service: Service) -> str:
    """For what reasons Redis gave no answer so far."""
    found = counted(service, "runquote_cache_failures_total", "reason")
    return " and ".join(sorted(reason for reason, count in found.items() if count)) or "none"


def seen_under(service: Service, path: str, *, name: str) -> dict[str, str]:
    """What is asked under every fault of a Redis."""
    return {
        "by id": by_id(service, path),
        "quotes": quoted(service, name),
        "health": health(service),
        "reason": reasons(service),
    }


def suffers(
    service: Service, name: str, *, begin: Callable[[], object], end: Callable[[], object]
) -> Seen:
    """What is seen of a fault that begins while all is well, and ends again."""
    path = kept(service)
    begin()
    facts = seen_under(service, path, name=name)
    end()
    return Seen(facts, seconds_until(lambda: is_shared(service)))


@fault(
    GROUP,
    "absent at the start, there later",
    expects=AWAY_FACTS | {"reason": "refused"},
    recovers_s=RECOVERS_S,
)
def absent() -> Seen:
    port = unused_port()
    with serving(f"redis://127.0.0.1:{port}") as service:
        facts = seen_under(service, path_of_new(service), name="absent")
        with start_redis(port=port):
            return Seen(facts, seconds_until(lambda: is_shared(service)))


@fault(
    GROUP,
    "killed, and started again on its port",
    expects=AWAY_FACTS | {"reason": "refused"},
    recovers_s=RECOVERS_S,
)
def killed() -> Seen:
    with start_redis() as redis, serving(redis.url) as service:

        def kill() -> None:
            redis.kill()
            time.sleep(0.3)  # the ends of connections arrive

        return suffers(service, "killed", begin=kill, end=redis.start)


@fault(
    GROUP,
    "hangs (SIGSTOP), and goes on",
    expects=AWAY_FACTS | {"reason": "timeout"},
    recovers_s=RECOVERS_S,
)
def hangs() -> Seen:
    with start_redis() as redis, serving(redis.url) as service:
        return suffers(service, "hangs", begin=redis.hang, end=redis.resume)


@fault(
    GROUP,
    "hangs under load of four callers",
    expects={
        "answers": "200",
        "lost": "0",
        "p99 over that before": AtMost(2.0, "times"),
    },
)
def hangs_under_load() -> Seen:
    """Times are those of the quietest of four stretches."""
    lasts_s, opens_s, stretches = 8.0, 2.0, 4
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url, **HASTE) as service:
        callers = [Caller(service.port, keep_alive=True, pause_s=0.01) for _ in range(4)]
        with under_load(callers) as load:
            time.sleep(1.0)
            begin = time.monotonic()
            time.sleep(lasts_s)
            hung = time.monotonic()
            redis.hang()
            time.sleep(opens_s + lasts_s)
            end = time.monotonic()
    before = quietest(load.answers, 0.99, begin=begin, end=hung, stretches=stretches)
    after = quietest(load.answers, 0.99, begin=hung + opens_s, end=end, stretches=stretches)
    return Seen(
        {
            "answers": all_told({str(one.status) for one in load.answers}),
            "lost": str(len(load.lost)),
            "p99 over that before": after / before,
        }
    )


@fault(
    GROUP,
    "slow: each reply takes half a second",
    expects=AWAY_FACTS | {"reason": "timeout"},
    recovers_s=RECOVERS_S,
)
def slow() -> Seen:
    with (
        start_redis() as redis,
        start_proxy(redis.port) as proxy,
        serving(f"redis://127.0.0.1:{proxy.port}", **HASTE) as service,
    ):

        def delay(seconds: float) -> None:
            proxy.delay_s = seconds

        return suffers(service, "slow", begin=lambda: delay(0.5), end=lambda: delay(0.0))


@fault(
    GROUP,
    "cut: connections end in the middle of a reply",
    expects=AWAY_FACTS | {"reason": "cut"},
    recovers_s=RECOVERS_S,
    quick=True,
)
def cut() -> Seen:
    with (
        start_redis() as redis,
        start_proxy(redis.port) as proxy,
        serving(f"redis://127.0.0.1:{proxy.port}") as service,
    ):

        def cut_after(count: int | None) -> None:
            proxy.cut_after = count

        return suffers(service, "cut", begin=lambda: cut_after(3), end=lambda: cut_after(None))


@fault(
    GROUP,
    "flushed",
    expects={"by id": GONE, "quotes": RIGHT, "health": "200", "reason": "none"},
    recovers_s=RECOVERS_S,
)
def flushed() -> Seen:
    with start_redis() as redis, serving(redis.url) as service:
        return suffers(service, "flushed", begin=redis.flush, end=lambda: None)


def told_to(redis: RedisServer, *command: Any) -> Callable[[], None]:
    """What gives a Redis an order."""

    def give() -> None:
        with redis.client() as client:
            client.execute_command(*command)

    return give


@fault(
    GROUP,
    "full: it takes no writes",
    expects=HERE_FACTS | {"reason": "out_of_memory"},
    recovers_s=RECOVERS_S,
)
def full() -> Seen:
    with start_redis() as redis, serving(redis.url) as service:
        return suffers(
            service,
            "full",
            begin=told_to(redis, "CONFIG", "SET", "maxmemory", "1"),
            end=told_to(redis, "CONFIG", "SET", "maxmemory", "0"),
        )


@fault(
    GROUP,
    "read-only: it became a replica",
    expects=HERE_FACTS | {"reason": "read_only"},
    recovers_s=RECOVERS_S,
)
def read_only() -> Seen:
    with start_redis() as redis, serving(redis.url) as service:
        return suffers(
            service,
            "read-only",
            begin=told_to(redis, "REPLICAOF", "127.0.0.1", unused_port()),
            end=told_to(redis, "REPLICAOF", "NO", "ONE"),
        )


@fault(
    GROUP,
    "wrong password from the start, put right later",
    expects=AWAY_FACTS | {"reason": "password", "password in the log": "no"},
    recovers_s=RECOVERS_S,
)
def wrong_password() -> Seen:
    with (
        start_redis(password="right") as redis,
        serving(redis.url_with(password="mistaken")) as service,
    ):
        facts = seen_under(service, path_of_new(service), name="password")
        facts["password in the log"] = "yes" if "mistaken" in service.log() else "no"
        told_to(redis, "CONFIG", "SET", "requirepass", "mistaken")()
        return Seen(facts, seconds_until(lambda: is_shared(service)))


def change_password(redis: RedisServer, password: str) -> None:
    """Give a server another password, and end the connections of others."""
    with redis.client() as client:
        client.config_set("requirepass", password)
        for one in client.client_list():
            with contextlib.suppress(redis_py.RedisError):
                client.client_kill_filter(_id=one["id"], skipme=True)
    redis.password = password


@fault(
    GROUP,
    "password changed under way, and back",
    expects=AWAY_FACTS | {"reason": "password"},
    recovers_s=RECOVERS_S,
)
def changed_password() -> Seen:
    with start_redis(password="right") as redis, serving(redis.url) as service:
        return suffers(
            service,
            "changed",
            begin=lambda: change_password(redis, "another"),
            end=lambda: change_password(redis, "right"),
        )


@fault(
    GROUP,
    "certificate that is not trusted, put right without a restart",
    expects=AWAY_FACTS | {"reason": "certificate"},
    recovers_s=RECOVERS_S,
)
def untrusted() -> Seen:
    authority, other = trustme.CA(), trustme.CA()
    with (
        tempfile.TemporaryDirectory() as directory,
        start_redis() as redis,
        start_proxy(redis.port, authority=authority) as proxy,
    ):
        trusted = Path(directory) / "ca.pem"
        other.cert_pem.write_to_path(str(trusted))
        address = f"rediss://localhost:{proxy.port}?ssl_ca_certs={trusted}"
        with serving(address) as service:
            facts = seen_under(service, path_of_new(service), name="untrusted")
            authority.cert_pem.write_to_path(str(trusted))
            return Seen(facts, seconds_until(lambda: is_shared(service)))


class Babbler(socketserver.BaseRequestHandler):
    """Answers whatever it is asked as a web server would."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.request.recv(65536):
                self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@contextlib.contextmanager
def babbling() -> Iterator[int]:
    """Something else than a Redis, and its port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Babbler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@fault(
    GROUP,
    "something else answers on its port",
    expects=AWAY_FACTS | {"reason": "not_redis"},
)
def not_redis() -> Seen:
    with babbling() as port, serving(f"redis://127.0.0.1:{port}") as service:
        return Seen(seen_under(service, path_of_new(service), name="babble"))


@fault(
    GROUP,
    "address that drops all packets",
    expects=AWAY_FACTS | {"reason": "timeout"},
)
def black_hole() -> Seen:
    """A listener whose queue is full drops handshakes as a firewall does."""
    with socket.socket() as hole, contextlib.ExitStack() as stack:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
        with serving(f"redis://127.0.0.1:{hole.getsockname()[1]}") as service:
            return Seen(seen_under(service, path_of_new(service), name="hole"))


def spoiled(make: Callable[[str, bytes, Any], bytes | None], **environment: str) -> Seen:
    """What is seen of a costly quote whose value in the Redis was replaced."""
    costly = disaggregated_stages(1, stages=1)
    with start_redis() as redis, serving(redis.url, **environment) as service:
        first = service.client.post("/quote", json=costly)
        key = KEYS + first.json()["id"]
        with redis.client() as client:
            seconds_until(lambda: client.exists(key) == 1)
            original: Any = client.get(key)
            value = make(key, original, client)
            if value is not None:
                client.set(key, value)
            facts = {"by id": told(service.client.get(f"/quote/{first.json()['id']}"))}
            facts["again"] = quoted_once(service, costly)
            recovered = seconds_until(lambda: client.get(key) == original)
    return Seen(facts, recovered)


SPOILED_FACTS: Final = {"by id": GONE, "again": RIGHT}


@fault(GROUP, "value of random bytes", expects=SPOILED_FACTS, recovers_s=RECOVERS_S)
def garbage() -> Seen:
    return spoiled(lambda key, original, client: bytes(range(256)) * 40)


@fault(
    GROUP, "value with one flipped bit", expects=SPOILED_FACTS, recovers_s=RECOVERS_S, quick=True
)
def flipped() -> Seen:
    def flip(key: str, original: bytes, client: Any) -> bytes:
        middle = len(original) // 2
        return original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1 :]

    return spoiled(flip)


@fault(GROUP, "value that was cut short", expects=SPOILED_FACTS, recovers_s=RECOVERS_S)
def shortened() -> Seen:
    return spoiled(lambda key, original, client: original[: len(original) // 2])


@fault(GROUP, "value of another quote", expects=SPOILED_FACTS, recovers_s=RECOVERS_S)
def of_another_quote() -> Seen:
    """As an engine might leave that chooses other keys."""

    def other(key: str, original: bytes, client: Any) -> bytes:
        return Envelopes().seal(key=key[:-1] + "x", body=b"{}")

    return spoiled(other)


@fault(
    GROUP,
    "value that somebody forged, while answers are signed",
    expects=SPOILED_FACTS,
    recovers_s=RECOVERS_S,
)
def forged() -> Seen:
    def forge(key: str, original: bytes, client: Any) -> bytes:
        return Envelopes().seal(key=key, body=b'{"id":"forged"}')

    return spoiled(forge, RUNQUOTE_CACHE_KEY="sixteen characters or more")


@fault(GROUP, "value that is a list", expects=SPOILED_FACTS, recovers_s=RECOVERS_S)
def listed() -> Seen:
    def make_list(key: str, original: bytes, client: Any) -> None:
        client.delete(key)
        client.lpush(key, "a")

    return spoiled(make_list)


@fault(
    GROUP,
    "Sentinel: the master is killed and a replica takes its place",
    expects={"quotes": RIGHT, "health": "200"},
    recovers_s=20.0,
)
def failed_over() -> Seen:
    with start_sentinel() as (sentinel, master, _):
        address = f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}"
        with serving(address) as service:
            kept(service)
            master.kill()
            start = time.monotonic()
            facts = {"quotes": quoted(service, "failed over"), "health": health(service)}
            seconds_until(lambda: is_shared(service))
            return Seen(facts, time.monotonic() - start)


@fault(
    GROUP,
    "Cluster: one of three shards hangs",
    expects={
        "quotes": RIGHT,
        "by id on that shard": AWAY,
        "by id on others": "200",
        "health": "200",
    },
    recovers_s=10.0,
)
def one_shard() -> Seen:
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(start_cluster(partial=True))
        address = f"redis+cluster://127.0.0.1:{servers[1].port}"
        service = stack.enter_context(serving(address))
        paths = {kept(service) for _ in range(20)}
        with servers[0].client() as client:
            keys: Any = client.keys("*")
        there = paths & {f"/quote/{key.decode().removeprefix(KEYS)}" for key in keys}
        servers[0].hang()
        facts = {
            "by id on that shard": all_told({by_id(service, path) for path in there}),
            "by id on others": all_told({by_id(service, path) for path in paths - there}),
            "quotes": quoted(service, "shard"),
            "health": health(service),
        }
        servers[0].resume()
        path = there.pop()
        return Seen(facts, seconds_until(lambda: service.client.get(path).status_code == 200))
