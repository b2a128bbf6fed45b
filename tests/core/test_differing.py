"""Why two quotes differ: the parts add up as printed, for any two quotes, line by line."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, structs

from service.core.answer.difference import ChangeParts
from service.core.differing.difference import Anew
from service.core.differing.kept import KeptBill, KeptQuote
from service.core.differing.shapley import parts_of_product
from tests.differences import H100, compared, parts, quoted, requests

ROUNDING_OF_LINE = Decimal("0.02")
"""Two amounts and up to three parts are rounded, each by half a cent at most."""
FIRST: dict[str, Any] = {
    "run": {
        "name": "R1",
        "stages": [
            {"name": "zero", "work": {"kind": "metered", "device_hours": 100_000}},
            {"name": "R1", "work": {"kind": "metered", "device_hours": 40_000}},
        ],
    },
    "cluster": {
        "accelerator": H100,
        "devices": 512,
        "supply": {"kind": "rate", "usd_per_device_hour": 2.0},
    },
    "accounting": {
        "discounts": [{"label": "volume", "share": 0.1}],
        "uplifts": [
            {"kind": "markup", "label": "margin", "share": 0.05},
            {"kind": "tax", "label": "VAT", "share": 0.19},
        ],
        "support": {"share": 0.03},
    },
}


def changed(*, usd: float = 2.0, hours: float = 100_000, **accounting: Any) -> KeptQuote:
    """The first quote with another price, other hours or another accounting."""
    stages = FIRST["run"]["stages"]
    work = {"kind": "metered", "device_hours": hours}
    supply = {"kind": "rate", "usd_per_device_hour": usd}
    return quoted(
        {
            "run": {"name": "R1", "stages": [{"name": "zero", "work": work}, stages[1]]},
            "cluster": {**FIRST["cluster"], "supply": supply},
            "accounting": {**FIRST["accounting"], **accounting},
        }
    )


def nested(found: ChangeParts) -> list[ChangeParts]:
    """Request and engine add up to price, and to hours."""
    for part in (found.price, found.hours):
        if part.request is not UNSET and part.engine is not UNSET:
            assert Decimal(part.request) + Decimal(part.engine) == Decimal(part.amount)
    return [found]


@settings(max_examples=12)
@given(requests(), requests())
def test_the_parts_add_up_to_the_cent_for_any_two_quotes_and_turn_round(one, other):
    first, second = quoted(one), quoted(other)
    forth, back = compared(first, second), compared(second, first)
    assert len(forth.bases) + len(forth.not_compared) == len(first.bases)
    assert [one.basis for one in forth.bases] == [one.basis for one in back.bases]
    for there, here in zip(forth.bases, back.bases, strict=True):
        change = Decimal(there.after.amount) - Decimal(there.before.amount)
        assert sum(parts(there.parts)) == change == Decimal(there.change.amount)
        assert parts(there.parts) == [-part for part in parts(here.parts)]
        nested(there.parts)
        for line in there.lines:
            amounts = [
                Decimal(0) if side is UNSET else Decimal(side.amount)
                for side in (line.after, line.before)
            ]
            assert sum(parts(line.parts)) == amounts[0] - amounts[1] == Decimal(line.change)
            assert abs(Decimal(line.parts.rounding)) <= ROUNDING_OF_LINE * (
                100 if there.change.currency == "JPY" else 1
            )
            nested(line.parts)
        assert sum(Decimal(line.change) for line in there.lines) == change


@settings(max_examples=5)
@given(requests())
def test_a_quote_does_not_differ_from_itself(request):
    quote = quoted(request)
    for basis in compared(quote, quote).bases:
        assert basis.change.amount.strip("0.") == ""
        assert {line.change.strip("0.") for line in basis.lines} == {""}
        assert all(part == 0 for line in basis.lines for part in parts(line.parts))
        assert "is the same" in basis.sentence


def moved(found: ChangeParts) -> set[str]:
    """The parts of at least two cents a line."""
    names = ("price", "hours", "accounting", "rounding")
    return {name for name, part in zip(names, parts(found), strict=True) if abs(part) > 1}


@settings(max_examples=5)
@given(st.decimals("0.5", "9", places=2), st.floats(1e3, 1e6))
def test_a_price_moves_price_alone_and_hours_move_hours_alone(usd, hours):
    base = changed()
    dearer, longer = changed(usd=float(usd)), changed(hours=round(hours, 1))
    for basis in compared(base, dearer).bases:
        assert moved(basis.parts) <= ({"price"} if basis.basis != "owned" else set())
    for basis in compared(base, longer).bases:
        assert moved(basis.parts) <= {"hours"}


def test_price_and_hours_are_each_at_the_mean_of_the_other_by_hand():
    """140,000 h at $2 to 150,000 h at $3: 145,000 x $1 + 10,000 x $2.50 = 170,000."""
    plain: dict[str, Any] = {"discounts": [], "uplifts": [], "support": {"share": 0.0}}
    before = changed(**plain)
    after = changed(usd=3.0, hours=110_000, **plain)
    rental = compared(before, after).bases[0]
    assert (rental.before.amount, rental.after.amount) == ("280000.00", "450000.00")
    assert parts(rental.parts) == [145_000, 25_000, 0, 0]
    assert rental.sentence == (
        "the rental total rises by 60.7%, +170,000.00 USD: price +145,000.00, hours +25,000.00"
    )


def test_a_tax_passes_the_price_on_and_its_own_share_is_accounting_by_hand():
    """$280,000 at 20% to $420,000 at 10%: tax 56,000 to 42,000; 15% of 140,000 is price."""
    tax = {"kind": "tax", "label": "VAT"}
    none: dict[str, Any] = {"discounts": [], "support": {"share": 0.0}}
    before = changed(uplifts=[{**tax, "share": 0.2}], **none)
    after = changed(usd=3.0, uplifts=[{**tax, "share": 0.1}], **none)
    rental = compared(before, after).bases[0]
    line = rental.lines[-1]
    assert (line.item, line.change) == ("tax", "-14000.00")
    assert parts(line.parts) == [21_000, 0, -35_000, 0]
    assert parts(rental.parts) == [161_000, 0, -35_000, 0]


def test_a_line_of_one_quote_alone_is_accounting_and_a_stage_is_hours():
    before = changed()
    after = changed(uplifts=[])
    lines = compared(before, after).bases[0].lines
    gone = {line.item: line for line in lines if line.after is UNSET}
    assert gone.keys() == {"markup", "tax"}
    for line in gone.values():
        assert parts(line.parts) == [0, 0, Decimal(line.change), 0]
    one_stage = {**FIRST, "run": {"name": "R1", "stages": FIRST["run"]["stages"][:1]}}
    for basis in compared(quoted(FIRST), quoted(one_stage)).bases:
        assert moved(basis.parts) == {"hours"}


def test_a_renamed_stage_is_the_same_stage():
    renamed = {
        **FIRST,
        "run": {
            "name": "R1",
            "stages": [{**FIRST["run"]["stages"][0], "name": "other"}, FIRST["run"]["stages"][1]],
        },
    }
    for basis in compared(quoted(FIRST), quoted(renamed)).bases:
        assert basis.change.amount == "0.00"
        assert all(line.before is not UNSET and line.after is not UNSET for line in basis.lines)


def test_what_cannot_be_compared_is_said_with_its_reason():
    unpriced = {
        **FIRST["cluster"],
        "supply": {"kind": "market", "term": "spot", "provider": "lambda"},
    }
    priced, lacking = quoted(FIRST), quoted({**FIRST, "cluster": unpriced})
    found = {one.basis: one for one in compared(priced, lacking).not_compared}
    assert found["rental"].reason == "unpriced_after"
    assert "price" in found["rental"].detail
    both = compared(lacking, lacking).not_compared
    assert {one.reason for one in both} == {"unpriced_in_both"}
    euros = quoted(FIRST, currency="EUR")
    assert {one.reason for one in compared(priced, euros).not_compared} == {"different_currencies"}
    rental = quoted(FIRST, bases=["rental"])
    reasons = {one.basis: one.reason for one in compared(rental, priced).not_compared}
    assert reasons == {"owned": "missing_before", "fully_loaded": "missing_before"}
    summary = quoted(FIRST, detail="summary")
    assert {one.reason for one in compared(summary, priced).not_compared} == {"lines_not_kept"}


def by_another_engine(quote: KeptQuote) -> KeptQuote:
    """The quote as another engine would stamp it."""
    other = structs.replace(quote.engine, digest="sha256:" + "1" * 64)
    return structs.replace(quote, engine=other)


def test_engine_and_request_are_told_apart_by_quoting_crosswise():
    """The engine after makes 5% more of the hours of each request; the request asks 10% more."""
    old = changed()
    before_anew, after = (
        by_another_engine(changed(hours=105_000)),
        by_another_engine(changed(hours=115_500)),
    )
    after_anew = changed(hours=110_000)
    found = compared(old, after, Anew(before=before_anew, after=after_anew))
    assert found.method.split_by == "quoted_crosswise"
    hours = next(line for line in found.bases[0].lines if line.item == "device_rental").parts.hours
    assert (hours.amount, hours.engine, hours.request) == ("31000.00", "10500.00", "20500.00")
    one_way = compared(old, after, Anew(before=before_anew, why_not="the old engine is gone"))
    line = next(line for line in one_way.bases[0].lines if line.item == "device_rental")
    assert (line.parts.hours.engine, line.parts.hours.request) == ("10000.00", "21000.00")
    assert "the old engine is gone" in one_way.method.detail
    neither = compared(old, after, Anew(why_not="both are gone"))
    assert neither.method.split_by == "not_split"
    assert neither.bases[0].parts.hours.engine is UNSET
    whole = next(line for line in neither.bases[0].lines if line.item == "device_rental")
    assert (whole.parts.hours.amount, whole.parts.hours.request) == ("31000.00", UNSET)


def test_one_request_by_two_engines_is_all_the_engines():
    before = changed()
    after = structs.replace(by_another_engine(changed(usd=2.2)), request=before.request)
    found = compared(before, after)
    assert found.method.split_by == "same_request"
    price = found.bases[0].parts.price
    assert (price.request, price.engine) == ("0.00", price.amount)
    assert Decimal(price.amount) > 0


numbers = st.decimals("0.001", "1000", places=3)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5))
def test_parts_of_a_product_add_up_and_turn_round(pairs):
    before, after = zip(*pairs, strict=True)
    there, here = parts_of_product(before, after), parts_of_product(after, before)
    start, end = Decimal(1), Decimal(1)
    for one, other in pairs:
        start, end = start * one, end * other
    assert float(sum(there)) == pytest.approx(float(end - start), rel=1e-12, abs=1e-12)
    assert [float(one) for one in there] == pytest.approx([-float(one) for one in here])
    assert all(
        (one == other) <= (part == 0) for (one, other), part in zip(pairs, there, strict=True)
    )


def test_three_factors_by_hand():
    """2 x 3 x 5 to 4 x 3 x 6: of 42, the first has 2 x 3 x 5.5, the last 1 x 3 x 3."""
    found = parts_of_product(
        [Decimal(2), Decimal(3), Decimal(5)], [Decimal(4), Decimal(3), Decimal(6)]
    )
    assert list(map(float, found)) == [33, 0, 9]


def test_a_bill_without_lines_is_told_apart_from_one_without_a_total():
    assert KeptBill(basis="rental").total is None
