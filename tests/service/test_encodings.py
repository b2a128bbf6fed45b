"""Answers are compressed for who accepts it, and sent as they are to who does not."""

import gzip
import json
from http.client import HTTPConnection

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.copies.encodings import AT_ONCE, accepted_by, compressed
from tests.requests import R1
from tests.server import start_service

READERS = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
    None: bytes,
}


@pytest.mark.parametrize(
    ("header", "without", "with_brotli"),
    [
        ("", None, None),
        ("gzip", "gzip", "gzip"),
        ("zstd", "zstd", "zstd"),
        ("gzip, zstd", "zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd", "br"),
        ("gzip, deflate, br", "gzip", "br"),
        ("GZIP, BR", "gzip", "br"),
        ("gzip;q=0", None, None),
        ("gzip;q=0, zstd", "zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip", "gzip"),
        ("gzip;q=1.0, br;q=0.5", "gzip", "gzip"),
        ("gzip;q=0.5, br;q=0.6", "gzip", "br"),
        ("*", "zstd", "br"),
        ("*;q=0", None, None),
        ("zstd;q=0, *", "gzip", "br"),
        ("br;q=0, *", "zstd", "zstd"),
        ("identity", None, None),
        ("identity;q=1, gzip;q=0.5", None, None),
        ("identity;q=1, gzip;q=0.5, br", None, "br"),
        ("identity;q=0, gzip", "gzip", "gzip"),
        ("br, deflate", None, "br"),
        ("gzip;q=nothing", None, None),
        ("br;q=nan, zstd", "zstd", "zstd"),
        ("gzip ; q=0.3", "gzip", "gzip"),
        ("br, gzip" + " " * 256, None, None),
    ],
)
def test_the_encoding_that_a_header_asks_for(header, without, with_brotli):
    assert sent_of(header, has_brotli=False) == without
    assert sent_of(header, has_brotli=True) == with_brotli


def sent_of(header, *, has_brotli):
    """What is sent to a client of an answer that has a Brotli copy, or none."""
    accepted = accepted_by(header.encode())
    assert accepted.at_once in {None, *AT_ONCE}
    assert [one for one in accepted.encodings if one != "br"] == (
        [] if accepted.at_once is None else [accepted.at_once]
    )
    return next((one for one in accepted.encodings if has_brotli or one != "br"), None)


NAMES = ("br", "zstd", "gzip", "identity", "deflate", "*")
WEIGHTS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0.0, 0.001, 0.3, 0.5, 1.0]))


@given(weights=WEIGHTS, has_brotli=st.booleans(), draw=st.data())
def test_what_is_sent_is_accepted_and_nothing_is_liked_better(weights, has_brotli, draw):
    items = draw.draw(st.permutations(list(weights.items())))
    space = draw.draw(st.sampled_from(["", " "]))
    words = [f"{name}{space};q={weight}" for name, weight in items]
    header = f",{space}".join(draw.draw(st.sampled_from([word, word.upper()])) for word in words)

    def liked(encoding):
        if encoding is None:  # RFC 9110 lets a server send it where nothing is said
            return weights.get("identity", 0.0)
        return weights.get(encoding, weights.get("*", 0.0))

    sent = sent_of(header, has_brotli=has_brotli)
    offered = ("br", "zstd", "gzip", None) if has_brotli else ("zstd", "gzip", None)
    assert sent in offered
    assert sent is None or liked(sent) > 0.0
    assert liked(sent) == max(map(liked, offered))
    assert sent == next(
        one for one in offered if liked(one) == liked(sent) and (liked(one) or not one)
    )


@given(st.binary(max_size=300))
def test_any_header_is_understood_in_some_way(header):
    assert set(accepted_by(header).encodings) <= {"br", *AT_ONCE}


@given(st.binary(max_size=5000), st.sampled_from(["br", "gzip", "zstd"]))
def test_a_copy_is_the_answer_and_always_the_same(body, encoding):
    copy = compressed(body, encoding)
    assert READERS[encoding](copy) == body
    assert compressed(body, encoding) == copy


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def asked(service, path, *, body=None, method=None, **headers):
    """An answer as it comes over the wire, nothing unpacked."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent["content-type"] = "application/json"
        body = json.dumps(body)
    connection.request(method or ("POST" if body else "GET"), path, body, sent)
    answer = connection.getresponse()
    return answer, answer.read()


@pytest.mark.parametrize("encoding", ["gzip", "zstd", None])
@pytest.mark.parametrize("path", ["/openapi.json", "/catalog/offers", "/problems", "/quote"])
def test_each_encoding_holds_the_same_bytes(path, encoding, service):
    body = R1 if path == "/quote" else None
    _, plain = asked(service, path, body=body)
    headers = {} if encoding is None else {"accept_encoding": encoding}
    answer, sent = asked(service, path, body=body, **headers)
    assert answer.getheader("content-encoding") == encoding
    assert answer.getheader("vary") == "accept, accept-encoding"
    assert int(answer.getheader("content-length")) == len(sent)
    assert READERS[encoding](sent) == plain
    if encoding:
        assert len(sent) < 0.4 * len(plain)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_quote_and_the_contract_are_small_on_the_wire(encoding, service):
    _, plain = asked(service, "/quote", body=R1)
    _, quoted = asked(service, "/quote", body=R1, accept_encoding=encoding)
    assert len(quoted) < 0.25 * len(plain)
    _, contract = asked(service, "/openapi.json", accept_encoding=encoding)
    assert len(contract) < 40_000


def test_a_copy_that_is_held_is_not_sent_again(service):
    first, _ = asked(service, "/openapi.json", accept_encoding="gzip")
    tag = first.getheader("etag")
    assert tag.endswith('-gzip"')
    again, body = asked(service, "/openapi.json", accept_encoding="gzip", if_none_match=tag)
    assert (again.status, body) == (304, b"")
    plain, _ = asked(service, "/openapi.json")
    also, _ = asked(
        service, "/openapi.json", accept_encoding="gzip", if_none_match=plain.getheader("etag")
    )
    assert also.status == 304


def test_head_says_what_get_would_send(service):
    got, _ = asked(service, "/openapi.json", accept_encoding="gzip")
    head, body = asked(service, "/openapi.json", method="HEAD", accept_encoding="gzip")
    assert body == b""
    for name in ("content-length", "content-encoding", "etag", "content-type"):
        assert head.getheader(name) == got.getheader(name)


def test_small_answers_and_problems_are_sent_as_they_are(service):
    for path in ("/livez", "/nothing"):
        answer, _ = asked(service, path, accept_encoding="gzip")
        assert answer.getheader("content-encoding") is None


def test_a_repeated_quote_is_the_first_one_but_for_how_it_was_found(service):
    body = R1 | {"run": R1["run"] | {"name": "asked for twice"}}
    first, once = asked(service, "/quote", body=body)
    again, twice = asked(service, "/quote", body=body)
    assert twice == once
    differ = {"server-timing", "x-request-id", "date"}

    def headers(answer):
        return {name: value for name, value in answer.getheaders() if name not in differ}

    assert headers(again) == headers(first)
    assert again.getheader("server-timing").startswith("memory;")
