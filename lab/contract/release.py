"""The contract of the last release, and whether today's may follow it."""

import gzip
import json
import re
from typing import Final

from lab.contract.changes import Change, Document, changes
from lab.files import LAB_DATA, ROOT

PUBLISHED: Final = ROOT / "openapi" / "openapi.json"
RELEASED: Final = LAB_DATA / "released_contract.json.gz"
"""As the last release published it; compressed, because it is only compared."""


def published() -> Document:
    """Today's contract."""
    document: Document = json.loads(PUBLISHED.read_bytes())
    return document


def released() -> Document:
    """The contract of the last release."""
    document: Document = json.loads(gzip.decompress(RELEASED.read_bytes()))
    return document


def accept() -> None:
    """Take today's contract as that of the last release."""
    RELEASED.write_bytes(gzip.compress(PUBLISHED.read_bytes(), 9, mtime=0))


def may_break(old: Document, new: Document) -> bool:
    """Whether the version was raised far enough for a change that breaks a client.

    That is the major part, and before 1.0.0 the minor one.
    """
    (before, after) = (
        tuple(map(int, re.findall(r"\d+", one["info"]["version"])[:3])) for one in (old, new)
    )
    parts = 1 if before[0] else 2
    return after[:parts] > before[:parts]


def since_release() -> tuple[list[Change], bool]:
    """All changes since the last release, and whether they may stand under today's version."""
    old, new = released(), published()
    found = changes(old, new)
    return found, may_break(old, new) or not any(change.breaks for change in found)
