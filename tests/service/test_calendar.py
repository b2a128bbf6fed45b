"""The calendar of a quote: days of stages, months of hours and amounts. Worked by hand."""

import json
from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from service.core.answer.calendar import DatedRun, UndatedRun
from service.core.request.envelope import START_PATTERN, Envelope
from service.envelope.calendar import calendar_of
from service.envelope.splice import additions, entity_tag, enveloped
from tests.worlds import answer, datum, device, run_of, world

RATED = replace(device("d1"), tdp_w=datum("accelerators/d1/tdp", 700.0, "watt"))
WORLD = world(RATED, device("unknown", bf16=None))
CLUSTER = {"accelerator": "d1", "devices": 10, "supply": {"kind": "rate", "usd_per_device_hour": 2}}
OWN = CLUSTER | {"devices": 4}


def stage(name, hours, **facts):
    return {"name": name, "work": {"kind": "timed", "hours": hours}, **facts}


def kept(*stages, bases=("rental", "owned"), detail="full", **accounting):
    request = run_of(*stages, cluster=CLUSTER, bases=bases, **accounting)
    request["options"]["detail"] = detail
    return msgspec.json.encode(answer(request, WORLD))


def in_yen(*stages):
    request = run_of(*stages, cluster=CLUSTER, bases=("rental", "owned"))
    request["options"]["currency"] = "JPY"
    return msgspec.json.encode(answer(request, WORLD))


def dated(body, start="2026-01-20") -> DatedRun:
    found = calendar_of(body, start)
    assert isinstance(found, DatedRun)
    return found


def days_of(found):
    return [(one.begins.p50, one.ends.p50) for one in found.stages]


def test_a_stage_ends_on_the_day_of_its_last_hour():
    # 24 h fill the first day, 25 h reach into the third, and 23 h fill it up.
    found = dated(kept(stage("a", 24), stage("b", 25), stage("c", 23)))
    assert days_of(found) == [
        ("2026-01-20", "2026-01-20"),
        ("2026-01-21", "2026-01-22"),
        ("2026-01-22", "2026-01-22"),
    ]
    assert found.ends.p50 == found.ends.p90 == "2026-01-22"


def test_the_days_of_stages_come_with_a_chance_of_a_half_and_of_nine_tenths():
    found = dated(kept(stage("a", {"low": 24, "high": 240}), stage("b", 24)))
    first, second = found.stages
    assert first.begins.p50 == first.begins.p90 == "2026-01-20"
    assert first.ends.p50 < first.ends.p90
    assert second.begins.p90 >= first.ends.p90
    assert found.ends == second.ends


def test_months_of_a_quote_in_yen_are_whole_yen_that_add_up():
    found = dated(in_yen(stage("a", 400), stage("b", 700)))
    months = [one.amounts["rental"] for one in found.months]
    assert len(months) == 3
    assert all(amount.isdecimal() for amount in months)
    (rental,) = [one for one in found.bills if one.basis == "rental"]
    assert sum(map(int, months)) == int(rental.by_month) == int(rental.total)
    assert rental.beside_months == "0"


def test_device_hours_and_rent_fall_into_the_months_in_which_they_are_used():
    # From 20 January, 12 days remain: 288 h of 400, and 112 in February. Ten devices at $2.
    found = dated(kept(stage("a", 400)))
    assert [one.month for one in found.months] == ["2026-01", "2026-02"]
    assert [one.device_hours for one in found.months] == pytest.approx([2_880, 1_120])
    assert [one.amounts["rental"] for one in found.months] == ["5760.00", "2240.00"]


def test_a_stage_that_is_too_short_to_end_after_it_begins_falls_into_one_month():
    """80,000 h are 3,333 days; the next float after them is 1.5e-11 h away, and the stage takes
    a tenth of it. It falls into the month of the 80,000th hour."""
    short = {"name": "b", "work": {"kind": "metered", "device_hours": 1e-6}}
    cluster = CLUSTER | {"devices": 1_000_000}
    request = run_of(stage("a", 80_000), short, cluster=cluster, bases=("rental",))
    found = dated(msgspec.json.encode(answer(request, WORLD)))
    assert found.stages[1].begins == found.stages[1].ends == found.ends
    assert sum(month.device_hours for month in found.months) == pytest.approx(8e10, rel=1e-12)


def test_stages_side_by_side_are_each_spent_over_their_own_time():
    # a holds 10 devices for 288 h, to the end of January; b holds 4 devices for 576 h.
    found = dated(kept(stage("a", 288), stage("b", 576, cluster=OWN, after=[])))
    january, february = found.months
    assert january.device_hours == pytest.approx(10 * 288 + 4 * 288)
    assert february.device_hours == pytest.approx(4 * 288)
    assert (january.amounts["rental"], february.amounts["rental"]) == ("8064.00", "2304.00")


def test_what_has_no_month_stands_beside_the_months():
    # 400 h of 10 devices are $8,000; 500 h are paid for, and VAT is on both.
    terms = {
        "commitment_hours": 500,
        "uplifts": [{"kind": "tax", "label": "VAT", "share": 0.2}],
    }
    (bill,) = dated(kept(stage("a", 400), bases=("rental",), **terms)).bills
    assert (bill.by_month, bill.beside_months, bill.total) == ("8000.00", "4000.00", "12000.00")


def test_a_run_of_a_year_has_thirteen_months_if_it_does_not_start_on_a_first():
    found = dated(kept(stage("a", 8760)), start="2027-03-15")
    assert [one.month for one in found.months][:: len(found.months) - 1] == ["2027-03", "2028-03"]
    assert len(found.months) == 13
    # February 2028 has 29 days: 696 h of 10 devices.
    assert found.months[11].device_hours == pytest.approx(6_960)


times = st.floats(0.01, 2_000.0)


@settings(max_examples=40, deadline=None)
@given(
    hours=st.lists(times, min_size=1, max_size=4),
    beside=st.booleans(),
    start=st.dates(date(2000, 1, 1), date(2199, 12, 31)),
)
def test_months_add_up_to_the_bills_and_hours_to_the_stages(hours, beside, start):
    facts = {"cluster": OWN, "after": []} if beside else {}
    stages = [stage(f"s{index}", one, **facts) for index, one in enumerate(hours)]
    body = kept(*stages, owned={"usd_per_device": 30_000})
    quote, found = json.loads(body), dated(body, start.isoformat())
    assert [bill.basis for bill in found.bills] == ["rental", "owned"]
    for bill, printed in zip(found.bills, quote["bases"], strict=True):
        months = sum(Decimal(month.amounts[bill.basis]) for month in found.months)
        hardware = sum(Decimal(one["amount"]) for one in printed["lines"] if "stage" in one)
        assert months == hardware == Decimal(bill.by_month)
        assert months + Decimal(bill.beside_months) == Decimal(bill.total)
        assert bill.total == printed["total"]["amount"]
    device_hours = sum(one["device_hours"]["central"] for one in quote["stages"])
    assert sum(month.device_hours for month in found.months) == pytest.approx(device_hours)
    assert all(one.begins.p50 <= one.ends.p50 <= found.ends.p50 for one in found.stages)
    assert found.months[0].month == start.isoformat()[:7]
    assert found.months[-1].month == found.ends.p50[:7]


def test_stages_of_one_name_share_their_amounts_by_their_hours():
    body = kept(stage("a", 288), stage("a", 144), bases=("rental",))
    assert [one.amounts["rental"] for one in dated(body).months] == ["5760.00", "2880.00"]


def test_a_start_after_the_validity_is_a_caution_with_a_code():
    body = kept(stage("a", 24))  # valid until 2026-02-01
    assert dated(body, "2026-02-01").cautions == ()
    (caution,) = dated(body, "2026-02-02").cautions
    assert caution.code == "start_after_validity"
    assert "2026-02-01" in caution.detail


def test_hours_that_are_not_known_have_no_calendar():
    lost = CLUSTER | {"accelerator": "unknown"}
    work = {"kind": "compute", "flop": 1e20}
    found = calendar_of(kept(stage("a", 24), {"work": work, "cluster": lost}), "2026-01-20")
    assert isinstance(found, UndatedRun)
    assert found.reason == "hours_unknown"


def test_a_run_of_more_than_ten_years_has_no_calendar():
    assert isinstance(calendar_of(kept(stage("a", 87_000)), "2199-12-31"), DatedRun)
    found = calendar_of(kept(stage("a", 88_000)), "2026-01-20")
    assert isinstance(found, UndatedRun)
    assert (found.reason, found.detail[:24]) == ("too_long", "the run may take 10 year")


def test_a_summary_has_days_and_hours_and_no_amounts_of_months():
    found = dated(kept(stage("a", 400), detail="summary"))
    assert found.bills == ()
    assert [one.amounts for one in found.months] == [{}, {}]
    assert [one.device_hours for one in found.months] == pytest.approx([2_880, 1_120])


def test_the_answer_is_the_kept_bytes_with_the_calendar_at_their_end():
    body = kept(stage("a", 400))
    said = Envelope(start="2026-01-20")
    found = enveloped(body, said)
    assert found.startswith(body[:-1] + b',"calendar":')
    whole = json.loads(found)
    assert whole.pop("calendar") == json.loads(msgspec.json.encode(calendar_of(body, "2026-01-20")))
    assert whole == json.loads(body)
    assert enveloped(body, Envelope()) == body


def test_each_member_of_the_envelope_adds_something_and_has_a_tag_of_its_own():
    body = kept(stage("a", 400))
    words = {"title": "A", "buyer": "B", "reference": "C", "note": "D"}
    examples = {"start": "2026-01-20", "today": "2026-01-20", **words}
    assert set(examples) == set(Envelope.__struct_fields__)
    for name, value in examples.items():
        said = Envelope(**{name: value})
        assert additions(body, said)
        assert entity_tag("q_1", said) not in (
            "q_1",
            entity_tag("q_1", Envelope(start="2026-01-21")),
        )
    assert entity_tag("q_1", Envelope()) == "q_1"


@given(day=st.dates(date(1990, 1, 1), date(2210, 12, 31)))
def test_a_start_is_any_day_of_two_centuries(day):
    assert matches(day.isoformat()) == (2000 <= day.year < 2200)


@given(year=st.integers(2000, 2199), month=st.integers(0, 13), day=st.integers(0, 32))
def test_a_start_that_no_calendar_has_is_none(year, month, day):
    text = f"{year}-{month:02}-{day:02}"
    try:
        date(year, month, day)
    except ValueError:
        assert not matches(text)
    else:
        assert matches(text)


def matches(text):
    try:
        msgspec.convert({"start": text}, Envelope)
    except msgspec.ValidationError:
        return False
    return START_PATTERN != ""
