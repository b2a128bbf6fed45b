"""Traces: read as callers say them, logged, shown as examples of times, and sent as spans."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.access.traces import Parent, parent_of
from tests.requests import R1
from tests.server import start_service

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
digits = st.text("0123456789abcdef")


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255), st.booleans())
def test_a_parent_is_what_its_header_says(trace, span, flags, later):
    said = f"{'01' if later else '00'}-{trace:032x}-{span:016x}-{flags:02x}"
    parent = Parent(f"{trace:032x}", f"{span:016x}", sampled=bool(flags % 2))
    assert parent_of([(b"host", b"x"), (b"traceparent", said.encode())]) == parent
    assert parent_of([(b"traceparent", said.encode())] * 2) is None
    more = parent_of([(b"traceparent", f"{said}-more".encode())])
    assert more == (parent if later else None)


@pytest.mark.parametrize(
    "said",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01 ",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_what_is_no_parent_is_none(said):
    assert parent_of([(b"traceparent", said.encode())]) is None
    assert parent_of([]) is None


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A collector of spans: its address, and what it was sent."""
    got: list[Any] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sent = ExportTraceServiceRequest.FromString(body)
            for resource in sent.resource_spans:
                for scope in resource.scope_spans:
                    got.extend(scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Taking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


def lines(service) -> list[dict[str, Any]]:
    every = (json.loads(line) for line in service.log().splitlines())
    return [line for line in every if line["event"] == "request"]


def test_a_trace_goes_on_and_is_logged_and_an_example_of_its_time(monkeypatch):
    with collector() as (address, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        with start_service(RUNQUOTE_TRACES="1", RUNQUOTE_DRAIN_S="0") as service:
            service.client.post("/quote", json=R1, headers=HEADER)
            service.client.post("/quote", json=R1)
            service.client.get("/livez", headers=HEADER)
            assert service.settles(lambda: len(lines(service)) == 2)
            first, second = lines(service)
            accepts = {"accept": "application/openmetrics-text;version=1.0.0"}
            text = httpx.get(f"{service.url}/metrics", headers=accepts).text
            assert service.stop() == 0
    assert first["trace"] == TRACE
    assert first["span"] != SPAN
    assert second["trace"] not in {TRACE, ""}
    examples = re.findall(
        r'_duration_seconds_bucket\{.*route="/quote".*\} .* # \{trace_id="(\w+)"', text
    )
    assert set(examples) & {first["trace"], second["trace"]}
    by_span = {span.span_id.hex(): span for span in spans}
    assert set(by_span) == {first["span"], second["span"]}
    sent = by_span[first["span"]]
    assert (sent.trace_id.hex(), sent.parent_span_id.hex()) == (TRACE, SPAN)
    assert sent.name == "POST /quote"
    assert sent.end_time_unix_nano > sent.start_time_unix_nano
    told = {one.key: one.value for one in sent.attributes}
    assert told["http.response.status_code"].int_value == 200
    assert told["runquote.quote"].string_value.startswith("q_")


def test_without_the_extra_a_trace_is_logged_and_nothing_is_sent():
    with start_service() as service:
        service.client.post("/quote", json=R1, headers=HEADER)
        assert service.settles(lambda: bool(lines(service)))
        (line,) = lines(service)
        assert (line["trace"], line["span"]) == (TRACE, SPAN)
        assert "opentelemetry" not in service.log()
