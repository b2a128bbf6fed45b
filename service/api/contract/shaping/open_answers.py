"""Answers are open in the contract: they may gain members, codes and alternatives.

Schemas of requests stay strict: an unknown member is refused. Today's answers have exactly the
members and values of their types, and tests hold them to it. A client must not do so. It would
break with the first one that is added. So objects are open, and the values that a text may have
are in `x-extensible-enum` and not in `enum`.
"""

from collections.abc import Mapping
from typing import Any, Final

from service.api.schemas import REFERENCE, Schema, references_in

ECHOES: Final = {
    "QuoteRequest": "EchoedRequest",
    "ClaimRequest": "EchoedClaim",
    "CompareRequest": "EchoedComparison",
    "SolveRequest": "EchoedSolve",
}
"""Components, because `Quote` and `request` would name an inline one `QuoteRequest`."""
NOT_ECHOED: Final = ("DifferenceRequest", "ReconciliationRequest")
"""Requests that no answer repeats."""
KNOWN_VALUES: Final = "x-extensible-enum"


def with_open_answers(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The components. Those that are not part of a request are open to more members."""
    strict = set[str]().union(*(made_of(schemas, request) for request in (*ECHOES, *NOT_ECHOED)))
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


def opened(node: Any) -> Any:
    """A schema whose objects may have more members, and whose texts may have more values."""
    if isinstance(node, list):
        return [opened(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: opened(inner) for key, inner in node.items()}
    if schema.get("type") == "object" and not isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = True
    if isinstance(values := schema.pop("enum", None), list):
        schema[KNOWN_VALUES] = values
    return schema
