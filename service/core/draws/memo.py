"""A memory of costly results that quotes share, within a bound in bytes.

The application makes one `Memo` and passes it to each quote. It changes no byte of an answer,
because a value depends on its key alone. Keys are names of figures, numbers and digests, never text
of a caller.
"""

from collections.abc import Callable, Hashable
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from cachetools import LRUCache

from service.core.figures.arrays import Array

Kind: TypeAlias = Literal["column", "draws", "excess", "basis", "standing"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

DEFAULT_MAX_BYTES: Final = 32 * 2**20
"""Room for the columns and draws of all figures of the catalog that quotes use (about 4 MiB), and
for some twenty kinds of question, each with 1 MiB of rows, bases and directions."""
ENTRY_BYTES: Final = 600
"""Bytes of an entry besides its value: a key of some 100 characters, the array's header, the pair,
and its share of three tables. Measured: 540 bytes an entry with 20,000 columns under names of 42
characters (CPython 3.11, NumPy 2.3)."""
LARGEST_PART: Final = 1 / 4
"""The largest value that is kept, as a part of the memo. A larger one would drive out the rest."""


class Counts(NamedTuple):
    """How many look-ups found a value, and how many did not."""

    hits: int
    misses: int


class Memo:
    """Values by kind and key. The least recently used ones make room for new ones.

    It belongs to one thread and takes no locks. Nothing expires, because a key holds all that its
    value depends on.
    """

    def __init__(self, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._entries: LRUCache[tuple[Kind, Hashable], tuple[Any, int]] = LRUCache(
            max_bytes, getsizeof=_bytes_of_entry
        )
        self._hits = dict.fromkeys(KINDS, 0)
        self._misses = dict.fromkeys(KINDS, 0)
        self.largest_bytes = int(max_bytes * LARGEST_PART)

    def get(self, kind: Kind, key: Hashable) -> Any | None:
        """The value under `key`, which then counts as recently used. None if there is none."""
        try:
            value = self._entries[kind, key][0]
        except KeyError:
            self._misses[kind] += 1
            return None
        self._hits[kind] += 1
        return value

    def put(self, kind: Kind, key: Hashable, value: object, *, size_bytes: int) -> None:
        """Keep `value`, which takes `size_bytes`, unless it is too large."""
        size_bytes += ENTRY_BYTES
        if size_bytes <= self.largest_bytes:
            self._entries[kind, key] = (value, size_bytes)
        else:
            self._entries.pop((kind, key), None)

    def array(self, kind: Kind, key: Hashable, make: Callable[[], Array]) -> Array:
        """The array that `make` makes for `key`, once while it is kept. It is read-only."""
        found: Array | None = self.get(kind, key)
        if found is None:
            found = make()
            found.setflags(write=False)
            self.put(kind, key, found, size_bytes=found.nbytes)
        return found

    def counts(self, kind: Kind) -> Counts:
        """How often values of this kind were found, and how often not."""
        return Counts(self._hits[kind], self._misses[kind])

    def count_anew(self) -> None:
        """Forget what was counted so far."""
        self._hits = dict.fromkeys(KINDS, 0)
        self._misses = dict.fromkeys(KINDS, 0)

    @property
    def used_bytes(self) -> int:
        """Bytes of all entries together, never more than the bound."""
        return int(self._entries.currsize)

    def __len__(self) -> int:
        return len(self._entries)


def _bytes_of_entry(entry: tuple[Any, int]) -> int:
    return entry[1]
