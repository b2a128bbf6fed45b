"""Which number of a run keeps its limits: a price, tokens, a model, devices, or the use of owning.

A number is changed, the run is tried with it, and the next one is chosen by what came out. Each
trial is a quote of the changed request, so the answer can be checked by posting that.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct
from msgspec.structs import replace

from service.core.answer.solution import SolutionStatus
from service.core.argument import Argument
from service.core.bills.sold import usual_node
from service.core.catalog.catalog import Catalog
from service.core.catalog.market import NODE_DEVICES, offers_of_operators
from service.core.comparing.trying import Trial, Trials
from service.core.model.named import NamedModel, named_model
from service.core.model.parameters import params_total
from service.core.request.decisions.solve import (
    FindDevices,
    FindModel,
    FindPrice,
    FindTokens,
    SolveRequest,
)
from service.core.request.request import QuoteRequest, Rate, Stage
from service.core.request.work import Finetuning, Model, PresetModel, Pretraining, TokenData

LEAST_USD: Final = 1e-4
MOST_USD: Final = 1e4
"""Prices of a device-hour between which one is looked for."""
LEAST_TOKENS: Final = 1e3
MOST_TOKENS: Final = 1e18
CLOSE: Final = 1e-6
"""The part of the most tokens by which the answer may be less."""
MOST_TRIALS: Final = 64
"""Trials of one number. Halving an interval so often leaves none."""
BELOW: Final = 8
"""Smaller sizes that are tried below the smallest that was found: hours do not fall with each."""
PRICE: Final = "usd_per_device_hour"
MEMBERS: Final[Mapping[type, str]] = {
    FindPrice: PRICE,
    FindTokens: "tokens",
    FindModel: "model",
    FindDevices: "devices",
}
"""The member of an answer that has the value, by what is to be found."""
BRIEF_DIGITS: Final = range(2, 17)
"""Decimals of a price: as few as meet the budget."""


class Found(Struct, frozen=True, kw_only=True):
    """What was found, the trial of it, and all that were made, by their value."""

    name: str
    """The member of the answer that has the value."""
    status: SolutionStatus
    detail: str
    value: float | str | None = None
    trial: Trial | None = None
    tried: tuple[tuple[float | str, Trial], ...] = ()


class Bracket(NamedTuple):
    """A value that keeps the limits, and a larger one that does not."""

    low: float
    high: float


def request_of(asked: SolveRequest) -> QuoteRequest:
    """The quote that is asked about, as it stands."""
    return QuoteRequest(
        run=asked.run, cluster=asked.cluster, accounting=asked.accounting, as_of=asked.as_of
    )


def solved(asked: SolveRequest, catalog: Catalog, trials: Trials) -> Found:
    """The number that is asked for, unless it is the use of owning."""
    find = asked.find
    name = MEMBERS[type(find)]
    nothing = asked.limits.budget_usd is UNSET and asked.limits.deadline_hours is UNSET
    if nothing:
        return Found(
            name=name, status="unbounded", detail="no limit is given: every value keeps it"
        )
    if isinstance(find, FindPrice):
        return _price(asked, trials)
    if isinstance(find, FindTokens):
        return _tokens(asked, trials, int(find.stage))
    if isinstance(find, FindModel):
        return _model(asked, catalog, trials, find)
    assert isinstance(find, FindDevices)
    return _devices(asked, catalog, trials, find)


def _price(asked: SolveRequest, trials: Trials) -> Found:
    """The largest price at which the bill is within the budget, written as briefly as may be."""
    request = request_of(asked)
    if asked.limits.budget_usd is UNSET:
        return Found(
            name=PRICE, status="unbounded", detail="no budget is given: every price keeps it"
        )
    budget = Decimal(str(asked.limits.budget_usd))

    def at(usd: float) -> Trial:
        supply = request.cluster.supply
        pieces = supply.devices_per_instance if isinstance(supply, Rate) else UNSET
        rate = Rate(usd_per_device_hour=usd, devices_per_instance=pieces)
        return trials.trial(replace(request, cluster=replace(request.cluster, supply=rate)))

    found = _largest(
        at, LEAST_USD, MOST_USD, name=PRICE, start=1.0, done=lambda trial: trial.usd == budget
    )
    if found.status != "solved" or found.trial is None or not isinstance(found.value, float):
        return found
    for brief in (round(found.value, digits) for digits in BRIEF_DIGITS):
        if LEAST_USD <= brief < found.value:
            trial = at(brief)
            if trial.usd == found.trial.usd:
                return replace(found, value=brief, trial=trial)
    return found


def _tokens(asked: SolveRequest, trials: Trials, place: int) -> Found:
    """The most tokens of a stage."""
    request = request_of(asked)
    stage = _stage(request, place)
    now = None if stage is None else stated_tokens(stage)
    if stage is None or now is None:
        words = f"stage {place} has no number of tokens to find"
        return Found(name="tokens", status="infeasible", detail=words)

    def at(tokens: float) -> Trial:
        return trials.trial(_with_stage(request, place, with_tokens(stage, tokens)))

    return _largest(at, LEAST_TOKENS, MOST_TOKENS, name="tokens", start=now, whole=True)


def stated_tokens(stage: Stage) -> float | None:
    """The tokens that a stage trains on. None if it has no such number."""
    work = stage.work
    said: Any = None
    if isinstance(work, Pretraining):
        said = work.tokens
    elif isinstance(work, Finetuning) and isinstance(work.data, TokenData):
        said = work.data.tokens
    return said if said is None or isinstance(said, float | int) else float(said.high)


def with_tokens(stage: Stage, tokens: float) -> Stage:
    """The stage with another number of tokens."""
    work = stage.work
    if isinstance(work, Pretraining):
        return replace(stage, work=replace(work, tokens=tokens))
    assert isinstance(work, Finetuning)
    return replace(stage, work=replace(work, data=TokenData(tokens=tokens)))


def _stage(request: QuoteRequest, place: int) -> Stage | None:
    return request.run.stages[place] if place < len(request.run.stages) else None


def _with_stage(request: QuoteRequest, place: int, stage: Stage) -> QuoteRequest:
    stages = (*request.run.stages[:place], stage, *request.run.stages[place + 1 :])
    return replace(request, run=replace(request.run, stages=stages))


def _largest(
    at: Callable[[float], Trial],
    least: float,
    most: float,
    *,
    name: str,
    start: float,
    whole: bool = False,
    done: Callable[[Trial], bool] = lambda _: False,
) -> Found:
    """The largest value that keeps the limits, if every smaller one does.

    The next value is where a limit would be met if cost and hours were proportional to the value,
    and in the middle of the bracket where that is no help. An end that stays counts half as much
    with each value that moves the other one, so that the bracket closes from both ends.

    Source: the Illinois algorithm (Dowell and Jarratt, "A modified regula falsi method for
    computing the root of an equation", BIT 11, 1971).
    """
    tried: dict[float, Trial] = {}

    def look(value: float) -> Trial:
        if value not in tried:
            tried[value] = at(value)
        return tried[value]

    low, high = _bracket(look, least, most, start)
    if high is None:
        words = "every value that may be asked for keeps the limits"
        return Found(name=name, status="unbounded", detail=words, tried=_rows(tried))
    if low is None:
        words = look(least).detail or "no value keeps the limits"
        return Found(name=name, status="infeasible", detail=words, tried=_rows(tried))
    moves, was_kept = 0, False
    while len(tried) < MOST_TRIALS and not done(look(low)):
        if whole and (high - low <= 1.0 or high - low <= CLOSE * low):
            break
        middle = low + (high - low) / 2.0
        stays = 0.5 ** max(moves - 1, 0)
        weights = (1.0, stays) if was_kept else (stays, 1.0)
        guess = _where_met(look, Bracket(low, high), middle, weights=weights)
        guess = float(int(guess)) if whole else guess
        if not low < guess < high:
            guess = float(int(middle)) if whole else middle
        if not low < guess < high:
            break
        keeps = look(guess).keeps
        moves, was_kept = moves + 1 if keeps == was_kept else 1, keeps
        low, high = (guess, high) if keeps else (low, guess)
    return Found(
        name=name,
        status="solved",
        detail=f"{high:,.12g} would not keep the limits",
        value=low,
        trial=tried[low],
        tried=_rows(tried),
    )


def _rows(tried: dict[float, Trial]) -> tuple[tuple[float | str, Trial], ...]:
    return tuple(sorted(tried.items()))


def _bracket(
    look: Callable[[float], Trial], least: float, most: float, start: float
) -> tuple[float | None, float | None]:
    """A value that keeps the limits and one that does not, a power of four apart."""
    value = min(max(start, least), most)
    if look(value).keeps:
        while value < most:
            larger = min(value * 4.0, most)
            if not look(larger).keeps:
                return value, larger
            value = larger
        return value, None
    while value > least:
        smaller = max(value / 4.0, least)
        if look(smaller).keeps:
            return smaller, value
        value = smaller
    return None, value


def _where_met(
    look: Callable[[float], Trial], bracket: Bracket, middle: float, *, weights: tuple[float, float]
) -> float:
    """Where a limit is met, if what it bounds is linear between the ends. Else the middle.

    `weights` are those of the distances to the limit at either end.
    """
    low, high = look(bracket.low), look(bracket.high)
    guesses = []
    for small, large, most in low.spans(high):
        if large > most and large > small:
            below, above = weights[0] * (most - small), weights[1] * (large - most)
            share = below / (below + above)
            guesses.append(bracket.low + share * (bracket.high - bracket.low))
    return min(guesses, default=middle)


def _model(asked: SolveRequest, catalog: Catalog, trials: Trials, find: FindModel) -> Found:
    """The largest of some models, each tried."""
    request, place = request_of(asked), int(find.stage)
    stage = _stage(request, place)
    if stage is None or not hasattr(stage.work, "model"):
        words = f"stage {place} has no model"
        return Found(name="model", status="infeasible", detail=words)
    sizes = {one: parameters_of(one, catalog) for one in find.models}
    tried: list[tuple[float | str, Trial]] = [
        (one, trials.trial(with_model(request, place, one)))
        for one in sorted(sizes, key=lambda one: (sizes[one], one))
    ]
    keeping = [(one, trial) for one, trial in tried if trial.keeps]
    if not keeping:
        words = "none of the models keeps the limits"
        return Found(name="model", status="infeasible", detail=words, tried=tuple(tried))
    largest, trial = keeping[-1]
    words = f"{len(keeping)} of {len(tried)} models keep the limits"
    return Found(
        name="model", status="solved", detail=words, value=largest, trial=trial, tried=tuple(tried)
    )


def with_model(request: QuoteRequest, place: int, model: str) -> QuoteRequest:
    """The request with another model of a stage, if it has such a stage, and that has a model."""
    stage = _stage(request, place)
    if stage is None or not hasattr(stage.work, "model"):
        return request
    work: Any = replace(stage.work, model=PresetModel(id=model))
    return _with_stage(request, place, replace(stage, work=work))


def parameters_of(model: str, catalog: Catalog) -> float:
    """How many parameters a model of the catalog has."""
    said: Model = PresetModel(id=model)
    at = Argument(catalog).at(said, pointer="/find/models", prefix="")
    named = named_model(at)
    assert isinstance(named, NamedModel), "a model of the catalog has a shape"
    return float(params_total(architecture=named.architecture))


def _devices(asked: SolveRequest, catalog: Catalog, trials: Trials, find: FindDevices) -> Found:
    """The smallest cluster, in parts of a node or whole nodes."""
    request = request_of(asked)
    sizes = NodeCounts(node_of(request, catalog), find.most)
    tried: dict[float, Trial] = {}

    def look(place: int) -> Trial:
        devices = sizes[place]
        if devices not in tried:
            cluster = replace(request.cluster, devices=devices)
            tried[devices] = trials.trial(replace(request, cluster=cluster))
        return tried[devices]

    low, high = -1, 0
    while not look(high).keeps and high < len(sizes) - 1:
        low, high = high, min(2 * high + 1, len(sizes) - 1)
    if not look(high).keeps:
        words = f"no cluster of up to {sizes[high]:,g} devices keeps the limits"
        return Found(name="devices", status="infeasible", detail=words, tried=_rows(tried))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if look(middle).keeps else (middle, high)
    below = range(max(0, high - BELOW), high)
    best = next((place for place in below if look(place).keeps), high)
    words = f"smaller clusters of whole nodes of {sizes.node:g} devices do not keep the limits"
    return Found(
        name="devices",
        status="solved",
        detail=words,
        value=sizes[best],
        trial=look(best),
        tried=_rows(tried),
    )


def node_of(request: QuoteRequest, catalog: Catalog) -> float:
    """How many devices a usual node of the cluster's device has."""
    node = usual_node(offers_of_operators(catalog, request.cluster.accelerator))
    return NODE_DEVICES if node is None else float(node.devices)


class NodeCounts:
    """Numbers of devices: halvings of a node, and then one node more each time."""

    def __init__(self, node: float, most: float) -> None:
        self.node = node
        self._parts = [part for part in _halvings(node) if part <= most]
        self._nodes = int(most // node)

    def __len__(self) -> int:
        return len(self._parts) + self._nodes

    def __getitem__(self, place: int) -> float:
        if place < len(self._parts):
            return self._parts[place]
        return (place - len(self._parts) + 1) * self.node


def _halvings(node: float) -> Iterator[float]:
    part = 1.0
    while part < node:
        yield part
        part *= 2.0


def wasteful_counts(tried: tuple[tuple[float | str, Trial], ...]) -> tuple[float, ...]:
    """Numbers of devices that take as long as a smaller one that was tried."""
    found: list[float] = []
    least = float("inf")
    for value, trial in tried:
        if isinstance(value, float) and trial.costed is not None:
            hours = trial.costed.wall_clock_hours.central
            if hours >= least:
                found.append(value)
            least = min(least, hours)
    return tuple(found)
