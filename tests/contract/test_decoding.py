"""What is no request is refused, and everything that is wrong with it is named at once."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.contract.examples import CLAIMS, REQUESTS, Example
from service.api.pointers import pointer_of
from service.api.refusing.decoding import (
    decode_claim,
    decode_request,
    has_repeated_members,
    member_count,
)
from service.api.refusing.errors import MOST_FAULTS, Fault, Refused
from service.api.refusing.schema_errors import faults_of
from service.core.request.claim import ClaimRequest
from service.core.request.request import QuoteRequest
from tests.requests import R1

BODY = json.dumps(R1).encode()


def refused(body: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        decode_request(body)
    return caught.value


def marks(body: bytes) -> set[tuple[str, str]]:
    return {(str(fault.code), str(fault.pointer)) for fault in refused(body).errors}


def with_member(path: tuple[Any, ...], value: Any) -> bytes:
    """The disclosure with another value at a path, or with none there."""
    request = copy.deepcopy(R1)
    *above, last = path
    parent: Any = request
    for key in above:
        parent = parent[key]
    parent[last] = value
    if value is LACKING:
        del parent[last]
    return json.dumps(request).encode()


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: example.name)
def test_every_example_of_the_contract_is_a_request(example):
    assert isinstance(decode_request(json.dumps(example.request).encode()), QuoteRequest)


UNREADABLE = {
    "nothing": (b"", "empty_body"),
    "only blanks": (b" \n\t ", "empty_body"),
    "an open brace": (b"{", "not_json"),
    "a brace too many": (b"{}}", "not_json"),
    "words": (b"quote me", "not_json"),
    "single quotes": (b"{'run': 1}", "not_json"),
    "a leading zero": (BODY.replace(b"512", b"0512"), "not_json"),
    "a plus sign": (BODY.replace(b"512", b"+512"), "not_json"),
    "a line end in a name": (BODY.replace(b"DeepSeek-R1", b"Deep\nSeek"), "not_json"),
    "a trailing zero byte": (BODY + b"\x00", "not_json"),
    "not a number": (BODY.replace(b"512", b"NaN"), "not_finite"),
    "infinity": (BODY.replace(b"512", b"-Infinity"), "not_finite"),
    "a byte of no character": (BODY.replace(b"DeepSeek", b"Deep\xffSeek"), "not_utf8"),
    "a surrogate in UTF-8": (BODY.replace(b"DeepSeek", b"\xed\xa0\x80"), "not_utf8"),
    "UTF-16": (BODY.decode().encode("utf-16"), "not_utf8"),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, "byte_order_mark"),
    "half a surrogate pair": (BODY.replace(b"DeepSeek", b"\\ud800"), "lone_surrogate"),
    "10,000 open brackets": (b"[" * 10_000, "too_deep"),
    "10,000 arrays": (b"[" * 10_000 + b"]" * 10_000, "too_deep"),
    "10,000 objects": (b'{"run":' * 10_000 + b"1" + b"}" * 10_000, "too_deep"),
    "a member twice": (
        BODY.replace(b'"devices": 512', b'"devices": 512, "devices": 512'),
        "duplicate_member",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_as_json_is_a_400_with_its_reason(name):
    body, code = UNREADABLE[name]
    refusal = refused(body)
    assert refusal.slug == "unreadable-json"
    assert [fault.code for fault in refusal.errors] == [code]


LACKING = object()
MISFITS: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "no run": (("run",), LACKING, "missing_member"),
    "no devices": (("cluster", "devices"), LACKING, "missing_member"),
    "a member of its own": (("a",), 1, "unknown_member"),
    "a member to escape": (("a/b~c",), 1, "unknown_member"),
    "devices in quotes": (("cluster", "devices"), "512", "wrong_type"),
    "devices yes": (("cluster", "devices"), True, "wrong_type"),
    "devices null": (("cluster", "devices"), None, "wrong_type"),
    "half a device": (("cluster", "devices"), 1.5, "not_a_whole_number"),
    "no device": (("cluster", "devices"), 0, "out_of_bounds"),
    "too many devices": (("cluster", "devices"), 1e8, "out_of_bounds"),
    "beyond all numbers": (("cluster", "devices"), 10**400, "out_of_bounds"),
    "a name that cannot be seen": (("cluster", "accelerator"), "\u200b", "pattern_mismatch"),
    "a name that turns the line": (("cluster", "accelerator"), "\u202eH800", "pattern_mismatch"),
    "a name with a control": (("run", "name"), "a\x9b31m", "pattern_mismatch"),
    "a name in two lines": (("run", "name"), "a\u2028b", "pattern_mismatch"),
    "a name of a space": (("run", "name"), " ", "pattern_mismatch"),
    "an unknown kind": (("cluster", "supply", "kind"), "rent", "unknown_kind"),
    "a kind that is no word": (("cluster", "supply", "kind"), 1, "unknown_kind"),
    "no kind": (("cluster", "supply", "kind"), LACKING, "missing_member"),
    "a long name": (("run", "name"), "x" * 129, "too_long"),
    "a name with a line end": (("run", "name"), "a\n", "pattern_mismatch"),
    "no stages": (("run", "stages"), [], "too_few_items"),
    "many stages": (("run", "stages"), R1["run"]["stages"] * 22, "too_many_items"),
    "stages by name": (("run", "stages"), {}, "wrong_type"),
    "work as a list": (("run", "stages", 2, "work"), [], "wrong_type"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_json_that_does_not_fit_the_schema_is_a_422_that_points_at_the_member(name):
    path, value, code = MISFITS[name]
    body = with_member(path, value)
    assert refused(body).slug == "invalid-request"
    assert marks(body) == {(code, pointer_of(path))}


def test_a_date_that_does_not_exist_is_refused_with_one_that_does_instead_of_a_pattern():
    (only,) = refused(with_member(("start",), "2027-02-29")).errors
    assert only.code == "pattern_mismatch"
    assert only.detail.startswith('"2027-02-29" is not valid here. Write "2027-01-15": ')


def test_all_mistakes_are_named_at_once_and_are_those_of_the_kind_that_was_meant():
    request = {
        "run": {
            "name": "x",
            "stages": [
                {"name": "a", "work": {"kind": "timed", "device_hours": 1}},
                {"work": {"kind": "compute", "flop": {"low": "1", "hihg": 2}, "mfu": 2}},
            ],
        },
        "cluster": {"accelerator": "nvidia-h800-sxm-80gb", "devices": 8, "suply": {}},
    }
    assert marks(json.dumps(request).encode()) == {
        ("missing_member", "/run/stages/0/work/hours"),
        ("unknown_member", "/run/stages/0/work/device_hours"),
        ("missing_member", "/run/stages/1/name"),
        ("wrong_type", "/run/stages/1/work/flop/low"),
        ("missing_member", "/run/stages/1/work/flop/high"),
        ("unknown_member", "/run/stages/1/work/flop/hihg"),
        ("out_of_bounds", "/run/stages/1/work/mfu"),
        ("unknown_member", "/cluster/suply"),
    }


def test_a_misspelt_member_is_told_its_neighbour():
    (fault,) = refused(with_member(("cluster", "suplly"), {})).errors
    assert fault.nearest == ("supply",)
    assert isinstance(fault.allowed, tuple)
    assert "supply" in fault.allowed


def test_repeated_members_are_found_wherever_they_are_and_however_they_are_spelt():
    twice = BODY.replace(
        b'"name": "R1-Zero"', b'"name": "R1-Zero", "n\\u0061me": "a:b", "name": ""'
    )
    assert marks(twice) == {("duplicate_member", "/run/stages/0/name")}
    assert marks(b'{"a": {"b": 1, "b": 2}, "a": 3}') == {("duplicate_member", "/a")}
    hidden = BODY.replace(b'"R1-Zero"', b'"R1-Zero\\u003a"').replace(
        b'"devices": ', b'"devices": 1, "devices": '
    )
    assert marks(hidden) == {("duplicate_member", "/cluster/devices")}


def test_a_problem_lists_a_hundred_errors_at_most():
    many = json.dumps(R1 | {f"member {index}": index for index in range(1000)}).encode()
    assert len(refused(many).errors) == MOST_FAULTS
    assert refused(many).detail.startswith("100 errors or more")


def test_counts_may_be_written_as_people_write_them():
    spelt = BODY.replace(b"512", b"5.12e2").replace(b"101000", b"101e3")
    assert decode_request(spelt) == decode_request(BODY)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "metered", "rate", "offer", "nvidia-h100-sxm-80gb", 'a"b:c\\', "é\n"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "low", "high", "name", ":", '"']), inner)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(["kind", "name", "work", "supply", "low", "high", "hours", "id", "ids", ""])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@st.composite
def nearly_requests(draw: st.DrawFn, examples: tuple[Example, ...] = REQUESTS) -> Any:
    """An example with some of its members replaced, left out or added."""
    request = copy.deepcopy(draw(st.sampled_from(examples)).request)
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(places(request)[1:] or [("run",)]))
        parent: Any = request
        for key in above:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "drop", "add"]))
        if change == "drop" and (not isinstance(parent, dict) or last in parent):
            del parent[last]
        elif change == "add" and isinstance(parent, dict):
            parent[draw(NAMES)] = draw(JSON)
        else:
            parent[last] = draw(JSON)
    return request


def accepted(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=QuoteRequest)
    except msgspec.MsgspecError:
        return False
    return True


def faults(body: bytes) -> tuple[Fault, ...]:
    """All that is wrong with a body; nothing if it is a request."""
    try:
        decode_request(body)
    except Refused as refusal:
        return refusal.errors or (Fault(code="unreadable_member", detail="no reason is given"),)
    return ()


@given(nearly_requests())
def test_the_slow_pass_finds_a_mistake_exactly_where_the_fast_one_refuses(request_):
    body = json.dumps(request_).encode()
    assert accepted(body) == (not faults_of(request_))
    if not accepted(body):
        codes = {fault.code for fault in refused(body).errors}
        assert "unreadable_member" not in codes


@given(nearly_requests(CLAIMS))
def test_the_slow_pass_finds_a_mistake_exactly_where_a_claim_is_refused(claim):
    body = json.dumps(claim).encode()
    if not faults_of(claim, asked=ClaimRequest):
        assert isinstance(decode_claim(body), ClaimRequest)
        return
    with pytest.raises(Refused) as caught:
        decode_claim(body)
    assert "unreadable_member" not in {fault.code for fault in caught.value.errors}


@given(st.sampled_from(REQUESTS), st.data())
def test_any_damage_to_the_bytes_is_read_or_refused_with_a_reason(example, data):
    body = bytearray(json.dumps(example.request).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 8))
        body[start : start + length] = data.draw(
            st.binary(max_size=4)
            | st.sampled_from([b'"', b"{", b"NaN", b"1e999", b"\\ud83d", b","])
        )
    codes = {fault.code for fault in faults(bytes(body))}
    assert "unreadable_member" not in codes


@given(JSON)
def test_members_are_counted_right_and_without_repetition_none_is_found(value):
    def count(value: Any) -> int:
        if isinstance(value, dict):
            return len(value) + sum(map(count, value.values()))
        return sum(map(count, value)) if isinstance(value, list) else 0

    for body in (json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode()):
        assert member_count(body) == count(value)


@given(st.dictionaries(NAMES, st.text(st.characters(codec="utf-8")), min_size=1), st.data())
def test_a_repeated_member_is_never_missed(members, data):
    pairs = list(members.items())
    assert not has_repeated_members(json.dumps(members).encode())
    pairs.insert(data.draw(st.integers(0, len(pairs))), data.draw(st.sampled_from(pairs)))
    body = "{" + ",".join(f"{json.dumps(name)}: {json.dumps(text)}" for name, text in pairs) + "}"
    assert has_repeated_members(body.encode())


def test_pointers_escape_tildes_and_slashes():
    assert pointer_of(()) == ""
    assert pointer_of(("a/b", 0, "m~n")) == "/a~1b/0/m~0n"
