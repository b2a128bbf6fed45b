"""What every answer has to look like, whatever was asked and whatever has failed."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote as percent_encoded

import jsonschema_rs
import msgspec
from msgspec import Struct

from service.api.contract.document import exact_schemas
from service.api.refusing.problems import KINDS, MEDIA_TYPE, Problem
from tests.contract.document import document, strict

STATUS_LINE: Final = re.compile(r"HTTP/1\.1 (\d{3}) [A-Z][A-Za-z -]+")
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
ON_EVERY_ANSWER: Final[Mapping[str, re.Pattern[str]]] = {
    "date": re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"),
    "x-request-id": REQUEST_ID,
    "x-content-type-options": re.compile("nosniff"),
    "referrer-policy": re.compile("no-referrer"),
    "content-security-policy": re.compile(".+"),
}
SECONDS: Final = re.compile(r"[1-9]\d*")
BODILESS: Final = frozenset({204, 304})
OF_THE_CONNECTION: Final = frozenset({"400", "408", "413", "414", "417", "431", "503"})
"""What the server may answer before it knows what is asked, or without having all of it."""
ANSWERED_WITH: Final[Mapping[str, str]] = {"quote": "Quote", "claim": "ClaimAnswer"}
"""The schemas of what stands at a path, by its first part."""


class Answer(Struct, frozen=True):
    """One answer as it came. Names of headers are in small letters, and the body is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswer(ValueError):
    """Bytes that are no HTTP."""


def answers_in(said: bytes) -> list[Answer]:
    """All answers that stand in the bytes of a connection, one after the other."""
    found = []
    while said:
        head, end, rest = said.partition(b"\r\n\r\n")
        if not end:
            raise NoAnswer(f"a head that does not end: {head[:100]!r}")
        line, *lines = head.decode("latin-1").split("\r\n")
        if (matched := STATUS_LINE.fullmatch(line)) is None:
            raise NoAnswer(f"no status line: {line[:100]!r}")
        status, headers = int(matched[1]), headers_of(line.split(": ", 1) for line in lines)
        size = 0 if status < 200 or status in BODILESS else int(headers.get("content-length", -1))
        if not 0 <= size <= len(rest):
            raise NoAnswer(f"{status} with a body of {len(rest)} bytes instead of {size}")
        said = rest[size:]
        if status >= 200:
            found.append(Answer(status, headers, rest[:size]))
    return found


def headers_of(pairs: Iterable[Iterable[str]]) -> dict[str, str]:
    """Headers by their names in small letters. One that is there twice is a fault."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() in headers:
            raise NoAnswer(f"two headers {name}")
        headers[name.lower()] = value
    return headers


def misshapen(answer: Answer, *, asked: str | None = None, named: str | None = None) -> list[str]:
    """What is wrong with the form of an answer.

    `asked` is the operation, such as `POST /quote`, if it is known; `named` the id that the request
    gave itself.
    """
    return [*_common(answer, named), *_documented(answer, asked), *_of_its_kind(answer, asked)]


def _common(answer: Answer, named: str | None) -> Iterator[str]:
    """What every answer has."""
    for name, pattern in ON_EVERY_ANSWER.items():
        value = answer.headers.get(name, "")
        if pattern.fullmatch(value) is None:
            yield f"{answer.status} with the {name} {value!r}"
    if named is not None and answer.headers.get("x-request-id") != named:
        yield f"{answer.status} with another x-request-id than its request"
    again = answer.headers.get("retry-after")
    if answer.status == 503 and again is None:
        again = ""
    if again is not None and SECONDS.fullmatch(again) is None:
        yield f"{answer.status} with the retry-after {again!r}"


def _documented(answer: Answer, asked: str | None) -> Iterator[str]:
    """What the contract says of an operation."""
    status, kind = str(answer.status), answer.headers.get("content-type")
    if asked is None:
        return
    method, _, path = asked.partition(" ")
    documented = document()["paths"][path][method.lower()]["responses"]
    if status not in documented.keys() | OF_THE_CONNECTION:
        yield f"{status}, which {asked} does not have"
    content = documented.get(status, {}).get("content")
    if content and kind not in content:
        yield f"{status} as {kind}"


def _of_its_kind(answer: Answer, asked: str | None) -> Iterator[str]:
    """A problem has all that problems have; what was asked for is as its schema says."""
    if answer.status >= 400:
        yield from _problem(answer)
    elif answer.status == 200 and asked is not None:
        yield from _asked_for(answer, asked)


def _asked_for(answer: Answer, asked: str) -> Iterator[str]:
    schema = ANSWERED_WITH[asked.partition(" /")[2].partition("/")[0]]
    try:
        body = msgspec.json.decode(answer.body)
    except msgspec.DecodeError as error:
        yield f"{answer.status} without JSON: {error}"
        return
    errors = [*_schema_errors(schema, body)]
    yield from errors or _kept_at(body, answer, asked)


def _problem(answer: Answer) -> Iterator[str]:
    status, headers = answer.status, answer.headers
    if headers.get("content-type") != MEDIA_TYPE:
        yield f"{status} as {headers.get('content-type')}"
    if headers.get("cache-control") != "no-store":
        yield f"{status} that may be kept"
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except msgspec.DecodeError as error:
        yield f"{status} without a problem: {error}"
        return
    kind = KINDS.get(problem.type.removeprefix("/problems/"))
    if kind is None or problem.title != kind.title:
        yield f"no problem {problem.type}, {problem.title!r}"
    elif not problem.status == kind.status == status:
        yield f"{problem.type} with {status}, {problem.status} in its body"
    named = percent_encoded(headers.get("x-request-id", ""), safe="")
    if problem.instance != f"/requests/{named}":
        yield f"{problem.type} of the request {problem.instance}, not {named}"
    if not problem.detail or not all(one.detail for one in problem.errors):
        yield f"{problem.type} that says nothing"
    yield from _schema_errors("Problem", msgspec.json.decode(answer.body))


def _kept_at(body: Any, answer: Answer, asked: str) -> Iterator[str]:
    """The tag of an answer, and its address if it was posted for, have its id."""
    expected = {"etag": rf'"{body["id"]}[^"]*"'}
    if asked.startswith("POST"):
        expected["content-location"] = rf"/(quote|claim)/{body['id']}(\?.*)?"
    for name, pattern in expected.items():
        value = answer.headers.get(name, "")
        if re.fullmatch(pattern, value) is None:
            yield f"{answer.status} with the {name} {value!r}, for {body['id']}"


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    everything = {"components": {"schemas": strict(exact_schemas())}}
    return jsonschema_rs.Draft202012Validator(
        everything | {"$ref": f"#/components/schemas/{schema}"}
    )


def _schema_errors(schema: str, body: Any) -> Iterator[str]:
    for error in _validator(schema).iter_errors(body):
        yield f"no {schema}, at {list(error.instance_path)}: {error.message[:200]}"
