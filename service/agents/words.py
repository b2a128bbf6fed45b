"""The answers of the tools in plain lines, for a model that reads text alone."""

from collections.abc import Iterator

from msgspec import UNSET

from service.agents.told import (
    BillTold,
    ClaimTold,
    FigureTold,
    OptionsTold,
    OptionTold,
    QuoteTold,
    RowsTold,
)


def quote_words(told: QuoteTold) -> Iterator[str]:
    """A quote: totals with their range, what moves them, what is left out, what to check."""
    yield told.headline
    yield from (bill_words(bill, told.currency) for bill in told.bases)
    yield f"left out of at least one: {', '.join(told.excludes)}"
    for one in told.warnings:
        yield f"{one.severity} {one.code} {one.pointer or '/'}: {one.detail}"
    yield f"quote_id {told.quote_id}; prices as of {told.prices_as_of}"


def bill_words(bill: BillTold, currency: str) -> str:
    """One basis in a line."""
    if bill.total is UNSET:
        return f"{bill.basis}: no total, no price is known for {', '.join(bill.unpriced)}"
    spread = f"8 in 10 draws {bill.p10} to {bill.p90}, half below {bill.p50}"
    moved = ", ".join(f"{name} {share:.0%}" for name, share in bill.moved_by.items())
    return f"{bill.basis}: {bill.total} {currency}; {spread}" + (f"; by {moved}" if moved else "")


def options_words(told: OptionsTold) -> Iterator[str]:
    """A comparison: the best, and why others are out."""
    yield f"{told.feasible} feasible, {told.infeasible} not, by {told.ranked_by}"
    yield from map(option_words, told.options)
    for one in told.reasons[:2]:
        yield f"not feasible for {one.reason}: {one.count}"
    yield f"comparison_id {told.comparison_id}; prices as of {told.prices_as_of}"


def option_words(one: OptionTold) -> str:
    """A candidate in a line."""
    seller = "" if one.seller is UNSET else f" of {one.seller}"
    tie = " (ties with the first)" if one.ties_with_first is True else ""
    return (
        f"{one.rank}. {one.devices:g} {one.accelerator}{seller}, {one.term}: "
        f"{one.total} USD, p90 {one.cost_p90}, {one.days_p50:g} days{tie}"
    )


def claim_words(told: ClaimTold) -> Iterator[str]:
    """A judged claim: the verdict, and the readings."""
    yield f"{told.verdict}: {told.sentence}"
    for one in told.readings[:3]:
        yield (
            f"{one.basis} {one.scope}: {one.total} USD, 8 in 10 draws {one.p10} to {one.p90}: "
            f"the claim is {one.verdict}"
        )
    if told.leaves_out:
        yield f"the best reading leaves out: {', '.join(told.leaves_out)}"
    yield from (f"not checked: {one}" for one in told.not_checkable)


def rows_words(told: RowsTold) -> Iterator[str]:
    """Rows: their ids; all that is told of them is in the structured answer."""
    yield f"{told.found} {told.list} found, {len(told.rows)} listed"
    for row in told.rows:
        yield ", ".join(f"{value}" for value in row.values())
    if told.nearest:
        yield f"nearest: {', '.join(told.nearest)}"


def figure_words(told: FigureTold) -> Iterator[str]:
    """A figure with its source and its place."""
    spread = "" if told.low is UNSET else f" ({told.low:g} to {told.high:g})"
    yield f"{told.figure}: {told.value:g} {told.unit}{spread}"
    yield ", ".join(f"{name} {words}" for name, words in told.source.items())
    for name, one in told.inputs.items():
        yield f"from {name}: {one.value:g} {one.unit}"
    if told.leads_to:
        yield f"leads to {', '.join(told.leads_to)}"
    for basis, share in told.moves.items():
        yield f"makes {share:.0%} of the variance of the {basis} total"
