"""Query parameters are those of the table; all that are not are refused at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.contract.parameters import (
    CATALOG_LISTS,
    MOST_ROWS,
    USUAL_ROWS,
    Choice,
    read_query,
)
from service.api.listing import chosen, wanted_in
from service.api.refusing.errors import InvalidQuery
from service.core.catalog.market import makes
from tests.contract.document import catalog

OF_OFFERS = next(one for one in CATALOG_LISTS if one.path == "offers")
OFFERS = OF_OFFERS.parameters(tuple(catalog().offers.values()), atlas=catalog().atlas)


def codes(*items: tuple[str, str]) -> set[tuple[str, str]]:
    with pytest.raises(InvalidQuery) as caught:
        read_query(items, OFFERS)
    return {(str(fault.code), str(fault.parameter)) for fault in caught.value.errors}


def test_defaults_are_filled_in():
    assert read_query([], OFFERS) == {"limit": USUAL_ROWS}
    assert read_query([("limit", "7"), ("provider", "aws")], OFFERS) == {
        "limit": 7,
        "provider": "aws",
    }


def test_all_faults_are_named_at_once():
    assert codes(("page", "2"), ("limit", "0"), ("provider", "amazonas"), ("cursor", "\n")) == {
        ("unknown_parameter", "page"),
        ("out_of_bounds", "limit"),
        ("not_allowed", "provider"),
        ("unknown_cursor", "cursor"),
    }


def test_a_parameter_may_be_given_once():
    assert codes(("limit", "1"), ("limit", "1")) == {("repeated_parameter", "limit")}


@pytest.mark.parametrize(
    "text", ["", "ten", "1.0", "1e1", "+1", "01", " 1", "\N{ARABIC-INDIC DIGIT ONE}", "1" * 5000]
)
def test_a_limit_is_a_whole_number_in_plain_digits(text):
    assert codes(("limit", text)) == {("pattern_mismatch", "limit")}


@pytest.mark.parametrize("text", ["0", "-1", str(MOST_ROWS + 1)])
def test_a_limit_has_bounds(text):
    assert codes(("limit", text)) == {("out_of_bounds", "limit")}


def test_an_unknown_value_is_told_its_neighbours_and_never_answered_with_nothing():
    with pytest.raises(InvalidQuery) as caught:
        read_query([("accelerator", "h1000")], OFFERS)
    (fault,) = caught.value.errors
    assert isinstance(fault.nearest, tuple)
    assert fault.nearest


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4))
def test_any_query_is_read_or_refused(items):
    known = {parameter.name for parameter in OFFERS}
    try:
        values = read_query(items, OFFERS)
    except InvalidQuery:
        values = {}
    assert values.keys() <= known


def test_every_filter_is_a_member_of_the_rows_and_finds_some():
    for listing in CATALOG_LISTS:
        rows = tuple(getattr(catalog(), listing.rows).values())
        for parameter in listing.parameters(rows)[: len(listing.filters)]:
            assert isinstance(parameter, Choice)
            assert parameter.values, parameter.name
            assert {getattr(row, parameter.name) for row in rows} <= {*parameter.values, ""}
            for value in parameter.values:
                assert any(getattr(row, parameter.name) == value for row in rows)
    assert {one.path for one in CATALOG_LISTS} == {
        "accelerators",
        "offers",
        "models",
        "sites",
        "runs",
        "claims",
    }


def test_a_filter_takes_a_value_of_its_closed_list_that_no_row_has():
    """Nor does the contract change with the rows: there the same list stands."""
    offers = OF_OFFERS
    closed = [one for one in offers.parameters() if isinstance(one, Choice) and one.closed]
    assert [one.name for one in closed] == ["price_kind", "segment", "sort"]
    assert read_query([("price_kind", "spot")], offers.parameters())["price_kind"] == "spot"
    assert codes(("price_kind", "hourly")) == {("not_allowed", "price_kind")}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("country", "DE", "de"),
        ("country", "united states", "us"),
        ("country", "North America", "north-america"),
        ("devices", "64", 64),
        ("since", "2026-06-01", "2026-06-01"),
        ("min_usd", "2", 2.0),
        ("max_usd", "2.50", 2.5),
        ("segment", "neocloud", "neocloud"),
    ],
)
def test_offers_are_chosen_by_place_size_date_and_price(name, text, value):
    assert read_query([(name, text)], OFFERS)[name] == value


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("country", "Germny", "not_allowed"),
        ("devices", "0", "out_of_bounds"),
        ("devices", "8.5", "pattern_mismatch"),
        ("since", "June 2026", "pattern_mismatch"),
        ("min_usd", "-1", "pattern_mismatch"),
        ("max_usd", "1e3", "pattern_mismatch"),
        ("max_usd", "nan", "pattern_mismatch"),
        ("segment", "cloud", "not_allowed"),
    ],
)
def test_what_a_filter_cannot_mean_is_refused(name, text, code):
    assert codes((name, text)) == {(code, name)}


def chosen_offers(**query):
    asked = read_query([(name, str(value)) for name, value in query.items()], OFFERS)
    ids = chosen(catalog(), OF_OFFERS, wanted_in(OF_OFFERS, asked), sorted(catalog().offers))
    return [catalog().offers[id] for id in ids]


def test_a_place_has_the_offers_that_name_a_country_in_it():
    german, european = chosen_offers(country="Germany"), chosen_offers(country="europe")
    assert {offer.country for offer in german} == {"DE"}
    assert {offer.id for offer in german} < {offer.id for offer in european}
    assert {"DE", "FI", "NO", "GB"} <= {offer.country for offer in european}
    assert "US" not in {offer.country for offer in european}
    assert "uk/us" in {offer.region for offer in european}
    assert "global" not in {offer.region for offer in european}


def test_offers_of_a_size_make_it_or_may():
    sixty_four = chosen_offers(devices=64)
    assert sixty_four
    assert all(makes(catalog(), offer, 64) != "no" for offer in sixty_four)
    assert all(offer.min_devices <= 64 for offer in sixty_four)
    left_out = {offer.id for offer in catalog().offers.values()} - {o.id for o in sixty_four}
    assert any(catalog().offers[id].provider == "jarvis-labs" for id in left_out)


def test_prices_are_compared_in_dollars_and_dates_by_the_day():
    found = chosen_offers(min_usd="2.00", max_usd="3.00", since="2026-09-01")
    assert found
    assert all(2.0 <= catalog().usd_by_offer[offer.id] <= 3.0 for offer in found)
    assert all(offer.observed_on >= "2026-09-01" for offer in found)
    currencies = {offer.price_per_device_hour.unit for offer in found}
    assert "usd/device_hour" in currencies
    assert len(currencies) > 1


def test_a_segment_has_its_sellers():
    kinds = {
        segment: {catalog().providers[o.provider].kind for o in chosen_offers(segment=segment)}
        for segment in ("hyperscaler", "neocloud", "marketplace")
    }
    assert kinds["hyperscaler"] == {"hyperscaler"}
    assert {"gpu_cloud", "regional_cloud", "bare_metal"} <= kinds["neocloud"]
    assert {"marketplace", "broker", "reseller"} <= kinds["marketplace"]
    assert kinds["neocloud"].isdisjoint({"marketplace", "broker", "hyperscaler"})
