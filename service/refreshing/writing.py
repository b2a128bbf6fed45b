"""Puts an overlay into its folder: whole and on the disk, or not at all."""

import os
import shutil
from pathlib import Path

from service.catalog_files.files import rank_of
from service.catalog_files.texts import Texts
from service.editions.folder import VERSION


def next_version(folder: Path, day: str, *, embedded: str) -> str:
    """The name of a new edition of a day: the day, or with a number if there is one already."""
    taken = {path.name for path in folder.iterdir() if VERSION.fullmatch(path.name)} | {embedded}
    number = 1
    while (version := day if number == 1 else f"{day}.{number}") in taken:
        number += 1
    return version


def newest_version(folder: Path, *, embedded: str) -> str:
    """The latest edition that there is."""
    names = [path.name for path in folder.iterdir() if VERSION.fullmatch(path.name)]
    return max([*names, embedded], key=rank_of)


def write_overlay(folder: Path, version: str, texts: Texts) -> Path:
    """Write the files beside their place, force them to the disk, and rename their directory.

    Raises `OSError`, and then leaves nothing behind.
    """
    place = folder / version
    if place.exists():
        raise FileExistsError(f"{place} is there already")
    written = folder / f".{version}.{os.getpid()}"
    try:
        for name, text in texts.items():
            _write(written / name, text.encode())
        for directory in (path for path in written.rglob("*") if path.is_dir()):
            _force(directory)
        _force(written)
        written.rename(place)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
    _force(folder)
    return place


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _force(directory: Path) -> None:
    """Force the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
