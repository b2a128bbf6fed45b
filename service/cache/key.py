"""Under which name a quote is kept in Redis."""

import re
from typing import Final

KEY_SCHEMA: Final = 2
"""Raised when the meaning of the kept bytes changes, so that two versions never read each other."""

_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def is_content_id(text: str) -> bool:
    """Whether `text` can be a content id at all: what a caller typed may be anything."""
    return _CONTENT_ID.fullmatch(text) is not None


def redis_key(content_id: str) -> str:
    """The key of a quote: `rq:{schema}:{id}`, where the id is a digest and nothing a caller wrote.

    A digest can be in nobody's way: it is never reused for other bytes, so nothing is ever
    invalidated, and it spreads over the slots of a cluster by itself.
    """
    assert is_content_id(content_id), "a key of the cache is a content id"
    return f"rq:{KEY_SCHEMA}:{content_id}"
