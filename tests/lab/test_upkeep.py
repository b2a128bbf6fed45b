"""Are generated files found out that are not what their inputs make? Tried on a copy of it all."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.files import ROOT
from lab.upkeep.products import PRODUCTS

REPORT = "service/data/engine/report.md"
CONSTANTS = "service/data/engine/constants.toml"
MEASUREMENTS = "lab/data/step_measurements.jsonl"
TARIFFS = "service/data/prices/epoch_energy_prices.csv"
STEP_TIME = "service/core/training/steptime/parts.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("copy")
    for name in ("service", "lab", "docs", "openapi"):
        shutil.copytree(ROOT / name, directory / name)
    return directory


@pytest.fixture
def edited(copy: Path) -> Iterator["Edits"]:
    edits = Edits(copy)
    yield edits
    edits.undo()


class Edits:
    """Changes to the files of a copy, until they are undone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._before: dict[Path, str] = {}

    def replace(self, name: str, before: str, after: str) -> None:
        """Put other words in the first place where these stand."""
        path = self.directory / name
        text = self._before.setdefault(path, path.read_text(encoding="utf-8"))
        assert before in text
        path.write_text(text.replace(before, after, 1), encoding="utf-8")

    def undo(self) -> None:
        for path, text in self._before.items():
            path.write_text(text, encoding="utf-8")


def lab(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=directory,
        env={"PYTHONPATH": str(directory), "COLUMNS": "200", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_generated_file_is_of_one_product_and_there():
    files = [file for product in PRODUCTS for file in product.files]
    assert len(files) == len(set(files))
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize(
    ("product", "file", "before", "after"),
    [
        pytest.param("steps report", REPORT, "## Coverage", "## Reach", id="a report"),
        pytest.param("steps fit", CONSTANTS, "value = 0.", "value = 1.", id="a fitted constant"),
        pytest.param("steps fit", CONSTANTS, "prior = 0.", "prior = 1.", id="a prior"),
        pytest.param("steps fit", MEASUREMENTS, '_s": 10.42239', '_s": 10.9', id="a measurement"),
        pytest.param("ranges measure", TARIFFS, ",0.0", ",0.9", id="a tariff"),
    ],
)
def test_a_file_that_is_not_what_its_inputs_make_is_named(
    edited: Edits, product: str, file: str, before: str, after: str
) -> None:
    edited.replace(file, before, after)
    done = lab(edited.directory, "check", product)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{product}: " in done.stdout


def test_an_engine_that_answers_otherwise_asks_for_a_fit_and_one_that_is_told_otherwise_does_not(
    edited: Edits,
) -> None:
    edited.replace(STEP_TIME, '"""', '"""In other words. ')
    done = lab(edited.directory, "check", "steps fit")
    assert "nothing that it reads has changed" in done.stdout, done.stdout + done.stderr
    edited.replace(STEP_TIME, "BACKWARD_HOST = 1.5", "BACKWARD_HOST = 3.0 / 2.0")
    assert lab(edited.directory, "check", "steps fit").returncode == 0
    edited.undo()
    edited.replace(STEP_TIME, "BACKWARD_HOST = 1.5", "BACKWARD_HOST = 1.6")
    done = lab(edited.directory, "check", "steps fit")
    assert done.returncode == 1
    assert "what it fits, or how, has changed" in done.stdout


def test_regenerating_writes_what_its_inputs_make_and_nothing_else(edited: Edits) -> None:
    file = edited.directory / "service" / "data" / "runs" / "predicted_runs.csv"
    before = file.read_text(encoding="utf-8")
    edited.replace("service/data/runs/predicted_runs.csv", "llama2-7b,", "llama2-7b,9")
    done = lab(edited.directory, "regenerate", "runs predict")
    assert "written: service/data/runs/predicted_runs.csv" in done.stdout
    assert file.read_text(encoding="utf-8") == before
    assert (
        "nothing that it reads has changed"
        in lab(edited.directory, "regenerate", "runs predict").stdout
    )
