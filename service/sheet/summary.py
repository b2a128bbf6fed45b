"""A quote in a few hundred bytes: what an agent, a page or a mail needs of it."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.core.answer.base import Amount, AmountInterval, Answer, Budget, Money, QuoteId
from service.core.answer.calendar import Days
from service.core.answer.quote import CatalogStamp
from service.core.figures.sources import FigureName
from service.core.figures.vocabulary import BasisName
from service.sheet.kept import KeptBill, KeptEstimate, KeptStage
from service.sheet.view import Sheet, summed

MOST_DRIVERS: Final = 3
MOST_WARNINGS: Final = 10
MOST_STAGES: Final = 8


class NumberInShort(Answer, frozen=True, kw_only=True):
    """A number and its quantiles."""

    central: float
    p10: float
    p50: float
    p90: float


class DriverInShort(Answer, frozen=True, kw_only=True):
    """A figure that moves a total, and its share of the variance."""

    figure: FigureName
    share: float


class BillInShort(Answer, frozen=True, kw_only=True):
    """The total of one basis. Without `total`, some of its lines are unpriced."""

    basis: BasisName
    total: Money | UnsetType = UNSET
    interval: AmountInterval | UnsetType = UNSET
    budget: Budget | UnsetType = UNSET
    items: Annotated[
        dict[str, Amount], Meta(description="Sums of priced lines by item; they make the total.")
    ]
    unpriced: Annotated[
        tuple[str, ...], Meta(description="Items of lines without a price, each once.")
    ] = ()
    drivers: Annotated[
        tuple[DriverInShort, ...], Meta(description="The three that move the total most.")
    ] = ()


class StageInShort(Answer, frozen=True, kw_only=True):
    """A stage, how long it takes, and whether it can run."""

    name: str
    accelerator: str
    devices: int
    feasibility: str
    device_hours: float | UnsetType = UNSET


class CautionInShort(Answer, frozen=True, kw_only=True):
    """A warning."""

    severity: str
    code: str
    detail: str
    pointer: str


class QuoteSummary(Answer, frozen=True, kw_only=True):
    """A quote in short. All of its numbers are those of the whole quote, at `href`."""

    id: QuoteId
    href: str
    run: str
    headline: Annotated[str, Meta(description="What, how much and how long, in a sentence.")]
    issued_at: str
    valid_until: str
    catalog: CatalogStamp
    bases: tuple[BillInShort, ...]
    device_hours: float | UnsetType = UNSET
    wall_clock_hours: NumberInShort | UnsetType = UNSET
    ends: Annotated[Days | UnsetType, Meta(description="For a `start` in the address.")] = UNSET
    energy_kwh: NumberInShort | UnsetType = UNSET
    carbon_kg_co2e: Annotated[NumberInShort | UnsetType, Meta(description="Location-based.")] = (
        UNSET
    )
    stages: Annotated[tuple[StageInShort, ...], Meta(description="The first eight.")]
    stages_count: int
    excludes: Annotated[
        tuple[str, ...], Meta(description="Costs that at least one basis leaves out.")
    ]
    warnings: Annotated[
        tuple[CautionInShort, ...], Meta(description="The first ten, the gravest first.")
    ]
    warnings_count: int


def summary_of(sheet: Sheet) -> QuoteSummary:
    """A quote in short."""
    quote = sheet.quote
    energy, carbon = quote.totals.energy_kwh, quote.totals.carbon_kg_co2e
    ends = getattr(quote.calendar, "ends", UNSET)
    return QuoteSummary(
        id=quote.id,
        href=f"/quote/{quote.id}",
        run=sheet.name,
        headline=sheet.headline,
        issued_at=quote.issued_at,
        valid_until=quote.valid_until,
        catalog=CatalogStamp(version=quote.catalog.version, digest=quote.catalog.digest),
        bases=tuple(map(bill_in_short, quote.bases)),
        device_hours=UNSET if sheet.device_hours is None else sheet.device_hours,
        wall_clock_hours=number_in_short(quote.wall_clock_hours),
        ends=ends,
        energy_kwh=UNSET if energy is UNSET else number_in_short(energy.facility),
        carbon_kg_co2e=UNSET if carbon is UNSET else number_in_short(carbon.location_based),
        stages=tuple(map(stage_in_short, quote.stages[:MOST_STAGES])),
        stages_count=len(quote.stages),
        excludes=tuple(dict.fromkeys(one.item for one in quote.exclusions)),
        warnings=tuple(
            CautionInShort(
                severity=one.severity, code=one.code, detail=one.detail, pointer=one.pointer
            )
            for one in quote.warnings[:MOST_WARNINGS]
        ),
        warnings_count=len(quote.warnings),
    )


def bill_in_short(bill: KeptBill) -> BillInShort:
    """A bill by item."""
    items = {one.item: f"{one.amount}" for one in item_sums(bill)}
    unpriced = tuple(dict.fromkeys(line.item for line in bill.lines if line.amount is UNSET))
    if bill.total is UNSET or bill.interval is UNSET or bill.budget is UNSET:
        return BillInShort(basis=bill.basis, items=items, unpriced=unpriced)
    return BillInShort(
        basis=bill.basis,
        total=Money(amount=bill.total.amount, currency=bill.total.currency),
        interval=msgspec.convert(msgspec.to_builtins(bill.interval), AmountInterval),
        budget=msgspec.convert(msgspec.to_builtins(bill.budget), Budget),
        items=items,
        unpriced=unpriced,
        drivers=tuple(
            DriverInShort(figure=one.figure, share=one.share) for one in bill.drivers[:MOST_DRIVERS]
        ),
    )


class ItemSum(Answer, frozen=True, kw_only=True):
    """The priced lines of one item."""

    item: str
    amount: Amount


def item_sums(bill: KeptBill) -> tuple[ItemSum, ...]:
    """The priced lines of a bill, summed by item."""
    amounts: dict[str, list[str]] = {}
    for line in bill.lines:
        if line.amount is not UNSET:
            amounts.setdefault(line.item, []).append(line.amount)
    return tuple(ItemSum(item=item, amount=f"{summed(found):f}") for item, found in amounts.items())


def number_in_short(estimate: KeptEstimate | UnsetType) -> NumberInShort | UnsetType:
    """A number without its figure."""
    if estimate is UNSET:
        return UNSET
    return NumberInShort(
        central=estimate.central, p10=estimate.p10, p50=estimate.p50, p90=estimate.p90
    )


def stage_in_short(stage: KeptStage) -> StageInShort:
    """A stage in short."""
    return StageInShort(
        name=stage.name,
        accelerator=stage.accelerator,
        devices=stage.devices,
        feasibility=stage.feasibility.status,
        device_hours=UNSET if stage.device_hours is UNSET else stage.device_hours.central,
    )
