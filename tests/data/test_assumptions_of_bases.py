"""Defaults of bases, energy and reliability: each has a unit, a date, a source and a sane range."""

import tomllib
from pathlib import Path

import msgspec
import pytest

import service
from service.core.cluster.energy import server_w
from service.core.cluster.failures import goodput
from service.core.figures.sources import Datum, Judged, Published

DATA = Path(service.__file__).parent / "data"
FILES = ["energy", "epoch_2024", "fully_loaded", "owned", "reliability", "rental"]


def rows_of(name):
    with (DATA / "assumptions" / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)["assumption"]


DATA_BY_NAME = {row["name"]: msgspec.convert(row, Datum) for name in FILES for row in rows_of(name)}
VALUES = {row["name"]: row["value"] for name in FILES for row in rows_of(name)}


@pytest.mark.parametrize("name", FILES)
def test_names_carry_the_file_they_are_in_and_are_unique(name):
    names = [row["name"] for row in rows_of(name)]
    assert len(names) == len(set(names))
    assert all(row.startswith(f"{name}.") for row in names)


@pytest.mark.parametrize("name", FILES)
def test_a_value_lies_in_its_range_and_a_share_between_zero_and_one(name):
    for row in rows_of(name):
        low, high = row.get("low", row["value"]), row.get("high", row["value"])
        assert 0 < low <= row["value"] <= high, row["name"]
        if row["unit"] == "share":
            assert high < 1, row["name"]
        assert ("low" in row) == ("high" in row)


def test_every_published_default_says_where_and_when():
    for datum in DATA_BY_NAME.values():
        assert datum.source.as_of
        match datum.source:
            case Published(title=title, locator=locator):
                assert title
                assert locator
            case Judged(why=why):
                assert why


def test_the_default_server_draws_what_was_metered():
    eight = 8 * server_w(
        tdp_w=700,
        device_load_share=VALUES["energy.device_load_share"],
        server_power_ratio=VALUES["energy.server_power_ratio"],
    )
    assert 6_860 < eight < 7_160


def test_llama_3_reaches_nine_tenths_with_the_defaults():
    run = goodput(
        devices=16_384,
        failures_per_device_day=VALUES["reliability.failures_per_device_day.hopper"],
        spot_interruptions_per_device_day=0.0,
        restart_seconds=VALUES["reliability.restart_seconds.automatic"],
        checkpoint_seconds=VALUES["reliability.checkpoint_seconds.automatic"],
        checkpoint_interval_seconds=0.0,
    )
    assert run.goodput >= 0.9


def test_exclusions_name_bills_items_and_sources():
    with (DATA / "exclusions.toml").open("rb") as file:
        rows = tomllib.load(file)["exclusion"]
    assert {"base_model", "experiments", "staff", "data", "capital"} <= {r["item"] for r in rows}
    for row in rows:
        assert set(row["bases"]) <= {"rental", "owned", "fully_loaded"}
        assert row["source"]["as_of"]
        assert row.get("low", 0) <= row.get("high", 0)
