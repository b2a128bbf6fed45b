"""How people write names: each leads to the one that is meant, or to a list that holds it.

The rows of `spellings.csv` are spellings of public threads, of model hubs, of consoles of sellers
and of what drivers print. `taken` means that the request is answered, `listed` that it is refused
with these names.
"""

import csv
from pathlib import Path

import pytest

from service.core.catalog.errors import UnknownName
from tests.worlds import embedded

with (Path(__file__).parent / "spellings.csv").open(newline="") as file:
    ROWS = tuple(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["accelerator", "model", "provider", "region", "site", "run"])
def test_a_spelling_is_taken_for_what_is_meant_or_refused_with_a_list_that_holds_it(kind):
    names = embedded().names[kind]
    rows = [row for row in ROWS if row["kind"] == kind]
    assert rows
    found = {row["spelling"]: names.resolve(row["spelling"]) for row in rows}
    meant = {row["spelling"]: row["meant"] if row["answer"] == "taken" else None for row in rows}
    assert found == meant
    for row in rows:
        if row["answer"] == "listed":
            assert set(row["meant"].split()) <= set(names.nearest(row["spelling"])), row


@pytest.mark.parametrize(
    "kind", ["accelerator", "offer", "model", "site", "run", "provider", "region"]
)
def test_every_name_of_the_catalog_stands_for_itself_in_whatever_case(kind):
    names = embedded().names[kind]
    for name in names:
        assert names.resolve(name) == name
        assert names.resolve(f" {name.upper()} ") in {name, None}
        assert name in names.nearest(f" {name.upper()} ")


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("accelerator", "AMD H100"),
        ("accelerator", "H100 A100"),
        ("accelerator", "H1000"),
        ("accelerator", "H100 PCIe 94GB SXM"),
        ("model", "llama-27b"),
        ("model", "someone/Llama-3.1-8B-Vision"),
        ("model", "Qwen2-VL-7B"),
        ("region", "eu-west-1"),
    ],
)
def test_what_is_not_known_is_never_guessed(kind, asked):
    catalog = embedded()
    assert catalog.names[kind].resolve(asked) is None
    error = catalog.unknown(kind, asked, pointer="")
    assert isinstance(error, UnknownName)
    assert error.nearest
