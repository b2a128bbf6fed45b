"""Hours, energy and carbon of stages and of the run, and what a purchase adds up to."""

from collections.abc import Iterator
from decimal import Decimal
from math import ceil

from tests.recomputed.reading import Json, places_of, same, summed, value, with_places

ENERGY = ("it", "overhead", "facility")


def stages_that_do_not_add(quote: Json) -> Iterator[str]:
    """Hours times devices are device-hours, in every outcome. The run is as long as its stages."""
    for stage in quote["stages"]:
        if "wall_clock_hours" not in stage:
            continue
        held, clock = stage["device_hours"], stage["wall_clock_hours"]
        for name in ("central", "p10", "p50", "p90"):
            if not same(held[name], clock[name] * stage["devices"]):
                yield f"{stage['name']}: {name} of device-hours"
        if not all(
            same(one, other * stage["devices"])
            for one, other in zip(held["outcomes"], clock["outcomes"], strict=True)
        ):
            yield f"{stage['name']}: outcomes of device-hours"
        begins, ends = (stage.get(name) for name in ("begins_after_hours", "ends_after_hours"))
        if begins and not same(ends["central"], begins["central"] + clock["central"]):
            yield f"{stage['name']}: its end"
    yield from _run_that_is_not_its_stages(quote)


def _run_that_is_not_its_stages(quote: Json) -> Iterator[str]:
    stages = quote["stages"]
    if "wall_clock_hours" in quote:
        last = max(stage["ends_after_hours"]["central"] for stage in stages)
        if not same(quote["wall_clock_hours"]["central"], last):
            yield "the run ends with its last stage"
    for member in ("energy_kwh", "carbon_kg_co2e"):
        for name, total in quote["totals"].get(member, {}).items():
            parts = [stage[member][name]["central"] for stage in stages]
            if not same(total["central"], sum(parts)):
                yield f"{member}/{name} of the run"
    for stage in stages:
        if energy := stage.get("energy_kwh"):
            it, overhead, facility = (energy[name]["central"] for name in ENERGY)
            if not same(it + overhead, facility):
                yield f"{stage['name']}: facility energy"


def purchases_that_do_not_add(quote: Json) -> Iterator[str]:
    """The parts of a purchase add up as printed. Whole systems are bought."""
    for owned in quote["ownership"]:
        purchase = owned["acquisition"]
        parts = [purchase[name] for name in ("accelerators", "servers", "cluster_network")]
        if with_places(summed(parts), places=places_of(quote)) != purchase["total"]["amount"]:
            yield f"{owned['cluster']}: purchase"
        figure, half = value(quote, purchase["figure"]), Decimal("0.5").scaleb(-places_of(quote))
        if abs(Decimal(purchase["total"]["amount"]) - figure) > half * len(parts):
            yield f"{owned['cluster']}: the figure of the purchase is {figure}"
        sold = quote["figures"].get(f"owning{owned['cluster']}/devices_sold")
        if sold:
            piece = _devices_per_piece(quote, sold)
            whole = owned["devices"] if piece is None else ceil(owned["devices"] / piece) * piece
            if not same(owned["devices_bought"], whole):
                yield f"{owned['cluster']}: {owned['devices_bought']} are not {whole}"


def _devices_per_piece(quote: Json, sold: Json) -> Decimal | None:
    name = sold["source"].get("inputs", {}).get("devices_per_piece")
    return None if name is None else value(quote, name)
