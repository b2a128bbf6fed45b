"""The day of a price whose file does not print it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple


class Dated(NamedTuple):
    """A day, and whether somebody has stated it."""

    day: str
    basis: Literal["source", "estimated"]


def day_of_file(path: Path, *, stated: str) -> Dated:
    """The stated day, or else the day on which the file was last changed."""
    if stated:
        return Dated(stated, "source")
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Dated(changed.date().isoformat(), "estimated")
