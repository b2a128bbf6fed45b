"""Where devices are supplied: who sells there, which site follows, and what contradicts it."""

from collections import Counter
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.answer import UnpricedBill, UnpricedLine
from service.core.bills.places import areas_of_site
from service.core.catalog.errors import NotQuotable, UnknownRegion
from service.core.catalog.market import Wanted, panel_of
from service.core.names.spelling import plain
from tests.worlds import answer, device, embedded, number, offer, priced, run_of, told, world

H100 = "nvidia-h100-sxm-80gb"
METERED = {"work": {"kind": "metered", "device_hours": 1000}}
AREAS = embedded().areas
ATLAS = embedded().atlas
CONTINENTS = tuple(area.id for area in AREAS.values() if area.kind == "continent")
COUNTRIES = tuple(area.id for area in AREAS.values() if area.kind == "country")
DEVICES = tuple(embedded().price_rows)


def quoted(supply=None, site=None, devices=64):
    cluster = {"accelerator": H100, "devices": devices}
    cluster |= {} if supply is None else {"supply": supply}
    cluster |= {} if site is None else {"site": site}
    return answer(run_of(METERED, cluster=cluster), embedded())


def market(region, **terms):
    return {"kind": "market", "region": region, **terms}


def warned(quote):
    return {one.code: one for one in told(quote)}


def panel(*offers, region, catalog=None):
    found = catalog or world(device("d"), offers=offers)
    chosen = panel_of(found, Wanted(accelerator="d", devices=8, region=region))
    return {seat.seller: seat.offer.id for seat in chosen.seats}, chosen.left_out


@pytest.mark.parametrize(
    ("asked", "id"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("Germany", "de"),
        ("germany", "de"),
        ("DEU", "de"),
        ("UK", "gb"),
        ("United Kingdom", "gb"),
        ("united-states", "us"),
        ("USA", "us"),
        ("Côte d'Ivoire", "ci"),
        ("Cote d'Ivoire", "ci"),
        ("Europe", "europe"),
        ("north-america", "north-america"),
        ("North America", "north-america"),
        ("EU", "eu"),
        ("European Union", "eu"),
        ("APAC", "apac"),
        ("us-east-1", "us-east-1"),
        ("FIN-02", "FIN-02"),
    ],
)
def test_an_area_is_known_by_its_code_and_its_names_and_a_sellers_code_as_it_is(asked, id):
    assert embedded().region(asked, pointer="") == id


def test_no_two_areas_share_a_name():
    names = [plain(name) for area in AREAS.values() for name in {area.id, area.name, *area.also}]
    once = Counter((plain(name)) for a in AREAS.values() for name in {plain(a.id), plain(a.name)})
    assert max(once.values()) == 1
    assert {area.id for area in map(ATLAS.named, names) if area is not None} == set(AREAS)


def test_every_country_lies_in_one_continent_and_every_group_in_what_is_around_it():
    for country in COUNTRIES:
        assert len(set(AREAS[country].within) & set(CONTINENTS)) == 1, country
    assert all(set(area.within) <= set(AREAS) for area in AREAS.values())


def test_every_place_of_the_catalog_is_an_area():
    catalog = embedded()
    of_offers = {row.country for row in catalog.offers.values()}
    of_sites = {site.country for site in catalog.sites.values()}
    of_sellers = {seller.country for seller in catalog.providers.values()}
    named = (of_offers | of_sites | of_sellers) - {""}
    assert {country for country in named if country.lower() not in COUNTRIES} == set()
    sites = catalog.sites.values()
    assert [site.id for site in sites if not areas_of_site(catalog, site)] == ["grid:x-world"]


@pytest.mark.parametrize(
    ("facts", "area", "left_out"),
    [
        ({"country": "DE"}, "de", None),
        ({"country": "DE"}, "europe", None),
        ({"country": "DE"}, "eu", None),
        ({"country": "DE"}, "fr", "elsewhere"),
        ({"country": "CH"}, "eu", "elsewhere"),
        ({"region": "uk/us"}, "gb", None),
        ({"region": "uk/us"}, "europe", None),
        ({"region": "uk/us"}, "north-america", None),
        ({"region": "uk/us"}, "de", "elsewhere"),
        ({"region": "EU"}, "europe", None),
        ({"region": "EU"}, "de", "place_unknown"),
        ({"region": "EU"}, "us", "elsewhere"),
        ({"region": "eu-north"}, "eu", None),
        ({"region": "ca-east-3"}, "ca", None),
        ({"region": "APAC"}, "apac", None),
        ({"region": "APAC"}, "asia", "place_unknown"),
        ({"region": "global"}, "europe", "place_unknown"),
        ({"region": "all regions"}, "us", "place_unknown"),
    ],
)
def test_an_offer_counts_where_it_is_sold(facts, area, left_out):
    row = offer("a", "a", "d", 2.0, **facts)
    expected = ({"a": "a"}, {}) if left_out is None else ({}, {left_out: ("a",)})
    assert panel(row, region=area) == expected


def test_a_price_for_all_regions_counts_where_its_seller_was_seen():
    rows = (
        offer("worldwide", "a", "d", 2.0),
        offer("another-device", "a", "e", 3.0, country="FI"),
        offer("unseen", "b", "d", 1.0),
    )
    catalog = world(device("d"), device("e"), offers=rows)
    assert panel(catalog=catalog, region="fi") == (
        {"a": "worldwide"},
        {"place_unknown": ("b",)},
    )
    assert panel(catalog=catalog, region="us")[0] == {}


def test_a_seller_is_at_its_price_of_the_place():
    rows = (
        offer("cheap", "a", "d", 2.0, country="US"),
        offer("dear", "a", "d", 3.0, country="DE"),
    )
    assert panel(*rows, region="de")[0] == {"a": "dear"}
    assert panel(*rows, region="north-america")[0] == {"a": "cheap"}


@given(st.sampled_from(DEVICES), st.sampled_from(COUNTRIES), st.sampled_from((1, 8, 512)))
def test_who_sells_in_a_country_sells_in_all_that_is_around_it(accelerator, country, devices):
    def sellers(region):
        wanted = Wanted(accelerator=accelerator, devices=devices, region=region)
        chosen = panel_of(embedded(), wanted)
        screened = {*chosen.left_out.get("too_old", ()), *chosen.left_out.get("outlier", ())}
        return {seat.seller for seat in chosen.seats} | screened

    for area in AREAS[country].within:
        assert sellers(country) <= sellers(area)


def test_europe_is_priced_by_who_sells_in_europe():
    found = quoted(market("europe"))
    (asked,) = found.markets
    sellers = {vote.seller for vote in asked.votes}
    assert {"verda", "nebius", "scaleway", "gcp", "azure"} <= sellers
    assert sellers.isdisjoint({"tensorpool", "voltagepark", "aws"})
    left_out = {one.reason: one.sellers for one in asked.left_out}
    assert "aws" in left_out["elsewhere"]
    assert "hyperstack" in left_out["place_unknown"]
    usd = [float(vote.usd_per_device_hour) for vote in asked.votes]
    assert float(asked.usd_per_device_hour) == pytest.approx(median(usd))
    assert str(asked.region) == "europe"


def test_a_name_and_a_code_of_a_country_are_one_market():
    bills = [quoted(market(name)).bases[0] for name in ("FI", "Finland", "finland")]
    assert len({priced(bill).total.amount for bill in bills}) == 1


def test_a_country_where_nobody_sells_is_unpriced_and_says_who_was_left_out():
    (bill,) = quoted(market("Portugal")).bases
    assert isinstance(bill, UnpricedBill)
    (line,) = bill.lines
    assert isinstance(line, UnpricedLine)
    assert line.reason == "no_offer_under_these_terms"
    assert "elsewhere: aws" in str(line.detail)
    assert "place_unknown:" in str(line.detail)


@pytest.mark.parametrize(
    ("asked", "nearest"), [("Germny", "germany"), ("Eurpoe", "europe"), ("us-east-7", "us-east-1")]
)
def test_an_unknown_place_names_the_nearest(asked, nearest):
    with pytest.raises(NotQuotable) as caught:
        quoted(market(asked))
    (error,) = caught.value.errors
    assert isinstance(error, UnknownRegion)
    assert error.pointer == "/cluster/supply/region"
    assert nearest in error.nearest


def offer_in(country, provider=None):
    return next(
        row.id
        for row in embedded().offers.values()
        if row.accelerator == H100 and row.country == country and provider in (None, row.provider)
    )


@pytest.mark.parametrize(
    ("supply", "site"),
    [
        (market("Finland"), "grid:fi"),
        (market("europe"), "grid:x-europe"),
        (market("eu"), "grid:eu"),
        (market("north-america"), "grid:x-north-america"),
        (market("us-east-1"), "aws:us-east-1"),
        (market("europe-west4", provider="gcp"), "gcp:europe-west4"),
        ({"kind": "offer", "id": offer_in("FI", "verda")}, "verda:fin-02"),
        ({"kind": "offer", "id": offer_in("IN", "e2e")}, "grid:in"),
    ],
)
def test_the_site_follows_the_supply(supply, site):
    found = quoted(supply)
    assert f"{site} (" in warned(found)["site_of_supply"].detail
    given = quoted(supply, {"id": site})
    assert found.stages[0].energy_kwh == given.stages[0].energy_kwh
    assert found.stages[0].carbon_kg_co2e == given.stages[0].carbon_kg_co2e
    assert "site_of_supply" not in warned(given)
    assert "site_elsewhere" not in warned(given)


@pytest.mark.parametrize(
    "supply",
    [None, {"kind": "market", "provider": "nebius"}, {"kind": "rate", "usd_per_device_hour": 2}],
)
def test_a_supply_of_no_place_has_no_site(supply):
    assert "site_of_supply" not in warned(quoted(supply))
    assert "assumed_site" in warned(quoted(supply))


def test_numbers_that_are_given_override_the_site_of_the_supply():
    own = quoted(market("fi"), {"carbon_kg_co2e_per_kwh": 1.0})
    grid = quoted(market("fi"))
    carbon = [
        found.stages[0].carbon_kg_co2e.location_based.central
        / found.stages[0].energy_kwh.facility.central
        for found in (own, grid)
    ]
    assert carbon[0] == pytest.approx(1.0)
    assert carbon[1] == pytest.approx(number(embedded().sites["grid:fi"].carbon_kg_co2e_per_kwh))
    assert own.stages[0].energy_kwh == grid.stages[0].energy_kwh


def test_a_site_with_no_region_leaves_the_rental_at_the_median_of_all_and_says_so():
    everywhere, sited = quoted(), quoted(site={"id": "grid:de"})
    assert priced(everywhere.bases[0]).total == priced(sited.bases[0]).total
    assert "with the region 'germany'" in warned(sited)["market_of_all_places"].detail
    for supply, site in (
        (market("europe"), "grid:de"),
        (None, "grid:x-world"),
        ({"kind": "market", "provider": "verda"}, "grid:fi"),
        ({"kind": "rate", "usd_per_device_hour": 2}, "grid:de"),
    ):
        assert "market_of_all_places" not in warned(quoted(supply, {"id": site}))


@pytest.mark.parametrize(
    ("region", "site", "elsewhere"),
    [
        ("europe", "grid:us-tx", True),
        ("europe", "aws:eu-west-1", False),
        ("de", "grid:x-europe", False),
        ("de", "grid:fr", True),
        ("eu", "grid:ch", True),
        ("eu", "grid:x-europe", False),
        ("apac", "grid:jp", False),
        ("asia", "grid:au", True),
        ("us", "grid:us-tx", False),
        ("us", "grid:x-world", False),
    ],
)
def test_a_site_outside_of_the_area_of_the_supply_is_said(region, site, elsewhere):
    codes = warned(quoted(market(region), {"id": site}))
    assert ("site_elsewhere" in codes) == elsewhere
