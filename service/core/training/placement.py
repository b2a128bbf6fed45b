"""How a step is spread over the devices: as asked for, or the fastest layout that fits."""

from collections.abc import Callable
from typing import Any, Final

from msgspec import UNSET, Struct

from service.core.argument import Cursor, Unknown
from service.core.request.layout import LayoutRequest
from service.core.request.work import LayoutTerms
from service.core.training.memory import bytes_per_device
from service.core.training.parallelism import RECOMPUTE_CODE, SCHEDULE_CODE, Layout, illegalities
from service.core.training.search import Candidate, Problem, Search

RUNNERS_UP: Final = 3
BYTES_PER_GIB: Final = 2.0**30
WITHIN_ERROR: Final = "the difference is smaller than the error of the estimate"
LEFT_TO_MODEL: Final = (
    "the framework leaves them to the model; say `attention_kernel` and `loss_kernel`"
)


class Placed(Struct, frozen=True, kw_only=True):
    """A layout that fits. If it was searched for, also the next best ones.

    `tight` is set if the layout needs about as much memory as there is: the difference, either way,
    is smaller than the error of the estimate, or what kernels keep. It says in words how much.
    """

    layout: Layout
    chosen: bool
    recompute_chosen: bool = False
    tight: str = ""
    tight_because: str = WITHIN_ERROR
    best_s: float = 0.0
    runners_up: tuple[Candidate, ...] = ()


class Unplaced(Unknown, frozen=True, kw_only=True):
    """Why a step runs in no layout: it contradicts itself, or nothing fits in memory.

    `layout` is shown nevertheless: the one that was asked for, or the one that comes closest to
    fitting.
    """

    layout: Layout | None = None


def placement_of(
    at: Cursor[Any],
    *,
    problem: Problem,
    devices: float,
    searched: Callable[[], Search],
) -> Placed | Unplaced:
    """The layout that the request states at this place, or else the fastest that is found."""
    if at.states("layout"):
        return _as_asked(at.at("layout"), problem=problem, devices=devices)
    return _searched(searched(), problem=problem, pointer=at.pointer_of("layout"))


def _as_asked(asked: Cursor[LayoutTerms], *, problem: Problem, devices: float) -> Placed | Unplaced:
    """The stated layout with the least recompute that fits, or why it cannot run."""
    layouts = layouts_of(asked.said, devices=devices)
    faults = illegalities(
        layout=layouts[0],
        architecture=problem.architecture,
        devices=devices,
        global_batch=problem.global_batch,
        sequence_length=problem.sequence_length,
    )
    if faults:
        return Unplaced(
            reason="contradictory",
            detail="; ".join(f"{member} {why}" for member, why in faults),
            pointer=asked.pointer_of(faults[0][0]),
            layout=layouts[0],
        )
    recompute_chosen = len(layouts) > 1
    needed = 0.0
    for layout in layouts:
        needed = _bytes_needed(problem, layout)
        if needed <= problem.safe_bytes:
            return Placed(layout=layout, chosen=False, recompute_chosen=recompute_chosen)
    layout, tight, because = layouts[-1], _tight(problem, needed), WITHIN_ERROR
    if not tight:
        tight, because = _tight_if_fused(problem, layout, needed), LEFT_TO_MODEL
    if tight:
        return Placed(
            layout=layout,
            chosen=False,
            recompute_chosen=recompute_chosen,
            tight=tight,
            tight_because=because,
        )
    return Unplaced(
        reason="does_not_fit",
        detail=f"the layout needs {_told(problem, needed)}",
        pointer=asked.pointer,
        layout=layout,
    )


def _tight(problem: Problem, needed: float) -> str:
    """In words, that the bytes are as many as there are, within the error of the estimate."""
    error = problem.recipe.stack.error
    if not problem.safe_bytes < needed <= (1 + error) * problem.memory_bytes:
        return ""
    return f"the layout needs {_told(problem, needed)}"


def _tight_if_fused(problem: Problem, layout: Layout, needed: float) -> str:
    """In words, that a layout which needs more than there is may fit with fused kernels."""
    if problem.fused_recipe is None:
        return ""
    fused = problem._replace(recipe=problem.fused_recipe)
    least = _bytes_needed(fused, layout)
    if least > (1 + fused.recipe.stack.error) * problem.memory_bytes:
        return ""
    with_fused = f"{_gib(least)} if the model's attention, norms and loss are fused kernels"
    return f"the layout needs {_told(problem, needed)}, and {with_fused}"


def _told(problem: Problem, needed: float) -> str:
    return f"{_gib(needed)} of {_gib(problem.memory_bytes)} on a device"


def _bytes_needed(problem: Problem, layout: Layout) -> float:
    """Bytes that one layout needs on its fullest device."""
    needed = bytes_per_device(
        architecture=problem.architecture,
        layout=layout,
        sequence_length=problem.sequence_length,
        global_batch=problem.global_batch,
        recipe=problem.recipe,
    )
    return float(needed)


def _searched(found: Search, *, problem: Problem, pointer: str) -> Placed | Unplaced:
    """The result of a search. `pointer` is the member that would state a layout."""
    best, closest = found.best, found.closest
    if best is not None:
        return Placed(
            layout=best.layout,
            chosen=True,
            tight=_tight(problem, _bytes_needed(problem, best.layout)),
            best_s=best.step_time_s or 0.0,
            runners_up=found.ranked[1:],
        )
    if closest is None:
        detail = "no layout is legal on so many devices"
        return Unplaced(reason="contradictory", detail=detail, pointer=pointer)
    detail = (
        f"none of {found.considered} layouts fits: the closest needs "
        f"{_gib(float(closest.memory.total))} of {_gib(problem.memory_bytes)} on a device"
    )
    return Unplaced(reason="does_not_fit", detail=detail, pointer=pointer, layout=closest.layout)


def _gib(count: float) -> str:
    return f"{count / BYTES_PER_GIB:,.1f} GiB"


def layouts_of(request: LayoutRequest, *, devices: float) -> tuple[Layout, ...]:
    """The layouts that a request allows, the one with the least recompute first."""
    wanted = RECOMPUTE_CODE if request.recompute is UNSET else (request.recompute,)
    layout = _layout_of(request, devices=devices)
    return tuple(layout._replace(recompute=RECOMPUTE_CODE[name]) for name in wanted)


def _layout_of(request: LayoutRequest, *, devices: float) -> Layout:
    """The layout asked for on this many devices, without its recompute."""
    inner = request.tensor_parallel * request.pipeline_parallel * request.context_parallel
    sequence_parallel = request.sequence_parallel
    if sequence_parallel is UNSET:
        sequence_parallel = request.tensor_parallel > 1
    expert_overlap = request.expert_overlap
    if expert_overlap is UNSET:
        expert_overlap = request.pipeline_schedule == "dualpipe"
    return Layout(
        tensor_parallel=request.tensor_parallel,
        pipeline_parallel=request.pipeline_parallel,
        data_parallel=request.data_parallel or max(1.0, devices // inner),
        context_parallel=request.context_parallel,
        expert_parallel=request.expert_parallel,
        micro_batch=request.micro_batch,
        virtual_stages=request.virtual_stages,
        zero_stage=request.zero_stage,
        sequence_parallel=float(sequence_parallel),
        recompute_share=request.recompute_share,
        offload_share=request.offload_share,
        optimizer_offload=float(request.optimizer_offload or request.weight_offload),
        weight_offload=float(request.weight_offload),
        pipeline_schedule=SCHEDULE_CODE[request.pipeline_schedule],
        expert_overlap=float(expert_overlap),
    )
