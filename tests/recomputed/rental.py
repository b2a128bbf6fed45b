"""The rental bill from the request and the stages: every line and what it is a share of."""

from collections.abc import Iterator
from decimal import Decimal

from tests.recomputed.reading import Json, bills_of, dollars_per_unit, exact, same

HARDWARE = ("device_rental", "rounding", "unused_commitment")
UPLIFTS = ("markup", "tax")


def rental_that_does_not_follow(quote: Json) -> Iterator[str]:
    """Hours, rounding and terms by the cluster, discounts and support, markups before taxes."""
    bill = bills_of(quote).get("rental")
    if bill is None or bill["status"] != "priced":
        return
    yield from _hours(quote, bill)
    yield from _beyond_the_run(quote, bill)
    yield from _extras(quote, bill)
    yield from _shares(quote, bill)


def lines(bill: Json, *items: str) -> list[Json]:
    """The lines of some items."""
    return [line for line in bill["lines"] if line["item"] in items]


def _hours(quote: Json, bill: Json) -> Iterator[str]:
    """A line for each stage, with its device-hours, at the rate of its cluster."""
    rented = lines(bill, "device_rental")
    if [line["stage"] for line in rented] != [stage["name"] for stage in quote["stages"]]:
        yield "the stages of the lines"
        return
    said = quote["request"]["run"]["stages"]
    for line, stage, asked in zip(rented, quote["stages"], said, strict=True):
        if line["quantity"] != stage["device_hours"]["central"]:
            yield f"{stage['name']}: {line['quantity']} device-hours"
        supply = asked.get("cluster", quote["request"]["cluster"])["supply"]
        given = supply.get("usd_per_device_hour")
        rate = Decimal(line["rate"]) * dollars_per_unit(quote)
        if isinstance(given, Decimal) and not same(given, rate):
            yield f"{stage['name']}: {line['rate']} is not the rate that was given"


def clusters(quote: Json) -> Iterator[tuple[str, Json, list[int]]]:
    """Each cluster with its pointer and the places of its stages."""
    request = quote["request"]
    shared = []
    for place, asked in enumerate(request["run"]["stages"]):
        if "cluster" in asked:
            yield f"/run/stages/{place}/cluster", asked["cluster"], [place]
        else:
            shared.append(place)
    if shared:
        yield "/cluster", request["cluster"], shared


def _beyond_the_run(quote: Json, bill: Json) -> Iterator[str]:
    """Rounding to what is sold, and what a term leaves unused of it."""
    accounting = quote["request"]["accounting"]
    names = [stage["name"] for stage in quote["stages"]]
    for pointer, cluster, places in clusters(quote):
        owner = None if pointer == "/cluster" else names[places[0]]
        held = sum(quote["stages"][place]["wall_clock_hours"]["central"] for place in places)
        sold, billed = _sold(quote, pointer, cluster["devices"], held)
        beyond = sold * billed - cluster["devices"] * held
        rounding = [line for line in lines(bill, "rounding") if line.get("stage") == owner]
        if rounding and not same(rounding[0]["quantity"], beyond):
            yield f"{pointer}: {rounding[0]['quantity']} is not {beyond}"
        if not rounding and not same(beyond, 0):
            yield f"{pointer}: no line for {beyond} device-hours"
        term = accounting.get("commitment_hours") if owner is None else None
        unused = [
            line
            for line in lines(bill, "unused_commitment")
            if line["figures"][1] == f"rental{pointer}/unused_device_hours"
        ]
        if isinstance(term, Decimal):
            expected = sold * max(Decimal(0), term - billed)
            if not same(sum(line["quantity"] for line in unused), expected):
                yield f"{pointer}: {expected} device-hours are unused"


def _sold(quote: Json, pointer: str, devices: Decimal, held: Decimal) -> tuple[Decimal, Decimal]:
    """Devices and hours that are billed. An exact bill has those that are held."""
    figures, named = quote["figures"], f"rental{pointer}"
    sold = figures.get(f"{named}/devices_sold", {"value": devices})["value"]
    billed = figures.get(f"{named}/billed_hours", {"value": held})["value"]
    return sold, billed


def _extras(quote: Json, bill: Json) -> Iterator[str]:
    """Storage and transfer."""
    accounting = quote["request"]["accounting"]
    if storage := accounting.get("storage"):
        held = sum(stage["wall_clock_hours"]["central"] for stage in quote["stages"])
        months = storage.get("months", held / Decimal("730.5"))
        (line,) = lines(bill, "storage")
        if not same(line["quantity"], storage["gigabytes"] * months):
            yield f"storage: {line['quantity']} gigabyte-months"
    if transfer := accounting.get("transfer"):
        (line,) = lines(bill, "transfer")
        if line["quantity"] != transfer["gigabytes"]:
            yield f"transfer: {line['quantity']} gigabytes"


def before_shares(bill: Json) -> dict[str, Decimal]:
    """The sum of each item before discounts."""
    net: dict[str, Decimal] = {}
    for line in bill["lines"]:
        if line["item"] in {"discount", "support", *UPLIFTS}:
            break
        net[line["item"]] = net.get(line["item"], Decimal(0)) + exact(line)
    return net


def net_of_discounts(quote: Json, bill: Json) -> dict[str, Decimal]:
    """The sum of each item after the discounts that cover it, one after the other."""
    net = before_shares(bill)
    for asked in quote["request"]["accounting"]["discounts"]:
        for item in asked["covers"]:
            if item in net:
                net[item] *= 1 - asked["share"]
    return net


def _shares(quote: Json, bill: Json) -> Iterator[str]:
    """Discounts on what they cover, support on hardware after them, uplifts on all before."""
    accounting = quote["request"]["accounting"]
    net = before_shares(bill)
    for line, asked in zip(lines(bill, "discount"), accounting["discounts"], strict=True):
        covered = sum(net.get(item, Decimal(0)) for item in asked["covers"])
        if Decimal(line["rate"]) != -asked["share"] or not same(line["quantity"], covered):
            yield f"discount {asked['label']}: {line['rate']} of {line['quantity']}"
        for item in asked["covers"]:
            net[item] = net.get(item, Decimal(0)) * (1 - asked["share"])
    supported = lines(bill, "support")
    if len(supported) != ("support" in accounting):
        yield f"{len(supported)} lines of support"
    for line in supported:
        if not same(line["quantity"], sum(net.get(item, Decimal(0)) for item in HARDWARE)):
            yield f"support on {line['quantity']}"
    yield from _uplifts(accounting["uplifts"], bill)


def _uplifts(asked: list[Json], bill: Json) -> Iterator[str]:
    """Markups on all before them, and taxes on all lines that are no taxes."""
    untaxed = [one for one in bill["lines"] if one["item"] != "tax"]
    for place, line in enumerate(bill["lines"]):
        if line["item"] in UPLIFTS:
            before = bill["lines"][:place] if line["item"] == "markup" else untaxed
            if not same(line["quantity"], sum(map(exact, before))):
                yield f"{line['item']} {line['label']} on {line['quantity']}"
    in_order = sorted(asked, key=lambda one: one["kind"] == "tax")
    found = [(one["item"], one["label"], Decimal(one["rate"])) for one in lines(bill, *UPLIFTS)]
    if found != [(one["kind"], one["label"], one["share"]) for one in in_order]:
        yield f"uplifts {found}"
