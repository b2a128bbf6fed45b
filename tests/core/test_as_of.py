"""A quote as of a day: the prices that had been read by then, as sure as their age leaves them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import UnpricedLine
from service.core.catalog.dates import day_of
from service.core.catalog.known import is_by, known_on
from service.core.figures.sources import Published
from service.identity.canonical import canonical_request
from tests.claims import judge, of_work, reading
from tests.worlds import answer, asked, device, embedded, offer, priced, run_of, told, world

H100 = "nvidia-h100-sxm-80gb"
DAYS = st.dates(day_of("2023-01-01"), day_of("2027-12-31")).map(lambda day: day.isoformat())
TIMED = {"work": {"kind": "timed", "hours": 10}}
EDITION = embedded().day


def request(accelerator="d1", *, supply=None, devices=8, **more) -> dict[str, Any]:
    cluster = {"accelerator": accelerator, "devices": devices}
    return run_of(TIMED, cluster=cluster | ({"supply": supply} if supply else {})) | more


def listed(id, seller, price, day):
    """An offer whose price was printed on a day."""
    row = offer(id, seller, "d1", price, observed_on=day)
    source = Published(title="list", locator="row", as_of=day)
    price_then = msgspec.structs.replace(row.price_per_device_hour, source=source)
    return msgspec.structs.replace(row, price_per_device_hour=price_then)


ROWS = (
    listed("a-old", "a", 1.0, "2025-01-01"),
    listed("a-new", "a", 5.0, "2025-12-01"),
    listed("b", "b", 3.0, "2025-02-01"),
)


def total(quote):
    return float(priced(quote.bases[0]).total.amount)


def test_the_newest_price_of_each_seller_that_was_known_on_the_day_counts():
    catalog = world(device("d1"), offers=ROWS)
    assert total(answer(request(as_of="2025-01-15"), catalog)) == 80.0
    assert total(answer(request(as_of="2025-03-01"), catalog)) == 80 * (1 + 3) / 2
    assert total(answer(request(as_of="2025-12-01"), catalog)) == 80 * (5 + 3) / 2
    assert total(answer(request(), catalog)) == 80 * (5 + 3) / 2


def test_before_the_first_price_there_is_none():
    quote = answer(request(as_of="2024-12-31"), world(device("d1"), offers=ROWS))
    (line,) = quote.bases[0].lines
    assert isinstance(line, UnpricedLine)
    assert line.reason == "no_offer_for_device"


def test_an_offer_that_came_later_was_not_known():
    catalog = world(device("d1"), offers=ROWS)
    supply = {"kind": "offer", "id": "a-new"}
    (line,) = answer(request(supply=supply, as_of="2025-11-30"), catalog).bases[0].lines
    assert isinstance(line, UnpricedLine)
    assert line.reason == "price_not_known_then"
    assert "2025-12-01" in line.detail
    assert total(answer(request(supply=supply, as_of="2025-12-01"), catalog)) == 400.0


def test_prices_age_up_to_the_day_that_is_named():
    """On the day of a price its amount is exact, and in a year it may be anything around it."""
    catalog = world(device("d1"), offers=ROWS)
    supply = {"kind": "offer", "id": "b"}
    fresh = priced(answer(request(supply=supply, as_of="2025-02-01"), catalog).bases[0]).interval
    old = priced(answer(request(supply=supply, as_of="2026-02-01"), catalog).bases[0]).interval
    assert fresh.p10 == fresh.p50 == fresh.p90 == "240.00"
    assert float(old.p10) < 240.0 < float(old.p90)


def test_the_answer_says_which_day_and_which_prices():
    quote = answer(request(as_of="2025-03-01"), world(device("d1"), offers=ROWS))
    (behind,) = quote.prices_behind
    assert (behind.accelerator, behind.priced_for) == ("d1", "2025-03-01")
    assert (behind.newest, behind.oldest) == ("2025-02-01", "2025-01-01")
    assert [price.figure for price in behind.prices] == [
        "offers/b/price_per_device_hour",
        "offers/a-old/price_per_device_hour",
    ]
    (note,) = [one for one in told(quote) if one.code == "priced_as_of"]
    assert (note.pointer, note.severity) == ("/as_of", "note")
    assert "2025-03-01" in note.detail


def test_a_day_is_part_of_the_question():
    plain, then = request(), request(as_of="2025-03-01")
    assert canonical_request(asked(plain)) != canonical_request(asked(then))
    assert b'"as_of":"2025-03-01"' in canonical_request(asked(then))


@given(day=DAYS)
def test_no_price_is_newer_than_the_day(day):
    known = known_on(embedded(), day, [H100])
    rows = known.price_rows[H100]
    assert all(is_by(row.observed_on, day) for row in rows)
    assert [row.observed_on for row in rows] == sorted(
        (row.observed_on for row in rows), reverse=True
    )
    assert all(is_by(price.observed_on, day) for price in known.asked_prices[H100])


@given(days=st.tuples(DAYS, DAYS))
def test_what_was_known_is_known_later_too(days):
    earlier, later = sorted(days)
    if later < EDITION:
        first, then = (
            {row.id for row in known_on(embedded(), day, [H100]).price_rows[H100]}
            for day in (earlier, later)
        )
        assert first <= then


@pytest.mark.parametrize("accelerator", [H100, "nvidia-h200-sxm-141gb", "nvidia-b200-sxm"])
def test_the_day_of_the_edition_is_what_is_taken_without_a_day(accelerator):
    plain = priced(answer(request(accelerator), embedded()).bases[0])
    dated = priced(answer(request(accelerator, as_of=EDITION), embedded()).bases[0])
    assert (plain.total, plain.interval) == (dated.total, dated.interval)


def test_past_prices_stand_for_days_before_the_dated_offers():
    quote = answer(request(H100, as_of="2024-09-30"), embedded())
    (behind,) = quote.prices_behind
    assert any(price.figure.startswith("price_history/") for price in behind.prices)
    assert behind.newest <= "2024-09-30"
    assert total(quote) > 0.0


def test_restated_rate_cards_and_indices_are_no_prices():
    rows = known_on(embedded(), "2026-07-01", [H100]).price_rows[H100]
    assert not [row.id for row in rows if "restated" in row.instance_type]
    assert all(row.provider in embedded().providers for row in rows)


BY_THE_HOUR = {"accelerator": H100, "devices": 8}
HOURS = {"kind": "metered", "device_hours": 4096}


def test_a_claim_is_judged_at_the_prices_of_the_day_on_which_it_was_said():
    judged = judge(of_work(10000, HOURS, cluster=BY_THE_HOUR, said_on="2025-09-17"))
    assert (judged.rate.judged_at, judged.rate.priced_for) == ("said_on", "2025-09-17")
    (market,) = judged.rate.market
    assert market.newest <= "2025-09-17"
    wanted = request(H100, as_of="2025-09-17") | {"accounting": {"billing": "exact"}}
    wanted["run"]["stages"][0]["work"] = HOURS
    found = reading(judged, "rental_market", "final_run")
    assert found.total == priced(answer(wanted, embedded()).bases[0]).total
    assert found.what.endswith("at the market price of 2025-09-17")


def test_a_claim_from_before_there_was_a_market_is_judged_at_the_edition():
    judged = judge(of_work(10000, HOURS, cluster=BY_THE_HOUR, said_on="2023-01-01"))
    assert (judged.rate.judged_at, judged.rate.priced_for) == ("edition", EDITION)
    assert "priced_as_of" not in [one.code for one in judged.warnings]


def test_a_claim_may_name_another_day():
    said = of_work(10000, HOURS, cluster=BY_THE_HOUR, said_on="2025-09-17", as_of=EDITION)
    judged = judge(said)
    assert (judged.rate.judged_at, judged.rate.priced_for) == ("as_of", EDITION)
    cut = judge(of_work(10000, HOURS, cluster=BY_THE_HOUR, said_on="2025"))
    assert cut.rate.priced_for == "2025-12-31"


def test_a_day_that_the_calendar_does_not_have_is_refused():
    for day in ("2025-02-30", "1999-12-31", "2025-09"):
        with pytest.raises(msgspec.ValidationError):
            asked(request(as_of=day))
