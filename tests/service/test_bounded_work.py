"""One costly request makes no other wait, ends in time, and is given up when its client leaves."""

import contextlib
import functools
import json
import os
import re
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.processes import below, computing_below, lives, niceness
from tests.requests import R1, disaggregated_stages
from tests.server import SERVE, start_service

COSTLY = {"lane": "apart"}
PATIENT_S = 60.0


def tasks(service):
    """How many costly quotes are computed or wait."""
    return service.metric("runquote_compute_tasks", **COSTLY)


def post(service, body):
    """The answer to a request over a connection of its own."""
    return httpx.post(f"{service.url}/quote", json=body, timeout=PATIENT_S)


@pytest.fixture(scope="module")
def service():
    with start_service(RUNQUOTE_COMPUTE_DEADLINE_S="300") as running:
        yield running


def test_others_are_served_beside_the_worst_request(service):
    with ThreadPoolExecutor(1) as costly:
        worst = costly.submit(post, service, disaggregated_stages(1))
        assert service.settles(lambda: tasks(service) == 1)
        answered = 0
        while tasks(service):
            body = R1 | {"run": R1["run"] | {"name": f"cheap {answered}"}}
            assert service.client.get("/livez").status_code == 200
            assert service.client.post("/quote", json=body).status_code == 200
            answered += 1
        assert worst.result().status_code == 200
    assert answered > 20


def test_a_quote_computed_apart_has_the_bytes_of_one_computed_here(service):
    body = disaggregated_stages(2, stages=2)
    with start_service(RUNQUOTE_COMPUTE_WORKERS="0") as alone:
        assert post(service, body).content == post(alone, body).content


def test_a_client_that_leaves_frees_the_worker(service):
    body = json.dumps(disaggregated_stages(3)).encode()
    head = (
        "POST /quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port)) as one:
        one.sendall(head.encode() + body)
        assert service.settles(lambda: tasks(service) == 1)
    assert service.settles(lambda: tasks(service) == 0)
    start = time.monotonic()
    assert post(service, disaggregated_stages(4, stages=2)).status_code == 200
    assert time.monotonic() - start < PATIENT_S / 4


def test_one_question_is_computed_once_for_all_who_ask(service):
    body = disaggregated_stages(5, stages=24)
    counted = {"basis": "rental", "outcome": "priced"}
    before = service.metric("runquote_quotes_total", **counted)
    with ThreadPoolExecutor(6) as callers:
        answers = list(callers.map(lambda _: post(service, body), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert service.metric("runquote_quotes_total", **counted) == before + 1


def test_a_name_that_nothing_is_known_of_is_refused_without_a_worker(service):
    body = disaggregated_stages(6)
    body["run"]["stages"][7]["cluster"]["accelerator"] = "no-such-device"
    answer = post(service, body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/run/stages/7/cluster/accelerator"


def test_what_is_late_gets_a_503_that_says_when_to_come_again():
    with start_service(RUNQUOTE_COMPUTE_DEADLINE_S="0.3") as service:
        answer = post(service, disaggregated_stages(7))
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/overloaded"
        assert int(answer.headers["retry-after"]) >= 1
        assert service.settles(lambda: tasks(service) == 0)
        assert post(service, R1).status_code == 200


def test_what_takes_too_much_is_refused_before_it_begins():
    with start_service(RUNQUOTE_COMPUTE_MAX_S="1") as service:
        answer = post(service, disaggregated_stages(8))
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/too-much-to-compute"
        (fault,) = answer.json()["errors"]
        assert fault["pointer"] == "/run/stages"
        asked = re.search(r"its 64 stages in (\d+) requests of at most (\d+) each", fault["detail"])
        assert asked is not None
        requests, most = map(int, asked.groups())
        assert requests > 1
        assert requests * most >= 64
        assert post(service, disaggregated_stages(8, stages=most)).status_code == 200


def test_more_than_can_wait_is_refused_and_the_rest_is_answered():
    with start_service(RUNQUOTE_COMPUTE_QUEUE_S="1") as service:
        bodies = [disaggregated_stages(10 + index, stages=16) for index in range(8)]
        with ThreadPoolExecutor(len(bodies)) as callers:
            answers = list(callers.map(lambda body: post(service, body), bodies))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 503}
        assert all("retry-after" in answer.headers for answer in answers if answer.is_error)


def test_cheap_quotes_take_turns_and_health_is_answered_between_them():
    with start_service(RUNQUOTE_COMPUTE_WORKERS="0", RUNQUOTE_COMPUTE_QUEUE_S="60") as service:
        bodies = [disaggregated_stages(20 + index, stages=4) for index in range(12)]
        with ThreadPoolExecutor(len(bodies)) as callers:
            waiting = [callers.submit(post, service, body) for body in bodies]
            between = 0
            while not all(one.done() for one in waiting):
                assert service.client.get("/livez").status_code == 200
                between += 1
        assert all(one.result().status_code == 200 for one in waiting)
    assert between > len(bodies) / 2


def test_a_worker_that_dies_is_replaced(service):
    with ThreadPoolExecutor(1) as caller:
        lost = caller.submit(post, service, disaggregated_stages(9))
        assert service.settles(lambda: tasks(service) == 1)
        busiest = computing_below(service.process.pid)
        os.kill(busiest, signal.SIGKILL)
        answer = lost.result()
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/overloaded"
    assert post(service, disaggregated_stages(9, stages=2)).status_code == 200


def test_a_pool_that_has_broken_is_renewed():
    with start_service(RUNQUOTE_COMPUTE_DEADLINE_S="300") as service:
        assert post(service, disaggregated_stages(30, stages=2)).status_code == 200
        for pid in below(service.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        answers = []

        def answered():
            answers.append(post(service, disaggregated_stages(31, stages=2)).status_code)
            return answers[-1] == 200

        assert service.settles(answered)
        assert set(answers) <= {200, 503}


def test_a_worker_stands_back_from_the_process_that_answers(service):
    with ThreadPoolExecutor(1) as caller:
        costly = caller.submit(post, service, disaggregated_stages(32, stages=8))
        busiest = computing_below(service.process.pid)
        least = min(niceness(service.process.pid) + 5, 19)
        assert niceness(busiest) == least
        assert costly.result().status_code == 200


def workers_of(service):
    """The processes that compute: those that another process below the service has forked."""
    found = below(service.process.pid).items()
    return [pid for pid, (parent, _) in found if parent != service.process.pid]


def all_ended(pids):
    """Whether none of these processes lives."""
    return not any(map(lives, pids))


def script():
    """The command as it is installed."""
    return str(Path(sys.executable).with_name("runquote"))


def is_answered(service, body):
    return post(service, body).status_code == 200


@pytest.mark.parametrize("command", [SERVE, (script(), "serve")], ids=["module", "script"])
def test_a_new_worker_imports_nothing_of_the_command_line(command):
    """The service imports it, and so does the process that workers are forked from."""
    settings = {"PYTHONPROFILEIMPORTTIME": "1", "RUNQUOTE_COMPUTE_BESIDE_S": "0.001"}
    with start_service(command=command, **settings) as service:
        for number in range(2):
            body = disaggregated_stages(33 + number, stages=1)
            answered = functools.partial(is_answered, service, body)
            assert service.settles(answered), "a pool that was broken is renewed"
            assert len(re.findall(r"\| +typer$", service.log(), re.MULTILINE)) == 2
            workers = workers_of(service)
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            assert service.settles(functools.partial(all_ended, workers))
