"""The documents say what is so: links, paths, rooms, contracts, and the path of a number."""

import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from service.local import quote_bytes

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
BY_HAND = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "lab/README.md", "service/data/README.md")
    for path in ROOT.glob(pattern)
)
PATHS_START = ("", "service", "service/core", "service/data", "tests/service", "lab")
"""Where a path in a document may start."""
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]


@pytest.mark.parametrize("name", BY_HAND)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / name).parent / link).exists(), link


@pytest.mark.parametrize("name", BY_HAND)
def test_files_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    made_by_recipe = set(re.findall(r"^```python (\S+)$", text, re.MULTILINE))
    for path in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|toml|csv|jsonl|yml|yaml))`", text):
        found = any((ROOT / start / path).exists() for start in PATHS_START)
        assert found or path in made_by_recipe, path


def test_the_rooms_are_those_of_the_import_contract() -> None:
    (core,) = (one for one in CONTRACTS if one.get("containers") == ["service.core"])
    layers = [set(layer.split(" | ")) for layer in core["layers"]]
    table = ARCHITECTURE.partition("## The rooms of the core")[2].partition("## Contracts")[0]
    rooms = [
        name.removesuffix(".py") for name in re.findall(r"^\| `([\w.]+)/?` \|", table, re.MULTILINE)
    ]
    assert len(rooms) == sum(map(len, layers))
    for layer in reversed(layers):
        assert set(rooms[: len(layer)]) == layer
        del rooms[: len(layer)]


def test_the_picture_has_every_room_and_only_arrows_that_lead_down() -> None:
    (core,) = (one for one in CONTRACTS if one.get("containers") == ["service.core"])
    floor = {
        room: place for place, layer in enumerate(core["layers"]) for room in layer.split(" | ")
    }
    (picture,) = re.findall(r"```mermaid\nflowchart TD\n(.*?)```", ARCHITECTURE, re.DOTALL)
    drawn: set[str] = set()
    for chain in picture.splitlines():
        steps = [re.findall(r"\w+", step) for step in chain.split("-->")]
        drawn.update(*steps)
        for above, below in pairwise(steps):
            assert max(floor[room] for room in above) < min(floor[room] for room in below), chain
    assert drawn == floor.keys()


def test_every_import_contract_is_explained() -> None:
    told = ARCHITECTURE.partition("## Contracts")[2].partition("## The path")[0]
    names = re.findall(r"^- \*\*(.*?)\.?\*\*", told, re.MULTILINE)
    assert sorted(names) == sorted(contract["name"] for contract in CONTRACTS)


def test_the_path_of_a_number_is_the_one_that_it_takes() -> None:
    told = ARCHITECTURE.partition("## The path of one number")[2]
    request, *figures, answer = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", told, re.DOTALL)
    )
    quote = json.loads(quote_bytes(json.dumps(request).encode()))
    rental = quote["bases"][0]
    assert answer == {"line": rental["lines"][0], "total": rental["total"]}
    assert len(figures) == 3
    for shown in figures:
        ((name, facts),) = shown.items()
        assert facts.items() <= quote["figures"][name].items()


@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_said_to_be_made_can_be_made(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", text):
        assert target in targets, target
