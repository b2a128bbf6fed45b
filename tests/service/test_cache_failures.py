"""Does the log say at once why a Redis gives no answer, and do the metrics count it?"""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from structlog.testing import capture_logs

from service.cache import REASONS, Answer, InvalidRedisAddress, QuoteCache
from service.cache.failures import Complaints, failure_of
from tests.redis_proxy import start_proxy
from tests.redis_server import start_redis, unused_port
from tests.redis_topologies import MASTER, start_sentinel
from tests.service.recording import PATIENCE_S, Recorder, until, until_is

pytestmark = pytest.mark.anyio

BODY = b'{"total": "294000.00"}' * 100
UNASKED = Answer(None, "unasked")
NEVER = 3600.0


@contextlib.asynccontextmanager
async def a_cache(
    url: str, recorder: Recorder, *, timeout_s: float = 5.0, pause_s: float = NEVER
) -> AsyncIterator[QuoteCache]:
    cache = QuoteCache(
        url=url,
        memory_bytes=0,
        timeout_s=timeout_s,
        breaker_failures=2,
        breaker_pause_s=pause_s,
        observer=recorder,
    )
    try:
        yield cache
    finally:
        await cache.close()


@pytest.fixture(autouse=True)
def lines():
    with capture_logs() as logged:
        yield logged
    structlog.reset_defaults()


def reasons(lines: list[Any]) -> list[str]:
    return [line["reason"] for line in lines if line["event"] == "cache_redis_failed"]


async def stored(cache: QuoteCache, recorder: Recorder) -> str:
    """How the next store ends."""
    before = recorder.redis_puts()
    await cache.put("q_1", BODY)
    await until(lambda: recorder.redis_puts() != before)
    (result,) = [r for r, n in recorder.redis_puts().items() if n != before.get(r, 0)]
    return result


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path):
    """The file of an authority's certificate."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def secure(port: int, authorities: Path | None) -> str:
    options = "" if authorities is None else f"?ssl_ca_certs={authorities}"
    return f"rediss://localhost:{port}{options}"


async def test_a_server_by_tls_is_as_good_as_any(redis_server, authority, trusted, recorder, lines):
    with start_proxy(redis_server.port, authority=authority) as proxy:
        async with a_cache(secure(proxy.port, trusted), recorder) as cache:
            await cache.start()
            assert await stored(cache, recorder) == "stored"
            looks = await asyncio.gather(*(cache.get("q_1") for _ in range(30)))
            assert looks == [Answer(BODY, "redis")] * 30
    assert lines == []


@pytest.fixture(params=["of the system", "others"])
def authorities(request, tmp_path):
    """Authorities that do not know the server. Those of the system take 90 ms to read."""
    if request.param == "of the system":
        return None
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    return tmp_path / "other.pem"


async def test_a_certificate_that_is_not_trusted_is_said_to_be_so(
    redis_server, authority, authorities, recorder, lines
):
    with start_proxy(redis_server.port, authority=authority) as proxy:
        url = secure(proxy.port, authorities)
        async with a_cache(url, recorder, timeout_s=0.5) as cache:
            await cache.start()
            assert await cache.get("q_1") == UNASKED
    assert reasons(lines) == ["certificate"]
    assert recorder.failures == {"certificate": 1}


async def test_a_certificate_of_another_host_is_not_trusted(
    redis_server, authority, trusted, recorder
):
    with start_proxy(redis_server.port, authority=authority) as proxy:
        url = secure(proxy.port, trusted).replace("localhost", "127.0.0.1")
        async with a_cache(url, recorder) as cache:
            assert await cache.get("q_1") == UNASKED
    assert recorder.failures == {"certificate": 1}


async def test_given_authorities_are_trusted_in_place_of_the_systems(trusted, monkeypatch):
    """redis-py trusts both."""
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", pytest.fail)
    cache = QuoteCache(url=secure(unused_port(), trusted))
    await cache.close()


async def test_a_certificate_that_is_replaced_is_used_without_a_restart(
    redis_server, authority, recorder, tmp_path
):
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    with start_proxy(redis_server.port, authority=authority) as proxy:
        async with a_cache(secure(proxy.port, path), recorder, pause_s=0.01) as cache:
            await cache.start()
            assert await cache.get("q_1") == UNASKED
            authority.cert_pem.write_to_path(str(path))
            await until_is("stored", lambda: stored(cache, recorder))


def test_certificates_that_cannot_be_read_are_refused_at_once(tmp_path):
    with pytest.raises(InvalidRedisAddress, match="certificates"):
        QuoteCache(url=secure(1, tmp_path / "absent.pem"))


async def test_a_server_that_speaks_no_tls_is_said_to_speak_none(trusted, recorder):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR this is not TLS at all\r\n")
        await reader.read()
        writer.close()

    other = await asyncio.start_server(greet, "localhost", 0)
    port = other.sockets[0].getsockname()[1]
    async with other, a_cache(secure(port, trusted), recorder) as cache:
        assert await cache.get("q_1") == UNASKED
    assert recorder.failures == {"tls": 1}


async def test_a_server_that_wants_tls_is_an_outage(redis_server, authority, recorder):
    with start_proxy(redis_server.port, authority=authority) as proxy:
        async with a_cache(f"redis://127.0.0.1:{proxy.port}", recorder) as cache:
            assert await cache.get("q_1") == UNASKED
    assert set(recorder.failures) <= {"cut", "not_redis"}
    assert recorder.failures


async def test_replies_that_are_cut_are_counted_and_logged_once(redis_server, recorder, lines):
    """Every second reply is cut, so that the breaker never opens."""
    with start_proxy(redis_server.port) as proxy:
        async with a_cache(f"redis://127.0.0.1:{proxy.port}", recorder) as cache:
            assert await stored(cache, recorder) == "stored"
            for cut in (True, False) * 5:
                proxy.cut_after = 20 if cut else None
                expected = UNASKED if cut else Answer(BODY, "redis")
                assert await cache.get("q_1") == expected
            assert set(cache.breaker_states.values()) == {"closed"}
    assert recorder.failures == {"cut": 5}
    assert reasons(lines) == ["cut"]


async def test_a_slow_server_is_late(redis_server, recorder, lines):
    with start_proxy(redis_server.port) as proxy:
        proxy.delay_s = PATIENCE_S
        async with a_cache(f"redis://127.0.0.1:{proxy.port}", recorder, timeout_s=0.1) as cache:
            assert await cache.get("q_1") == UNASKED
    assert recorder.failures == {"timeout": 1}
    assert reasons(lines) == ["timeout"]


async def test_a_replica_answers_and_takes_nothing(redis_server, recorder, lines):
    replicaof = f"127.0.0.1 {redis_server.port}"
    with start_redis("--replicaof", replicaof, "--repl-diskless-sync-delay", "0") as replica:
        async with a_cache(redis_server.url, Recorder()) as writing:
            await writing.put("q_1", BODY)
        async with a_cache(replica.url, recorder) as cache:
            await until_is(Answer(BODY, "redis"), lambda: cache.get("q_1"))
            for _ in range(3):
                assert await stored(cache, recorder) == "error"
            assert await cache.get("q_1") == Answer(BODY, "redis")
    assert recorder.failures == {"read_only": 3}
    assert reasons(lines) == ["read_only"]


async def test_a_user_without_rights_is_said_to_have_none(redis_server, recorder, lines):
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~rq:*", "+getrange")
    url = f"redis://reader:secret@127.0.0.1:{redis_server.port}"
    async with a_cache(url, recorder) as cache:
        assert await stored(cache, recorder) == "error"
        assert await cache.get("q_1") == Answer(None, "nowhere")
    assert recorder.failures == {"not_permitted": 1}
    assert "secret" not in str(lines)


async def test_a_name_without_an_address_is_said_to_have_none(recorder):
    async with a_cache("redis://no-such-host.invalid", recorder) as cache:
        assert await cache.get("q_1") == UNASKED
    assert recorder.failures == {"unknown_host": 1}


async def test_a_master_that_nobody_knows_is_said_to_be_unknown(recorder):
    with start_sentinel() as (sentinel, _, _):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/another-than-{MASTER}"
        async with a_cache(url, recorder) as cache:
            assert await cache.get("q_1") == UNASKED
    assert recorder.failures == {"no_master": 1}


async def test_a_new_reason_is_logged_at_once(recorder, lines):
    """While an old one lasts and is not repeated, in requests and in probes."""
    port = unused_port()
    async with a_cache(f"redis://127.0.0.1:{port}", recorder, pause_s=0.01) as cache:
        await cache.start()
        await until(lambda: recorder.failures["refused"] > 3)
        with start_redis(port=port, password="secret"):
            await until(lambda: recorder.failures["password"] > 3)
    assert reasons(lines)[0] == "refused"
    assert reasons(lines).count("password") == 1


async def test_what_was_not_said_is_counted_in_the_next_line(lines, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("service.cache.failures.time.monotonic", lambda: now)
    complaints = Complaints(structlog.get_logger())
    told = [complaints.make("failed", server="a", reason="cut") for _ in range(4)]
    told.append(complaints.make("failed", server="b", reason="cut"))
    now += 61.0
    told.append(complaints.make("failed", server="a", reason="cut"))
    assert told == [True, False, False, False, True, True]
    assert [line.get("unsaid", 0) for line in lines] == [0, 0, 3]


async def test_no_task_and_no_connection_outlives_a_cache(redis_server, recorder):
    tasks = asyncio.all_tasks()
    with redis_server.client() as client:
        before = len(client.client_list())
        async with a_cache(redis_server.url, recorder) as cache:
            await cache.start()
            await asyncio.gather(*(cache.get(f"q_{number}") for number in range(40)))
        gc.collect()
        await until(lambda: len(client.client_list()) == before)
    assert asyncio.all_tasks() == tasks


def test_what_nobody_foresaw_is_an_outage_for_another_reason():
    failure = failure_of(ZeroDivisionError("1/0"))
    assert failure.reason == "other"
    assert failure.is_outage
    assert "other" in REASONS


async def test_a_server_that_is_found_gone_refused_us(recorder):
    """The connection that was kept is found closed, and the next one does not come about."""
    with start_redis() as server:
        async with a_cache(server.url, recorder) as cache:
            assert await stored(cache, recorder) == "stored"
            server.kill()
            await asyncio.sleep(0.3)  # the end of the connection arrives
            assert await cache.get("q_1") == UNASKED
    assert recorder.failures == {"refused": 1}
