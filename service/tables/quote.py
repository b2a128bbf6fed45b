"""A quote as tables for a terminal: bills, bridges, ownership, stages, warnings, figures."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.core.answer import (
    WARNINGS,
    Bill,
    Bridge,
    Estimate,
    Exclusion,
    MarketAnswer,
    Ownership,
    PricedBill,
    PricedLine,
    Quote,
    QuoteWarning,
    RateVersusMarket,
    Severity,
    StageAnswer,
)
from service.core.figures.sources import Figure
from service.core.figures.vocabulary import Currency
from service.tables.fitting import print_whole
from service.tables.hours import hours_table

LISTED_DRIVERS = 3
SEVERITY_STYLES: Final[Mapping[Severity, str]] = {
    "act": "bold red",
    "check": "yellow",
    "note": "",
}


def print_quote(out: Console, answer: Quote, *, figures: bool) -> None:
    """A quote as tables: one bill for each basis, the bridges between them, and the stages."""
    request = msgspec.json.decode(answer.request)
    currency = currency_of(answer)
    out.print(Text(request["run"]["name"], style="bold").append(f"  {answer.id}", style="not bold"))
    for bill in answer.bases:
        print_whole(out, bill_table(bill, currency=currency))
        for words in bill_words(bill):
            out.print(words, style="dim", markup=False, highlight=False)
    if answer.exclusions:
        print_whole(out, exclusion_table(answer.exclusions, currency=currency))
        for row in answer.exclusions:
            out.print(exclusion_words(row), style="dim", markup=False, highlight=False)
    for bridge in answer.bridges:
        print_whole(out, bridge_table(bridge, currency=currency))
    if answer.ownership:
        print_whole(out, ownership_table(answer.ownership, currency=currency))
    print_whole(out, stage_table(answer.stages))
    hours = hours_table(answer.stages)
    if hours is not None:
        print_whole(out, hours)
    print_cautions(out, answer)
    if figures:
        print_whole(out, figures_table(answer.figures))


def print_cautions(out: Console, answer: Quote) -> None:
    """Where given rates stand, then what to act on, to check and to know."""
    for market in answer.markets:
        print_whole(out, market_table(market))
        for words in market_words(market):
            out.print(words, style="dim", markup=False, highlight=False)
    for rate in answer.rate_versus_market:
        out.print(rate_words(rate), style="dim", markup=False, highlight=False)
    for warning in answer.warnings:
        out.print(warning_words(warning), highlight=False)
    for note in answer.notes:
        out.print(warning_words(note), style="dim", highlight=False)


def bill_table(bill: Bill, *, currency: Currency) -> Table:
    """The lines of one basis, and its total."""
    table = Table(title=f"{bill.basis}", title_justify="left", show_footer=True)
    money = bill.total if isinstance(bill, PricedBill) else bill.priced_lines_total
    total = "" if money is UNSET else dollars(money.amount)
    whole = "total" if isinstance(bill, PricedBill) else "no total; priced lines alone"
    table.add_column("stage", footer=whole)
    table.add_column("item")
    table.add_column("quantity", justify="right")
    table.add_column("unit")
    table.add_column("rate", justify="right")
    table.add_column(currency, justify="right", footer=total)
    table.add_column("p50", justify="right", footer=median_of(bill))
    table.add_column("p10 to p90", justify="right", footer=span_of(bill))
    for line in bill.lines:
        stage = "" if line.stage is UNSET else line.stage
        item = line.item if line.label is UNSET else f"{line.item}: {line.label}"
        quantity = "" if line.quantity is UNSET else counted(line.quantity)
        if isinstance(line, PricedLine):
            cells = (dollars(line.amount), median_of(line), span_of(line))
            table.add_row(stage, item, quantity, line.unit, short(line.rate), *cells)
        else:
            table.add_row(stage, item, quantity, line.unit, "unpriced")
    return table


def bill_words(bill: Bill) -> list[str]:
    """Why lines have no amount, or what moves a bill most, in sentences."""
    if not isinstance(bill, PricedBill):
        unpriced = [line for line in bill.lines if not isinstance(line, PricedLine)]
        return [f"{line.item} is unpriced: {line.detail}" for line in unpriced]
    if not bill.drivers:
        return []
    named = ", ".join(
        f"{driver.figure} {driver.share:.0%}" for driver in bill.drivers[:LISTED_DRIVERS]
    )
    return [f"Moved most by: {named}"]


def rate_words(rate: RateVersusMarket) -> str:
    """Where a given rate stands among comparable prices, in a sentence."""
    return (
        f"{rate.cluster}: {rate.usd_per_device_hour} an hour is above {rate.share_below:.0%} of"
        f" {rate.count} comparable prices of {rate.accelerator}, {short(rate.lowest)} to"
        f" {short(rate.highest)}, median {short(rate.median)}, the newest of {rate.newest}"
    )


MEANINGS = {
    "list": "list prices",
    "offered": "prices on offer",
    "stated": "prices in reports",
}


def market_table(market: MarketAnswer) -> Table:
    """The votes of a market, cheapest first."""
    size = f"{market.devices:g} x {market.accelerator}"
    where = "" if market.region is UNSET else f" in {market.region}"
    title = f"market of {size}, {market.term}{where} ({MEANINGS[market.price_is]})"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("seller", footer=f"median of {len(market.votes)}")
    table.add_column("segment")
    price = short(market.usd_per_device_hour)
    table.add_column("$/device-hour", justify="right", footer=price)
    table.add_column("observed")
    table.add_column("remarks")
    for vote in market.votes:
        remarks = [vote.region]
        if vote.basis != "own_price":
            remarks.append(vote.basis.replace("_", " "))
        if vote.makes_cluster == "unknown":
            remarks.append("network not known")
        if vote.minimum_term is not UNSET:
            remarks.append(f"for {vote.minimum_term}")
        if vote.through is not UNSET:
            remarks.append(f"through {vote.through}")
        table.add_row(
            vote.seller,
            vote.segment,
            short(vote.usd_per_device_hour),
            vote.observed_on,
            ", ".join(remarks),
        )
    return table


def market_words(market: MarketAnswer) -> list[str]:
    """The segments of a market, and who has no vote and why, in sentences."""
    segments = [
        f"{one.segment}: {one.count} sellers, {short(one.lowest)} to {short(one.highest)},"
        f" median {short(one.median)}, {one.oldest} to {one.newest}"
        for one in market.segments
    ]
    without = [f"{one.reason} {one.count} ({', '.join(one.sellers)})" for one in market.left_out]
    return [*segments, *([f"No vote: {'; '.join(without)}"] if without else [])]


def warning_words(warning: QuoteWarning) -> Text:
    """A warning with its places and what to do; a note is short."""
    also = len(warning.also_at)
    places = f" (and at {also} other place{'s' if also > 1 else ''})" if also else ""
    words = Text.assemble(
        (f"{warning.severity} {warning.code}", SEVERITY_STYLES[warning.severity]),
        f" {warning.pointer}{places}: {warning.detail}",
    )
    if warning.severity != "note":
        words.append(f". {WARNINGS[warning.code].advice}")
    return words


def exclusion_table(rows: tuple[Exclusion, ...], *, currency: Currency) -> Table:
    """What the bills leave out, each cost once."""
    table = Table(title="not in these bills", title_justify="left")
    table.add_column("item")
    table.add_column("not in")
    table.add_column(f"{currency}, p50", justify="right")
    table.add_column("p10 to p90", justify="right")
    for row in rows:
        bases = ", ".join(row.bases)
        if row.amount is UNSET:
            table.add_row(row.item, bases, "", magnitude(row))
        else:
            low, middle, high = map(dollars, (row.amount.p10, row.amount.p50, row.amount.p90))
            table.add_row(row.item, bases, middle, "" if low == high else f"{low} to {high}")
    return table


def exclusion_words(row: Exclusion) -> str:
    """What a cost is that bills leave out, and why it has no amount."""
    return f"  {row.item}: {row.what}" + ("" if row.detail is UNSET else f"; {row.detail}")


def magnitude(row: Exclusion) -> str:
    """An order of magnitude in words."""
    if row.magnitude is UNSET:
        return ""
    return f"{row.magnitude.low:,g} to {row.magnitude.high:,g} {row.magnitude.unit}"


def bridge_table(bridge: Bridge, *, currency: Currency) -> Table:
    """From one total to another, component by component."""
    title = f"from {bridge.start_basis} to {bridge.end_basis}"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("component", footer=bridge.end_basis)
    table.add_column(currency, justify="right")
    table.add_column("running total", justify="right", footer=dollars(bridge.end.amount))
    table.add_row(bridge.start_basis, "", dollars(bridge.start.amount))
    for step in bridge.steps:
        table.add_row(step.component, dollars(step.amount), dollars(step.running_total))
    return table


def ownership_table(owned: tuple[Ownership, ...], *, currency: Currency) -> Table:
    """The cost of owning each cluster."""
    table = Table(title="owning the cluster", title_justify="left")
    for column in ("cluster", "devices bought", "convention"):
        table.add_column(column)
    for column in (f"purchase {currency}", "p50", "USD per device-hour"):
        table.add_column(column, justify="right")
    for column in ("rented", "even at", "months"):
        table.add_column(column, justify="right")
    for one in owned:
        rented, even, months = "", "", ""
        if one.break_even is not UNSET:
            rented = number(one.break_even.usd_per_device_hour_rented)
            even = f"{one.break_even.utilization.central:.0%}"
            months = number(one.break_even.months)
        if one.break_even is not UNSET and one.break_even.utilization.central > 1.0:
            even = "never"
        table.add_row(
            one.cluster,
            f"{one.devices_bought:,} {one.accelerator}",
            one.convention,
            dollars(one.acquisition.total.amount),
            dollars(one.acquisition.interval.p50),
            number(one.usd_per_device_hour),
            rented,
            even,
            months,
        )
    return table


def stage_table(stages: tuple[StageAnswer, ...]) -> Table:
    """Hours, energy, carbon and power of each stage."""
    table = Table(title="stages", title_justify="left")
    table.add_column("stage")
    for column in ("device-hours", "p50", "hours", "p50"):
        table.add_column(column, justify="right")
    for column in ("IT kWh", "facility kWh", "kg CO2e", "average IT kW"):
        table.add_column(column, justify="right")
    for stage in stages:
        energy, carbon, power = stage.energy_kwh, stage.carbon_kg_co2e, stage.power_w
        table.add_row(
            stage.name,
            number(stage.device_hours),
            median(stage.device_hours),
            number(stage.wall_clock_hours),
            median(stage.wall_clock_hours),
            "" if energy is UNSET else number(energy.it),
            "" if energy is UNSET else number(energy.facility),
            "" if carbon is UNSET else number(carbon.location_based),
            "" if power is UNSET else f"{power.average_it.central / 1000:,.1f}",
        )
    return table


def figures_table(figures: Mapping[str, Figure]) -> Table:
    """Every figure of an answer with its source."""
    table = Table(title="figures", title_justify="left")
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("90% interval", justify="right")
    table.add_column("unit")
    table.add_column("source", overflow="fold")
    for name, figure in figures.items():
        words = source_words(figure.source)
        table.add_row(name, f"{figure.value:,.6g}", range_of(figure), figure.unit, words)
    return table


def range_of(figure: Figure) -> str:
    """A figure's low and high, or the word exact."""
    if figure.low is UNSET or figure.high is UNSET:
        return ""
    return "exact" if figure.low == figure.high else f"{figure.low:,.4g} to {figure.high:,.4g}"


def source_words(source: object) -> str:
    """A source in one line."""
    facts = msgspec.to_builtins(source)
    kind = facts.pop("kind")
    if kind == "published":
        return f"{facts['title']}, {facts['locator']} ({facts['as_of']})"
    if kind == "given":
        return f"given at {facts['pointer']}"
    if kind == "derived":
        return f"{facts['formula']}({', '.join(facts['inputs'].values())})"
    return f"judged: {facts['why']} ({facts['as_of']})"


def span_of(priced: Bill | PricedLine) -> str:
    """The 80% interval of an amount, if it has any width."""
    if not isinstance(priced, PricedBill | PricedLine):
        return ""
    low, high = priced.interval.p10, priced.interval.p90
    return "" if low == high else f"{dollars(low)} to {dollars(high)}"


def median_of(priced: Bill | PricedLine) -> str:
    """The median of an amount, which is its budget. Empty if there is no amount."""
    if not isinstance(priced, PricedBill | PricedLine):
        return ""
    return dollars(priced.interval.p50)


def number(estimate: Estimate | msgspec.UnsetType) -> str:
    """The central value of a number, if there is one."""
    return "" if estimate is UNSET else rounded(estimate.central)


def median(estimate: Estimate | msgspec.UnsetType) -> str:
    """The median of a number, if there is one."""
    return "" if estimate is UNSET else rounded(estimate.p50)


def rounded(value: float) -> str:
    """A number with two decimal places, or none from a thousand."""
    return f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"


def counted(quantity: float) -> str:
    """A quantity with two decimals, or with three digits if it is below one."""
    return f"{quantity:,.2f}" if abs(quantity) >= 1.0 or not quantity else f"{quantity:.3g}"


def short(rate: str) -> str:
    """A rate with at most six decimal places. The answer in JSON has all of them."""
    whole, _, places = rate.partition(".")
    return f"{whole}.{places[:6]}"


def dollars(amount: str) -> str:
    """An amount with separators for thousands, in whatever currency."""
    whole, point, cents = amount.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{point}{cents}"


def currency_of(answer: Quote) -> Currency:
    """The currency that a quote was asked in."""
    currency: Currency = msgspec.json.decode(answer.request)["options"]["currency"]
    return currency
