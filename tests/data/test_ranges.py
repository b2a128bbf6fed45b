"""Catalog figures whose source prints no range have a measured one, or say that they are exact."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import ranges as rules
from service.catalog_files.ranges import RangeRow, Ranges, ends, on_scale
from service.core.catalog.catalog import Catalog
from service.core.figures.sources import Datum, Published
from tests.data.test_catalog_facts import every_datum, opened

UNQUOTED = ("price_history/", "purchases/", "spot/", "sites/")
"""Rows that no quote opens as they are, but for the members of a site below."""
OF_SITES = ("carbon_kg_co2e_per_kwh", "price_per_kwh", "pue")


def is_quotable(datum: Datum) -> bool:
    member = datum.name.rpartition("/")[2]
    return not datum.name.startswith(UNQUOTED) or (
        datum.name.startswith("sites/") and member.endswith(OF_SITES)
    )


def span(datum: Datum) -> tuple[float, float]:
    """Both ends of a range that must be there."""
    assert isinstance(datum.low, float), datum.name
    assert isinstance(datum.high, float), datum.name
    return datum.low, datum.high


@pytest.fixture(scope="module")
def measured(catalog: Catalog) -> dict[str, RangeRow]:
    return {rule.name: rule for rule in rules.measured(catalog)}


def test_the_file_is_what_is_measured_on_the_catalog(catalog: Catalog) -> None:
    assert rules.FILE.read_text(encoding="utf-8") == rules.text_of(rules.measured(catalog))


def test_every_figure_that_a_quote_can_open_has_a_range_or_is_exact(catalog: Catalog) -> None:
    spread = exact = 0
    for datum in filter(is_quotable, every_datum(catalog)):
        low, high = span(datum)
        assert low <= opened(datum) <= high, datum.name
        if low < high:
            spread += 1
            assert not datum.range_basis.startswith("exact"), datum.name
        else:
            exact += 1
            assert datum.range_basis.startswith("exact: "), datum.name
    assert spread > 900
    assert exact > 2_000


def test_a_price_is_exact_as_it_was_read(catalog: Catalog) -> None:
    """What it may be on another day is a figure of its own: tests/core/test_price_age.py."""
    bases = set()
    for offer in catalog.offers.values():
        price = offer.price_per_device_hour
        assert price.low == price.high == opened(price)
        bases.add((offer.price_kind == "reference", price.range_basis.split(";")[0]))
    assert bases == {
        (False, "exact: as its seller listed it on its date"),
        (True, "exact: a rate that a publication assumed, as printed"),
    }


def test_carbon_of_two_publishers_lies_in_the_range_of_either(catalog: Catalog) -> None:
    found: dict[str, dict[str, Datum]] = {}
    for site in catalog.sites.values():
        carbon = site.carbon_kg_co2e_per_kwh
        if site.grid_operator_zone and isinstance(carbon, Datum):
            assert isinstance(carbon.source, Published)
            if not carbon.source.locator.partition("grid zone")[1]:
                found.setdefault(site.grid_operator_zone, {})[carbon.source.title] = carbon
    pairs = [tuple(of_it.values()) for of_it in found.values() if len(of_it) > 1]
    covered = [span(one)[0] <= opened(other) <= span(one)[1] for one, other in pairs]
    assert len(pairs) > 20
    assert np.mean(covered) > 0.6  # of a difference of two, each of which may be off


def test_a_tariff_is_less_sure_the_older_it_is(measured: dict[str, RangeRow]) -> None:
    ranges = Ranges(dict(measured), {}, "2026-11-26")
    widths = [
        math.log(found["high"] / found["low"])
        for as_of in ("2026-11-26", "2026-08-26", "2025-11-26", "2022-11-26")
        for found in (ranges.of("tariff_of_zone", 2.0, as_of=as_of),)
    ]
    assert widths[0] == 0.0
    today = ranges.of("tariff_of_zone", 2.0, as_of="2026-11-26")
    assert today["range_basis"].startswith("exact: no older than this edition; ")
    assert widths == sorted(widths)
    assert widths[3] == pytest.approx(2.0 * widths[2], rel=1e-3)


@given(value=st.floats(0.001, 1.0), below=st.floats(0.0, 3.0), above=st.floats(0.0, 3.0))
def test_ends_stand_where_the_scale_says(value: float, below: float, above: float) -> None:
    low, high = ends("root_gram", value, below=below, above=above)
    assert 0.0 <= low <= value * (1 + 1e-12)
    assert high >= value * (1 - 1e-12)
    assert on_scale("root_gram", high) == pytest.approx(on_scale("root_gram", value) + above)
    low, high = ends("log_excess", 1.0 + value, below=below, above=above)
    assert 1.0 <= low <= high
    low, high = ends("log", value, below=below, above=above)
    assert math.log(value / low) == pytest.approx(below, abs=1e-9)
    assert math.log(high / value) == pytest.approx(above, abs=1e-9)


def test_sources_that_differ_on_a_device_are_its_range(catalog: Catalog) -> None:
    power = catalog.accelerators["nvidia-a800-pcie-80gb"].tdp_w
    assert isinstance(power, Datum)
    assert span(power) == (250.0, 300.0)
    assert opened(power) == 300.0
    assert "250 W" in power.range_basis
    peak = catalog.accelerators["huawei-ascend-910b"].peak_dense_flop_per_s["bf16"]
    assert span(peak) == pytest.approx((280e12, 400e12))


def test_a_rating_that_nobody_publishes_is_not_exact(catalog: Catalog) -> None:
    for id in ("google-tpu-v5e", "google-tpu-v7", "aws-trainium2"):
        power = catalog.accelerators[id].tdp_w
        assert isinstance(power, Datum)
        assert span(power)[0] < opened(power) < span(power)[1]
