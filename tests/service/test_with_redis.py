"""Redis is an accelerator: the same answers whatever happens to it, and metrics that tell."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from service.api.http.copies.encodings import compressed
from service.cache.envelope import Envelopes
from tests.redis_server import start_redis, unused_port
from tests.redis_topologies import start_cluster
from tests.requests import R1, V3, disaggregated_stages
from tests.server import start_service

AWAY = "/problems/cache-unavailable"
TRULY_GONE = "/problems/quote-not-kept"


def named(name):
    return R1 | {"run": R1["run"] | {"name": name}}


def on_top_of(id):
    return R1 | {"accounting": {"base_model": {"kind": "quote", "id": id}}}


def quote_number(index):
    return f"/quote/q_{index:064x}"


def last_line(service, *, status):
    """The log line of the last request with this status."""

    def lines():
        every = [json.loads(line) for line in service.log().splitlines()]
        return [line for line in every if line.get("status") == status]

    assert service.settles(lambda: bool(lines()))
    return lines()[-1]


def test_replicas_that_share_a_redis_find_each_others_quotes():
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as first:
        posted = first.client.post("/quote", json=R1)
        with start_service(RUNQUOTE_REDIS_URL=redis.url) as second:
            read = second.client.get(posted.headers["content-location"])
            assert read.status_code == 200
            assert read.content == posted.content
            hit = {"tier": "redis", "operation": "get", "result": "hit"}
            assert second.metric("runquote_cache_operations_total", **hit) == 1


def test_a_body_that_was_seen_is_asked_of_redis_before_it_is_read_again():
    forgetful = {"RUNQUOTE_CACHE_MEMORY_BYTES": "0"}
    with (
        start_redis() as redis,
        start_service(RUNQUOTE_REDIS_URL=redis.url, **forgetful) as service,
    ):
        dear = disaggregated_stages(1, stages=1)
        computed = service.client.post("/quote", json=dear)
        stored = {"tier": "redis", "operation": "put", "result": "stored"}
        assert service.settles(
            lambda: service.metric("runquote_cache_operations_total", **stored) == 1
        )
        decoded = service.metric("runquote_engine_phase_duration_seconds_count", phase="decode")
        again = service.client.post("/quote", json=dear)
        assert again.headers["server-timing"].startswith("redis;")
        assert again.content == computed.content
        assert again.headers["etag"] == computed.headers["etag"]
        assert (
            service.metric("runquote_engine_phase_duration_seconds_count", phase="decode")
            == decoded
        )
        redis.flush()
        assert service.client.post("/quote", json=dear).content == computed.content


def test_a_copy_that_redis_has_is_sent_as_it_is():
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as first:
        posted = first.client.post("/quote", json=R1, headers={"accept-encoding": "identity"})
        path = posted.headers["content-location"]
        stored = {"tier": "redis", "operation": "put", "result": "stored"}
        assert first.settles(lambda: first.metric("runquote_cache_operations_total", **stored) == 1)
        with redis.client() as client:
            values: list[Any] = [client.get(key) for key in client.scan_iter("rq:*")]
        with start_service(RUNQUOTE_REDIS_URL=redis.url) as second:
            for service in (second, first):
                with service.client.stream(
                    "GET", path, headers={"accept-encoding": "zstd"}
                ) as sent:
                    copy = b"".join(sent.iter_raw())
                assert sent.headers["content-encoding"] == "zstd"
                assert copy == compressed(posted.content, "zstd")
                assert [value.endswith(copy) for value in values] == [True]


@pytest.mark.parametrize("trouble", ["hang", "kill", "flush"])
def test_a_redis_that_fails_in_mid_run_changes_no_answer(trouble):
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as service:
        expected = service.client.post("/quote", json=named("before"))
        getattr(redis, trouble)()
        for index in range(5):
            answer = service.client.post("/quote", json=named(f"{trouble} {index}"))
            assert answer.status_code == 200
        again = service.client.post("/quote", json=named("before"))
        assert again.content == expected.content
        assert service.client.get("/readyz").status_code == 200


def test_a_redis_that_was_never_there_changes_no_answer():
    url = f"redis://127.0.0.1:{unused_port()}"
    with start_service() as plain, start_service(RUNQUOTE_REDIS_URL=url) as service:
        expected = plain.client.post("/quote", json=V3)
        assert service.client.post("/quote", json=V3).content == expected.content
        for index in range(8):
            assert service.client.get(quote_number(index)).status_code == 503
        assert service.metric("runquote_cache_breaker_state", state="open") == 1


def test_a_wrong_password_and_a_full_redis_change_no_answer():
    with start_redis(password="right") as locked, start_redis(max_memory_bytes=1) as full:
        for url in (locked.url_with(password="wrong"), full.url):
            with start_service(RUNQUOTE_REDIS_URL=url) as service:
                assert service.client.post("/quote", json=V3).status_code == 200
                assert "wrong" not in service.log()


def test_a_costly_quote_that_another_replica_has_computed_comes_from_redis():
    costly = disaggregated_stages(1, stages=1)
    bills = {"basis": "rental", "outcome": "priced"}
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as first:
        computed = first.client.post("/quote", json=costly)
        assert "computed;dur=" in computed.headers["server-timing"]
        stored = {"tier": "redis", "operation": "put", "result": "stored"}
        assert first.settles(lambda: first.metric("runquote_cache_operations_total", **stored) == 1)
        with start_service(RUNQUOTE_REDIS_URL=redis.url) as second:
            shared = second.client.post("/quote", json=costly)
            assert shared.content == computed.content
            assert shared.headers["etag"] == computed.headers["etag"]
            assert "redis;dur=" in shared.headers["server-timing"]
            assert last_line(second, status=200)["cache"] == "redis"
            assert second.metric("runquote_quotes_total", **bills) == 0
            again = second.client.post("/quote", json=costly)
            assert "memory;dur=" in again.headers["server-timing"]


SECRET = "the same in all replicas"


@pytest.mark.parametrize("trouble", ["forged", "flipped", "garbage", "of another secret"])
def test_what_somebody_else_wrote_is_computed_again_and_put_right(trouble):
    costly = disaggregated_stages(1, stages=1)
    with start_redis() as redis, redis.client() as client:
        shared = {"RUNQUOTE_REDIS_URL": redis.url, "RUNQUOTE_CACHE_KEY": SECRET}
        with start_service(**shared) as first:
            computed = first.client.post("/quote", json=costly)
            key = f"rq:4:{computed.json()['id']}"
            assert first.settles(lambda: client.exists(key) == 1)
            assert SECRET not in first.log()
        kept: Any = client.get(key)
        cheaper = computed.content.replace(b'"USD"', b'"EUR"')
        written = {
            "forged": Envelopes().seal(key=key, body=cheaper),
            "flipped": kept[:-1] + bytes([kept[-1] ^ 1]),
            "garbage": b"garbage",
            "of another secret": Envelopes(secret="guessed").seal(key=key, body=cheaper),
        }[trouble]
        client.set(key, written)
        with start_service(**shared) as second:
            assert second.client.get(f"/quote/{key[5:]}").status_code == 404
            again = second.client.post("/quote", json=costly)
            assert again.content == computed.content
            assert "computed;dur=" in again.headers["server-timing"]
            looked = {"tier": "redis", "operation": "get"}
            result = "invalid" if trouble == "garbage" else "unauthentic"
            assert second.metric("runquote_cache_operations_total", **looked, result=result) == 2
            assert second.settles(lambda: client.get(key) == kept)


def test_a_cheap_quote_is_computed_rather_than_asked_for():
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as service:
        assert service.client.post("/quote", json=V3).status_code == 200
        for result in ("hit", "miss"):
            looked = {"tier": "redis", "operation": "get", "result": result}
            assert service.metric("runquote_cache_operations_total", **looked) == 0


@pytest.mark.parametrize("trouble", ["hang", "kill"])
def test_what_redis_cannot_say_is_never_told_as_gone(trouble):
    """Before the breaker opens, while it is open, and for a base model."""
    with (
        start_redis() as redis,
        start_service(RUNQUOTE_REDIS_URL=redis.url) as first,
        start_service(RUNQUOTE_REDIS_URL=redis.url) as second,
    ):
        base = first.client.post("/quote", json=R1)
        assert second.client.get(quote_number(1)).json()["type"] == TRULY_GONE
        getattr(redis, trouble)()
        for _ in range(8):
            for asked in (
                second.client.get(base.headers["content-location"]),
                second.client.post("/quote", json=on_top_of(base.json()["id"])),
                second.client.get("/claim/c_" + "1" * 64),
            ):
                assert asked.status_code == 503
                assert asked.json()["type"] == AWAY
                assert int(asked.headers["retry-after"]) >= 1
        assert second.client.get("/quote/nonsense").status_code == 404
        assert first.client.get(base.headers["content-location"]).content == base.content
        built = first.client.post("/quote", json=on_top_of(base.json()["id"]))
        assert built.status_code == 200


def test_what_redis_was_asked_for_and_has_not_is_gone():
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as service:
        assert service.client.get(quote_number(2)).json()["type"] == TRULY_GONE
        built = service.client.post("/quote", json=on_top_of("q_" + "2" * 64))
        assert built.status_code == 409


def test_many_who_ask_for_one_quote_share_one_look_into_redis():
    """A hung Redis shows it: they share its timeout."""
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as service:
        redis.hang()

        async def ask() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
                return await asyncio.gather(*(client.get(quote_number(3)) for _ in range(20)))

        assert {answer.status_code for answer in asyncio.run(ask())} == {503}
        late = {"tier": "redis", "operation": "get", "result": "timeout"}
        assert service.metric("runquote_cache_operations_total", **late) < 20


def test_why_redis_fails_is_in_the_log_and_the_metrics():
    with (
        start_redis(password="right") as redis,
        start_service(RUNQUOTE_REDIS_URL=redis.url_with(password="wrong")) as service,
    ):
        failures = "runquote_cache_failures_total"
        assert service.metric(failures, reason="password") >= 1
        assert service.metric(failures, reason="refused") == 0
        assert service.settles(lambda: '"event":"cache_redis_failed"' in service.log())
        assert '"reason":"password"' in service.log()
        assert "wrong" not in service.log()


def test_a_lost_shard_of_a_cluster_turns_away_no_others_quote():
    with start_cluster(partial=True) as servers:
        address = f"redis+cluster://127.0.0.1:{servers[1].port}"
        shared = {"RUNQUOTE_REDIS_URL": address, "RUNQUOTE_CACHE_MEMORY_BYTES": "0"}
        with start_service(**shared) as service:
            quotes = [
                service.client.post("/quote", json=named(f"run {number}")) for number in range(20)
            ]
            stored = {"tier": "redis", "operation": "put", "result": "stored"}
            counted = "runquote_cache_operations_total"
            assert service.settles(lambda: service.metric(counted, **stored) == len(quotes))
            with servers[0].client() as client:
                gone = {key.decode().removeprefix("rq:4:") for key in client.keys("*")}  # type: ignore[union-attr]
            servers[0].hang()
            for _ in range(3):
                for quote in quotes:
                    answer = service.client.get(quote.headers["content-location"])
                    lost = quote.json()["id"] in gone
                    assert answer.status_code == (503 if lost else 200)
            assert 0 < len(gone) < len(quotes)
            assert service.metric("runquote_cache_breaker_state", state="closed") == 2
