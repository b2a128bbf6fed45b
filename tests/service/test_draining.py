"""A process that is told to end answers every request that reached it, and says that it ends."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from tests.load import Caller, under_load
from tests.redis_server import start_redis, unused_port
from tests.requests import R1
from tests.server import SERVE, start_service
from tests.wire import connected

CLIENTS = 8
DRAIN_S = "1"
BODY = json.dumps(R1).encode()


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept alive", "one request each"])
def test_no_request_is_lost(keep_alive):
    with start_service(RUNQUOTE_DRAIN_S=DRAIN_S) as service:
        callers = [Caller(service.port, keep_alive=keep_alive) for _ in range(CLIENTS)]
        with under_load(callers) as load:
            time.sleep(1.0)
            service.process.send_signal(signal.SIGTERM)
            load.join()
        assert service.process.wait(timeout=60) == 0
        assert load.lost == []
        assert {one.status for one in load.answers} == {200}
        assert all(caller.answers for caller in callers)


def test_it_says_that_it_is_about_to_end_and_still_answers():
    with start_service(RUNQUOTE_DRAIN_S="3") as service:
        assert service.client.get("/readyz").status_code == 200
        service.process.send_signal(signal.SIGTERM)
        assert service.settles(lambda: service.client.get("/readyz").status_code == 503)
        refused = service.client.get("/readyz")
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["type"] == "/problems/draining"
        quoted = service.client.post("/quote", json=R1)
        assert quoted.status_code == 200
        assert quoted.headers["connection"] == "close"
        assert service.client.get("/livez").status_code == 200
        assert service.process.wait(timeout=60) == 0


def test_a_body_that_is_half_sent_is_waited_for():
    with start_service(RUNQUOTE_DRAIN_S="0") as service:
        head = b"POST /quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as one:
            one.sendall(head + f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY[:100])
            assert service.settles(lambda: service.metric("runquote_http_requests_in_progress") > 1)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(1.0)
            one.sendall(BODY[100:])
            assert one.recv(100).startswith(b"HTTP/1.1 200")
        assert service.process.wait(timeout=60) == 0


def test_a_body_that_never_comes_is_refused_and_not_a_failure():
    with start_service(RUNQUOTE_DRAIN_S="0", RUNQUOTE_SHUTDOWN_TIMEOUT_S="1") as service:
        head = b"POST /quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as one:
            one.sendall(head + b"Content-Length: 1000\r\n\r\n{")
            assert service.settles(lambda: service.metric("runquote_http_requests_in_progress") > 1)
            service.process.send_signal(signal.SIGTERM)
            answer = b""
            while part := one.recv(65536):
                answer += part
        assert service.process.wait(timeout=60) == 0
        assert b"/problems/draining" in answer
        assert "Traceback" not in service.log()


def test_a_second_signal_ends_it_at_once():
    with start_service(RUNQUOTE_DRAIN_S="60") as service:
        service.process.send_signal(signal.SIGTERM)
        assert service.settles(lambda: service.client.get("/readyz").status_code == 503)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=20) == 0


def test_a_person_who_interrupts_it_does_not_wait():
    with start_service(RUNQUOTE_DRAIN_S="60") as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=20) == 0


def test_a_hangup_does_not_end_it():
    with start_service() as service:
        service.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert service.client.get("/livez").status_code == 200


def test_a_signal_while_it_starts_ends_it_in_order():
    with start_redis() as redis:
        redis.hang()  # the start waits for it
        environment = os.environ | {
            "RUNQUOTE_PORT": str(unused_port()),
            "RUNQUOTE_REDIS_URL": redis.url,
            "RUNQUOTE_DRAIN_S": "0",
        }
        with subprocess.Popen(SERVE, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = [process.stderr.readline()]
            while '"event":"started"' not in said[-1]:
                said.append(process.stderr.readline())
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            said += process.stderr.readlines()
            assert process.wait(timeout=60) == 0
    assert any('"event":"stopped"' in line for line in said)
    assert "Traceback" not in "".join(said)


def test_metrics_are_scraped_to_the_end():
    with start_service(RUNQUOTE_DRAIN_S="3") as service:
        service.process.send_signal(signal.SIGTERM)
        assert service.settles(lambda: service.client.get("/readyz").status_code == 503)
        assert service.metric("runquote_http_requests_total", route="/readyz", status="503") >= 1


def test_few_open_files_make_few_connections_and_a_line_that_says_so():
    few = ("sh", "-c", 'ulimit -n 64 && exec "$0" "$@"', *SERVE)
    with start_service(command=few) as service, contextlib.ExitStack() as stack:
        (line,) = (line for line in service.log().splitlines() if "few open files" in line)
        assert json.loads(line)["connections"] == 10
        for _ in range(200):
            stack.enter_context(connected(service))
        assert service.client.get("/livez").status_code == 200
        assert service.client.post("/quote", json=R1).status_code == 200
        assert service.metric("process_open_fds") < 64
