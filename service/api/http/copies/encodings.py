"""Compressed copies of answers: made for a client that accepts them, and kept.

An answer with an entity tag never changes under it, so the tag names a copy as well. A compressed
copy has a tag of its own, with the encoding at its end. What is sent for the first time is made at
once, by zstd or gzip. What is sent again and again has a Brotli copy, which is made at leisure.
"""

import gzip
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

import brotli
import zstandard

from service.api.http.copies.leisure import Leisure, Observe, nobody_observes
from service.cache.envelope import ZSTD_LEVEL, Sealed
from service.cache.memory import MemoryTier

Encoding: TypeAlias = Literal["br", "zstd", "gzip"]
AT_ONCE: Final[tuple[Encoding, ...]] = ("zstd", "gzip")
"""What is made while a client waits, the one that is made fastest first."""
LEAST_BYTES: Final = 1024
"""A smaller answer fits into a packet or two, and is sent as it is."""
COPIES_MAX_BYTES: Final = 16 * 2**20
COPIES_SHARE: Final = 4
"""Copies may take a fourth of what answers may take in memory, as long as they are."""
LONGEST_HEADER: Final = 256
GZIP_LEVEL: Final = 6
"""1.6 ms and 19% of a quote of 78 KB."""
BROTLI_QUALITY: Final = 11
"""The highest, for which a copy is worth its time: 85 ms and 14.8% of a quote of 78 KB. Quality 9
takes 14 ms for 17.2%, and quality 10 29 ms for 15.1%."""


class Accepted(NamedTuple):
    """What a client accepts of what there may be."""

    encodings: tuple[Encoding, ...]
    """Copies that it may be sent, the best first. A Brotli copy is sent only if it is there."""
    at_once: Encoding | None
    """The one that is made if there is none. Without one, the answer is sent as it is."""


NOTHING: Final = Accepted((), None)


def accepted_by(header: bytes) -> Accepted:
    """What a client accepts, by its `Accept-Encoding`. Too long a header accepts nothing."""
    return _read(header) if len(header) <= LONGEST_HEADER else NOTHING


@lru_cache(maxsize=64)
def _read(header: bytes) -> Accepted:
    """A weight of 0 forbids an encoding, and `*` stands for all others (RFC 9110, 12.5.3).

    Among what is liked equally, the smallest is sent.
    """
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").lower().split(","):
        name, _, parameter = part.strip().partition(";")
        weights[name.strip()] = _weight_of(parameter)
    rest = weights.get("*", 0.0)
    plain = weights.get("identity", 0.0)
    best = max(AT_ONCE, key=lambda encoding: weights.get(encoding, rest))
    weight, small = weights.get(best, rest), weights.get("br", rest)
    encodings: list[Encoding] = ["br"] if small > 0.0 and small >= max(weight, plain) else []
    if weight > 0.0 and weight >= plain:
        return Accepted((*encodings, best), best)
    return Accepted((*encodings,), None)


def _weight_of(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(0.0, float(value)), 1.0)  # in this order, a NaN is 0
    except ValueError:
        return 0.0


def compressed(body: bytes, encoding: Encoding) -> bytes:
    """The bytes in an encoding. The same bytes always give the same."""
    if encoding == "br":
        copy: bytes = brotli.compress(body, quality=BROTLI_QUALITY)
        return copy
    if encoding == "gzip":
        return gzip.compress(body, GZIP_LEVEL, mtime=0)
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)


def tagged(etag: bytes, encoding: Encoding) -> bytes:
    """The entity tag of a compressed copy."""
    return b'%b-%b"' % (etag[:-1], encoding.encode())


Copy: TypeAlias = tuple[bytes, Encoding | None]
"""An answer as it is sent: its bytes, and their encoding if they have one."""


class Copies:
    """Compressed copies of answers by entity tag, within a bound in bytes.

    It belongs to one event loop. `observe` is told what comes of each Brotli copy.
    """

    def __init__(
        self, *, max_bytes: int = COPIES_MAX_BYTES, observe: Observe = nobody_observes
    ) -> None:
        self._copies = MemoryTier(max_bytes=max_bytes)
        self._leisure = Leisure(_small, self._keep_small, observe) if max_bytes else None

    def keep(self, id: str, frame: bytes) -> None:
        """Keep an answer without an envelope as Redis has it, which is as `compressed` makes it."""
        self._keep(f'"{id}"'.encode(), "zstd", frame)

    def kept(self, etag: bytes, encoding: Encoding) -> bytes | None:
        """The copy of an answer in an encoding, if it was made and is kept."""
        return self._copies.get(tagged(etag, encoding).decode("latin-1"))

    def best(self, etag: bytes, accepted: Accepted) -> Copy | None:
        """The copy to send of an answer whose own bytes are not at hand, if it is kept."""
        found = self._best(etag, accepted)
        if found is not None and found[1] == "zstd" and accepted.encodings[0] == "br":
            self._sent_larger(etag, Sealed(b"", found[0], is_compressed=True))
        return found

    def of(self, body: bytes, etag: bytes, accepted: Accepted) -> Copy:
        """An answer as it is sent to a client: in a copy that is kept, or else made and kept."""
        found = self._best(etag, accepted) or self._made(body, etag, accepted.at_once)
        if found[1] != "br" and "br" in accepted.encodings:
            self._sent_larger(etag, Sealed(b"", body, is_compressed=False))
        return found

    def _best(self, etag: bytes, accepted: Accepted) -> Copy | None:
        for encoding in accepted.encodings:
            copy = self.kept(etag, encoding)
            if copy is not None:
                return copy, encoding
        return None

    def _made(self, body: bytes, etag: bytes, encoding: Encoding | None) -> Copy:
        if encoding is None:
            return body, None
        copy = compressed(body, encoding)
        self._keep(etag, encoding, copy)
        return copy, encoding

    def _sent_larger(self, etag: bytes, sealed: Sealed) -> None:
        if self._leisure is not None:
            self._leisure.sent(etag, sealed)

    def _keep_small(self, etag: bytes, copy: bytes) -> None:
        self._keep(etag, "br", copy)

    def _keep(self, etag: bytes, encoding: Encoding, copy: bytes) -> None:
        self._copies.put(tagged(etag, encoding).decode("latin-1"), copy)


def _small(body: bytes) -> bytes:
    return compressed(body, "br")
