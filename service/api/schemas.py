"""JSON Schemas of our own types, spelled out: the slow pass judges by them.

The contract prints them in a shorter form: see `service.api.contract.shared_schemas`.

msgspec derives a schema from the types that its decoder enforces. Here it is tidied, without
changing what is valid:

* `Interval[...]` gets the name of its quantity, `DeviceHoursInterval`,
* alternatives told apart by a tag are `oneOf`, with the discriminator beside them,
* whole numbers are `integer` (to JSON Schema 512.0 and 1e3 are integers too),
* bounds that are whole are printed as whole, and docstrings lose their indentation.
"""

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Annotated, Any, Final, TypeAlias, get_args, get_origin

import msgspec

from service.core.request import accounting, described, quantities
from service.core.request.wire import Interval

Schema: TypeAlias = dict[str, Any]

REFERENCE: Final = "#/components/schemas/"
LARGEST_EXACT_INTEGER: Final = 2.0**53
CHILD_SCHEMAS: Final = ("properties",)
DROPPED: Final = ("title",)


def components_of(types: Iterable[Any]) -> dict[str, Schema]:
    """The schemas of these types and of all that they are made of, by component name."""
    _, raw = msgspec.json.schema_components(types, ref_template=REFERENCE + "{name}")
    names = interval_names()
    return {names.get(name, name): tidied(schema, names) for name, schema in raw.items()}


def schema_of(kind: Any) -> Schema:
    """The schema of a type that refers to no component."""
    schema: Schema = tidied(msgspec.json.schema(kind), {})
    return schema


def interval_names() -> dict[str, str]:
    """Our name for each `Interval[quantity]`, after its quantity, by msgspec's name."""
    names: dict[str, str] = {}
    for alias, quantity in (vars(quantities) | vars(accounting) | vars(described)).items():
        if get_origin(quantity) is Annotated and get_args(quantity)[0] is float:
            interval = Interval[quantity]  # type: ignore[valid-type]
            _, (name, *_rest) = msgspec.json.schema_components([interval])
            names.setdefault(name, f"{alias}Interval")
    return names


def tidied(schema: Any, names: dict[str, str]) -> Any:
    """One schema, and all schemas inside it, as the contract prints them."""
    if isinstance(schema, list | tuple):
        return [tidied(item, names) for item in schema]
    if not isinstance(schema, dict):
        return whole(schema)
    tidy: Schema = {
        key: tidied_members(value, names) if key in CHILD_SCHEMAS else tidied(value, names)
        for key, value in schema.items()
        if key not in DROPPED
    }
    if "$ref" in tidy:
        tidy["$ref"] = renamed(tidy["$ref"], names)
    if "description" in tidy:
        tidy["description"] = cleandoc(tidy["description"])
    if "discriminator" in tidy:
        tidy["oneOf"] = tidy.pop("anyOf")
        mapping = tidy["discriminator"]["mapping"]
        tidy["discriminator"]["mapping"] = {
            tag: renamed(target, names) for tag, target in mapping.items()
        }
    if "enum" in tidy and "type" not in tidy:
        texts = all(isinstance(value, str) for value in tidy["enum"])
        tidy = {"type": "string" if texts else "integer", **tidy}
    if tidy.get("type") == "number" and tidy.get("multipleOf") == 1:
        tidy["type"] = "integer"
        del tidy["multipleOf"]
    return tidy


def tidied_members(members: Schema, names: dict[str, str]) -> Schema:
    """The members of an object. Their names are not keywords of JSON Schema."""
    return {name: tidied(schema, names) for name, schema in members.items()}


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


def renamed(reference: str, names: dict[str, str]) -> str:
    """A reference under the component's name in the contract."""
    name = reference.removeprefix(REFERENCE)
    return REFERENCE + names.get(name, name)


def whole(value: Any) -> Any:
    """A number without fraction as an integer, if that is exactly the same number."""
    if isinstance(value, float) and value.is_integer():
        return int(value) if abs(value) <= LARGEST_EXACT_INTEGER else value
    return value
