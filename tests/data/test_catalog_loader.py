"""A catalog that is not sound is refused, with the file and the row to blame."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.catalog_files import DATA_DIRECTORY, CatalogError, Problem, load_catalog
from service.catalog_files.files import scaled
from service.core.catalog.catalog import Catalog

Edit = Callable[[str], str]


def in_row(row: str, old: str, new: str) -> Edit:
    """The file with `old` replaced in the first line that starts with `row`."""

    def edited(text: str) -> str:
        lines = text.split("\n")
        at = next(n for n, line in enumerate(lines) if line.startswith(row))
        assert old in lines[at], lines[at]
        lines[at] = lines[at].replace(old, new, 1)
        return "\n".join(lines)

    return edited


def in_entry(row: str, old: str, new: str) -> Edit:
    """The file with `old` replaced at its first occurrence after the line `id = "row"`."""

    def edited(text: str) -> str:
        start = text.index(f'"{row}"')
        at = text.index(old, start)
        return text[:at] + new + text[at + len(old) :]

    return edited


def repeated(row: str) -> Edit:
    """The file with its line of this beginning once more at the end."""

    def edited(text: str) -> str:
        line = next(line for line in text.split("\n") if line.startswith(row))
        return text + line + "\n"

    return edited


def emptied(row: str, column: str) -> Edit:
    """The file with one cell emptied; only for rows without quoted cells."""

    def edited(text: str) -> str:
        lines = text.split("\n")
        at = next(n for n, line in enumerate(lines) if line.startswith(row))
        cells = lines[at].split(",")
        cells[lines[0].split(",").index(column)] = ""
        lines[at] = ",".join(cells)
        return "\n".join(lines)

    return edited


AWS, H100 = "offers/aws.csv", "aws-us-east-1-p5-48xlarge-on-demand-2026-07"
NVIDIA, H100_SXM = "accelerators/nvidia.toml", "nvidia-h100-sxm-80gb"
H100_RATES = "{ fp32 = 67, tf32 = 494.5, fp16 = 989, bf16 = 989, fp8 = 1979, int8 = 1979 }"
RUNS = "runs/reference_runs.jsonl"
V3 = '{"id": "deepseek-v3-pretrain"'

DEFECTS: dict[str, tuple[str, Edit, str, str]] = {
    "an exclusion of nothing known": (
        "exclusions.toml",
        lambda text: text.replace('item = "fleet"', 'item = "coffee"'),
        "entry",
        "coffee",
    ),
    "a magnitude without a unit": (
        "exclusions.toml",
        lambda text: text.replace('unit = "usd/gigabyte"\n', ""),
        "entry",
        "come together",
    ),
    "words that name what no quote has": (
        "exclusions.toml",
        lambda text: text.replace("Insuring {cluster}", "Insuring {clutter}"),
        "entry",
        "clutter",
    ),
    "a magnitude upside down": (
        "exclusions.toml",
        lambda text: text.replace("low = 1.3e9", "low = 1.7e9"),
        "entry",
        "is above",
    ),
    "an exclusion of an unknown run": (
        "exclusions.toml",
        lambda text: text.replace('"deepseek-v3-context"', '"deepseek-v2-context"'),
        "entry",
        "deepseek-v2-context",
    ),
    "a system of an unknown device": (
        "systems.csv",
        in_row("dgx-h100,", "nvidia-h100-sxm-80gb", "nvidia-h1000"),
        "dgx-h100",
        "unknown accelerator 'nvidia-h1000'",
    ),
    "two systems of one device with unlike numbers of it": (
        "systems.csv",
        lambda text: text + "h100-x,H100 x,nvidia-h100-sxm-80gb,4,5,,,recalled,low,\n",
        "h100-x",
        "has another number of devices",
    ),
    "a rated power outside of its span": (
        "systems.csv",
        in_row("gb300-nvl72,", ",120,142,", ",136,142,"),
        "gb300-nvl72",
        "come together, around rated_kw",
    ),
    "a claim about an unknown run": (
        "claims.toml",
        lambda text: text.replace('"deepseek-r1-zero"', '"deepseek-r2-zero"'),
        "entry 1 (deepseek-r1-294k)",
        "unknown run 'deepseek-r2-zero'",
    ),
    "a claim of the future": (
        "claims.toml",
        lambda text: text.replace('said_on = "2025-09-17"', 'said_on = "2035-09-17"', 1),
        "entry 1 (deepseek-r1-294k)",
        "later than this edition",
    ),
    "a claim of nothing": (
        "claims.toml",
        lambda text: text.replace("[claim.claim.what]", "[claim.claim.which]", 1),
        "entry 1 (deepseek-r1-294k)",
        "unknown field `which`",
    ),
    "a claim made twice": (
        "claims.toml",
        lambda text: text.replace('id = "deepseek-v3-5.576m"', 'id = "deepseek-r1-294k"'),
        "entry 2 (deepseek-r1-294k)",
        "is there already",
    ),
    "a purchase price of an unknown device": (
        "prices/purchase_prices.csv",
        lambda text: text.replace("\nnvidia-gb300,", "\nnvidia-gb400,", 1),
        "nvidia-gb400",
        "unknown accelerator 'nvidia-gb400'",
    ),
    "a purchase price outside of its range": (
        "prices/purchase_prices.csv",
        in_row("nvidia-gb200,2026-08-31", ",38888.89,", ",44000,"),
        "nvidia-gb200",
        "is not between 44000 and",
    ),
    "a variant of an unknown device": (
        NVIDIA,
        in_entry("nvidia-h800-sxm-80gb", 'variant_of = "nvidia-h100', 'variant_of = "nvidia-h1000'),
        "nvidia-h800-sxm-80gb",
        "is no device before this one",
    ),
    "a price of zero": (AWS, in_row(H100, ",6.88,", ",0,"), H100, "price_per_device_hour"),
    "a negative price": (AWS, in_row(H100, ",6.88,", ",-6.88,"), H100, "price_per_device_hour"),
    "a price that is not a number": (AWS, in_row(H100, ",6.88,", ",nan,"), H100, "> 0"),
    "a price without end": (AWS, in_row(H100, ",6.88,", ",inf,"), H100, "<= 1000000"),
    "a price in words": (AWS, in_row(H100, ",6.88,", ",ask us,"), H100, "got `str`"),
    "no price": (AWS, emptied(H100, "price_per_hour"), H100, "field `price_per_hour`"),
    "prices that do not agree": (AWS, in_row(H100, ",6.88,", ",55.04,"), H100, "not 55.04"),
    "one offer twice": (AWS, repeated(H100), H100, "is there already"),
    "one offer in two files": (
        "offers/gcp.csv",
        lambda text: text + (DATA_DIRECTORY / AWS).read_text("utf-8").split("\n")[1] + "\n",
        "aws-",
        "is there already",
    ),
    "one device in two files": (
        NVIDIA,
        lambda text: text.replace(f'"{H100_SXM}"', '"amd-mi300x"'),
        "amd-mi300x",
        "is there already",
    ),
    "an offer without source": (AWS, emptied(H100, "source"), H100, "field `source`"),
    "an offer without date": (AWS, emptied(H100, "observed_on"), H100, "field `observed_on`"),
    "a source nobody listed": (AWS, in_row(H100, "karpenter", "hearsay"), H100, "unknown source"),
    "a day that is not in the calendar": (
        AWS,
        in_row(H100, ",2026-07-20,", ",2026-02-30,"),
        H100,
        "there is no date 2026-02-30",
    ),
    "a thirteenth month": (AWS, in_row(H100, ",2026-07-20,", ",2026-13,"), H100, "no date 2026-13"),
    "a date after the edition": (
        AWS,
        in_row(H100, ",2026-07-20,", ",2026-12-01,"),
        H100,
        "later than this edition",
    ),
    "a date in another order": (
        AWS,
        in_row(H100, ",2026-07-20,", ",20/07/2026,"),
        H100,
        "$.observed_on",
    ),
    "an unknown currency": (AWS, in_row(H100, ",USD,", ",CHF,"), H100, "$.currency"),
    "an unknown price kind": (AWS, in_row(H100, ",on_demand,", ",list,"), H100, "$.price_kind"),
    "an offer of an unknown device": (
        AWS,
        in_row(H100, f",{H100_SXM},", ",nvidia-h1000,"),
        H100,
        "unknown accelerator 'nvidia-h1000'",
    ),
    "an offer of an unknown seller": (
        AWS,
        in_row(H100, ",aws,", ",amazon,"),
        H100,
        "unknown provider 'amazon'",
    ),
    "an unknown column": (
        AWS,
        in_row("id,provider", "network_gbps", "network_gb"),
        "line 1",
        "unknown column 'network_gb'",
    ),
    "a cell too many": (AWS, in_row(H100, ",on_demand,", ",on_demand,,"), H100, "28 cells"),
    "a source without a date": (
        "sources.csv",
        emptied("ml-engineering-744d01e-accelerator", "as_of"),
        "ml-engineering-744d01e-accelerator",
        "field `as_of`",
    ),
    "one source twice": (
        "sources.csv",
        repeated("recalled,"),
        "recalled",
        "is there already",
    ),
    "a sparse FP8 rate": (NVIDIA, in_entry(H100_SXM, "fp8 = 1979", "fp8 = 3958"), H100_SXM, "fp8"),
    "a sparse BF16 rate beside a dense FP16 one": (
        NVIDIA,
        in_entry(H100_SXM, "bf16 = 989", "bf16 = 1979"),
        H100_SXM,
        "sparse?",
    ),
    "a sheet of sparse rates throughout": (
        NVIDIA,
        in_entry(
            H100_SXM,
            H100_RATES,
            "{ fp32 = 67, tf32 = 989, fp16 = 1979, bf16 = 1979, fp8 = 3958 }",
        ),
        H100_SXM,
        "bf16 is 29.5 x fp32",
    ),
    "a sheet of sparse rates without the vector rate": (
        NVIDIA,
        in_entry(H100_SXM, H100_RATES, "{ tf32 = 989, fp16 = 1979, bf16 = 1979, fp8 = 3958 }"),
        H100_SXM,
        "without the fp32 rate",
    ),
    "a rate that says it is sparse": (
        NVIDIA,
        in_entry(H100_SXM, "fp8 = 1979", "fp8_sparse = 3958"),
        H100_SXM,
        "fp8_sparse",
    ),
    "the rates of an architecture nobody described": (
        NVIDIA,
        in_entry(H100_SXM, '"Hopper"', '"Rubin"'),
        H100_SXM,
        "is not in dense_rates.toml",
    ),
    "a device of a family nobody described": (
        NVIDIA,
        in_entry(H100_SXM, '"Hopper"', '"Rubin"'),
        H100_SXM,
        "has no family 'Rubin'",
    ),
    "a family with the failures of an unknown fleet": (
        "accelerator_families.toml",
        in_entry("Hopper", 'fleet = "hopper"', 'fleet = "rubin"'),
        "Hopper",
        "no assumption reliability.failures_per_device_day.rubin",
    ),
    "a family that is neither GPU nor TPU": (
        "accelerator_families.toml",
        in_entry("Hopper", 'kind = "gpu"', 'kind = "npu"'),
        "Hopper",
        "npu",
    ),
    "one family twice": (
        "accelerator_families.toml",
        lambda text: text.replace('name = "Turing"', 'name = "Volta"'),
        "Volta",
        "is there already",
    ),
    "a device on an unknown class of network": (
        NVIDIA,
        in_entry(H100_SXM, 'network_class = "hopper"', 'network_class = "rubin"'),
        H100_SXM,
        "no assumption network.byte_per_s_per_device.rubin",
    ),
    "a device of a family that epoch-2024 does not have": (
        NVIDIA,
        in_entry(H100_SXM, 'epoch_2024_family = "h100"', 'epoch_2024_family = "h800"'),
        H100_SXM,
        "no assumption epoch_2024.server_overhead.h800 or epoch_2024.server_power_ratio.h800",
    ),
    "an effect of a generation that no device has": (
        "engine/effects.toml",
        lambda text: text.replace("gemm_share/hopper", "gemm_share/rubin"),
        "gemm_share/rubin",
        "no device or generation",
    ),
    "both directions of a link taken for one": (
        NVIDIA,
        in_entry(H100_SXM, "unidirectional_gb_per_s = 450", "unidirectional_gb_per_s = 900"),
        H100_SXM,
        "twice one direction",
    ),
    "a rate of zero": (NVIDIA, in_entry(H100_SXM, "fp32 = 67", "fp32 = 0"), H100_SXM, "> 0"),
    "a unit in the name of a member": (
        NVIDIA,
        in_entry(H100_SXM, "memory_gb = 80", "memory_mb = 80_000"),
        H100_SXM,
        "memory_mb",
    ),
    "no memory": (
        NVIDIA,
        in_entry(H100_SXM, "memory_gb = 80\n", ""),
        H100_SXM,
        "one of memory_gb and memory_gib",
    ),
    "a device without source": (
        NVIDIA,
        in_entry(H100_SXM, 'sources = ["', 'sources = [] # ["'),
        H100_SXM,
        "$.sources",
    ),
    "a recalled field that is not there": (
        NVIDIA,
        in_entry(H100_SXM, "recalled = []", 'recalled = ["watts"]'),
        H100_SXM,
        "recalled names no field",
    ),
    "an assumption in an unknown unit": (
        "currencies.toml",
        in_entry("usd_per_eur", '"usd/eur"', '"dollar"'),
        "usd_per_eur",
        "$.unit",
    ),
    "a value outside its interval": (
        "currencies.toml",
        in_entry("usd_per_eur", "low = 1.0822", "low = 1.1222"),
        "usd_per_eur",
        "is not between",
    ),
    "half an interval": (
        "currencies.toml",
        in_entry("usd_per_eur", "low = 1.0822\n", ""),
        "usd_per_eur",
        "come together",
    ),
    "neither an interval nor a reason for none": (
        "currencies.toml",
        in_entry("usd_per_eur", "low = 1.0822\nhigh = 1.1533\n", ""),
        "usd_per_eur",
        "either low and high, or exact",
    ),
    "a reason for no interval that is none": (
        "assumptions/rental.toml",
        in_entry("rental.term_hours.reserved_1y", '"definition"', '"whatever"'),
        "rental.term_hours.reserved_1y",
        "$.exact",
    ),
    "a span that leaves its field out": (
        "accelerators/nvidia.toml",
        in_entry("nvidia-a800-pcie-80gb", "[250, 300]", "[250, 290]"),
        "nvidia-a800-pcie-80gb",
        "spans: tdp_w is not a field between",
    ),
    "a span of nothing": (
        "accelerators/nvidia.toml",
        in_entry("nvidia-a800-pcie-80gb", "spans = { tdp_w", "spans = { tdp"),
        "nvidia-a800-pcie-80gb",
        "spans: tdp is not a field between",
    ),
    "a range that is missing": (
        "ranges/measured.toml",
        in_entry("carbon_of_zone", "carbon_of_zone", "carbon_of_region"),
        "carbon_of_region",
        "is there already",
    ),
    "an exact kind that does not say so": (
        "ranges/exact.toml",
        in_entry("count", "exact: counted", "counted"),
        "count",
        "$.basis",
    ),
    "an assumption without date": (
        "currencies.toml",
        in_entry("usd_per_eur", 'as_of = "2026-10-30"', 'as_at = "2026-10-30"'),
        "usd_per_eur",
        "as_of",
    ),
    "a tariff of zero": ("sites/grids.csv", in_row("us-va,", ",0.0", ",-0.0"), "us-va", "> 0"),
    "a tariff without source": (
        "sites/grids.csv",
        emptied("us-va,", "price_source"),
        "us-va",
        "the tariff has no source",
    ),
    "a region in no grid": (
        "sites/regions.csv",
        in_row("aws:us-east-1,", ",us-va,", ",us-vx,"),
        "aws:us-east-1",
        "unknown grid zone 'us-vx'",
    ),
    "a PUE below one": ("sites/pue.csv", in_row("aws,", ",1.25,", ",0.25,"), "aws", ">= 1"),
    "a model without a name": (
        "models/openai.toml",
        in_entry("gpt2-small", 'name = "GPT-2 124M"\n', ""),
        "gpt2-small",
        "field `name`",
    ),
    "more active parameters than there are": (
        "models/deepseek.toml",
        in_entry("deepseek-v3", "params_active = ", "params_active = 100"),
        "deepseek-v3",
        "more parameters are active",
    ),
    "a parameter count that the fields do not make": (
        "models/openai.toml",
        in_entry("gpt2-small", "params_total = ", "params_total = 1"),
        "gpt2-small",
        "but the fields make 124439808",
    ),
    "a model with a field that no transformer has": (
        "models/openai.toml",
        in_entry("gpt2-small", "hidden_size = ", "width = 1\nhidden_size = "),
        "gpt2-small",
        "unknown field `width`",
    ),
    "a model that contradicts itself": (
        "models/openai.toml",
        in_entry("gpt2-small", "kv_heads = 12", "kv_heads = 5"),
        "gpt2-small",
        "kv_heads must divide heads",
    ),
    "a run without source": (
        RUNS,
        in_row(V3, '"source": [{', '"source": [], "was": [{'),
        "line 1",
        "$.source",
    ),
    "a run of zero hours": (
        RUNS,
        in_row(V3, '"device_hours": 2664000', '"device_hours": 0'),
        "line 1",
        "$.device_hours",
    ),
    "a run with a member nobody knows": (
        RUNS,
        in_row(V3, '"device_hours"', '"gpu_hours": 1, "device_hours"'),
        "line 1",
        "gpu_hours",
    ),
    "an alias for an unknown device": (
        "accelerator_aliases.csv",
        in_row("A100,", "nvidia-a100-sxm-80gb", "nvidia-a1000"),
        "A100",
        "unknown accelerator",
    ),
    "an edition without a version": (
        "catalog.toml",
        lambda text: text.replace("version =", "edition ="),
        "the whole file",
        "edition",
    ),
    "an edition published before its date": (
        "catalog.toml",
        lambda text: re.sub(r'(published_at = ")\d{4}', r"\g<1>2020", text),
        "the whole file",
        "before version",
    ),
    "a file that is not TOML": (
        "catalog.toml",
        lambda text: text + "\nversion : 1",
        "the whole file",
        "line",
    ),
}


def copy_of_the_data(directory: Path) -> Path:
    """The embedded data, to be spoilt."""
    return shutil.copytree(DATA_DIRECTORY, directory / "data")


def problems_of(directory: Path) -> tuple[Problem, ...]:
    """What the loader has against a directory."""
    with pytest.raises(CatalogError) as refused:
        load_catalog(directory)
    return refused.value.problems


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_loader_refuses(defect: str, tmp_path: Path) -> None:
    file, edit, row, why = DEFECTS[defect]
    data = copy_of_the_data(tmp_path)
    before = (data / file).read_text(encoding="utf-8")
    after = edit(before)
    assert after != before
    (data / file).write_text(after, encoding="utf-8")
    problems = problems_of(data)
    assert any(
        problem.file == file and row in problem.row and why in problem.why for problem in problems
    ), problems


def test_every_device_with_structured_sparsity_is_refused_at_its_sparse_rates(
    catalog: Catalog, tmp_path: Path
) -> None:
    data = copy_of_the_data(tmp_path)
    for file in (data / "accelerators").glob("*.toml"):
        lines = file.read_text(encoding="utf-8").split("\n")
        spoilt = [doubled(line) if line.startswith("peak_dense") else line for line in lines]
        file.write_text("\n".join(spoilt), encoding="utf-8")
    refused = {problem.row for problem in problems_of(data) if "sparse?" in problem.why}
    sparse = [
        device.id
        for device in catalog.accelerators.values()
        if device.vendor in ("NVIDIA", "AMD", "AWS")
    ]
    assert len(sparse) > 40
    for device in sparse:
        assert any(f"({device})" in row for row in refused), device


def doubled(line: str) -> str:
    """The rates of a row as a sheet with sparsity prints them: all but the vector rate twice."""
    return re.sub(r"(?<!fp32) = ([\d.]+)(?=[, ])", lambda rate: f" = {2 * float(rate[1])!r}", line)


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    data = copy_of_the_data(tmp_path)
    names = ("a negative price", "a sparse FP8 rate", "a PUE below one", "a run of zero hours")
    for name in names:
        file, edit, _, _ = DEFECTS[name]
        text = (data / file).read_text(encoding="utf-8")
        (data / file).write_text(edit(text), encoding="utf-8")
    problems = problems_of(data)
    in_files = {problem.file for problem in problems}
    names_the_unread_run = {"claims.toml", "exclusions.toml", "runs/predicted_runs.csv"}
    assert in_files - names_the_unread_run == {DEFECTS[name][0] for name in names}


def test_the_message_names_file_and_row(tmp_path: Path) -> None:
    file, edit, row, _ = DEFECTS["a price of zero"]
    data = copy_of_the_data(tmp_path)
    (data / file).write_text(edit((data / file).read_text("utf-8")), encoding="utf-8")
    with pytest.raises(CatalogError, match=rf"offers/aws\.csv, line \d+ \({row}\)"):
        load_catalog(data)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    data = copy_of_the_data(tmp_path)
    (data / "providers.csv").unlink()
    assert Problem("providers.csv", "the whole file", "no such file") in problems_of(data)


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    assert problems_of(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    data = copy_of_the_data(tmp_path)
    (data / AWS).write_bytes(b"id\xff\n")
    assert Problem(AWS, "byte 2", "is not UTF-8") in problems_of(data)


def test_a_copy_has_the_same_digest_whatever_ends_its_lines(
    catalog: Catalog, tmp_path: Path
) -> None:
    data = copy_of_the_data(tmp_path)
    for path in data.rglob("*.*"):
        if path.is_file():
            lines = path.read_bytes().replace(b"\r\n", b"\n")
            path.write_bytes(lines.replace(b"\n", b"\r\n"))
    (data / "notes.txt").write_text("not part of the catalog")
    copied = load_catalog(data)
    assert copied.digest == catalog.digest
    assert copied == catalog


def test_another_price_is_another_digest(catalog: Catalog, tmp_path: Path) -> None:
    data = copy_of_the_data(tmp_path)
    edit = in_row(H100, ",55.04,6.88,", ",56,7,")
    (data / AWS).write_text(edit((data / AWS).read_text("utf-8")), encoding="utf-8")
    assert load_catalog(data).digest != catalog.digest


@given(
    mantissa=st.integers(min_value=1, max_value=10**6),
    places=st.integers(min_value=0, max_value=4),
    exponent=st.integers(min_value=-3, max_value=12),
)
def test_scaling_by_a_power_of_ten_is_what_moving_the_point_gives(
    mantissa: int, places: int, exponent: int
) -> None:
    printed = float(f"{mantissa}e-{places}")
    assert scaled(printed, exponent) == float(f"{mantissa}e{exponent - places}")
