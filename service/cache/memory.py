"""The first tier: recently used quotes, in this process, within a bound in bytes."""

import sys
from typing import Final

from cachetools import LRUCache

ENTRY_OVERHEAD_BYTES: Final = 350
"""Bytes of an entry besides its key and body: its share of cachetools' three tables, and the pair
itself. The heap was seen to grow by 190 to 260 bytes an entry (1,000 to 100,000 entries, CPython
3.11). This is more, because tables grow in jumps."""


def entry_bytes(entry: tuple[str, bytes]) -> int:
    """The bytes of memory that one entry takes, key and bookkeeping included."""
    key, body = entry
    return sys.getsizeof(key) + sys.getsizeof(body) + ENTRY_OVERHEAD_BYTES


class MemoryTier:
    """Bytes under content ids. The least recently used entries make room for new ones.

    It belongs to one event loop and takes no locks. Nothing expires, because the bytes under a
    content id can never become wrong.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._entries: LRUCache[str, tuple[str, bytes]] = LRUCache(max_bytes, entry_bytes)

    def get(self, key: str) -> bytes | None:
        """The bytes kept under `key`, which then count as recently used."""
        entry = self._entries.get(key)  # unlike `[key]`, it raises nothing where there is none
        return None if entry is None else entry[1]

    def put(self, key: str, body: bytes) -> bool:
        """Keep `body`. Returns False if it is larger than the bound and therefore not kept."""
        try:
            self._entries[key] = (key, body)
        except ValueError:  # cachetools: "value too large"
            return False
        return True

    @property
    def used_bytes(self) -> int:
        """The bytes that all entries take together, never more than the bound."""
        return int(self._entries.currsize)

    def __len__(self) -> int:
        return len(self._entries)
