"""What a caller could say that would narrow the interval of a total, and to what.

A number that the quote takes from the catalog, or a range that the caller gave, moves a total. The
argument is replayed with that number known, at the value that was taken. A stated MFU or goodput
replaces more than one number: all that it is predicted from, and the time by which published runs
exceed their prediction. A stated framework or layout leaves an error, which is a smaller one.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from service.core.answer import NarrowedBy
from service.core.argument import Argument, Cursor
from service.core.bills.lines import DraftBill
from service.core.bills.sold import RUN_CLUSTER
from service.core.draws.looks import Quantiles
from service.core.draws.spread import SHARE_DECIMALS, Spread, Supposition
from service.core.figures.formulas import WHOLE
from service.core.figures.ledger import Application, Entry, Ledger, Term
from service.core.figures.sources import Datum
from service.core.figures.vocabulary import MINOR_PLACES, Currency
from service.core.printing.estimates import printed_interval
from service.core.printing.money import rounded_amount
from service.core.request.work import Finetuning, Pretraining
from service.core.serving.agent_formulas import read_of_turn, written_of_turn
from service.core.stages.effort import Effort
from service.core.stages.losses import practice_of
from service.core.training.formulas import seconds_at_mfu
from service.core.training.step import ERROR, FRAMEWORK, Step
from service.core.training.steptime import Recipe

LEAST_NARROWED: Final = 0.05
"""Of a total's variance. What explains less narrows nothing that anybody would notice."""
MOST_NAMED: Final = 3
"""Of each bill."""
ASSUMED: Final = "assumptions/"
AS_PREDICTED: Final = 1.0
"""What the time of published runs over their prediction is, if a caller knows better."""
UNSAID: Final = "it is not given, so that a default was taken"
OF_MARKET: Final = "a price of the market was taken; give the rate that you pay"
OF_TERM: Final = f"{OF_MARKET}, and a term as `accounting/commitment_hours`"
TERM_HOURS: Final = f"{ASSUMED}rental.term_hours."
OF_AGENTS: Final = frozenset((f"{ASSUMED}agents.share_of_cap", f"{ASSUMED}agents.read_per_written"))
"""Shares of other numbers that stand for a number of tokens, while nobody says it."""
MEASURE: Final = "the time of a step is predicted; measure its MFU"
MEASURE_OR_ANCHOR: Final = f"{MEASURE}, or give an `anchor`, which `runquote measure` prints"
NO_NUMBER: Final = frozenset(
    (
        *("framework", "between_tokens", "currency", "steps_per_rollout"),
        *("evaluation_share", "idle_share"),
    )
)
"""Members that no number is said by, and shares that say as little as goodput does without it."""
HOST_IF_SAID: Final = "engine.host_ratio.stated"


class Known(NamedTuple):
    """A member that could be said, the values that it fixes, and why it would narrow a total."""

    member: str
    values: Mapping[str, float]
    why: str
    instead: tuple[Application, ...] = ()
    """How figures follow from the member, in place of what they follow from now."""
    spread_as: Mapping[str, Datum] = MappingProxyType({})
    """Figures that others stand for, once the member is said."""


class Narrowing(NamedTuple):
    """A member, and the part of a total's variance that what it fixes explains."""

    known: Known
    of_variance: float


def narrowed(
    argument: Argument,
    bills: Sequence[DraftBill],
    efforts: Sequence[Effort],
    spread: Spread,
    *,
    currency: Currency,
) -> tuple[NarrowedBy, ...]:
    """For each bill with a total, the members that would narrow its interval most."""
    predicted = tuple(_of_predictions(argument, efforts))
    chosen: list[tuple[DraftBill, Term, Narrowing]] = []
    for bill in bills:
        if bill.total is not None:
            known = (*predicted, *_of_members(argument, bill.total, spread))
            chosen += [(bill, bill.total, one) for one in _most(known, bill.total, spread)]
    # Bills that a member narrows are computed together.
    totals: dict[str, list[str]] = {}
    for _, total, share in chosen:
        totals.setdefault(share.known.member, []).append(total.name)
    said = {share.known.member: share.known for _, _, share in chosen}
    supposed = [
        Supposition(totals[member], known.values, known.spread_as, known.instead)
        for member, known in said.items()
    ]
    intervals = dict(zip(said, spread.intervals_if(supposed), strict=True))
    places = MINOR_PLACES[currency]
    return tuple(
        NarrowedBy(
            basis=bill.basis,
            figure=total.name,
            member=share.known.member,
            share=round(share.of_variance, SHARE_DECIMALS),
            why=share.known.why,
            interval_if_known=printed_interval(
                intervals[share.known.member][total.name],
                central=rounded_amount(total.central, places=places),
                places=places,
            ),
        )
        for bill, total, share in chosen
        if _is_narrower(intervals[share.known.member][total.name], spread.interval(total.name))
    )


def _is_narrower(known: Quantiles, unknown: Quantiles) -> bool:
    """Whether an interval is. What an agent reads, if known, leaves more unknown of its writing."""
    return known.p90 * unknown.p10 < unknown.p90 * known.p10


def _most(known: Sequence[Known], total: Term, spread: Spread) -> list[Narrowing]:
    """The members that explain most of a total's variance."""
    shares = {driver.figure: driver.share for driver in spread.drivers(total.name).ranked}
    ledger = spread.ledger
    every = [
        Narrowing(
            one,
            sum(shares.get(figure, 0.0) for figure in one.values)
            + sum(
                shares.get(figure, 0.0) * _less(ledger.entry(figure), datum)
                for figure, datum in one.spread_as.items()
            ),
        )
        for one in known
    ]
    every.sort(key=lambda share: (-share.of_variance, share.known.member))
    return [share for share in every[:MOST_NAMED] if share.of_variance >= LEAST_NARROWED]


def _of_members(argument: Argument, total: Term, spread: Spread) -> Iterator[Known]:
    """Members whose figures are taken from the catalog, or given as a range."""
    ledger, driving = argument.ledger, spread.drivers(total.name).ranked
    members = dict.fromkeys(ledger.entry(driver.figure).pointer for driver in driving)
    values: dict[str, dict[str, float]] = {
        member: {} for member in members if member and member.rpartition("/")[2] not in NO_NUMBER
    }
    for entry in ledger:
        if entry.pointer in values:
            values[entry.pointer][entry.name] = entry.central
    for member, taken in values.items():
        if member.rpartition("/")[2] == "supply":
            yield from _of_supply(argument, member, taken)
        elif not _is_one_number(taken):
            continue
        elif not OF_AGENTS.isdisjoint(taken):
            instead = tuple(_of_agent(ledger, member))
            yield Known(member, taken, UNSAID, instead)
        else:
            given = all(name.startswith(ledger.GIVEN_PREFIX) for name in taken)
            yield Known(member, taken, "a range is given; one number would do" if given else UNSAID)


def _of_supply(argument: Argument, member: str, taken: Mapping[str, float]) -> Iterator[Known]:
    """A rate in place of a supply. Beside one with a term, the run can say the term."""
    if not any(entry.name.startswith(TERM_HOURS) for entry in argument.ledger):
        yield Known(member, taken, OF_MARKET)
    elif member == f"{RUN_CLUSTER}/supply":
        yield Known(member, taken, OF_TERM)


def _is_one_number(taken: Mapping[str, float]) -> bool:
    """Whether one number says all that is taken: devices of two kinds have two prices."""
    first, *others = taken
    return first.startswith(ASSUMED) or not any(taken[other] != taken[first] for other in others)


def _of_agent(ledger: Ledger, member: str) -> Iterator[Application]:
    """What an agent writes in all, or reads in a turn, in place of what shares of others make.

    What it writes in a turn follows from its turns, where they are given, and from what is said.
    """
    stage, _, said = member.removeprefix("/run/").partition("/work/")
    agent = f"{stage}/agent"
    is_read = said == "agent/read_tokens"
    known = f"{agent}/{read_of_turn.name}" if is_read else f"{agent}/written"
    taken = ledger.entry(known).central
    for applied in ledger.tape.of_run:
        name, of = applied.parts.get(WHOLE), applied.names
        if name == known and (is_read or f"{agent}/{written_of_turn.name}" not in ledger):
            yield applied._replace(names={})
        elif name == f"{agent}/{written_of_turn.name}" and is_read and "read_per_written" in of:
            yield _with(applied, {"read_tokens": taken}, of.keys() - {"read_per_written"})
        elif name == f"{agent}/{written_of_turn.name}" and not is_read:
            yield _with(applied, {"tokens": taken}, {"turns"})


def _with(applied: Application, fixed: dict[str, float], kept: Iterable[str]) -> Application:
    """The same formula of the arguments that are kept, and of fixed numbers."""
    names = {key: name for key, name in applied.names.items() if key in kept}
    centrals = {key: applied.centrals[key] for key in names}
    return applied._replace(names=names, centrals=centrals, fixed=fixed)


def _of_predictions(argument: Argument, efforts: Sequence[Effort]) -> Iterator[Known]:
    """MFU and goodput, where they are predicted, of a run whose one stage has a prediction.

    Stages share the errors of predictions, so that one stage's MFU says nothing of the others.
    """
    predicted = [one for one in efforts if one.hours.step is not None or one.hours.written]
    if len(predicted) != 1:
        return
    (effort,) = predicted
    work, step, shares = effort.context.work, effort.hours.step, effort.hours.shares
    if not isinstance(work.said, Pretraining | Finetuning) or shares is None:
        return
    own = f"{ASSUMED}{practice_of(work.said)}"
    practice = {own: AS_PREDICTED} if shares.disclosed_over_expected else {}
    if step is not None and isinstance(step.seconds, Term) and not work.states("mfu"):
        yield Known(
            work.pointer_of("mfu"),
            _behind_mfu(argument, step, step.seconds) | practice,
            MEASURE if work.states("anchor") else MEASURE_OR_ANCHOR,
            (_at_mfu(effort, step, step.seconds),),
        )
        if isinstance(work.said, Pretraining) and step.predicted_s is not None:
            yield from _of_step(argument, work, step)
    if not work.states("goodput"):
        yield Known(
            work.pointer_of("goodput"),
            _leaves_of(argument, shares.goodput) | practice,
            "goodput follows from failures; give what runs of yours have had",
        )


def _of_step(argument: Argument, work: Cursor[Any], step: Step) -> Iterator[Known]:
    """The framework and the layout of a step, where its time is predicted without them."""
    ledger, error = argument.ledger, step.error
    of_step, of_framework = f"{ASSUMED}{ERROR}.{error.taken}", f"{ASSUMED}{FRAMEWORK}"
    if of_step not in ledger:
        return
    if not work.states("layout"):
        yield Known(
            work.pointer_of("layout"),
            {},
            "the fastest layout that fits was taken; say the one that you run",
            spread_as={of_step: argument.catalog.assumption(f"{ERROR}.{error.in_layout}")},
        )
    if not work.states("framework"):
        spread_as = {step.host_ratio: argument.catalog.assumption(HOST_IF_SAID)}
        if error.on_framework != error.taken:
            spread_as[of_step] = argument.catalog.assumption(f"{ERROR}.{error.on_framework}")
        yield Known(
            work.pointer_of("framework"),
            {of_framework: AS_PREDICTED} if of_framework in ledger else {},
            f"it is not said; {step.framework} was taken, and others are slower",
            (_on_framework(argument, step),),
            spread_as,
        )


def _on_framework(argument: Argument, step: Step) -> Application:
    """The parts of a step whose framework is no other than the one that was taken."""
    parts = {part: term.name for part, term in step.parts.items()}
    (timed,) = (one for one in argument.ledger.tape.of_run if one.parts == parts)
    recipe: Recipe = timed.fixed["recipe"]
    return timed._replace(fixed=timed.fixed | {"recipe": recipe._replace(open_framework=0.0)})


def _less(entry: Entry, datum: Datum) -> float:
    """By which part of its variance a figure is narrower that varies as another one does."""
    other = Ledger()
    one, narrower = _width(entry), _width(other.entry(other.take(datum).name))
    return max(0.0, 1.0 - (narrower / one) ** 2) if one > 0.0 else 0.0


def _width(entry: Entry) -> float:
    """The width of a figure's interval in logarithms. Both ends are positive."""
    low, high = entry.low, entry.high
    return 0.0 if low is UNSET or high is UNSET else math.log(high / low)


def _behind_mfu(argument: Argument, step: Step, seconds: Term) -> dict[str, float]:
    """What the seconds of a step follow from, but for the peaks and FLOP that a MFU relates."""
    spec = (step.flop_per_token, step.peak_flop_per_s, step.tokens_per_step)
    stays = argument.ledger.upstream_of(term.name for term in spec)
    behind = _leaves_of(argument, seconds)
    return {name: value for name, value in behind.items() if name not in stays}


def _at_mfu(effort: Effort, step: Step, seconds: Term) -> Application:
    """The seconds of a step at the MFU that it has."""
    terms = {
        "flop_per_token": step.flop_per_token,
        "tokens_per_step": step.tokens_per_step,
        "devices": effort.devices,
        "peak_flop_per_s": step.peak_flop_per_s,
    }
    centrals = {name: term.central for name, term in terms.items()}
    return Application(
        formula=seconds_at_mfu,
        names={name: term.name for name, term in terms.items()},
        centrals=centrals,
        fixed={"mfu": float(seconds_at_mfu.function(**centrals, mfu=1.0)) / seconds.central},
        parts={WHOLE: seconds.name},
    )


def _leaves_of(argument: Argument, term: Term) -> dict[str, float]:
    """What a figure is derived from, at the values that were taken."""
    ledger = argument.ledger
    return {name: ledger.entry(name).central for name in sorted(ledger.upstream_of([term.name]))}
