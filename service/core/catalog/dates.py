"""Days between dates as the catalog writes them. No clock is read: a date of today is an input."""

from calendar import monthrange
from datetime import date
from functools import lru_cache
from typing import Final

MOST_DAYS: Final = 4096
"""Dates that are kept as read. A market has a few hundred, and each price asks for its own."""


@lru_cache(MOST_DAYS)
def day_of(as_of: str) -> date:
    """An ISO date. A month or a year stands for its last day."""
    year, month, day = (*(int(part) for part in as_of.split("-")), 0, 0)[:3]
    if day:
        return date(year, month, day)
    return date(year, month or 12, monthrange(year, month or 12)[1])


def days_between(earlier: str, later: str) -> int:
    """Days from one date to another."""
    return (day_of(later) - day_of(earlier)).days
