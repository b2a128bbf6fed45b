"""The rental basis: every device-hour at the price of the supply, nothing else."""

from typing import Final

from service.core.answer import Excluded
from service.core.argument import Argument
from service.core.lines import Book, DraftBill
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
    argument: Argument, efforts: tuple[Effort, ...], prices: tuple[Price | NoPrice, ...]
) -> DraftBill:
    """One line of device rental for each stage, in the order of the run."""
    book = Book(argument, "rental")
    for effort, price in zip(efforts, prices, strict=True):
        _write_line(book, effort, price)
    return book.close(excludes=EXCLUDES)


def _write_line(book: Book, effort: Effort, price: Price | NoPrice) -> None:
    """Device-hours of one stage times the price of its cluster, or why there is no amount."""
    name, hours = effort.stage.name, effort.device_hours
    if hours is None:
        book.leave_unpriced(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=None,
            reason="device_hours_unknown",
            detail=effort.unknown,
            pointer=effort.pointer,
        )
    elif isinstance(price, NoPrice):
        book.leave_unpriced(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=hours,
            reason=price.reason,
            detail=price.detail,
            pointer=f"{effort.cluster_pointer}/supply",
        )
    else:
        book.price(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=hours,
            rate=price.usd_per_device_hour,
            detail=price.detail,
        )
