"""What the tools answer: the numbers of an answer of the API that an agent needs, in short.

Amounts are those of the answer, to the cent. Other numbers have six digits.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.agents.asked import MOST_OPTIONS
from service.core.answer import ClaimAnswer
from service.core.answer.claim import Reading
from service.core.answer.comparison import ComparedCandidate, Comparison
from service.core.figures.sources import FigureName
from service.core.figures.vocabulary import BasisName
from service.sheet.parts import FigureExplained, LineInShort
from service.sheet.summary import BillInShort, QuoteSummary, summary_of
from service.sheet.view import Sheet

DIGITS: Final = 6
HOURS_PER_DAY: Final = 24.0
LEAST_SHARE: Final = 0.01
"""Of a variance. What makes less of it moves nothing."""
MOST_WARNINGS: Final = 5
MOST_REASONS: Final = 5
MOST_READINGS: Final = 5
MOST_LINKS: Final = 8
LONGEST_TEXT: Final = 200
"""Characters of a text that stands in an answer: a source, or the detail of a warning."""


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what is told. What is not known is left out."""


class BillTold(Told, frozen=True, kw_only=True):
    """One basis. `total` is the number to budget with; the quantiles are of joint draws."""

    basis: BasisName
    total: str | UnsetType = UNSET
    p10: str | UnsetType = UNSET
    p50: str | UnsetType = UNSET
    p90: str | UnsetType = UNSET
    unpriced: tuple[str, ...] = ()
    moved_by: dict[FigureName, float] = {}
    """Figures that make most of its variance, and their shares."""


class CautionTold(Told, frozen=True, kw_only=True):
    """A warning, with a pointer into the request of POST /quote."""

    severity: str
    code: str
    detail: str
    pointer: str


class QuoteTold(Told, frozen=True, kw_only=True):
    """A quote."""

    quote_id: str
    headline: str
    currency: str
    bases: tuple[BillTold, ...]
    device_hours: float | UnsetType = UNSET
    days_p50: float | UnsetType = UNSET
    days_p90: float | UnsetType = UNSET
    energy_kwh: float | UnsetType = UNSET
    carbon_kg_co2e: float | UnsetType = UNSET
    ends_p50: str | UnsetType = UNSET
    ends_p90: str | UnsetType = UNSET
    excludes: tuple[str, ...]
    warnings: tuple[CautionTold, ...]
    warnings_count: int
    prices_as_of: str
    valid_until: str


class OptionTold(Told, frozen=True, kw_only=True):
    """One way to get the run done. `cost_p50` and so on are what is enough in that share."""

    rank: int
    accelerator: str
    devices: float
    term: str
    seller: str | UnsetType = UNSET
    usd_per_device_hour: str | UnsetType = UNSET
    total: str
    cost_p50: str
    cost_p80: str
    cost_p90: str
    days_p50: float
    days_p90: float
    keeps_constraints: float
    """Share of the draws in which it keeps all of them."""
    cheapest: float
    """Share of the draws in which nothing is cheaper."""
    ties_with_first: bool | UnsetType = UNSET
    on_frontier: bool
    makes_cluster: str | UnsetType = UNSET


class ReasonTold(Told, frozen=True, kw_only=True):
    """Why some are not feasible, and what would have to change least."""

    reason: str
    count: int
    nearest: str | UnsetType = UNSET


class OptionsTold(Told, frozen=True, kw_only=True):
    """A comparison."""

    comparison_id: str
    ranked_by: str
    confidence: float
    feasible: int
    infeasible: int
    options: tuple[OptionTold, ...]
    reasons: tuple[ReasonTold, ...]
    prices_as_of: str


class ReadingTold(Told, frozen=True, kw_only=True):
    """One meaning of the claim. `position` is that of the claim among the draws of the total."""

    basis: str
    scope: str
    total: str
    p10: str
    p90: str
    position: float
    verdict: str


class ClaimTold(Told, frozen=True, kw_only=True):
    """A judged claim."""

    claim_id: str
    verdict: str
    sentence: str
    amount: str
    implied_usd_per_device_hour: float | UnsetType = UNSET
    market_median_usd_per_device_hour: float | UnsetType = UNSET
    hours_disclosed: float | UnsetType = UNSET
    hours_predicted: float | UnsetType = UNSET
    readings: tuple[ReadingTold, ...]
    leaves_out: tuple[str, ...]
    not_checkable: tuple[str, ...]


class RowsTold(Told, frozen=True, kw_only=True):
    """Rows of the catalog. `found` counts those that are not listed too."""

    list: str
    found: int
    rows: tuple[dict[str, Any], ...]
    nearest: tuple[str, ...] = ()
    catalog: str


class InputTold(Told, frozen=True, kw_only=True):
    """A figure that another follows from."""

    value: float
    unit: str


class FigureTold(Told, frozen=True, kw_only=True):
    """A figure: its number, its source, and what stands around it."""

    quote_id: str
    figure: FigureName
    value: float
    unit: str
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    source: dict[str, str]
    pointer: str | UnsetType = UNSET
    inputs: dict[str, InputTold] = {}
    leads_to: tuple[str, ...] = ()
    lines: tuple[LineInShort, ...] = ()
    moves: dict[BasisName, float] = {}


def quote_told(body: bytes) -> QuoteTold:
    """A quote in short."""
    sheet = Sheet(body)
    short: QuoteSummary = summary_of(sheet)
    clock = short.wall_clock_hours
    return QuoteTold(
        quote_id=short.id,
        headline=short.headline,
        currency=sheet.currency,
        bases=tuple(map(bill_told, short.bases)),
        device_hours=rounded(short.device_hours),
        days_p50=UNSET if clock is UNSET else days(clock.p50),
        days_p90=UNSET if clock is UNSET else days(clock.p90),
        energy_kwh=UNSET if short.energy_kwh is UNSET else rounded(short.energy_kwh.central),
        carbon_kg_co2e=(
            UNSET if short.carbon_kg_co2e is UNSET else rounded(short.carbon_kg_co2e.central)
        ),
        ends_p50=UNSET if short.ends is UNSET else short.ends.p50,
        ends_p90=UNSET if short.ends is UNSET else short.ends.p90,
        excludes=short.excludes,
        warnings=tuple(
            CautionTold(
                severity=one.severity, code=one.code, detail=cut(one.detail), pointer=one.pointer
            )
            for one in short.warnings[:MOST_WARNINGS]
        ),
        warnings_count=short.warnings_count,
        prices_as_of=sheet.issued_on,
        valid_until=sheet.valid_until,
    )


def bill_told(bill: BillInShort) -> BillTold:
    """A bill in short."""
    spread = bill.interval
    return BillTold(
        basis=bill.basis,
        total=UNSET if bill.total is UNSET else bill.total.amount,
        p10=UNSET if spread is UNSET else spread.p10,
        p50=UNSET if spread is UNSET else spread.p50,
        p90=UNSET if spread is UNSET else spread.p90,
        unpriced=bill.unpriced[:MOST_LINKS],
        moved_by={
            one.figure: round(one.share, 2) for one in bill.drivers if one.share >= LEAST_SHARE
        },
    )


def options_told(body: bytes) -> OptionsTold:
    """A comparison in short."""
    found = msgspec.json.decode(body, type=Comparison)
    return OptionsTold(
        comparison_id=found.id,
        ranked_by=found.objective,
        confidence=found.confidence,
        feasible=found.counts.feasible,
        infeasible=found.counts.infeasible,
        options=tuple(map(option_told, found.candidates[:MOST_OPTIONS])),
        reasons=tuple(
            ReasonTold(
                reason=one.reason,
                count=one.count,
                nearest=UNSET if one.nearest is UNSET else cut(one.nearest),
            )
            for one in found.infeasible[:MOST_REASONS]
        ),
        prices_as_of=found.catalog.version,
    )


def option_told(one: ComparedCandidate) -> OptionTold:
    """A candidate in short: its first cost is that of the hardware."""
    cost, price, first = one.costs[0], one.price, one.versus_first
    return OptionTold(
        rank=one.rank,
        accelerator=one.cluster.accelerator,
        devices=one.cluster.devices,
        term=one.term,
        seller=UNSET if price is UNSET else price.seller,
        usd_per_device_hour=UNSET if price is UNSET else price.usd_per_device_hour,
        total=cost.total.amount,
        cost_p50=cost.p50,
        cost_p80=cost.p80,
        cost_p90=cost.p90,
        days_p50=days(one.wall_clock_hours.p50),
        days_p90=days(one.wall_clock_hours.p90),
        keeps_constraints=round(one.keeps.all, 2),
        cheapest=round(one.probability_cheapest, 2),
        ties_with_first=UNSET if first is UNSET else first.tie,
        on_frontier=one.on_frontier,
        makes_cluster=UNSET if price is UNSET else price.makes_cluster,
    )


def claim_told(body: bytes) -> ClaimTold:
    """A judged claim in short."""
    found = msgspec.json.decode(body, type=ClaimAnswer)
    rate, hours = found.rate, found.hours
    return ClaimTold(
        claim_id=found.id,
        verdict=found.verdict.verdict,
        sentence=found.verdict.sentence,
        amount=found.amount.amount,
        implied_usd_per_device_hour=UNSET if rate is UNSET else rounded(rate.implied.central),
        market_median_usd_per_device_hour=(
            rounded(rate.market[0].median) if rate is not UNSET and rate.market else UNSET
        ),
        hours_disclosed=UNSET if hours.disclosed is UNSET else rounded(hours.disclosed.central),
        hours_predicted=UNSET if hours.predicted is UNSET else rounded(hours.predicted.central),
        readings=tuple(map(reading_told, found.readings[:MOST_READINGS])),
        leaves_out=tuple(one.item for one in found.omissions),
        not_checkable=tuple(cut(f"{one.what}: {one.why}") for one in found.not_checkable[:3]),
    )


def reading_told(one: Reading) -> ReadingTold:
    """A reading in short."""
    return ReadingTold(
        basis=one.basis,
        scope=one.scope,
        total=one.total.amount,
        p10=one.interval.p10,
        p90=one.interval.p90,
        position=round(one.position, 2),
        verdict=one.verdict,
    )


def figure_told(found: FigureExplained) -> FigureTold:
    """A figure in short."""
    figure: dict[str, Any] = msgspec.json.decode(found.figure)
    inputs = {
        name: msgspec.json.decode(raw, type=InputTold)
        for name, raw in first(found.inputs.items(), MOST_LINKS)
    }
    return FigureTold(
        quote_id=found.quote,
        figure=found.name,
        value=figure["value"],
        unit=figure["unit"],
        low=figure.get("low", UNSET),
        high=figure.get("high", UNSET),
        source={
            name: cut(words) for name, words in figure["source"].items() if isinstance(words, str)
        },
        pointer=figure.get("pointer", UNSET),
        inputs=inputs,
        leads_to=found.feeds[:MOST_LINKS],
        lines=found.lines[:MOST_LINKS],
        moves={basis: round(share, 2) for basis, share in found.moves.items()},
    )


def rounded(value: float | UnsetType) -> float | UnsetType:
    """A number with six digits."""
    return UNSET if value is UNSET else float(f"{value:.{DIGITS}g}")


def days(hours: float) -> float:
    """Hours as days, to a tenth of an hour."""
    return round(hours / HOURS_PER_DAY, 3)


def cut(text: str) -> str:
    """A text that is no longer than it may be."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def first(items: Iterable[Any], most: int) -> list[Any]:
    """The first of some items."""
    return [item for _, item in zip(range(most), items, strict=False)]
