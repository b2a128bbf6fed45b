"""`epoch-2024` against a rerun of the published calculation, row by row and part by part.

Tolerance. The file prints dollars to the cent and rates to five decimals, so small amounts carry
0.01% of rounding; every amount of the rerun is held to that, far inside the 0.5% that counts as
agreement.

Deviations from what is printed elsewhere, and why they stay:

- ProtT5-XXL: its list of organisations is cut at 80 characters and no longer names Google, on whose
  TPUs it ran. A cut list on TPUs counts as Google's; without that it is 0.9% too dear.
- Grok-3 and Llama 4 Behemoth differ by 2.2% and 1.7% from the column of December 2024 dollars,
  because that table's price index ended before they were published and left them nominal.
- TPU v4 is rated 170 W, as in the rerun's data, not the 373 W that the calculation falls back on.
- Cloud cost is devices x hours x price, even where chip-hours are stated otherwise (Gemini 1.0
  Ultra).
"""

import csv

import pytest

from lab.files import LAB_DATA
from service.core.bills.owned.epoch import (
    amortised_usd,
    chip_hours,
    device_hour_usd,
    energy_usd,
    value_at_start_usd,
)
from service.scoring.epoch.method import NotExpressedError, estimate, load_tables
from service.scoring.epoch.score import COLUMNS, score_epoch

FILE = LAB_DATA / "epoch_costs.csv"
TABLES = load_tables()
ROWS = {row["model"]: row for row in csv.DictReader(FILE.open(newline="", encoding="utf-8"))}
DECEMBER_2024 = {
    "epoch_amortised_capex_energy_usd_dec2024": "capex_energy_usd_jun2025",
    "epoch_acquisition_usd_dec2024": "acquisition_usd_jun2025",
    "epoch_cloud_usd_dec2024": "cloud_usd_jun2025",
}
LEFT_NOMINAL = {"Grok-3", "Llama 4 Behemoth (preview)"}
CANNOT_BE_EXPRESSED = {
    "Chinchilla": "two kinds of chip",
    "ERNIE 3.0 Titan": "two kinds of chip",
    "DeepSeek-V3": "the method has no price of an H800",
    "Vicuna-7B v0": "neither hours nor compute",
    "Vicuna-13B v0": "neither hours nor compute",
}


def test_gpt_4_comes_out_to_the_digit():
    value = value_at_start_usd(price_usd=24_875, decline_oom_per_year=0.14, years=638 / 365.25)
    assert round(float(value), 2) == 14_165.05
    hardware = amortised_usd(value_usd=value, decline_oom_per_year=0.14)
    assert round(float(hardware), 5) == 0.52091
    assert round(float(hardware) / 0.81, 5) == 0.64310
    energy = energy_usd(
        tdp_w=400,
        server_power_ratio=(6.5 / 8) / 0.4,
        mean_power_share=0.75,
        pue=1.25,
        usd_per_kwh=0.0806,
    )
    assert energy == pytest.approx(0.8125 * 0.75 * 1.25 * 0.0806)
    assert round(float(energy), 5) == 0.06139
    rate = device_hour_usd(
        price_usd=24_875,
        years=638 / 365.25,
        decline_oom_per_year=0.14,
        server_overhead=1.66,
        network_share=0.19,
        tdp_w=400,
        server_power_ratio=(6.5 / 8) / 0.4,
        mean_power_share=0.75,
        pue=1.25,
        usd_per_kwh=0.0806,
    )
    assert round(float(rate.total_usd), 5) == 0.70449
    assert round(float(rate.total_usd) * 57e6) == 40_155_934


def test_gpt_4_comes_out_of_its_row_too():
    amounts = estimate(ROWS["GPT-4"], TABLES)
    assert round(amounts["usd_per_device_hour"], 5) == 0.70449
    assert round(amounts["capex_energy_usd"]) == 40_155_934


def test_every_amount_of_the_rerun_is_reproduced_to_its_rounding():
    score = score_epoch(FILE)
    assert score["rows"] == score["expressed"] == score["rows_within_half_percent"] == 33
    assert not score["not_expressed"]
    assert score["within_half_percent"] == 1.0
    assert score["max_abs_error"] < 1e-4
    assert score["median_abs_error"] < 1e-8


@pytest.mark.parametrize("column", COLUMNS)
def test_each_column_agrees(column):
    spread = score_epoch(FILE)["by"]["column"][column]
    assert spread["amounts"] >= 17
    assert spread["max_abs_error"] < 1e-4


def test_the_published_table_is_reproduced_in_dollars_of_december_2024():
    december = TABLES.price_index["2024-12"] / TABLES.price_index["2025-06"]
    compared = 0
    for model, row in ROWS.items():
        for column, ours in DECEMBER_2024.items():
            if not row[column] or model in LEFT_NOMINAL:
                continue
            amount = estimate(row, TABLES)[ours] * december
            assert amount == pytest.approx(float(row[column]), rel=1e-4), (model, column)
            compared += 1
    assert compared == 108


def test_what_cannot_be_expressed_says_why():
    refused = set()
    for model, row in ROWS.items():
        try:
            estimate(row, TABLES)
        except NotExpressedError:
            refused.add(model)
    assert refused == set(CANNOT_BE_EXPRESSED)


def test_a_file_with_an_unknown_chip_is_scored_and_the_row_is_named(tmp_path):
    row = dict(ROWS["GPT-4"], rerun_hardware_used="Abacus 3000")
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    score = score_epoch(path)
    assert (score["rows"], score["expressed"], score["amounts"]) == (1, 0, 0)
    assert "Abacus" in score["not_expressed"][0]["why"]


def test_chip_hours_follow_from_compute_where_nothing_else_is_known():
    hours = chip_hours(training_flop=7.34e24, peak_flop_per_s=275e12, mfu=0.375)
    assert hours == pytest.approx(7.34e24 / (275e12 * 0.375) / 3600)
    row = ROWS["PaLM 2"]
    stated = float(row["rerun_nominal_capex_energy_usd"])
    assert hours * float(row["rerun_nominal_usd_per_chip_hour"]) == pytest.approx(stated, rel=1e-4)


def test_the_shares_of_cost_are_those_the_authors_print():
    """Hardware 47 to 67% and energy 2 to 6% of development cost; of compute, energy stays minor."""
    for model in ("GPT-4", "Gemini 1.0 Ultra", "Llama 3.1-405B"):
        amounts = estimate(ROWS[model], TABLES)
        assert 0.02 < amounts["energy_usd"] / amounts["capex_energy_usd"] < 0.12
