"""From one total to another, component by component, in printed amounts. Nothing rounds here."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from service.core.answer import Bill, Bridge, BridgeStep, Item, Money, PricedBill, PricedLine
from service.core.figures.vocabulary import MINOR_PLACES
from service.core.printing.money import amount_read, printed, sum_of_amounts

ZERO: Final = Decimal()


def bridges(bills: tuple[Bill, ...]) -> tuple[Bridge, ...]:
    """From the rental total to every other total, if both are known."""
    priced = {bill.basis: bill for bill in bills if isinstance(bill, PricedBill)}
    start = priced.pop("rental", None)
    return () if start is None else tuple(bridge(start, end) for end in priced.values())


def bridge(start: PricedBill, end: PricedBill) -> Bridge:
    """Take away what only the first bill counts, then add what only the second counts.

    Lines that both bills print alike make no step.
    """
    currency = start.total.currency
    places = MINOR_PLACES[currency]
    before, after = amounts(start, places=places), amounts(end, places=places)
    running = amount_read(start.total.amount)
    steps = []
    for component in dict.fromkeys([*before, *after]):
        moved = sum_of_amounts(
            (after.get(component, ZERO), -before.get(component, ZERO)), places=places
        )
        if moved:
            running = sum_of_amounts((running, moved), places=places)
            steps.append(
                BridgeStep(
                    component=component, amount=printed(moved), running_total=printed(running)
                )
            )
    return Bridge(
        start_basis=start.basis,
        end_basis=end.basis,
        start=start.total,
        steps=tuple(steps),
        end=Money(amount=printed(running), currency=currency),
    )


def amounts(bill: PricedBill, *, places: int) -> dict[Item, Decimal]:
    """The sum of each component of a bill, in the order of its lines."""
    found: dict[Item, Decimal] = {}
    for line in priced_lines(bill):
        so_far = found.get(line.item, ZERO)
        found[line.item] = sum_of_amounts((so_far, amount_read(line.amount)), places=places)
    return found


def priced_lines(bill: PricedBill) -> Iterator[PricedLine]:
    """The lines of a bill that has a total. All of them are priced."""
    return (line for line in bill.lines if isinstance(line, PricedLine))
