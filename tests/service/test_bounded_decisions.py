"""Comparisons, solutions, differences and batches are bounded as quotes are, and given up."""

import json
import socket

import httpx
import pytest

from tests.processes import busiest_below
from tests.requests import R1, disaggregated_stages
from tests.server import start_service
from tests.varied import WORKS

PATIENT_S = 60.0
COSTLY = {"lane": "apart"}
STAGES = [{"name": f"stage {at}", "work": WORKS["pretraining of experts"]} for at in range(24)]
RUN = {"name": "many stages", "stages": STAGES}
LARGE = {"accelerator": "nvidia-h100-sxm-80gb", "devices": 1024}
ASKED = {
    "/compare": {"run": RUN, "constraints": {"deadline_hours": 1e5}},
    "/solve": {
        "run": RUN,
        "cluster": LARGE,
        "find": {"kind": "devices"},
        "limits": {"deadline_hours": 1e5},
    },
}


@pytest.fixture(scope="module")
def service():
    settings = {
        "RUNQUOTE_COMPUTE_DEADLINE_S": "300",
        "RUNQUOTE_COMPUTE_MAX_S": "300",
        "RUNQUOTE_COMPUTE_QUEUE_S": "300",
    }
    with start_service(**settings) as running:
        yield running


def tasks(service) -> float:
    """How many costly answers are computed or wait."""
    return service.metric("runquote_compute_tasks", **COSTLY)


def begun(service, path: str, body: bytes, kind: str) -> socket.socket:
    """A connection whose request is computed by a worker."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    one = socket.create_connection(("127.0.0.1", service.port))
    one.sendall(head.encode() + body)
    return one


def is_given_up(service) -> bool:
    """Whether nothing is computed, or waits, and no worker takes CPU."""
    return tasks(service) == 0 and busiest_below(service.process.pid) is None


@pytest.mark.parametrize("path", ASKED)
def test_a_client_that_leaves_a_decision_frees_the_worker(service, path):
    """While it is computed, others are served. When its client has left, nothing is computed."""
    body = json.dumps(ASKED[path]).encode()
    with begun(service, path, body, "application/json"):
        assert service.settles(lambda: tasks(service) == 1)
        assert service.client.get("/livez").status_code == 200
        other = R1 | {"run": R1["run"] | {"name": f"beside {path}"}}
        assert service.client.post("/quote", json=other).status_code == 200
        assert tasks(service) == 1, "it is long enough to be left"
    assert service.settles(lambda: is_given_up(service))
    assert service.client.post("/quote", json=R1).status_code == 200


def test_a_client_that_leaves_a_batch_frees_the_worker(service):
    lines = [json.dumps(disaggregated_stages(50 + at)).encode() for at in range(20)]
    with begun(service, "/quote/batch", b"\n".join(lines), "application/x-ndjson"):
        assert service.settles(lambda: tasks(service) >= 1)
        assert service.client.get("/livez").status_code == 200
    assert service.settles(lambda: is_given_up(service))
    assert service.client.post("/quote", json=R1).status_code == 200


def test_a_decision_that_takes_too_much_is_refused_before_it_begins():
    with start_service(RUNQUOTE_COMPUTE_MAX_S="0.2") as service:
        for path, asked in ASKED.items():
            answer = httpx.post(f"{service.url}{path}", json=asked, timeout=PATIENT_S)
            assert answer.status_code == 422
            assert answer.json()["type"] == "/problems/too-much-to-compute"


def test_questions_about_large_quotes_are_answered_apart_and_bounded():
    """The same bytes come of a worker, of the service itself, and nothing of what is too much."""
    stages = [
        {"name": f"stage {at}", "work": {"kind": "metered", "device_hours": 100.0 + at}}
        for at in range(8)
    ]
    before = R1 | {"run": {"name": "r", "stages": stages}}
    after = before | {"cluster": R1["cluster"] | {"supply": {"kind": "market"}}}
    sides = [{"kind": "request", "request": one} for one in (before, after)]
    diff = {"before": sides[0], "after": sides[1]}
    invoice = {"lines": [{"item": "device_rental", "label": "devices", "amount": 210_000.0}]}
    reconcile = {
        "quote": {"kind": "request", "request": R1 | {"run": {"name": "r", "stages": stages[:1]}}},
        "happened": {"device_hours": 120.0},
        "invoice": invoice,
    }
    found = []
    patient = {"RUNQUOTE_COMPUTE_DEADLINE_S": "300", "RUNQUOTE_COMPUTE_QUEUE_S": "300"}
    for settings in ({"RUNQUOTE_COMPUTE_BESIDE_S": "0.001"}, {"RUNQUOTE_COMPUTE_WORKERS": "0"}):
        with start_service(**settings, **patient) as service:
            answers = [
                service.client.post(path, json=asked, timeout=PATIENT_S)
                for path, asked in (("/quote/diff", diff), ("/reconcile", reconcile))
            ]
            assert [answer.status_code for answer in answers] == [200, 200], answers[-1].text
            found.append([answer.content for answer in answers])
    assert found[0] == found[1]
