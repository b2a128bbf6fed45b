"""What today says of a quote: beside it, by a header or a member, and never in its id."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode
from typer.testing import CliRunner

from service.cli import app
from service.core.answer import DatedPrice, PricesBehind, Today
from service.envelope.today import KeptPrices, header_of, today_of
from service.freshness import Freshness
from tests.requests import R1
from tests.server import start_service

MARKET = {
    "run": {"name": "run", "stages": [{"name": "s", "work": {"kind": "timed", "hours": 10}}]},
    "cluster": {"accelerator": "nvidia-h100-sxm-80gb", "devices": 8},
}
SAID = re.compile(
    r'on="(\d{4}-\d\d-\d\d)", valid=\?([01])'
    r"(?:, median-days=(\d+), oldest-days=(\d+), stale=(\d+))?"
)


def behind(*dates):
    prices = tuple(
        DatedPrice(figure=f"offers/{day}", price_is="list", observed_on=day) for day in dates
    )
    return PricesBehind(
        accelerator="d1",
        priced_for="2026-11-28",
        newest=dates[0],
        median=dates[len(dates) // 2],
        oldest=dates[-1],
        prices=prices,
    )


KEPT = KeptPrices(
    valid_until="2026-12-28T00:00:00Z",
    prices_behind=(behind("2026-11-01", "2026-10-01", "2026-01-01"),),
)


def test_a_price_is_stale_from_the_operator_s_limit_on():
    """From 2026-10-01 to 2026-12-30 there are 90 days."""
    for day, limit, stale in (
        ("2026-12-29", 90, ["offers/2026-01-01"]),
        ("2026-12-30", 90, ["offers/2026-10-01", "offers/2026-01-01"]),
        ("2026-12-30", 91, ["offers/2026-01-01"]),
        ("2026-12-30", 1000, []),
    ):
        (aged,) = today_of(KEPT, day, stale_from_days=limit).prices
        assert list(aged.stale) == stale
    assert (aged.median_days, aged.oldest_days) == (90, 363)


def test_a_quote_expires_after_the_last_day_of_its_validity():
    last, after = (today_of(KEPT, day, stale_from_days=400) for day in ("2026-12-28", "2026-12-29"))
    assert (last.valid, last.cautions) == (True, ())
    assert not after.valid
    assert [one.code for one in after.cautions] == ["expired"]
    assert "until 2026-12-28, and it is 2026-12-29" in after.cautions[0].detail


def test_stale_prices_are_cautioned_of_when_the_middle_one_is_stale():
    before, since = (
        [one.code for one in today_of(KEPT, day, stale_from_days=90).cautions]
        for day in ("2026-12-20", "2026-12-30")
    )
    assert before == []
    assert since == ["expired", "stale_price"]


@given(days=st.tuples(st.integers(0, 4000), st.integers(0, 4000)))
def test_prices_only_get_older(days):
    earlier, later = (
        today_of(KEPT, (date(2026, 11, 28) + timedelta(d)).isoformat(), stale_from_days=90)
        for d in sorted(days)
    )
    assert earlier.valid or not later.valid
    assert earlier.prices[0].oldest_days <= later.prices[0].oldest_days
    assert set(earlier.prices[0].stale) <= set(later.prices[0].stale)


def test_a_header_is_made_once_a_day_and_told_of_once():
    day, seen = ["2026-12-01"], list[Today]()
    freshness = Freshness(today=lambda: day[0], seen=seen.append)
    body = b'{"valid_until":"2026-12-28T00:00:00Z","prices_behind":[]}'
    first = freshness.header("q_1", body)
    assert freshness.header("q_1", b"not read again") is first
    assert first == header_of(seen[0]) == b'on="2026-12-01", valid=?1'
    day[0] = "2027-01-01"
    assert freshness.header("q_1", body) == b'on="2027-01-01", valid=?0'
    assert [one.on for one in seen] == ["2026-12-01", "2027-01-01"]


@pytest.fixture(scope="module")
def service():
    with start_service() as running:
        yield running


def post(service, body):
    headers = {"content-type": "application/json"}
    return service.client.post("/quote", content=json.dumps(body).encode(), headers=headers)


def said(answer):
    found = SAID.fullmatch(answer.headers["runquote-prices"])
    assert found, answer.headers["runquote-prices"]
    return found.groups()


def test_every_answer_says_how_old_its_prices_are_today(service):
    for answer in (post(service, MARKET), post(service, MARKET)):
        on, _, middle, oldest, stale = said(answer)
        assert on == datetime.now(UTC).date().isoformat()
        (prices,) = answer.json()["prices_behind"]
        ages = [
            (date.fromisoformat(on) - date.fromisoformat(price["observed_on"])).days
            for price in prices["prices"]
            if len(price["observed_on"]) == len(on)
        ]
        assert max(ages) <= int(oldest)
        assert 0 < int(middle) <= int(oldest)
        assert sum(age >= 90 for age in ages) <= int(stale)
    read = service.client.get(answer.headers["content-location"])
    assert said(read) == said(answer)


def test_a_given_price_has_no_age(service):
    answer = post(service, R1)
    assert said(answer)[2:] == (None, None, None)
    assert "prices_behind" not in answer.json()


def test_the_day_of_reading_is_outside_the_id_and_the_kept_bytes(service):
    days = ("2026-12-01", "2027-06-01")
    plain, soon, late = (
        post(service, MARKET | more) for more in ({}, {"today": days[0]}, {"today": days[1]})
    )
    assert plain.json()["id"] == soon.json()["id"] == late.json()["id"]
    assert "today" not in plain.json()
    assert late.content.startswith(plain.content[:-1] + b',"today":{')
    assert "today" not in late.json()["request"]
    assert soon.json()["today"]["valid"]
    today = late.json()["today"]
    assert (today["on"], today["valid"], today["stale_from_days"]) == (days[1], False, 90)
    assert [one["code"] for one in today["cautions"]] == ["expired", "stale_price"]
    figures = late.json()["figures"]
    assert all(name in figures for name in today["prices"][0]["stale"])
    tags = {one.headers["etag"] for one in (plain, soon, late)}
    assert len(tags) == 3
    read = service.client.get(late.headers["content-location"])
    assert read.content == late.content
    assert read.headers["etag"] == late.headers["etag"]


def test_a_day_of_reading_and_a_start_stand_side_by_side(service):
    both = post(service, MARKET | {"today": "2027-06-01", "start": "2027-07-01"}).json()
    assert list(both)[-2:] == ["calendar", "today"]


def test_an_operator_s_limit_moves_no_id_and_no_kept_byte(service):
    with start_service(RUNQUOTE_STALE_PRICE_DAYS="10000") as patient:
        ours, theirs = post(service, MARKET), post(patient, MARKET)
        assert ours.content == theirs.content
        assert int(said(theirs)[4]) == 0
        late = post(patient, MARKET | {"today": "2027-06-01"})
        assert [one["code"] for one in late.json()["today"]["cautions"]] == ["expired"]


def test_the_metric_has_the_age_of_the_middle_price_by_family(service):
    middle = int(said(post(service, MARKET))[2])
    text = service.client.get("/metrics").text
    count = re.search(r'runquote_quote_price_age_days_count\{family="hopper"\} (\S+)', text)
    total = re.search(r'runquote_quote_price_age_days_sum\{family="hopper"\} (\S+)', text)
    assert count
    assert total
    assert float(count.group(1)) >= 1.0
    assert float(total.group(1)) >= middle


def test_a_day_that_is_none_is_refused(service):
    refused = post(service, MARKET | {"today": "yesterday"})
    assert refused.status_code == 422
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/today"]
    id = post(service, MARKET).json()["id"]
    refused = service.client.get(f"/quote/{id}", params={"today": "2026-02-30"})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["parameter"] == "today"


def test_the_command_line_says_how_old_prices_are_today_or_on_another_day(service, tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps(MARKET), encoding="utf-8")
    run = CliRunner()
    plain = run.invoke(app, ["quote", str(file), "--format", "json"])
    assert decode(plain.stdout_bytes) == post(service, MARKET).json()
    late = run.invoke(app, ["quote", str(file), "--today", "2027-06-01", "--format", "json"])
    assert decode(late.stdout_bytes) == post(service, MARKET | {"today": "2027-06-01"}).json()
    table = run.invoke(app, ["quote", str(file), "--full"]).output
    assert f"prices of nvidia-h100-sxm-80gb on {datetime.now(UTC).date().isoformat()}" in table
    assert "expired" in run.invoke(app, ["quote", str(file), "--today", "2027-06-01"]).output
    lost = run.invoke(app, ["quote", str(file), "--today", "soon"])
    assert lost.exit_code == 2
    assert "--today is a date" in lost.output
