"""One question has one id, another has another, and the answer is of the canonical form."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import inspect

from service.answering import CLAIM, QUOTE, AnyKind, answer_of, encoded, question_of
from service.api.contract.examples import REQUESTS
from service.api.refusing.decoding import decode_request
from service.core.catalog.errors import NotQuotable
from service.core.request.request import QuoteRequest
from service.core.request.wire import UNORDERED
from service.identity.canonical import canonical_request, content_id, read_canonical
from tests.requests import R1
from tests.worlds import MEMO, TEST_ENGINE, embedded


def digested(
    canonical: bytes, *, kind: AnyKind = QUOTE, engine: str = "sha256:e", catalog: str = "sha256:c"
) -> str:
    return content_id(
        canonical,
        prefix=kind.prefix,
        domain=kind.domain,
        engine_digest=engine,
        catalog_digest=catalog,
    )


V3_PARTS = ["deepseek-v3-pretrain", "deepseek-v3-context", "deepseek-v3-posttrain"]


def id_of(request: Any) -> str:
    return digested(canonical_request(decode_request(json.dumps(request).encode())))


def answered(request: Any) -> bytes:
    question = question_of(
        decode_request(json.dumps(request).encode()), engine=TEST_ENGINE, catalog=embedded()
    )
    return encoded(answer_of(question, engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, kept={}))


def changed(pointer: str, value: Any) -> dict[str, Any]:
    """The disclosure of R1 with another value at a pointer, where there may be none yet."""
    request: dict[str, Any] = copy.deepcopy(R1)
    *above, last = pointer.split("/")[1:]
    parent: Any = request
    for key in above:
        parent = parent[int(key)] if isinstance(parent, list) else parent.setdefault(key, {})
    parent[last] = value
    return request


def base_of(*ids: str) -> dict[str, Any]:
    return changed("/accounting/base_model", {"kind": "runs", "ids": list(ids)})


RATE = "/cluster/supply/usd_per_device_hour"
FIRST = "/run/stages/0"
DESCRIBED: dict[str, Any] = {
    "name": "one of ours",
    "generation": "hopper",
    "memory_gb": 80,
    "peak_dense_tflops": {"bf16": 989, "fp8": 1979},
    "power_w": {"low": 600, "high": 700},
}
SAME = {
    "an integer and a number with a fraction": (changed(RATE, 2), changed(RATE, 2.0)),
    "a number too long for a float and the float": (
        changed(RATE, 2.1),
        changed(RATE, 2.1000000000000000888178),
    ),
    "0 and -0.0": (
        changed("/accounting/owned", {"cost_of_capital": 0}),
        changed("/accounting/owned", {"cost_of_capital": -0.0}),
    ),
    "0 and -0.0 as ends of an interval": (
        changed("/accounting/owned/cost_of_capital", {"low": 0.0, "high": 0.1}),
        changed("/accounting/owned/cost_of_capital", {"low": -0.0, "high": 0.1}),
    ),
    "a default and the same written out": (R1, changed(f"{FIRST}/repeat", 1)),
    "one day of start and another": (
        changed("/start", "2026-12-25"),
        changed("/start", "2027-01-15"),
    ),
    "a day of start and none": (R1, changed("/start", "2026-12-25")),
    "empty parts and none": (R1, changed("/accounting", {"owned": {}, "discounts": []})),
    "a default kind and none": (R1, changed("/accounting/staff", {"kind": "share"})),
    "dollars and no currency": (R1, changed("/options/currency", "USD")),
    "bases in another order": (
        changed("/options/bases", ["owned", "rental"]),
        changed("/options/bases", ["rental", "owned"]),
    ),
    "all bases and none named": (
        R1,
        changed("/options/bases", ["owned", "fully_loaded", "rental"]),
    ),
    "a basis once and twice": (
        changed("/options/bases", ["rental"]),
        changed("/options/bases", ["rental", "rental"]),
    ),
    "base runs in another order": (base_of(*V3_PARTS), base_of(*reversed(V3_PARTS))),
    "a base run once and twice": (base_of(*V3_PARTS), base_of(*V3_PARTS, V3_PARTS[0])),
    "what a stage waits for in another order and twice": (
        changed("/run/stages/2/after", ["R1-Zero", "SFT data creation"]),
        changed("/run/stages/2/after", ["SFT data creation", "R1-Zero", "SFT data creation"]),
    ),
    "a described device in another order, with its numbers spelled in another way": (
        changed("/cluster/accelerator", DESCRIBED),
        changed(
            "/cluster/accelerator",
            dict(reversed(DESCRIBED.items()))
            | {
                "memory_gb": {"low": 8e1, "high": 80.0},
                "peak_dense_tflops": {"fp8": 1979.0, "bf16": {"low": 989, "high": 989}},
                "price_includes_server": True,
            },
        ),
    ),
    "a number and an interval without width": (R1, changed(RATE, {"low": 2, "high": 2.0})),
    "the same with its centre": (R1, changed(RATE, {"low": 2, "high": 2, "central": 2})),
}
WIDE = {"low": 1, "high": 4}
APART = {
    "a device of the catalog and one that is described": (
        R1,
        changed("/cluster/accelerator", DESCRIBED),
    ),
    "devices that differ in their name alone, which the answer shows": (
        changed("/cluster/accelerator", DESCRIBED),
        changed("/cluster/accelerator", DESCRIBED | {"name": "another"}),
    ),
    "an interval and its ends exchanged, since the answer warns of that": (
        changed(RATE, WIDE),
        changed(RATE, {"low": 4, "high": 1}),
    ),
    "an interval and the same with its middle as its centre, which is given then": (
        changed(RATE, WIDE),
        changed(RATE, WIDE | {"central": 2}),
    ),
    "a number and an interval without width whose centre lies elsewhere, which is warned of": (
        R1,
        changed(RATE, {"low": 2, "high": 2, "central": 3}),
    ),
    "a default of the catalog and the same number given, which is no assumption then": (
        R1,
        changed("/cluster/site/pue", 1.25),
    ),
    "names in composed and in decomposed letters: they are printed as they were sent": (
        changed("/run/name", "caf\u00e9"),
        changed("/run/name", "cafe\u0301"),
    ),
    "names with and without a blank at the end": (
        changed("/run/name", "R1"),
        changed("/run/name", "R1 "),
    ),
    "a stage that follows the one before it, and one that says so": (
        R1,
        changed("/run/stages/1/after", ["R1-Zero"]),
    ),
    "stages in another order": (
        R1,
        changed("/run/stages", list(reversed(R1["run"]["stages"]))),
    ),
    "discounts in another order, since each is taken off what the one before leaves": (
        changed(
            "/accounting/discounts", [{"label": "a", "share": 0.1}, {"label": "b", "share": 0.2}]
        ),
        changed(
            "/accounting/discounts", [{"label": "b", "share": 0.2}, {"label": "a", "share": 0.1}]
        ),
    ),
    "dollars and euros": (R1, changed("/options/currency", "EUR")),
    "a summary and the whole": (R1, changed("/options/detail", "summary")),
    "neighbouring floats": (changed(RATE, 2.0), changed(RATE, 2.0000000000000004)),
}


@pytest.mark.parametrize("pair", SAME)
def test_one_question_has_one_id_and_one_answer(pair):
    one, other = SAME[pair]
    assert id_of(one) == id_of(other)
    assert answered(one) == answered(other)


@pytest.mark.parametrize("pair", APART)
def test_what_the_answer_shows_apart_has_ids_apart(pair):
    one, other = APART[pair]
    assert id_of(one) != id_of(other)


def test_engine_catalog_and_request_each_give_another_id():
    canonical = canonical_request(decode_request(json.dumps(R1).encode()))
    ids = {
        digested(canonical),
        digested(canonical, engine="sha256:f"),
        digested(canonical, catalog="sha256:f"),
        digested(canonical + b" "),
        digested(b"c" + canonical, catalog="sha256:"),
        digested(canonical, kind=CLAIM),
    }
    assert len(ids) == 6


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: example.name)
def test_the_canonical_form_of_the_canonical_form_is_itself(example):
    canonical = canonical_request(decode_request(json.dumps(example.request).encode()))
    assert canonical_request(read_canonical(canonical, asked=QuoteRequest)) == canonical
    assert canonical_request(decode_request(canonical)) == canonical


def respelled(value: Any, path: tuple[Any, ...], chance: random.Random) -> Any:
    """The same question written otherwise: members, numbers and unordered lists."""
    if isinstance(value, dict):
        members = list(value.items())
        chance.shuffle(members)
        return {key: respelled(inner, (*path, key), chance) for key, inner in members}
    if isinstance(value, list):
        if path[-1] in {"after", "ids", "bases"}:
            more = chance.choices(value, k=1) if value and path[-1] != "bases" else []
            return chance.sample([*value, *more], len(value) + len(more))
        return [respelled(inner, (*path, at), chance) for at, inner in enumerate(value)]
    if isinstance(value, bool | str):
        return value
    spelled = chance.choice([value, float(value), -0.0 if value == 0 else value])
    bound = path[-1] in {"low", "high", "central"}
    return {"low": value, "high": spelled} if chance.random() < 0.2 and not bound else spelled


@given(st.sampled_from(REQUESTS), st.randoms(use_true_random=False))
def test_however_a_request_is_written_its_canonical_form_is_one(example, chance):
    try:
        other = msgspec.convert(respelled(example.request, (), chance), QuoteRequest)
    except msgspec.ValidationError:  # a number that takes no interval
        assume(False)
    assert canonical_request(other) == canonical_request(
        msgspec.convert(example.request, QuoteRequest)
    )


def lists_of(kind: inspect.Type, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every list that a request may hold, and whether it is marked as unordered."""
    match kind:
        case inspect.Metadata(type=inspect.VarTupleType(item_type=item), extra=extra):
            yield path, extra == UNORDERED
            yield from lists_of(item, path)
        case inspect.Metadata(type=inner):
            yield from lists_of(inner, path)
        case inspect.VarTupleType(item_type=item):
            yield path, False
            yield from lists_of(item, path)
        case inspect.StructType(fields=fields):
            for field in fields:
                yield from lists_of(field.type, f"{path}/{field.encode_name}")
        case inspect.UnionType(types=types):
            for one in types:
                yield from lists_of(one, path)


def test_every_list_of_a_request_is_ordered_for_a_reason_or_marked_as_unordered():
    ordered = {
        "/run/stages": "a stage follows the one before it",
        "/accounting/discounts": "each is taken off what the one before leaves",
        "/accounting/uplifts": "each markup is a share of those before it",
    }
    found = dict(lists_of(inspect.type_info(QuoteRequest)))
    assert {path for path, unordered in found.items() if not unordered} == set(ordered)
    assert {path for path, unordered in found.items() if unordered} == {
        "/run/stages/after",
        "/accounting/discounts/covers",
        "/accounting/base_model/ids",
        "/options/bases",
    }


def test_the_answer_shows_the_canonical_form_and_its_pointers_lead_into_it():
    request = base_of(*V3_PARTS, V3_PARTS[0])
    request["accounting"]["owned"] = {"years": {"low": 3, "high": 3}}
    quote = json.loads(answered(request))
    asked = quote["request"]
    assert asked["accounting"]["base_model"]["ids"] == sorted(V3_PARTS)
    assert asked["accounting"]["owned"]["years"] == 3
    pointers = [
        figure["source"]["pointer"]
        for figure in quote["figures"].values()
        if figure["source"]["kind"] == "given"
    ]
    assert len(pointers) > 4
    for pointer in pointers:
        value = asked
        for key in pointer.split("/")[1:]:
            value = value[int(key)] if isinstance(value, list) else value[key]
        assert isinstance(value, float | int | dict), pointer


def test_a_base_run_that_is_named_twice_is_paid_for_once():
    (loaded,) = (
        bill
        for bill in json.loads(answered(base_of(V3_PARTS[0], V3_PARTS[0])))["bases"]
        if bill["basis"] == "fully_loaded"
    )
    assert [line["label"] for line in loaded["lines"] if line["item"] == "base_model"] == [
        V3_PARTS[0]
    ]


@pytest.mark.parametrize(
    ("request_", "pointers"),
    [
        (base_of("no-such", *V3_PARTS, "no-such"), ["ids/0", "ids/4"]),
        (changed("/run/stages/2/after", ["R1-Zero", "R1-Zero", "nobody"]), ["after/2"]),
    ],
    ids=["base runs", "stages"],
)
def test_an_error_points_at_what_was_sent_and_not_at_the_canonical_form(request_, pointers):
    with pytest.raises(NotQuotable) as caught:
        answered(request_)
    found = [error.pointer for error in caught.value.errors]
    assert [pointer.rsplit("/", 2)[-2:] for pointer in found] == [
        pointer.split("/") for pointer in pointers
    ]
