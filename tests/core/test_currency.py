"""A quote in another currency: one rate of exchange, dated, with a range, and never twice."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.answer import LineUnit
from service.core.bills.currency import in_currency
from service.core.figures.sources import Published
from service.core.figures.units import UNIT_OF_CURRENCY, UNITS
from service.core.figures.vocabulary import MINOR_PLACES, Currency
from service.core.printing.money import as_amount, printed, printed_estimate, sum_of_amounts
from tests.requests import R1
from tests.worlds import answer, datum, device, embedded, offer, priced, run_of, world

DOCS = Path(__file__).parents[2] / "docs" / "currencies.md"
H200 = "nvidia-h200-sxm-141gb"
FOREIGN = tuple(code for code in get_args(Currency) if code != "USD")
ALL_BASES = ["rental", "owned", "fully_loaded"]
FULL = R1 | {
    "accounting": {
        "storage": {"gigabytes": 1000},
        "transfer": {"gigabytes": 500},
        "support": {"share": 0.05},
        "discounts": [{"label": "friends", "share": 0.1}],
        "uplifts": [{"kind": "tax", "label": "VAT", "share": 0.19}],
        "staff": {"kind": "people", "people": 3, "months": 2},
        "data": {"kind": "amount", "usd": 10_000},
        "base_model": {"kind": "amount", "usd": 5e6, "scope": "fully_loaded"},
    }
}


def quoted(request: dict[str, Any], currency: str, catalog: Any = None) -> Any:
    """A quote in a currency, of all bases."""
    options = {"bases": ALL_BASES} | request.get("options", {}) | {"currency": currency}
    return answer(request | {"options": options}, catalog or embedded())


def rate_of(currency: str) -> float:
    return embedded().assumption(f"usd_per_{currency.lower()}")._value


def bills(quote: Any) -> dict[str, Any]:
    return {one.basis: priced(one) for one in quote.bases}


@pytest.mark.parametrize("currency", FOREIGN)
def test_every_line_is_that_in_dollars_at_the_rate_of_exchange(currency):
    dollars, foreign = (bills(quoted(FULL, one)) for one in ("USD", currency))
    rate, places = rate_of(currency), MINOR_PLACES[currency]
    rounding = Decimal(1).scaleb(-places)
    assert foreign.keys() == set(ALL_BASES)
    for basis, bill in foreign.items():
        assert bill.total.currency == currency
        assert bill.total.amount == printed(
            sum_of_amounts([Decimal(line.amount) for line in bill.lines], places=places)
        )
        for here, there in zip(bill.lines, dollars[basis].lines, strict=True):
            assert here.item == there.item
            exact = there.quantity * float(there.rate) / rate
            assert float(here.amount) == pytest.approx(exact, rel=1e-12, abs=float(rounding))
            assert here.unit == (UNIT_OF_CURRENCY[currency] if there.unit == "usd" else there.unit)
            assert {here.rate, here.quantity} != {there.rate, there.quantity}


@pytest.mark.parametrize("currency", FOREIGN)
def test_all_amounts_of_an_answer_are_in_the_currency(currency):
    """No amount in dollars is left: each is another number than in the answer in dollars."""
    dollars, foreign = (quoted(FULL, one) for one in ("USD", currency))
    rate, least = rate_of(currency), 1.5 * 10.0 ** -MINOR_PLACES[currency]

    def at_rate(there: str, here: str) -> bool:
        return float(here) == pytest.approx(float(there) / rate, abs=100 * least, rel=1e-6)

    for one, other in zip(dollars.bridges, foreign.bridges, strict=True):
        assert {other.start.currency, other.end.currency} == {currency}
        for here, there in zip(other.steps, one.steps, strict=True):
            assert at_rate(there.amount, here.amount)
            assert at_rate(there.running_total, here.running_total)
    (owned,), (bought,) = dollars.ownership, foreign.ownership
    assert bought.acquisition.total.currency == currency
    assert at_rate(owned.acquisition.total.amount, bought.acquisition.total.amount)
    assert at_rate(owned.acquisition.servers, bought.acquisition.servers)
    assert owned.usd_per_device_hour == bought.usd_per_device_hour
    assert owned.break_even == bought.break_even
    for one, other in zip(dollars.exclusions, foreign.exclusions, strict=True):
        if one.amount is not msgspec.UNSET:
            ratio = float(one.amount.p50) / float(other.amount.p50)
            assert ratio == pytest.approx(rate, rel=0.05)
    for basis, bill in bills(foreign).items():
        there = bills(dollars)[basis]
        ratios = [float(a) / float(b) for a, b in zip(there.outcomes, bill.outcomes, strict=True)]
        assert all(ratio == pytest.approx(rate, rel=0.15) for ratio in ratios)
        assert float(there.budget.p50) / float(bill.budget.p50) == pytest.approx(rate, rel=0.05)


def test_the_rate_of_exchange_is_a_dated_figure_whose_range_is_in_the_intervals():
    found = quoted(R1 | {"options": {"bases": ["rental"]}}, "EUR")
    figure = found.figures["currencies/usd_per_eur"]
    assert isinstance(figure.source, Published)
    assert len(figure.source.as_of) == len("2026-10-30")
    assert figure.low < figure.value < figure.high
    assert figure.pointer == "/options/currency"
    bill = rental(found)
    (driver,) = bill.drivers
    assert driver.figure == "currencies/usd_per_eur"
    assert driver.share > 0.99
    assert float(driver.total_if_low) == pytest.approx(294_000 / figure.low, abs=0.01)
    assert float(bill.interval.p10) < float(bill.total.amount) < float(bill.interval.p90)


def rental(quote: Any) -> Any:
    """The rental bill, with its total."""
    return bills(quote)["rental"]


def hundred_hours(currency: str) -> Any:
    """A hundred hours on one device of a test world."""
    request = run_of(
        {"work": {"kind": "metered", "device_hours": 100}},
        cluster={"accelerator": "d", "devices": 1},
    )
    request["options"]["currency"] = currency
    return request


def euros(price: float) -> Any:
    return offer("o", "p", "d", price, unit="eur/device_hour")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 999_999), st.integers(1, 99_999))
def test_a_price_in_euros_is_not_converted_there_and_back(micro_euros, hours):
    price = micro_euros / 1e4
    catalog = world(device("d"), offers=(euros(price),))
    cluster = {"accelerator": "d", "devices": 1, "supply": {"kind": "offer", "id": "o"}}
    request = run_of({"work": {"kind": "metered", "device_hours": hours}}, cluster=cluster)
    request["options"]["currency"] = "EUR"
    found: Any = answer(request, catalog)
    bill = rental(found)
    line = bill.lines[0]
    assert line.rate == printed_rate_of(price)
    assert line.figures[2] == "offers/o/price_per_device_hour"
    expected = as_amount(Decimal(repr(price)) * hours)
    assert line.amount == printed(expected)
    figures = found.figures
    assert figures[line.figures[0]].source.inputs["rate"] == "offers/o/price_per_device_hour"
    assert "currencies/usd_per_eur" not in upstream(figures, bill.figure)


@pytest.mark.parametrize("supply", [{"kind": "offer", "id": "o"}, {"kind": "market"}])
def test_an_old_price_in_euros_stands_or_moves_in_euros(supply):
    """Read on 2026-01-01, priced for half a year later; one seller is a thin market besides."""
    catalog = msgspec.structs.replace(
        world(device("d"), offers=(euros(1.23),)), version="2026-07-01"
    )
    request = run_of(
        {"work": {"kind": "metered", "device_hours": 100}},
        cluster={"accelerator": "d", "devices": 1, "supply": supply},
    )
    request["options"]["currency"] = "EUR"
    found: Any = answer(request, catalog)
    bill = rental(found)
    assert bill.total.amount == "123.00"
    figures = found.figures
    assert figures["offers/o/price_per_device_hour/on/2026-07-01"].unit == "eur/device_hour"
    assert "currencies/usd_per_eur" not in upstream(figures, bill.figure)
    assert float(bill.interval.p90) > 123.0


def printed_rate_of(price: float) -> str:
    text = format(Decimal(repr(price)), "f")
    return text if len(text.partition(".")[2]) >= 2 else f"{price:.2f}"


def upstream(figures: dict[str, Any], name: str) -> set[str]:
    """A figure and all that it is derived from."""
    found, waiting = set[str](), [name]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += getattr(figures[at].source, "inputs", {}).values()
    return found


def test_a_market_has_the_prices_that_are_in_euros_as_they_are():
    """Of three sellers the one in the middle asks 2 euros: neither more nor less in the median."""
    offers = (euros(2.0), offer("cheap", "q", "d", 1.0), offer("dear", "r", "d", 9.0))
    catalog = world(device("d"), offers=offers)
    rates = [rental(answer(hundred_hours(code), catalog)).lines[0].rate for code in ("EUR", "USD")]
    assert rates == ["2.00", "2.40"]


def test_a_tariff_in_euros_is_not_converted_there_and_back():
    request = R1 | {"cluster": R1["cluster"] | {"site": {"id": "grid:de"}}}
    found = quoted(request, "EUR")
    (energy, *_) = [line for line in bills(found)["owned"].lines if line.item == "energy"]
    tariff = embedded().sites["grid:de"].price_per_kwh
    assert tariff
    assert tariff.unit == "eur/kwh"
    assert energy.rate == printed_rate_of(tariff._value)
    assert energy.figures[2] == tariff.name


def test_yen_have_no_places_but_in_amounts_of_less_than_a_hundred():
    assert printed(as_amount(Decimal("12345.678"), places=0)) == "12346"
    assert printed(as_amount(Decimal("2.5"), places=0)) == "2.5"
    assert printed(as_amount(Decimal("45.678"), places=0)) == "45.7"
    assert printed(as_amount(Decimal("0.0012345"), places=0)) == "0.00123"
    assert printed(as_amount(Decimal(0), places=0)) == "0"
    assert printed_estimate(12345.5, places=0) == "12346"
    assert printed_estimate(99.96, places=0) == "100"
    assert printed_estimate(-0.0, places=0) == "0"
    assert printed(sum_of_amounts([Decimal("45.7"), Decimal(100)], places=0)) == "145.7"
    found = bills(quoted(FULL, "JPY"))
    for bill in found.values():
        assert "." not in bill.total.amount
        assert all("." not in outcome for outcome in bill.outcomes)


def test_dollars_are_what_they_are_without_a_currency():
    left_out = answer(FULL | {"options": {"bases": ALL_BASES}}, embedded())
    said = quoted(FULL, "USD")
    assert msgspec.json.encode(left_out.bases) == msgspec.json.encode(said.bases)
    assert left_out.figures == said.figures
    assert "currencies/usd_per_eur" not in said.figures


def test_every_currency_has_its_units_and_its_rate():
    assert MINOR_PLACES.keys() == UNIT_OF_CURRENCY.keys() == set(get_args(Currency))
    lines_in_dollars = {unit.removeprefix("usd") for unit in UNITS if unit.startswith("usd/")}
    things = {f"/{unit}" for unit in get_args(LineUnit) if unit not in UNIT_OF_CURRENCY.values()}
    billed = things & lines_in_dollars
    assert billed == things - {"/lump_sum"}
    for code in FOREIGN:
        unit = UNIT_OF_CURRENCY[code]
        assert {unit, *(f"{unit}{per}" for per in billed)} <= UNITS
        assert unit in get_args(LineUnit)
        rate = embedded().assumption(f"usd_per_{unit}")
        assert rate.unit == f"usd/{unit}"
        assert (rate.low or 0.0) < rate._value < (rate.high or 0.0)


@given(st.floats(1e-6, 1e12), st.floats(1e-3, 2.0))
def test_there_and_back_is_the_same_amount(usd, rate):
    assert in_currency(usd=usd, usd_per_unit=rate) * rate == pytest.approx(usd)


def test_a_summary_has_the_amounts_of_the_whole():
    whole = quoted(FULL, "GBP")
    short = quoted(FULL | {"options": {"detail": "summary"}}, "GBP")
    assert [bill.total for bill in short.bases] == [bill.total for bill in whole.bases]


def test_a_bill_without_a_price_is_in_the_currency_too():
    request = R1 | {"cluster": R1["cluster"] | {"accelerator": "huawei-ascend-910b"}}
    request["cluster"] = request["cluster"] | {"supply": {"kind": "market"}}
    found: Any = quoted(request, "EUR")
    rented, owned, loaded = found.bases
    assert rented.lines[0].reason == "no_offer_for_device"
    assert owned.total.currency == "EUR"
    units = {line.item: line.unit for line in loaded.lines}
    assert (units["experiments"], units["staff"]) == ("eur", "eur")


def test_warnings_are_those_of_the_same_quote_in_dollars():
    def codes(quote: Any) -> list[tuple[str, str]]:
        return [(one.code, one.pointer) for one in (*quote.warnings, *quote.notes)]

    assert codes(quoted(FULL, "JPY")) == codes(quoted(FULL, "USD"))


def test_the_market_of_the_catalog_is_quoted_in_each_currency():
    request = {
        "run": {"name": "r", "stages": [{"name": "s", "work": {"kind": "timed", "hours": 48}}]},
        "cluster": {"accelerator": H200, "devices": 8},
        "options": {"bases": ["rental"]},
    }
    totals = {
        code: float(rental(quoted(request, code)).total.amount) for code in get_args(Currency)
    }
    for code in FOREIGN:
        assert totals[code] == pytest.approx(totals["USD"] / rate_of(code), rel=1e-3)


def test_a_rate_of_exchange_that_only_a_test_knows_is_taken():
    """Twice the dollars for a euro halve the bill."""
    catalog = world(device("d"), offers=(offer("o", "p", "d", 3.0),))
    amounts = []
    for rate in (1.2, 2.4):
        eur = datum("currencies/usd_per_eur", rate, "usd/eur")
        known = catalog.assumptions | {"usd_per_eur": eur}
        other = msgspec.structs.replace(catalog, assumptions=known)
        amounts.append(rental(answer(hundred_hours("EUR"), other)).total.amount)
    assert amounts == ["250.00", "125.00"]


def test_the_example_of_the_docs_is_quoted_in_euros():
    (example,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    request = json.loads(example)
    request["options"]["bases"] = ["rental", "owned"]
    found = answer(request, embedded())
    assert rental(found).total.currency == "EUR"
