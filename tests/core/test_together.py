"""Quotes that are argued together have the bytes of each alone."""

import gc
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from service.answering import Question, answer_of, encoded, question_of
from service.answering.kind import Means
from service.answering.together import (
    LEAST_TOGETHER,
    Shapes,
    as_read,
    quotes_of,
    shape_of,
    together_by_shape,
)
from service.api.contract.examples import REQUESTS
from service.api.refusing.decoding import decode_request
from service.computing.worker import Computed, computed_all
from service.core.catalog.errors import NotQuotable
from service.core.figures.lanes import Group, Inexpressible, Lanes, entry_at
from service.core.printing.money import (
    amount_of,
    amount_read,
    printed,
    printed_estimate,
    sum_of_amounts,
)
from service.core.request.request import QuoteRequest
from service.core.together.quotes import Printed, Together, printed_by_lane
from tests.differences import requests
from tests.requests import R1
from tests.worlds import MEMO, TEST_ENGINE, embedded

Json = dict[str, Any]
MEANS = Means(engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, kept={})
MORE: tuple[Json, ...] = (
    {},
    {"options": {"detail": "summary"}},
    {"options": {"currency": "EUR"}},
    {"options": {"bases": ["rental"]}},
    {"as_of": "2026-05-01"},
)
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example takes a second: what fails is shown as it was found."""
factors = st.floats(min_value=0.3, max_value=3.0).map(lambda number: float(f"{number:.3g}"))


def asked(request: Json) -> Question[QuoteRequest]:
    read = decode_request(msgspec.json.encode(request))
    return as_read(question_of(read, engine=TEST_ENGINE, catalog=embedded()))


def alone(question: Question[QuoteRequest]) -> bytes:
    return encoded(answer_of(question, engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, kept={}))


def scaled(said: Any, member: str, by: float) -> Any:
    """A part of a request with its amounts, hours and prices multiplied."""
    if isinstance(said, dict):
        return {name: scaled(value, name, by) for name, value in said.items()}
    if isinstance(said, list):
        return [scaled(value, member, by) for value in said]
    is_number = isinstance(said, float) and not isinstance(said, bool)
    return said * by if is_number and member not in {"share", "devices"} else said


def bodies_of(questions: Sequence[Question[QuoteRequest]]) -> list[bytes | None]:
    """The answers to questions that are answered together, None for those that are left."""
    together = quotes_of(questions, MEANS, Shapes())
    found: list[bytes | None] = [None] * len(questions)
    if together is not None:
        for lane, body in zip(together.printed.lanes, together.printed.bodies(), strict=True):
            found[lane] = body
    return found


def check_together(questions: Sequence[Question[QuoteRequest]]) -> int:
    """How many of some questions were answered together. Each has its own bytes."""
    together = bodies_of(questions)
    for question, body in zip(questions, together, strict=True):
        assert body is None or body == alone(question)
    return sum(body is not None for body in together)


@settings(max_examples=8, phases=UNSHRUNK)
@given(requests(), st.lists(factors, min_size=4, max_size=6, unique=True), st.sampled_from(MORE))
def test_a_quote_that_is_argued_with_others_has_the_bytes_of_one_alone(request, by, more):
    questions = [asked(scaled(request, "", each) | more) for each in by]
    if len({shape_of(question) for question in questions}) == 1:
        check_together(questions)


def in_intervals(hours: float, usd: float, ratio: float) -> Question[QuoteRequest]:
    work = {
        "kind": "metered",
        "device_hours": {"low": 1000 * hours, "high": 1000 * hours * (1.1 + ratio)},
    }
    supply = {"kind": "rate", "usd_per_device_hour": {"low": usd, "high": usd * (1 + ratio)}}
    run = {"name": "r", "stages": [{"name": "a", "work": work}]}
    return asked({"run": run, "cluster": R1["cluster"] | {"supply": supply}})


def test_intervals_of_hours_and_prices_are_argued_together():
    assert check_together([in_intervals(1.0 + place, 2.0, 0.5) for place in range(4)]) >= 1


@settings(max_examples=5, phases=UNSHRUNK)
@given(st.lists(st.tuples(factors, factors, factors), min_size=4, max_size=6, unique=True))
def test_intervals_of_hours_and_prices_have_the_bytes_of_each_alone(by):
    check_together([in_intervals(*each) for each in by])


def of_hours(hours: Sequence[float], **more: Any) -> list[Question[QuoteRequest]]:
    def run(one: float) -> Json:
        work = {"kind": "metered", "device_hours": one}
        return {"name": "r", "stages": [{"name": "R1-Zero", "work": work}]}

    return [asked({**R1, "run": run(one), **more}) for one in hours]


@pytest.mark.parametrize("more", MORE)
def test_lines_that_differ_in_hours_alone_are_argued_together(more):
    assert check_together(of_hours([1234.5 + 77.25 * place for place in range(9)], **more)) >= 8


def test_what_was_argued_together_is_freed_without_the_collector_of_cycles():
    questions = [in_intervals(1.0 + number / 100, 2.0, 0.5) for number in range(LEAST_TOGETHER)]
    assert None not in bodies_of(questions)
    gc.collect()
    gc.disable()
    try:
        bodies_of(questions)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [one for one in gc.garbage if isinstance(one, Lanes | np.ndarray)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


def test_a_line_that_is_another_case_is_answered_alone():
    """101,000 hours are those of a published run on this device, of which the quote knows."""
    cluster = R1["cluster"] | {"accelerator": "nvidia-h100-sxm-80gb"}
    questions = of_hours([*(100_000.0 + place for place in range(9)), 101_000.0], cluster=cluster)
    together = bodies_of(questions)
    assert together[-1] is None
    assert sum(body is not None for body in together) >= LEAST_TOGETHER
    shapes = Shapes()
    found = computed_all(
        questions, engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, shapes=shapes
    )
    assert [one.body for one in found if isinstance(one, Computed)] == list(map(alone, questions))


def test_what_is_counted_of_all_is_counted_with_one_of_them():
    questions = of_hours([500.0 + place for place in range(LEAST_TOGETHER)])
    found = computed_all(
        questions, engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, shapes=Shapes()
    )
    answers = [one for one in found if isinstance(one, Computed)]
    counted: dict[tuple[str, ...], float] = {}
    for one in answers:
        for tally in one.tallies:
            key = (tally.counter, *tally.labels)
            counted[key] = counted.get(key, 0.0) + tally.amount
    assert counted["quotes", "rental", "priced"] == len(questions)


def of_another_body(
    questions: Sequence[Question[QuoteRequest]], means: Means, shapes: Shapes
) -> Together | None:
    found = quotes_of(questions, means, shapes)
    assert found is not None
    return Together(Printed([b"{}"], [], [], found.printed.lanes), found.answer)


def test_a_shape_that_is_unsound_is_answered_one_by_one(monkeypatch):
    questions = of_hours([700.0 + place for place in range(LEAST_TOGETHER)])
    shapes = Shapes()
    shape = shape_of(questions[0])
    assert shape is not None
    monkeypatch.setattr("service.computing.worker.quotes_of", of_another_body)
    found = computed_all(
        questions, engine=TEST_ENGINE, catalog=embedded(), memo=MEMO, shapes=shapes
    )
    assert [one.body for one in found if isinstance(one, Computed)] == list(map(alone, questions))
    assert shapes.verdict(shape) is False


def test_only_numbers_make_no_other_shape():
    one, other, named = (
        asked({**R1, "run": {"name": name, "stages": [stage]}})
        for name, stage in (
            ("r", {"name": "a", "work": {"kind": "metered", "device_hours": 5.0}}),
            ("r", {"name": "a", "work": {"kind": "metered", "device_hours": 7e9}}),
            ("r", {"name": "b", "work": {"kind": "metered", "device_hours": 5.0}}),
        )
    )
    assert shape_of(one) == shape_of(other) != shape_of(named)
    assert together_by_shape([one, other, named] * LEAST_TOGETHER) == [
        [place for place in range(3 * LEAST_TOGETHER) if place % 3 < 2],
        [place for place in range(3 * LEAST_TOGETHER) if place % 3 == 2],
    ]


@pytest.mark.parametrize("example", REQUESTS, ids=lambda one: one.name)
def test_examples_are_answered_alike_among_others(example):
    try:
        question = asked(example.request)
        answer = alone(question)
    except NotQuotable:
        return
    if shape_of(question) is None:
        return
    assert bodies_of([question] * 3) in ([answer] * 3, [None] * 3)


class TestLanes:
    def test_most_lanes_decide_and_the_others_are_left(self):
        group = Group(5)
        lanes = Lanes(group, np.array([1.0, 2.0, 3.0, 4.0, 50.0]))
        assert lanes < 10.0
        assert group.living() == [0, 1, 2, 3]
        assert not lanes * 2.0 > 4.0 or group.living() == [2, 3]

    def test_it_is_no_float(self):
        lanes: Any = Lanes(Group(2), np.array([1.0, 2.0]))
        with pytest.raises(Inexpressible):
            float(lanes)
        with pytest.raises(TypeError):
            hash(lanes)

    def test_texts_and_rounding_are_those_of_each_number(self):
        group = Group(2)
        lanes = Lanes(group, np.array([1.005, 2.5]))
        assert round(lanes, 2).listed() == [round(1.005, 2), round(2.5, 2)]
        text = f"{lanes:.1f} h"
        assert group.columns[0].split() == [b"1.0", b"2.5"]
        assert text == f"{lanes:.1f} h"

    @given(
        st.lists(
            st.floats(-1e12, 1e12)
            | st.sampled_from([0.0, -0.0, 1e300, -1e300, 4.35, 2.675, -1.5e-6, 5e-324])
            | st.integers(-(10**9), 10**9).map(lambda halves: halves / 2e6),
            min_size=1,
        ),
        st.integers(0, 17),
    )
    def test_numbers_are_rounded_as_each_is(self, numbers, digits):
        rounded = round(Lanes(Group(len(numbers)), np.array(numbers)), digits)
        with np.errstate(all="ignore"):
            rounded.listed()
        assert list(map(repr, rounded.listed())) == [repr(round(one, digits)) for one in numbers]

    def test_an_entry_under_a_number_is_that_of_most(self):
        group = Group(3)
        assert entry_at({2.0: "two"}, Lanes(group, np.array([2.0, 2.0, 3.0]))) == "two"
        assert group.living() == [0, 1]


usual = st.floats(1.0, 1e9).map(lambda number: round(number, 3))
quantities = usual | st.floats(1e-9, 1e12) | st.integers(0, 10**6).map(lambda eighths: eighths / 8)
rates = st.sampled_from([0.01, 0.04, 1.0, 2.0]) | st.floats(1e-9, 1e5)
currency_places = st.sampled_from([0, 2, 3])
terms = st.lists(st.tuples(quantities, rates), min_size=3, max_size=3)


class TestAmountsOfLanes:
    """Amounts, sums and texts of many have the decimals of each, to the last digit."""

    def both(self, pairs: Sequence[tuple[float, float]], places: int) -> tuple[Any, list[Decimal]]:
        quantity, rate = (np.array(column) for column in zip(*pairs, strict=True))
        group = Group(len(pairs))
        many: Any = amount_of(
            quantity=cast(float, Lanes(group, quantity)),
            rate=cast(float, Lanes(group, rate)),
            places=places,
        )
        return many, [amount_of(quantity=one, rate=by, places=places) for one, by in pairs]

    def of_group(self, group: Group, lanes: Any) -> Decimal:
        return cast(Decimal, Lanes(group, lambda: lanes.values))

    def texts(self, lanes: Any) -> list[str]:
        """What stands in the JSON of each lane."""
        return list(map(msgspec.json.decode, printed_by_lane(lanes, lanes.group).bodies()))

    @given(st.lists(st.tuples(quantities, rates), min_size=1), currency_places)
    def test_amounts_and_their_texts_are_those_of_each(self, pairs, places):
        many, each = self.both(pairs, places)
        assert list(map(str, many.listed())) == list(map(str, each))
        text: Any = printed(many)
        assert text.listed() == list(map(printed, each))
        assert self.texts(printed(-many)) == [printed(-one) for one in each]
        again: Any = amount_read(text)
        assert again.listed() == each

    @given(st.lists(terms, min_size=1), currency_places, st.sampled_from([0, -3, 5]))
    def test_sums_are_those_of_each(self, rows, places, more):
        columns = list(zip(*rows, strict=True))
        amounts = [self.both(column, places) for column in columns]
        group = Group(len(rows))
        many = [self.of_group(group, one) for one, _ in amounts]
        start, less = Decimal(more), -many[2]
        total: Any = sum_of_amounts((start, *many[:2], less), places=places)
        expected = [
            sum_of_amounts((start, first, second, -third), places=places)
            for first, second, third in zip(*(one[1] for one in amounts), strict=True)
        ]
        assert list(map(str, total.listed())) == list(map(str, expected))
        assert self.texts(printed(total)) == list(map(printed, expected))

    @given(st.lists(quantities | quantities.map(lambda one: -one), min_size=1), currency_places)
    def test_estimates_are_printed_as_each(self, numbers, places):
        lanes = cast(float, Lanes(Group(len(numbers)), np.array(numbers)))
        expected = [printed_estimate(one, places=places) for one in numbers]
        assert self.texts(printed_estimate(lanes, places=places)) == expected

    def test_a_sum_is_zero_in_most_lanes_or_in_few(self):
        for hours, holds in (([1.0, 1.0, 5.0], False), ([1.0, 5.0, 5.0], True)):
            many, _ = self.both([(one, 100.0) for one in hours], 2)
            total: Any = sum_of_amounts((many, Decimal(-100)))
            assert bool(total) is holds
            assert total.group.living() == ([1, 2] if holds else [0, 1])
