"""The cost of a device-hour of an owned cluster under each named convention."""

from collections.abc import Mapping

from msgspec import UNSET

from service.core.bills.owned import epoch, straight_line
from service.core.bills.owned.terms import ClusterTerms, Holding, PriceOfDevice
from service.core.cluster import energy
from service.core.figures.ledger import Term


def holding_of(terms: ClusterTerms) -> Holding:
    """The holding of a cluster under the convention that its terms name."""
    if terms.at.said.convention == "epoch-2024":
        return epoch_2024(terms)
    return by_straight_line(terms)


def acquisition_of(terms: ClusterTerms) -> Mapping[str, Term] | None:
    """The purchase of a cluster alone, without its holding. None if it has no price."""
    price = terms.price()
    if price is None:
        return None
    by_epoch = terms.at.said.convention == "epoch-2024"
    return _epoch_acquisition(terms, price) if by_epoch else _acquisition(terms, price)


def by_straight_line(terms: ClusterTerms) -> Holding:
    """Write-off over life and utilisation, with capital, maintenance and hosting."""
    power, price = terms.power, terms.price()
    utilisation = terms.at.assumed("utilization", unit="share", default="owned.utilisation")
    return Holding(
        terms=terms,
        acquisition=None if price is None else _acquisition(terms, price),
        purchase_rates=None if price is None else _straight_line_rates(terms, price, utilisation),
        kwh_per_device_hour=_metered_kwh(terms),
        usd_per_kwh=terms.site.usd_per_kwh,
        hosted_w=None if power is None else power.rated_w,
        usd_per_kilowatt_month=terms.at.assumed(
            "usd_per_kilowatt_month",
            unit="usd/kilowatt_month",
            default="owned.usd_per_kilowatt_month",
        ),
        utilisation=utilisation,
    )


def _metered_kwh(terms: ClusterTerms) -> Term | None:
    """Energy under load as metered, with the network, at the facility's meter."""
    if terms.power is None:
        return None
    return terms.at.derive(
        energy.kwh_per_device_hour,
        server_w=terms.power.loaded_w,
        network_w=terms.power.network_w,
        pue=terms.site.pue,
    )


def _straight_line_inputs(terms: ClusterTerms, price: PriceOfDevice) -> dict[str, Term]:
    return {
        "price_usd_per_device": price.usd,
        "server_share": terms.at.assume("owned.server_share"),
        "network_share": terms.network_share("owned.network_share"),
    }


def _acquisition(terms: ClusterTerms, price: PriceOfDevice) -> Mapping[str, Term]:
    return terms.at.derive_parts(
        straight_line.acquisition,
        "acquisition",
        devices=terms.devices,
        **_straight_line_inputs(terms, price),
        price_includes_server=price.includes_server,
    )


def _straight_line_rates(
    terms: ClusterTerms, price: PriceOfDevice, utilisation: Term
) -> Mapping[str, Term]:
    at = terms.at
    return at.derive_parts(
        straight_line.purchase_rates,
        "usd_per_device_hour",
        **_straight_line_inputs(terms, price),
        utilisation=utilisation,
        life_years=at.assumed("years", unit="year", default="owned.life_years"),
        residual_share=at.assumed("residual_share", unit="share", default="owned.residual_share"),
        cost_of_capital_per_year=at.assumed(
            "cost_of_capital", unit="share/year", default="owned.cost_of_capital_per_year"
        ),
        maintenance_share_per_year=at.assumed(
            "maintenance_share", unit="share/year", default="owned.maintenance_share_per_year"
        ),
        price_includes_server=price.includes_server,
    )


def epoch_2024(terms: ClusterTerms) -> Holding:
    """Value at the start of the run, declining as newer hardware improves, and energy."""
    price = terms.price()
    return Holding(
        terms=terms,
        acquisition=None if price is None else _epoch_acquisition(terms, price),
        purchase_rates=None if price is None else _epoch_rates(terms, price),
        kwh_per_device_hour=_epoch_kwh(terms),
        usd_per_kwh=terms.site.usd_per_kwh,
    )


def of_family(terms: ClusterTerms, stem: str, *, family: str = "") -> Term:
    """A number of the convention, by the device's family if it depends on the family."""
    own = f"epoch_2024.{stem}.{family or terms.device.epoch_2024_family}"
    known = own in terms.argument.catalog.assumptions
    return terms.at.assume(own if known else f"epoch_2024.{stem}.other")


def _epoch_price(terms: ClusterTerms, price: PriceOfDevice) -> Term:
    """The price of a device with its share of the server, which is added to a bare card."""
    if price.includes_server.value:
        return price.usd
    return terms.argument.ledger.derive_once(
        epoch.server_price_usd,
        name=f"{terms.at.prefix}/server_price_usd",
        inputs={"price_usd": price.usd, "server_overhead": of_family(terms, "server_overhead")},
    )


def _epoch_inputs(terms: ClusterTerms, price: PriceOfDevice) -> dict[str, Term]:
    return {
        "price_usd": _epoch_price(terms, price),
        "server_overhead": of_family(terms, "server_overhead"),
        "network_share": terms.network_share("epoch_2024.network_share"),
    }


def _epoch_acquisition(terms: ClusterTerms, price: PriceOfDevice) -> Mapping[str, Term]:
    return terms.at.derive_parts(
        epoch.acquisition,
        "acquisition",
        devices=terms.devices,
        **_epoch_inputs(terms, price),
    )


def _epoch_rates(terms: ClusterTerms, price: PriceOfDevice) -> Mapping[str, Term]:
    return terms.at.derive_parts(
        epoch.purchase_rates,
        "usd_per_device_hour",
        **_epoch_inputs(terms, price),
        years=terms.at.assumed("age_years", unit="year", default="epoch_2024.age_years"),
        decline_oom_per_year=terms.at.assume("epoch_2024.decline_oom_per_year"),
    )


def _epoch_kwh(terms: ClusterTerms) -> Term | None:
    """Energy by ratings, as in the convention. It has a PUE of its own for unknown sites."""
    device = terms.device
    if device.tdp_w is UNSET:
        return None
    return terms.at.derive(
        epoch.kwh_per_device_hour,
        "kwh_per_device_hour",
        tdp_w=terms.argument.ledger.take(device.tdp_w),
        server_power_ratio=of_family(terms, "server_power_ratio"),
        mean_power_share=of_family(terms, "mean_power_share", family=device.kind),
        pue=of_family(terms, "pue") if terms.site.assumes_pue else terms.site.pue,
    )
