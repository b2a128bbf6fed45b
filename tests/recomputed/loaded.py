"""The fully loaded bill from the bill of its hardware, the request and the figures."""

from collections.abc import Generator, Iterator
from decimal import Decimal
from math import log

from tests.recomputed.reading import Json, bills_of, dollars_per_unit, exact, same, value
from tests.recomputed.rental import UPLIFTS, lines, net_of_discounts

BESIDE = {"unused_commitment", "storage", "transfer"}
"""Items of the hardware's bill that are no compute of the run."""


def loaded_that_does_not_follow(quote: Json) -> Iterator[str]:
    """Hardware first, then the base, experiments, staff and data, and the uplifts last."""
    bills = bills_of(quote)
    bill, request = bills.get("fully_loaded"), quote["request"]
    basis = request["accounting"].get(
        "hardware", "owned" if request["cluster"]["supply"]["kind"] == "owned" else "rental"
    )
    hardware = bills.get(basis)
    if bill is None or hardware is None or hardware["status"] != "priced":
        return
    carried = [line for line in hardware["lines"] if line["item"] not in UPLIFTS]
    uplifts = lines(hardware, *UPLIFTS)
    if bill["lines"][: len(carried)] != carried or lines(bill, *UPLIFTS) != uplifts:
        yield "the hardware is not that of its bill"
    if uplifts and bill["lines"][-len(uplifts) :] != uplifts:
        yield "uplifts are not last"
    net = net_of_discounts(quote, hardware)
    run = sum((usd for item, usd in net.items() if item not in BESIDE), Decimal(0))
    compute = yield from _experiments(quote, bill, run, net.get("unused_commitment"))
    yield from _staff(quote, bill, compute)
    yield from _data(quote, bill, compute)
    yield from _base(quote, bill)


def _experiments(
    quote: Json, bill: Json, run: Decimal, unused: Decimal | None
) -> Generator[str, None, Decimal]:
    """Experiments on the run's compute. Yields faults, and returns compute with experiments."""
    (line,) = lines(bill, "experiments")
    factor = quote["request"]["accounting"]["experiments"].get("factor")
    if factor is None:
        figure = quote["figures"][line["figures"][2]]
        factor = value(quote, figure["source"]["inputs"]["experiment_factor"])
    if not same(line["quantity"], run) or not same(Decimal(line["rate"]), factor - 1):
        yield f"experiments: {line['rate']} of {line['quantity']}, not {factor - 1} of {run}"
    credit = lines(bill, "experiments_on_commitment")
    if bool(credit) != (unused is not None):
        yield "a credit goes with a commitment"
    if credit and unused is not None and not same(exact(credit[0]), -min(exact(line), unused)):
        yield f"experiments on the commitment: {credit[0]['amount']}"
    return run * factor


def _staff(quote: Json, bill: Json, compute: Decimal) -> Iterator[str]:
    said = quote["request"]["accounting"]["staff"]
    (line,) = lines(bill, "staff")
    if said["kind"] == "amount":
        right = same(exact(line) * dollars_per_unit(quote), said["usd"])
    elif line["status"] == "unpriced":
        right = line["reason"] == "size_below_known" and "share" not in said
    elif said["kind"] == "people":
        inputs = quote["figures"][line["figures"][1]]["source"]["inputs"]
        share = value(quote, inputs["time_share"])
        right = same(line["quantity"], said["people"] * said["months"] * share)
    elif "share" in said:
        ratio = said["share"] / (1 - said["share"])
        right = same(line["quantity"], compute) and same(Decimal(line["rate"]), ratio)
    else:
        inputs = quote["figures"][line["figures"][2]]["source"]["inputs"]
        ratio = staff_by_size(**{name: float(value(quote, one)) for name, one in inputs.items()})
        right = same(line["quantity"], compute) and same(Decimal(line["rate"]), ratio)
    if not right:
        yield f"staff: {line}"


def staff_by_size(
    *,
    compute_usd: float,
    staff_share: float,
    small_over_frontier: float,
    frontier_usd: float,
    small_usd: float,
) -> float:
    """Staff over compute: that of frontier models, and higher for small developments."""
    size = min(max(compute_usd, small_usd), frontier_usd)
    steps = log(frontier_usd / size) / log(frontier_usd / small_usd)
    return staff_share / (1 - staff_share) * max(small_over_frontier, 1) ** steps


def _data(quote: Json, bill: Json, compute: Decimal) -> Iterator[str]:
    said = quote["request"]["accounting"]["data"]
    (line,) = lines(bill, "data")
    if said["kind"] == "amount":
        right = same(exact(line) * dollars_per_unit(quote), said["usd"])
    elif line["status"] == "unpriced":
        right = line["reason"] == "size_below_known" and "ratio" not in said
    else:
        ratio = said.get("ratio", Decimal(line["rate"]))
        right = same(line["quantity"], compute) and Decimal(line["rate"]) == ratio
    if not right:
        yield f"data: {line}"


def _base(quote: Json, bill: Json) -> Iterator[str]:
    said = quote["request"]["accounting"].get("base_model", {"kind": "none"})
    base, development = lines(bill, "base_model"), lines(bill, "base_model_development")
    if said["kind"] == "none":
        right = not base and not development
    elif said["kind"] == "amount":
        right = same(sum(map(exact, base)) * dollars_per_unit(quote), said["usd"])
    else:
        right = sorted(line["label"] for line in base) == sorted(said["ids"])
    if not right:
        yield f"base model: {base}"
    if bool(development) != (said.get("scope") == "fully_loaded"):
        yield f"development of the base: {development}"
    for line in development:
        if line["status"] == "priced" and not same(line["quantity"], sum(map(exact, base))):
            yield f"development of the base on {line['quantity']}"
