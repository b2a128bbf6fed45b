"""The order of stages: which wait for which, when each ends, and the critical path."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from msgspec import UNSET

from service.core.argument import Argument
from service.core.catalog.errors import QuoteError, StageCycle, UnknownStage
from service.core.figures.arrays import Real, maximum
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.names.names import Names
from service.core.request.request import Run


class Schedule(NamedTuple):
    """When each stage begins and ends, in hours from the start of the run, by the stage's place.

    With the hours on the clock of the whole run, and the stages that set them, first to last.
    """

    begins: Mapping[int, Term]
    ends: Mapping[int, Term]
    wall_clock_hours: Term
    critical_path: tuple[int, ...]


@formula("begins_after_hours", unit="hour")
def begins_after_hours(**earlier: Real) -> Real:
    """When a stage begins, from the start of the run.

        the latest end of the stages that it waits for, or 0 if it waits for none

    Source: the critical path method (Kelley and Walker 1959, doi 10.1145/1460299.1460318).
    """
    latest: Real = 0.0
    for end in earlier.values():
        latest = maximum(latest, end)
    return latest


@formula("ends_after_hours", unit="hour")
def ends_after_hours(*, begins_after_hours: Real, own_hours: Real) -> Real:
    """When a stage ends, from the start of the run.

        begins_after_hours + own_hours

    Source: the critical path method (Kelley and Walker 1959, doi 10.1145/1460299.1460318).
    """
    return begins_after_hours + own_hours


@formula("latest_hours", unit="hour")
def latest_hours(**ends: Real) -> Real:
    """When the last of several stages ends.

        the largest of the ends

    Source: the critical path method (Kelley and Walker 1959, doi 10.1145/1460299.1460318).
    """
    return reduce(maximum, ends.values())


def waits_for(run: Run) -> tuple[frozenset[int], ...]:
    """For each stage, the places of the stages that must end before it starts.

    These are the stages in `after`, or else the one before it. Unknown names are left out.
    """
    places: dict[str, list[int]] = {}
    for place, stage in enumerate(run.stages):
        places.setdefault(stage.name, []).append(place)
    found = []
    for place, stage in enumerate(run.stages):
        if stage.after is UNSET:
            found.append(frozenset({place - 1} if place else ()))
        else:
            named = (other for name in stage.after for other in places.get(name, ()))
            found.append(frozenset(named))
    return tuple(found)


def order_of(waits: Sequence[frozenset[int]]) -> tuple[int, ...]:
    """Places of the stages, each after those that it waits for, and otherwise as listed.

    Stages in a circle, and stages that wait for one of those, are left out.
    """
    done: list[int] = []
    left = list(range(len(waits)))
    while ready := [place for place in left if waits[place].issubset(done)]:
        done.append(ready[0])
        left.remove(ready[0])
    return tuple(done)


def order_errors(run: Run) -> tuple[QuoteError, ...]:
    """An error for each name in `after` that no stage has, or else for stages in a circle."""
    names = dict.fromkeys(stage.name for stage in run.stages)
    known = Names(names)
    unknown = tuple(
        UnknownStage(asked=name, known=known, pointer=f"/run/stages/{place}/after/{index}")
        for place, stage in enumerate(run.stages)
        if stage.after is not UNSET
        for index, name in enumerate(stage.after)
        if name not in names
    )
    if unknown:
        return unknown
    waits = waits_for(run)
    done = order_of(waits)
    return tuple(
        StageCycle(name=stage.name, pointer=f"/run/stages/{place}/after")
        for place, stage in enumerate(run.stages)
        if place not in done and stage.after is not UNSET
    )


def schedule_of(argument: Argument, run: Run, hours: Sequence[Term | None]) -> Schedule | None:
    """When the run ends, if the hours of all stages are known.

    Stages on the run's own cluster follow each other in the order that `after` allows.
    """
    if None in hours:
        return None
    waits = waits_for(run)
    begins: dict[int, Term] = {}
    ends: dict[int, Term] = {}
    before: dict[int, frozenset[int]] = {}
    shared: int | None = None
    for place in order_of(waits):
        earlier = waits[place]
        if run.stages[place].cluster is UNSET:
            earlier = earlier | ({shared} if shared is not None else set())
            shared = place
        own = hours[place]
        assert own is not None
        before[place] = frozenset(earlier)
        begins[place] = argument.ledger.derive(
            begins_after_hours,
            name=f"stages/{place}/begins_after_hours",
            inputs={f"stage_{other}": ends[other] for other in sorted(earlier)},
        )
        ends[place] = argument.ledger.derive(
            ends_after_hours,
            name=f"stages/{place}/ends_after_hours",
            inputs={"begins_after_hours": begins[place], "own_hours": own},
        )
    return Schedule(
        begins=begins,
        ends=ends,
        wall_clock_hours=argument.ledger.derive(
            latest_hours,
            name="run/wall_clock_hours",
            inputs={f"stage_{place}": end for place, end in ends.items()},
        ),
        critical_path=_critical_path(ends, before),
    )


def _critical_path(
    ends: Mapping[int, Term], before: Mapping[int, frozenset[int]]
) -> tuple[int, ...]:
    """From the stage that ends last, back to the last one that it waited for, and so on."""

    def end(place: int) -> tuple[float, int]:
        return ends[place].central, place

    path = [max(ends, key=end)]
    while before[path[0]]:
        path.insert(0, max(before[path[0]], key=end))
    return tuple(path)
