"""The dates of the prices that a quote rests on, and what they are on the day that it is read."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from service.core.answer.base import Answer, PriceIs
from service.core.answer.calendar import Day
from service.core.figures.sources import AsOf, FigureName

TodayCode: TypeAlias = Literal["expired", "stale_price"]
WholeDays: TypeAlias = Annotated[
    int, Meta(ge=0, description="Whole days from the date of a price.")
]


class DatedPrice(Answer, frozen=True, kw_only=True):
    """A price of the catalog, what kind of price it is, and the day on which it was read."""

    figure: FigureName
    price_is: PriceIs
    observed_on: AsOf


class PricesBehind(Answer, frozen=True, kw_only=True):
    """The prices of device-hours of one accelerator that a total rests on, newest first.

    They stand for `priced_for`: by default the day of the catalog's edition, or `as_of` of the
    request. Their intervals are as wide as prices move up to that day. `median` is the date of the
    middle one, the older of two.
    """

    accelerator: str
    priced_for: Day
    newest: AsOf
    median: AsOf
    oldest: AsOf
    prices: Annotated[tuple[DatedPrice, ...], Meta(min_length=1)]


class AgedPrices(Answer, frozen=True, kw_only=True):
    """The same prices on the day of reading: how old they are, and which of them are stale."""

    accelerator: str
    median_days: WholeDays
    oldest_days: WholeDays
    stale: tuple[FigureName, ...]


class TodayCaution(Answer, frozen=True, kw_only=True):
    """Something about the age of a quote that a reader should know, with a code for programs."""

    code: TodayCode
    detail: str


class Today(Answer, frozen=True, kw_only=True):
    """A quote on the day that it is read: whether it is valid, and how old its prices are.

    A price is stale from `stale_from_days` on, which the operator sets.
    """

    on: Day
    valid: bool
    stale_from_days: int
    prices: tuple[AgedPrices, ...]
    cautions: tuple[TodayCaution, ...]
