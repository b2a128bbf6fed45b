"""Owning a cluster as the answer shows it: the purchase, an hour of it, where it breaks even."""

from msgspec import UNSET

from service.core.answer import (
    Acquisition,
    BreakEven,
    Money,
    Ownership,
)
from service.core.bills.owned import bill as owned
from service.core.draws.spread import Spread
from service.core.figures.vocabulary import MINOR_PLACES, Currency
from service.core.printing.estimates import estimate, known, printed_interval
from service.core.printing.money import (
    printed,
    rounded_amount,
    sum_of_amounts,
)


def printed_ownership(one: owned.OwningFigures, spread: Spread, *, currency: Currency) -> Ownership:
    """Owning a cluster as the quote shows it. The parts of the purchase add up as printed."""
    terms = one.holding.terms
    return Ownership(
        cluster=terms.effort.cluster_pointer,
        accelerator=terms.device.label,
        devices=int(terms.effort.cluster.devices),
        devices_bought=int(terms.devices.central),
        convention=terms.at.said.convention,
        acquisition=_acquisition(one, spread, currency=currency),
        usd_per_device_hour=estimate(one.usd_per_device_hour, spread),
        break_even=UNSET if one.break_even is None else _break_even(one, spread),
    )


def _acquisition(one: owned.OwningFigures, spread: Spread, *, currency: Currency) -> Acquisition:
    places = MINOR_PLACES[currency]
    parts = {
        part: rounded_amount(one.acquisition[part].central, places=places)
        for part in ("accelerators_usd", "servers_usd", "network_usd")
    }
    total = sum_of_amounts(parts.values(), places=places)
    figure = one.acquisition["total_usd"].name
    return Acquisition(
        accelerators=printed(parts["accelerators_usd"]),
        servers=printed(parts["servers_usd"]),
        cluster_network=printed(parts["network_usd"]),
        total=Money(amount=printed(total), currency=currency),
        interval=printed_interval(spread.interval(figure), central=total, places=places),
        figure=figure,
    )


def _break_even(one: owned.OwningFigures, spread: Spread) -> BreakEven:
    assert one.break_even is not None
    assert one.rented is not None
    return BreakEven(
        usd_per_device_hour_rented=known(one.rented, spread),
        usd_per_device_hour_saved=known(one.break_even["saving_usd_per_device_hour"], spread),
        utilization=known(one.break_even["utilisation"], spread),
        months=known(one.break_even["months"], spread),
    )
