"""Redis is an accelerator: the same answers whatever happens to it, and metrics that tell."""

import pytest

from tests.redis_server import start_redis, unused_port
from tests.requests import R1, V3
from tests.server import start_service


def named(name):
    return R1 | {"run": R1["run"] | {"name": name}}


def test_replicas_that_share_a_redis_find_each_others_quotes():
    with start_redis() as redis, start_service(RUNQUOTE_REDIS_URL=redis.url) as first:
        posted = first.client.post("/quote", json=R1)
        with start_service(RUNQUOTE_REDIS_URL=redis.url) as second:
            read = second.client.get(posted.headers["content-location"])
            assert read.status_code == 200
            assert read.content == posted.content
            hit = {"tier": "redis", "operation": "get", "result": "hit"}
            assert second.metric("runquote_cache_operations_total", **hit) == 1


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
        unknown = service.client.get("/quote/q_" + "1" * 64)
        assert unknown.status_code == 404


def test_a_redis_that_was_never_there_changes_no_answer():
    url = f"redis://127.0.0.1:{unused_port()}"
    with start_service() as plain, start_service(RUNQUOTE_REDIS_URL=url) as service:
        expected = plain.client.post("/quote", json=V3)
        assert service.client.post("/quote", json=V3).content == expected.content
        for index in range(8):
            service.client.get("/quote/q_" + f"{index:064x}")
        assert service.metric("runquote_cache_breaker_state", state="open") == 1


def test_a_wrong_password_and_a_full_redis_change_no_answer():
    with start_redis(password="right") as locked, start_redis(max_memory_bytes=1) as full:
        for url in (locked.url_with(password="wrong"), full.url):
            with start_service(RUNQUOTE_REDIS_URL=url) as service:
                assert service.client.post("/quote", json=V3).status_code == 200
                assert "wrong" not in service.log()
