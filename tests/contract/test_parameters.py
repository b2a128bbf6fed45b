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
from service.api.refusing.errors import InvalidQuery
from tests.contract.document import catalog

OFFERS = next(one for one in CATALOG_LISTS if one.path == "offers").parameters(
    tuple(catalog().offers.values())
)


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
    (offers,) = (one for one in CATALOG_LISTS if one.path == "offers")
    closed = [one for one in offers.parameters() if isinstance(one, Choice) and one.closed]
    assert [one.name for one in closed] == ["price_kind", "sort"]
    assert read_query([("price_kind", "spot")], offers.parameters())["price_kind"] == "spot"
    assert codes(("price_kind", "hourly")) == {("not_allowed", "price_kind")}
