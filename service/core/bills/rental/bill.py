"""The rental bill: device-hours at the price of the supply, and costs that come with them.

It has terms, storage, transfer and support if the run, the offer or the caller declares them.
Discounts, markups and taxes are lines of their own, with their sign and their label.
"""

from typing import Any, Final

from msgspec import Struct

from service.core.answer import Item
from service.core.argument import Cursor, Unknown
from service.core.bills.lines import BillBuilder, net_of_discounts, subtotal
from service.core.bills.prices.price import NoPrice, Price
from service.core.bills.rental import formulas
from service.core.bills.sold import (
    RUN_CLUSTER,
    Sold,
    by_cluster,
    hours_in_turn,
    rounding_of,
    sold_of_rented,
    stage_of_line,
)
from service.core.figures.ledger import Term
from service.core.request.accounting import HARDWARE_ITEMS, Discount, Storage, Uplift
from service.core.request.request import Cluster, Market
from service.core.request.supplies import named_offer
from service.core.stages.effort import Effort

MOSTLY_UNUSED: Final = 0.5
"""The quote warns of a commitment from this unused share on."""


class Rented(Struct, frozen=True):
    """A stage and the price of its cluster."""

    effort: Effort
    price: Price | NoPrice


def write_rental(bill: BillBuilder, rented: tuple[Rented, ...]) -> None:
    """Write every line of the rental basis, each after the lines that it depends on."""
    clusters = by_cluster(one.effort for one in rented)
    billing = bill.at.said.billing
    sold = {key: sold_of_rented(on_it, billing=billing) for key, on_it in clusters.items()}
    for one in rented:
        _write_devices(bill, one)
        key = one.effort.cluster_pointer
        if one.effort is clusters[key][-1]:
            _write_rounding(bill, one, sold[key])
    for one in {one.effort.cluster_pointer: one for one in reversed(rented)}.values():
        _write_commitment(bill, one, sold[one.effort.cluster_pointer])
    if bill.at.states("storage"):
        _write_storage(bill, rented)
    if bill.at.states("transfer"):
        _write_transfer(bill)
    for discount in bill.at.each("discounts"):
        _write_discount(bill, discount)
    if bill.at.states("support"):
        _write_support(bill)
    _write_uplifts(bill)


def _write_devices(bill: BillBuilder, one: Rented) -> None:
    """Write device-hours of one stage times the price of its cluster, or why there is no amount."""
    effort, price = one.effort, one.price
    name, hours = effort.stage.name, effort.device_hours
    if isinstance(hours, Unknown):
        bill.leave_unpriced(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=None,
            reason="device_hours_unknown",
            detail=hours.detail,
            pointer=effort.pointer,
        )
    elif isinstance(price, NoPrice):
        bill.leave_unpriced(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=hours,
            reason=price.reason,
            detail=price.detail,
            pointer=effort.context.cluster.pointer_of("supply"),
        )
    else:
        bill.price(
            stage=name,
            item="device_rental",
            unit="device_hour",
            quantity=hours,
            rate=price.usd_per_device_hour,
            detail=price.detail,
        )


def _write_rounding(bill: BillBuilder, one: Rented, sold: Sold) -> None:
    """Write what a cluster is billed for beyond the devices and the hours that the run holds."""
    cluster = one.effort.context.cluster
    beyond = rounding_of(cluster.under(f"rental{cluster.pointer}"), sold)
    if beyond is not None and isinstance(one.price, Price):
        bill.price(
            stage=stage_of_line(one.effort),
            item="rounding",
            unit="device_hour",
            quantity=beyond,
            rate=one.price.usd_per_device_hour,
            detail=sold.why,
        )


def _write_commitment(bill: BillBuilder, one: Rented, sold: Sold) -> None:
    """Write the cost of a minimum or reserved term beyond the hours that are billed anyway."""
    effort, price = one.effort, one.price
    cluster = effort.context.cluster
    term = _term_hours(bill, cluster)
    if term is None or isinstance(price, NoPrice):
        return
    if sold.hours is None:
        bill.leave_unpriced(
            item="unused_commitment",
            unit="device_hour",
            quantity=None,
            reason="device_hours_unknown",
            detail="how much of the term is left unused depends on hours that are not known",
            pointer=effort.pointer,
        )
        return
    unused = cluster.under(f"rental{cluster.pointer}").derive(
        formulas.unused_device_hours, devices=sold.devices, term_hours=term, run_hours=sold.hours
    )
    if unused.central > MOSTLY_UNUSED * sold.devices.central * term.central:
        share = unused.central / (sold.devices.central * term.central)
        stated = cluster.pointer == RUN_CLUSTER and bill.at.states("commitment_hours")
        pointer = bill.at.pointer_of("commitment_hours") if stated else cluster.pointer_of("supply")
        bill.at.argument.warn(
            "commitment_unused",
            f"{share:.0%} of the {term.central:g} paid hours are unused",
            pointer=pointer,
        )
    bill.price(
        item="unused_commitment",
        unit="device_hour",
        quantity=unused,
        rate=price.usd_per_device_hour,
        detail=f"{sold.devices.central:g} devices are paid for {term.central:g} hours, "
        f"the run takes {sold.hours.central:g}",
    )


def _term_hours(bill: BillBuilder, cluster: Cursor[Cluster]) -> Term | None:
    """The minimum of hours that is paid for: the caller's, or that of a reserved price."""
    if cluster.pointer == RUN_CLUSTER and bill.at.states("commitment_hours"):
        return bill.at.quantity("commitment_hours", unit="hour")
    supply = cluster.at("supply")
    if isinstance(supply.said, Market):
        kind: str = supply.said.term
    else:
        named = named_offer(supply.said, cluster.argument.catalog, pointer=supply.pointer)
        kind = "" if named is None else named.price_kind
    name = f"rental.term_hours.{kind}"
    known = name in cluster.argument.catalog.assumptions
    return cluster.assume(name) if known else None


def _write_discount(bill: BillBuilder, asked: Cursor[Discount]) -> None:
    """Write a share to be taken off the items that the discount covers."""
    at = asked.under(f"{asked.prefix}{asked.pointer}")
    share = at.derive(
        formulas.taken_off, "rate", discount_share=asked.quantity("share", unit="share")
    )
    covers = asked.said.covers
    _write_share(
        bill,
        "discount",
        share,
        asked,
        base=net_of_discounts(bill.at, bill.lines, covers, f"covered{asked.pointer}"),
        label=asked.said.label,
        detail=f"covers {', '.join(covers)}",
        covers=covers,
    )


def _write_support(bill: BillBuilder) -> None:
    """Write a support plan as a share of what is rented, after discounts."""
    support = bill.at.at("support")
    share = support.assumed("share", unit="share", default="rental.support_share")
    rented = net_of_discounts(bill.at, bill.lines, HARDWARE_ITEMS, "supported_usd")
    _write_share(bill, "support", share, support, base=rented)


def _write_uplifts(bill: BillBuilder) -> None:
    """Write the markups, each on all lines before it, then the taxes, each on all before taxes.

    Tax is charged on the price that the buyer pays, so a margin that is listed after it is taxed
    too. A tax is not charged on another tax.
    """
    uplifts: tuple[Cursor[Uplift], ...] = bill.at.each("uplifts")
    for uplift in sorted(uplifts, key=lambda one: one.said.kind == "tax"):
        untaxed = [line for line in bill.lines if line.item != "tax"]
        _write_share(
            bill,
            uplift.said.kind,
            uplift.quantity("share", unit="share"),
            uplift,
            base=subtotal(bill.at, untaxed, f"before{uplift.pointer}"),
            label=uplift.said.label,
        )


def _write_share(
    bill: BillBuilder,
    item: Item,
    share: Term,
    asked: Cursor[Any],
    *,
    base: Term | None,
    label: str = "",
    detail: str = "",
    covers: tuple[Item, ...] = (),
) -> None:
    """Write a line that is a share of others, whose sum is `base`."""
    if base is None:
        bill.leave_unpriced(
            item=item,
            unit="usd",
            quantity=None,
            reason="depends_on_an_unpriced_line",
            detail=f"{item} is a share of lines of which one is unpriced",
            pointer=asked.pointer,
            label=label,
            covers=covers,
        )
    else:
        bill.price(
            item=item,
            unit="usd",
            quantity=base,
            rate=share,
            label=label,
            detail=detail,
            covers=covers,
        )


def _write_storage(bill: BillBuilder, rented: tuple[Rented, ...]) -> None:
    """Write gigabytes kept for the months that the caller states, or for the hours of the run."""
    storage: Cursor[Storage] = bill.at.at("storage")
    kept = _gigabyte_months(storage, rented)
    if kept is None:
        bill.leave_unpriced(
            item="storage",
            unit="gigabyte_month",
            quantity=None,
            reason="device_hours_unknown",
            detail="how long the run lasts is not known; give the months of storage",
            pointer=storage.pointer_of("months"),
        )
        return
    bill.price(
        item="storage",
        unit="gigabyte_month",
        quantity=kept,
        rate=storage.assumed(
            "usd_per_gigabyte_month",
            unit="usd/gigabyte_month",
            default="rental.usd_per_gigabyte_month",
        ),
    )


def _gigabyte_months(storage: Cursor[Storage], rented: tuple[Rented, ...]) -> Term | None:
    """Gigabyte-months: for the months that the caller states, or for the hours of the run."""
    size = storage.quantity("gigabytes", unit="gigabyte")
    if storage.states("months"):
        months = storage.quantity("months", unit="month")
        return storage.derive(
            formulas.gigabyte_months_kept, "gigabyte_months", gigabytes=size, months=months
        )
    hours = hours_in_turn(storage, (one.effort for one in rented))
    return hours and storage.derive(formulas.gigabyte_months, gigabytes=size, hours=hours)


def _write_transfer(bill: BillBuilder) -> None:
    """Write gigabytes moved out, by the gigabyte."""
    transfer = bill.at.at("transfer")
    bill.price(
        item="transfer",
        unit="gigabyte",
        quantity=transfer.quantity("gigabytes", unit="gigabyte"),
        rate=transfer.assumed(
            "usd_per_gigabyte", unit="usd/gigabyte", default="rental.usd_per_gigabyte"
        ),
    )
