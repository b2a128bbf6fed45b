"""A real server with keys and quotas: refusals, a change of keys under load, and many callers."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx
import pytest

from service.access.keys import add_entry, new_key
from tests.redis_server import start_redis, unused_port
from tests.requests import R1, ranged_stages
from tests.server import run_to_the_end, start_service
from tests.wire import connected, said, sent

CLIENTS = 64
DAY = date(2026, 11, 28)


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def add(file, name, cpu=None):
    key, entry = new_key(name, made=DAY, cpu_s_per_minute=cpu)
    add_entry(file, entry)
    return key


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("keys") / "keys.toml"


@pytest.fixture(scope="module")
def key(file):
    return add(file, "planning")


@pytest.fixture(scope="module")
def scraped_on():
    return unused_port()


@pytest.fixture(scope="module")
def service(file, key, scraped_on):
    with start_service(
        RUNQUOTE_HOST="0.0.0.0",
        RUNQUOTE_KEYS_FILE=str(file),
        RUNQUOTE_METRICS_PORT=str(scraped_on),
        RUNQUOTE_ALLOWED_HOSTS="127.0.0.1 quotes.example",
    ) as running:
        yield running


def series(port, name):
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith(name)
    }


def test_a_start_that_everybody_reaches_says_so_or_has_keys(file, key):
    status, said_so = run_to_the_end(RUNQUOTE_HOST="0.0.0.0", RUNQUOTE_PORT="0")
    assert status == 2
    assert "RUNQUOTE_OPEN=1" in said_so
    assert "RUNQUOTE_KEYS_FILE" in said_so
    status, said_so = run_to_the_end(RUNQUOTE_KEYS_FILE="/nowhere/keys.toml")
    assert (status, "/nowhere/keys.toml" in said_so) == (2, True)


def test_a_key_opens_and_its_name_is_logged(service, key):
    refused = service.client.post("/quote", json=R1)
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/key-required")
    assert refused.headers["www-authenticate"] == 'Bearer realm="runquote"'
    answer = service.client.post("/quote", json=R1, headers=bearer(key))
    assert answer.status_code == 200
    again = service.client.post("/quote", json=R1, headers=bearer(key))
    assert again.content == answer.content
    assert "ratelimit" not in answer.headers
    assert service.client.get("/docs").status_code == 200
    assert service.settles(lambda: '"caller":"planning"' in service.log())
    assert key not in service.log()
    assert key.split("_", 2)[2] not in service.log()


def test_metrics_have_a_listener_of_their_own(service, key, scraped_on):
    assert service.client.get("/metrics", headers=bearer(key)).status_code == 401
    assert series(scraped_on, "runquote_build_info")
    assert httpx.get(f"http://127.0.0.1:{scraped_on}/quote").status_code == 404
    accepts = {"accept": "application/openmetrics-text;version=1.0.0"}
    told = httpx.get(f"http://127.0.0.1:{scraped_on}/metrics", headers=accepts)
    assert told.headers["content-type"].startswith("application/openmetrics-text")


def test_hosts_that_are_not_listed_are_told_so(service, key):
    other = service.client.post("/quote", json=R1, headers={"host": "evil"} | bearer(key))
    assert (other.status_code, other.json()["type"]) == (421, "/problems/misdirected-request")
    ours = {"host": "quotes.example"} | bearer(key)
    assert service.client.post("/quote", json=R1, headers=ours).status_code == 200
    assert service.client.get("/livez", headers={"host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET http://evil/livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /livez\r\n\r\n",
    ],
)
def test_a_request_without_one_plain_host_is_refused(service, head):
    with connected(service) as one:
        sent(one, head)
        assert re.match(rb"HTTP/1.1 400 ", said(one))


def test_every_answer_keeps_pages_of_others_out(service, key):
    for path in ("/docs", "/livez", "/nowhere", "/catalog/models"):
        headers = service.client.get(path, headers=bearer(key)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_change_of_keys_loses_no_request(service, file, key):
    """Callers ask on while keys come and go; the answers of a standing key never fail."""
    ended = threading.Event()

    def ask():
        statuses = set()
        with httpx.Client(base_url=service.url, timeout=30.0) as client:
            while not ended.is_set():
                statuses.add(client.post("/quote", json=R1, headers=bearer(key)).status_code)
        return statuses

    before = file.read_text()
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for name in ("second", "third"):
                new = add(file, name)
                assert service.settles(lambda new=new: opens(service, new))
            file.write_text("no keys at all")
            assert service.settles(lambda: "keys refused" in service.log())
            assert opens(service, new)
            file.write_text(before)
            assert service.settles(lambda: not opens(service, new))
        finally:
            ended.set()
        assert set().union(*(one.result() for one in asking)) == {200}


def opens(service, key):
    return service.client.post("/quote", json=R1, headers=bearer(key)).status_code == 200


@pytest.mark.parametrize("shares", [False, True], ids=["memory", "Redis"])
def test_a_quota_holds_under_64_callers_at_once(shares, tmp_path):
    file = tmp_path / "keys.toml"
    generous, poor = add(file, "generous", 1000), add(file, "poor", 0.05)
    with start_redis() as redis:
        more = {"RUNQUOTE_REDIS_URL": redis.url, "RUNQUOTE_REDIS_TIMEOUT_S": "5"} if shares else {}
        with start_service(RUNQUOTE_KEYS_FILE=str(file), **more) as one:
            first = one.client.post("/quote", json=R1, headers=bearer(generous))
            assert first.headers["ratelimit-policy"] == '"cpu";q=1000000;w=60'
            left = re.fullmatch(r'"cpu";r=(\d+);t=\d+', first.headers["ratelimit"])
            assert left
            assert 999_000 < int(left[1]) < 1_000_000
            path = first.headers["content-location"]

            def ask(number):
                with httpx.Client(base_url=one.url, timeout=30.0) as client:
                    return [client.get(path, headers=bearer(poor)) for _ in range(2)]

            with ThreadPoolExecutor(CLIENTS) as pool:
                answers = [each for some in pool.map(ask, range(CLIENTS)) for each in some]
            statuses = [each.status_code for each in answers]
            assert set(statuses) == {404, 429}
            assert 50 <= statuses.count(404) <= 100  # a minute may have ended meanwhile
            refused = next(each for each in answers if each.status_code == 429)
            assert refused.json()["type"] == "/problems/quota-exceeded"
            assert 1 <= int(refused.headers["retry-after"]) <= 120
            assert refused.headers["ratelimit-policy"] == '"cpu";q=50;w=60'
            assert refused.headers["ratelimit"].startswith('"cpu";r=0;t=')
            assert one.client.get(path, headers=bearer(generous)).content == first.content
            if shares:
                redis.kill()
                fine = [one.client.get("/catalog", headers=bearer(poor)) for _ in range(5)]
                assert {each.status_code for each in fine} == {200}
                assert "ratelimit" not in fine[-1].headers


def test_a_dear_quote_costs_what_it_is_estimated_to_take(tmp_path):
    file = tmp_path / "keys.toml"
    key = add(file, "planning", 100)
    with start_service(RUNQUOTE_KEYS_FILE=str(file), RUNQUOTE_METRICS_TOKEN="x" * 16) as one:

        def charged_for(body):
            before = taken(one)
            assert one.client.post("/quote", json=body, headers=bearer(key)).status_code == 200
            return taken(one) - before

        dear = ranged_stages(0)
        cheap_ms, dear_ms = charged_for(R1), charged_for(dear)
        assert 1 <= cheap_ms < dear_ms
        assert charged_for(dear) == 1
        assert json.loads(one.client.get("/openapi.json").content)["components"]["securitySchemes"]


def taken(service):
    """Milliseconds that were taken from quotas so far."""
    text = service.client.get("/metrics", headers=bearer("x" * 16)).text
    series = 'runquote_quota_charged_cpu_milliseconds_total{outcome="within"}'
    return next(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(series)
    )
