"""What if the Redis is absent, killed, hung, flushed, full, closed to us or filled with anything?

The same answers, from memory or as a miss; and it is asked again when it works again.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from service.cache import REASONS, Answer, BreakerState, QuoteCache
from service.cache.envelope import HEADER_BYTES, Envelopes
from service.cache.redis import FIRST_READ_BYTES
from tests.redis_server import start_redis, unused_port
from tests.service.recording import Recorder, until, until_is

pytestmark = pytest.mark.anyio

BODY = b'{"total": "294000.00"}' * 100
NOWHERE = Answer(None, "nowhere")
UNASKED = Answer(None, "unasked")
PATIENT = 10.0  # a timeout that no test waits for
SHORT = 0.1  # a timeout that tests do wait for
NEVER = 3600.0  # a pause that no test sees the end of


@contextlib.asynccontextmanager
async def a_cache(
    url: str, recorder: Recorder, **arguments: float | str
) -> AsyncIterator[QuoteCache]:
    settings: dict[str, float | str] = {"timeout_s": PATIENT, "breaker_pause_s": NEVER, **arguments}
    # No memory: what is found is found in Redis.
    cache = QuoteCache(url=url, memory_bytes=0, observer=recorder, **settings)  # type: ignore[arg-type]
    try:
        yield cache
    finally:
        await cache.close()


async def stored(cache: QuoteCache, recorder: Recorder, key: str, body: bytes = BODY) -> None:
    """Put `body` and wait until the store has ended, one way or another."""
    ended = sum(recorder.redis_puts().values()) + 1
    await cache.put(key, body)
    await until(lambda: sum(recorder.redis_puts().values()) == ended)


def state_of(cache: QuoteCache) -> BreakerState:
    (state,) = cache.breaker_states.values()
    return state


def said(lines: list[Any]) -> list[tuple[str, str | None]]:
    """The events that were logged, with their reasons."""
    return [(line["event"], line.get("reason")) for line in lines]


GIVEN_UP = {reason: ("cache_redis_unavailable", reason) for reason in REASONS}


@pytest.fixture(autouse=True)
def quiet_logs():
    with capture_logs() as lines:
        yield lines
    structlog.reset_defaults()


async def test_an_absent_redis_is_asked_a_few_times_and_then_no_more(recorder, quiet_logs):
    async with a_cache(f"redis://127.0.0.1:{unused_port()}", recorder, breaker_failures=3) as cache:
        for number in range(10):
            assert await cache.get(f"q_{number}") == UNASKED
        assert recorder.redis_gets() == {"error": 3, "open": 7}
        await cache.put("q_1", BODY)
        assert recorder.redis_puts() == {"open": 1}
        assert recorder.states == ["closed", "open"]
    assert said(quiet_logs) == [("cache_redis_failed", "refused"), GIVEN_UP["refused"]]
    assert recorder.failures == {"refused": 3}


async def test_a_redis_that_is_absent_at_start_is_not_asked_until_it_is_there(recorder):
    port = unused_port()
    async with a_cache(f"redis://127.0.0.1:{port}", recorder, breaker_pause_s=0.01) as cache:
        await cache.start()
        assert state_of(cache) in ("open", "half_open")
        assert await cache.get("q_1") == UNASKED
        assert recorder.redis_gets() == {"open": 1}
        with start_redis(port=port):
            await until(lambda: state_of(cache) == "closed")
            await stored(cache, recorder, "q_1")
            assert await cache.get("q_1") == Answer(BODY, "redis")


async def test_start_connects(redis_server, recorder, quiet_logs):
    async with a_cache(redis_server.url, recorder) as cache:
        await cache.start()
        with redis_server.client() as client:
            ours = [line for line in client.client_list() if line["cmd"] == "getrange"]
        assert len(ours) == 1
        assert state_of(cache) == "closed"
    assert quiet_logs == []


async def test_a_redis_killed_in_mid_run_costs_misses_until_it_is_back(recorder, quiet_logs):
    with start_redis() as server:
        async with a_cache(server.url, recorder, breaker_failures=2, breaker_pause_s=0.01) as cache:
            await stored(cache, recorder, "q_1")
            assert await cache.get("q_1") == Answer(BODY, "redis")
            server.kill()
            for _ in range(5):
                assert await cache.get("q_1") == UNASKED
            assert recorder.redis_gets() == {"hit": 1, "error": 2, "open": 3}
            server.start()
            await until(lambda: state_of(cache) == "closed")
            assert await cache.get("q_1") == NOWHERE  # it lost what it had
            await stored(cache, recorder, "q_1")
            assert await cache.get("q_1") == Answer(BODY, "redis")
    assert ("cache_redis_failed", "cut") in said(quiet_logs)
    assert [event for event, _ in said(quiet_logs)].count("cache_redis_unavailable") == 1
    assert said(quiet_logs)[-1] == ("cache_redis_recovered", None)


async def test_a_redis_restarted_between_two_requests_costs_at_most_one_failure(recorder):
    with start_redis() as server:
        async with a_cache(server.url, recorder, breaker_failures=2) as cache:
            await stored(cache, recorder, "q_1")
            server.kill()
            server.start()
            await until_is(NOWHERE, lambda: cache.get("q_1"))
            await stored(cache, recorder, "q_1")
            await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))
            assert recorder.states == ["closed"]


@pytest.mark.parametrize("failures", [1, 3])
async def test_a_hung_redis_costs_one_timeout_per_attempt_and_few_attempts(recorder, failures):
    with start_redis() as server:
        async with a_cache(
            server.url, recorder, timeout_s=SHORT, breaker_failures=failures
        ) as cache:
            server.hang()
            for _ in range(failures + 20):
                assert await cache.get("q_1") == UNASKED
            assert recorder.redis_gets() == {"timeout": failures, "open": 20}


async def test_a_redis_that_hung_is_used_again(recorder):
    with start_redis() as server:
        async with a_cache(
            server.url, recorder, timeout_s=SHORT, breaker_failures=1, breaker_pause_s=0.01
        ) as cache:
            await until_is(True, lambda: _is_stored(cache, recorder))
            server.hang()
            await until_is(UNASKED, lambda: cache.get("q_1"))
            await until(lambda: recorder.states.count("half_open") > 2)
            server.resume()
            await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))


async def _is_stored(cache: QuoteCache, recorder: Recorder) -> bool:
    await stored(cache, recorder, "q_1")
    return "stored" in recorder.redis_puts()


async def test_a_late_reply_is_never_taken_for_another(recorder):
    """Commands given up while the server hangs leave nothing behind on the wire."""
    with start_redis() as server:
        async with a_cache(
            server.url, recorder, timeout_s=SHORT, breaker_failures=1000, max_connections=2
        ) as cache:
            keys = [f"q_{number}" for number in range(8)]
            async with a_cache(server.url, Recorder()) as patient:
                for key in keys:
                    await patient.put(key, key.encode() * 500)
            for _ in range(3):
                server.hang()
                looks = [asyncio.create_task(cache.get(key)) for key in keys]
                await asyncio.sleep(SHORT / 2)
                for look in looks[::2]:
                    look.cancel()
                await asyncio.gather(*looks, return_exceptions=True)
                server.resume()
                for key in keys:
                    await until_is(Answer(key.encode() * 500, "redis"), partial(cache.get, key))
            assert "invalid" not in recorder.redis_gets()


async def test_a_store_never_delays_its_caller(recorder):
    with start_redis() as server:
        async with a_cache(server.url, recorder, timeout_s=SHORT, breaker_failures=1000) as cache:
            server.hang()
            for number in range(20):
                await cache.put(f"q_{number}", BODY)
            assert recorder.redis_puts() == {}  # all of them are still to come
        assert recorder.redis_puts() == {"timeout": 20}  # and close has waited for their end


async def test_a_flushed_redis_is_a_miss_and_is_filled_again(redis_server, recorder):
    async with a_cache(redis_server.url, recorder) as cache:
        await stored(cache, recorder, "q_1")
        redis_server.flush()
        assert await cache.get("q_1") == NOWHERE
        await stored(cache, recorder, "q_1")
        assert await cache.get("q_1") == Answer(BODY, "redis")
    assert recorder.redis_gets() == {"miss": 1, "hit": 1}


async def test_a_full_redis_refuses_stores_and_still_answers(recorder, quiet_logs):
    with start_redis(max_memory_bytes=100_000_000) as server:
        async with a_cache(server.url, recorder, breaker_failures=1) as cache:
            await stored(cache, recorder, "q_1")
            with server.client() as client:
                client.config_set("maxmemory", 1)
            for number in range(2, 12):
                await stored(cache, recorder, f"q_{number}")
            assert await cache.get("q_1") == Answer(BODY, "redis")
            assert await cache.get("q_2") == NOWHERE
            assert state_of(cache) == "closed"
    assert recorder.redis_puts() == {"stored": 1, "error": 10}
    assert said(quiet_logs) == [("cache_redis_failed", "out_of_memory")]  # ten refusals, one line
    assert recorder.failures == {"out_of_memory": 10}


@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_password_is_an_outage_and_stays_out_of_the_log(
    recorder, quiet_logs, password
):
    with start_redis(password="right") as server:
        async with a_cache(
            server.url_with(password=password), recorder, breaker_failures=2
        ) as cache:
            for _ in range(4):
                assert await cache.get("q_1") == UNASKED
            await cache.put("q_1", BODY)
        assert recorder.redis_gets() == {"error": 2, "open": 2}
    assert said(quiet_logs) == [("cache_redis_failed", "password"), GIVEN_UP["password"]]
    assert recorder.failures == {"password": 2}
    assert "wrong" not in str(quiet_logs)


async def test_the_right_password_is_let_in(recorder):
    with start_redis(password="p@ss") as server:
        async with a_cache(server.url_with(password="p%40ss"), recorder) as cache:
            await stored(cache, recorder, "q_1")
            assert await cache.get("q_1") == Answer(BODY, "redis")


async def test_a_user_with_the_documented_rights_suffices(redis_server, recorder):
    with redis_server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "quoter", "on", ">secret", "~rq:*", "+getrange", "+set"
        )
    url = f"redis://quoter:secret@127.0.0.1:{redis_server.port}"
    async with a_cache(url, recorder) as cache:
        await cache.start()
        await stored(cache, recorder, "q_1")
        assert await cache.get("q_1") == Answer(BODY, "redis")
    assert recorder.redis_puts() == {"stored": 1}


seal = Envelopes().seal

GARBAGE = {
    "empty of sense": b"garbage",
    "json": b'{"total": "0.00"}',
    "one byte": b"\x00",
    "binary": bytes(range(256)) * 20,
    "truncated": seal(key="rq:4:q_1", body=BODY)[:-1],
    "cut in the header": seal(key="rq:4:q_1", body=BODY)[:5],
    "of another key": seal(key="rq:4:q_2", body=BODY),
    "with a tail": seal(key="rq:4:q_1", body=b"short") + b"!",
    "flipped in the middle": bytes(
        byte ^ (index == 40) for index, byte in enumerate(seal(key="rq:4:q_1", body=BODY))
    ),
    "signed": Envelopes(secret="of somebody else").seal(key="rq:4:q_1", body=BODY),
    "of another version": b"rq\x01" + seal(key="rq:4:q_1", body=BODY)[3:],
}


@pytest.mark.parametrize("value", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_value_that_is_not_ours_is_a_miss_and_is_put_right(redis_server, recorder, value):
    async with a_cache(redis_server.url, recorder, breaker_failures=1) as cache:
        with redis_server.client() as client:
            client.set("rq:4:q_1", value)
        assert await cache.get("q_1") == NOWHERE
        assert recorder.redis_gets() == {"invalid": 1}
        await stored(cache, recorder, "q_1")
        assert await cache.get("q_1") == Answer(BODY, "redis")
        assert state_of(cache) == "closed"


async def test_a_list_under_the_key_is_a_miss_and_is_put_right(redis_server, recorder):
    async with a_cache(redis_server.url, recorder, breaker_failures=1) as cache:
        with redis_server.client() as client:
            client.rpush("rq:4:q_1", "garbage")
        assert await cache.get("q_1") == NOWHERE
        assert recorder.redis_gets() == {"invalid": 1}
        await stored(cache, recorder, "q_1")
        assert await cache.get("q_1") == Answer(BODY, "redis")
        assert state_of(cache) == "closed"


async def test_a_huge_value_is_not_read_to_its_end(redis_server, recorder):
    async with a_cache(redis_server.url, recorder) as cache:
        with redis_server.client() as client:
            client.setrange("rq:4:q_1", 100_000_000, b"end")
            read_before = client.info("stats")["total_net_output_bytes"]
            assert await cache.get("q_1") == NOWHERE
            read_after = client.info("stats")["total_net_output_bytes"]
        assert recorder.redis_gets() == {"invalid": 1}
        assert read_after - read_before < 500_000


INCOMPRESSIBLE = random.Random(1).randbytes(8 * 1024**2)
LARGE = {
    "compressed": BODY * 10_000,
    "not compressible": INCOMPRESSIBLE,
    "of the length of a read": INCOMPRESSIBLE[: FIRST_READ_BYTES - HEADER_BYTES],
    "longer by one": INCOMPRESSIBLE[: FIRST_READ_BYTES - HEADER_BYTES + 1],
}


@pytest.mark.parametrize("secret", ["", "a secret of some length"])
@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
async def test_a_large_answer_is_shared_as_it_is(redis_server, recorder, body, secret):
    async with a_cache(redis_server.url, recorder, secret=secret) as cache:
        await stored(cache, recorder, "q_1", body)
        assert await cache.get("q_1") == Answer(body, "redis")
        with redis_server.client() as client:
            client.append("rq:4:q_1", b"!")
        assert await cache.get("q_1") == NOWHERE
    assert recorder.redis_puts() == {"stored": 1}


async def test_an_answer_beyond_the_bound_is_not_shared_and_counted(
    redis_server, recorder, quiet_logs
):
    async with a_cache(redis_server.url, recorder, max_body_bytes=1000) as cache:
        await stored(cache, recorder, "q_1", bytes(1001))
        assert await cache.get("q_1") == NOWHERE
        async with a_cache(redis_server.url, recorder) as wider:
            await stored(wider, recorder, "q_2", bytes(300_000))
        assert await cache.get("q_2") == NOWHERE
    assert recorder.redis_puts() == {"oversized": 1, "stored": 1}
    assert recorder.redis_gets() == {"miss": 1, "invalid": 1}
    assert quiet_logs[0]["event"] == "cache_redis_value_oversized"


SECRET = "a secret of some length"
FORGED = {
    "unsigned": Envelopes().seal(key="rq:4:q_1", body=BODY),
    "by another secret": Envelopes(secret="another secret").seal(key="rq:4:q_1", body=BODY),
    "of another key": Envelopes(secret=SECRET).seal(key="rq:4:q_2", body=BODY),
    "altered": Envelopes(secret=SECRET).seal(key="rq:4:q_1", body=BODY)[:-1] + b"!",
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED.keys())
async def test_with_a_secret_what_others_wrote_is_a_miss_and_is_put_right(
    redis_server, recorder, quiet_logs, value
):
    async with a_cache(redis_server.url, recorder, secret=SECRET) as cache:
        with redis_server.client() as client:
            client.set("rq:4:q_1", value)
        assert await cache.get("q_1") == NOWHERE
        assert recorder.redis_gets() == {"unauthentic": 1}
        await stored(cache, recorder, "q_1")
        assert await cache.get("q_1") == Answer(BODY, "redis")
    assert SECRET not in str(quiet_logs)


async def test_something_else_on_the_port_is_an_outage(recorder):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with other, a_cache(f"redis://127.0.0.1:{port}", recorder, breaker_failures=2) as cache:
        for _ in range(4):
            assert await cache.get("q_1") == UNASKED
        assert recorder.redis_gets() == {"error": 2, "open": 2}
    assert recorder.failures == {"not_redis": 2}


async def test_a_connection_says_nothing_it_need_not_say(redis_server, recorder):
    async with a_cache(f"{redis_server.url}/3", recorder) as cache:
        await cache.get("q_1")
        with redis_server.client() as client:
            calls = {
                name.removeprefix("cmdstat_"): stats["calls"]
                for name, stats in client.info("commandstats").items()
            }
    assert calls.get("select") == calls.get("getrange") == 1
    assert {"ping", "hello", "client|setinfo", "client|maint_notifications"} & calls.keys() == set()
