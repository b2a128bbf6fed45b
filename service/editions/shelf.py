"""The editions that a process has at hand, and how a newer one takes the place of the current.

The current edition is the newest of the folder that loads, and the embedded one if none does. All
that hangs on the folder and on the price book is in one `Standing`, which is exchanged as a whole.
`look` reads and loads in a thread of its own. The thread that answers requests takes over what it
found, between two requests.
"""

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from cachetools import LRUCache
from msgspec import Struct, UnsetType
from msgspec.structs import replace

from service.catalog_files.texts import NOTHING, read_layer
from service.core.catalog.catalog import Catalog
from service.core.catalog.errors import NotQuotable, UnknownEdition
from service.editions.edition import Edition, Recipe, made_of
from service.editions.folder import (
    BOOK_NAME,
    Place,
    Refusal,
    overlays_in,
    seen_at,
    under_book,
    under_overlay,
)

MOST_LOADED: Final = 8
"""Editions kept loaded besides the current and the embedded one, at some 5 MB each."""
FOLDER_NAME: Final = "folder"


class Sources(Struct, frozen=True, kw_only=True):
    """Where editions come from besides the embedded files."""

    folder: Path | None = None
    book: Path | None = None


class Seen(Struct, frozen=True, kw_only=True):
    """What lies in the folder, and the price book, as they were seen."""

    overlays: Mapping[str, Place] = {}
    book: Place | None = None


class Standing(Struct, frozen=True, kw_only=True, dict=True):
    """What a process answers with. It is never changed, only exchanged."""

    current: Edition
    embedded: Edition
    seen: Seen = Seen()
    refused: tuple[Refusal, ...] = ()
    """What lies there and was not taken over."""

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The editions that may be asked for, the newest first."""
        refused = {one.name for one in self.refused}
        known = [version for version in self.seen.overlays if version not in refused]
        if self.current.version not in known:
            known = [self.current.version, *known]
        return tuple(dict.fromkeys((*known, self.embedded.version)))

    @cached_property
    def mark(self) -> str:
        """A digest of all that an answer may be computed with: a body means one thing under it."""
        return sha256("\n".join((self.current.digest, *self.versions)).encode()).hexdigest()


class Unopened(NamedTuple):
    """An edition of the folder that has yet to be loaded."""

    version: str
    place: Place
    embedded: Edition

    @property
    def key(self) -> tuple[str, Place, str]:
        """What the loaded edition hangs on."""
        return self.version, self.place, self.embedded.digest


class Shelf:
    """The editions at hand. `look` may run in a thread of its own, all else in that of requests."""

    def __init__(self, sources: Sources, standing: Standing) -> None:
        self._sources = sources
        self.standing = standing
        self._opened: LRUCache[tuple[str, Place, str], Edition] = LRUCache(MOST_LOADED)
        self._before: Seen | None = None

    @property
    def watched(self) -> bool:
        """Whether there is a folder or a price book that may change."""
        return self._sources.folder is not None or self._sources.book is not None

    @property
    def current(self) -> Edition:
        """The edition of requests that name none."""
        return self.standing.current

    def find(self, version: str | UnsetType) -> Edition | Unopened:
        """The edition of this version. Raises `NotQuotable` if none is known."""
        standing = self.standing
        if not isinstance(version, str) or version == standing.current.version:
            return standing.current
        if version == standing.embedded.version:
            return standing.embedded
        if version not in standing.versions:
            raise unknown_edition(version, standing)
        unopened = Unopened(version, standing.seen.overlays[version], standing.embedded)
        return self._opened.get(unopened.key, unopened)

    def keep(self, unopened: Unopened, found: Edition | Refusal) -> Edition:
        """Have at hand what was loaded for an edition. Raises `NotQuotable` for a refusal."""
        if isinstance(found, Refusal):
            standing = self.standing
            self.standing = replace(standing, refused=(*standing.refused, found))
            raise unknown_edition(unopened.version, self.standing)
        self._opened[unopened.key] = found
        return found

    def edition(self, version: str | UnsetType) -> Edition:
        """The edition of this version, loaded at once. Raises `NotQuotable`."""
        found = self.find(version)
        return found if isinstance(found, Edition) else self.keep(found, opened(found))

    def look(self, *, at_once: bool) -> Standing | None:
        """What is to stand after a look at the folder and the book. None if nothing is new.

        What has changed is read `at_once`. Otherwise it is read when the next look finds it as it
        is now, since somebody may still be writing.
        """
        standing = self.standing
        try:
            seen = seen_now(self._sources, embedded=standing.embedded)
        except OSError as error:
            if _lost(standing):
                return None
            lost = Refusal(name=FOLDER_NAME, reason="unreadable", words=str(error))
            return replace(standing, refused=(*standing.refused, lost))
        before, self._before = self._before, seen
        if seen == standing.seen and not _lost(standing):
            return None
        return renewed(standing, seen) if at_once or before == seen else None


def _lost(standing: Standing) -> bool:
    """Whether the folder or the book could not be looked at."""
    return any(one.name == FOLDER_NAME for one in standing.refused)


def shelf_of(catalog: Catalog) -> Shelf:
    """A shelf with one catalog, and nothing to look for."""
    edition = Edition(catalog)
    return Shelf(Sources(), Standing(current=edition, embedded=edition))


def stocked_shelf(sources: Sources) -> Shelf:
    """A shelf with all that there is. Raises `CatalogError` or `OSError`.

    A bad price book stops the start, and so does a folder that is not there. A bad overlay does
    not: an older edition is used, and the refusal is among those that stand.
    """
    book = NOTHING if sources.book is None else read_layer(sources.book)
    embedded = made_of(Recipe(book=book))
    seen = seen_now(sources, embedded=embedded)
    bare = Standing(current=embedded, embedded=embedded, seen=Seen(book=seen.book))
    return Shelf(sources, with_newest(bare, seen))


def seen_now(sources: Sources, *, embedded: Edition) -> Seen:
    """What lies in the folder and the book. Raises `OSError`."""
    return Seen(
        overlays={}
        if sources.folder is None
        else overlays_in(sources.folder, after=embedded.version),
        book=None if sources.book is None else seen_at(sources.book),
    )


def renewed(before: Standing, seen: Seen) -> Standing:
    """What stands with the price book as it is now, and with the newest edition of the folder.

    A new price book that is refused leaves the old one.
    """
    if seen.book is None or seen.book == before.seen.book:
        of_book = (one for one in before.refused if one.name == BOOK_NAME)
        return with_newest(before, seen, *of_book)
    embedded = under_book(seen.book, before.embedded.recipe)
    if isinstance(embedded, Refusal):
        return with_newest(before, seen, embedded)
    bare = Standing(current=embedded, embedded=embedded, seen=Seen(book=seen.book))
    return with_newest(bare, seen)


def with_newest(before: Standing, seen: Seen, *of_book: Refusal) -> Standing:
    """What stands with the newest edition that loads. One that does not load leaves the old one."""
    refused = [*of_book]
    current = before.embedded
    for version, place in seen.overlays.items():
        is_current = version == before.current.version
        if is_current and place == before.seen.overlays.get(version):
            current = before.current
            break
        found = under_overlay(version, place, before.embedded.recipe)
        if isinstance(found, Edition):
            current = found
            break
        refused.append(found)
        if is_current:
            current = before.current
            break
    return replace(before, current=current, seen=seen, refused=tuple(refused))


def opened(unopened: Unopened) -> Edition | Refusal:
    """An edition of the folder, loaded."""
    return under_overlay(unopened.version, unopened.place, unopened.embedded.recipe)


def unknown_edition(asked: str, standing: Standing) -> NotQuotable:
    """The refusal of an edition that is not known, with those that are."""
    return NotQuotable((UnknownEdition(asked=asked, known=standing.versions, pointer="/catalog"),))
