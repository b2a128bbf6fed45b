"""The check of forms finds whatever is broken of an answer, and nothing in one that is whole."""

import msgspec
import pytest
from msgspec.structs import replace

from service.api.http.cors import Cors
from service.api.refusing.errors import Overloaded
from service.serving.refusals import refusal_bytes
from tests.forms import NoAnswer, answers_in, misshapen
from tests.requests import R1
from tests.server import start_service
from tests.wire import connected, post, said

DATE = (b"date", b"Sun, 29 Nov 2026 08:42:51 GMT")
NAMED = "mine"
BUSY = refusal_bytes(
    Overloaded("busy"),
    asked=[(b"x-request-id", NAMED.encode())],
    defaults=[DATE],
    cors=Cors(()),
)
ASKED = "POST /quote"


@pytest.fixture(scope="module")
def answered():
    """The bytes of a quote, of a refusal by the application, and of one by the server."""
    with start_service() as service:

        def answer(body):
            with connected(service) as one:
                one.sendall(post(body, b"Connection: close", b"X-Request-ID: " + NAMED.encode()))
                return said(one)

        return {"quote": answer(R1), "problem": answer(R1 | {"cluster": 1}), "busy": BUSY}


def findings(answer):
    return misshapen(answer, asked=ASKED, named=NAMED)


@pytest.mark.parametrize("kind", ["quote", "problem", "busy"])
def test_an_answer_that_is_whole_has_nothing_wrong(kind, answered):
    (answer,) = answers_in(answered[kind])
    assert findings(answer) == []
    assert answer.status == {"quote": 200, "problem": 422, "busy": 503}[kind]


NEEDED = ("date", "x-request-id", "x-content-type-options", "referrer-policy", "content-type")
OF_KINDS: dict[str, tuple[str, ...]] = {
    "quote": (*NEEDED, "etag", "content-location", "content-security-policy"),
    "problem": (*NEEDED, "cache-control", "content-security-policy"),
    "busy": (*NEEDED, "cache-control", "content-security-policy", "retry-after"),
}


@pytest.mark.parametrize("value", [None, "", "another"])
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in OF_KINDS.items() for name in names]
)
def test_a_header_that_is_missing_or_another_is_found(kind, name, value, answered):
    (answer,) = answers_in(answered[kind])
    headers = {key: was for key, was in answer.headers.items() if key != name}
    if value is not None:
        headers[name] = value
    if (name, value) != ("content-security-policy", "another"):  # pages have others
        assert findings(replace(answer, headers=headers)) != []


def broken(body, path, change):
    """A body in which one member is another."""
    body = msgspec.json.decode(body)
    *before, last = path
    holder = body
    for key in before:
        holder = holder[key]
    change(holder, last)
    return msgspec.json.encode(body)


def renamed(holder, key):
    holder[f"{key}s"] = holder.pop(key)


def gone(holder, key):
    del holder[key]


def of_another_type(holder, key):
    holder[key] = {"x": [holder[key]]}


MEMBERS: dict[str, list[tuple[str | int, ...]]] = {
    "quote": [
        ("id",), ("catalog", "version"), ("bases",), ("figures",), ("request", "run", "stages"),
        ("bases", 0, "total", "amount"), ("bases", 0, "lines", 0, "amount"),
    ],
    "problem": [
        ("type",), ("title",), ("status",), ("detail",), ("instance",), ("errors", 0, "code"),
        ("errors", 0, "detail"),
    ],
    "busy": [("type",), ("title",), ("status",), ("detail",), ("instance",)],
}  # fmt: skip


@pytest.mark.parametrize("change", [renamed, gone, of_another_type])
@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in MEMBERS.items() for path in paths]
)
def test_a_member_that_is_missing_or_another_is_found(kind, path, change, answered):
    (answer,) = answers_in(answered[kind])
    assert findings(replace(answer, body=broken(answer.body, path, change))) != []


OTHER_PROBLEMS = {
    "type": "/problems/no-such-kind",
    "title": "Another title",
    "status": 404,
    "detail": "",
    "instance": "/requests/another",
}


@pytest.mark.parametrize("name", OTHER_PROBLEMS)
@pytest.mark.parametrize("kind", ["problem", "busy"])
def test_a_problem_that_says_something_else_is_found(kind, name, answered):
    (answer,) = answers_in(answered[kind])
    body = msgspec.json.encode(msgspec.json.decode(answer.body) | {name: OTHER_PROBLEMS[name]})
    assert findings(replace(answer, body=body)) != []


@pytest.mark.parametrize("status", [201, 204, 302, 402, 418, 500, 502])
@pytest.mark.parametrize("kind", ["quote", "problem", "busy"])
def test_a_status_that_no_operation_has_is_found(kind, status, answered):
    (answer,) = answers_in(answered[kind])
    assert findings(replace(answer, status=status)) != []


def test_a_quote_under_the_id_of_another_is_found(answered):
    (answer,) = answers_in(answered["quote"])
    body = msgspec.json.decode(answer.body)
    other = body | {"id": "q_" + "0" * 64}
    assert findings(replace(answer, body=msgspec.json.encode(other))) != []


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said[:-1],
        lambda said: said + b"x",
        lambda said: said.replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        lambda said: said.replace(b"content-length", b"content-size", 1),
        lambda said: said.replace(b"\r\n", b"\r\ndate: now\r\n", 1),
        lambda said: said[: said.index(b"\r\n\r\n")],
    ],
    ids=["cut", "longer", "another version", "no length", "a header twice", "a half head"],
)
@pytest.mark.parametrize("kind", ["quote", "problem", "busy"])
def test_bytes_that_are_no_answer_are_found(kind, change, answered):
    with pytest.raises(NoAnswer):
        answers_in(change(answered[kind]))


def test_answers_on_one_connection_are_taken_apart(answered):
    found = answers_in(b"HTTP/1.1 100 Continue\r\n\r\n" + answered["problem"] + BUSY)
    assert [one.status for one in found] == [422, 503]
