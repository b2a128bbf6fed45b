"""A kept quote on the day that it is read: whether it is valid, and how old its prices are.

It reads the quote's JSON, a date and the operator's limit, and nothing else. So the same bytes say
today what they said when they were computed, and what a day adds stands beside them.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import msgspec
from msgspec import Struct

from service.core.answer.prices import AgedPrices, PricesBehind, Today, TodayCaution
from service.core.catalog.dates import day_of

STALE_PRICE_DAYS: Final = 90
"""Age from which a price is stale, unless the operator says otherwise."""
DATE_LENGTH: Final = len("2026-01-01")


class KeptPrices(Struct, frozen=True, kw_only=True):
    """What a day needs of a kept answer. A judged claim shows no dates of prices."""

    valid_until: str
    prices_behind: tuple[PricesBehind, ...] = ()

    @property
    def last_day(self) -> str:
        """The last day on which the prices count as current."""
        return self.valid_until[:DATE_LENGTH]


def kept_prices(body: bytes) -> KeptPrices:
    """What a day needs of the answer in `body`."""
    return msgspec.json.decode(body, type=KeptPrices)


def gist_of(body: bytes) -> bytes:
    """What a day needs of the answer in `body`, by itself: `kept_prices` reads it in its place."""
    return msgspec.json.encode(kept_prices(body))


def today_of(kept: KeptPrices, on: str, *, stale_from_days: int) -> Today:
    """An answer on the day `on`."""
    prices = tuple(
        aged(behind, date.fromisoformat(on), stale_from_days) for behind in kept.prices_behind
    )
    return Today(
        on=on,
        valid=on <= kept.last_day,
        stale_from_days=stale_from_days,
        prices=prices,
        cautions=tuple(cautions(kept, on, prices, stale_from_days)),
    )


def aged(behind: PricesBehind, on: date, stale_from_days: int) -> AgedPrices:
    """The prices of one accelerator on a day."""
    return AgedPrices(
        accelerator=behind.accelerator,
        median_days=days_since(behind.median, on),
        oldest_days=days_since(behind.oldest, on),
        stale=tuple(
            price.figure
            for price in behind.prices
            if days_since(price.observed_on, on) >= stale_from_days
        ),
    )


def days_since(as_of: str, on: date) -> int:
    """Whole days from a date to a day, and none if it is later."""
    return max((on - day_of(as_of)).days, 0)


def cautions(
    kept: KeptPrices, on: str, prices: Sequence[AgedPrices], stale_from_days: int
) -> Iterator[TodayCaution]:
    """A caution if the quote has expired, and one where the middle price of a device is stale."""
    if on > kept.last_day:
        yield TodayCaution(
            code="expired",
            detail=f"the prices counted as current until {kept.last_day}, and it is {on}; ask "
            "again under a newer catalog, or give a rate of today",
        )
    for aged_prices, behind in zip(prices, kept.prices_behind, strict=True):
        if aged_prices.median_days >= stale_from_days:
            count = len(behind.prices)
            yield TodayCaution(
                code="stale_price",
                detail=f"{behind.accelerator}: {len(aged_prices.stale)} of {count} prices are "
                f"{stale_from_days} days old or older; the middle one is {aged_prices.median_days} "
                f"days old, the oldest {aged_prices.oldest_days}",
            )


def header_of(today: Today) -> bytes:
    """What a day says, as a dictionary of structured fields (RFC 9651).

    The ages are those of the accelerator whose prices are the oldest.
    """
    said = f'on="{today.on}", valid=?{today.valid:d}'
    if today.prices:
        said += (
            f", median-days={max(one.median_days for one in today.prices)}"
            f", oldest-days={max(one.oldest_days for one in today.prices)}"
            f", stale={sum(len(one.stale) for one in today.prices)}"
        )
    return said.encode()
