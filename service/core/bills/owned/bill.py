"""The owned bill: purchase, capital, hosting, upkeep and electricity of the hours used.

The lines of a stage are its device-hours at the rates of its cluster's holding: the parts of the
purchase for one device-hour, the rated power that is hosted, and the energy at the meter.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from service.core.answer import Item, LineUnit
from service.core.argument import Unknown
from service.core.bills.lines import BillBuilder
from service.core.bills.owned import straight_line
from service.core.bills.owned.terms import Holding
from service.core.bills.power import Consumption
from service.core.bills.prices.price import NoPrice, Price
from service.core.bills.sold import Sold, hours_in_turn, rounding_of, stage_of_line
from service.core.cluster import energy
from service.core.cluster.hardware import device_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.stages.effort import Effort

PURCHASE: Final[Mapping[str, Item]] = {
    "accelerators_usd": "accelerators",
    "servers_usd": "servers",
    "network_usd": "cluster_network",
    "capital_usd": "capital",
}
"""Items of the bill for the parts of the purchase."""
UPKEEP: Final[Mapping[str, Item]] = {"maintenance_usd": "maintenance"}
"""Items of the bill for costs that follow the purchase price after the purchase."""
ALWAYS: Final = 1.0
"""The utilisation of a device that is written off by the calendar hour."""


class OwningFigures(Struct, frozen=True, kw_only=True):
    """Owning one cluster: the purchase, the rate that it implies, and where it breaks even."""

    holding: Holding
    acquisition: Mapping[str, Term]
    usd_per_device_hour: Term | None
    rented: Term | None
    break_even: Mapping[str, Term] | None


@formula("stage_kwh", unit="kwh")
def stage_kwh(*, device_hours: Real, kwh_per_device_hour: Real) -> Real:
    """Energy of a stage.

        device_hours * kwh_per_device_hour

    Source: definition.
    """
    return device_hours * kwh_per_device_hour


def write_stage(
    bill: BillBuilder, effort: Effort, holding: Holding, consumption: Consumption | None
) -> None:
    """Write what a stage costs the owner of its cluster, line by line."""
    stage, hours = effort.stage.name, effort.device_hours
    items = {**PURCHASE, **UPKEEP} if holding.has_hosting else dict(list(PURCHASE.items())[:3])
    for part, item in items.items():
        if isinstance(hours, Unknown):
            _unknown_hours(bill, effort, item, "device_hour", hours)
        elif holding.purchase_rates is None:
            bill.leave_unpriced(
                stage=stage,
                item=item,
                unit="device_hour",
                quantity=hours,
                reason="no_purchase_price",
                detail=f"{holding.terms.device.lacks('purchase price')}; give usd_per_device",
                pointer=holding.terms.at.pointer_of("usd_per_device"),
            )
        else:
            bill.price(
                stage=stage,
                item=item,
                unit="device_hour",
                quantity=hours,
                rate=holding.purchase_rates[part],
            )
    if holding.has_hosting:
        _write_hosting(bill, effort, holding)
    _write_energy(bill, effort, holding, consumption)


def write_rounding(bill: BillBuilder, efforts: tuple[Effort, ...], holding: Holding) -> None:
    """Write the devices that whole servers or racks have beyond those of the run.

    They are paid for while the run lasts, but for their energy.
    """
    terms = holding.terms
    if terms.devices == terms.effort.devices or holding.purchase_rates is None:
        return
    hours = hours_in_turn(terms.at, efforts)
    beyond = rounding_of(
        terms.at,
        Sold(
            devices=terms.devices,
            held_devices=terms.effort.devices,
            hours=hours,
            held_hours=hours,
        ),
    )
    if beyond is not None:
        bill.price(
            stage=stage_of_line(terms.effort),
            item="rounding",
            unit="device_hour",
            quantity=beyond,
            rate=_held_rate(holding, _held_rates(holding), "total"),
            detail=f"{terms.why}; the energy of idle devices is not counted",
        )


def _write_hosting(bill: BillBuilder, effort: Effort, holding: Holding) -> None:
    """Write rated kilowatts by the month, for the hours used and their share of idle hours."""
    hours = effort.device_hours
    if isinstance(hours, Unknown):
        _unknown_hours(bill, effort, "hosting", "kilowatt_month", hours)
    elif holding.hosted_w is None:
        _unknown_power(bill, effort, "hosting", "kilowatt_month")
    else:
        assert holding.utilisation is not None
        assert holding.usd_per_kilowatt_month is not None
        bill.price(
            stage=effort.stage.name,
            item="hosting",
            unit="kilowatt_month",
            quantity=effort.context.stage.derive(
                energy.kilowatt_months,
                device_hours=hours,
                rated_w=holding.hosted_w,
                utilisation=holding.utilisation,
            ),
            rate=holding.usd_per_kilowatt_month,
        )


def _write_energy(
    bill: BillBuilder, effort: Effort, holding: Holding, consumption: Consumption | None
) -> None:
    """Write the energy at the facility's meter. `epoch-2024` has ratings of its own for it."""
    hours = effort.device_hours
    if isinstance(hours, Unknown):
        _unknown_hours(bill, effort, "energy", "kwh", hours)
        return
    if holding.kwh_per_device_hour is None:
        _unknown_power(bill, effort, "energy", "kwh")
        return
    if holding.has_hosting and consumption is not None:
        kwh = consumption.kwh["facility_kwh"]
    else:
        kwh = effort.context.stage.derive(
            stage_kwh,
            "epoch_2024_kwh",
            device_hours=hours,
            kwh_per_device_hour=holding.kwh_per_device_hour,
        )
    bill.price(
        stage=effort.stage.name, item="energy", unit="kwh", quantity=kwh, rate=holding.usd_per_kwh
    )


def _unknown_hours(
    bill: BillBuilder, effort: Effort, item: Item, unit: LineUnit, why: Unknown
) -> None:
    bill.leave_unpriced(
        stage=effort.stage.name,
        item=item,
        unit=unit,
        quantity=None,
        reason="device_hours_unknown",
        detail=why.detail,
        pointer=effort.pointer,
    )


def _unknown_power(bill: BillBuilder, effort: Effort, item: Item, unit: LineUnit) -> None:
    bill.leave_unpriced(
        stage=effort.stage.name,
        item=item,
        unit=unit,
        quantity=None,
        reason="power_unknown",
        detail=device_of(effort.context.cluster).lacks("power"),
        pointer=effort.context.cluster.pointer_of("accelerator"),
    )


def ownership_of(holding: Holding, price: Price | NoPrice) -> OwningFigures | None:
    """Owning the cluster, compared with renting it. None if the purchase has no price."""
    if holding.acquisition is None or holding.purchase_rates is None:
        return None
    rate = _implied_rate(holding)
    rented = price.usd_per_device_hour if isinstance(price, Price) else None
    return OwningFigures(
        holding=holding,
        acquisition=holding.acquisition,
        usd_per_device_hour=None if rate is None else rate["device_hour"],
        rented=rented,
        break_even=None if rate is None or rented is None else _break_even(holding, rate, rented),
    )


def _implied_rate(holding: Holding) -> dict[str, Term] | None:
    """Dollars for one device-hour of use: the sum, its energy, and its part of the purchase."""
    at = holding.terms.at
    assert holding.purchase_rates is not None
    if holding.kwh_per_device_hour is None:
        return None
    power = at.derive(
        straight_line.energy_usd,
        "energy_usd_per_device_hour",
        kwh_per_device_hour=holding.kwh_per_device_hour,
        usd_per_kwh=holding.usd_per_kwh,
    )
    bought = {part: rate for part, rate in holding.purchase_rates.items() if part in PURCHASE}
    return {
        "device_hour": _total(holding, {**_held_rates(holding), "energy_usd": power}, "total"),
        "purchase": _total(holding, bought, "purchase"),
        "energy": power,
    }


def _held_rates(holding: Holding) -> dict[str, Term]:
    """Dollars for one device-hour whether it is used or not: purchase, upkeep and hosting."""
    parts = dict(holding.purchase_rates or {})
    if holding.hosted_w and holding.usd_per_kilowatt_month and holding.utilisation:
        parts["hosting_usd"] = holding.terms.at.derive_once(
            straight_line.hosting_usd,
            "hosting_usd_per_device_hour",
            rated_w=holding.hosted_w,
            usd_per_kilowatt_month=holding.usd_per_kilowatt_month,
            utilisation=holding.utilisation,
        )
    return parts


def _total(holding: Holding, parts: Mapping[str, Term], name: str) -> Term:
    """The sum of rates for one device-hour of use, with what idle devices add to it."""
    terms = holding.terms
    at, idle = terms.at, {}
    if terms.devices != terms.effort.devices:
        held = {part: rate for part, rate in parts.items() if part != "energy_usd"}
        idle["idle_usd"] = at.derive(
            straight_line.idle_usd,
            f"{name}_idle_usd_per_device_hour",
            usd_per_device_hour=_held_rate(holding, held, name),
            devices_bought=terms.devices,
            devices=terms.effort.devices,
        )
    return at.derive(straight_line.device_hour_usd, f"{name}_usd_per_device_hour", **parts, **idle)


def _held_rate(holding: Holding, parts: Mapping[str, Term], name: str) -> Term:
    """The sum of rates that are due whether a device is used or not."""
    return holding.terms.at.derive_once(
        straight_line.device_hour_usd, f"{name}_held_usd_per_device_hour", **parts
    )


def _break_even(holding: Holding, rate: Mapping[str, Term], rented: Term) -> dict[str, Term]:
    """Where owning breaks even. `epoch-2024` writes off by calendar hours, as if always used."""
    assert holding.acquisition is not None
    return holding.terms.at.derive_parts(
        straight_line.break_even,
        owned_usd_per_device_hour=rate["device_hour"],
        purchase_usd_per_device_hour=rate["purchase"],
        energy_usd_per_device_hour=rate["energy"],
        price_usd=holding.acquisition["total_usd"],
        devices=holding.terms.effort.devices,
        rental_usd_per_device_hour=rented,
        utilisation=ALWAYS if holding.utilisation is None else holding.utilisation,
    )
