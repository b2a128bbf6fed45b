"""The form of a value in Redis, which others can overwrite, cut or fill with anything.

    "rq" | version: 1 byte | form: 1 byte | length: 8 bytes | gist length: 4 bytes | tag: 16 bytes
    | gist | content

The length is that of gist and content. The gist is what a reader needs to know of the body without
opening it. The content is the body, compressed if that makes it shorter. The tag is the start of a
SHA-256 over the key in Redis and all of the value but the tag. A value that was cut short, altered,
written by something else or copied from another key does not open.

Without a secret, the tag is a check against accidents, and anyone who may write to the Redis can
forge an answer. With a secret, it is a signature (HMAC, RFC 2104), and only who has the secret can
make a value that opens. Nothing is decompressed before its tag was found to be right. SHA-256 takes
half of the time of BLAKE2b where the processor has instructions for it, as servers have.

A value that is authentic need not be opened: the compressed body is sent as it is to a client that
accepts it.
"""

import hashlib
import hmac
import struct
import threading
from typing import Final, NamedTuple

import zstandard

_MAGIC: Final = b"rq\x03"
_COMPRESSED: Final = 1
_SIGNED: Final = 2
_HEADER: Final = struct.Struct(">BQI16s")
"""What follows the name and the version. The tag is the last of it."""
_TAG_BYTES: Final = 16
HEADER_BYTES: Final = len(_MAGIC) + _HEADER.size
_TAG_AT: Final = HEADER_BYTES - _TAG_BYTES

_OF_THREAD: Final = threading.local()

COMPRESS_FROM_BYTES: Final = 2048
"""Bodies from this size on are compressed. The Redis then holds several times as many answers."""
ZSTD_LEVEL: Final = 7
"""The level of all compressed copies, so that one that Redis has can be sent to a client as it is.
A quote of 78 KB takes 1.2 ms and leaves 18%. Level 1 takes 0.3 ms and leaves 20%, level 9 takes
1.4 ms, and level 19 29 ms for 17%. What is left are the words of sources and quantiles, that no
level shortens. Larger quotes repeat more: one of 185 KB, with a predicted step, takes 1.7 ms and
leaves 13%. What is sent again and again has a Brotli copy, of 15% of that quote of 78 KB."""


class InvalidEnvelope(ValueError):
    """These bytes are not what this service put under this key"""


class Unauthentic(InvalidEnvelope):
    """Who wrote these bytes does not have our secret, or they were altered"""


class Sealed(NamedTuple):
    """A value that is authentic: what is to be known of a body, and the body as it is kept."""

    gist: bytes
    content: bytes
    is_compressed: bool

    @property
    def frame(self) -> bytes | None:
        """The compressed body. None if it is kept as it is."""
        return self.content if self.is_compressed else None

    def body(self, *, max_body_bytes: int) -> bytes:
        """The body. Raises InvalidEnvelope if it is longer than that."""
        if self.is_compressed:
            return _decompressed(self.content, max_body_bytes=max_body_bytes)
        if len(self.content) > max_body_bytes:
            raise InvalidEnvelope("longer than any body we keep")
        return self.content


class Envelopes:
    """Seals bodies for Redis and opens them again, signed if there is a `secret`."""

    def __init__(self, *, secret: str = "") -> None:
        self._key = secret.encode()

    def seal(self, *, key: str, body: bytes, gist: bytes = b"") -> bytes:
        """The value to keep under `key`; `unseal` gives the body back."""
        form, content = _SIGNED if self._key else 0, body
        if len(body) >= COMPRESS_FROM_BYTES:
            compressed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)
            if len(compressed) < len(body):
                form, content = form | _COMPRESSED, compressed
        header = _HEADER.pack(form, len(gist) + len(content), len(gist), b"")
        start = (_MAGIC + header)[:_TAG_AT]
        rest = gist + content
        return start + self._tag(key, start, rest) + rest

    def opened(self, *, key: str, value: bytes) -> Sealed:
        """What was sealed for `key`, not decompressed.

        Raises InvalidEnvelope for anything else, and Unauthentic if only the signature is wrong.
        """
        form, length, gist_length, tag = _header(value)
        if len(value) != HEADER_BYTES + length:
            raise InvalidEnvelope("cut short or followed by something else")
        if form & ~(_COMPRESSED | _SIGNED):
            raise InvalidEnvelope(f"unknown form {form}")
        self._check_tag(key, form, value, tag)
        content_at = HEADER_BYTES + gist_length
        gist = value[HEADER_BYTES:content_at]
        return Sealed(gist, value[content_at:], bool(form & _COMPRESSED))

    def unseal(self, *, key: str, value: bytes, max_body_bytes: int) -> bytes:
        """The body that was sealed for `key`, at most `max_body_bytes` of it.

        Raises InvalidEnvelope for anything else, and Unauthentic if only the signature is wrong.
        """
        return self.opened(key=key, value=value).body(max_body_bytes=max_body_bytes)

    def _check_tag(self, key: str, form: int, value: bytes, found: bytes) -> None:
        if self._key and not form & _SIGNED:
            raise Unauthentic("not signed")
        if form & _SIGNED and not self._key:
            raise InvalidEnvelope("signed, and there is no secret here to check it with")
        tag = self._tag(key, value[:_TAG_AT], memoryview(value)[HEADER_BYTES:])
        if not hmac.compare_digest(found, tag):
            if self._key:
                raise Unauthentic("the signature is of other bytes or by another secret")
            raise InvalidEnvelope("the digest is of other bytes")

    def _tag(self, key: str, start: bytes, rest: bytes | memoryview) -> bytes:
        named = key.encode() + b"\0" + start
        if self._key:
            return hmac.digest(self._key, named + bytes(rest), "sha256")[:_TAG_BYTES]
        tag = hashlib.sha256(named)
        tag.update(rest)
        return tag.digest()[:_TAG_BYTES]


def value_bytes(start: bytes) -> int:
    """The length of a value that starts with these bytes. Raises InvalidEnvelope."""
    return HEADER_BYTES + _header(start)[1]


def _header(start: bytes) -> tuple[int, int, int, bytes]:
    """Form, length, length of the gist and tag. Raises InvalidEnvelope."""
    if len(start) < HEADER_BYTES or not start.startswith(_MAGIC):
        raise InvalidEnvelope("no header of ours")
    read: tuple[int, int, int, bytes] = _HEADER.unpack_from(start, len(_MAGIC))
    return read


def _decompressor() -> zstandard.ZstdDecompressor:
    """That of this thread: to make one takes a sixth of the time of its use."""
    if not hasattr(_OF_THREAD, "decompressor"):
        _OF_THREAD.decompressor = zstandard.ZstdDecompressor()
    found: zstandard.ZstdDecompressor = _OF_THREAD.decompressor
    return found


def _decompressed(content: bytes, *, max_body_bytes: int) -> bytes:
    try:
        size = zstandard.frame_content_size(content)
        if not 0 <= size <= max_body_bytes:
            raise InvalidEnvelope("longer than any body we keep")
        return _decompressor().decompress(content, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise InvalidEnvelope("not compressed by us") from error
