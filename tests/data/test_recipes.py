"""The recipes work as they are written: each is carried out on a copy of the data, and quoted."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import service
from service.catalog_files import DATA_DIRECTORY, CatalogError, load_catalog
from service.core.answer import PricedBill, Quote
from service.core.catalog.catalog import Catalog
from service.core.figures.sources import Published
from tests.worlds import answer, number

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
EDITION = "catalog.toml"
EDIT = re.compile(r"^```\w+ service/data/(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHANGE = re.compile(r"^```(diff|python) (service/core/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRIED = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Edit(NamedTuple):
    """A block of a recipe: the file below the data directory, and the lines for it."""

    file: str
    lines: str


def recipe(name: str) -> str:
    """The text of a recipe up to its first further heading, which is about a rarer case."""
    return (RECIPES / f"{name}.md").read_text(encoding="utf-8").partition("\n## ")[0]


def edits_of(text: str) -> list[Edit]:
    """The edits that a text asks for, in their order."""
    return [Edit(*found) for found in EDIT.findall(text)]


def carried_out(edits: list[Edit], directory: Path) -> Path:
    """A copy of the data with the edits made: lines are added, those of the edition replaced."""
    data = shutil.copytree(DATA_DIRECTORY, directory / "data")
    for file, lines in edits:
        path = data / file
        before = path.read_text(encoding="utf-8")
        if file == EDITION:
            for line in lines.splitlines():
                name = line.partition(" =")[0]
                before = re.sub(rf"^{name} = .*$", line, before, count=1, flags=re.MULTILINE)
            path.write_text(before, encoding="utf-8")
        else:
            path.write_text(before + lines, encoding="utf-8")
    return data


def quoted(text: str, catalog: Catalog) -> Quote:
    """The answer to the request that a recipe ends with."""
    (request,) = TRIED.findall(text)
    return answer(json.loads(request), catalog)


def rental(quote: Quote) -> PricedBill:
    """The rental bill of a quote, which has to have a total."""
    (bill,) = (one for one in quote.bases if one.basis == "rental")
    assert isinstance(bill, PricedBill)
    return bill


@pytest.mark.parametrize("name", ["accelerator", "offer", "model"])
def test_a_recipe_takes_as_many_edits_as_its_title_says(name: str) -> None:
    text = recipe(name)
    (count,) = re.findall(r"^# .*: (\d) edits$", text, re.MULTILINE)
    assert len(edits_of(text)) == int(count)
    assert len(re.findall(r"^\*\*\d\. ", text, re.MULTILINE)) == int(count)


def test_an_accelerator_is_quoted_after_three_edits(tmp_path: Path) -> None:
    text = recipe("accelerator")
    catalog = load_catalog(carried_out(edits_of(text), tmp_path))
    assert catalog.accelerator_aliases["RTX A4500"] == "nvidia-rtx-a4500"
    quote = quoted(text, catalog)
    assert quote.stages[0].feasibility.status == "fits"
    assert float(rental(quote).total.amount) > 0
    peak = quote.figures["accelerators/nvidia-rtx-a4500/peak_bf16_dense"]
    assert peak.value == 94.6e12
    assert isinstance(peak.source, Published)
    assert peak.source.title == "NVIDIA RTX A4500 data sheet"


def test_an_accelerator_of_a_new_architecture_is_quoted_after_five_edits(tmp_path: Path) -> None:
    whole = (RECIPES / "accelerator.md").read_text(encoding="utf-8")
    assert "architecture is new: 5 edits" in whole
    edits = edits_of(whole.replace('architecture = "Ampere"', 'architecture = "Example"'))
    assert len(edits) == 5
    catalog = load_catalog(carried_out(edits, tmp_path))
    assert catalog.accelerators["nvidia-rtx-a4500"].generation == "example"
    quote = quoted(recipe("accelerator"), catalog)
    assert quote.stages[0].feasibility.status == "fits"


def test_an_offer_is_quoted_after_two_edits(tmp_path: Path) -> None:
    text = recipe("offer")
    catalog = load_catalog(carried_out(edits_of(text), tmp_path))
    quote = quoted(text, catalog)
    assert rental(quote).total.amount == "2990.00"
    (behind,) = quote.prices_behind
    (read,) = behind.prices
    price = quote.figures[read.figure]
    assert isinstance(price.source, Published)
    assert (price.source.title, price.source.as_of) == ("Lambda price page", "2026-11-26")


def test_a_model_is_quoted_after_two_edits(tmp_path: Path) -> None:
    text = recipe("model")
    catalog = load_catalog(carried_out(edits_of(text), tmp_path))
    assert catalog.version == "2026-11-29"
    assert number(catalog.models["smollm2-360m"].params_total) == 361_821_120
    quote = quoted(text, catalog)
    assert quote.stages[0].feasibility.status == "fits"
    assert float(rental(quote).total.amount) > 0


def test_a_model_of_one_parameter_is_told_its_count_in_the_words_of_the_recipe(
    tmp_path: Path,
) -> None:
    text = recipe("model")
    (said,) = re.findall(r"^```text\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    wrong = re.sub(r"params_(total|embedding) = \d+", r"params_\1 = 1", text)
    with pytest.raises(CatalogError) as refused:
        load_catalog(carried_out(edits_of(wrong), tmp_path))
    entry = re.compile(r"entry \d+")
    told = [entry.sub("entry", str(problem)) for problem in refused.value.problems]
    assert entry.sub("entry", said) in told


def changed(change: str, code: str) -> str:
    """Code with a change as `diff` shows it: the old lines must stand there once."""
    lines = change.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert code.count(old) == 1, old
    return code.replace(old, new)


def test_a_kind_of_work_is_quoted_after_three_edits(tmp_path: Path) -> None:
    text = recipe("kind-of-work")
    package = Path(service.__file__).parent
    shutil.copytree(package, tmp_path / "service", ignore=shutil.ignore_patterns("__pycache__"))
    for form, file, block in CHANGE.findall(text):
        path = tmp_path / file
        code = changed(block, path.read_text(encoding="utf-8")) if form == "diff" else block
        path.write_text(code, encoding="utf-8")
    (request,) = TRIED.findall(text)
    found = subprocess.run(
        [sys.executable, "-m", "service.cli", "quote", "-", "--format", "json"],
        input=request.encode(),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    quote = json.loads(found.stdout)
    assert quote["stages"][0]["device_hours"]["central"] == 400 * 0.5
    assert quote["bases"][0]["total"]["amount"] == "400.00"
    figure = quote["figures"]["stages/0/device_hours_once"]
    assert figure["source"]["formula"] == "device_hours_of_tasks"
    assert figure["p10"] < 200 < figure["p90"]


def test_a_kind_of_work_takes_three_files() -> None:
    text = recipe("kind-of-work")
    assert text.startswith("# A new kind of work: 3 edits\n")
    assert len({file for _, file, _ in CHANGE.findall(text)}) == 3
    assert len(re.findall(r"^\*\*\d\. ", text, re.MULTILINE)) == 3
