"""Alternatives in answers as the contract prints them: one object with the members of all.

A client that was generated from `oneOf` with a closed tag fails on a tag that is added later. With
one object it reads the answer, and sees a tag that it does not know. Alternatives in requests stay
alternatives: the service knows all of them.

What is lost is who has which member. The descriptions say it, and tests hold the answers to the
exact schemas.
"""

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any, Final

from service.api.schemas import REFERENCE, Schema, references_in

ALTERNATIVES: Final[dict[str, tuple[str, ...]]] = {
    "Bill": ("PricedBill", "UnpricedBill"),
    "Line": ("PricedLine", "UnpricedLine"),
    "Source": ("Published", "Judged", "Given", "Derived"),
    "Calendar": ("DatedRun", "UndatedRun"),
}
"""The alternatives that each of these objects stands for."""
UNION: Final = ("oneOf", "discriminator")
TAGS: Final = ("status", "kind")


def with_flat_answers(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The components, with one object in place of each group of alternatives."""
    objects = {
        name: one_object([schemas[alternative] for alternative in group])
        for name, group in ALTERNATIVES.items()
    }
    components = {name: referring(schema) for name, schema in {**schemas, **objects}.items()}
    used = {target for schema in components.values() for target in references_in(schema)}
    merged = {alternative for group in ALTERNATIVES.values() for alternative in group} - used
    return {name: schema for name, schema in components.items() if name not in merged}


def referring(node: Any) -> Any:
    """A schema that refers to the objects that stand for alternatives."""
    if isinstance(node, list):
        return [referring(item) for item in node]
    if not isinstance(node, dict):
        return node
    if name := object_for(node.get("oneOf", ())):
        beside = {key: node[key] for key in node if key not in UNION}
        return {"$ref": REFERENCE + name, **beside}
    return {key: referring(inner) for key, inner in node.items()}


def object_for(branches: Sequence[Schema]) -> str:
    """The object that stands for all of these alternatives. Empty if there is none."""
    names = {branch.get("$ref", "").removeprefix(REFERENCE) for branch in branches}
    return next((name for name, group in ALTERNATIVES.items() if names and names <= {*group}), "")


def one_object(alternatives: Sequence[Schema]) -> Schema:
    """An object with the members of all alternatives; required are those that all require."""
    tag = next(tag for tag in TAGS if tag in alternatives[0]["properties"])
    by_value = {one["properties"][tag]["enum"][0]: one for one in alternatives}
    members = dict.fromkeys(name for one in alternatives for name in one["properties"])
    words = "\n".join(
        f"* `{value}`: {indent(one['description'], '  ').strip()}"
        for value, one in by_value.items()
    )
    return {
        "description": f"By its `{tag}`, to which values may be added:\n\n{words}",
        "type": "object",
        "properties": {
            tag: {"type": "string", "enum": list(by_value)},
            **{name: member(name, tag, by_value) for name in members if name != tag},
        },
        "required": [
            name
            for name in alternatives[0]["required"]
            if all(name in one["required"] for one in alternatives)
        ],
    }


def member(name: str, tag: str, by_value: Mapping[str, Schema]) -> Schema:
    """One member, as the first alternative that has it describes it, and where it is present."""
    having = {
        value: one["properties"][name]
        for value, one in by_value.items()
        if name in one["properties"]
    }
    always = [value for value in having if name in by_value[value]["required"]]
    schema = dict(next(iter(having.values())))
    defaults = {value: one["default"] for value, one in having.items() if "default" in one}
    parts = [schema.get("description", ""), presence(tag, [*having], always, len(by_value))]
    if len({*map(str, defaults.values())}) > 1:
        del schema["default"]
        parts += [
            f"Left out, it is `{one}` if {tagged(tag, [value])}." for value, one in defaults.items()
        ]
    if words := " ".join(filter(None, parts)):
        schema["description"] = words
    return schema


def presence(tag: str, having: Sequence[str], always: Sequence[str], values: int) -> str:
    """With which values of the tag a member is present. Empty if its place says it all."""
    if len(having) == values and len(always) in {0, values}:
        return ""
    if not always:
        return f"Present only if {tagged(tag, having)}."
    if list(having) == list(always):
        return f"Present if and only if {tagged(tag, always)}."
    return f"Always present if {tagged(tag, always)}."


def tagged(tag: str, values: Sequence[str]) -> str:
    """The condition that a tag has one of these values."""
    return f"`{tag}` is " + " or ".join(f"`{value}`" for value in values)
