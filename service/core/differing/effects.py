"""What price, hours and accounting do to each line of two bills, before anything is rounded.

A line of units, such as device-hours, is a product: its change is split between its rate and its
quantity. A line that is a share of other lines, such as a tax, changes as these do, and passes
their parts on. What its own share does is accounting.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from service.core.answer import Item
from service.core.differing.kept import KeptFigure, KeptLine
from service.core.differing.pairing import Pair
from service.core.differing.shapley import mean
from service.core.printing.bridges import ZERO
from service.core.printing.money import EXACT, decimal_of

FULL_WEIGHT: Final = Decimal(1)
BOUGHT_BY_UNIT: Final[frozenset[Item]] = frozenset(
    {
        "device_rental",
        "rounding",
        "unused_commitment",
        "accelerators",
        "servers",
        "cluster_network",
        "capital",
        "hosting",
        "maintenance",
        "energy",
        "storage",
        "transfer",
    }
)
"""Items that are bought by the unit: a price times how many."""
HELD: Final[frozenset[Item]] = frozenset({"device_rental", "rounding", "unused_commitment"})
"""Items of hours. A quote without such a line has none of these hours."""
STATED: Final[frozenset[Item]] = frozenset({"storage", "transfer"})
"""Items whose size a request states, beside how long they last."""

WHILE_IT_LASTS: Final = "gigabyte_months"
"""The formula of what is stored as long as the run lasts."""
BY_SIZE: Final = "staff_over_compute_by_size"
"""The formula of the share of staff that follows from the size of a development."""


class Effects(Struct, frozen=True, kw_only=True):
    """The parts of a change. Those of the engine are None where they are not known."""

    price: Decimal = ZERO
    price_by_engine: Decimal | None = ZERO
    hours: Decimal = ZERO
    hours_by_engine: Decimal | None = ZERO
    accounting: Decimal = ZERO


class ComparedBills(Struct, frozen=True, kw_only=True):
    """Two bills line by line, and the figures of both quotes."""

    pairs: tuple[Pair, ...]
    figures_before: Mapping[str, KeptFigure]
    figures_after: Mapping[str, KeptFigure]
    common_stages: frozenset[str]
    """Stages of the run before that the run after has, too."""


def effects_of(bills: ComparedBills) -> tuple[Effects, ...]:
    """The parts of the change of each line.

    They are found in an order that is the same on the way back: two markups that have changed
    places are each a share of the other, and the first of them passes on nothing of it.
    """
    found = _Found(bills)
    for place in sorted(range(len(bills.pairs)), key=lambda place: named(bills.pairs[place])):
        found.at(place)
    return tuple(found.at(place) for place in range(len(bills.pairs)))


def named(pair: Pair) -> tuple[str, str]:
    """The item and the label of a line, by which the lines of both bills have one order."""
    line = pair.before or pair.after
    assert line is not None
    return line.item, line.label


class _Found:
    """The effects that are found so far. What a share is of is found before it."""

    def __init__(self, bills: ComparedBills) -> None:
        self._bills = bills
        self._found: dict[int, Effects] = {}

    def at(self, place: int) -> Effects:
        """The effects on the line at a place. None while they are being found."""
        if place not in self._found:
            self._found[place] = Effects()
            self._found[place] = self._of(self._bills.pairs[place])
        return self._found[place]

    def _of(self, pair: Pair) -> Effects:
        before, after = pair.before, pair.after
        if before is None or after is None:
            return _alone(pair, self._bills)
        if before.unit != after.unit:
            return Effects(accounting=product(after) - product(before))
        if before.item in BOUGHT_BY_UNIT:
            return _of_units(pair, before, after, self._bills)
        return _of_share(before, after, self._bills, self.at)


def _alone(pair: Pair, bills: ComparedBills) -> Effects:
    """A line that one quote lacks: its hours if they are hours that the other lacks.

    Of a stage that both have, other lines differ by the way of counting.
    """
    line = pair.before or pair.after
    assert line is not None
    change = product(line) if pair.before is None else -product(line)
    shared = not line.stage or line.stage in bills.common_stages
    if line.item in HELD or (line.item in BOUGHT_BY_UNIT - STATED and not shared):
        return Effects(hours=change)
    return Effects(accounting=change)


def _of_units(pair: Pair, before: KeptLine, after: KeptLine, bills: ComparedBills) -> Effects:
    """A price times how many: each at the mean of the other."""
    rate = mean(rate_of(before), rate_of(after))
    quantity = mean(quantity_of(before), quantity_of(after))
    by_rate, by_quantity = _engine_moves(pair, before, after)
    price = EXACT.multiply(quantity, rate_of(after) - rate_of(before))
    price_by_engine = None if by_rate is None else EXACT.multiply(quantity, by_rate)
    moved = EXACT.multiply(rate, quantity_of(after) - quantity_of(before))
    if before.item in STATED and not _lasts_only(before, after, bills):
        return Effects(price=price, price_by_engine=price_by_engine, accounting=moved)
    return Effects(
        price=price,
        price_by_engine=price_by_engine,
        hours=moved,
        hours_by_engine=None if by_quantity is None else EXACT.multiply(rate, by_quantity),
    )


def _engine_moves(
    pair: Pair, before: KeptLine, after: KeptLine
) -> tuple[Decimal | None, Decimal | None]:
    """By how much engine and edition alone move the rate and the quantity, on average."""
    moves = [
        (rate_of(new) - rate_of(old), quantity_of(new) - quantity_of(old))
        for old, new in ((before, pair.before_anew), (pair.after_anew, after))
        if old is not None and new is not None and old.unit == new.unit
    ]
    if not moves:
        return None, None
    rates, quantities = zip(*moves, strict=True)
    return mean(rates[0], rates[-1]), mean(quantities[0], quantities[-1])


def _lasts_only(before: KeptLine, after: KeptLine, bills: ComparedBills) -> bool:
    """Whether as much is stored or moved in both, so that only how long it takes differs."""
    old = bills.figures_before.get(before.quantity_figure)
    new = bills.figures_after.get(after.quantity_figure)
    if old is None or new is None:
        return False
    sizes = [
        figures[figure.source.inputs["gigabytes"]].value
        for figure, figures in ((old, bills.figures_before), (new, bills.figures_after))
        if figure.source.formula == WHILE_IT_LASTS
    ]
    return len(sizes) == 2 and sizes[0] == sizes[1]


def _of_share(
    before: KeptLine, after: KeptLine, bills: ComparedBills, found: Callable[[int], Effects]
) -> Effects:
    """A share of other lines passes on what moves them. All else that moves it is accounting."""
    share = _share_passed_on(before, after, bills)
    old = _weights_by_place(before, [one.before for one in bills.pairs], bills.figures_before)
    new = _weights_by_place(after, [one.after for one in bills.pairs], bills.figures_after)
    passed = [
        (EXACT.multiply(share, _weight(old, new, bills.pairs[place], place)), found(place))
        for place in sorted(old.keys() | new.keys())
    ]
    price = _sum(weight * one.price for weight, one in passed)
    hours = _sum(weight * one.hours for weight, one in passed)
    return Effects(
        price=price,
        price_by_engine=_sum_if_known((weight, one.price_by_engine) for weight, one in passed),
        hours=hours,
        hours_by_engine=_sum_if_known((weight, one.hours_by_engine) for weight, one in passed),
        accounting=product(after) - product(before) - price - hours,
    )


def _weight(
    old: Mapping[int, Decimal], new: Mapping[int, Decimal], pair: Pair, place: int
) -> Decimal:
    """By how much a line counts, on average of both bills. A line of one bill counts as there."""
    if pair.before is None or pair.after is None:
        return old.get(place, ZERO) + new.get(place, ZERO)
    return mean(old.get(place, ZERO), new.get(place, ZERO))


def _share_passed_on(before: KeptLine, after: KeptLine, bills: ComparedBills) -> Decimal:
    """By how much the line moves for each dollar by which that moves of which it is a share.

    It is the mean of the two shares. A share that follows from the size of what it is a share of
    moves only as that does, and so does the whole line.
    """
    if before.unit == "lump_sum":
        return FULL_WEIGHT
    moved = quantity_of(after) - quantity_of(before)
    if moved and _follows_from_size(before, after, bills):
        return EXACT.divide(product(after) - product(before), moved)
    return mean(rate_of(before), rate_of(after))


def _follows_from_size(before: KeptLine, after: KeptLine, bills: ComparedBills) -> bool:
    """Whether the share is one by size in both quotes, with equal parameters."""
    found = []
    for line, figures in ((before, bills.figures_before), (after, bills.figures_after)):
        rate = figures.get(line.rate_figure)
        if rate is None or rate.source.formula != BY_SIZE:
            return False
        inputs = {key: of for key, of in rate.source.inputs.items() if key != "compute_usd"}
        found.append({key: figures[of].value for key, of in inputs.items() if of in figures})
    return found[0] == found[1]


def _weights_by_place(
    line: KeptLine, lines: Sequence[KeptLine | None], figures: Mapping[str, KeptFigure]
) -> dict[int, Decimal]:
    """By how much each line of a bill counts in what a line is a share of, by its place."""
    of = line.rate_figure if line.unit == "lump_sum" else line.quantity_figure
    places = {one.usd_figure: place for place, one in enumerate(lines) if one is not None}
    places.pop(line.usd_figure, None)
    return {places[name]: weight for name, weight in weights(of, figures, places).items()}


def weights(
    name: str, figures: Mapping[str, KeptFigure], lines: Mapping[str, int]
) -> dict[str, Decimal]:
    """By how much the amount of each line counts in a figure that sums them up."""
    if name in lines:
        return {name: FULL_WEIGHT}
    figure = figures.get(name)
    found: dict[str, Decimal] = {}
    if figure is None:
        return found
    for of, times in _terms(figure, figures):
        for line, weight in weights(of, figures, lines).items():
            found[line] = found.get(line, ZERO) + EXACT.multiply(times, weight)
    return found


def _terms(figure: KeptFigure, figures: Mapping[str, KeptFigure]) -> list[tuple[str, Decimal]]:
    """The figures that a figure is a weighted sum of, with their weights. None for other ones."""
    inputs = figure.source.inputs
    values = {key: decimal_of(figures[of].value) for key, of in inputs.items() if of in figures}
    if len(values) < len(inputs):
        return []
    terms: list[tuple[str, Decimal]] = []
    match figure.source.formula:
        case "total_usd":
            terms = [(of, FULL_WEIGHT) for of in inputs.values()]
        case "net_of_discounts_usd":
            net = FULL_WEIGHT
            for key in sorted(inputs.keys() - {"usd"}):
                net = EXACT.multiply(net, FULL_WEIGHT + values[key])
            terms = [(inputs["usd"], net)]
        case "compute_usd":
            terms = [(inputs["hardware_usd"], values["experiment_factor"])]
        case "experiments_on_commitment_usd":
            least = min(("experiments_usd", "unused_usd"), key=lambda key: values[key])
            terms = [(inputs[least], -FULL_WEIGHT)]
        case "in_currency":
            terms = [(inputs["usd"], EXACT.divide(FULL_WEIGHT, values["usd_per_unit"]))]
    return terms


def quantity_of(line: KeptLine) -> Decimal:
    """The quantity of a line."""
    return decimal_of(line.quantity)


def rate_of(line: KeptLine) -> Decimal:
    """The rate of a line."""
    return Decimal(line.rate)


def product(line: KeptLine) -> Decimal:
    """The amount of a line before it is rounded."""
    return EXACT.multiply(quantity_of(line), rate_of(line))


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    return sum(numbers, start=ZERO)


def _sum_if_known(parts: Iterable[tuple[Decimal, Decimal | None]]) -> Decimal | None:
    """The sum of weighted parts. None if one is not known."""
    total = ZERO
    for weight, part in parts:
        if part is None:
            return None
        total += EXACT.multiply(weight, part)
    return total
