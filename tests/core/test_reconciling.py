"""An invoice and its quote: the parts of the difference add up, and the next quote is measured."""

import json
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from service.core.answer.reconciliation import ReconciledParts, Reconciliation
from service.core.differing.reconciliation import position, reconciliation
from service.core.printing.money import MOST_PLACES
from service.core.request.about_quotes.reconciliation import ReconciliationRequest
from service.core.request.request import QuoteRequest
from tests.differences import H100, quoted, requests
from tests.worlds import TEST_ENGINE, embedded

MOST_ROUNDED = 10
"""Minor units by which seven rounded parts and the lines of the bill may miss the difference."""
NO_ID = {"kind": "quote", "id": "q_" + "0" * 64}


def run_of(work: dict[str, Any], *, devices: int = 64, usd: float = 2.0) -> dict[str, Any]:
    return {
        "run": {"name": "run", "stages": [{"name": "one", "work": work}]},
        "cluster": {
            "accelerator": H100,
            "devices": devices,
            "supply": {"kind": "rate", "usd_per_device_hour": usd},
        },
    }


def reconciled(request: dict[str, Any], lines: list[dict[str, Any]], **said: Any) -> Reconciliation:
    """What the invoice says. `said` are happened, basis, tax and currency."""
    invoice: dict[str, Any] = {"lines": lines}
    for key in {"tax", "currency"} & said.keys():
        invoice[key] = said.pop(key)
    asked = msgspec.convert({"quote": NO_ID, "invoice": invoice, **said}, ReconciliationRequest)
    quote = quoted(request)
    again = msgspec.convert(request, QuoteRequest, strict=False)
    return reconciliation(quote, asked, again, embedded(), engine=TEST_ENGINE)


def amounts(parts: ReconciledParts | Any) -> dict[str, Decimal]:
    return {name: Decimal(getattr(parts, name)) for name in parts.__struct_fields__}


def devices_line(amount: float, hours: float | None = None) -> dict[str, Any]:
    known = {} if hours is None else {"device_hours": hours}
    return {"label": "devices", "item": "device_rental", "amount": amount, **known}


money = st.decimals("-1000", "5000000", places=2).map(float)
items = st.sampled_from(["storage", "transfer", "support", "discount", "markup", "tax", "other"])
other_lines = st.builds(
    lambda item, amount: {"label": "x", "item": item, "amount": amount}, items, money
)
happenings = st.fixed_dictionaries(
    {},
    optional={
        "device_hours": st.floats(1.0, 1e6),
        "hours": st.floats(0.1, 1e4),
        "tokens": st.floats(1e3, 1e12),
        "done_share": st.floats(0.1, 3.0),
        "restarts": st.integers(0, 100),
        "lost_hours": st.floats(0.0, 100.0),
    },
)


@settings(max_examples=12)
@given(
    requests(),
    st.decimals("0.01", "5000000", places=2).map(float),
    st.lists(other_lines, max_size=4),
    happenings,
    st.sampled_from(["rental", "owned", "fully_loaded"]),
)
def test_the_parts_add_up_to_the_cent_for_any_invoice(request, devices, lines, happened, basis):
    found = reconciled(request, [devices_line(devices), *lines], happened=happened, basis=basis)
    if found.not_reconciled is not UNSET:
        assert found.not_reconciled.reason in {"unpriced_before", "different_currencies"}
        return
    assert found.quoted is not UNSET
    assert found.difference is not UNSET
    change = Decimal(found.invoiced.amount) - Decimal(found.quoted.amount)
    parts = amounts(found.parts)
    assert sum(parts.values()) == change == Decimal(found.difference.amount)
    minor_unit = Decimal(1 if found.quoted.currency == "JPY" else "0.01")
    assert abs(parts["rounding"]) <= MOST_ROUNDED * minor_unit


FIRST = run_of({"kind": "metered", "device_hours": 147_000})


def test_the_invoice_was_18_percent_higher_by_hand():
    """147,000 h at $2.00 quoted, 160,000 h at $2.10 invoiced, of which 12,800 h were lost.

    340,000 less 4,000 of egress is 336,000 = 160,000 x 2.10. The rate is 0.10 at the mean of the
    hours: 15,350. Hours make 26,650 at $2.05: 13,000 more, of which goodput explains 12,800.
    """
    found = reconciled(
        FIRST,
        [devices_line(336_000, 160_000), {"label": "egress", "amount": 4000}],
        tax=6920,
        happened={"done_share": 1, "lost_hours": 200},
    )
    assert found.difference_share == 0.18
    parts = amounts(found.parts)
    assert parts["scope"] == 4000
    assert parts["tax"] == 6920
    assert parts["rate"] + parts["speed"] + parts["goodput"] + parts["work"] + parts[
        "rounding"
    ] == Decimal(336_000 - 294_000)
    assert float(parts["rate"]) == pytest.approx(15_350, rel=0.002)
    assert parts["work"] == 0
    assert found.happened is not UNSET
    assert found.happened.goodput == pytest.approx(1 - 12_800 / 160_000)
    assert float(parts["goodput"]) == pytest.approx(2.05 * 12_800, rel=0.03)
    assert float(parts["speed"]) == pytest.approx(2.05 * 200, rel=0.06)
    assert "18.0% above the quote of 294,000.00" in str(found.sentence)
    assert [note.code for note in found.notes] == ["no_losses_in_quote"]


@pytest.mark.parametrize(
    ("line", "happened", "part"),
    [
        (devices_line(2.5 * 147_000, 147_000), {"done_share": 1, "lost_hours": 0}, "rate"),
        (devices_line(2.0 * 150_000, 150_000), {"done_share": 1, "lost_hours": 0}, "speed"),
        (devices_line(2.0 * 73_500, 73_500), {"done_share": 0.5, "lost_hours": 0}, "work"),
        (
            devices_line(2.0 * 148_000, 148_000),
            {"done_share": 1, "lost_hours": 1000 / 64},
            "goodput",
        ),
    ],
    ids=["rate", "speed", "work", "goodput"],
)
def test_what_alone_was_otherwise_makes_all_of_the_difference(line, happened, part):
    found = reconciled(FIRST, [line], happened=happened)
    parts = amounts(found.parts)
    assert {name for name, amount in parts.items() if abs(amount) > 1} == {part}
    assert found.difference is not UNSET
    assert abs(parts[part] - Decimal(found.difference.amount)) < 1


def test_the_invoice_as_quoted_differs_in_nothing():
    found = reconciled(FIRST, [devices_line(294_000, 147_000)])
    assert set(amounts(found.parts).values()) == {Decimal(0)}
    assert found.sentence == "the invoice is what was quoted"
    assert found.whole is not UNSET
    assert (found.whole.position, found.whole.within) == (0.5, True)
    assert [note.code for note in found.notes] == ["work_as_quoted", "goodput_as_quoted"]


def test_what_is_not_said_is_taken_as_quoted_and_noted():
    found = reconciled(FIRST, [devices_line(300_000)])
    codes = ["hours_as_quoted", "work_as_quoted", "goodput_as_quoted"]
    assert [note.code for note in found.notes] == codes
    assert amounts(found.parts)["rate"] == 6000
    lost = reconciled(FIRST, [devices_line(300_000, 147_000)], happened={"lost_hours": 1e6})
    assert "lost_more_than_held" in {note.code for note in lost.notes}


def test_amounts_of_an_invoice_count_to_twelve_decimals():
    """1.0000000000000002e-06 and 2.5e-12 are 0.000001 and 0.000000000002, half to even."""
    lines = [
        devices_line(1.0000000000000002e-06, 1.0000000000000002e-06),
        {"label": "x", "item": "other", "amount": 2.5e-12},
        {"label": "x", "item": "support", "amount": 4e-13},
    ]
    found = reconciled(FIRST, lines, tax=1e-300)
    assert found.quoted is not UNSET
    assert found.difference is not UNSET
    assert found.whole is not UNSET
    assert found.like_for_like is not UNSET
    assert found.invoiced.amount == found.whole.amount == "0.000001000002"
    assert found.like_for_like.amount == "0.000001"
    change = Decimal(found.invoiced.amount) - Decimal(found.quoted.amount)
    assert sum(amounts(found.parts).values()) == change == Decimal(found.difference.amount)
    printed = re.findall(r"-?\d+\.(\d+)", " ".join(map(str, amounts(found.parts).values())))
    assert max(map(len, printed)) == MOST_PLACES


def test_lines_that_one_side_lacks_are_scope_and_those_of_both_are_compared():
    request = FIRST | {
        "accounting": {
            "storage": {"gigabytes": 1000, "usd_per_gigabyte_month": 0.1, "months": 10},
            "uplifts": [{"kind": "tax", "label": "VAT", "share": 0.1}],
        }
    }
    both = [devices_line(294_000, 147_000), {"label": "s", "item": "storage", "amount": 1300}]
    found = reconciled(request, both, tax=29_500)
    parts = amounts(found.parts)
    assert [float(parts[name]) for name in ("other_items", "tax", "scope")] == [300, 0, 0]
    without = reconciled(request, both[:1], tax=29_500)
    assert amounts(without.parts)["scope"] == -1000
    assert "quoted_item_not_invoiced" in {note.code for note in without.notes}
    untaxed = reconciled(FIRST, both, tax=29_500)
    assert untaxed.whole is not UNSET
    assert untaxed.like_for_like is not UNSET
    assert untaxed.whole.amount == "324800.00"
    assert untaxed.like_for_like.amount == "294000.00"


def test_a_discount_of_the_invoice_lowers_its_rate():
    credit = {"label": "credit", "item": "discount", "amount": -29_400}
    found = reconciled(FIRST, [devices_line(294_000, 147_000), credit])
    assert found.happened is not UNSET
    assert found.happened.rate == pytest.approx(1.8)
    assert amounts(found.parts)["rate"] == -29_400


def test_what_cannot_be_reconciled_is_said_with_its_reason():
    other = reconciled(FIRST, [devices_line(1)], currency="EUR").not_reconciled
    missing = reconciled(
        FIRST | {"options": {"bases": ["rental"]}}, [devices_line(1)], basis="owned"
    ).not_reconciled
    supply = {"kind": "market", "term": "spot", "provider": "lambda"}
    unpriced = reconciled(
        FIRST | {"cluster": FIRST["cluster"] | {"supply": supply}}, [devices_line(1)]
    ).not_reconciled
    assert other is not UNSET
    assert missing is not UNSET
    assert unpriced is not UNSET
    reasons = [one.reason for one in (other, missing, unpriced)]
    assert reasons == ["different_currencies", "missing_before", "unpriced_before"]


PRETRAINING = {
    "kind": "pretraining",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "tokens": 2e10,
    "sequence_length": 8192,
}
TUNING = {
    "kind": "finetuning",
    "model": {"kind": "preset", "id": "llama-3.1-8b"},
    "data": {"kind": "examples", "examples": 50_000, "mean_tokens": 800},
}


@pytest.mark.parametrize(
    ("work", "kind", "hours", "said"),
    [
        (PRETRAINING, "anchor", 20.0, {"tokens": 2.2e10, "lost_hours": 2.0}),
        (PRETRAINING, "anchor", 17.0, {"tokens": 2e10}),
        (TUNING, "mfu", 2.0, {"done_share": 1.5, "lost_hours": 0.1}),
        ({"kind": "compute", "flop": 1e21}, "mfu", 30.0, {"done_share": 1.0}),
        ({"kind": "timed", "hours": 10}, "metered", 11.0, {}),
        (PRETRAINING, "metered", 1.0, {"tokens": 2e10}),
    ],
    ids=["pretraining", "all tokens", "tuning", "flop", "hours", "above the peak"],
)
def test_the_next_quote_gives_the_measured_hours(work, kind, hours, said):
    request = run_of(work)
    found = reconciled(
        request, [devices_line(10_000.0)], happened={"hours": hours, **said}
    ).next_quote
    assert found is not UNSET
    assert found.kind == kind
    assert found.device_hours == pytest.approx(hours * 64, rel=1e-6)
    assert found.work is not UNSET
    pasted = quoted(run_of(json.loads(bytes(found.work))))
    (stage,) = pasted.stages
    assert stage.device_hours is not None
    assert stage.device_hours.central == pytest.approx(hours * 64, rel=1e-6)
    if kind == "anchor":
        assert found.anchor is not UNSET
        assert json.loads(bytes(found.work))["anchor"] == json.loads(bytes(found.anchor))


def test_a_run_of_several_stages_has_no_one_speed():
    stages = [{"name": name, "work": PRETRAINING} for name in ("a", "b")]
    request = run_of(PRETRAINING) | {"run": {"name": "r", "stages": stages}}
    found = reconciled(request, [devices_line(1.0)]).next_quote
    assert found is not UNSET
    assert (found.kind, found.work) == ("none", UNSET)


def test_restarts_cost_what_the_quote_takes_for_one():
    found = reconciled(
        run_of(PRETRAINING), [devices_line(5000.0)], happened={"hours": 40, "restarts": 10}
    )
    assert "goodput_from_restarts" in {note.code for note in found.notes}
    assert found.happened is not UNSET
    assert 0.5 < found.happened.goodput < 1.0


def test_a_position_is_the_share_of_outcomes_below():
    outcomes = [float(one) for one in range(1, 21)]
    assert [position(number, outcomes) for number in (0.0, 10.5, 21.0)] == [0.0, 0.5, 1.0]
    assert position(5.0, [5.0] * 20) == 0.5
