"""Defaults as the contract prints them: in words, and in `x-default` for programs.

The keyword `default` is avoided. Beside alternatives it does not compile in Go. It makes members
required in TypeScript. Clients in Java and Python send it, so that the service could not tell what
was chosen from what was left out.
"""

from typing import Any, Final

from service.api.schemas import CHILD_SCHEMAS, Schema

DEFAULT: Final = "x-default"


def with_defaults_in_words(node: Any) -> Any:
    """A schema, and all inside it, in which descriptions state the defaults."""
    if isinstance(node, list):
        return [with_defaults_in_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {
        key: members_with_words(inner) if key in CHILD_SCHEMAS else with_defaults_in_words(inner)
        for key, inner in node.items()
        if key != "default"
    }
    return described(schema, node["default"]) if "default" in node else schema


def members_with_words(members: Schema) -> Schema:
    """The members of an object. Their names are not keywords of JSON Schema."""
    return {name: with_defaults_in_words(schema) for name, schema in members.items()}


def described(schema: Schema, default: Any) -> Schema:
    """A schema that says what is taken where its member is left out."""
    parts = (schema.get("description", ""), f"Left out, it is {in_words(default)}.")
    return {**schema, "description": " ".join(filter(None, parts)), DEFAULT: default}


def in_words(default: Any) -> str:
    """A default as a sentence says it."""
    if isinstance(default, str):
        return f"`{default}`" if default else "empty"
    if isinstance(default, list | dict):
        return ", ".join(map(in_words, default)) or "empty"
    return str(default).lower()
