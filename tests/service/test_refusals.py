"""Refusals that a connection makes by itself: may a page of another host read why?"""

import contextlib
import sys
from collections.abc import Mapping

import pytest

from service.api.http.cors import Cors
from service.api.refusing.errors import (
    AddressTooLong,
    BodyTimeout,
    HeadTimeout,
    HeadTooLarge,
    Overloaded,
    Refused,
    UnknownVersion,
    UnmetExpectation,
)
from service.serving.refusals import refusal_bytes
from tests.forms import Answer, answers_in, misshapen
from tests.hasty_server import HASTY
from tests.server import Service, start_service
from tests.wire import connected, said, sent

OURS = "https://a.example"
THEIRS = "https://b.example"
ALLOW = "access-control-allow-origin"
EXPOSE = "access-control-expose-headers"
MIB = 2**20
POST = b"POST /quote HTTP/1.1\r\nHost: x\r\n%bContent-Type: application/json\r\n"
HALF = POST + b"Content-Length: %d\r\n\r\n{" % MIB


@pytest.fixture(scope="module")
def service():
    command = (sys.executable, "-m", "tests.hasty_server")
    with start_service(command=command, RUNQUOTE_CORS_ORIGINS=OURS) as running:
        yield running


# `%b` is where the request says what page sends it.
SENT = {
    "a large header": (b"GET / HTTP/1.1\r\nHost: x\r\n%bX: " + b"x" * MIB, 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n%b" + b"X: y\r\n" * 20_000, 431),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\n%bHost: x\r\n\r\n", 400),
    "a host that is none": (b"GET / HTTP/1.1\r\n%bHost: /\r\n\r\n", 400),
    "another version": (b"GET / HTTP/2.0\r\nHost: x\r\n%b\r\n", 400),
    "an expectation": (b"GET / HTTP/1.1\r\nHost: x\r\n%bExpect: foo\r\n\r\n", 417),
    "another coding": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "another authority": (b"GET http://y/ HTTP/1.1\r\nHost: x\r\n%b\r\n", 400),
    "a chunk without size": (POST + b"Transfer-Encoding: chunked\r\n\r\nno size\r\n", 400),
    "a head that is late": (b"GET / HTTP/1.1\r\nHost: x\r\n%bX: ", 408),
    "a body that is late": (HALF, 408),
}


def refusal_of(service: Service, data: bytes, origin: str) -> Answer:
    with connected(service) as one:
        sent(one, data.replace(b"%b", b"Origin: %b\r\n" % origin.encode(), 1))
        (answer,) = answers_in(said(one))
    assert misshapen(answer) == []
    return answer


@pytest.mark.parametrize("kind", SENT)
def test_a_page_that_may_read_answers_may_read_a_refusal_and_others_may_not(kind, service):
    data, status = SENT[kind]
    ours, theirs = (refusal_of(service, data, origin) for origin in (OURS, THEIRS))
    assert ours.status == theirs.status == status
    assert ours.headers[ALLOW] == OURS
    assert "x-request-id" in ours.headers[EXPOSE]
    assert not {ALLOW, EXPOSE} & theirs.headers.keys()
    assert ours.headers["vary"] == theirs.headers["vary"] == "origin"


def test_so_may_a_page_whose_body_makes_room_for_others(service):
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(service)) for _ in range(100)]
        for one in held:
            page = b"Origin: %b\r\n" % OURS.encode()
            sent(one, HALF.replace(b"%b", page) + b" " * (HASTY.unfinished_bytes // 64))
        (answer,) = answers_in(said(held[0]))
    assert answer.status == 503
    assert answer.headers[ALLOW] == OURS


OF_THE_CONNECTION = (
    AddressTooLong(1),
    BodyTimeout(1.0),
    HeadTimeout(1.0),
    HeadTooLarge(head_bytes=1, fields=1),
    Overloaded("busy"),
    UnknownVersion(),
    UnmetExpectation(),
    Refused("unreadable-request", "why"),
)


@pytest.mark.parametrize("asked", [[], [(b"origin", THEIRS.encode())]], ids=["nobody", "a page"])
@pytest.mark.parametrize("refusal", OF_THE_CONNECTION, ids=lambda one: type(one).__name__)
def test_any_refusal_may_be_read_by_every_page_or_by_none(refusal, asked):
    def headers(*origins: str) -> Mapping[str, str]:
        cors = Cors(origins)
        (answer,) = answers_in(refusal_bytes(refusal, asked=asked, defaults=[], cors=cors))
        return answer.headers

    assert headers("*")[ALLOW] == "*"
    assert "retry-after" in headers("*")[EXPOSE]
    assert not {ALLOW, EXPOSE, "vary"} & headers().keys()
