"""Derived figures from their inputs, by formulas written down again from docs/formulas.md."""

from collections.abc import Callable, Iterator
from math import ceil, exp, log
from statistics import median
from typing import Final, TypeAlias

from tests.recomputed.loaded import staff_by_size
from tests.recomputed.reading import Json, same

HOURS_PER_YEAR, HOURS_PER_MONTH = 8766.0, 730.5
Inputs: TypeAlias = dict[str, float]


def _sum(inputs: Inputs) -> float:
    return sum(inputs.values())


def _product(inputs: Inputs) -> float:
    product = 1.0
    for value in inputs.values():
        product *= value
    return product


def _net(inputs: Inputs) -> float:
    rest = {f"1 + {name}": 1.0 + rate for name, rate in inputs.items() if name != "usd"}
    return inputs["usd"] * _product(rest)


def _market(inputs: Inputs) -> float:
    assert inputs["market_level"] == 0.5
    return median(value for name, value in inputs.items() if name != "market_level")


def _move(inputs: Inputs) -> float:
    """The median of a price's move: neither the device nor its seller has moved."""
    assert inputs["device_move"] == inputs["seller_move"] == 0.0
    return 0.0


def _unmoved(inputs: Inputs) -> float:
    """The median of what a price is on another day is the price as it was read."""
    assert inputs["move"] == 0.0
    return inputs["price_per_device_hour"]


def _purchase_rates(inputs: Inputs) -> dict[str, float]:
    """Straight line, over the hours that are used."""
    bought = _acquisition(inputs | {"devices": 1.0})
    del bought["total_usd"]
    hours = HOURS_PER_YEAR * inputs["utilisation"]
    whole = sum(bought.values())
    residual = inputs["residual_share"]
    rates = {
        part: usd * (1 - residual) / inputs["life_years"] / hours for part, usd in bought.items()
    }
    balance = whole * (1 + residual) / 2
    rates["capital_usd"] = balance * inputs["cost_of_capital_per_year"] / hours
    rates["maintenance_usd"] = whole * inputs["maintenance_share_per_year"] / hours
    return rates


def _acquisition(inputs: Inputs) -> dict[str, float]:
    """The purchase, by a price for a device with its share of the server, or for a bare card."""
    share = inputs["server_share"]
    price = inputs["price_usd_per_device"]
    complete = inputs["devices"] * (price / (1 - share) if inputs["is_bare_card"] else price)
    servers = complete * share
    network = complete * inputs["network_share"] / (1 - inputs["network_share"])
    return {
        "accelerators_usd": complete - servers,
        "servers_usd": servers,
        "network_usd": network,
        "total_usd": complete + network,
    }


def _epoch_rates(inputs: Inputs) -> dict[str, float]:
    decline = inputs["decline_oom_per_year"]
    worth = inputs["price_usd"] * 10 ** (-decline * inputs["years"])
    server = worth * decline * log(10) / HOURS_PER_YEAR
    device = server / inputs["server_overhead"]
    of_network = inputs["network_share"]
    return {
        "accelerators_usd": device,
        "servers_usd": server - device,
        "network_usd": server * of_network / (1 - of_network),
    }


def _epoch_acquisition(inputs: Inputs) -> dict[str, float]:
    complete = inputs["devices"] * inputs["price_usd"]
    devices = complete / inputs["server_overhead"]
    network = complete * inputs["network_share"] / (1 - inputs["network_share"])
    return {
        "accelerators_usd": devices,
        "servers_usd": complete - devices,
        "network_usd": network,
        "total_usd": complete + network,
    }


def _energy(inputs: Inputs) -> dict[str, float]:
    it = inputs["device_hours"] / 1000 * (inputs["server_w"] + inputs["network_w"])
    facility = it * inputs["pue"]
    return {"it_kwh": it, "overhead_kwh": facility - it, "facility_kwh": facility}


def _rounding(inputs: Inputs) -> float:
    billed = inputs["devices_sold"] * inputs["billed_hours"]
    beyond = billed - inputs["devices"] * inputs["held_hours"]
    return beyond if beyond > 1e-9 * billed else 0.0


def _base_development(inputs: Inputs) -> float:
    beside = 1 + inputs["staff_ratio"] + inputs["data_ratio"]
    return inputs["experiment_factor"] * beside - 1


def _insurance(inputs: Inputs) -> float:
    hours = sum(value for name, value in inputs.items() if name.startswith("device_hours"))
    years = hours / inputs["devices"] / inputs.get("utilisation", 1.0) / HOURS_PER_YEAR
    return inputs["acquisition_usd"] * inputs["share_per_year"] * years


WHOLE: Final[dict[str, Callable[[Inputs], float]]] = {
    "base_cost_usd": _product,
    "base_development_over_rental": _base_development,
    "base_rate_usd_per_device_hour": _product,
    "begins_after_hours": lambda inputs: max(inputs.values(), default=0.0),
    "compute_usd": _product,
    "device_hours_held": _product,
    "device_hours_with_reclaims": lambda at: (
        at["device_hours"] * at["goodput_without"] / at["goodput_with"]
    ),
    "devices_sold": lambda at: (
        ceil(at["devices"] / at["devices_per_piece"]) * at["devices_per_piece"]
    ),
    "discount_rate": lambda at: -at["discount_share"],
    "ends_after_hours": _sum,
    "energy_usd_per_device_hour": _product,
    "epoch_2024_kwh_per_device_hour": lambda at: _product(at) / 1000,
    "epoch_2024_server_price": _product,
    "experiments_on_commitment_usd": lambda inputs: -min(inputs.values()),
    "gigabyte_months": lambda inputs: _product(inputs) / HOURS_PER_MONTH,
    "gigabyte_months_kept": _product,
    "hosting_usd_per_device_hour": lambda at: (
        at["rated_w"] / 1000 * at["usd_per_kilowatt_month"] / HOURS_PER_MONTH / at["utilisation"]
    ),
    "idle_usd_per_device_hour": lambda at: (
        at["usd_per_device_hour"] * (at["devices_bought"] / at["devices"] - 1)
    ),
    "in_currency": lambda at: at["usd"] / at["usd_per_unit"],
    "insurance_usd": _insurance,
    "kilowatt_months": lambda at: (
        at["device_hours"] / HOURS_PER_MONTH / 1000 * at["rated_w"] / at["utilisation"]
    ),
    "latest_hours": lambda inputs: max(inputs.values()),
    "line_usd": _product,
    "mean_reclaimed_share": lambda inputs: (
        1 - exp(sum(log(1 - share) for share in inputs.values()) / len(inputs))
    ),
    "net_of_discounts_usd": _net,
    "once": lambda _: 1.0,
    "operational_kg_co2e": _product,
    "owned_device_hour_usd": _sum,
    "person_months": _product,
    "listed_price_at_age": _unmoved,
    "price_at_market_level": _market,
    "price_at_term": lambda at: (
        at["on_demand_usd_per_device_hour"] * min(at["price_over_on_demand"], 1)
    ),
    "price_in_usd": _product,
    "price_move": _move,
    "rounding_device_hours": _rounding,
    "server_w": _product,
    "share_beyond_final_run": lambda at: at["experiment_factor"] - 1,
    "staff_over_compute": lambda at: at["staff_share"] / (1 - at["staff_share"]),
    "staff_over_compute_by_size": lambda at: staff_by_size(**at),
    "spot_price_at_age": _unmoved,
    "stage_kwh": _product,
    "sum": _sum,
    "system_w_per_device": lambda at: at["system_w"] / at["devices"],
    "total_usd": _sum,
    "unused_device_hours": lambda at: at["devices"] * max(0.0, at["term_hours"] - at["run_hours"]),
    "usd_per_person_month": lambda at: _product(at) / 12,
    "wall_clock_hours": lambda at: at["device_hours"] / at["devices"],
}
"""Formulas that answer with one number."""
PARTS: Final[dict[str, Callable[[Inputs], dict[str, float]]]] = {
    "energy": _energy,
    "epoch_2024_acquisition": _epoch_acquisition,
    "epoch_2024_purchase_rates": _epoch_rates,
    "straight_line_acquisition": _acquisition,
    "straight_line_purchase_rates": _purchase_rates,
}
"""Formulas that answer with several. A figure of one ends with the name of the part."""


def _is_bare_card(quote: Json, stands: str) -> bool:
    """Whether a price is that of a card without its share of a server, by where that stands."""
    if stands.startswith("purchase_prices/"):
        return stands.endswith(": a bare card")
    said = quote["request"]
    for member in stands.strip("/").split("/"):
        said = said[int(member) if isinstance(said, list) else member]
    return not said


OF_A_PURCHASE: Final = "price_includes_server"


def recomputed(quote: Json) -> Iterator[tuple[str, str, float]]:
    """Each derived figure that these formulas give: its name, its formula and its value here.

    A figure that follows from an offer, a model or a layout besides is left to the other checks.
    """
    figures = quote["figures"]
    for name, figure in figures.items():
        source = figure["source"]
        formula = source.get("formula", "")
        structure = source.get("structure", {})
        if source["kind"] != "derived" or not structure.keys() <= {OF_A_PURCHASE, "age_days"}:
            continue
        inputs = {key: float(figures[one]["value"]) for key, one in source["inputs"].items()}
        if OF_A_PURCHASE in structure:
            inputs["is_bare_card"] = _is_bare_card(quote, structure[OF_A_PURCHASE])
        if formula in WHOLE:
            yield name, formula, WHOLE[formula](inputs)
        elif formula in PARTS:
            yield name, formula, PARTS[formula](inputs)[name.rpartition("/")[2]]


def figures_that_do_not_follow(quote: Json) -> Iterator[str]:
    """Derived figures whose value is not that of their formula."""
    for name, formula, value in recomputed(quote):
        found = quote["figures"][name]["value"]
        if not same(found, value):
            yield f"{name}: {found} is not {value} by {formula}"
