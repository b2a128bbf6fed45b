"""What lies in a folder of overlays, and whether it can be taken over.

States of a directory are told apart by names, sizes and times, without reading a file.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from service.catalog_files import CatalogError
from service.catalog_files.files import rank_of
from service.catalog_files.texts import data_files, read_layer
from service.editions.edition import Edition, Recipe, made_of

VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:\.[1-9]\d{0,3})?")
BOOK_NAME: Final = "price book"

Stamp: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Name, size, time of change and inode of every data file of a directory."""
Reason: TypeAlias = Literal["invalid", "unreadable", "unforeseen"]


class Place(NamedTuple):
    """A directory of data files, and the state in which it was seen."""

    path: Path
    stamp: Stamp


class Refusal(Struct, frozen=True, kw_only=True):
    """What was not taken over: an edition, the price book or the folder, and why."""

    name: str
    reason: Reason
    words: str


class ChangedMeanwhile(Exception):
    """The files changed while they were read; the next look reads them again"""


def seen_at(directory: Path) -> Place:
    """A directory as it is now. Raises `OSError`."""
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory} is not a directory")
    facts = ((name, path.stat()) for name, path in sorted(data_files(directory)))
    stamp = ((name, fact.st_size, fact.st_mtime_ns, fact.st_ino) for name, fact in facts)
    return Place(directory, tuple(stamp))


def overlays_in(folder: Path, *, after: str = "") -> dict[str, Place]:
    """The overlays of a folder by version, the newest first. Raises `OSError`.

    Directories of other names are none: they are being written, or are something else. Those that
    are not later than the embedded edition, `after`, belong to an earlier release of the service.
    """
    found = [path for path in folder.iterdir() if VERSION.fullmatch(path.name) and path.is_dir()]
    later = [path for path in found if not after or rank_of(path.name) > rank_of(after)]
    later.sort(key=lambda path: rank_of(path.name), reverse=True)
    return {path.name: seen_at(path) for path in later}


def under_overlay(version: str, place: Place, recipe: Recipe) -> Edition | Refusal:
    """The edition of an overlay, with the price book and the policy of a recipe."""

    def load() -> Edition:
        edition = made_of(replace(recipe, overlay=read_layer(place.path)))
        if edition.version != version:
            raise ValueError(f"its catalog.toml says {edition.version}")
        return edition

    return loaded(version, place, load)


def under_book(place: Place, recipe: Recipe) -> Edition | Refusal:
    """The embedded edition with another price book."""
    return loaded(BOOK_NAME, place, lambda: made_of(replace(recipe, book=read_layer(place.path))))


def loaded(name: str, place: Place, load: Callable[[], Edition]) -> Edition | Refusal:
    """What a function loads from a place, or why that is not taken over. It never raises."""
    try:
        edition = load()
        if seen_at(place.path) != place:
            raise ChangedMeanwhile("it changed while it was read")  # noqa: TRY301
    except (CatalogError, ValueError) as error:
        return Refusal(name=name, reason="invalid", words=str(error))
    except (OSError, ChangedMeanwhile) as error:
        return Refusal(name=name, reason="unreadable", words=str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the old edition goes on
        return Refusal(name=name, reason="unforeseen", words=repr(error))
    return edition
