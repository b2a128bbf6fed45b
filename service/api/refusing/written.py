"""Numbers as people write them: "2T", "15.6e12", "8k"."""

import re
from decimal import Decimal
from typing import Final

NUMBER: Final = re.compile(
    r"\s*(\d{1,18}(?:\.\d{1,9})?(?:[eE][+-]?\d\d?)?)\s*([kKmMbBgGtT]?)\s*", re.ASCII
)
SUFFIXES: Final = {"": 0, "K": 3, "M": 6, "B": 9, "G": 9, "T": 12}
"""Powers of ten. A billion is written as B of tokens, and as G of bytes and FLOP."""


def number_in(text: str) -> float | None:
    """The number that a text is written for. None if it is not one."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    digits, suffix = found.groups()
    return float(Decimal(digits).scaleb(SUFFIXES[suffix.upper()]))
