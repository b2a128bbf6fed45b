"""Is a Sentinel group or a Cluster as good as a single Redis, also when it loses a server?"""

import asyncio
from functools import partial
from typing import Any

import pytest
from redis.crc import key_slot

from service.cache import Answer, QuoteCache
from service.cache.connecting.address import redis_address
from service.cache.connecting.clients import Building
from service.cache.connecting.cluster import MAP_TIMEOUT_S, Cluster
from tests.redis_server import RedisServer, unused_port
from tests.redis_topologies import (
    CLUSTER_SLOTS,
    MASTER,
    add_replica,
    move_slot,
    start_cluster,
    start_sentinel,
)
from tests.service.recording import Recorder, until, until_is

pytestmark = pytest.mark.anyio

BODY = b'{"total": "294000.00"}' * 100
PATIENT = 10.0
UNASKED = Answer(None, "unasked")


def a_cache(url: str, recorder: Recorder, *, timeout_s: float) -> QuoteCache:
    return QuoteCache(
        url=url,
        memory_bytes=0,
        timeout_s=timeout_s,
        breaker_failures=2,
        breaker_pause_s=0.05,
        observer=recorder,
    )


async def kept(cache: QuoteCache, recorder: Recorder, key: str) -> bool:
    """Whether the next store of `key` succeeds."""
    before = sum(recorder.redis_puts().values())
    stored_before = recorder.redis_puts().get("stored", 0)
    await cache.put(key, BODY)
    await until(lambda: sum(recorder.redis_puts().values()) > before)
    return recorder.redis_puts().get("stored", 0) > stored_before


@pytest.mark.parametrize("password", [None, "secret"])
async def test_a_sentinel_leads_to_the_master_and_after_its_death_to_the_next(recorder, password):
    with start_sentinel(sentinel_password=password) as (sentinel, master, replica):
        query = "" if password is None else f"?sentinel_password={password}"
        cache = a_cache(
            f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}{query}", recorder, timeout_s=0.5
        )
        await cache.start()
        await until_is(True, lambda: kept(cache, recorder, "q_1"))
        assert await cache.get("q_1") == Answer(BODY, "redis")
        with master.client() as client:
            assert client.keys("*") == [b"rq:4:q_1"]
        with replica.client() as client:
            await until(lambda: client.dbsize() == 1)
        master.kill()
        await until_is(True, lambda: kept(cache, recorder, "q_2"))
        await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))
        with replica.client() as client:
            assert sorted(client.keys("*")) == [b"rq:4:q_1", b"rq:4:q_2"]
        await cache.close()


async def test_a_sentinel_that_is_gone_is_an_outage(recorder):
    with start_sentinel() as (sentinel, _, _):
        cache = a_cache(
            f"redis+sentinel://127.0.0.1:{sentinel.port}/{MASTER}", recorder, timeout_s=0.5
        )
        sentinel.kill()
        for _ in range(4):
            assert await cache.get("q_1") == UNASKED
        assert recorder.redis_gets()["error"] == 2
        await cache.close()


async def test_a_cluster_keeps_quotes_on_all_its_nodes(recorder):
    with start_cluster() as servers:
        first = servers[0].port
        cache = a_cache(f"redis+cluster://127.0.0.1:{first}", recorder, timeout_s=PATIENT)
        await cache.start()
        keys = [f"q_{number}" for number in range(60)]
        for key in keys:
            await cache.put(key, BODY)
        await until(lambda: sum(recorder.redis_puts().values()) == len(keys))
        answers = await asyncio.gather(*(cache.get(key) for key in keys))
        assert answers == [Answer(BODY, "redis")] * len(keys)
        counts = []
        for server in servers:
            with server.client() as client:
                counts.append(client.dbsize())
        assert sum(counts) == len(keys)
        assert all(counts)
        await cache.close()


async def test_all_who_want_the_map_of_a_cluster_share_one_reading_and_may_leave_it():
    with start_cluster() as servers, servers[0].client() as client:
        address = redis_address(f"redis+cluster://127.0.0.1:{servers[0].port}")
        cluster = Cluster(Building(address, timeout_s=PATIENT, max_connections=2))
        servers[0].hang()
        readers = [asyncio.create_task(cluster.look_around()) for _ in range(64)]
        await asyncio.sleep(2 * MAP_TIMEOUT_S)  # there is no other server to ask meanwhile
        readers[0].cancel()
        servers[0].resume()
        await asyncio.gather(*readers[1:])
        assert readers[0].cancelled()
        assert len(cluster.servers()) == len(servers)
        asked = client.info("commandstats")["cmdstat_cluster|slots"]["calls"]
        assert asked == 1
        await cluster.close()


async def test_a_cluster_that_hangs_is_an_outage_and_is_used_again(recorder):
    with start_cluster() as servers:
        cache = a_cache(addresses_of(servers), recorder, timeout_s=0.2)
        await cache.start()
        await until_is(True, lambda: kept(cache, recorder, "q_1"))
        for server in servers:
            server.hang()
        for _ in range(4):
            assert await cache.get("q_1") == UNASKED
        assert "open" in recorder.redis_gets()
        for server in servers:
            server.resume()
        await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))
        await cache.close()


async def test_a_cluster_that_is_absent_at_start_is_found(recorder):
    port = unused_port()
    cache = a_cache(f"redis+cluster://127.0.0.1:{port}", recorder, timeout_s=PATIENT)
    await cache.start()
    assert await cache.get("q_1") == UNASKED
    assert cache.breaker_states.keys() == {"cluster"}
    with start_cluster(first_port=port) as servers:
        await until_is(True, lambda: kept(cache, recorder, "q_1"))
        assert await cache.get("q_1") == Answer(BODY, "redis")
        await until(lambda: set(cache.breaker_states) <= {name_of(server) for server in servers})
        await cache.close()


def addresses_of(servers: list[RedisServer]) -> str:
    return "redis+cluster://" + ",".join(map(name_of, servers))


def name_of(server: RedisServer) -> str:
    return f"127.0.0.1:{server.port}"


def keys_on(server: RedisServer) -> list[str]:
    with server.client() as client:
        keys: Any = client.keys("*")
    return [key.decode().removeprefix("rq:4:") for key in keys]


KEYS = [f"q_{number}" for number in range(60)]


async def fill(cache: QuoteCache, recorder: Recorder) -> None:
    for key in KEYS:
        await until_is(True, partial(kept, cache, recorder, key))


@pytest.mark.parametrize("trouble", ["hang", "kill"])
async def test_a_lost_shard_costs_its_own_keys_only(recorder, trouble):
    with start_cluster(partial=True) as servers:
        cache = a_cache(addresses_of(servers), recorder, timeout_s=0.5)
        await cache.start()
        await fill(cache, recorder)
        lost, *_ = servers
        others = [key for server in servers[1:] for key in keys_on(server)]
        gone = keys_on(lost)
        getattr(lost, trouble)()
        for _ in range(3):
            found = await asyncio.gather(*(cache.get(key) for key in others))
            assert found == [Answer(BODY, "redis")] * len(others)
            found = await asyncio.gather(*(cache.get(key) for key in gone))
            assert found == [UNASKED] * len(gone)
        for _ in range(20):  # while the lost one is probed, and maps are read
            assert await cache.get(others[0]) == Answer(BODY, "redis")
            await asyncio.sleep(0.05)
        assert cache.breaker_states.pop(name_of(lost)) != "closed"
        assert recorder.servers["closed"] == len(servers) - 1
        assert await kept(cache, recorder, others[0])
        await cache.close()


async def test_a_lost_shard_is_used_again_when_it_is_back(recorder):
    with start_cluster(partial=True) as servers:
        cache = a_cache(addresses_of(servers), recorder, timeout_s=0.5)
        await cache.start()
        await fill(cache, recorder)
        lost = servers[1]
        (key, *_) = keys_on(lost)
        lost.hang()
        await until_is("open", lambda: state_of(cache, lost))
        lost.resume()
        await until_is(Answer(BODY, "redis"), lambda: cache.get(key))
        assert recorder.servers == {"closed": 3, "open": 0, "half_open": 0}
        await cache.close()


async def state_of(cache: QuoteCache, server: RedisServer) -> str:
    await asyncio.gather(*(cache.get(key) for key in KEYS))
    return cache.breaker_states[name_of(server)]


async def test_a_replica_that_takes_the_place_of_a_master_is_found(recorder):
    with start_cluster() as servers, add_replica(servers[0]) as replica:
        cache = a_cache(addresses_of(servers), recorder, timeout_s=0.5)
        await cache.start()
        await fill(cache, recorder)
        key, *_ = keys_on(servers[0])
        with replica.client() as client:
            await until(lambda: client.dbsize() == len(keys_on(servers[0])))
        servers[0].kill()
        await until_is(Answer(BODY, "redis"), lambda: cache.get(key))
        assert name_of(replica) in cache.breaker_states
        await until(lambda: name_of(servers[0]) not in cache.breaker_states)
        await cache.close()


async def test_a_slot_that_has_moved_is_followed(recorder):
    with start_cluster() as servers:
        cache = a_cache(addresses_of(servers), recorder, timeout_s=PATIENT)
        await cache.start()
        slot = key_slot(b"rq:4:q_1")
        (source,) = [s for n, s in enumerate(servers) if slot * 3 // CLUSTER_SLOTS == n]
        target = servers[(servers.index(source) + 1) % 3]
        move_slot(slot, source=source, target=target)
        assert await kept(cache, recorder, "q_1")
        assert await cache.get("q_1") == Answer(BODY, "redis")
        assert keys_on(target) == ["q_1"]
        assert recorder.failures == {}
        await cache.close()


async def test_a_user_with_the_documented_rights_suffices_for_a_cluster(recorder):
    rights = ("~rq:*", "+getrange", "+set", "+cluster|slots")
    with start_cluster() as servers:
        for server in servers:
            with server.client() as client:
                client.execute_command("ACL", "SETUSER", "quoter", "on", ">secret", *rights)
        address = f"redis+cluster://quoter:secret@{name_of(servers[0])}"
        cache = a_cache(address, recorder, timeout_s=PATIENT)
        await cache.start()
        await fill(cache, recorder)
        await cache.close()
    assert recorder.failures == {}
