"""docs/market.md: its tables are what the catalog says today, and every reason stands there."""

import re
from pathlib import Path
from statistics import median
from typing import get_args

import pytest

from service.core.catalog.catalog import MarketTerm, Segment
from service.core.catalog.market import LEFT_OUT, PriceBasis, Wanted
from tests.worlds import answer, embedded, run_of

PAGE = (Path(__file__).parents[2] / "docs" / "market.md").read_text(encoding="utf-8")
H100 = "nvidia-h100-sxm-80gb"
TERMS = (
    *((devices, "on_demand") for devices in (1, 8, 512, 4096)),
    *((512, term) for term in ("reserved_3m", "reserved_1y", "reserved_3y")),
    *((512, term) for term in ("spot", "capacity_block")),
)
DEVICES = (
    "nvidia-a100-sxm-80gb",
    "nvidia-h100-sxm-80gb",
    "nvidia-h200-sxm-141gb",
    "nvidia-b200-sxm",
    "nvidia-b300-sxm",
    "nvidia-gb200",
    "nvidia-gb300",
    "amd-mi300x",
)


PLACES = ("europe", "north-america", "asia", "germany")


def row(named: str, *, accelerator: str, devices: int, **terms: str) -> str:
    """A line of a table: the sellers of a market and their prices."""
    supply = {"kind": "market", **terms}
    cluster = {"accelerator": accelerator, "devices": devices, "supply": supply}
    request = run_of({"work": {"kind": "metered", "device_hours": 10}}, cluster=cluster)
    (market,) = answer(request, embedded()).markets
    usd = [float(vote.usd_per_device_hour) for vote in market.votes]
    ends = f"{min(usd):.2f} to {max(usd):.2f}"
    return f"| {named} | {len(usd)} | {median(usd):.2f} | {ends} |"


def rows() -> list[str]:
    """All lines of the tables."""
    by_place = [
        row("all places", accelerator=H100, devices=64),
        *(row(f"`{place}`", accelerator=H100, devices=64, region=place) for place in PLACES),
    ]
    by_term = [
        row(f"{devices:,} {term}", accelerator=H100, devices=devices, term=term)
        for devices, term in TERMS
    ]
    by_device = [
        row(embedded().accelerators[id].name, accelerator=id, devices=512, term="on_demand")
        for id in DEVICES
    ]
    return [*by_place, *by_term, *by_device]


def test_the_tables_are_what_the_catalog_says():
    assert [line for line in PAGE.splitlines() if re.search(r"\| \d+ \| [\d.]+ \|", line)] == rows()


@pytest.mark.parametrize(
    "word",
    [*LEFT_OUT, *get_args(PriceBasis), *get_args(MarketTerm), *get_args(Segment)],
)
def test_every_word_of_the_contract_stands_in_the_page(word):
    assert f"`{word}`" in PAGE


def test_every_member_of_a_market_stands_in_the_page():
    asked = set(Wanted.__struct_fields__) - {"accelerator", "devices"}
    assert {name for name in asked if f"| `{name}` |" not in PAGE} == set()
