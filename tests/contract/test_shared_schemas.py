"""What the contract shares says what the exact schemas say, which the slow pass judges by."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from service.api.contract.defaults import in_words
from service.api.contract.document import exact_schemas
from service.api.contract.shaping.flat_answers import ALTERNATIVES, TAGS, one_object
from tests.contract.document import document, every_schema
from tests.contract.test_decoding import nearly_requests

EXACT = exact_schemas()
SHARED = document()["components"]["schemas"]
QUANTITIES = sorted(name for name in SHARED if name.endswith("Quantity"))
BESIDE = 1.000001


def judge(schemas: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": {"schemas": schemas}})


def exact(quantity: str) -> dict[str, Any]:
    """A number or an interval of this quantity, as the exact schemas spell it out."""
    interval = f"#/components/schemas/{quantity.removesuffix('Quantity')}Interval"
    return next(
        {"anyOf": node["anyOf"]}
        for node in every_schema(EXACT)
        if {"$ref": interval} in node.get("anyOf", ())
    )


def candidates(number: dict[str, Any]) -> list[Any]:
    """Numbers at and beside the bounds, all intervals of them, and what is neither."""
    least, most = number["minimum"], number["maximum"]
    edges = [least, most, least - BESIDE, most * BESIDE, (least + most) / 3]
    intervals = [
        {"low": low, "high": high} | ({} if central is None else {"central": central})
        for low, high, central in product(edges, edges, [None, *edges])
    ]
    strange = [{}, {"low": least}, {"high": most}, {"low": least, "high": most, "mean": least}]
    others = [None, True, str(least), [least], {"low": str(least), "high": most}]
    return [*edges, *intervals, *strange, *others]


@pytest.mark.parametrize("name", QUANTITIES)
def test_a_quantity_takes_the_numbers_and_the_intervals_that_the_decoder_takes(name):
    printed = judge(SHARED, SHARED[name])
    spelled_out = judge(EXACT, exact(name))
    number, _ = SHARED[name]["oneOf"]
    verdicts = set()
    for value in candidates(number):
        valid = spelled_out.is_valid(value)
        assert printed.is_valid(value) == valid, value
        verdicts.add((valid, isinstance(value, dict)))
    assert len(verdicts) == 4


@given(nearly_requests())
def test_the_contract_calls_a_request_valid_where_the_exact_schemas_do(request_):
    root = {"$ref": "#/components/schemas/QuoteRequest"}
    assert judge(SHARED, root).is_valid(request_) == judge(EXACT, root).is_valid(request_)


def test_what_is_left_out_is_said_in_words_and_for_programs():
    """Generators would make members required over a `default`, or send it."""
    said = 0
    for name, schema in EXACT.items():
        for member, spelled_out in schema.get("properties", {}).items():
            if "default" not in spelled_out or name not in SHARED:
                continue
            printed = SHARED[name]["properties"][member]
            assert printed["x-default"] == spelled_out["default"]
            assert f"Left out, it is {in_words(spelled_out['default'])}." in printed["description"]
            said += 1
    assert said > 60
    assert not any("default" in node for node in every_schema(document()))


@pytest.mark.parametrize(
    ("default", "words"),
    [
        (4096, "4096"),
        (0.5, "0.5"),
        (False, "false"),
        ("bf16", "`bf16`"),
        (["a", "b"], "`a`, `b`"),
        ([], "empty"),
        ("", "empty"),
    ],
)
def test_a_default_is_said_as_a_person_would(default, words):
    assert in_words(default) == words


def test_an_object_stands_for_alternatives_and_says_when_a_member_is_present():
    one = {"type": "string", "enum": ["one"]}
    two = {"type": "string", "enum": ["two"]}
    number, text = {"type": "number"}, {"type": "string", "description": "Why."}
    schema = one_object(
        [
            {
                "description": "First.\n\nMore.",
                "properties": {
                    "kind": one,
                    "both": number,
                    "a": number,
                    "b": text,
                    "maybe": text,
                    "level": {**text, "default": "high"},
                },
                "required": ["kind", "both", "a", "b"],
            },
            {
                "description": "Second.",
                "properties": {
                    "kind": two,
                    "both": number,
                    "b": text,
                    "level": {**text, "default": "low"},
                },
                "required": ["kind", "both"],
            },
        ]
    )
    assert schema["required"] == ["kind", "both"]
    assert schema["description"].endswith("\n\n* `one`: First.\n\n  More.\n* `two`: Second.")
    assert schema["properties"] == {
        "kind": {"type": "string", "enum": ["one", "two"]},
        "both": number,
        "a": {**number, "description": "Present if and only if `kind` is `one`."},
        "b": {**text, "description": "Why. Always present if `kind` is `one`."},
        "maybe": {**text, "description": "Why. Present only if `kind` is `one`."},
        "level": {
            **text,
            "description": "Why. Left out, it is `high` if `kind` is `one`. "
            "Left out, it is `low` if `kind` is `two`.",
        },
    }


def test_alternatives_of_answers_have_the_same_schema_for_a_member_that_they_share():
    """Then one object takes whatever one of them takes."""
    words = {"description", "default"}
    for group in ALTERNATIVES.values():
        printed: dict[str, dict[str, Any]] = {}
        for alternative in group:
            for member, schema in EXACT[alternative]["properties"].items():
                if member not in TAGS:
                    plain = {key: schema[key] for key in schema if key not in words}
                    assert printed.setdefault(member, plain) == plain, (alternative, member)
