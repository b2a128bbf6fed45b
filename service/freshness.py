"""What today says of the answers that are sent, kept for the day: a repeat costs nothing."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from time import time
from typing import Final

from service.core.answer.prices import Today
from service.envelope.today import STALE_PRICE_DAYS, header_of, kept_prices, today_of

MOST_ANSWERS: Final = 20_000
"""Answers whose headers are kept. Each takes some 200 bytes."""


DAY_S: Final = 86_400
EPOCH: Final = date(1970, 1, 1).toordinal()


def utc_today() -> str:
    """The day in UTC."""
    return _day(int(time() // DAY_S))


@lru_cache(maxsize=4)
def _day(days: int) -> str:
    """A day that is asked for with each request, by the days since 1970."""
    return date.fromordinal(EPOCH + days).isoformat()


class Freshness:
    """The header that says how old an answer's prices are today, by the answer's id."""

    def __init__(
        self,
        *,
        stale_price_days: int = STALE_PRICE_DAYS,
        today: Callable[[], str] = utc_today,
        seen: Callable[[Today], None] | None = None,
    ) -> None:
        """`seen` is told of each answer that is sent on a day, once."""
        self.stale_price_days = stale_price_days
        self._today = today
        self._seen = seen
        self._day = ""
        self._headers: dict[str, bytes] = {}

    def header(self, id: str, body: bytes) -> bytes:
        """The header of the answer with this id, whose kept bytes are `body`, or its gist."""
        found = self.known(id)
        if found is None:
            said = today_of(kept_prices(body), self._day, stale_from_days=self.stale_price_days)
            found = self._headers[id] = header_of(said)
            if self._seen is not None:
                self._seen(said)
        return found

    def known(self, id: str) -> bytes | None:
        """The header of the answer with this id, if that was sent today."""
        day = self._today()
        if day != self._day or len(self._headers) >= MOST_ANSWERS:
            self._day, self._headers = day, {}
        return self._headers.get(id)
