"""The rental basis: every device-hour at the price of the supply, nothing else."""

from typing import Final

from service.core.answer import Bill, Excluded, Line
from service.core.lines import bill, priced_line, unpriced_line
from service.core.offers import NoPrice, Price
from service.core.stages import Effort

EXCLUDES: Final[tuple[Excluded, ...]] = (
    "base_model",
    "experiments",
    "staff",
    "data",
    "storage",
    "transfer",
)


def rental_bill(
    efforts: tuple[Effort, ...], prices: tuple[Price | NoPrice, ...]
) -> Bill:
    """One line for each stage, in the order of the run."""
    lines = tuple(
        rental_line(effort, price)
        for effort, price in zip(efforts, prices, strict=True)
    )
    return bill(lines, excludes=EXCLUDES)


def rental_line(effort: Effort, price: Price | NoPrice) -> Line:
    """Device-hours of one stage times the price of its cluster, or why there is no amount."""
    name, hours = effort.stage.name, effort.device_hours
    if hours is None:
        return unpriced_line(
            stage=name,
            quantity=None,
            reason="device_hours_unknown",
            detail=effort.unknown,
        )
    if isinstance(price, NoPrice):
        return unpriced_line(
            stage=name, quantity=hours, reason=price.reason, detail=price.detail
        )
    return priced_line(
        stage=name, quantity=hours, rate=price.usd_per_device_hour, detail=price.detail
    )
