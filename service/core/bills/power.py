"""Power, energy and carbon of a stage, at the site of its cluster."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Argument, Cursor, Unknown
from service.core.bills.places import site_of_supply
from service.core.catalog.catalog import Accelerator, Catalog, Site
from service.core.cluster import energy as formulas
from service.core.cluster.hardware import device_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum
from service.core.figures.units import Unit
from service.core.request.request import Cluster, ClusterSite
from service.core.stages.effort import Effort

CURRENCY_OF_TARIFF: Final = {"eur/kwh": "usd_per_eur", "gbp/kwh": "usd_per_gbp"}
"""The rate of exchange that turns a tariff into dollars."""
NOWHERE: Final = Site(id="nowhere", kind="grid_zone", name="a site of which nothing is known")
ENERGY_PARTS: Final = ("it_kwh", "overhead_kwh", "facility_kwh")
POWER_PARTS: Final = ("average_it_w", "average_facility_w", "peak_it_w", "peak_facility_w")


class SiteRates(Struct, frozen=True, kw_only=True):
    """The numbers of a cluster's site. `assumes_pue` says that its PUE is a default.

    `claimed_by` is the operator who states the market-based carbon, if one does.
    """

    pue: Term
    usd_per_kwh: Term
    kg_co2e_per_kwh: Mapping[str, Term]
    assumes_pue: bool
    claimed_by: str


class DevicePower(Struct, frozen=True, kw_only=True):
    """Power of one device with its share of server and network, in watts, and its site."""

    loaded_w: Term
    rated_w: Term
    network_w: Term
    site: SiteRates


class Consumption(Struct, frozen=True, kw_only=True):
    """Energy, carbon and power of one stage, by the names that the answer gives them.

    `claimed_by` are the operators who state the market-based carbon.
    """

    kwh: Mapping[str, Term]
    kg_co2e: Mapping[str, Term]
    power_w: Mapping[str, Term]
    claimed_by: tuple[str, ...]


@formula("sum")
def sum_of(**parts: Real) -> Real:
    """The sum over stages. The keywords number them.

        stage_0 + stage_1 + ...

    Source: definition.
    """
    return sum(parts.values(), start=0.0)


def site_rates(cluster: Cursor[Cluster]) -> SiteRates:
    """The numbers of a cluster's site: the caller's, else the catalog's, else defaults."""
    at: Cursor[ClusterSite] = cluster.at("site")
    argument, site = at.argument, _site(cluster)
    assumed: list[str] = []

    def number(member: str, known: Term | None, unit: Unit) -> Term:
        if at.states(member):
            return at.quantity(member, unit=unit)
        if known is not None:
            return known
        term = at.assume(f"energy.{member}", member=member)
        assumed.append(f"{member} {term.central:g}")
        return term

    def opened(datum: Datum | UnsetType, member: str) -> Term | None:
        if datum is UNSET:
            return None
        return argument.ledger.take(datum, pointer=at.pointer_of(member))

    carbon = "carbon_kg_co2e_per_kwh"
    pue = number("pue", opened(_pue(argument.catalog, site), "pue"), "ratio")
    tariff = number("usd_per_kwh", _tariff(argument, site), "usd/kwh")
    location = number(carbon, opened(site.carbon_kg_co2e_per_kwh, carbon), "kg_co2e/kwh")
    intensities = {
        "location_based": location,
        "market_based": opened(site.market_based_carbon_kg_co2e_per_kwh, "id"),
        "marginal": opened(site.marginal_carbon_kg_co2e_per_kwh, "id"),
    }
    if assumed:
        words = ", ".join(assumed)
        at.warn("assumed_site", f"the catalog's defaults stand for the site: {words}")
    return SiteRates(
        pue=pue,
        usd_per_kwh=tariff,
        kg_co2e_per_kwh={scope: term for scope, term in intensities.items() if term is not None},
        assumes_pue=any(words.startswith("pue ") for words in assumed),
        claimed_by=site.provider or site.name,
    )


def _site(cluster: Cursor[Cluster]) -> Site:
    """The site that is asked for. Otherwise it is that of the supply, with a note that says so."""
    asked = cluster.said.site.id
    if asked is not UNSET:
        return cluster.argument.catalog.site(asked, pointer=cluster.pointer_of("site/id"))
    site = site_of_supply(cluster)
    if site is not None:
        cluster.warn(
            "site_of_supply",
            f"no site is named; it is that of the supply, {site.id} ({site.name})",
            member="site",
        )
    return site or NOWHERE


def device_power(cluster: Cursor[Cluster], site: SiteRates) -> DevicePower | None:
    """The power of a cluster's device at its site. None if no power is known."""
    argument, device = cluster.argument, device_of(cluster)
    loaded = _loaded_w(argument, device)
    if loaded is None:
        cluster.warn(
            "unknown_power",
            f"{device.lacks('power')}; energy and carbon are absent",
            member="accelerator",
        )
        return None
    return DevicePower(
        loaded_w=loaded,
        rated_w=_rated_w(argument, device, loaded),
        network_w=argument.assume("energy.network_w_per_device"),
        site=site,
    )


def consumption_of(effort: Effort, power: DevicePower | None) -> Consumption | None:
    """Energy, carbon and power of a stage whose device-hours and device's power are known."""
    if isinstance(effort.device_hours, Unknown) or power is None:
        return None
    stage = effort.context.stage
    kwh = stage.derive_parts(
        formulas.energy,
        device_hours=effort.device_hours,
        server_w=power.loaded_w,
        network_w=power.network_w,
        pue=power.site.pue,
    )
    kg_co2e = {
        scope: stage.derive(
            formulas.kg_co2e,
            f"carbon/{scope}_kg_co2e",
            kwh=kwh["facility_kwh"],
            kg_co2e_per_kwh=intensity,
        )
        for scope, intensity in power.site.kg_co2e_per_kwh.items()
    }
    return Consumption(
        kwh=kwh,
        kg_co2e=kg_co2e,
        power_w=_cluster_power(effort, power),
        claimed_by=(power.site.claimed_by,),
    )


def with_embodied(
    effort: Effort, consumption: Consumption, *, life_years: Term, utilisation: Term
) -> Consumption:
    """The same consumption with the stage's share of the carbon of making the hardware."""
    stage = effort.context.stage
    embodied = stage.derive(
        formulas.embodied_kg_co2e,
        "carbon/embodied_kg_co2e",
        device_hours=effort.device_hours,
        kg_co2e_per_device=stage.assume("energy.embodied_kg_co2e_per_device"),
        life_years=life_years,
        utilisation=utilisation,
    )
    return Consumption(
        kwh=consumption.kwh,
        kg_co2e={**consumption.kg_co2e, "embodied": embodied},
        power_w=consumption.power_w,
        claimed_by=consumption.claimed_by,
    )


def totals_of(
    argument: Argument, consumptions: tuple[Consumption | None, ...]
) -> Consumption | None:
    """Energy and carbon of all stages, in the scopes that all have. None if a stage has none."""
    known = [one for one in consumptions if one is not None]
    if len(known) < len(consumptions):
        return None

    def total(name: str, unit: Unit, terms: list[Term]) -> Term:
        inputs = {f"stage_{index}": term for index, term in enumerate(terms)}
        return argument.ledger.derive(sum_of, name=f"totals/{name}", unit=unit, inputs=inputs)

    scopes = [scope for scope in known[0].kg_co2e if all(scope in one.kg_co2e for one in known)]
    return Consumption(
        kwh={part: total(part, "kwh", [one.kwh[part] for one in known]) for part in ENERGY_PARTS},
        kg_co2e={
            scope: total(f"{scope}_kg_co2e", "kg_co2e", [one.kg_co2e[scope] for one in known])
            for scope in scopes
        },
        power_w={},
        claimed_by=tuple(dict.fromkeys(name for one in known for name in one.claimed_by)),
    )


def _cluster_power(effort: Effort, power: DevicePower) -> dict[str, Term]:
    """Power of the stage's cluster, which other stages may share."""
    cluster = effort.context.cluster
    at = cluster.under(cluster.pointer.removeprefix("/"))
    name = f"{at.prefix}/power"
    ledger = at.argument.ledger
    if f"{name}/{POWER_PARTS[0]}" in ledger:
        return {part: ledger.term(f"{name}/{part}") for part in POWER_PARTS}
    return at.derive_parts(
        formulas.cluster_power,
        "power",
        devices=effort.devices,
        server_w=power.loaded_w,
        rated_w=power.rated_w,
        network_w=power.network_w,
        pue=power.site.pue,
    )


def _pue(catalog: Catalog, site: Site) -> Datum | UnsetType:
    """A site's own PUE, or the newest of its operator's fleet."""
    if site.pue is not UNSET:
        return site.pue
    fleet = catalog.fleet_pues.get(site.provider, ())
    return max(fleet, key=lambda row: row.year).pue if fleet else UNSET


def _tariff(argument: Argument, site: Site) -> Term | None:
    """A site's price of electricity in dollars. The rate of exchange is a figure of its own."""
    if site.price_per_kwh is UNSET:
        return None
    native = argument.ledger.take(site.price_per_kwh)
    currency = CURRENCY_OF_TARIFF.get(site.price_per_kwh.unit)
    if currency is None:
        return native
    return argument.ledger.derive_once(
        formulas.in_usd_per_kwh,
        name=f"{native.name}/usd",
        inputs={"price_per_kwh": native, "usd_per_unit": argument.assume(currency)},
    )


def _loaded_w(argument: Argument, device: Accelerator) -> Term | None:
    """Watts under load at the server's plug: metered if that is published, else from ratings."""
    metered = f"energy.it_power_w.{device.id}"
    if metered in argument.catalog.assumptions:
        return argument.assume(metered)
    if device.tdp_w is UNSET:
        return None
    return argument.ledger.derive_once(
        formulas.server_w,
        name=f"power/{device.id}/loaded_w",
        inputs={
            "tdp_w": argument.ledger.take(device.tdp_w),
            "device_load_share": argument.assume("energy.device_load_share"),
            "server_power_ratio": argument.assume("energy.server_power_ratio"),
        },
    )


def _rated_w(argument: Argument, device: Accelerator, loaded: Term) -> Term:
    """Watts that the rack must carry: its own rating, else from the device's, else the draw."""
    ledger = argument.ledger
    for system in argument.catalog.systems_by_accelerator.get(device.id, ()):
        if system.rated_w is not UNSET:
            return ledger.derive_once(
                formulas.system_w_per_device,
                name=f"power/{device.id}/rated_w",
                inputs={
                    "system_w": ledger.take(system.rated_w),
                    "devices": ledger.take(system.devices),
                },
            )
    if device.tdp_w is UNSET:
        return loaded
    return ledger.derive_once(
        formulas.rated_w,
        name=f"power/{device.id}/rated_w",
        inputs={
            "tdp_w": ledger.take(device.tdp_w),
            "rated_power_ratio": argument.assume("energy.rated_power_ratio"),
        },
    )
