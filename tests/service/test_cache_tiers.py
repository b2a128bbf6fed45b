"""Do the tiers give back what was put, once, and at the cost of one look?"""

import asyncio

import pytest

from service.cache import Answer, ComputedAnswer, InvalidRedisAddress, QuoteCache
from service.cache import tiers as tiers_module
from tests.redis_server import unused_port
from tests.service.recording import until

pytestmark = pytest.mark.anyio

PATIENT = 10.0  # a timeout that no test waits for


def body_of(key: str) -> bytes:
    return f'{{"id": "{key}"}}'.encode() * 200


async def test_without_a_redis_the_memory_is_the_cache(recorder):
    cache = QuoteCache(observer=recorder)
    assert await cache.get("q_1") == Answer(None, "nowhere")
    await cache.put("q_1", b"body")
    assert await cache.get("q_1") == Answer(b"body", "memory")
    assert cache.get_memory("q_1") == b"body"
    assert cache.breaker_state is None
    assert 0 < cache.memory_used_bytes < 1000
    await cache.start()
    await cache.close()
    assert recorder.seen == {
        ("memory", "get", "miss"): 1,
        ("memory", "put", "stored"): 1,
        ("memory", "get", "hit"): 2,
    }
    assert recorder.states == []


async def test_another_replica_finds_what_one_has_put(redis_server, recorder):
    one = QuoteCache(url=redis_server.url, timeout_s=PATIENT)
    other = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    await one.put("q_1", body_of("q_1"))
    await one.close()  # waits for the store
    assert await other.get("q_1") == Answer(body_of("q_1"), "redis")
    assert await other.get("q_1") == Answer(body_of("q_1"), "memory")
    assert await other.get("q_2") == Answer(None, "nowhere")
    assert recorder.redis_gets() == {"hit": 1, "miss": 1}
    await other.close()


async def test_what_is_kept_in_redis_expires(redis_server):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, ttl_s=600)
    cache.put_nowait("q_1", b"body")
    await cache.close()
    with redis_server.client() as client:
        assert client.keys("*") == [b"rq:2:q_1"]
        assert 0 < client.ttl("rq:2:q_1") <= 600


async def test_what_is_not_shared_stays_here(redis_server, recorder):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    await cache.put("q_1", b"body", share=False)
    assert cache.get_memory("q_1") == b"body"
    await cache.close()
    assert recorder.redis_puts() == {}
    with redis_server.client() as client:
        assert client.dbsize() == 0


async def test_a_typed_id_never_becomes_a_key(redis_server, recorder):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    assert await cache.get("q_1\r\nFLUSHALL") == Answer(None, "nowhere")
    assert await cache.get("*") == Answer(None, "nowhere")
    assert recorder.redis_gets() == {}
    await cache.close()


async def test_looks_for_one_key_at_one_time_are_one_look(redis_server, recorder):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    answers = await asyncio.gather(*(cache.get(f"q_{number % 4}") for number in range(40)))
    assert answers == [Answer(None, "nowhere")] * 40
    assert recorder.redis_gets() == {"miss": 4}
    await cache.close()


async def test_one_key_is_computed_once(redis_server, recorder):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    computed = 0

    async def compute() -> bytes:
        nonlocal computed
        computed += 1
        await asyncio.sleep(0)
        return body_of("q_1")

    answers = await asyncio.gather(*(cache.get_or_compute("q_1", compute) for _ in range(50)))
    assert answers == [ComputedAnswer(body_of("q_1"), "computed")] * 50
    assert computed == 1
    assert await cache.get_or_compute("q_1", compute) == (body_of("q_1"), "memory")
    await cache.close()

    replica = QuoteCache(url=redis_server.url, timeout_s=PATIENT)
    assert await replica.get_or_compute("q_1", compute) == (body_of("q_1"), "redis")
    assert computed == 1
    await replica.close()


async def test_cheap_work_does_not_ask_redis(redis_server, recorder):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)

    async def compute() -> bytes:
        return b"body"

    assert await cache.get_or_compute("q_1", compute, ask_redis=False) == (b"body", "computed")
    await cache.close()
    assert recorder.redis_gets() == {}
    assert recorder.redis_puts() == {"stored": 1}


async def test_a_computation_that_fails_fails_for_all_and_is_tried_again(recorder):
    cache = QuoteCache(observer=recorder)

    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise LookupError("no such accelerator")

    async def compute() -> bytes:
        return b"body"

    failures = await asyncio.gather(
        *(cache.get_or_compute("q_1", fail) for _ in range(5)), return_exceptions=True
    )
    assert [type(failure) for failure in failures] == [LookupError] * 5
    assert await cache.get_or_compute("q_1", compute) == (b"body", "computed")
    await cache.close()


async def test_who_goes_away_does_not_take_the_computation_along():
    cache = QuoteCache()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def compute() -> bytes:
        begun.set()
        await go_on.wait()
        return b"body"

    leaver = asyncio.create_task(cache.get_or_compute("q_1", compute))
    await begun.wait()
    stayer = asyncio.create_task(cache.get_or_compute("q_1", compute))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    go_on.set()
    assert await stayer == (b"body", "computed")
    assert leaver.cancelled()
    await cache.close()


async def test_stores_beyond_the_bound_are_dropped_and_the_rest_is_stored(redis_server, recorder):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    many = tiers_module.MAX_PENDING_PUTS + 10
    for number in range(many):
        cache.put_nowait(f"q_{number}", b"body")
    await cache.close()
    assert recorder.redis_puts() == {"stored": tiers_module.MAX_PENDING_PUTS, "dropped": 10}
    with redis_server.client() as client:
        assert client.dbsize() == tiers_module.MAX_PENDING_PUTS


async def test_stores_are_bounded_in_bytes_too(redis_server, recorder, monkeypatch):
    monkeypatch.setattr(tiers_module, "MAX_PENDING_PUT_BYTES", 10)
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT, observer=recorder)
    cache.put_nowait("q_1", b"12345678")
    cache.put_nowait("q_2", b"123")
    await until(lambda: recorder.redis_puts().get("stored") == 1 and not cache._pending_puts)
    cache.put_nowait("q_3", b"123")
    await cache.close()
    assert recorder.redis_puts() == {"stored": 2, "dropped": 1}


async def test_a_body_too_large_to_keep_is_kept_nowhere(redis_server, recorder):
    cache = QuoteCache(
        url=redis_server.url,
        timeout_s=PATIENT,
        memory_bytes=1000,
        max_body_bytes=1000,
        observer=recorder,
    )
    cache.put_nowait("q_1", bytes(1001))
    await cache.close()
    assert recorder.seen == {("memory", "put", "oversized"): 1, ("redis", "put", "oversized"): 1}


async def test_a_closed_cache_goes_on_without_redis(redis_server):
    cache = QuoteCache(url=redis_server.url, timeout_s=PATIENT)
    cache.put_nowait("q_1", b"body")
    await cache.close()
    cache.put_nowait("q_2", b"body")
    assert await cache.get("q_2") == Answer(b"body", "memory")
    assert await cache.get("q_3") == Answer(None, "nowhere")
    await cache.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl_s": 0},
        {"ttl_s": tiers_module.MAX_TTL_S + 1},
        {"memory_bytes": -1},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"breaker_failures": 0},
        {"breaker_pause_s": 0},
        {"max_body_bytes": 0},
        {"max_connections": 0},
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        QuoteCache(**wrong)


def test_an_address_that_cannot_be_read_is_refused_at_once():
    with pytest.raises(InvalidRedisAddress):
        QuoteCache(url=f"127.0.0.1:{unused_port()}")
