"""Days between dates as the catalog writes them, without a calendar of the operating system."""


def day_number(as_of: str) -> int:
    """Days since 0000-03-01 of an ISO date. A month or a year counts as its last day.

    Source: the civil calendar by counting from March, so that leap days come last.
    """
    year, month, day = (*(int(part) for part in as_of.split("-")), 0, 0)[:3]
    if not day:
        year, month, day = (year, month + 1, 0) if month else (year + 1, 1, 0)
    shifted = year * 12 + month - 3
    years, months = divmod(shifted, 12)
    return 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day


def days_between(earlier: str, later: str) -> int:
    """Days from one date to another."""
    return day_number(later) - day_number(earlier)
