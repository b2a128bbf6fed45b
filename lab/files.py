"""Where the laboratory reads and writes: its own measurements, and the data of the service."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from service.catalog_files import DATA_DIRECTORY

ROOT: Final = Path(__file__).resolve().parent.parent
LAB_DATA: Final = ROOT / "lab" / "data"
STEP_MEASUREMENTS: Final = LAB_DATA / "step_measurements.jsonl"
ORDINARY_STEPS: Final = LAB_DATA / "step_measurements_ordinary.jsonl"
REFERENCE_RUNS: Final = DATA_DIRECTORY / "runs" / "reference_runs.jsonl"
MORE_RUNS: Final = LAB_DATA / "reference_runs_more.jsonl"
RUN_SPREAD: Final = LAB_DATA / "run_spread.toml"
MEMORY_FACTS: Final = LAB_DATA / "memory_facts.jsonl"
GENERATION_FACTS: Final = LAB_DATA / "generation_facts.jsonl"
LEFT_OUT: Final = LAB_DATA / "post_training_left_out.csv"
ENGINE: Final = DATA_DIRECTORY / "engine"

Texts = Mapping[Path, str]
"""Files and what is to stand in them."""


def write(texts: Texts) -> None:
    """Put each text into its file."""
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
