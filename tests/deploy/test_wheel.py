"""The wheel: what is installed scores files and knows no laboratory and no SciPy."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab.files import GENERATION_FACTS, LAB_DATA, MEMORY_FACTS, REFERENCE_RUNS, STEP_MEASUREMENTS
from tests.deploy.programs import TOP, run

ROWS = 5
WITHOUT_LABORATORY = """
import sys
sys.path.insert(0, sys.argv.pop(1))
sys.modules["lab"] = sys.modules["scipy"] = None
from service.cli import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [Path(sys.executable).parent / "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (found,) = directory.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    return directory


def test_it_holds_the_service_and_nothing_of_the_laboratory(installed: Path) -> None:
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"service", "runquote"}
    measurements = {path.name for path in LAB_DATA.iterdir()}
    assert not measurements & {path.name for path in installed.rglob("*")}
    (metadata,) = installed.glob("*.dist-info/METADATA")
    assert "Requires-Dist: numpy" in metadata.read_text()
    assert "scipy" not in metadata.read_text()


@pytest.mark.parametrize(
    ("option", "file"),
    [
        ("--steps", STEP_MEASUREMENTS),
        ("--runs", REFERENCE_RUNS),
        ("--epoch", LAB_DATA / "epoch_costs.csv"),
        ("--memory", MEMORY_FACTS),
        ("--generation", GENERATION_FACTS),
    ],
)
def test_it_scores_a_file_without_laboratory_and_scipy(
    option: str, file: Path, installed: Path, tmp_path: Path
) -> None:
    head = file.read_text(encoding="utf-8").splitlines()[: ROWS + 1]
    few = tmp_path / file.name
    few.write_text("\n".join(head) + "\n", encoding="utf-8")
    arguments = (str(installed), "accuracy", option, str(few), "--json")
    done = run("python", "-I", "-c", WITHOUT_LABORATORY, *arguments)
    assert done.returncode == 0, done.stderr
    score = json.loads(done.stdout)
    assert score["rows"] > 0
    assert score["expressed"] > 0
