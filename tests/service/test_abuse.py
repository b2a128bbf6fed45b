"""Clients that are slow, silent, endless or malformed: each is bounded, and others are served."""

import contextlib
import json
import re
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.forms import answers_in, misshapen
from tests.hasty_server import HASTY
from tests.requests import R1, owned_clusters
from tests.server import start_service
from tests.wire import HOST, connected, post, said, sent

MIB = 2**20
LATE_S = 10.0
"""How much later than its limit a thing may end on a busy machine."""


@pytest.fixture(scope="module")
def service():
    with start_service(command=(sys.executable, "-m", "tests.hasty_server")) as running:
        yield running


def problem_in(answer):
    """Status and type of the problem in the bytes of one answer, which has the form of them all."""
    (found,) = answers_in(answer)
    assert misshapen(found) == []
    problem = json.loads(found.body)
    return problem["status"], problem["type"].removeprefix("/problems/")


HEADS = {
    "a large header": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 40 * MIB, 431),
    "many headers": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 20_000, 431),
    "a long address": (b"GET /" + b"x" * MIB, 414),
    "two hosts": (b"GET /livez HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "no version": (b"GET /livez\r\n\r\n", 400),
    "another version": (b"GET /livez HTTP/2.0\r\n" + HOST + b"\r\n", 400),
    "two lengths": (
        b"POST /quote HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    "a folded header": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "an expectation": (b"GET /livez HTTP/1.1\r\n" + HOST + b"Expect: foo\r\n\r\n", 417),
    "no HTTP": (b"\x16\x03\x01 hello\r\n\r\n", 400),
}


def refused_of(service, data):
    """Status and type of the problem that bytes are answered with, on a connection of their own."""
    with connected(service) as one:
        sent(one, data)
        return problem_in(said(one))


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_is_not_served_is_refused_readably(head, service):
    data, status = HEADS[head]
    refused_of(service, data)  # The first of its kind loads what refuses it.
    before = service.metric("process_resident_memory_bytes")
    assert refused_of(service, data)[0] == status
    assert service.metric("process_resident_memory_bytes") - before < 8 * MIB


REFUSED_IN_PART = {
    "a head": (b"GET /livez HTTP/2.0\r\nHost: x\r\nX-Request-ID: mine\r\n\r\n", "mine"),
    "a head without end": (
        b"GET /livez HTTP/1.1\r\nX-Request-ID: mine\r\nX: " + b"x" * MIB,
        "mine",
    ),
    "a chunk": (
        post(b"", b"X-Request-ID: mine").replace(
            b"Content-Length: 0", b"Transfer-Encoding: chunked"
        )
        + b"no size\r\n",
        "mine",
    ),
    "a name that is none": (b"GET /livez HTTP/2.0\r\nX-Request-ID: m ne\r\n\r\n", None),
    "lines after a request": (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\n\r\n" + b"\r\n" * MIB,
        None,
    ),
}


@pytest.mark.parametrize("refused", REFUSED_IN_PART)
def test_a_refusal_has_the_name_of_its_request_and_of_no_other(refused, service):
    data, name = REFUSED_IN_PART[refused]
    with connected(service) as one:
        for part in re.split(rb"(?<=mine\r\n\r\n)", data):
            sent(one, part)
            time.sleep(0.2)  # the answer to the first one leaves before the second one comes
        *_, answer = answers_in(said(one))
    assert misshapen(answer) == []
    assert answer.status in {400, 431}
    assert (answer.headers["x-request-id"] == "mine") == (name == "mine")


def test_headers_without_end_take_no_time(service):
    before = service.metric("process_cpu_seconds_total")
    for _ in range(5):
        with connected(service) as one:
            sent(one, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 40 * MIB)
            said(one)
    # Reading them to their end took 85 seconds, and dropping them takes 0.05.
    assert service.metric("process_cpu_seconds_total") - before < 1.0


@pytest.mark.parametrize(
    ("begin", "drip", "limit_s", "problem"),
    [
        (b"GET /livez HTTP/1.1\r\nX: ", b"x", HASTY.head_s, (408, "head-timeout")),
        (b"\r\n", b"\r\n", HASTY.head_s, None),
        (
            (
                b"POST /quote HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n"
            ),
            b" ",
            HASTY.request_s,
            (408, "body-timeout"),
        ),
    ],
    ids=["headers", "empty lines", "a body"],
)
def test_what_comes_byte_by_byte_ends_in_time(begin, drip, limit_s, problem, service):
    with connected(service) as one:
        start = time.monotonic()
        sent(one, begin)
        one.settimeout(0.1)
        answer = b""
        while time.monotonic() - start < limit_s + LATE_S:
            sent(one, drip)
            try:
                part = one.recv(65536)
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
            answer += part
            if not part:
                break
        took = time.monotonic() - start
    assert limit_s * 0.9 < took < limit_s + LATE_S
    if problem:
        assert problem_in(answer) == problem


@pytest.mark.parametrize("begin", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_an_idle_connection_ends(begin, service):
    with connected(service) as one:
        start = time.monotonic()
        one.sendall(begin)
        said(one)
        assert time.monotonic() - start < max(HASTY.head_s, HASTY.keep_alive_s) + LATE_S


def test_the_clock_of_one_request_does_not_end_the_next(service):
    """Requests on one connection, sent in two halves, longer together than any limit."""
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with connected(service) as one:
        for _ in range(8):
            one.sendall(request[:20])
            time.sleep(0.4)
            one.sendall(request[20:])
            answer = b""
            while b"alive" not in answer:
                part = one.recv(65536)
                assert part, "the connection ended"
                answer += part


def test_a_client_reads_why_its_body_is_too_large(service):
    request = urllib.request.Request(
        f"{service.url}/quote", b" " * 16 * MIB, {"content-type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 413
    assert json.load(refused.value)["type"] == "/problems/payload-too-large"


def test_requests_that_nobody_reads_the_answers_of_are_not_read_ahead(service):
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    before = service.metric("process_resident_memory_bytes")
    with connected(service) as one:
        one.settimeout(HASTY.stall_s + LATE_S)
        sent(one, request * 400_000)
        after = service.metric("process_resident_memory_bytes")
    assert after - before < 30 * MIB


def test_pipelined_requests_are_all_answered_in_order(service):
    ids = [f"pipelined-{index}" for index in range(3000)]
    data = b"".join(
        f"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: {id}\r\n\r\n".encode() for id in ids
    )
    found = b""
    with connected(service) as one:
        one.settimeout(0.01)
        left = data
        while found.count(b"HTTP/1.1 200") < len(ids):
            if left:
                with contextlib.suppress(TimeoutError):
                    left = left[one.send(left[:4096]) :]
            with contextlib.suppress(TimeoutError):
                found += one.recv(65536)
    places = [found.index(f"x-request-id: {id}\r\n".encode()) for id in ids]
    assert places == sorted(places)


def test_more_silent_connections_than_are_allowed_lock_nobody_out(service):
    def evicted() -> float:
        return service.metric("runquote_server_evicted_total")

    before = evicted()
    with contextlib.ExitStack() as stack:
        for _ in range(3 * HASTY.connections):
            stack.enter_context(connected(service))
        # A connection is there for its client before the server has taken it out of the queue.
        assert service.settles(lambda: evicted() - before >= HASTY.connections)
        assert service.client.get("/livez").status_code == 200
        assert service.metric("runquote_server_connections") <= HASTY.connections + 1


def test_another_protocol_is_answered_and_not_spoken(service):
    with connected(service) as one:
        one.sendall(
            b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert said(one).startswith(b"HTTP/1.1 200")


def test_what_was_refused_is_counted_and_others_are_served(service):
    with connected(service) as one:
        sent(one, b"no HTTP\r\n\r\n")
        said(one)
    reason = {"reason": "unreadable-request"}
    assert service.metric("runquote_server_refused_total", **reason) >= 1
    assert service.client.post("/quote", json=R1).status_code == 200
    assert "Traceback" not in service.log()


def test_a_body_that_nobody_waited_for_is_dropped_and_the_connection_is_used_again(service):
    head = (
        "POST /quote HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        "Content-Length: 200000\r\n\r\n"
    )
    with connected(service) as one:
        for _ in range(3):
            one.sendall(head.encode())
            answer = b""
            while not answer.endswith(b"}"):
                answer += one.recv(65536)
            assert problem_in(answer)[0] == 415
            for _ in range(20):
                one.sendall(b" " * 10_000)
                time.sleep(0.01)
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_body_without_end_that_nobody_waits_for_ends_the_connection(service):
    head = (
        "POST /quote HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with connected(service) as one:
        one.sendall(head.encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        sent(one, chunk * 2000)
        assert b"415" in said(one)


HALF = (
    b"POST /quote HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    b"Content-Length: 1048576\r\n\r\n" + b" " * (MIB - 1)
)


def test_bodies_that_never_end_leave_room_for_others(service):
    before = service.metric("process_resident_memory_bytes")
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(service)) for _ in range(100)]
        for one in held:
            sent(one, HALF)
        after = service.metric("process_resident_memory_bytes")
        assert service.client.post("/quote", json=R1).status_code == 200
        assert problem_in(said(held[0])) == (503, "overloaded")
    assert after - before < 3 * HASTY.unfinished_bytes


def test_answers_that_nobody_reads_leave_room_for_others(service):
    body = owned_clusters(1)
    size = len(service.client.post("/quote", json=body).content)
    assert 40 * size > 4 * HASTY.unread_bytes
    before = service.metric("process_resident_memory_bytes")
    with contextlib.ExitStack() as stack:
        for day in range(1, 41):  # each has a calendar of its own, so no two share their bytes
            one = stack.enter_context(connected(service, receive_buffer_bytes=4096))
            sent(one, post(body | {"start": f"2027-01-{day:02d}" if day < 32 else "2027-02-01"}))
        assert service.settles(lambda: service.metric("runquote_server_connections") < 20)
        after = service.metric("process_resident_memory_bytes")
    assert after - before < 4 * HASTY.unread_bytes


@pytest.mark.parametrize("headers", [(), (b"Connection: close",)], ids=["kept alive", "closed"])
def test_a_client_that_reads_slowly_reads_all(headers, service):
    """It takes longer than an idle connection or an end that lingers may, and than a stall."""
    body = owned_clusters(2)
    size = len(service.client.post("/quote", json=body).content)
    start = time.monotonic()
    with connected(service, receive_buffer_bytes=65536) as one:
        sent(one, post(body, *headers))
        head, _, got = one.recv(4096).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        read = len(got)
        while read < size:
            part = one.recv(65536)
            assert part, f"{read} of {size} bytes came"
            read += len(part)
            time.sleep(5.0 * len(part) / size)
    assert time.monotonic() - start > HASTY.stall_s + HASTY.keep_alive_s


def test_a_client_that_reads_next_to_nothing_is_given_up(service):
    body = owned_clusters(2)
    stalled = {"reason": "stalled"}
    service.client.post("/quote", json=body)
    before = service.metric("runquote_server_refused_total", **stalled)
    with connected(service, receive_buffer_bytes=4096) as one:
        sent(one, post(body))
        start = time.monotonic()
        while service.metric("runquote_server_refused_total", **stalled) == before:
            one.recv(1)
            time.sleep(0.05)
            assert time.monotonic() - start < HASTY.stall_s + 2 * LATE_S
