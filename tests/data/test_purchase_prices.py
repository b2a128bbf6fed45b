"""The purchase price of a device follows from dated prices by one rule, and not from one row."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from service.catalog_files import DATA_DIRECTORY
from service.catalog_files.files import DataFiles
from service.catalog_files.market.purchases import (
    PurchaseRow,
    chosen_usd,
    counted_of,
    rows_by_board,
)
from tests.data.test_catalog_facts import lines_of
from tests.requests import R1
from tests.worlds import answer, embedded, number, priced

ROW = PurchaseRow(
    accelerator="d1",
    date="2025-01-01",
    usd_per_device=30_000.0,
    includes_server=True,
    kind="asked",
    seller="a",
    sold_as="share of a server",
    title="a page",
    licence="facts only",
    confidence="high",
)


def price(id):
    return embedded().purchase_prices[id]


def usd(id):
    return number(price(id).usd_per_device)


def ends(id):
    datum = price(id).usd_per_device
    return datum.low, datum.high


@pytest.mark.parametrize("id", ["nvidia-h100-sxm-80gb", "nvidia-h800-sxm-80gb"])
def test_an_h100_and_its_variant_for_export_cost_what_both_kinds_of_evidence_say(id):
    """It was $44,750 for an H800, the page of one dealer."""
    asked = sorted([41_217, 37_080.5, 36_017.75, 31_904.63, 46_875, 44_750])
    of_dealers = math.sqrt(asked[2] * asked[3])
    reported = 25_000  # The Register: an 8-GPU server at more than 200 thousand
    assert usd(id) == pytest.approx(math.sqrt(of_dealers * reported), abs=0.01)
    low, high = ends(id)
    assert low <= reported
    assert high == 46_875
    assert price(id).includes_server


def test_an_h200_lies_between_a_dealer_of_2025_and_a_report_of_its_price_in_china():
    assert usd("nvidia-h200-sxm-141gb") == pytest.approx(math.sqrt(39_083.38 * 24_996.3), abs=0.01)


def test_racks_cost_what_the_newest_reports_say():
    # The report of 2024 is too old, and one of 2026 does not tell GB200 from GB300.
    assert usd("nvidia-gb200") == 43_055.56  # 3.1 million for 72
    assert usd("nvidia-gb300") == pytest.approx(math.sqrt(4e6 * 5e6) / 72, abs=0.01)


def test_rows_that_are_two_years_older_than_the_newest_do_not_count():
    assert usd("nvidia-a100-sxm-80gb") == 18_548.75  # and not the DGX of 2021 at 37,500
    assert usd("nvidia-v100-pcie-16gb") == 11_993.46


def test_a_seller_counts_once_for_a_board():
    # viperatech asks 18,500 for an A100 and 17,500 for its variant on the same day.
    of_dealers = math.sqrt(16_338.77 * math.sqrt(18_500 * 17_500))
    for id in ("nvidia-a100-pcie-80gb", "nvidia-a800-pcie-80gb"):
        assert usd(id) == pytest.approx(math.sqrt(of_dealers * 15_000), abs=0.01)


def test_rows_of_low_confidence_count_only_where_there_are_no_others():
    assert usd("nvidia-b300-sxm") == 45_000
    assert not price("nvidia-b300-sxm").includes_server
    assert usd("amd-mi355x") == 30_000
    assert price("amd-mi355x").usd_per_device.source.confidence == "low"


def test_complete_servers_go_before_bare_devices_and_boards():
    assert usd("amd-mi300x") == 25_733.71
    assert not price("intel-gaudi2").includes_server


def test_every_interval_holds_the_prices_that_count():
    boards = rows_by_board(DataFiles(DATA_DIRECTORY), embedded().accelerators)
    assert sum(map(len, boards.values())) == len(lines_of("prices/purchase_prices.csv"))
    for id, rows in boards.items():
        low, high = ends(id)
        for row in counted_of(rows):
            assert low <= row.ends[0] <= row.ends[1] <= high, id


def test_the_source_of_a_price_names_every_row_that_counts():
    source = price("nvidia-h800-sxm-80gb").usd_per_device.source
    for words in ("44,750 asked by abrmicro.com", "25,000 reported by theregister.com"):
        assert words in source.locator
    assert source.as_of == "2025-09-19"


def test_r1_owned_is_a_quarter_below_what_one_dealers_page_made_of_it():
    """147,000 hours on 512 H800: $413,440.67 before the rule, $310,475.56 by it."""
    (bill,) = answer(R1 | {"options": {"bases": ["owned"]}}, embedded()).bases
    assert float(priced(bill).total.amount) == pytest.approx(310_475.56, abs=0.05)


prices = st.floats(1_000.0, 100_000.0)
votes = st.lists(st.tuples(st.sampled_from(["asked", "reported"]), prices), min_size=1, max_size=7)


@given(votes=votes, raised=st.floats(1.0, 3.0), which=st.integers(0, 6))
def test_a_dearer_price_never_makes_the_device_cheaper(votes, raised, which):
    rows = [
        replace(ROW, kind=kind, usd_per_device=usd, seller=str(index))
        for index, (kind, usd) in enumerate(votes)
    ]
    moved = list(rows)
    at = which % len(rows)
    moved[at] = replace(rows[at], usd_per_device=rows[at].usd_per_device * raised)
    assert chosen_usd(moved) >= chosen_usd(rows)
    low, high = (end(row.usd_per_device for row in rows) for end in (min, max))
    assert low - 0.01 <= chosen_usd(rows) <= high + 0.01


@given(older=prices, newer=prices)
def test_an_older_price_of_the_same_seller_moves_nothing(older, newer):
    new = replace(ROW, usd_per_device=newer, date="2025-06-01")
    old = replace(ROW, usd_per_device=older, date="2025-01-01")
    assert counted_of([old, new]) == [new]


def test_groups_of_rows_go_one_before_the_other():
    rows = [
        replace(ROW, confidence=confidence, includes_server=server, seller=f"{confidence}{server}")
        for confidence, server in product(("high", "low"), (True, False))
    ]
    while rows:
        first, *rows = rows
        assert counted_of([*rows, first]) == [first]
