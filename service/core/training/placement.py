"""How a step is spread over the devices: as asked for, or the fastest layout that fits."""

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Unknown
from service.core.figures.arrays import Real
from service.core.request.work import LayoutTerms
from service.core.training.memory import bytes_per_device
from service.core.training.parallelism import Layout, illegalities, layouts_of
from service.core.training.search import Candidate, Problem, Search, search

RUNNERS_UP: Final = 3
BYTES_PER_GIB: Final = 2.0**30
# Peaks that SimuMax measured lie within so much of those computed, all sixteen that
# tests/core/test_memory.py holds. Who names a layout has perhaps run it: it is refused only where
# that cannot explain what is missing.
MEMORY_ERROR: Final = 0.07


class Laid(Struct, frozen=True, kw_only=True):
    """A layout that fits, and if it was searched for, the next best ones.

    `tight` says what it needs where that is more than there is, by less than the estimate may err.
    """

    layout: Layout
    chosen: bool
    recompute_chosen: bool = False
    tight: str = ""
    best_s: float = 0.0
    runners_up: tuple[Candidate, ...] = ()


class Unlaid(Struct, frozen=True, kw_only=True):
    """No layout, and why: it cannot be, or nothing fits in memory.

    `layout` is the one that was asked for, or the one that lacks the least memory.
    """

    why: Unknown
    layout: Layout | None = None


Placement: TypeAlias = Laid | Unlaid


def placement_of(
    asked: LayoutTerms | UnsetType,
    *,
    pointer: str,
    problem: Problem,
    devices: float,
    step_time: Callable[[Layout], Real],
) -> Placement:
    """The layout asked for at `pointer`, or else the fastest that fits, or why there is none."""
    if asked is UNSET:
        return _searched(
            search(problem=problem, devices=devices, step_time=step_time, runners_up=RUNNERS_UP),
            problem=problem,
            pointer=pointer,
        )
    layouts = layouts_of(asked, devices=devices)
    faults = illegalities(
        layout=layouts[0],
        architecture=problem.architecture,
        devices=devices,
        global_batch=problem.global_batch,
        sequence_length=problem.sequence_length,
    )
    if faults:
        why = Unknown(
            reason="contradictory",
            detail="; ".join(f"{member} {why}" for member, why in faults),
            pointer=f"{pointer}/{faults[0][0]}",
        )
        return Unlaid(why=why, layout=layouts[0])
    needed = 0.0
    for layout in layouts:
        needed = float(
            bytes_per_device(
                architecture=problem.architecture,
                layout=layout,
                sequence_length=problem.sequence_length,
                global_batch=problem.global_batch,
                recipe=problem.recipe,
            )
        )
        if needed <= problem.memory_bytes:
            return Laid(layout=layout, chosen=False, recompute_chosen=len(layouts) > 1)
    layout = layouts[-1]
    detail = f"the layout needs {_gib(needed)} of {_gib(problem.memory_bytes)} on a device"
    if needed <= (1 + MEMORY_ERROR) * problem.memory_bytes:
        return Laid(layout=layout, chosen=False, recompute_chosen=len(layouts) > 1, tight=detail)
    why = Unknown(reason="does_not_fit", detail=detail, pointer=pointer)
    return Unlaid(why=why, layout=layout)


def _searched(found: Search, *, problem: Problem, pointer: str) -> Placement:
    best = found.best
    if best is not None:
        return Laid(
            layout=best.layout,
            chosen=True,
            best_s=best.step_time_s or 0.0,
            runners_up=found.ranked[1:],
        )
    closest = found.closest
    if closest is None:
        detail = "no layout is legal on so many devices"
        return Unlaid(why=Unknown(reason="contradictory", detail=detail, pointer=pointer))
    detail = (
        f"none of {found.considered} layouts fits: the closest needs "
        f"{_gib(float(closest.memory.total))} of {_gib(problem.memory_bytes)} on a device"
    )
    why = Unknown(reason="does_not_fit", detail=detail, pointer=pointer)
    return Unlaid(why=why, layout=closest.layout)


def _gib(count: float) -> str:
    return f"{count / BYTES_PER_GIB:,.1f} GiB"
