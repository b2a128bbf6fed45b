"""Answers are open in the contract: an object of an answer may gain members.

Schemas of requests stay strict: an unknown member is refused. Today's answers have exactly the
members of their types, and tests hold them to it. A client must not do so. It would break with the
first member that is added.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from service.api.schemas import REFERENCE, Schema

ECHOES: Final = {"QuoteRequest": "EchoedRequest", "ClaimRequest": "EchoedClaim"}
"""Components, because `Quote` and `request` would name an inline one `QuoteRequest`."""


def with_open_answers(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The components. Those that are not part of a request are open to more members."""
    strict = set[str]().union(*(made_of(schemas, request) for request in ECHOES))
    components = {
        name: schema if name in strict else opened(with_echo(schema))
        for name, schema in schemas.items()
    }
    return {**components, **{echo: echo_of(request) for request, echo in ECHOES.items()}}


def echo_of(request: str) -> Schema:
    """A request as an answer repeats it."""
    return {
        "type": "object",
        "description": f"A `{request}` as an answer repeats it; members may be added.",
        "additionalProperties": True,
    }


def with_echo(node: Any) -> Any:
    """A schema that refers to the echo of a request where it refers to the request.

    Members that are added to requests appear in the echo too, with their defaults.
    """
    if isinstance(node, list):
        return [with_echo(item) for item in node]
    if not isinstance(node, dict):
        return node
    for request, echo in ECHOES.items():
        if node.get("$ref") == REFERENCE + request:
            return {**node, "$ref": REFERENCE + echo}
    return {key: with_echo(inner) for key, inner in node.items()}


def made_of(schemas: Mapping[str, Schema], component: str) -> set[str]:
    """This component and all components that it refers to, directly or through others."""
    found: set[str] = set()
    waiting = [component]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += references_in(schemas[name])
    return found


def references_in(node: Any) -> Iterator[str]:
    """The components that a schema refers to."""
    if isinstance(node, list):
        for item in node:
            yield from references_in(item)
    elif isinstance(node, dict):
        if isinstance(target := node.get("$ref"), str):
            yield target.removeprefix(REFERENCE)
        for inner in node.values():
            yield from references_in(inner)


def opened(node: Any) -> Any:
    """A schema whose objects may have more members than those that are named."""
    if isinstance(node, list):
        return [opened(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: opened(inner) for key, inner in node.items()}
    if schema.get("type") == "object" and not isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = True
    return schema
