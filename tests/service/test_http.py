"""HTTP/1.1 as clients speak it: versions, methods, framing, offers, and ends of connections."""

import json
import socket
from http.client import HTTPConnection

import pytest

from tests.requests import R1, disaggregated_stages
from tests.server import start_service
from tests.wire import HOST, chunked, connected, post, said, sent, statuses

BODY = json.dumps(R1).encode()
TYPE = b"Content-Type: application/json\r\n"
OFFER = (
    b"Connection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c",
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
"""What Java's own HTTP client adds to a request unless it is told not to."""
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST /quote HTTP/1.1\r\n" + HOST + TYPE


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


@pytest.fixture(scope="module")
def quoted(service):
    return service.client.post("/quote", json=R1).content


def answered(service, data):
    """What the server says to bytes until it ends the connection."""
    with connected(service) as one:
        sent(one, data)
        return said(one)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(post(R1) + LAST, id="with a length"),
        pytest.param(post(R1, version=b"1.0"), id="in HTTP/1.0"),
        pytest.param(
            CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY, size=50) + LAST,
            id="in chunks",
        ),
        pytest.param(post(R1, *OFFER) + LAST, id="with a length and an offer of HTTP/2"),
        pytest.param(
            CHUNKED
            + b"".join(line + b"\r\n" for line in OFFER)
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + chunked(BODY, size=50)
            + LAST,
            id="in chunks and an offer of HTTP/2",
        ),
        pytest.param(post(R1, *OFFER) * 3 + post(R1) + LAST, id="with several offers"),
        pytest.param(
            post(R1, b"Expect: 100-continue", version=b"1.0"), id="expecting, in HTTP/1.0"
        ),
    ],
)
def test_a_body_is_read_however_it_comes(data, service, quoted):
    answer = answered(service, data)
    assert set(statuses(answer)) == {200}
    assert answer.count(quoted) == data.count(b"POST")


def test_an_offer_that_comes_in_pieces_is_read(service, quoted):
    data = post(R1, *OFFER) + LAST
    with connected(service) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), 40):
            sent(one, data[start : start + 40])
        assert quoted in said(one)


def test_a_long_body_behind_another_request_is_read(service, quoted):
    """The parser stops within it, and goes on when the first request is answered."""
    first = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
    assert quoted in answered(service, first + post(BODY + b" " * 30_000) + LAST)


def test_an_offer_without_a_body_keeps_the_connection(service):
    offer = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n".join(OFFER) + b"\r\n\r\n"
    assert statuses(answered(service, offer * 3 + LAST)) == [200] * 4


def test_an_offer_with_an_empty_body_is_a_request_without_one(service):
    assert statuses(answered(service, post(b"", *OFFER) + LAST)) == [400, 200]


def test_a_client_that_expects_to_go_on_is_told_to(service, quoted):
    head, _, body = post(R1, b"Expect: 100-continue").partition(b"\r\n\r\n")
    with connected(service) as one:
        one.sendall(head + b"\r\n\r\n")
        assert one.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.sendall(body + LAST)
        assert quoted in said(one)


def test_a_client_that_expects_to_go_on_with_too_much_is_told_not_to(service):
    head = CHUNKED + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
    assert statuses(answered(service, head)) == [413]


@pytest.mark.parametrize(
    "framing",
    [
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
    ],
)
def test_a_body_whose_end_is_not_clear_is_refused(framing, service):
    answer = answered(service, CHUNKED + framing + b"\r\n" + chunked(b"{}", size=2))
    assert statuses(answer) == [400]
    assert b"connection: close" in answer


def test_chunks_in_http_1_0_are_refused(service):
    head = b"POST /quote HTTP/1.0\r\n" + TYPE + b"Transfer-Encoding: chunked\r\n\r\n"
    assert statuses(answered(service, head + chunked(BODY, size=50))) == [400]


@pytest.mark.parametrize(
    "path", ["/quote", "/claim", "/livez", "/catalog/offers", "/docs", "/quote/q_1"]
)
def test_options_are_told(path, service):
    answer = service.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    methods = answer.headers["allow"].split(", ")
    assert "OPTIONS" in methods
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - set(methods):
        refused = service.client.request(method, path)
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == set(methods)


@pytest.mark.parametrize("path", ["/livez", "/openapi.json", "/nothing"])
def test_head_is_get_without_its_body(path, service):
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    found = {}
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        found[method] = (answer.status, answer.getheader("content-length"))
        assert bool(body) == (method == "GET")
    assert found["HEAD"] == found["GET"]


def test_a_connection_is_used_again_after_refusals(service):
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    used = set()
    for method, path, body, status in [
        ("POST", "/quote", b"{", 400),
        ("GET", "/nothing", None, 404),
        ("PUT", "/quote", b"{}", 405),
        ("POST", "/quote", b"{}", 422),
        ("GET", "/quote/q_1", None, 404),
        ("POST", "/quote", BODY, 200),
    ]:
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        used.add(connection.sock.getsockname())
    assert len(used) == 1


def test_a_client_that_sends_no_more_reads_all_answers(service, quoted):
    names = [R1 | {"run": R1["run"] | {"name": f"half closed {index}"}} for index in range(8)]
    with connected(service) as one:
        one.sendall(b"".join(map(post, names)) + post(R1))
        one.shutdown(socket.SHUT_WR)
        answer = said(one)
    assert statuses(answer) == [200] * 9
    assert answer.endswith(quoted)


def test_a_client_that_sends_no_more_and_asks_much_is_taken_to_have_left(service):
    with connected(service) as one:
        one.sendall(post(disaggregated_stages(1)))
        assert service.settles(lambda: service.metric("runquote_compute_tasks", lane="apart") == 1)
        one.shutdown(socket.SHUT_WR)
        assert said(one) == b""
    assert service.settles(lambda: service.metric("runquote_compute_tasks", lane="apart") == 0)
