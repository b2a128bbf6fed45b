"""Lines, totals, bridges, exclusions and outcomes of any bill."""

from collections.abc import Iterator
from decimal import Decimal

from tests.recomputed.reading import (
    Json,
    bills_of,
    currency_of,
    exact,
    places_of,
    priced_lines,
    printed,
    same,
    summed,
    value,
    with_places,
)

OUTCOMES = 20
BELOW = {"p10": 2, "p50": 10, "p80": 16, "p90": 18}
"""How many of the 20 outcomes lie below each quantile."""


def lines_that_do_not_multiply(quote: Json) -> Iterator[str]:
    """Each amount is quantity times rate, and so say the three figures of the line."""
    for bill in quote["bases"]:
        for line in priced_lines(bill):
            where = f"{bill['basis']} {line['item']}"
            expected = printed(exact(line), places=places_of(quote))
            if line["amount"] != expected:
                yield f"{where}: {line['amount']} is not {expected}"
            usd, quantity, rate = (value(quote, name) for name in line["figures"])
            if (quantity, rate) != (line["quantity"], Decimal(line["rate"])):
                yield f"{where}: quantity or rate is not its figure"
            if not same(usd, exact(line)):
                yield f"{where}: the figure of the amount is {usd}"


def totals_that_do_not_add(quote: Json) -> Iterator[str]:
    """A total is the sum of the amounts as printed. Without a total there is an unpriced line."""
    for bill in quote["bases"]:
        lines = priced_lines(bill)
        amounts = summed(line["amount"] for line in lines)
        total = with_places(amounts, places=places_of(quote))
        complete = len(lines) == len(bill["lines"])
        member = "total" if complete else "priced_lines_total"
        if bill["status"] != ("priced" if complete else "unpriced"):
            yield f"{bill['basis']}: status {bill['status']}"
        elif lines and bill[member] != {"amount": total, "currency": currency_of(quote)}:
            yield f"{bill['basis']}: {bill[member]} is not {total}"
        elif not lines and "priced_lines_total" in bill:
            yield f"{bill['basis']}: a sum of no lines"
        if complete and not same(value(quote, bill["figure"]), sum(map(exact, lines))):
            yield f"{bill['basis']}: the figure of the total"


def bridges_that_do_not_lead(quote: Json) -> Iterator[str]:
    """Each priced bill is reached from the rental one: less its items, plus those of the other."""
    priced = {name: bill for name, bill in bills_of(quote).items() if bill["status"] == "priced"}
    rental = priced.pop("rental", None)
    ends = [bridge["end_basis"] for bridge in quote["bridges"]]
    if rental is None or ends != list(priced):
        if ends:
            yield f"bridges lead to {ends}"
        return
    for bridge in quote["bridges"]:
        end, running = priced[bridge["end_basis"]], Decimal(bridge["start"]["amount"])
        if bridge["start"] != rental["total"] or bridge["end"] != end["total"]:
            yield f"{bridge['end_basis']}: ends of the bridge"
        moved = {}
        for step in bridge["steps"]:
            running += Decimal(step["amount"])
            moved[step["component"]] = Decimal(step["amount"])
            if Decimal(step["running_total"]) != running:
                yield f"{bridge['end_basis']}: {step['running_total']} is not {running}"
        if running != Decimal(end["total"]["amount"]):
            yield f"{bridge['end_basis']}: the steps end at {running}"
        if moved != _differences(rental, end):
            yield f"{bridge['end_basis']}: steps {moved}"


def _differences(start: Json, end: Json) -> dict[str, Decimal]:
    """What each item adds from one bill to another, where that is not nothing."""
    moved: dict[str, Decimal] = {}
    for bill, sign in ((start, -1), (end, 1)):
        for line in bill["lines"]:
            amount = sign * Decimal(line["amount"])
            moved[line["item"]] = moved.get(line["item"], Decimal(0)) + amount
    return {item: amount for item, amount in moved.items() if amount}


def exclusions_without_a_bill(quote: Json) -> Iterator[str]:
    """Each name that a bill excludes stands once in `exclusions`, and each of these in a bill."""
    named: dict[str, list[str]] = {}
    for bill in quote["bases"]:
        for item in bill["excludes"]:
            named.setdefault(item, []).append(bill["basis"])
    listed = {one["item"]: one["bases"] for one in quote["exclusions"]}
    if named != listed or len(listed) != len(quote["exclusions"]):
        yield f"bills name {named}, the list {listed}"
    for bill in quote["bases"]:
        if both := {line["item"] for line in priced_lines(bill)} & set(bill["excludes"]):
            yield f"{bill['basis']} counts and excludes {both}"
    for one in quote["exclusions"]:
        amount = one.get("amount")
        if amount and not Decimal(amount["p10"]) <= Decimal(amount["p50"]) <= Decimal(
            amount["p90"]
        ):
            yield f"{one['item']}: quantiles do not ascend"


def outcomes_out_of_order(quote: Json) -> Iterator[str]:
    """Twenty outcomes ascend, with the interval and the budget in their places."""
    for bill in quote["bases"]:
        if bill["status"] == "priced":
            at = {**bill["interval"], **bill["budget"]}
            if bill["budget"]["p50"] != bill["interval"]["p50"]:
                yield f"{bill['basis']}: two medians"
            yield from _out_of_order(bill["basis"], bill["outcomes"], at)
            if at["p10"] == at["p90"] and at["p50"] != bill["total"]["amount"]:
                yield f"{bill['basis']}: a certain total is {at['p50']}"
    for stage in quote["stages"]:
        for name in ("device_hours", "wall_clock_hours"):
            if name in stage:
                yield from _out_of_order(
                    f"{stage['name']} {name}", stage[name]["outcomes"], stage[name]
                )
    if "wall_clock_hours" in quote:
        run = quote["wall_clock_hours"]
        yield from _out_of_order("wall_clock_hours", run["outcomes"], run)


def _out_of_order(where: str, outcomes: list[Decimal | str], at: Json) -> Iterator[str]:
    values = [Decimal(one) for one in outcomes]
    if len(values) != OUTCOMES or values != sorted(values):
        yield f"{where}: {len(values)} outcomes, or not ascending"
        return
    for name, below in BELOW.items():
        if name in at and not values[below - 1] <= Decimal(at[name]) <= values[below]:
            yield f"{where}: {name} {at[name]} is not after {below} outcomes"
