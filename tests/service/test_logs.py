"""Logs never stop the service: not if nobody reads them, and not if their device is full."""

import json
import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from service import logs
from service.logs import LineWriter
from tests.requests import R1
from tests.server import start_service, started_on


def dropped(client):
    """Lines that the service says it has dropped."""
    (line,) = (
        line
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("runquote_log_lines_dropped_total ")
    )
    return float(line.split()[1])


@pytest.mark.parametrize("requests", [600])
def test_a_pipe_that_nobody_reads_stops_no_request(requests):
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb") as sink, started_on(sink) as client:
        for _ in range(requests):
            assert client.post("/quote", json=R1).status_code == 200
        assert client.get("/livez").status_code == 200


def test_a_full_device_stops_no_start_and_no_request():
    with Path("/dev/full").open("wb") as full, started_on(full) as client:
        for _ in range(20):
            assert client.post("/quote", json=R1).status_code == 200
        time.sleep(0.2)
        assert dropped(client) >= 20


def test_lines_beyond_the_bound_are_counted_and_the_rest_is_written_in_order():
    reader, end = os.pipe()
    lines = LineWriter(end, most_lines=100, pause_s=60.0)
    for index in range(150):
        lines.write(f"{index}\n")
    lines.start()
    lines.close(wait_s=10.0)
    os.close(end)
    with os.fdopen(reader) as written:
        assert written.read().split() == [str(index) for index in range(100)]
    assert lines.dropped == 50


@pytest.mark.parametrize("waiting", [1, 16, 17, 100, 5_000])
def test_requests_go_on_while_many_lines_are_made(waiting, monkeypatch, tmp_path):
    """The thread that makes lines lets others run after every few of them."""
    made: list[int] = []
    breaths: list[int] = []

    def fields(number):
        made.append(number)
        return {"number": number}

    monkeypatch.setattr(logs, "sleep", lambda _: breaths.append(len(made)))
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LineWriter(file.fileno())
        for number in range(waiting):
            writer.defer(fields, (number,))
        writer.start()
        writer.close()
    assert [json.loads(line)["number"] for line in path.open()] == list(range(waiting))
    at_once = {end - start for start, end in pairwise([0, *breaths, waiting])}
    assert max(at_once) <= max(16, waiting / 64)
    assert len(breaths) <= 64


def test_the_last_lines_are_waited_for_only_so_long():
    reader, end = os.pipe()
    lines = LineWriter(end, pause_s=0.0)
    lines.start()
    lines.write("x" * 200_000 + "\n")
    closing = threading.Thread(target=lines.close, kwargs={"wait_s": 0.2})
    closing.start()
    closing.join(10.0)
    assert not closing.is_alive()
    os.close(reader)


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def line_of(service, request_id):
    """The log line of one request."""

    def lines():
        found = (json.loads(line) for line in service.log().splitlines() if request_id in line)
        return [line for line in found if line["event"] == "request"]

    assert service.settles(lambda: len(lines()) > 0)
    (line,) = lines()
    return line


def test_a_line_says_who_asked_what_became_of_it_and_how_long_it_waited(service):
    service.client.post("/quote", json={}, headers={"x-request-id": "refused-1"})
    line = line_of(service, "refused-1")
    assert line["client"] == "127.0.0.1"
    assert line["problem"] == "invalid-request"
    assert line["queue_ms"] >= 0.0
    assert line["status"] == 422


def test_probes_and_scrapes_are_not_logged(service):
    for path in ("/livez", "/readyz", "/metrics"):
        service.client.get(path, headers={"x-request-id": f"probe-{path[1:]}"})
    service.client.get("/nothing", headers={"x-request-id": "after-the-probes"})
    line_of(service, "after-the-probes")
    assert "probe-" not in service.log()


def test_waiting_and_a_late_loop_are_measured(service):
    service.client.post("/quote", json=R1)
    assert service.metric("runquote_http_queue_duration_seconds_count") > 0
    assert service.settles(lambda: service.metric("runquote_event_loop_lag_seconds_count") > 5)
