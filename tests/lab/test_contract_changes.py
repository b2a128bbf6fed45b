"""What breaks a client of the contract is found, and what is only added is let through."""

import copy
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.contract import release
from lab.contract.changes import changes
from lab.contract.release import may_break, published, since_release
from service.api.contract.shaping.open_answers import ECHOES, made_of
from tests.contract.document import every_schema

TODAY = published()
SCHEMAS = TODAY["components"]["schemas"]
REQUESTS = set[str]().union(*(made_of(SCHEMAS, request) for request in ECHOES))
ANSWERS = set[str]().union(
    *(made_of(SCHEMAS, answer) for answer in ("Quote", "ClaimAnswer", "Problem", "OfferPage"))
)
STRING = {"type": "string"}


def test_the_contract_breaks_no_client_of_the_last_release_unless_the_version_says_so():
    found, may_stand = since_release()
    told = [f"{one.where}: {one.what}" for one in found if one.breaks]
    assert may_stand, "see docs/compatibility.md:\n" + "\n".join(told)


def test_a_contract_has_not_changed_from_itself():
    assert changes(TODAY, copy.deepcopy(TODAY)) == []


def contract(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """A contract of one operation."""
    return {
        "info": {"version": "0.2.0"},
        "paths": {
            "/quote": {
                "post": {
                    "operationId": "createQuote",
                    "parameters": [{"in": "query", "name": "start", "schema": STRING}],
                    "requestBody": {"content": {"application/json": {"schema": request}}},
                    "responses": {
                        "200": {
                            "headers": {"ETag": {"schema": STRING}},
                            "content": {"application/json": {"schema": answer}},
                        },
                        "422": {"content": {}},
                    },
                }
            }
        },
        "components": {"schemas": {"Interval": closed(low=NUMBER, high=NUMBER)}},
    }


NUMBER = {"type": "number", "format": "double", "minimum": 0, "maximum": 10}


def closed(*required: str, **members: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
    }


def opened(*required: str, **members: dict[str, Any]) -> dict[str, Any]:
    return closed(*required, **members) | {"additionalProperties": True}


def without(node: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: one for name, one in node.items() if name not in names}


INTERVAL = {"$ref": "#/components/schemas/Interval"}
UNION = {"oneOf": [NUMBER, INTERVAL]}
CHOICE = {"type": "string", "enum": ["a", "b"]}
CODE = {"type": "string", "x-extensible-enum": ["a", "b"]}
LIST = {"type": "array", "items": NUMBER, "maxItems": 4}


@pytest.mark.parametrize(
    ("before", "now", "breaks"),
    [
        (NUMBER, NUMBER | {"maximum": 20}, []),
        (NUMBER, NUMBER | {"maximum": 5}, ["maximum is 10 before, 5 now"]),
        (NUMBER, NUMBER | {"minimum": 1}, ["minimum is 0 before, 1 now"]),
        (without(NUMBER, "maximum"), NUMBER, ["maximum is open before, 10 now"]),
        (NUMBER, NUMBER | {"type": "integer"}, ["type is number before, integer now"]),
        (NUMBER | {"type": "integer"}, NUMBER, []),
        (NUMBER, {**NUMBER, "type": "string"}, ["type is number before, string now"]),
        (NUMBER, UNION, []),
        (UNION, NUMBER, ["type is object before, number now"]),
        (UNION, {"oneOf": [INTERVAL, NUMBER]}, []),
        (CHOICE, CHOICE | {"enum": ["a", "b", "c"]}, []),
        (CHOICE, CHOICE | {"enum": ["a"]}, ["b is a value before, refused now"]),
        (CHOICE, STRING, []),
        (STRING, CHOICE, ["any other is a value before, refused now"]),
        (STRING | {"pattern": "a"}, STRING, []),
        (STRING | {"pattern": "a"}, STRING | {"pattern": "b"}, ["pattern is a before, b now"]),
        (LIST, LIST | {"maxItems": 3}, ["maxItems is 4 before, 3 now"]),
        (LIST, LIST | {"items": STRING}, ["type is number before, string now"]),
        (closed(a=NUMBER), closed(a=NUMBER, b=NUMBER), []),
        (closed(a=NUMBER, b=NUMBER), closed(a=NUMBER), ["it is a member before, refused now"]),
        (closed(a=NUMBER), closed("a", a=NUMBER), ["it is optional before, required now"]),
        (closed("a", a=NUMBER), closed(a=NUMBER), []),
        (
            closed(a=NUMBER),
            closed("b", a=NUMBER, b=NUMBER),
            ["it is optional before, required now"],
        ),
        (opened(a=NUMBER), closed(a=NUMBER), ["it is open before, closed now"]),
    ],
    ids=count(),
)
def test_a_request_that_was_valid_has_to_stay_valid(before, now, breaks):
    found = changes(contract(before, STRING), contract(now, STRING))
    assert [one.what for one in found if one.breaks] == breaks


@pytest.mark.parametrize(
    ("before", "now", "breaks"),
    [
        (NUMBER, NUMBER | {"maximum": 5}, []),
        (NUMBER, NUMBER | {"maximum": 20}, ["maximum is 20 now, 10 before"]),
        (NUMBER, NUMBER | {"type": "integer"}, []),
        (NUMBER | {"type": "integer"}, NUMBER, ["type is number now, integer before"]),
        (CODE, CODE | {"x-extensible-enum": ["a", "b", "c"]}, []),
        (CODE, CODE | {"x-extensible-enum": ["b"]}, ["a is no longer a value"]),
        (CODE, STRING | {"enum": ["a", "b"]}, ["a is no longer a value", "b is no longer a value"]),
        (STRING | {"pattern": "a"}, STRING, ["pattern is open now, a before"]),
        (opened(a=NUMBER), opened(a=NUMBER, b=NUMBER), []),
        (opened(a=NUMBER, b=NUMBER), opened(a=NUMBER), ["is gone"]),
        (opened("a", a=NUMBER), opened(a=NUMBER), ["it is optional now, required before"]),
        (opened(a=NUMBER), opened("a", a=NUMBER), []),
        (
            opened(a=opened(b=CODE)),
            opened(a=opened(b=CODE | {"x-extensible-enum": []})),
            ["a is no longer a value", "b is no longer a value"],
        ),
        (
            opened(a={"type": "array", "items": opened(b=NUMBER)}),
            opened(a={"type": "array", "items": opened()}),
            ["is gone"],
        ),
        (closed(a=NUMBER), opened(a=NUMBER), ["it is open now, closed before"]),
    ],
    ids=count(),
)
def test_an_answer_has_to_be_one_that_was_described(before, now, breaks):
    found = changes(contract(STRING, before), contract(STRING, now))
    assert [one.what for one in found if one.breaks] == breaks


POST = ("paths", "/quote", "post")
OPERATIONS: dict[str, tuple[tuple[str, ...], Callable[[Any], Any], str, bool]] = {
    "a path goes": (("paths",), dict.clear, "is gone", True),
    "a path comes": (("paths",), lambda one: one.update({"/b": one["/quote"]}), "is new", False),
    "its name": (
        POST,
        lambda one: one.update(operationId="x"),
        "has another operationId, which names it in clients",
        True,
    ),
    "a parameter goes": ((*POST, "parameters"), list.clear, "is gone", True),
    "a parameter is needed": (
        (*POST, "parameters"),
        lambda one: one[0].update(required=True),
        "is required now",
        True,
    ),
    "a parameter comes": (
        (*POST, "parameters"),
        lambda one: one.append({"in": "query", "name": "b", "schema": STRING}),
        "is new",
        False,
    ),
    "a needed parameter comes": (
        (*POST, "parameters"),
        lambda one: one.append({"in": "query", "name": "b", "schema": STRING, "required": True}),
        "is new and required",
        True,
    ),
    "a success goes": ((*POST, "responses"), lambda one: one.pop("200"), "is gone", True),
    "a refusal goes": ((*POST, "responses"), lambda one: one.pop("422"), "is gone", False),
    "a header goes": (
        (*POST, "responses", "200", "headers"),
        dict.clear,
        "header ETag is gone",
        True,
    ),
    "a media type goes": (
        (*POST, "responses", "200", "content"),
        dict.clear,
        "no longer comes as application/json",
        True,
    ),
    "a media type is not read": (
        (*POST, "requestBody", "content"),
        dict.clear,
        "application/json is no longer read",
        True,
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_stay_as_they_are(name):
    path, edit, what, breaks = OPERATIONS[name]
    later = contract(STRING, STRING)
    place: Any = later
    for step in path:
        place = place[step]
    edit(place)
    (found,) = changes(contract(STRING, STRING), later)
    assert (found.what, found.breaks) == (what, breaks)


def breaking_edits(components: set[str], *, sent: bool) -> Iterator[tuple[str, ...]]:
    """Edits of the real contract that break a client: component, kind of edit, member."""
    for name in sorted(components):
        schema = SCHEMAS[name]
        for member, node in schema.get("properties", {}).items():
            yield (name, "remove", member)
            if (member in schema.get("required", ())) != sent:
                yield (name, "require" if sent else "release", member)
            if "type" in node:
                yield (name, "retype", member)
            if sent and "maximum" in node:
                yield (name, "narrow", member)
            if not sent and node.get("x-extensible-enum"):
                yield (name, "forget", member)


def carry_out(schema: dict[str, Any], kind: str, member: str) -> None:
    if kind == "remove":
        del schema["properties"][member]
        schema["required"] = [name for name in schema.get("required", ()) if name != member]
    elif kind == "require":
        schema["required"] = [*schema.get("required", ()), member]
    elif kind == "release":
        schema["required"].remove(member)
    elif kind == "retype":
        schema["properties"][member]["type"] = "null"
    elif kind == "narrow":
        schema["properties"][member]["maximum"] -= 1
    else:
        schema["properties"][member]["x-extensible-enum"].pop()


EDITS = [*breaking_edits(REQUESTS, sent=True), *breaking_edits(ANSWERS - REQUESTS, sent=False)]


@settings(max_examples=40)
@given(st.sampled_from(EDITS))
def test_every_edit_of_the_real_contract_that_breaks_a_client_is_found(edit):
    name, kind, member = edit
    schema = copy.deepcopy(SCHEMAS[name])
    carry_out(schema, kind, member)
    components = {**TODAY["components"], "schemas": {**SCHEMAS, name: schema}}
    later = {**TODAY, "components": components}
    assert any(one.breaks for one in changes(TODAY, later))


@pytest.mark.parametrize(
    ("before", "now", "may"),
    [
        ("0.2.0", "0.2.1", False),
        ("0.2.1", "0.3.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
        ("2.0.0", "1.9.0", False),
    ],
)
def test_a_client_may_break_where_the_version_says_so(before, now, may):
    old, new = ({"info": {"version": version}} for version in (before, now))
    assert may_break(old, new) == may


def test_a_release_is_compared_with_later(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "RELEASED", tmp_path / "contract.json.gz")
    release.accept()
    assert release.released() == json.loads(release.PUBLISHED.read_bytes())
    assert since_release() == ([], True)


def test_the_keywords_of_the_contract_are_those_that_are_compared():
    """A keyword that constrains and is not compared would let a breaking change through."""
    known = {
        "$ref", "additionalProperties", "dependentSchemas", "description", "enum", "examples",
        "format", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum",
        "oneOf", "pattern", "properties", "required", "type", "x-default", "x-extensible-enum",
        "deprecated", "exclusiveMinimum", "exclusiveMaximum",
    }  # fmt: skip
    for name, schema in SCHEMAS.items():
        nodes = [schema, *schema.get("properties", {}).values(), *schema.get("oneOf", ())]
        for node in nodes:
            assert node.keys() <= known, (name, node.keys() - known)
    assert list(every_schema(SCHEMAS))
