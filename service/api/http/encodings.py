"""Compressed copies of answers: made once for a client that accepts them, and kept.

An answer with an entity tag never changes under it, so the tag names a copy as well. A compressed
copy has a tag of its own, with the encoding at its end.
"""

import gzip
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import zstandard

from service.cache.envelope import ZSTD_LEVEL
from service.cache.memory import MemoryTier

Encoding: TypeAlias = Literal["zstd", "gzip"]
PREFERRED: Final[tuple[Encoding, ...]] = ("zstd", "gzip")
"""What is made, the one that is made fastest first."""
LEAST_BYTES: Final = 1024
"""A smaller answer fits into a packet or two, and is sent as it is."""
COPIES_MAX_BYTES: Final = 16 * 2**20
COPIES_SHARE: Final = 4
"""Copies may take a fourth of what answers may take in memory, as long as they are."""
LONGEST_HEADER: Final = 256
GZIP_LEVEL: Final = 6
"""1.6 ms and 18%."""


@lru_cache(maxsize=64)
def accepted_encoding(header: bytes) -> Encoding | None:
    """The encoding to send by an `Accept-Encoding` header. None if it is best sent as it is.

    A weight of 0 forbids an encoding, and `*` stands for all that are not named (RFC 9110, 12.5.3).
    """
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameter = part.strip().partition(";")
        weights[name.strip()] = _weight_of(parameter)
    rest = weights.get("*", 0.0)
    plain = weights.get("identity", 0.0)
    best = max(PREFERRED, key=lambda encoding: weights.get(encoding, rest))
    weight = weights.get(best, rest)
    return best if weight > 0.0 and weight >= plain else None


def _weight_of(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def compressed(body: bytes, encoding: Encoding) -> bytes:
    """The bytes in an encoding. The same bytes always give the same."""
    if encoding == "gzip":
        return gzip.compress(body, GZIP_LEVEL, mtime=0)
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)


def tagged(etag: bytes, encoding: Encoding) -> bytes:
    """The entity tag of a compressed copy."""
    return b'%b-%b"' % (etag[:-1], encoding.encode())


class Copies:
    """Compressed copies of answers by entity tag, within a bound in bytes."""

    def __init__(self, *, max_bytes: int = COPIES_MAX_BYTES) -> None:
        self._kept = MemoryTier(max_bytes=max_bytes)

    def keep(self, id: str, frame: bytes) -> None:
        """Keep an answer without an envelope as Redis has it, which is as `compressed` makes it."""
        self._kept.put(tagged(f'"{id}"'.encode(), "zstd").decode("latin-1"), frame)

    def kept(self, etag: bytes, encoding: Encoding) -> bytes | None:
        """The copy of an answer in an encoding, if it was made and is kept."""
        return self._kept.get(tagged(etag, encoding).decode("latin-1"))

    def of(self, body: bytes, etag: bytes, encoding: Encoding) -> bytes:
        """The copy of an answer in an encoding."""
        key = tagged(etag, encoding).decode("latin-1")
        copy = self._kept.get(key)
        if copy is None:
            copy = compressed(body, encoding)
            self._kept.put(key, copy)
        return copy
