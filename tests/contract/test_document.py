"""The published contract is what the types say, in both notations, and keeps its own rules."""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from msgspec import inspect
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.api.contract.decisions.examples import COMPARISONS, SOLUTIONS
from service.api.contract.examples import CLAIMS, REQUESTS
from service.api.contract.excerpt import QUOTE_EXCERPT
from service.api.contract.ids import KNOWN_NAMES
from service.api.contract.paths.pieces import SHOWN
from service.api.contract.shaping.in_short import in_short
from service.api.http.copies.encodings import AT_ONCE, compressed
from service.api.refusing.problems import BEFORE_ANY_OPERATION, KINDS
from service.core.answer.warnings import advice_table
from service.core.request.request import QuoteRequest
from tests.contract.document import (
    PUBLISHED,
    catalog,
    component,
    document,
    every_schema,
    files,
    known_names,
    operations,
)

SCHEMAS = document()["components"]["schemas"]
BESIDE_REFERENCES = {"$ref", "description", "x-default"}
MOST_BYTES = 300_000
MOST_BYTES_COMPRESSED = 40_000
INTERVALS = PUBLISHED.parent / "docs" / "intervals.md"


@pytest.mark.parametrize("name", ["openapi.json", "openapi.yaml"])
def test_the_published_contract_is_what_the_types_make(name):
    assert (PUBLISHED / name).read_bytes() == files()[name], "run: make contract"


def constrained(node):
    """A schema without words: its types, members and bounds."""
    if isinstance(node, dict):
        return {
            key: constrained(value)
            for key, value in node.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [constrained(one) for one in node] if isinstance(node, list) else node


def test_both_notations_say_the_same_and_the_one_for_programs_in_fewer_words():
    whole, short = yaml.safe_load(files()["openapi.yaml"]), json.loads(files()["openapi.json"])
    assert short == in_short(whole)
    assert constrained(whole["components"]["schemas"]) == constrained(
        short["components"]["schemas"]
    )
    assert whole["paths"].keys() == short["paths"].keys()
    for name, schema in short["components"]["schemas"].items():
        words = whole["components"]["schemas"][name].get("description", "")
        assert words.startswith(schema.get("description", ""))


def test_the_contract_is_sound_openapi():
    OpenAPIV31SpecValidator(document()).validate()


def test_every_operation_has_a_name_of_its_own_a_tag_and_a_summary():
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"(create|get|list)[A-Z][A-Za-z]+", name) for name in names)
    tags = {tag["name"] for tag in document()["tags"]}
    assert all(set(operation["tags"]) <= tags for _, _, operation in operations())
    assert all(operation["summary"] for _, _, operation in operations())


def test_every_operation_says_how_it_refuses():
    for path, _, operation in operations():
        statuses = set(operation["responses"])
        assert {"405", "406", "500"} <= statuses, path
        assert "default" not in statuses
        for status, response in operation["responses"].items():
            if status >= "400":
                (media_type,) = component(response)["content"]
                assert media_type == "application/problem+json"


def refusals() -> list[dict[str, Any]]:
    """Every answer of every operation that is a problem."""
    return [
        component(response)
        for _, _, operation in operations()
        for status, response in operation["responses"].items()
        if status >= "400"
    ]


def test_every_kind_of_problem_can_be_met_or_is_left_for_later():
    told = {
        slug
        for refusal in refusals()
        for slug, kind in KINDS.items()
        if kind.title in refusal["description"].removesuffix(".").split("; or ")
    }
    assert set(KINDS) - told == BEFORE_ANY_OPERATION


def test_problems_are_shown_but_for_those_that_look_alike():
    shown = {
        slug
        for refusal in refusals()
        for slug in refusal["content"]["application/problem+json"].get("examples", ())
    }
    left_out = set(KINDS) - shown - BEFORE_ANY_OPERATION
    assert all(KINDS[slug].status == 422 or not KINDS[slug].codes for slug in left_out)
    assert {"invalid-request", "not-quotable", "unknown-accelerator", "invalid-query"} <= shown


def test_examples_of_requests_are_among_those_that_tests_answer():
    shown = {
        name
        for path in ("/quote", "/claim", "/compare", "/solve")
        for name in document()["paths"][path]["post"]["requestBody"]["content"]["application/json"][
            "examples"
        ]
    }
    assert shown == SHOWN
    assert {example.name for example in (*REQUESTS, *CLAIMS, *COMPARISONS, *SOLUTIONS)} >= SHOWN


def test_links_lead_to_operations_that_exist():
    names = {operation["operationId"] for _, _, operation in operations()}
    links = [
        link
        for _, _, operation in operations()
        for response in operation["responses"].values()
        for link in component(response).get("links", {}).values()
    ]
    assert links
    assert {link["operationId"] for link in links} <= names


def request_components() -> set[str]:
    """Every component that a request is made of."""
    found: set[str] = set()
    open_ = ["QuoteRequest", "ClaimRequest", "CompareRequest", "SolveRequest"]
    open_ += ["DifferenceRequest", "ReconciliationRequest"]
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += [
                node["$ref"].rsplit("/", 1)[-1]
                for node in every_schema(SCHEMAS[name])
                if "$ref" in node
            ]
    return found


def test_requests_refuse_unknown_members_everywhere_and_bound_everything():
    for name in request_components():
        for node in every_schema(SCHEMAS[name]):
            kind = node.get("type")
            if kind == "object":
                assert node["additionalProperties"] is False, name
            elif kind in {"number", "integer"} and name != "Interval":
                assert {"minimum", "maximum"} <= node.keys(), name
            elif kind == "array":
                assert "maxItems" in node, name
            elif kind == "string":
                assert {"enum", "pattern", "maxLength"} & node.keys(), name


def test_answers_may_gain_members_everywhere():
    opened = 0
    for name in SCHEMAS.keys() - request_components():
        for node in every_schema(SCHEMAS[name]):
            if node.get("type") == "object":
                assert node["additionalProperties"] is not False, name
                opened += node["additionalProperties"] is True
    assert opened > 40
    assert SCHEMAS["Quote"]["properties"]["request"]["$ref"].endswith("/EchoedRequest")
    assert SCHEMAS["ClaimAnswer"]["properties"]["request"]["$ref"].endswith("/EchoedClaim")


def answers_of_operations() -> list[dict[str, Any]]:
    """The schemas of all answers, without the components that they refer to."""
    return [
        content["schema"]
        for _, _, operation in operations()
        for response in operation["responses"].values()
        for content in component(response).get("content", {}).values()
    ]


def test_answers_may_gain_values_and_alternatives_everywhere():
    listed = 0
    answers = [SCHEMAS[name] for name in SCHEMAS.keys() - request_components()]
    for node in every_schema([*answers, *answers_of_operations()]):
        assert not isinstance(node.get("enum"), list)
        assert not any("$ref" in branch for branch in node.get("oneOf", ()))
        listed += isinstance(node.get("x-extensible-enum"), list)
    assert listed > 30
    for name in request_components():
        assert not any("x-extensible-enum" in node for node in every_schema(SCHEMAS[name]))


def test_the_contract_is_small():
    """Compressed as the service compresses it."""
    contract = files()["openapi.json"]
    assert len(contract) < MOST_BYTES
    for encoding in AT_ONCE:
        assert len(compressed(contract, encoding)) < MOST_BYTES_COMPRESSED


def test_the_contract_as_json_has_a_line_for_each_component():
    lines = files()["openapi.json"].decode().splitlines()
    for kind, some in document()["components"].items():
        for name in some:
            assert sum(line.startswith(f'"{name}":') for line in lines) >= 1, (kind, name)


def test_an_answer_with_what_is_added_later_is_one_of_the_contract_still():
    judge = Draft202012Validator(
        {"$ref": "#/components/schemas/Quote", "components": {"schemas": SCHEMAS}}
    )
    quote = copy.deepcopy(QUOTE_EXCERPT)
    assert judge.is_valid(quote)
    places = [quote, quote["catalog"], quote["bases"][0], quote["stages"][0], quote["totals"]]
    for place in (*places, quote["request"], quote["request"]["cluster"]):
        place["added_later"] = {"value": 1}
        assert judge.is_valid(quote)
    for place, member in (
        (quote["bases"][0], "status"),
        (quote["bases"][0]["lines"][0], "item"),
        (quote["bases"][0], "basis"),
        (quote["stages"][0]["feasibility"], "status"),
    ):
        place[member] = "added_later"
        assert judge.is_valid(quote)


def test_every_interval_of_a_request_is_bounded_by_its_quantity():
    for name in request_components() - {"Interval"}:
        for node in every_schema(SCHEMAS[name]):
            if node.get("$ref") == "#/components/schemas/Interval":
                assert name.endswith("Quantity")
                ends = SCHEMAS[name]["dependentSchemas"]["low"]["additionalProperties"]
                assert {"minimum", "maximum"} <= ends.keys()


def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a member may be: a quantity is a number or an interval with the quantity's bounds."""
    target = component(schema)
    if "dependentSchemas" not in target:
        return target["oneOf"] if "type" in target.get("oneOf", [{}])[0] else [target]
    number, interval = map(component, target["oneOf"])
    ends = target["dependentSchemas"]["low"]["additionalProperties"]
    bounded = {name: one | ends for name, one in interval["properties"].items()}
    return [number, interval | {"properties": bounded}]


def numbers_of(name: str) -> dict[str, bool]:
    """The numeric members of a component, and whether they take an interval."""
    found = {}
    for member, schema in SCHEMAS[name].get("properties", {}).items():
        kinds = {branch.get("type") for branch in alternatives(schema)}
        if kinds & {"number", "integer"}:
            found[member] = "object" in kinds
    return found


def test_every_number_of_a_request_takes_an_interval_but_those_that_the_docs_list():
    listed = {}
    for line in INTERVALS.read_text().partition("**Numbers only.**")[2].splitlines():
        if row := re.fullmatch(r"\| (`\w+`.*) \| (.*) \|", line):
            members = re.findall(r"`(\w+)`", row[2])
            for name in re.findall(r"`(\w+)`", row[1]):
                listed[name] = set(members) if row[2] != "all" else set(numbers_of(name))
    numbers = {name: numbers_of(name) for name in request_components() if "Interval" not in name}
    alone = {
        name: {member for member, interval in members.items() if not interval}
        for name, members in numbers.items()
        if not all(members.values())
    }
    assert alone == listed
    assert numbers["Metered"] == {"device_hours": True}


def test_docs_say_what_to_do_about_every_warning():
    assert advice_table() in (PUBLISHED.parent / "docs" / "warnings.md").read_text()


def test_alternatives_are_told_apart_by_a_tag_that_each_requires():
    unions = [node["oneOf"] for node in every_schema(SCHEMAS) if "oneOf" in node]
    tagged = [union for union in unions if all("$ref" in branch for branch in union)]
    unions.remove(choice := SCHEMAS["AcceleratorChoice"]["oneOf"])
    assert choice[0] == {
        key: value for key, value in SCHEMAS["AcceleratorId"].items() if key != "description"
    }
    assert choice[1] == {"$ref": "#/components/schemas/DescribedAccelerator"}
    assert len(tagged) > 8
    for union in tagged:
        branches_ = [component(branch) for branch in union]
        (tag,) = {
            member
            for branch in branches_
            for member, schema in branch["properties"].items()
            if len(schema.get("enum", ())) == 1
        }
        assert all(tag in branch["required"] for branch in branches_)
        values = [branch["properties"][tag]["enum"] for branch in branches_]
        assert len({value for (value,) in values}) == len(union)
    for number, interval in (union for union in unions if union not in tagged):
        assert number["type"] in {"number", "integer"}
        assert interval == {"$ref": "#/components/schemas/Interval"}


def test_shapes_that_generators_of_clients_trip_over_are_not_in_the_contract():
    """Each of these made a client that did not compile, or that could not send a number."""
    passed_over = [one.get("dependentSchemas") for one in SCHEMAS.values()]
    ends = [id(node) for node in every_schema(passed_over)]
    for node in every_schema(SCHEMAS):
        if id(node) in ends:
            continue
        assert not {"anyOf", "discriminator"} & node.keys()
        assert not ("$ref" in node and node.keys() - BESIDE_REFERENCES)
        if node.get("type") == "number":
            assert node["format"] == "double"
        if node.get("type") == "integer" and node.get("maximum", 0) > 2**31:
            assert node["format"] == "int64"
    words = [word for schema in SCHEMAS.values() for word in schema.get("enum", ())]
    assert len(set(words)) == len(words)


def test_no_inline_schema_gets_the_name_of_a_component_from_its_member():
    """Generators call `work` of `Stage` StageWork; one left `Quote` out over its `request`."""
    for name, schema in SCHEMAS.items():
        for member, inner in schema.get("properties", {}).items():
            if "$ref" not in inner:
                words = "".join(word.capitalize() for word in member.split("_"))
                assert f"{name}{words}" not in SCHEMAS


def test_component_names_are_plain_words():
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) for name in SCHEMAS)


def test_whole_bounds_are_printed_whole():
    printed = files()["openapi.json"].decode()
    assert re.findall(r'"(?:minimum|maximum|default)": -?\d+\.0\b', printed) == []


def test_known_names_are_read_where_the_contract_says_and_its_examples_are_among_them():
    for name in KNOWN_NAMES:
        said = re.search(r"`(\w+)` of .* /catalog/(\w+)$", name.listed)
        assert said
        member, path = said.groups()
        rows = getattr(catalog(), path).values()
        assert sorted({getattr(row, member) for row in rows}) == known_names()[name.component]
        printed = SCHEMAS[name.component]
        assert name.listed in printed["description"]
        assert printed["examples"] == [name.example]
        assert name.example in known_names()[name.component]


def test_every_known_name_has_the_form_that_the_contract_prints():
    for component_name, names in known_names().items():
        judge = Draft202012Validator(SCHEMAS[component_name])
        assert all(map(judge.is_valid, names))


def limits(kind: inspect.Type) -> dict[str, object]:
    """What the decoder enforces of one type, in the words of JSON Schema."""
    if isinstance(kind, inspect.Metadata):
        return limits(kind.type)
    if isinstance(kind, inspect.FloatType | inspect.IntType):
        whole = isinstance(kind, inspect.IntType) or kind.multiple_of == 1
        found = {"minimum": kind.ge, "maximum": kind.le, "exclusiveMinimum": kind.gt}
        return {"type": "integer" if whole else "number"} | known(found)
    if isinstance(kind, inspect.StrType):
        found = {"minLength": kind.min_length, "maxLength": kind.max_length}
        return {"type": "string"} | known(found | {"pattern": kind.pattern})
    if isinstance(kind, inspect.VarTupleType):
        return {"type": "array"} | known({"minItems": kind.min_length, "maxItems": kind.max_length})
    assert isinstance(kind, inspect.LiteralType | inspect.BoolType)
    if isinstance(kind, inspect.BoolType):
        return {"type": "boolean"}
    texts = all(isinstance(value, str) for value in kind.values)
    return {"type": "string" if texts else "integer", "enum": sorted(kind.values, key=str)}


def known(found: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in found.items() if value is not None}


def branches(kind: inspect.Type) -> list[inspect.Type]:
    """The alternatives of a member."""
    if isinstance(kind, inspect.Metadata):
        return branches(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for inner in kind.types for one in branches(inner)]
    return [kind]


def structs_of(kind: inspect.Type, found: dict[str, inspect.StructType]) -> None:
    for one in branches(kind):
        if isinstance(one, inspect.VarTupleType):
            structs_of(one.item_type, found)
        elif isinstance(one, inspect.StructType) and name_of(one) not in found:
            found[name_of(one)] = one
            for field in one.fields:
                structs_of(field.type, found)


def name_of(struct: inspect.StructType) -> str:
    return f"{struct.cls.__module__}.{struct.cls.__qualname__}{id(struct.cls)}"


def test_every_bound_that_the_decoder_enforces_stands_in_the_contract():
    """The schema is judged by the types read in another way than the one that it was made in."""
    structs: dict[str, inspect.StructType] = {}
    structs_of(inspect.type_info(QuoteRequest), structs)
    compared = 0
    for struct in structs.values():
        if struct.cls.__name__ == "Interval":
            continue
        name = struct.cls.__name__
        schema = SCHEMAS[name]
        members = {field.encode_name for field in struct.fields}
        tag = {"kind"} if struct.tag else set()
        assert set(schema["properties"]) == members | tag
        required = {field.encode_name for field in struct.fields if field.required}
        assert set(schema.get("required", [])) - tag == required
        for field in struct.fields:
            printed = schema["properties"][field.encode_name]
            for kind in branches(field.type):
                compared += matches(kind, printed)
    assert compared > 40


def matches(kind: inspect.Type, printed: dict[str, Any]) -> int:
    """Compare one alternative of a member with what is printed; how many limits were compared."""
    options = alternatives(printed)
    if isinstance(kind, inspect.StructType):
        if kind.cls.__name__ != "Interval":
            return 0
        (interval,) = (one for one in options if one.get("type") == "object")
        return sum(
            matches(branch, interval["properties"][field.encode_name])
            for field in kind.fields
            for branch in branches(field.type)
        )
    expected = limits(kind)
    (option,) = (one for one in options if one.get("type") == expected.get("type"))
    assert {key: option.get(key) for key in expected} == expected
    return len(expected)


def test_examples_fit_their_schemas():
    checked = 0
    for _, _, operation in operations():
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for content in component(body).get("content", {}).values():
                for example in content.get("examples", {}).values():
                    judge = Draft202012Validator(
                        {**content["schema"], "components": {"schemas": SCHEMAS}}
                    )
                    assert [error.message for error in judge.iter_errors(example["value"])] == []
                    checked += 1
    assert checked > 15


def test_patterns_are_understood_by_both_engines():
    """Nothing that only Python's engine knows, such as named groups or \\Z."""
    for node in every_schema(SCHEMAS):
        if isinstance(pattern := node.get("pattern"), str):
            re.compile(pattern)
            assert not re.search(r"\(\?P|\\Z|\\A|\(\?[aiLmsux]", pattern)
