"""Is a Sentinel group or a Cluster as good as a single Redis, also when it loses a server?"""

import asyncio

import pytest

from service.cache import Answer, QuoteCache
from tests.redis_topologies import MASTER, start_cluster, start_sentinel
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
            assert client.keys("*") == [b"rq:3:q_1"]
        with replica.client() as client:
            await until(lambda: client.dbsize() == 1)
        master.kill()
        await until_is(True, lambda: kept(cache, recorder, "q_2"))
        await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))
        with replica.client() as client:
            assert sorted(client.keys("*")) == [b"rq:3:q_1", b"rq:3:q_2"]
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


async def test_a_cluster_that_hangs_is_an_outage_and_is_used_again(recorder):
    with start_cluster() as servers:
        nodes = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        cache = a_cache(f"redis+cluster://{nodes}", recorder, timeout_s=0.2)
        await cache.start()
        await until_is(True, lambda: kept(cache, recorder, "q_1"))
        for server in servers:
            server.hang()
        await until(lambda: cache.breaker_state == "closed")
        while cache.breaker_state == "closed":
            assert await cache.get("q_1") == UNASKED
        assert await cache.get("q_1") == UNASKED
        for server in servers:
            server.resume()
        await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))
        await cache.close()
