"""Packed bodies are unpacked within bounds, and the operator says which pages read answers."""

import contextlib
import gzip
import json
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.bodies import CODINGS, coding_of, unpacked
from service.api.http.cors import Cors
from service.api.refusing.errors import (
    BrokenContentCoding,
    PayloadTooLarge,
    UnknownContentCoding,
)
from tests.requests import R1
from tests.server import start_service

BODY = json.dumps(R1).encode()
MOST_BYTES = 2**20
PACK = {"gzip": gzip.compress, "zstd": lambda body: zstandard.ZstdCompressor().compress(body)}
OURS, THEIRS = "https://plan.example", "https://other.example"


@given(st.binary(max_size=4000), st.sampled_from(sorted(PACK)))
def test_a_packed_body_is_what_was_packed(body, coding):
    assert unpacked(PACK[coding](body), coding, body_max_bytes=MOST_BYTES) == body


@pytest.mark.parametrize("coding", PACK)
def test_no_more_is_unpacked_than_a_body_may_have(coding):
    pack = PACK[coding]
    assert len(unpacked(pack(b"0" * 5000), coding, body_max_bytes=5000)) == 5000
    for size in (5001, 2**27):
        with pytest.raises(PayloadTooLarge):
            unpacked(pack(b"0" * size), coding, body_max_bytes=5000)


@pytest.mark.parametrize("coding", PACK)
def test_a_body_that_is_not_whole_is_refused(coding):
    packed = PACK[coding](BODY)
    for broken in (b"", packed[:-1], packed[: len(packed) // 2], packed + b"0", packed * 2, BODY):
        with pytest.raises(BrokenContentCoding):
            unpacked(broken, coding, body_max_bytes=MOST_BYTES)


@given(st.binary(max_size=300), st.sampled_from(sorted(PACK)))
def test_any_bytes_are_unpacked_or_refused(body, coding):
    with contextlib.suppress(BrokenContentCoding, PayloadTooLarge):
        unpacked(body, coding, body_max_bytes=MOST_BYTES)


@pytest.mark.parametrize("header", ["br", "deflate", "gzip, gzip", "zstd, gzip", "", "x"])
def test_another_coding_is_refused(header):
    if header:
        with pytest.raises(UnknownContentCoding) as caught:
            coding_of(header)
        assert caught.value.headers["Accept-Encoding"] == ", ".join(CODINGS)
    assert coding_of("X-GZIP") == "gzip"
    assert coding_of(None) == coding_of(" Identity ") == "identity"


@pytest.fixture(scope="module")
def service():
    with start_service(RUNQUOTE_CORS_ORIGINS=f"{OURS} http://localhost:8080") as running:
        yield running


def sent(service, body, **headers):
    kind = {"content-type": "application/json"}
    return service.client.post("/quote", content=body, headers=kind | headers)


def test_a_packed_request_has_the_answer_of_the_plain_one(service):
    plain = sent(service, BODY)
    for coding, pack in PACK.items():
        packed = sent(service, pack(BODY), **{"content-encoding": coding})
        assert packed.status_code == 200
        assert packed.content == plain.content


def test_a_bomb_is_a_413_and_what_is_not_packed_a_415(service):
    bomb = zlib.compress(b"0" * 2**26, wbits=31)
    assert len(bomb) < 2**17
    assert sent(service, bomb, **{"content-encoding": "gzip"}).status_code == 413
    refused = sent(service, BODY, **{"content-encoding": "gzip"})
    assert refused.status_code == 415
    assert refused.headers["accept-encoding"] == "zstd, gzip"
    assert sent(service, BODY, **{"content-encoding": "br"}).status_code == 415


@pytest.mark.parametrize("repeated", [False, True])
def test_pages_of_the_origins_that_are_set_may_read_answers(service, repeated):
    body = json.dumps(R1 | {"start": "2026-12-0" + str(1 + repeated)}).encode()
    if repeated:
        sent(service, body)
    ours, theirs = sent(service, body, origin=OURS), sent(service, body, origin=THEIRS)
    assert ours.headers["access-control-allow-origin"] == OURS
    assert "etag" in ours.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in theirs.headers
    for answer in (ours, theirs):
        assert "origin" in answer.headers["vary"]


def test_a_browser_that_asks_first_is_told_what_it_may_send(service):
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "x"}
    answer = service.client.options("/quote", headers=asks | {"origin": OURS})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"]
    assert "content-type" in answer.headers["access-control-allow-headers"]
    other = service.client.options("/quote", headers=asks | {"origin": THEIRS})
    assert not [name for name in other.headers if name.startswith("access-control-")]


def test_a_refusal_can_be_read_too(service):
    answer = sent(service, b"{}", origin="http://localhost:8080")
    assert answer.status_code == 422
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8080"


def test_without_a_setting_no_answer_says_anything_of_origins():
    assert Cors(()).of_answer(b"https://plan.example") == []
    assert Cors(("*",)).of_answer(None)[0] == (b"access-control-allow-origin", b"*")
