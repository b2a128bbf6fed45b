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


M_ARENA_MAX: Final = -8
"""The option of glibc's `mallopt` that bounds how many heaps there are. Python does not name it."""


def share_one_heap() -> bool:
    """Let all threads have one heap. False where the C library knows no other.

    By default each thread gets one of its own, from which free memory is given back only in part.
    The threads of this process seldom allocate at the same time. It must be said before they begin.
    """
    try:
        mallopt: Callable[[int, int], int] = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_ARENA_MAX, 1))


class Heap:
    """The memory that the C library manages for this process."""

    def __init__(self, trim: Callable[[int], int] | None = None) -> None:
        self._trim = trim or _malloc_trim()
        self._answered_bytes = 0

    def answered(self, size_bytes: int) -> None:
        """Give back what is free if many bytes of answers were computed since that was done.

        Answers that are computed together take about the memory of one, so they count as one.
        """
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
