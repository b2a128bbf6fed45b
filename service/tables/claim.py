"""A judged claim for a terminal: tables, and a picture of the claim among its readings.

All of it fits into 80 columns, and means the same without colour.
"""

from collections.abc import Mapping, Sequence
from math import ceil, floor, inf, log10
from typing import Final

from msgspec import UNSET, Struct
from rich import box
from rich.console import Console
from rich.table import Table

from service.core.answer import (
    ClaimAnswer,
    ClaimBridge,
    ClaimedHours,
    ClaimedRate,
    Estimate,
    Omission,
    PricesNear,
    Reading,
)
from service.core.figures.vocabulary import ClaimBasis, ClaimScope
from service.tables.fitting import print_whole
from service.tables.quote import dollars, figures_table

BASES_IN_WORDS: Final[Mapping[ClaimBasis, str]] = {
    "rental_stated": "stated rate",
    "rental_market": "market",
    "owned_straight_line": "owned",
    "owned_epoch_2024": "epoch-2024",
    "purchase": "purchase",
}
SCOPES_IN_WORDS: Final[Mapping[ClaimScope, str]] = {
    "final_run": "final run",
    "with_base_model": "+ base model",
    "with_experiments": "+ experiments",
    "with_staff": "+ staff, data",
    "capital": "all devices",
}
LABEL_COLUMNS: Final = 26
PLOT_COLUMNS: Final = 52
SUFFIXES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
LEAST_USD: Final = 1e-6
"""Smaller amounts are drawn here."""


def print_claim(out: Console, answer: ClaimAnswer, claimed: "Claimed", *, figures: bool) -> None:
    """A judged claim: the verdict, hours and rate, readings, picture, omissions and bridge."""
    out.print(f"claim of {claimed.words}  {answer.id[:12]}", markup=False, highlight=False)
    out.print(answer.verdict.sentence, style="bold", markup=False, highlight=False)
    for line in (*hours_words(answer.hours), *rate_words(answer.rate), *year_words(answer)):
        out.print(line, markup=False, highlight=False)
    if answer.readings:
        print_whole(out, readings_table(answer.readings))
        for line in picture(answer.readings, claimed):
            out.print(line, markup=False, highlight=False, no_wrap=True)
    if answer.omissions:
        print_whole(out, omissions_table(answer.omissions))
    if answer.bridge is not UNSET:
        out.print(bridge_of_claim(answer.bridge))
    for one in answer.not_checkable:
        out.print(f"not checkable: {one.what}: {one.why}", markup=False, highlight=False)
    for warning in answer.warnings:
        words = f"{warning.severity}: {warning.code} {warning.detail}"
        out.print(words, markup=False, highlight=False)
    if figures:
        print_whole(out, figures_table(answer.figures))


class Claimed(Struct, frozen=True):
    """The amounts that a claim admits, for the picture."""

    low: float
    high: float
    said_on: str

    @property
    def words(self) -> str:
        """The amounts in words, and the date."""
        if self.high == inf:
            amount = f"at least {compact(self.low)}"
        elif self.low == 0.0:
            amount = f"at most {compact(self.high)}"
        elif self.low == self.high:
            amount = compact(self.low)
        else:
            amount = f"{compact(self.low)} to {compact(self.high)}"
        return f"{amount} ({self.said_on})"


def claimed_in(request: Mapping[str, object], usd: float) -> Claimed:
    """The amounts that a request claims. `usd` is the amount that was judged."""
    said, bound = request["amount"], request.get("bound", "about")
    low = high = usd
    if isinstance(said, dict) and bound == "about":
        low, high = sorted((float(said["low"]), float(said["high"])))
    return Claimed(
        low=0.0 if bound == "at_most" else low,
        high=inf if bound == "at_least" else high,
        said_on=str(request["said_on"]),
    )


def hours_words(hours: ClaimedHours) -> list[str]:
    """Disclosed and predicted hours, in sum or stage by stage."""
    rows = [("device-hours", hours.disclosed, hours.predicted, hours.position)]
    if hours.disclosed is UNSET or hours.predicted is UNSET:
        rows = [(one.name, one.disclosed, one.predicted, one.position) for one in hours.stages]
    words = []
    for name, disclosed, predicted, position in rows:
        parts = []
        if disclosed is not UNSET:
            parts.append(f"{disclosed.central:,.0f} disclosed")
        if predicted is not UNSET:
            parts.append(f"{predicted.p50:,.0f} predicted ({span(predicted)})")
        if position is not UNSET:
            parts.append(f"at {position:.0%} of the prediction")
        words.append(f"{name}: {', '.join(parts) or 'not known'}")
    return words


def rate_words(rate: ClaimedRate | object) -> list[str]:
    """The implied rate among prices."""
    if not isinstance(rate, ClaimedRate):
        return []
    stated = "" if rate.stated is UNSET else f", stated ${rate.stated.central:,.2f}"
    words = [f"rate: ${rate.implied.central:,.2f} a device-hour implied{stated}"]
    words += [prices_words(f"known on {rate.priced_for}", near) for near in rate.market]
    words += [prices_words("of its time", near) for near in rate.history]
    return words


def prices_words(when: str, near: PricesNear) -> str:
    """Where the rate stands among some prices."""
    return (
        f"  {near.share_below:.0%} of {near.count} prices {when} are below it "
        f"(${near.lowest:,.2f} to ${near.highest:,.2f}, {near.oldest} to {near.newest})"
    )


def year_words(answer: ClaimAnswer) -> list[str]:
    """The claim in dollars of another year."""
    if answer.dollars is UNSET:
        return []
    then, now = answer.dollars.said_in, answer.dollars.today
    amount = dollars(answer.dollars.amount_today.amount)
    return [f"in dollars of {now}, by consumer prices from {then}: ${amount}"]


def span(estimate: Estimate) -> str:
    """The 80% interval of a number."""
    return f"{estimate.p10:,.0f} to {estimate.p90:,.0f}"


def readings_table(readings: Sequence[Reading]) -> Table:
    """Every reading with its verdict, best first, and where the claim is among its draws."""
    table = Table(title="readings, best first", title_justify="left", box=box.SIMPLE, padding=0)
    for column in ("verdict", "way", "scope"):
        table.add_column(column, no_wrap=True)
    for column in ("total", "p10", "p50", "p90", "at", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in readings:
        table.add_row(
            one.verdict,
            BASES_IN_WORDS[one.basis],
            SCOPES_IN_WORDS[one.scope],
            compact(float(one.total.amount)),
            compact(float(one.interval.p10)),
            compact(float(one.interval.p50)),
            compact(float(one.interval.p90)),
            f"{one.position:.0%}",
            f"{one.ratio:.3g}",
        )
    return table


def picture(readings: Sequence[Reading], claimed: Claimed) -> list[str]:
    """The claim among the readings on a logarithmic axis.

    A reading is drawn from p10 to p90 with its median, and the claim as a line through all of them.
    """
    axis = Axis.around(readings, claimed)
    title = "on a log axis: [ p10, o median, ] p90, | the claim"
    return [
        title,
        *(f"{label(one):<{LABEL_COLUMNS}}{drawn(one, claimed, axis)}".rstrip() for one in readings),
        f"{'USD':<{LABEL_COLUMNS}}{axis.ticks()}".rstrip(),
    ]


def label(one: Reading) -> str:
    """A reading in the words of the table."""
    return f"{BASES_IN_WORDS[one.basis]:<12}{SCOPES_IN_WORDS[one.scope]}"


class Axis(Struct, frozen=True):
    """A logarithmic axis between two powers of ten."""

    first: int
    last: int

    @classmethod
    def around(cls, readings: Sequence[Reading], claimed: Claimed) -> "Axis":
        """The axis that holds the claim and all intervals."""
        ends = [end for end in (claimed.low, claimed.high) if 0.0 < end < inf]
        amounts = [float(one.interval.p10) for one in readings]
        amounts += [float(one.interval.p90) for one in readings]
        logs = [log10(max(amount, LEAST_USD)) for amount in (*amounts, *ends)]
        first = floor(min(logs))
        return cls(first, max(ceil(max(logs)), first + 1))

    def column(self, usd: float) -> int:
        """The column of an amount."""
        if usd == inf:
            return PLOT_COLUMNS - 1
        share = (log10(max(usd, LEAST_USD)) - self.first) / (self.last - self.first)
        return min(max(round(share * (PLOT_COLUMNS - 1)), 0), PLOT_COLUMNS - 1)

    def ticks(self) -> str:
        """The powers of ten below the axis, as many as there is room for."""
        cells = [" "] * PLOT_COLUMNS
        free = 0
        for power in range(self.first, self.last + 1):
            words = compact(10.0**power)
            at = min(self.column(10.0**power), PLOT_COLUMNS - len(words))
            if at >= free:
                cells[at : at + len(words)] = words
                free = at + len(words) + 1
        return "".join(cells)


def drawn(one: Reading, claimed: Claimed, axis: Axis) -> str:
    """One reading as a line of characters."""
    cells = [" "] * PLOT_COLUMNS
    low, high = axis.column(float(one.interval.p10)), axis.column(float(one.interval.p90))
    cells[low : high + 1] = "-" * (high - low + 1)
    cells[low], cells[high] = "[", "]"
    cells[axis.column(float(one.interval.p50))] = "o"
    for end in {claimed.low, claimed.high} - {0.0, inf}:
        cells[axis.column(end)] = "|"
    return "".join(cells)


def omissions_table(omissions: Sequence[Omission]) -> Table:
    """What the best reading leaves out."""
    table = Table(
        title="what the best reading leaves out", title_justify="left", box=box.SIMPLE, padding=0
    )
    table.add_column("item")
    table.add_column("p50", justify="right")
    table.add_column("p10 to p90", justify="right")
    table.add_column("what", overflow="fold")
    for one in omissions:
        median = amount = ""
        if one.amount is not UNSET:
            low, high = float(one.amount.p10), float(one.amount.p90)
            median = compact(float(one.amount.p50))
            amount = f" {compact(low)} to {compact(high)}"
        why = "" if one.detail is UNSET else f" ({one.detail})"
        table.add_row(one.item, median, amount, f" {one.what}{why}")
    return table


def bridge_of_claim(bridge: ClaimBridge) -> Table:
    """From the claim to all that it may hold, step by step."""
    end = SCOPES_IN_WORDS[bridge.end_scope]
    table = Table(
        title=f"from the claim to: {BASES_IN_WORDS[bridge.basis]}, {end}",
        title_justify="left",
        box=box.SIMPLE,
        padding=0,
    )
    table.add_column("component")
    table.add_column("USD", justify="right")
    table.add_column("running total", justify="right")
    table.add_row("claim", "", dollars(bridge.start.amount))
    for step in bridge.steps:
        table.add_row(step.component, f" {dollars(step.amount)}", f" {dollars(step.running_total)}")
    return table


def compact(usd: float) -> str:
    """An amount with three digits and a letter for its size."""
    for size, suffix in SUFFIXES:
        if usd >= size:
            return f"${usd / size:.3g}{suffix}"
    return f"${usd:.3g}"
