"""The form of a value in Redis, which others can overwrite, cut or fill with anything.

    "rq" | version: 1 byte | coding: 1 byte | digest: 16 bytes | body

The digest is BLAKE2b over the key and the body before compression. A value that was cut short,
altered, written by something else or copied from another key does not open. The digest is a check
against accidents and not a signature: anyone who may write to the Redis can forge a quote.
"""

import hashlib
import hmac
import zlib
from typing import Final

_MAGIC: Final = b"rq\x01"
_PLAIN: Final = 0
_DEFLATED: Final = 1
_DIGEST_BYTES: Final = 16
HEADER_BYTES: Final = len(_MAGIC) + 1 + _DIGEST_BYTES

COMPRESS_FROM_BYTES: Final = 2048
"""Bodies from this size on are compressed. 5 kB of JSON shrink to a fifth or less in about 20 us
and open again in 10 us, where the round trip takes 100 us of CPU. The Redis then holds several
times as many quotes."""


class InvalidEnvelope(ValueError):
    """These bytes are not what this service put under this key"""


def seal(*, key: str, body: bytes) -> bytes:
    """The value to keep under `key`; `unseal` gives the body back."""
    coding, content = _PLAIN, body
    if len(body) >= COMPRESS_FROM_BYTES:
        deflated = zlib.compress(body, level=1)
        if len(deflated) < len(body):
            coding, content = _DEFLATED, deflated
    return _MAGIC + bytes((coding,)) + _digest(key=key, body=body) + content


def unseal(*, key: str, value: bytes, max_body_bytes: int) -> bytes:
    """The body that was sealed for `key`, at most `max_body_bytes` of it.

    Raises InvalidEnvelope for anything else. It never inflates more than `max_body_bytes`.
    """
    if len(value) < HEADER_BYTES or not value.startswith(_MAGIC):
        raise InvalidEnvelope("no header of ours")
    coding, content = value[len(_MAGIC)], value[HEADER_BYTES:]
    if coding == _DEFLATED:
        content = _inflate(content, max_body_bytes=max_body_bytes)
    elif coding != _PLAIN:
        raise InvalidEnvelope(f"unknown coding {coding}")
    if len(content) > max_body_bytes:
        raise InvalidEnvelope("longer than any body we keep")
    if not hmac.compare_digest(
        value[len(_MAGIC) + 1 : HEADER_BYTES], _digest(key=key, body=content)
    ):
        raise InvalidEnvelope("the digest is of other bytes")
    return content


def _inflate(deflated: bytes, *, max_body_bytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(deflated, max_body_bytes + 1)
    except zlib.error as error:
        raise InvalidEnvelope("not deflated bytes") from error
    if len(body) <= max_body_bytes and (not inflater.eof or inflater.unused_data):
        raise InvalidEnvelope("cut short or followed by something else")
    return body


def _digest(*, key: str, body: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=_DIGEST_BYTES, person=b"runquote cache 1")
    digest.update(b"\0")
    digest.update(body)
    return digest.digest()
