"""How much memory the process may take, as its container says."""

from contextlib import suppress
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
LIMITS: Final = ("memory.max", "memory/memory.limit_in_bytes")
"""Where version 2 and version 1 of control groups say it."""
UNLIMITED_FROM: Final = 2**60
"""Version 1 says a number of this size where there is no limit."""


def memory_limit_bytes(root: Path = CGROUPS) -> int:
    """The limit, or 0 if there is none or it cannot be read."""
    for name in LIMITS:
        with suppress(OSError, ValueError):  # also for the word `max`
            limit = int((root / name).read_text())
            return limit if limit < UNLIMITED_FROM else 0
    return 0
