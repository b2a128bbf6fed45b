"""Memory that is free goes back to the system.

The rows of a large quote are some 60 MB of small arrays. The C library keeps their pages after the
quote, scattered among what lasts, so that a process would look for ever as if it needed them.
"""

import ctypes
from collections.abc import Callable
from typing import Final

TRIM_AFTER_BYTES: Final = 2 * 2**20
"""Answers that are computed between two trims: one of the largest, or some forty of known hours.
A trim takes up to 6 ms where there is much to give back; so the CPU that it takes is under 2%."""


class Heap:
    """The memory that the C library manages for this process."""

    def __init__(self, trim: Callable[[int], int] | None = None) -> None:
        self._trim = trim or _malloc_trim()
        self._answered_bytes = 0

    def answered(self, size_bytes: int) -> None:
        """Give back what is free if many bytes of answers were computed since that was done."""
        self._answered_bytes += size_bytes
        if self._trim is not None and self._answered_bytes >= TRIM_AFTER_BYTES:
            self._answered_bytes = 0
            self._trim(0)


def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's function of that name; other C libraries have none."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return found
