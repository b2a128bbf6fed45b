"""Whether two makings of a file say the same: equal words, and numbers that differ in noise only.

Processors and libraries round differently, so that a refit moves the last digits.
"""

import math
import re
from typing import Final, NamedTuple

DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3})")
NUMBER: Final = re.compile(r"([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


class Tolerance(NamedTuple):
    """How far two numbers may be apart: so much of the larger one, or so much at all."""

    relative: float = 0.0
    absolute: float = 0.0

    def holds(self, one: str, other: str) -> bool:
        """Whether two numbers, as printed, are no further apart."""
        return math.isclose(float(one), float(other), rel_tol=self.relative, abs_tol=self.absolute)


def agree(old: str, new: str, tolerance: Tolerance, *, is_prose: bool = False) -> bool:
    """Whether two texts say the same; a date of making may differ.

    In prose a comma may part thousands; in a table it parts cells.
    """
    if old == new:
        return True
    if tolerance == Tolerance():
        return False
    ours, theirs = (_parts(text, is_prose=is_prose) for text in (old, new))
    return len(ours) == len(theirs) and all(
        one == other or (place % 2 == 1 and tolerance.holds(one, other))
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True))
    )


def _parts(text: str, *, is_prose: bool) -> list[str]:
    """Words and numbers in turn; numbers have the odd places."""
    undated = DATE.sub("", text)
    return NUMBER.split(THOUSANDS.sub("", undated) if is_prose else undated)
