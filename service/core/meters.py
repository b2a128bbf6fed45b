"""What a stage draws from the grid: power, energy and carbon, where its cluster stands."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from service.core import energy as formulas
from service.core.argument import Argument
from service.core.catalog import Accelerator
from service.core.provenance import Datum, Term
from service.core.request import Cluster, Interval
from service.core.stages import Effort
from service.core.units import Unit


class Plug(Struct, frozen=True, kw_only=True):
    """Power of one device with its share of server and network, in watts, and its site."""

    loaded_w: Term
    rated_w: Term
    network_w: Term
    pue: Term
    usd_per_kwh: Term
    kg_co2e_per_kwh: Term
    market_based: Term | None
    marginal: Term | None


class Metered(Struct, frozen=True, kw_only=True):
    """Energy, carbon and power of one stage, by the names that the answer gives them."""

    plug: Plug
    kwh: Mapping[str, Term]
    kg_co2e: Mapping[str, Term]
    power_w: Mapping[str, Term]


def plug_of(argument: Argument, cluster: Cluster, *, pointer: str) -> Plug | None:
    """The power of a cluster's device and the numbers of its site; None if no power is known."""
    device = argument.catalog.accelerator(cluster.accelerator, pointer=f"{pointer}/accelerator")
    loaded = _loaded_w(argument, device)
    if loaded is None:
        argument.warn(
            "unknown_power",
            f"the catalog has no power of {device.id}; energy and carbon are absent",
            pointer=f"{pointer}/accelerator",
        )
        return None
    site = (
        None
        if cluster.site.id is UNSET
        else argument.catalog.site(cluster.site.id, pointer=f"{pointer}/site/id")
    )

    def of_site(
        member: str, given: float | Interval[Any] | UnsetType, datum: Datum | UnsetType, unit: Unit
    ) -> Term:
        where = f"{pointer}/site/{member}"
        if given is not UNSET:
            return argument.quantity(given, pointer=where, unit=unit)
        if datum is not UNSET:
            return argument.ledger.take(datum, pointer=where)
        term = argument.assume(f"energy.{member}", pointer=where)
        argument.warn(
            "assumed_site",
            f"{member} is not given; the catalog's default, {term.central:g}, was taken",
            pointer=where,
        )
        return term

    asked = cluster.site
    return Plug(
        loaded_w=loaded,
        rated_w=_rated_w(argument, device, loaded),
        network_w=argument.assume("energy.network_w_per_device"),
        pue=of_site("pue", asked.pue, site.pue if site else UNSET, "ratio"),
        usd_per_kwh=of_site(
            "usd_per_kwh", asked.usd_per_kwh, site.usd_per_kwh if site else UNSET, "usd/kwh"
        ),
        kg_co2e_per_kwh=of_site(
            "carbon_kg_co2e_per_kwh",
            asked.carbon_kg_co2e_per_kwh,
            site.carbon_kg_co2e_per_kwh if site else UNSET,
            "kg_co2e/kwh",
        ),
        market_based=_optional(
            argument, site.market_based_carbon_kg_co2e_per_kwh if site else UNSET
        ),
        marginal=_optional(argument, site.marginal_carbon_kg_co2e_per_kwh if site else UNSET),
    )


def metered(argument: Argument, effort: Effort, plug: Plug) -> Metered | None:
    """Energy, carbon and power of a stage whose device-hours are known."""
    if effort.device_hours is None:
        return None
    ledger, prefix = argument.ledger, effort.prefix
    kwh = ledger.derive_parts(
        formulas.energy,
        name=f"{prefix}/energy",
        units={
            "server_kwh": "kwh",
            "network_kwh": "kwh",
            "it_kwh": "kwh",
            "overhead_kwh": "kwh",
            "facility_kwh": "kwh",
        },
        inputs={
            "device_hours": effort.device_hours,
            "server_w": plug.loaded_w,
            "network_w": plug.network_w,
            "pue": plug.pue,
        },
    )
    power = ledger.derive_parts(
        formulas.cluster_power,
        name=f"{prefix}/power",
        units={
            "average_it_w": "watt",
            "average_facility_w": "watt",
            "peak_it_w": "watt",
            "peak_facility_w": "watt",
        },
        inputs={
            "devices": effort.devices,
            "server_w": plug.loaded_w,
            "rated_w": plug.rated_w,
            "network_w": plug.network_w,
            "pue": plug.pue,
        },
    )
    return Metered(plug=plug, kwh=kwh, kg_co2e=_carbon(argument, prefix, plug, kwh), power_w=power)


def _carbon(
    argument: Argument, prefix: str, plug: Plug, kwh: Mapping[str, Term]
) -> dict[str, Term]:
    """Carbon by scope: location-based always, the others where the site has them."""
    intensities = {
        "location_based": plug.kg_co2e_per_kwh,
        "market_based": plug.market_based,
        "marginal": plug.marginal,
    }
    return {
        f"{scope}_{part}": term
        for scope, intensity in intensities.items()
        if intensity is not None
        for part, term in argument.ledger.derive_parts(
            formulas.carbon,
            name=f"{prefix}/carbon/{scope}",
            units={
                "it_kg_co2e": "kg_co2e",
                "overhead_kg_co2e": "kg_co2e",
                "total_kg_co2e": "kg_co2e",
            },
            inputs={
                "it_kwh": kwh["it_kwh"],
                "overhead_kwh": kwh["overhead_kwh"],
                "kg_co2e_per_kwh": intensity,
            },
        ).items()
    }


def _loaded_w(argument: Argument, device: Accelerator) -> Term | None:
    """Draw under load at the server's plug: metered where a figure is printed, else from ratings."""
    metered_name = f"energy.it_power_w.{device.id}"
    if metered_name in argument.catalog.assumptions:
        return argument.assume(metered_name)
    if device.tdp_w is UNSET:
        return None
    return argument.ledger.derive_once(
        formulas.server_w,
        name=f"power/{device.id}/loaded_w",
        unit="watt",
        inputs={
            "tdp_w": argument.ledger.take(device.tdp_w),
            "device_load_share": argument.assume("energy.device_load_share"),
            "server_power_ratio": argument.assume("energy.server_power_ratio"),
        },
    )


def _rated_w(argument: Argument, device: Accelerator, loaded: Term) -> Term:
    """What the rack must carry: from the rating, or the metered draw where there is none."""
    if device.tdp_w is UNSET:
        return loaded
    return argument.ledger.derive_once(
        formulas.rated_w,
        name=f"power/{device.id}/rated_w",
        unit="watt",
        inputs={
            "tdp_w": argument.ledger.take(device.tdp_w),
            "rated_power_ratio": argument.assume("energy.rated_power_ratio"),
        },
    )


def _optional(argument: Argument, datum: Datum | UnsetType) -> Term | None:
    return None if datum is UNSET else argument.ledger.take(datum)
