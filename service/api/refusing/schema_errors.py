"""The slow pass over a refused request, which finds every mistake.

A JSON Schema validator judges the request by the schema of our own types, so that it finds what the
fast pass enforces. Some keywords are read in a way of ours. The branch of a union is chosen by its
tag (or by type, for a number or an interval), so that the mistakes are those of the branch that was
meant. Each unknown or missing member is a mistake of its own. Items beyond the allowed number are
not looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from msgspec import UNSET

from service.answering import REQUESTS
from service.api.pointers import NOT_PRINTED, pointer_of, shown
from service.api.refusing.errors import MOST_FAULTS, Code, Fault
from service.api.refusing.member_names import advice_on, alike
from service.api.refusing.written import number_in
from service.api.schemas import REFERENCE, Schema, components_of
from service.core.request.about_quotes.difference import DifferenceRequest
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.core.request.request import QuoteRequest
from service.core.request.wire import PRINTABLE

Mistakes: TypeAlias = Iterator[ValidationError]
PERCENT: Final = 100
Rule: TypeAlias = Callable[[ValidationError, Any], Fault]

LONGEST_COMPARED_CHARACTERS: Final = 60
NAME_OR_OBJECT: Final = "string or object"
"""The type of a name of the catalog, or of an object that describes what it would name."""
NOUN_OF_JSON_TYPE: Final = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
    NAME_OR_OBJECT: "a string, nor an object",
}


def faults_of(request: Any, *, asked: type = QuoteRequest) -> list[Fault]:
    """All mistakes in a JSON value as a request, up to the number that a problem holds.

    `asked` is the type of the request.
    """
    mistakes = list(islice(_validator_of(asked).iter_errors(request), MOST_FAULTS))
    return [fault_of(mistake) for mistake in mistakes]


def fault_of(mistake: ValidationError) -> Fault:
    """A validator's mistake in our words and codes."""
    return RULES[str(mistake.validator)](mistake, mistake.validator_value)


def by_tag(validator: Any, discriminator: Schema, value: Any, _: Schema) -> Mistakes:
    """Judge by the branch that the tag names."""
    tag, mapping = discriminator["propertyName"], discriminator["mapping"]
    if not validator.is_type(value, "object"):
        yield ValidationError("", validator="type", validator_value="object", instance=value)
    elif tag not in value:
        yield ValidationError("", validator="required", validator_value=tag, instance=value)
    elif not isinstance(value[tag], str) or value[tag] not in mapping:
        yield ValidationError(
            "",
            validator="discriminator",
            validator_value=list(mapping),
            instance=value[tag],
            path=[tag],
        )
    else:
        yield from validator.descend(value, {"$ref": mapping[value[tag]]})


def by_tag_alone(_: Any, branches: list[Schema], __: Any, schema: Schema) -> Mistakes:
    """No judgement: all our `oneOf` have a discriminator, which judges."""
    assert "discriminator" in schema, branches
    return iter(())


def by_type(validator: Any, branches: list[Schema], value: Any, _: Schema) -> Mistakes:
    """Judge an object by the branch that is one, everything else by the number or the string."""
    plain = [branch.get("type") for branch in branches if "$ref" not in branch]
    if plain == ["string"] and not isinstance(value, str | dict):
        yield ValidationError("", validator="type", validator_value=NAME_OR_OBJECT, instance=value)
        return
    for branch in branches:
        if ("$ref" in branch) == validator.is_type(value, "object"):
            yield from validator.descend(value, branch)


def one_by_one(validator: Any, allowed: Any, value: Any, schema: Schema) -> Mistakes:
    """Each unknown member on its own."""
    if allowed is False and validator.is_type(value, "object"):
        for name in value:
            if name not in schema["properties"]:
                yield ValidationError(
                    "",
                    validator="additionalProperties",
                    validator_value=list(schema["properties"]),
                    instance=name,
                    path=[name],
                )


def missing(validator: Any, required: list[str], value: Any, _: Schema) -> Mistakes:
    """Each missing member on its own."""
    if validator.is_type(value, "object"):
        for name in required:
            if name not in value:
                yield ValidationError(
                    "", validator="required", validator_value=name, instance=value
                )


def as_many_as_allowed(validator: Any, items: Schema, value: Any, schema: Schema) -> Mistakes:
    """Judge the allowed number of items. `maxItems` judges whether there are more."""
    if validator.is_type(value, "array"):
        for index, item in enumerate(value[: schema.get("maxItems", MOST_FAULTS)]):
            yield from validator.descend(item, items, path=index)


def fault(mistake: ValidationError, code: Code, detail: str, **facts: Any) -> Fault:
    """A fault with the pointer of the mistake."""
    path = tuple(mistake.absolute_path)
    return Fault(code=code, detail=detail, pointer=pointer_of(path), **facts)


def missing_member(mistake: ValidationError, name: str) -> Fault:
    """A missing member, with the pointer to where it should be."""
    path = (*mistake.absolute_path, name)
    detail = f"member {shown(name)} is missing"
    return Fault(code="missing_member", detail=detail, pointer=pointer_of(path))


def unknown_member(mistake: ValidationError, known: list[str]) -> Fault:
    """An unknown member, with the known ones that look most like it."""
    name = str(mistake.instance)
    compared = name[:LONGEST_COMPARED_CHARACTERS]
    nearest = alike(compared, known)
    advice = advice_on(compared)
    hint = f": {advice}" if advice else ""
    if nearest:
        hint = f"; did you mean {shown(nearest[0])}?"
    return fault(
        mistake,
        "unknown_member",
        f"member {shown(name)} is not known here{hint}",
        nearest=tuple(nearest) or UNSET,
        allowed=tuple(known),
    )


def one_of(code: Code) -> Rule:
    """The rule of a closed list."""

    def rule(mistake: ValidationError, allowed: list[str]) -> Fault:
        detail = f"{shown(mistake.instance)} is not one of {', '.join(map(shown, allowed))}"
        return fault(mistake, code, detail, allowed=tuple(allowed))

    return rule


def wrong_type(mistake: ValidationError, expected: str) -> Fault:
    """Another JSON type, or a number with a fraction where none may be."""
    value = mistake.instance
    if expected == "integer" and isinstance(value, float):
        return fault(mistake, "not_a_whole_number", f"{shown(value)} is not a whole number")
    detail = f"{shown(value)} is not {NOUN_OF_JSON_TYPE[expected]}"
    if expected in {"number", "integer"} and isinstance(value, str):
        written = number_in(value)
        detail += f"; write {written:.15g} without quotes" if written is not None else ""
    return fault(mistake, "wrong_type", detail)


def pattern_mismatch(mistake: ValidationError, pattern: str) -> Fault:
    """A text that does not match the pattern of the contract, told by an example if it has one."""
    detail = f"{shown(mistake.instance)} does not match {pattern}"
    schema = mistake.schema
    if pattern == PRINTABLE.pattern:
        detail = f"{shown(mistake.instance)} {what_does_not_print(str(mistake.instance))}"
    elif isinstance(schema, Mapping) and (examples := schema.get("examples")):
        words = schema["description"].rstrip(".")
        detail = f"{shown(mistake.instance)} is not valid here. Write {shown(examples[0])}: {words}"
    return fault(mistake, "pattern_mismatch", detail)


def what_does_not_print(text: str) -> str:
    """What a name has that does not print as what it is."""
    found = dict.fromkeys(f"U+{ord(one):04X}" for one in NOT_PRINTED.findall(text))
    if not found:
        return "has nothing to see"
    return f"has {', '.join(found)}: controls and marks that cannot be seen are not allowed"


def bound(code: Code, words: str, fact: str) -> Rule:
    """The rule of a bound: its code, its words, and the name of the fact."""

    def rule(mistake: ValidationError, limit: float) -> Fault:
        value = mistake.instance
        verb = "is" if isinstance(value, int | float) else "has"
        detail = f"{shown(value)} {verb} {words} {limit:g}"
        if fact == "maximum" and limit <= 1 and isinstance(value, int | float) and value <= PERCENT:
            detail += f"; if it is in percent, write {value / PERCENT:g}"
        return fault(mistake, code, detail, **{fact: limit})

    return rule


RULES: Final[dict[str, Rule]] = {
    "required": missing_member,
    "additionalProperties": unknown_member,
    "discriminator": one_of("unknown_kind"),
    "enum": one_of("not_allowed"),
    "type": wrong_type,
    "pattern": pattern_mismatch,
    "minimum": bound("out_of_bounds", "below", "minimum"),
    "maximum": bound("out_of_bounds", "above", "maximum"),
    "minLength": bound("too_short", "fewer characters than", "minimum"),
    "maxLength": bound("too_long", "more characters than", "maximum"),
    "minItems": bound("too_few_items", "fewer items than", "minimum"),
    "maxItems": bound("too_many_items", "more items than", "maximum"),
}

_Validator: Final = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "discriminator": by_tag,
        "oneOf": by_tag_alone,
        "anyOf": by_type,
        "additionalProperties": one_by_one,
        "required": missing,
        "items": as_many_as_allowed,
    },
)
_ASKED: Final[tuple[type[Any], ...]] = (*REQUESTS, DifferenceRequest, ReconciliationRequest)
_COMPONENTS: Final = {"schemas": components_of(_ASKED)}


@cache
def _validator_of(asked: type) -> Any:
    """A validator of a kind of requests, or of other types that are asked for."""
    components = _COMPONENTS if asked in _ASKED else {"schemas": components_of([asked])}
    return _Validator({"$ref": f"{REFERENCE}{asked.__name__}", "components": components})
