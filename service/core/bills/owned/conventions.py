"""What a device-hour of an owned cluster costs under each of the named conventions."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from service.core.bills.owned import epoch, straight_line
from service.core.bills.owned.terms import Desk, Holding, PurchasePrice
from service.core.cluster import energy
from service.core.figures.ledger import Term
from service.core.figures.units import Unit

ACQUISITION: Final[dict[str, Unit]] = dict.fromkeys(
    ("accelerators_usd", "servers_usd", "network_usd", "total_usd"), "usd"
)


def holding_of(desk: Desk) -> Holding:
    """What the cluster's device-hours cost under the convention that its terms name."""
    if desk.terms.convention == "epoch-2024":
        return epoch_2024(desk)
    return by_straight_line(desk)


def by_straight_line(desk: Desk) -> Holding:
    """Write-off over life and utilisation, with capital, maintenance and hosting."""
    terms, plug, price = desk.terms, desk.plug, desk.price()
    utilisation = desk.number(
        terms.utilization, member="utilization", unit="share", assumption="owned.utilisation"
    )
    return Holding(
        desk=desk,
        acquisition=None if price is None else _acquisition(desk, price),
        purchase_rates=None if price is None else _straight_line_rates(desk, price, utilisation),
        kwh_per_device_hour=_metered_kwh(desk),
        usd_per_kwh=desk.place.usd_per_kwh,
        hosted_w=None if plug is None else plug.rated_w,
        usd_per_kilowatt_month=desk.number(
            terms.usd_per_kilowatt_month,
            member="usd_per_kilowatt_month",
            unit="usd/kilowatt_month",
            assumption="owned.usd_per_kilowatt_month",
        ),
        utilisation=utilisation,
    )


def _metered_kwh(desk: Desk) -> Term | None:
    """Energy under load as metered, with the network, at the facility's meter."""
    if desk.plug is None:
        return None
    return desk.argument.ledger.derive(
        energy.kwh_per_device_hour,
        name=f"{desk.prefix}/kwh_per_device_hour",
        inputs={
            "server_w": desk.plug.loaded_w,
            "network_w": desk.plug.network_w,
            "pue": desk.place.pue,
        },
    )


def _straight_line_inputs(desk: Desk, price: PurchasePrice) -> dict[str, Term]:
    return {
        "price_usd_per_device": price.usd,
        "server_share": desk.argument.assume("owned.server_share"),
        "network_share": desk.network_share("owned.network_share"),
    }


def _acquisition(desk: Desk, price: PurchasePrice) -> Mapping[str, Term]:
    return desk.argument.ledger.derive_parts(
        straight_line.acquisition,
        name=f"{desk.prefix}/acquisition",
        inputs={"devices": desk.effort.devices, **_straight_line_inputs(desk, price)},
        fixed={"price_includes_server": float(price.includes_server)},
    )


def _straight_line_rates(desk: Desk, price: PurchasePrice, utilisation: Term) -> Mapping[str, Term]:
    terms = desk.terms
    return desk.argument.ledger.derive_parts(
        straight_line.purchase_rates,
        name=f"{desk.prefix}/usd_per_device_hour",
        inputs={
            **_straight_line_inputs(desk, price),
            "utilisation": utilisation,
            "life_years": desk.number(
                terms.years, member="years", unit="year", assumption="owned.life_years"
            ),
            "residual_share": desk.number(
                terms.residual_share,
                member="residual_share",
                unit="share",
                assumption="owned.residual_share",
            ),
            "cost_of_capital_per_year": desk.number(
                terms.cost_of_capital,
                member="cost_of_capital",
                unit="share/year",
                assumption="owned.cost_of_capital_per_year",
            ),
            "maintenance_share_per_year": desk.number(
                terms.maintenance_share,
                member="maintenance_share",
                unit="share/year",
                assumption="owned.maintenance_share_per_year",
            ),
        },
        fixed={"price_includes_server": float(price.includes_server)},
    )


def epoch_2024(desk: Desk) -> Holding:
    """Value at the start of the run, declining as newer hardware improves, and energy."""
    price = desk.price()
    return Holding(
        desk=desk,
        acquisition=None if price is None else _epoch_acquisition(desk, price),
        purchase_rates=None if price is None else _epoch_rates(desk, price),
        kwh_per_device_hour=_epoch_kwh(desk),
        usd_per_kwh=desk.place.usd_per_kwh,
    )


def of_family(desk: Desk, stem: str, *, family: str = "") -> Term:
    """A number of the convention for the device's family, where it tells families apart."""
    own = f"epoch_2024.{stem}.{family or desk.device.epoch_2024_family}"
    known = own in desk.argument.catalog.assumptions
    return desk.argument.assume(own if known else f"epoch_2024.{stem}.other")


def _epoch_price(desk: Desk, price: PurchasePrice) -> Term:
    """A device with its share of the server: a bare card carries the server overhead on top."""
    if price.includes_server:
        return price.usd
    return desk.argument.ledger.derive_once(
        epoch.server_price_usd,
        name=f"{desk.prefix}/server_price_usd",
        inputs={"price_usd": price.usd, "server_overhead": of_family(desk, "server_overhead")},
    )


def _epoch_inputs(desk: Desk, price: PurchasePrice) -> dict[str, Term]:
    return {
        "price_usd": _epoch_price(desk, price),
        "server_overhead": of_family(desk, "server_overhead"),
        "network_share": desk.network_share("epoch_2024.network_share"),
    }


def _epoch_acquisition(desk: Desk, price: PurchasePrice) -> Mapping[str, Term]:
    return desk.argument.ledger.derive_parts(
        epoch.acquisition,
        name=f"{desk.prefix}/acquisition",
        inputs={"devices": desk.effort.devices, **_epoch_inputs(desk, price)},
    )


def _epoch_rates(desk: Desk, price: PurchasePrice) -> Mapping[str, Term]:
    return desk.argument.ledger.derive_parts(
        epoch.purchase_rates,
        name=f"{desk.prefix}/usd_per_device_hour",
        inputs={
            **_epoch_inputs(desk, price),
            "years": desk.number(
                desk.terms.age_years,
                member="age_years",
                unit="year",
                assumption="epoch_2024.age_years",
            ),
            "decline_oom_per_year": desk.argument.assume("epoch_2024.decline_oom_per_year"),
        },
    )


def _epoch_kwh(desk: Desk) -> Term | None:
    """Energy by ratings, as the convention has it; its own PUE where the site's is not known."""
    device = desk.device
    if device.tdp_w is UNSET:
        return None
    return desk.argument.ledger.derive(
        epoch.kwh_per_device_hour,
        name=f"{desk.prefix}/kwh_per_device_hour",
        inputs={
            "tdp_w": desk.argument.ledger.take(device.tdp_w),
            "server_power_ratio": of_family(desk, "server_power_ratio"),
            "mean_power_share": of_family(desk, "mean_power_share", family=device.kind),
            "pue": of_family(desk, "pue") if desk.place.assumes_pue else desk.place.pue,
        },
    )
