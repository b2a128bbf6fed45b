"""Where the marks of a chart stand: dots of outcomes, steps of a bridge, drivers, stages.

Charts are static SVG. The geometry is made here, the marks are drawn by `charts.svg`, and the
description of each chart says in words what it shows.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final

from msgspec import UNSET, Struct

from service.core.figures.vocabulary import Currency
from service.sheet.kept import KeptBill, KeptBridge, KeptStage
from service.sheet.words import BASES, days, leaf, money, named, rough

WIDTH: Final = 440.0
"""Units of the drawing. On a phone they are somewhat less than a pixel."""
MARGIN: Final = 10.0
ROW: Final = 20.0
"""Height of a bar with its label beside it."""
LABELLED_ROW: Final = 34.0
"""Height of a bar with its label above it."""
LABEL_WIDTH: Final = 150.0
AMOUNT_WIDTH: Final = 66.0
AXIS_HEIGHT: Final = 22.0
DOTS_HEIGHT: Final = 96.0
LARGEST_DOT: Final = 8.0
SMALLEST_DOT: Final = 2.0
LOGARITHMIC_FROM: Final = 20.0
"""Ratio of the largest to the smallest outcome from which the axis is logarithmic."""
MOST_DRIVERS: Final = 6
LEAST_SHARE: Final = 0.005
"""Share of the variance from which a driver is drawn: one percent, rounded."""
TICKS: Final = 4


class Mark(Struct, frozen=True, kw_only=True):
    """A place on an axis with its words."""

    x: float
    words: str
    anchor: str = "middle"


class Bar(Struct, frozen=True, kw_only=True):
    """A bar with a label and an amount. `kind` is how it is drawn."""

    y: float
    x: float
    width: float
    label: str
    words: str
    kind: str
    until: float = 0.0
    """Where a thin line ends that goes on from the bar; nowhere if it is not beyond it."""


class Dot(Struct, frozen=True, kw_only=True):
    """A dot: one of twenty equally likely outcomes."""

    x: float
    y: float


class Dots(Struct, frozen=True, kw_only=True):
    """Twenty equally likely totals, with the printed total as a line."""

    title: str
    description: str
    height: float
    radius: float
    dots: tuple[Dot, ...]
    ticks: tuple[Mark, ...]
    axis: float
    total: Mark
    width: float = WIDTH


class Bars(Struct, frozen=True, kw_only=True):
    """Horizontal bars: a waterfall, a tornado, or stages in time."""

    title: str
    description: str
    height: float
    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...] = ()
    axis: float = 0.0
    line: float = 0.0
    """Where a vertical line stands; nowhere if 0."""
    width: float = WIDTH
    label_width: float = LABEL_WIDTH


class Axis:
    """Values to places, linear or logarithmic."""

    def __init__(
        self, low: float, high: float, *, begin: float, end: float, logarithmic: bool = False
    ) -> None:
        self.logarithmic = logarithmic
        self._low, self._high = self._scaled(low), self._scaled(high)
        self._begin, self._end = begin, end

    def _scaled(self, value: float) -> float:
        return log10(value) if self.logarithmic else value

    def at(self, value: float) -> float:
        """The place of a value."""
        reach = self._high - self._low
        share = (self._scaled(value) - self._low) / reach if reach else 0.5
        return round(self._begin + share * (self._end - self._begin), 2)

    def round_values(self) -> list[float]:
        """A few round numbers on the axis."""
        if self.logarithmic:
            decades = range(floor(self._low), ceil(self._high) + 1)
            values = [digit * 10.0**power for power in decades for digit in (1, 2, 5)]
        else:
            step = nice_step((self._high - self._low) / TICKS)
            first = ceil(self._low / step)
            values = [step * (first + i) for i in range(2 * TICKS + 2)]
        within = [one for one in values if self._low <= self._scaled(one) <= self._high]
        return within[:: ceil(len(within) / (TICKS + 2))] if within else []


def nice_step(step: float) -> float:
    """The next of 1, 2 or 5 times a power of ten."""
    if not step > 0.0:
        return 1.0
    power = 10.0 ** floor(log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * 0.999)


def dots_of(bill: KeptBill, currency: Currency) -> Dots | None:
    """The outcomes of a bill as dots. None if it has no total, or if nothing moves it."""
    if bill.total is UNSET or len(set(bill.outcomes)) < 2:
        return None
    total, values = float(bill.total.amount), sorted(map(float, bill.outcomes))
    low, high = min(total, values[0]), max(total, values[-1])
    logarithmic = low > 0.0 and high / low >= LOGARITHMIC_FROM
    edge = MARGIN + LARGEST_DOT
    axis = Axis(low, high, begin=edge, end=WIDTH - edge, logarithmic=logarithmic)
    radius, columns = stacked([axis.at(value) for value in values])
    base = DOTS_HEIGHT + LARGEST_DOT
    below = sum(value <= total for value in values)
    said = money(bill.total.amount, currency)
    return Dots(
        title=f"{BASES[bill.basis]}: twenty equally likely totals",
        description=f"Each dot is one of {len(values)} equally likely totals, from "
        f"{rough(values[0], currency)} to {rough(values[-1], currency)}"
        f"{' on a logarithmic axis' if logarithmic else ''}. {below} of them are at or below the "
        f"total of {said}, which the vertical line marks.",
        height=base + AXIS_HEIGHT,
        radius=radius,
        dots=tuple(
            Dot(x=x, y=round(base - radius - 2 * radius * level, 2))
            for x, count in columns
            for level in range(count)
        ),
        ticks=ticks_of(axis, currency),
        axis=base,
        total=Mark(x=axis.at(total), words=said),
    )


def stacked(places: Sequence[float]) -> tuple[float, list[tuple[float, int]]]:
    """Dots that do not overlap: their radius, and the place and height of each stack.

    They are as large as the highest stack allows.
    """
    radius = LARGEST_DOT
    while True:
        columns = binned(places, 2 * radius)
        highest = max(count for _, count in columns)
        if highest * 2 * radius <= DOTS_HEIGHT or radius <= SMALLEST_DOT:
            return radius, columns
        radius -= 0.5


def binned(places: Sequence[float], width: float) -> list[tuple[float, int]]:
    """Ascending places in stacks of one width: the place of each stack, and how many it holds."""
    stacks: list[list[float]] = []
    for place in places:
        if stacks and place - stacks[-1][0] < width:
            stacks[-1].append(place)
        else:
            stacks.append([place])
    columns: list[tuple[float, int]] = []
    for stack in stacks:
        middle = (stack[0] + stack[-1]) / 2
        least = columns[-1][0] + width if columns else middle
        columns.append((round(max(middle, least), 2), len(stack)))
    return columns


def ticks_of(axis: Axis, currency: Currency) -> tuple[Mark, ...]:
    """Round amounts on an axis, as many as have room."""
    marks = [
        Mark(x=axis.at(value), words=rough(value, currency), anchor=anchored(axis.at(value)))
        for value in axis.round_values()
    ]
    roomy = marks[:1]
    for mark in marks[1:]:
        if mark.x - roomy[-1].x >= AMOUNT_WIDTH * 0.9:
            roomy.append(mark)
    return tuple(roomy)


def anchored(x: float) -> str:
    """How words at a place are aligned, so that they stay inside the drawing."""
    if x < AMOUNT_WIDTH / 2:
        return "start"
    return "end" if x > WIDTH - AMOUNT_WIDTH / 2 else "middle"


def waterfall_of(bridge: KeptBridge, currency: Currency) -> Bars:
    """A bridge as a waterfall: each step hangs where the one before it ended."""
    sums = [float(bridge.start.amount), *(float(step.running_total) for step in bridge.steps)]
    ends = [*sums, float(bridge.end.amount), 0.0]
    axis = Axis(min(ends), max(ends), begin=LABEL_WIDTH, end=WIDTH - AMOUNT_WIDTH)
    start, end = BASES[bridge.start_basis], BASES[bridge.end_basis]
    rows = [(start, bridge.start.amount, 0.0, sums[0], "total")]
    for step, (before, after) in zip(bridge.steps, pairwise(sums), strict=True):
        kind = "more" if after >= before else "less"
        rows.append((named(step.component), step.amount, before, after, kind))
    rows.append((end, bridge.end.amount, 0.0, float(bridge.end.amount), "total"))
    bars = tuple(
        Bar(
            y=index * ROW,
            x=min(axis.at(one), axis.at(other)),
            width=max(abs(axis.at(other) - axis.at(one)), 1.0),
            label=label,
            words=rough(amount, currency),
            kind=kind,
        )
        for index, (label, amount, one, other, kind) in enumerate(rows)
    )
    steps = "; ".join(
        f"{named(step.component)} {money(step.amount, currency)}" for step in bridge.steps
    )
    return Bars(
        title=f"From {start.lower()} to {end.lower()}",
        description=f"{start} {money(bridge.start.amount, currency)}, then {steps or 'no step'}, "
        f"makes {end.lower()} {money(bridge.end.amount, currency)}.",
        height=len(bars) * ROW,
        bars=bars,
        line=axis.at(0.0),
    )


def tornado_of(bill: KeptBill, currency: Currency) -> Bars | None:
    """The drivers of a bill: its total with each at the ends of its range, the largest first."""
    drivers = [one for one in bill.drivers if one.share >= LEAST_SHARE][:MOST_DRIVERS]
    if bill.total is UNSET or not drivers:
        return None
    total = float(bill.total.amount)
    ends = [float(end) for one in drivers for end in (one.total_if_low, one.total_if_high)]
    axis = Axis(min(total, *ends), max(total, *ends), begin=MARGIN, end=WIDTH - MARGIN)
    bars = []
    for index, one in enumerate(drivers):
        low, high = float(one.total_if_low), float(one.total_if_high)
        places = axis.at(low), axis.at(high)
        bars.append(
            Bar(
                y=index * LABELLED_ROW,
                x=min(places),
                width=max(abs(places[1] - places[0]), 1.0),
                label=leaf(one.figure),
                words=f"{one.share:.0%}, {rough(low, currency)} to {rough(high, currency)}",
                kind="range",
            )
        )
    said = "; ".join(f"{bar.label}: {bar.words}" for bar in bars)
    return Bars(
        title=f"{BASES[bill.basis]}: what moves the total most",
        description="Share of the variance, and the total with the figure at the low and at the "
        f"high end of its range. {said}. The vertical line is the total of "
        f"{money(bill.total.amount, currency)}.",
        height=len(bars) * LABELLED_ROW,
        bars=tuple(bars),
        line=axis.at(total),
        label_width=0.0,
    )


class Span(Struct, frozen=True, kw_only=True):
    """A stage in time: its median begin and end, and its late end, in hours from the start."""

    name: str
    begins: float
    ends: float
    ends_late: float
    words: str


def timeline_of(spans: Iterable[Span]) -> Bars | None:
    """Stages in time, one below the other."""
    spans = tuple(spans)
    latest = max((span.ends_late for span in spans), default=0.0)
    if not latest > 0.0:
        return None
    axis = Axis(0.0, latest, begin=MARGIN, end=WIDTH - MARGIN)
    bars = tuple(
        Bar(
            y=index * LABELLED_ROW,
            x=axis.at(span.begins),
            width=max(axis.at(span.ends) - axis.at(span.begins), 1.0),
            label=span.name,
            words=span.words,
            kind="stage",
            until=axis.at(span.ends_late),
        )
        for index, span in enumerate(spans)
    )
    said = "; ".join(f"{span.name}: {span.words}" for span in spans)
    return Bars(
        title="Stages in time",
        description=f"Each bar goes from the median begin of a stage to its median end, and a thin "
        f"line to the end that nine of ten runs keep. {said}.",
        height=len(bars) * LABELLED_ROW,
        bars=bars,
        label_width=0.0,
    )


def span_of(stage: KeptStage) -> Span | None:
    """A stage in hours from the start. None while its hours are not known."""
    if stage.begins_after_hours is UNSET or stage.ends_after_hours is UNSET:
        return None
    begins, ends = stage.begins_after_hours.p50, stage.ends_after_hours.p50
    return Span(
        name=stage.name,
        begins=begins,
        ends=ends,
        ends_late=max(stage.ends_after_hours.p90, ends),
        words=f"after {days(begins)}, until {days(ends)}",
    )
