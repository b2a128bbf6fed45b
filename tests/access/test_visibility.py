"""An answer is read with the key that asked for it, and with no other: a law over random pairs."""

import asyncio
import json
from datetime import date
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.access.keys import add_entry, new_key
from tests.redis_server import start_redis
from tests.replica import replica_of
from tests.requests import R1

KEYS = ("planning", "finance", "research")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    made = {}
    for name in KEYS:
        made[name], entry = new_key(name, made=date(2026, 11, 28))
        add_entry(file, entry)
    return file, made


def named(number: int) -> dict[str, Any]:
    return R1 | {"run": R1["run"] | {"name": f"run {number}"}}


def on_top_of(id: str) -> dict[str, Any]:
    return R1 | {"accounting": {"base_model": {"kind": "quote", "id": id}}}


steps = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS), st.integers(0, 4)),
    min_size=3,
    max_size=12,
)


def origin(answer: httpx.Response) -> str:
    """Where an answer came from, as its `Server-Timing` says."""
    return answer.headers["server-timing"].rpartition(", ")[2].partition(";")[0]


@pytest.fixture(scope="module")
def redis():
    with start_redis() as server:
        yield server


@pytest.mark.parametrize("shares", [False, True], ids=["memory", "Redis"])
@given(steps)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_key_reads_what_another_has_asked(shares, keys, redis, some):
    file, key = keys
    more = {"redis_url": redis.url, "redis_timeout_s": 5.0} if shares else {}
    redis.flush()

    async def lived() -> None:
        known: dict[tuple[str, int], str] = {}
        async with (
            replica_of(keys_file=str(file), **more) as first,
            replica_of(keys_file=str(file), **more) as second,
        ):
            for asks, reads, number in some:
                answer = await first.ask(key[asks], "POST", "/quote", json=named(number))
                assert answer.status_code == 200
                id = answer.json()["id"]
                expected = "memory" if (asks, number) in known else "computed"
                assert origin(answer) == expected
                known[asks, number] = id
                assert len({one for (_, two), one in known.items() if two == number}) == 1
                may = (reads, number) in known
                for replica in (first, second) if shares else (first,):
                    read = await replica.ask(key[reads], "GET", f"/quote/{id}")
                    start = await replica.ask(key[reads], "GET", f"/quote/{id}?start=2027-01-01")
                    if may and replica is first:
                        assert read.content == answer.content
                        assert start.status_code == 200
                    elif not may:
                        assert (read.status_code, start.status_code) == (404, 404)
                        built = await replica.ask(key[reads], "POST", "/quote", json=on_top_of(id))
                        assert built.json()["type"] == "/problems/base-quote-not-kept"
                assert (await first.ask(None, "GET", f"/quote/{id}")).status_code == 401

    asyncio.run(lived())


def test_a_replica_finds_in_redis_what_the_same_key_asked_and_an_open_one_finds_nothing(
    keys, redis
):
    file, key = keys
    redis.flush()
    more = {"redis_url": redis.url, "redis_timeout_s": 5.0}

    async def lived() -> None:
        async with replica_of(keys_file=str(file), **more) as first:
            answer = await first.ask(key["finance"], "POST", "/quote", json=R1)
        async with (
            replica_of(keys_file=str(file), **more) as second,
            replica_of(**more) as opened,
        ):
            path = f"/quote/{answer.json()['id']}"
            assert (await second.ask(key["finance"], "GET", path)).content == answer.content
            assert (await second.ask(key["planning"], "GET", path)).status_code == 404
            (place,) = redis_keys(redis)
            owner = place.rpartition(".")[2]
            for made_up in (path, f"{path}.{owner}"):
                assert (await opened.ask(None, "GET", made_up)).status_code == 404
                assert (await second.ask(key["planning"], "GET", made_up)).status_code == 404
            same = await opened.ask(None, "POST", "/quote", json=R1)
            assert same.content == answer.content
            assert json.loads(same.content)["id"] == path.rpartition("/")[2]

    asyncio.run(lived())


def redis_keys(redis) -> list[str]:
    with redis.client() as client:
        return [key.decode() for key in client.keys("rq:4:q_*")]
