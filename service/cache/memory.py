"""The first tier: recently used quotes, in this process, within a bound in bytes."""

import sys
from collections import OrderedDict
from typing import Final

ENTRY_OVERHEAD_BYTES: Final = 160
"""Bytes of an entry besides its key and body: its place in the table and in the order of use. The
heap was seen to grow by 65 to 95 bytes an entry (1,000 to 100,000 entries, CPython 3.11). This is
more, because tables grow in jumps."""


def entry_bytes(entry: tuple[str, bytes]) -> int:
    """The bytes of memory that one entry takes, key and bookkeeping included."""
    key, body = entry
    return sys.getsizeof(key) + sys.getsizeof(body) + ENTRY_OVERHEAD_BYTES


class MemoryTier:
    """Bytes under content ids. The least recently used entries make room for new ones.

    It belongs to one event loop and takes no locks. Nothing expires, because the bytes under a
    content id can never become wrong. It is no `cachetools.LRUCache`, whose look-up of what is not
    there raises an exception twice, and takes ten times as long: each request makes several.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        """The entry that was used longest ago comes first."""
        self._used_bytes = 0

    def get(self, key: str) -> bytes | None:
        """The bytes kept under `key`, which then count as recently used."""
        body = self._entries.get(key)
        if body is not None:
            self._entries.move_to_end(key)
        return body

    def put(self, key: str, body: bytes) -> bool:
        """Keep `body`. Returns False if it is larger than the bound and therefore not kept."""
        taken = entry_bytes((key, body))
        if taken > self._max_bytes:
            return False
        before = self._entries.pop(key, None)
        if before is not None:
            self._used_bytes -= entry_bytes((key, before))
        self._entries[key] = body
        self._used_bytes += taken
        while self._used_bytes > self._max_bytes:
            oldest = self._entries.popitem(last=False)
            self._used_bytes -= entry_bytes(oldest)
        return True

    @property
    def used_bytes(self) -> int:
        """The bytes that all entries take together, never more than the bound."""
        return self._used_bytes

    def __len__(self) -> int:
        return len(self._entries)
