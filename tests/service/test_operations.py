"""What operators see: health, metrics, logs, and a clean end."""

import json
import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.settings import Settings
from tests.requests import R1
from tests.server import start_service


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def test_it_is_alive_and_ready_and_says_of_which_catalog(service):
    assert service.client.get("/livez").json() == {"status": "alive"}
    ready = service.client.get("/readyz").json()
    assert ready["status"] == "ready"
    assert ready["catalog"]["digest"].startswith("sha256:")


def test_requests_are_counted_by_route_template_and_status(service):
    series = {"method": "GET", "route": "/catalog/models/{id}", "status": "404"}
    name = "runquote_http_requests_total"
    before = service.metric(name, **series)
    service.client.get("/catalog/models/no-such-model")
    assert service.settles(lambda: service.metric(name, **series) == before + 1)


def test_unknown_paths_and_methods_make_no_label_of_their_own(service):
    service.client.get("/some/secret/path")
    service.client.request("BREW", "/quote/pot")
    text = service.client.get("/metrics").text
    assert "secret" not in text
    assert "BREW" not in text
    unmatched = {"route": "unmatched", "status": "404"}
    assert service.settles(lambda: service.metric("runquote_http_requests_total", **unmatched) >= 1)


def test_quotes_warnings_and_the_cache_are_counted(service):
    body = R1 | {"run": R1["run"] | {"name": "counted"}}
    before = {
        "quotes": service.metric("runquote_quotes_total", basis="rental", outcome="priced"),
        "hits": service.metric("runquote_cache_operations_total", tier="memory", result="hit"),
    }
    for _ in range(2):
        service.client.post("/quote", json=body)
    after = service.metric("runquote_quotes_total", basis="rental", outcome="priced")
    assert after == before["quotes"] + 1
    hits = service.metric("runquote_cache_operations_total", tier="memory", result="hit")
    assert hits == before["hits"] + 1


def test_the_memo_is_measured_and_its_lookups_are_counted(service):
    body = R1 | {"run": R1["run"] | {"name": "a name for the memo"}}
    name, series = "runquote_memo_lookups_total", {"kind": "standing", "result": "hit"}
    service.client.post("/quote", json=body)
    hits = service.metric(name, **series)
    service.client.post("/quote", json=body | {"run": body["run"] | {"name": "another"}})
    assert service.metric(name, **series) == hits + 1
    assert service.metric(name, kind="column", result="miss") > 0
    entries = service.metric("runquote_memo_entries")
    assert entries > 10
    assert 100 * entries < service.metric("runquote_memo_bytes") <= Settings().memo_max_bytes


def test_problems_are_counted_by_slug(service):
    service.client.post("/quote", content=b"{", headers={"content-type": "application/json"})
    assert service.metric("runquote_problems_total", problem="unreadable-json") >= 1


def test_the_exposition_parses_in_both_formats(service):
    families = {
        family.name
        for family in text_string_to_metric_families(service.client.get("/metrics").text)
    }
    assert {
        "runquote_http_requests",
        "runquote_http_request_duration_seconds",
        "runquote_quotes",
        "runquote_quote_warnings",
        "runquote_cache_operations",
        "runquote_cache_breaker_state",
        "runquote_brotli_copies",
        "runquote_memo_bytes",
        "runquote_memo_entries",
        "runquote_memo_lookups",
        "runquote_catalog_timestamp_seconds",
        "runquote_engine_phase_duration_seconds",
        "runquote_build_info",
    } <= families
    asked = {"accept": "application/openmetrics-text; version=1.0.0"}
    answer = service.client.get("/metrics", headers=asked)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_request_is_one_json_line_without_its_body(service):
    body = R1 | {"run": R1["run"] | {"name": "a name nobody logs"}}
    posted = service.client.post("/quote", json=body, headers={"x-request-id": "logged-once"})

    def lines():
        return [json.loads(line) for line in service.log().splitlines() if "logged-once" in line]

    assert service.settles(lambda: len(lines()) > 0)
    (line,) = lines()
    assert line["status"] == 200
    assert line["route"] == "/quote"
    assert line["quote"] == posted.json()["id"]
    assert "a name nobody logs" not in service.log()


def test_it_ends_cleanly_when_told_to():
    with start_service() as running:
        running.client.post("/quote", json=R1)
        assert running.stop() in {0, -signal.SIGTERM}
        assert '"event":"stopped"' in running.log()


def test_a_bad_setting_stops_the_start_with_its_name():
    started = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve"],
        env={"RUNQUOTE_PRT": "1", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 2
    assert "RUNQUOTE_PRT is not a setting" in started.stderr
