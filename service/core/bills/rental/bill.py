"""The rental bill: device-hours at the price of the supply, and what comes with them.

Storage, transfer, support and terms stand in it where the run, the offer or the caller declares
them; discounts and uplifts are lines of their own, with their sign and their label.
"""

from typing import Final

from msgspec import UNSET, Struct

from service.core.answer import Item
from service.core.argument import Argument, Unknown
from service.core.bills.lines import Book
from service.core.bills.power import sum_of
from service.core.bills.prices import NoPrice, Price
from service.core.bills.rental import formulas
from service.core.figures.ledger import Term
from service.core.request.accounting import Accounting, Adjustment, Storage
from service.core.request.request import CatalogOffer, Cluster, Market
from service.core.stages.effort import Effort

RUN_CLUSTER: Final = "/cluster"


class Rented(Struct, frozen=True):
    """A stage and the price of its cluster."""

    effort: Effort
    price: Price | NoPrice


def write_rental(
    argument: Argument, book: Book, rented: tuple[Rented, ...], accounting: Accounting
) -> None:
    """Every line of the rental basis, in the order in which they build on each other."""
    for one in rented:
        _write_rental(book, one)
    for pointer in dict.fromkeys(one.effort.cluster_pointer for one in rented):
        on_it = tuple(one for one in rented if one.effort.cluster_pointer == pointer)
        _write_commitment(argument, book, on_it, accounting)
    for index, discount in enumerate(accounting.discounts):
        _adjust(argument, book, "discount", discount, f"/accounting/discounts/{index}")
    if accounting.support is not UNSET:
        _write_support(argument, book, accounting)
    _write_storage(argument, book, rented, accounting)
    _write_transfer(argument, book, accounting)
    for index, uplift in enumerate(accounting.uplifts):
        _adjust(argument, book, "uplift", uplift, f"/accounting/uplifts/{index}")


def _write_rental(book: Book, one: Rented) -> None:
    """Device-hours of one stage times the price of its cluster, or why there is no amount."""
    effort, price = one.effort, one.price
    name, hours = effort.stage.name, effort.device_hours
    if isinstance(hours, Unknown):
        book.leave_unpriced(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=None,
            reason="device_hours_unknown",
            detail=hours.detail,
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


def _write_commitment(
    argument: Argument, book: Book, on_it: tuple[Rented, ...], accounting: Accounting
) -> None:
    """What a minimum or reserved term costs beyond the hours that the run's stages use."""
    effort, price = on_it[0].effort, on_it[0].price
    term = _term_hours(argument, effort.cluster, effort.cluster_pointer, accounting)
    if term is None or isinstance(price, NoPrice):
        return
    used = run_hours(argument, tuple(one.effort for one in on_it), name=effort.cluster_pointer)
    if used is None:
        book.leave_unpriced(
            item="unused_commitment",
            unit="device_hour",
            quantity=None,
            reason="device_hours_unknown",
            detail="how much of the term is left unused depends on hours that are not known",
            pointer=effort.pointer,
        )
        return
    unused = argument.ledger.derive(
        formulas.unused_device_hours,
        name=f"rental{effort.cluster_pointer}/unused_device_hours",
        inputs={"devices": effort.devices, "term_hours": term, "run_hours": used},
    )
    book.price(
        item="unused_commitment",
        unit="device_hour",
        quantity=unused,
        rate=price.usd_per_device_hour,
        detail=f"{effort.devices.central:g} devices are paid for {term.central:g} hours, "
        f"the run holds them for {used.central:g}",
    )


def _term_hours(
    argument: Argument, cluster: Cluster, pointer: str, accounting: Accounting
) -> Term | None:
    """The least hours that are paid for: the caller's, or those of a reserved price."""
    if pointer == RUN_CLUSTER and accounting.commitment_hours is not UNSET:
        return argument.quantity(
            accounting.commitment_hours, pointer="/accounting/commitment_hours", unit="hour"
        )
    supply, kind = cluster.supply, ""
    if isinstance(supply, Market):
        kind = supply.term
    elif isinstance(supply, CatalogOffer):
        kind = argument.catalog.offer(supply.id, pointer=f"{pointer}/supply/id").price_kind
    name = f"rental.term_hours.{kind}"
    return argument.assume(name) if name in argument.catalog.assumptions else None


def run_hours(argument: Argument, efforts: tuple[Effort, ...], *, name: str) -> Term | None:
    """Hours on the clock of stages one after another; None if one of them is not known."""
    inputs: dict[str, Term] = {}
    for index, effort in enumerate(efforts):
        if effort.wall_clock_hours is None:
            return None
        inputs[f"stage_{index}"] = effort.wall_clock_hours
    return argument.ledger.derive_once(
        sum_of, name=f"rental{name}/run_hours", unit="hour", inputs=inputs
    )


def _adjust(argument: Argument, book: Book, item: Item, asked: Adjustment, pointer: str) -> None:
    """A share of all that stands before it: taken off, or put on top."""
    share = argument.quantity(asked.share, pointer=f"{pointer}/share", unit="share")
    if item == "discount":
        share = argument.ledger.derive(
            formulas.taken_off,
            name=f"rental{pointer}/rate",
            inputs={"discount_share": share},
        )
    _write_share(book, item, share, pointer, label=asked.label)


def _write_support(argument: Argument, book: Book, accounting: Accounting) -> None:
    """A support plan as a share of what is rented."""
    assert accounting.support is not UNSET
    share = argument.stated_or_default(
        accounting.support.share,
        pointer="/accounting/support/share",
        unit="share",
        assumption="rental.support_share",
    )
    _write_share(book, "support", share, "/accounting/support")


def _write_share(book: Book, item: Item, share: Term, pointer: str, *, label: str = "") -> None:
    """A line that is a share of those before it."""
    base = book.subtotal(f"before{pointer}")
    if base is None:
        book.leave_unpriced(
            item=item,
            unit="usd",
            quantity=None,
            reason="depends_on_an_unpriced_line",
            detail=f"{item} is a share of lines of which one is unpriced",
            pointer=pointer,
            label=label,
        )
    else:
        book.price(item=item, unit="usd", quantity=base, rate=share, label=label)


def _write_storage(
    argument: Argument, book: Book, rented: tuple[Rented, ...], accounting: Accounting
) -> None:
    """Gigabytes kept for the months that the caller says, or for the hours of the run."""
    asked, where = accounting.storage, "/accounting/storage"
    if asked is UNSET:
        return
    size = argument.quantity(asked.gigabytes, pointer=f"{where}/gigabytes", unit="gigabyte")
    kept = _gigabyte_months(argument, size, asked, rented)
    if kept is None:
        book.leave_unpriced(
            item="storage",
            unit="gigabyte_month",
            quantity=None,
            reason="device_hours_unknown",
            detail="how long the run lasts is not known; give the months of storage",
            pointer=f"{where}/months",
        )
        return
    book.price(
        item="storage",
        unit="gigabyte_month",
        quantity=kept,
        rate=argument.stated_or_default(
            asked.usd_per_gigabyte_month,
            pointer=f"{where}/usd_per_gigabyte_month",
            unit="usd/gigabyte_month",
            assumption="rental.usd_per_gigabyte_month",
        ),
    )


def _gigabyte_months(
    argument: Argument, size: Term, asked: Storage, rented: tuple[Rented, ...]
) -> Term | None:
    """What is kept for how long: as the caller says, or for the hours of the run."""
    name = "rental/gigabyte_months"
    if asked.months is not UNSET:
        months = argument.quantity(asked.months, pointer="/accounting/storage/months", unit="month")
        return argument.ledger.derive(
            formulas.gigabyte_months_kept,
            name=name,
            inputs={"gigabytes": size, "months": months},
        )
    hours = run_hours(argument, tuple(one.effort for one in rented), name="")
    return hours and argument.ledger.derive(
        formulas.gigabyte_months,
        name=name,
        inputs={"gigabytes": size, "hours": hours},
    )


def _write_transfer(argument: Argument, book: Book, accounting: Accounting) -> None:
    """Gigabytes moved out, by the gigabyte."""
    asked, where = accounting.transfer, "/accounting/transfer"
    if asked is UNSET:
        return
    book.price(
        item="transfer",
        unit="gigabyte",
        quantity=argument.quantity(asked.gigabytes, pointer=f"{where}/gigabytes", unit="gigabyte"),
        rate=argument.stated_or_default(
            asked.usd_per_gigabyte,
            pointer=f"{where}/usd_per_gigabyte",
            unit="usd/gigabyte",
            assumption="rental.usd_per_gigabyte",
        ),
    )
