"""The dates of the prices that a finished quote rests on, as it shows them."""

from collections.abc import Sequence
from typing import Final

from service.core.answer import DatedPrice, PricesBehind
from service.core.argument import Argument
from service.core.bills.lines import DraftBill
from service.core.catalog.catalog import Catalog
from service.core.catalog.dates import day_of
from service.core.catalog.market import meaning_of
from service.core.printing.cautions import OF_DEVICE_HOURS, prices_of

OF_OFFERS: Final = "offers"
OF_HISTORY: Final = "price_history"


def prices_behind(argument: Argument, bills: Sequence[DraftBill]) -> tuple[PricesBehind, ...]:
    """The prices of device-hours that any total rests on, by accelerator, newest first."""
    totals = [bill.total.name for bill in bills if bill.total is not None]
    found: dict[str, list[DatedPrice]] = {}
    for price in prices_of(argument, totals):
        accelerator = accelerator_of(argument.catalog, price.entry.name)
        if accelerator and price.entry.unit.endswith(OF_DEVICE_HOURS):
            dated = DatedPrice(
                figure=price.entry.name,
                price_is=meaning_of(_kind_of(argument.catalog, price.entry.name)),
                observed_on=price.as_of,
            )
            found.setdefault(accelerator, []).append(dated)
    return tuple(_printed(argument, device, prices) for device, prices in found.items())


def _kind_of(catalog: Catalog, figure: str) -> str:
    """The kind of a price by its figure. A past price of a seller that is used is of its list."""
    offer = catalog.offers.get(figure.split("/")[1])
    return "on_demand" if offer is None else offer.price_kind


def accelerator_of(catalog: Catalog, figure: str) -> str:
    """The accelerator of a price of the catalog, by the name of its figure. Empty for others."""
    table, _, rest = figure.partition("/")
    row = rest.partition("/")[0]
    if table == OF_OFFERS and row in catalog.offers:
        return catalog.offers[row].accelerator
    return row if table == OF_HISTORY else ""


def _printed(argument: Argument, accelerator: str, prices: list[DatedPrice]) -> PricesBehind:
    prices.sort(key=lambda price: day_of(price.observed_on), reverse=True)
    dates = [price.observed_on for price in prices]
    return PricesBehind(
        accelerator=accelerator,
        priced_for=argument.priced_for,
        newest=dates[0],
        median=dates[len(dates) // 2],
        oldest=dates[-1],
        prices=tuple(prices),
    )
