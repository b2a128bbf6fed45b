"""An answer, decoded once, with what all of its forms print."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from service.core.answer.calendar import DatedRun
from service.core.figures.vocabulary import Currency
from service.sheet.charts import Span, span_of
from service.sheet.kept import KeptBill, KeptLine, KeptQuote, KeptWarning
from service.sheet.sources import Assumption, Source, assumptions_of, footnotes
from service.sheet.words import BASES, days, middle, money

DATE = len("2026-01-01")
NOTHING = Decimal()


class ItemRow(Struct, frozen=True, kw_only=True):
    """The lines of one item of a bill, together. `rate` is empty if it differs between them."""

    item: str
    label: str
    unit: str
    lines: int
    quantity: float | None
    rate: str
    amount: str | None
    details: tuple[str, ...]


class Sheet:
    """What the forms of an answer print."""

    def __init__(self, body: bytes) -> None:
        self.quote = msgspec.json.decode(body, type=KeptQuote)
        self.request: dict[str, Any] = msgspec.json.decode(self.quote.request)

    @property
    def id(self) -> str:
        """The id of the quote."""
        return self.quote.id

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.request["run"]["name"])

    @property
    def title(self) -> str:
        """The title that the caller gave, or else the name of the run."""
        return self.quote.heading.title or self.name

    @property
    def currency(self) -> Currency:
        """The currency that the quote was asked in."""
        currency: Currency = self.request["options"]["currency"]
        return currency

    @property
    def issued_on(self) -> str:
        """The day of the catalog's edition."""
        return self.quote.issued_at[:DATE]

    @property
    def valid_until(self) -> str:
        """The last day on which the prices count as current."""
        return self.quote.valid_until[:DATE]

    @property
    def start(self) -> str | None:
        """The day on which the run starts, if it was said."""
        return None if self.quote.calendar is UNSET else self.quote.calendar.start

    @property
    def main(self) -> KeptBill | None:
        """The bill of the headline: the first that has a total."""
        return next((bill for bill in self.quote.bases if bill.total is not UNSET), None)

    @cached_property
    def device_hours(self) -> float | None:
        """Device-hours of all stages. None if those of one are not known."""
        hours = [one.device_hours for one in self.quote.stages]
        known = [one.central for one in hours if one is not UNSET]
        return sum(known) if len(known) == len(hours) else None

    @property
    def clusters(self) -> str:
        """The devices of the run, each kind and number once."""
        kinds = dict.fromkeys((one.devices, one.accelerator) for one in self.quote.stages)
        return ", ".join(f"{devices:,} × {accelerator}" for devices, accelerator in kinds)

    @property
    def lasts(self) -> str:
        """How long the run takes in words: dates if it has a start."""
        hours = self.quote.wall_clock_hours
        if isinstance(self.quote.calendar, DatedRun):
            run = self.quote.calendar
            late = "" if run.ends.p90 == run.ends.p50 else f" (nine of ten runs: {run.ends.p90})"
            return f"from {run.start} until {run.ends.p50}{late}"
        if hours is UNSET:
            return "hours not known"
        late = "" if hours.p90 == hours.p50 else f" (nine of ten runs: {days(hours.p90)})"
        return f"{days(hours.p50)}{late}"

    @property
    def headline(self) -> str:
        """What, how much and how long, in a sentence."""
        bill = self.main
        amount = "no total yet: lines are unpriced"
        if bill is not None and bill.total is not UNSET:
            amount = f"{money(bill.total.amount, self.currency)} {BASES[bill.basis].lower()}"
        hours = "" if self.device_hours is None else f", {self.device_hours:,.0f} device-hours"
        return f"{self.name}: {amount}; {self.clusters}{hours}, {self.lasts}"

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The stages in time, with dates where there are some."""
        found = [span for stage in self.quote.stages if (span := span_of(stage))]
        run = self.quote.calendar
        if isinstance(run, DatedRun) and len(run.stages) == len(found):
            found = [
                msgspec.structs.replace(
                    span, words=f"{dated.begins.p50} to {dated.ends.p50} (late: {dated.ends.p90})"
                )
                for span, dated in zip(found, run.stages, strict=True)
            ]
        return tuple(found)

    @cached_property
    def assumptions(self) -> tuple[Assumption, ...]:
        """The assumptions of the catalog, what moves a total most first."""
        moves: dict[str, float] = {}
        for bill in self.quote.bases:
            for one in bill.drivers:
                moves[one.figure] = max(one.share, moves.get(one.figure, 0.0))
        return assumptions_of(self.quote.figures, moves)

    @cached_property
    def footnotes(self) -> tuple[Source, ...]:
        """The sources of the assumptions."""
        return footnotes(self.assumptions)

    @property
    def cautions(self) -> tuple[KeptWarning, ...]:
        """Warnings and notes, the gravest first."""
        return (*self.quote.warnings, *self.quote.notes)

    @property
    def dated_cautions(self) -> Iterator[tuple[str, str]]:
        """What the start and the day of reading add: codes and words."""
        if self.quote.calendar is not UNSET:
            yield from ((one.code, one.detail) for one in self.quote.calendar.cautions)
        if self.quote.today is not UNSET:
            yield from ((one.code, one.detail) for one in self.quote.today.cautions)

    @cached_property
    def canonical_request(self) -> str:
        """The request in its canonical form, in lines."""
        return msgspec.json.format(bytes(self.quote.request), indent=2).decode()

    @property
    def plain_request(self) -> str:
        """The request in one line."""
        return bytes(self.quote.request).decode()

    def items(self, bill: KeptBill) -> tuple[ItemRow, ...]:
        """The lines of a bill, those of one item together."""
        groups: dict[tuple[object, ...], list[KeptLine]] = {}
        for line in bill.lines:
            groups.setdefault((line.item, line.label, line.unit), []).append(line)
        return tuple(item_row(lines) for lines in groups.values())

    def stage_rows(self) -> Iterator[tuple[str, ...]]:
        """The stages as cells: name, devices, hours, MFU, feasibility."""
        for stage in self.quote.stages:
            yield (
                stage.name,
                f"{stage.devices:,} × {stage.accelerator}",
                middle(stage.device_hours),
                "" if stage.wall_clock_hours is UNSET else days(stage.wall_clock_hours.p50),
                "" if stage.mfu is UNSET else f"{stage.mfu.central:.1%}",
                stage.feasibility.status.replace("_", " "),
            )


def item_row(lines: list[KeptLine]) -> ItemRow:
    """Lines of one item together. Without an amount if one of them has none."""
    first = lines[0]
    amounts = [line.amount for line in lines if line.amount is not UNSET]
    quantities = [line.quantity for line in lines if line.quantity is not UNSET]
    rates = {line.rate for line in lines if line.rate is not UNSET}
    return ItemRow(
        item=first.item,
        label="" if first.label is UNSET else first.label,
        unit=first.unit,
        lines=len(lines),
        quantity=sum(quantities) if len(quantities) == len(lines) else None,
        rate=rates.pop() if len(rates) == 1 and len(amounts) == len(lines) else "",
        amount=f"{summed(amounts):f}" if len(amounts) == len(lines) else None,
        details=tuple(dict.fromkeys(line.detail for line in lines if line.detail is not UNSET)),
    )


def summed(amounts: Iterable[str]) -> Decimal:
    """The exact sum of printed amounts."""
    return sum(map(Decimal, amounts), NOTHING)
