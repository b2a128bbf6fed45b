"""Do the tiers give back what was put, once, and at the cost of one look?"""

import pytest

from service.cache import Answer, InvalidRedisAddress, QuoteCache
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
    assert cache.breaker_states == {}
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
        assert client.keys("*") == [b"rq:4:q_1"]
        assert 0 < client.ttl("rq:4:q_1") <= 600


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
    cache.put_nowait("q_0", b"longer than the bound, but alone")
    await until(lambda: recorder.redis_puts().get("stored") == 1 and not cache._pending_puts)
    cache.put_nowait("q_1", b"12345678")
    cache.put_nowait("q_2", b"123")
    await until(lambda: recorder.redis_puts().get("stored") == 2 and not cache._pending_puts)
    cache.put_nowait("q_3", b"123")
    await cache.close()
    assert recorder.redis_puts() == {"stored": 3, "dropped": 1}


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
    assert await cache.get("q_3") == Answer(None, "unasked")
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
