"""Schemas as the contract prints them: each kind of value once, as a component.

`service.api.schemas` spells out every value where it stands, because the slow pass needs that.
Printed that way, 45 quantities would be described up to ten times and would have 45 intervals. Here
they are shortened without changing what is valid:

* a number or an interval is a reference to its quantity, `MfuQuantity`,
* an interval is an `Interval`; the quantity bounds the numbers in it as it bounds the number,
* values that stand in many places, such as an amount, are components too,
* numbers state the size that they need, because some generators assume 32 bits otherwise.

Two forms were chosen because all generators of clients that were tried understand them.
Alternatives are `oneOf`, told apart by the closed list of their tag, without a discriminator.
Bounds of intervals are in `dependentSchemas`, which generators ignore and validators do not.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from service.api.schemas import REFERENCE, Schema, interval_names, schema_of, tidied
from service.core.answer import Amount, Item
from service.core.catalog.catalog import Slug
from service.core.figures.sources import AsOf, FigureName
from service.core.figures.units import Unit
from service.core.figures.vocabulary import Currency
from service.core.request.quantities import BatchTokens, Devices, SequenceLength
from service.core.request.wire import Interval, Name

INTERVAL: Final = "Interval"
DESCRIBED: Final = "Described"
DESCRIPTIONS: Final = {"DescribedAccelerator": "AcceleratorId"}
"""Descriptions of a caller's own, each with the name of the catalog that it stands for."""
LARGEST_32_BIT_INTEGER: Final = 2**31 - 1
NAMED_VALUES: Final[dict[str, Any]] = {
    "Amount": Amount,
    "BatchTokens": BatchTokens,
    "Currency": Currency,
    "CatalogId": Slug,
    "Devices": Devices,
    "FigureName": FigureName,
    "IsoDate": AsOf,
    "Item": Item,
    "Name": Name,
    "SequenceLength": SequenceLength,
    "Unit": Unit,
}
"""Values that stand in many places, by their component.

No two closed lists among them may share a word, because some generators make a constant of each.
"""


def shared(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Equivalent components, with every kind of value described once."""
    numbers = {
        name: schemas[name]["properties"]["low"]
        for name in sorted(interval_names().values())
        if name in schemas
    }
    values = {name: schema_of(kind) for name, kind in NAMED_VALUES.items()}
    intervals = {name for name in numbers if refers_to(schemas, name)}
    types = {
        name: shortened(schema, values)
        for name, schema in schemas.items()
        if name not in numbers or name in intervals
    }
    named = {name: with_size(value) for name, value in values.items()}
    quantities = {quantity_name(name): quantity(number) for name, number in numbers.items()}
    choices = {
        choice_name(described): choice(schemas[name], described)
        for described, name in DESCRIPTIONS.items()
        if described in schemas
    }
    return {**types, **named, **quantities, **choices, INTERVAL: interval_schema()}


def refers_to(node: Any, component: str) -> bool:
    """Whether a schema refers to this component, and not as one of two alternatives."""
    if isinstance(node, list):
        return any(refers_to(item, component) for item in node)
    if not isinstance(node, Mapping) or "anyOf" in node:
        return False
    if node.get("$ref") == REFERENCE + component:
        return True
    return any(refers_to(inner, component) for inner in node.values())


def shortened(node: Any, values: Mapping[str, Schema]) -> Any:
    """A schema with references to quantities and named values in it."""
    if isinstance(node, list):
        return [shortened(item, values) for item in node]
    if not isinstance(node, dict):
        return node
    if "anyOf" in node:
        return number_or_interval(node)
    if name := named_value(node, values):
        return reference(name) | {key: node[key] for key in node if key == "default"}
    return with_size(
        {key: shortened(inner, values) for key, inner in node.items() if key != "discriminator"}
    )


def number_or_interval(node: Schema) -> Schema:
    """Alternatives without a tag: a number or its interval, any number, or a name or an object."""
    first, *_, last = node["anyOf"]
    if "$ref" not in last:
        return with_size(last)
    if "$ref" in first:
        return reference(choice_name(last["$ref"].removeprefix(REFERENCE)))
    schema = reference(quantity_name(last["$ref"].removeprefix(REFERENCE)))
    return schema | {key: node[key] for key in node if key == "default"}


def named_value(node: Schema, values: Mapping[str, Schema]) -> str:
    """The name of the value that a schema describes, apart from its default. Empty if none."""
    plain = {key: node[key] for key in node if key != "default"}
    return next((name for name, value in values.items() if value == plain), "")


def quantity_name(interval: str) -> str:
    """The component of a quantity, from that of its interval."""
    return f"{interval.removesuffix(INTERVAL)}Quantity"


def choice_name(described: str) -> str:
    """The component of a name or a description, from that of the description."""
    return f"{described.removeprefix(DESCRIBED)}Choice"


def choice(name: Schema, described: str) -> Schema:
    """A name of the catalog, or an object that describes what it would name."""
    words = f"{name['description']} Or an object that describes one of your own."
    return {
        "description": words,
        "oneOf": [
            {key: name[key] for key in name if key != "description"},
            reference(described),
        ],
    }


def quantity(number: Schema) -> Schema:
    """A number within its bounds, or an interval within the same."""
    words = number["description"]
    bounds = {key: number[key] for key in number if key != "description"}
    ends = {key: bounds[key] for key in bounds if bounds[key] != "number"}
    return {
        "description": words,
        "oneOf": [with_size(bounds), reference(INTERVAL)],
        "dependentSchemas": {"low": {"additionalProperties": ends}},
    }


def interval_schema() -> Schema:
    """The interval of any quantity."""
    _, components = msgspec.json.schema_components([Interval[float]])
    (raw,) = components.values()
    schema: Schema = shortened(tidied(raw, {}), {})
    return schema


def with_size(schema: Schema) -> Schema:
    """A number with the size that it needs. All else stays as it is."""
    kind = schema.get("type")
    if kind == "number":
        return {"type": kind, "format": "double", **schema}
    if kind == "integer" and schema.get("maximum", 0) > LARGEST_32_BIT_INTEGER:
        return {"type": kind, "format": "int64", **schema}
    return schema


def reference(component: str) -> Schema:
    """A reference to a component schema."""
    return {"$ref": REFERENCE + component}
