"""The key of a quote in Redis."""

import re
from typing import Final

KEY_SCHEMA: Final = 4
"""Increased when the meaning of kept bytes changes, so that no version reads another's."""

_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PLACE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}(\.[0-9a-f]{1,64})?")


def is_content_id(text: str) -> bool:
    """Whether `text` has the form of a content id. Callers may send anything."""
    return _CONTENT_ID.fullmatch(text) is not None


def redis_key(content_id: str) -> str:
    """The key of a quote: `rq:{schema}:{id}`. The id is a digest, never text of a caller.

    Where callers have keys, a dot follows, and who may read it.

    A digest is never reused for other bytes, so nothing is ever invalidated. Digests spread evenly
    over the slots of a cluster.
    """
    assert _PLACE.fullmatch(content_id), "a key of the cache is a content id, and an owner"
    return f"rq:{KEY_SCHEMA}:{content_id}"
