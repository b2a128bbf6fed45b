"""Folders stay small enough to be read as a list."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_MODULES = 14


def modules_by_folder() -> Counter[str]:
    """How many Python files each folder of the service and of the laboratory holds."""
    files = (path for top in ("service", "lab") for path in (ROOT / top).rglob("*.py"))
    return Counter(path.parent.relative_to(ROOT).as_posix() for path in files)


def test_no_folder_holds_more_than_fourteen_modules():
    held = modules_by_folder()
    assert held["service/core/stages"]
    assert {folder: n for folder, n in held.items() if n > MOST_MODULES} == {}
