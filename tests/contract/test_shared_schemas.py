"""What the contract shares says what the exact schemas say, which the slow pass judges by."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from service.api.contract.document import exact_schemas
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


def test_what_is_left_out_is_said_of_quantities_too():
    """A `default` of the exact schemas is a `default`, or an `x-default` with words, here."""
    for name, schema in EXACT.items():
        for member, spelled_out in schema.get("properties", {}).items():
            if "default" not in spelled_out:
                continue
            printed = SHARED[name]["properties"][member]
            if "anyOf" in spelled_out:
                assert printed["x-default"] == spelled_out["default"]
                assert printed["description"] == f"Left out, it is {spelled_out['default']}."
            else:
                assert printed["default"] == spelled_out["default"]
