"""Facts of the embedded catalog that should agree, agree; every number says where it is from."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from service.catalog_files import DATA_DIRECTORY
from service.catalog_files.devices.accelerators import USABLE
from service.core.catalog.catalog import Accelerator, Catalog
from service.core.figures.sources import Datum, Published
from service.core.figures.units import UNITS


def every_datum(value: Any) -> Iterator[Datum]:
    """All sealed numbers below a value, by walking whatever is there."""
    if isinstance(value, Datum):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name not in ("price_rows", "listed"):
                yield from every_datum(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from every_datum(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from every_datum(item)


def opened(datum: Datum | msgspec.UnsetType) -> float:
    """The value of a sealed number; tests may look."""
    assert isinstance(datum, Datum)
    return datum._value


def lines_of(file: str) -> list[dict[str, str]]:
    """A CSV file as it stands."""
    with (DATA_DIRECTORY / file).open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


ROW_STARTS = {
    "accelerators/*.toml": "[[accelerator]]",
    "models/*.toml": "[[model]]",
    "providers.csv": "",
    "offers/*.csv": "",
    "runs/*.jsonl": "{",
    "claims.toml": "[[claim]]",
    "sites/regions.csv": "",
    "sites/grids.csv": "",
    "sites/pue.csv": "",
    "spot/*.csv": "",
    "prices/price_history.csv": "",
    "billing.csv": "",
    "systems.csv": "",
    "prices/consumer_prices.csv": "",
    "prices/commitments.csv": "",
    "prices/exchange_rates.csv": "",
}
"""How a line begins that starts a row; every line of a CSV file but the first is one."""
CITING = (
    "offers/*.csv",
    "sites/*.csv",
    "spot/*.csv",
    "prices/price_history.csv",
    "billing.csv",
    "prices/consumer_prices.csv",
    "prices/commitments.csv",
    "prices/exchange_rates.csv",
    "systems.csv",
)
"""Files that cite `sources.csv` in their columns."""


def rows_in(pattern: str) -> int:
    """How many rows the files of a pattern have, counted without the loader."""
    count = 0
    for file in DATA_DIRECTORY.glob(pattern):
        if file.suffix == ".csv":
            count += len(lines_of(file.relative_to(DATA_DIRECTORY).as_posix()))
        else:
            lines = file.read_text("utf-8").splitlines()
            count += sum(line.startswith(ROW_STARTS[pattern]) for line in lines)
    return count


@pytest.fixture(scope="module")
def data(catalog: Catalog) -> list[Datum]:
    """Every sealed number of the catalog."""
    return list(every_datum(catalog))


def test_every_number_has_a_unit_a_source_and_a_date(data: list[Datum]) -> None:
    assert len(data) > 4_000
    for datum in data:
        source = datum.source
        assert datum.unit in UNITS
        words = source.title if isinstance(source, Published) else source.why
        assert words.strip(), datum.name
        if isinstance(source, Published):
            assert source.locator.strip(), datum.name
        date.fromisoformat((source.as_of + "-01-01")[:10])
        assert source.confidence in ("high", "medium", "low")


def test_every_number_has_a_name_of_its_own(data: list[Datum]) -> None:
    names = Counter(datum.name for datum in data)
    assert [name for name, count in names.items() if count > 1] == []
    for name in names:
        assert re.fullmatch(r"[a-z_]+(/[^/]+)+", name), name


def test_no_number_is_dated_after_the_edition(catalog: Catalog, data: list[Datum]) -> None:
    for datum in data:
        as_of = datum.source.as_of
        assert as_of <= catalog.version[: len(as_of)], datum.name


def test_intervals_hold_their_values(data: list[Datum]) -> None:
    for datum in data:
        if datum.low is not UNSET and datum.high is not UNSET:
            assert datum.low <= opened(datum) <= datum.high, datum.name


def test_prices_are_positive_and_shares_are_shares(data: list[Datum]) -> None:
    for datum in data:
        if "price" in datum.name and datum.unit != "standard_deviation":
            assert opened(datum) > 0, datum.name
        if datum.unit == "share":
            assert 0 <= opened(datum) <= 1, datum.name


def test_no_row_of_a_file_is_lost(catalog: Catalog) -> None:
    sites = Counter(site.kind for site in catalog.sites.values())
    assert {
        "accelerators/*.toml": len(catalog.accelerators),
        "models/*.toml": len(catalog.models),
        "providers.csv": len(catalog.providers),
        "systems.csv": len(catalog.systems),
        "offers/*.csv": len(catalog.offers),
        "runs/*.jsonl": len(catalog.runs),
        "claims.toml": len(catalog.claims),
        "sites/regions.csv": sites["cloud_region"],
        "sites/grids.csv": sites["grid_zone"],
        "sites/pue.csv": sum(map(len, catalog.fleet_pues.values())),
        "spot/*.csv": sum(map(len, catalog.spot_reclaims.values())),
        "prices/price_history.csv": sum(map(len, catalog.price_history.values())),
        "billing.csv": len(catalog.billing),
        "prices/consumer_prices.csv": len(catalog.consumer_prices),
        "prices/commitments.csv": sum(map(len, catalog.commitments.values())),
        "prices/exchange_rates.csv": sum(map(len, catalog.exchange_rates.values())),
    } == {pattern: rows_in(pattern) for pattern in ROW_STARTS}


def test_every_seller_has_an_offer_and_every_offer_is_a_row_of_its_device(catalog: Catalog) -> None:
    priced = {offer.accelerator for offer in catalog.offers.values()}
    assert len(priced) > 40
    assert set(catalog.price_rows) == priced
    assert {offer.provider for offer in catalog.offers.values()} == set(catalog.providers)


def test_ids_are_the_keys_they_stand_under(catalog: Catalog) -> None:
    for rows in (
        catalog.accelerators,
        catalog.providers,
        catalog.offers,
        catalog.sites,
        catalog.models,
        catalog.runs,
        catalog.claims,
    ):
        for key, row in rows.items():
            assert key == row.id
            assert re.fullmatch(r"[a-z0-9][a-z0-9._:-]{0,127}", key), key


def test_every_source_in_the_table_is_cited() -> None:
    cited = {
        source
        for pattern in CITING
        for file in DATA_DIRECTORY.glob(pattern)
        for row in lines_of(file.relative_to(DATA_DIRECTORY).as_posix())
        for column, sources in row.items()
        if column.endswith("source")
        for source in sources.split(" ")
    }
    text = "".join(file.read_text("utf-8") for file in DATA_DIRECTORY.glob("accelerators/*.toml"))
    cited |= set(re.findall(r'"([^"]+)"', "".join(re.findall(r"sources = \[(.*)\]", text))))
    assert {row["id"] for row in lines_of("sources.csv")} <= cited | {"recalled", USABLE}


def test_memory_and_bandwidth_are_the_sheets_numbers_in_bytes(catalog: Catalog) -> None:
    h100 = catalog.accelerators["nvidia-h100-sxm-80gb"]
    assert opened(h100.memory_bytes) == 80 * 10**9
    assert opened(h100.memory_bandwidth_byte_per_s) == 3350 * 10**9
    assert opened(h100.peak_dense_flop_per_s["bf16"]) == 989 * 10**12
    trainium = catalog.accelerators["aws-trainium3"]
    assert opened(trainium.memory_bytes) == 144 * 2**30


def test_an_id_that_names_a_memory_size_has_that_memory(catalog: Catalog) -> None:
    for device in catalog.accelerators.values():
        if named := re.search(r"-(\d+)gb$", device.id):
            stated = 141 if device.id == "nvidia-gh200-144gb" else int(named[1])  # 141 usable
            assert opened(device.memory_bytes) == stated * 10**9, device.id


NVIDIA_FP8 = ("Hopper", "Grace Hopper", "Ada", "Blackwell", "Grace Blackwell", "Blackwell Ultra")


def nvidia_since_ampere(catalog: Catalog) -> list[Accelerator]:
    """NVIDIA's devices with BF16."""
    devices = [d for d in catalog.accelerators.values() if d.vendor == "NVIDIA"]
    return [d for d in devices if d.architecture not in ("Volta", "Turing")]


def test_nvidia_runs_fp16_as_fast_as_bf16_since_ampere(catalog: Catalog) -> None:
    for device in nvidia_since_ampere(catalog):
        peaks = device.peak_dense_flop_per_s
        assert opened(peaks["fp16"]) == opened(peaks["bf16"]), device.id


def test_nvidia_runs_fp8_twice_and_tf32_half_as_fast_as_bf16(catalog: Catalog) -> None:
    for device in nvidia_since_ampere(catalog):
        peaks = device.peak_dense_flop_per_s
        if device.architecture in NVIDIA_FP8:
            assert opened(peaks["fp8"]) == pytest.approx(2 * opened(peaks["bf16"]), rel=0.02), (
                device.id
            )
        if "tf32" in peaks:
            assert opened(peaks["tf32"]) == pytest.approx(opened(peaks["bf16"]) / 2, rel=0.02), (
                device.id
            )


def test_the_same_die_has_the_same_rates(catalog: Catalog) -> None:
    for one, other in (
        ("nvidia-h100-sxm-80gb", "nvidia-h800-sxm-80gb"),
        ("nvidia-h100-sxm-80gb", "nvidia-h200-sxm-141gb"),
        ("nvidia-a100-sxm-80gb", "nvidia-a800-sxm-80gb"),
        ("amd-mi300x", "amd-mi325x"),
    ):
        first, second = catalog.accelerators[one], catalog.accelerators[other]
        assert opened(first.peak_dense_flop_per_s["bf16"]) == opened(
            second.peak_dense_flop_per_s["bf16"]
        )


def test_only_the_links_of_export_variants_are_cut(catalog: Catalog) -> None:
    for full, cut, ratio in (
        ("nvidia-h100-sxm-80gb", "nvidia-h800-sxm-80gb", 400 / 900),
        ("nvidia-a100-sxm-80gb", "nvidia-a800-sxm-80gb", 400 / 600),
    ):
        links = [catalog.accelerators[device].scale_up for device in (full, cut)]
        rates = [opened(link.unidirectional_byte_per_s) for link in links if link is not UNSET]
        assert rates[1] / rates[0] == pytest.approx(ratio)
        assert catalog.accelerators[cut].export_control


def test_what_was_recalled_is_of_low_confidence(catalog: Catalog) -> None:
    rtx = catalog.accelerators["nvidia-rtx-5090"]
    assert {rate.source.confidence for rate in rtx.peak_dense_flop_per_s.values()} == {"low"}
    h100 = catalog.accelerators["nvidia-h100-sxm-80gb"]
    assert {rate.source.confidence for rate in h100.peak_dense_flop_per_s.values()} == {"high"}
    recalled = [
        offer.id
        for offer in catalog.offers.values()
        if offer.price_per_device_hour.source.confidence == "low"
    ]
    assert sorted(recalled) == [
        "aws-us-east-2-trn2-48xlarge-capacity-block-2025-01",
        "ibm-cloud-us-east-gx3d-160x1792x8gaudi3-on-demand-2025-05",
    ]
    gpt2 = catalog.models["gpt2-medium"].published_total
    assert isinstance(gpt2, Datum)
    assert gpt2.source.confidence == "low"


def test_an_estimated_date_is_no_more_than_medium_confidence(catalog: Catalog) -> None:
    estimated = [offer for offer in catalog.offers.values() if offer.date_basis == "estimated"]
    assert len(estimated) > 200
    for offer in estimated:
        assert offer.price_per_device_hour.source.confidence in ("medium", "low")


def test_an_instance_costs_what_its_devices_cost() -> None:
    for file in (DATA_DIRECTORY / "offers").glob("*.csv"):
        for row in lines_of(f"offers/{file.name}"):
            each = Decimal(row["price_per_hour"]) / int(row["devices"])
            assert float(each) == pytest.approx(float(row["price_per_device_hour"]), rel=1e-4), row[
                "id"
            ]


def test_an_offer_is_dated_by_the_day_it_was_observed(catalog: Catalog) -> None:
    newest = max(offer.observed_on for offer in catalog.offers.values())
    assert newest <= catalog.version
    for offer in catalog.offers.values():
        assert offer.price_per_device_hour.source.as_of == offer.observed_on


def test_the_rows_of_a_device_come_newest_and_then_cheapest_first(catalog: Catalog) -> None:
    assert sum(map(len, catalog.price_rows.values())) == len(catalog.offers)
    for accelerator, offers in catalog.price_rows.items():
        assert {offer.accelerator for offer in offers} == {accelerator}
        for first, second in pairwise(offers):
            assert first.observed_on >= second.observed_on
            if first.observed_on == second.observed_on:
                assert catalog.usd_by_offer[first.id] <= catalog.usd_by_offer[second.id]


def test_prices_in_other_currencies_have_a_rate_of_exchange(catalog: Catalog) -> None:
    units = {offer.price_per_device_hour.unit for offer in catalog.offers.values()}
    currencies = {unit.partition("/")[0] for unit in units} - {"usd"}
    assert currencies == {"eur", "inr", "cny"}
    for currency in currencies | {"gbp", "jpy"}:
        rate = catalog.assumptions[f"usd_per_{currency}"]
        assert rate.name == f"currencies/usd_per_{currency}"
        assert rate.unit == f"usd/{currency}"


def test_a_rate_of_exchange_is_the_newest_of_its_series(catalog: Catalog) -> None:
    assert set(catalog.exchange_rates) == {"EUR", "GBP", "INR", "CNY", "JPY"}
    for currency, rates in catalog.exchange_rates.items():
        rate = catalog.assumptions[f"usd_per_{currency.lower()}"]
        assert rate.source.as_of == rates[-1].date == max(one.date for one in rates)
        assert opened(rate) == opened(rates[-1].usd_per_unit)


def test_a_pound_and_a_yen_are_worth_their_euros(catalog: Catalog) -> None:
    """ECB, 2026-10-30: 1.1172 dollars, 0.8338 pounds and 175.68 yen for a euro."""
    assert opened(catalog.assumptions["usd_per_gbp"]) == pytest.approx(1.1172 / 0.8338, rel=1e-4)
    assert opened(catalog.assumptions["usd_per_jpy"]) == pytest.approx(1.1172 / 175.68, rel=1e-4)


def test_a_region_has_the_tariff_of_its_grid_zone_and_says_so(catalog: Catalog) -> None:
    for site in catalog.sites.values():
        if site.kind != "cloud_region":
            continue
        zone = catalog.sites[f"grid:{site.grid_zone}"]
        if zone.price_per_kwh is UNSET:
            assert site.price_per_kwh is UNSET
            continue
        assert isinstance(site.price_per_kwh, Datum)
        assert opened(site.price_per_kwh) == opened(zone.price_per_kwh)
        assert isinstance(site.price_per_kwh.source, Published)
        assert f"grid zone {site.grid_zone}" in site.price_per_kwh.source.locator


def test_virginia_is_what_the_statistics_say(catalog: Catalog) -> None:
    site = catalog.sites["aws:us-east-1"]
    assert opened(site.price_per_kwh) == 0.0892
    assert opened(site.carbon_kg_co2e_per_kwh) == 0.39625
    assert opened(site.pue) == 1.15
    assert opened(catalog.sites["grid:us-va"].carbon_kg_co2e_per_kwh) == 0.2448


def test_a_tariff_that_stands_in_for_another_is_of_low_confidence(catalog: Catalog) -> None:
    austria = catalog.sites["grid:at"]
    assert isinstance(austria.price_per_kwh, Datum)
    assert austria.price_per_kwh.source.confidence == "low"


def test_a_tariff_stays_in_its_currency(catalog: Catalog) -> None:
    for zone, unit in (("us-va", "usd/kwh"), ("fr", "eur/kwh"), ("gb", "gbp/kwh")):
        tariff = catalog.sites[f"grid:{zone}"].price_per_kwh
        assert isinstance(tariff, Datum)
        assert tariff.unit == unit


def test_what_is_not_known_of_a_site_is_absent(catalog: Catalog) -> None:
    assert catalog.sites["grid:eu"].carbon_kg_co2e_per_kwh is UNSET
    assert catalog.sites["lambda:us-east-1"].pue is UNSET
    with_pue = [site for site in catalog.sites.values() if site.pue is not UNSET]
    assert len(with_pue) == 61


SEVERAL_COUNTRIES = {
    "global",
    "all regions",
    "all commercial regions",
    "default",
    "APAC",
    "EU",
    "North America",
    "eu",
    "europe",
    "fr/pl/nl",
    "in/fi",
    "uk/us",
}
NO_REGIONS = SEVERAL_COUNTRIES | {
    *("US", "us", "fr", "nl", "au", "jp", "in", "fin"),
    *("us-gov", "Dallas local zone", "southcentralus2", "us-east-1", "eu-north", "ca-east-3"),
    *("fr-par", "Beijing-Tianjin", "Guangzhou", "east", "southwest"),
    *("Athens", "Austin", "Chicago", "Frankfurt", "Fremont", "Paris", "Ploiesti", "Tokyo"),
}
"""What sellers call the place of an offer where they name no region that the catalog has."""


def test_each_seller_in_a_named_region_stands_on_a_known_site(catalog: Catalog) -> None:
    for offer in catalog.offers.values():
        if offer.region not in NO_REGIONS:
            assert f"{offer.provider}:{offer.region.lower()}" in catalog.sites, offer.id


def test_an_offer_in_one_country_names_it(catalog: Catalog) -> None:
    """Sellers of several countries name none."""
    for offer in catalog.offers.values():
        site = catalog.sites.get(f"{offer.provider}:{offer.region.lower()}")
        if site is not None and site.country:
            assert offer.country == site.country, offer.id
        if offer.region in SEVERAL_COUNTRIES - {"global"}:
            assert not offer.country, offer.id


NOT_WITHIN_A_PERCENT = {
    "falcon-7b": "a round name",
    "falcon-40b": "a round name",
    "qwen3-1.7b": "printed to one decimal",
    "llama-4-scout": "the 109B include the vision encoder",
    "t5-base": "a round name, 220M, of 222.9M",
    "t5-large": "a round name, 770M, of 737.7M",
}


def test_parameter_counts_are_the_published_ones(catalog: Catalog) -> None:
    off = {
        model.id
        for model in catalog.models.values()
        if abs(opened(model.params_total) / opened(model.published_total) - 1) > 0.01
    }
    assert off == set(NOT_WITHIN_A_PERCENT)


def test_active_parameters_stand_where_there_are_experts(catalog: Catalog) -> None:
    for model in catalog.models.values():
        assert ("moe" in model.architecture) == (model.params_active is not UNSET)
        if model.params_active is not UNSET:
            assert opened(model.params_active) < opened(model.params_total)


def test_deepseek_v3_and_r1_are_there_with_hours_and_rates(catalog: Catalog) -> None:
    hours = {
        "deepseek-v3-pretrain": 2_664_000,
        "deepseek-v3-context": 119_000,
        "deepseek-v3-posttrain": 5_000,
        "deepseek-r1-zero": 101_000,
        "deepseek-r1-sft-data": 5_000,
        "deepseek-r1": 41_000,
    }
    for key, device_hours in hours.items():
        run = catalog.runs[key]
        assert opened(run.device_hours) == device_hours
        assert opened(run.usd_per_device_hour) == 2
        assert opened(run.stated_cost_usd) == 2 * device_hours
        assert run.accelerator == "nvidia-h800-sxm-80gb"
    v3 = [hours[key] for key in hours if key.startswith("deepseek-v3")]
    r1 = [hours[key] for key in hours if key.startswith("deepseek-r1")]
    assert sum(v3) * 2 == 5_576_000
    assert sum(r1) * 2 == 294_000


def test_stated_dollars_are_hours_times_the_stated_rate(catalog: Catalog) -> None:
    rounded = {
        "gpt2-1.5b-2019": 0.001,
        "llmc-gpt2-124m": 0.05,
        "nanochat-d20": 0.05,
        "minimax-m1-rl": 0.0011,  # 534,700 / 258,048 = 2.0721, printed as 2.07
    }
    checked = 0
    for run in catalog.runs.values():
        if UNSET in (run.device_hours, run.usd_per_device_hour, run.stated_cost_usd):
            continue
        product = opened(run.device_hours) * opened(run.usd_per_device_hour)
        tolerance = rounded.get(run.id, 0)  # "about 20 dollars" and the like
        assert product == pytest.approx(opened(run.stated_cost_usd), rel=tolerance), run.id
        checked += 1
    assert checked == 10


def test_a_run_keeps_every_fact_and_names_a_known_device_or_none(catalog: Catalog) -> None:
    unnamed = Counter(
        run.facts.get("accelerator_as_stated")
        for run in catalog.runs.values()
        if not run.accelerator
    )
    assert set(unnamed) == {
        None,
        "Hopper (export)",
        "Cerebras CS-2",
        "mixed Chinese + NVIDIA",
        "Ascend 910B/C",
        "A100/H200",
        "RX 7900 XTX",
        "RTX A5000",
    }
    v3 = catalog.runs["deepseek-v3-pretrain"]
    assert v3.facts["tokens_b"] == 14_800
    assert v3.facts["device_count"] == 2048
    assert v3.facts["architecture"]["experts"] == 256


def test_hours_say_how_they_were_come_by(catalog: Catalog) -> None:
    for run in catalog.runs.values():
        if run.device_hours is not UNSET:
            assert run.device_hours_basis, run.id
    grades = Counter(run.benchmark_grade for run in catalog.runs.values())
    assert grades == {"A": 94, "B": 47, "C": 51, "D": 16}


def test_h100_hours_cost_what_they_did(catalog: Catalog) -> None:
    history = catalog.price_history["nvidia-h100-sxm-80gb"]
    assert len(history) > 100
    assert [point.date for point in history] == sorted(point.date for point in history)
    aws = [p for p in history if p.scope.startswith("aws us-east-1 p5.48xlarge")]
    assert {12.29, 6.88} <= {round(opened(point.price_per_device_hour), 2) for point in aws}
