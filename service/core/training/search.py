"""The layouts that a number of devices allows, and the fastest that fits.

All legal layouts are built as arrays. Degrees come first, and those that do not fit even with the
least activations are dropped. Micro-batches, interleaving, ZeRO stages and recompute follow. All
layouts that are left are timed in blocks. There is no Python loop over layouts.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core.figures.arrays import Array, Real
from service.core.model.architecture import Architecture
from service.core.training.formats import MemoryRecipe
from service.core.training.memory import DeviceMemory, bytes_per_device, memory_per_device
from service.core.training.parallelism import (
    MAX_TENSOR_PARALLEL,
    RECOMPUTE_FULL,
    RECOMPUTE_NONE,
    RECOMPUTE_SELECTIVE,
    Layout,
    context_degrees,
    devices_of,
    divisors_of,
    expert_degrees,
    layers_per_stage,
    micro_batches,
    pipeline_degrees,
    tensor_degrees,
)

ZERO_STAGES = (1.0, 2.0, 3.0)
RECOMPUTE_CODES = (RECOMPUTE_NONE, RECOMPUTE_SELECTIVE, RECOMPUTE_FULL)
# Micro-batches that are tried, in sequences.
MICRO_BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
# Layers per model chunk of the interleaved schedules that are tried.
CHUNK_LAYERS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
# A layout is not tried if it uses over this share fewer devices than the layout that uses most.
MAX_IDLE_SHARE = 0.25
# The fastest layouts of each device count that are tried with fewer replicas too.
RETRIED = 8

TRIED_AT_ONCE = 1024
"""Combinations of degrees that are tried together, each with up to 49 schedules. Few models have
more combinations, but an odd one has hundreds of thousands."""
WEIGHED_AT_ONCE = 16_384
"""Layouts whose memory is computed together."""

StepTime = Callable[[Layout], Real]
"""Seconds per step of each layout, from arrays of one shape."""
Reason = Literal["states", "activations"]
ONE: Array = np.array([1.0])
Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Problem(NamedTuple):
    """The step to be laid out, and the devices."""

    architecture: Architecture
    sequence_length: float
    global_batch: float  # sequences
    scale_up_domain: float  # devices
    memory_bytes: float  # of one device
    recipe: MemoryRecipe = MemoryRecipe()
    fused_recipe: MemoryRecipe | None = None  # if kernels that nobody said are fused
    max_tensor_parallel: float = MAX_TENSOR_PARALLEL
    model_parallel: bool = True  # the framework offers tensor, pipeline and expert degrees
    context_degrees: bool = True  # and pieces of sequences
    pipelines: bool = True  # pipeline degrees are tried where model parallelism is
    interleaves: bool = True  # and stages in several chunks
    to_the_brim: bool = False  # layouts may need all that there is, whatever the estimate errs

    @property
    def safe_bytes(self) -> float:
        """Bytes that surely fit, whatever the error of their estimate."""
        return (1 - self.recipe.stack.error) * self.memory_bytes

    @property
    def room_bytes(self) -> float:
        """Bytes that a layout may need to be chosen."""
        return self.memory_bytes if self.to_the_brim else self.safe_bytes


class Candidate(NamedTuple):
    """One layout that was considered."""

    problem: Problem
    layout: Layout
    step_time_s: float | None  # None if it does not fit

    @property
    def devices_used(self) -> float:
        """Devices that the layout occupies."""
        return float(devices_of(self.layout))

    @property
    def memory(self) -> DeviceMemory:
        """What the layout holds on the fullest device."""
        return _memory(self.problem, self.layout)


class Search(NamedTuple):
    """The result for one number of devices."""

    devices: float
    ranked: tuple[Candidate, ...]  # fastest first, each of other degrees; empty where nothing fits
    closest: Candidate | None  # if nothing fits, the layout that lacks the least memory
    considered: int
    fitting: int
    rejected: dict[Reason, int]  # if asked for: how many lack room for states, or for activations

    @property
    def best(self) -> Candidate | None:
        """The fastest layout that fits."""
        return self.ranked[0] if self.ranked else None


def search(
    *,
    problem: Problem,
    devices: float,
    step_time: StepTime,
    runners_up: int = 9,
    reasons: bool = False,
) -> Search:
    """The fastest layout that fits on this many devices, with its runners-up.

    With `reasons` it counts why others do not fit.
    """
    return search_range(
        problem=problem,
        devices=(devices,),
        step_time=step_time,
        runners_up=runners_up,
        reasons=reasons,
    )[0]


def search_range(
    *,
    problem: Problem,
    devices: Sequence[float],
    step_time: StepTime,
    runners_up: int = 9,
    reasons: bool = False,
) -> tuple[Search, ...]:
    """One search per number of devices, all of them built and timed together.

    A layout that surely fits comes first. Where there is none, the error of the estimate may decide
    whether the layout that is found runs.
    """
    found = _searched(problem, devices, step_time, runners_up=runners_up, reasons=reasons)
    unfound = [search.devices for search in found if search.best is None]
    if not unfound or problem.to_the_brim:
        return found
    brim = problem._replace(to_the_brim=True)
    again = _searched(brim, unfound, step_time, runners_up=runners_up, reasons=reasons)
    tight = {search.devices: search for search in again}
    return tuple(tight.get(search.devices, search) for search in found)


def _searched(
    problem: Problem,
    devices: Sequence[float],
    step_time: StepTime,
    *,
    runners_up: int,
    reasons: bool,
) -> tuple[Search, ...]:
    least = _degrees(problem, np.asarray(devices, dtype=np.float64))
    fits_least = _bytes(problem, least) <= problem.room_bytes
    blocks = _blocks(least.at(fits_least), TRIED_AT_ONCE)
    fitting, seconds, unfit = _together([_tried(problem, block, step_time) for block in blocks])
    unfit = _joined(least.at(~fits_least), unfit)
    fewer = _with_fewer_replicas(problem, fitting, seconds)
    fitting = _joined(fitting, fewer)
    seconds = np.concatenate([seconds, _timed(step_time, fewer)])
    return tuple(
        _search_of(
            problem=problem,
            devices=float(count),
            fitting=fitting.at(fitting.counts == index),
            seconds=seconds[fitting.counts == index],
            unfit=unfit.at(unfit.counts == index),
            runners_up=runners_up,
            reasons=reasons,
        )
        for index, count in enumerate(devices)
    )


class _Rows(NamedTuple):
    """Layouts as arrays, and the device count of each. Fields that do not vary are floats."""

    layout: Layout
    counts: Places  # in the device counts

    def at(self, which: Mask | Places | slice) -> "_Rows":
        """The rows that a mask, a list of places or a slice selects."""
        return _Rows(Layout(*(_pick(f, which) for f in self.layout)), self.counts[which])

    def crossed(self, values: Array, *, field: str) -> "_Rows":
        """Every row with every value of one field."""
        rows = np.repeat(np.arange(self.counts.size), values.size)
        every = np.tile(values, self.counts.size)
        crossed = self.at(rows)
        return crossed._replace(layout=crossed.layout._replace(**{field: every}))


def _blocks(rows: _Rows, most: int) -> list[_Rows]:
    """Rows in blocks of a bounded size, at least one."""
    if rows.counts.size <= most:
        return [rows]
    starts = range(0, rows.counts.size, most)
    return [rows.at(slice(start, start + most)) for start in starts]


def _pick(values: Real, which: Mask | Places | slice) -> Real:
    return values[which] if isinstance(values, np.ndarray) else values


def _spread(values: Real, size: int) -> Array:
    """A field as an array, also one that does not vary."""
    return values if isinstance(values, np.ndarray) else np.full(size, values)


def _joined(*parts: _Rows) -> _Rows:
    def join(columns: tuple[Real, ...]) -> Real:
        if not any(isinstance(column, np.ndarray) for column in columns):
            return columns[0]
        sizes = [part.counts.size for part in parts]
        return np.concatenate([_spread(c, n) for c, n in zip(columns, sizes, strict=True)])

    columns = zip(*(part.layout for part in parts), strict=True)
    return _Rows(
        Layout(*(join(column) for column in columns)),
        np.concatenate([part.counts for part in parts]),
    )


class _Tried(NamedTuple):
    """Layouts that fit, with their seconds, and others that do not."""

    fitting: _Rows
    seconds: Array
    unfit: _Rows


def _tried(problem: Problem, degrees: _Rows, step_time: StepTime) -> _Tried:
    """Degrees with all their schedules, as far as they fit."""
    fitting, unfit = _fitting(problem, _with_schedules(problem, degrees))
    return _Tried(fitting, _timed(step_time, fitting), unfit)


def _together(blocks: Sequence[_Tried]) -> _Tried:
    """Blocks as one: in the order of the ZeRO stages, which decides between equal seconds."""
    if len(blocks) == 1:
        return blocks[0]
    fitting = _joined(*(block.fitting for block in blocks))
    order = np.argsort(_spread(fitting.layout.zero_stage, fitting.counts.size), kind="stable")
    seconds = np.concatenate([block.seconds for block in blocks])
    unfit = _joined(*(block.unfit for block in blocks))
    return _Tried(fitting.at(order), seconds[order], unfit)


def _bytes(problem: Problem, rows: _Rows) -> Array:
    """Bytes on the fullest device of each row."""
    return np.concatenate(
        [
            _spread(_bytes_of(problem, block.layout), block.counts.size)
            for block in _blocks(rows, WEIGHED_AT_ONCE)
        ]
    )


def _bytes_of(problem: Problem, layout: Layout) -> Real:
    return bytes_per_device(
        architecture=problem.architecture,
        layout=layout,
        sequence_length=problem.sequence_length,
        global_batch=problem.global_batch,
        recipe=problem.recipe,
    )


def _timed(step_time: StepTime, rows: _Rows) -> Array:
    if not rows.counts.size:
        return np.zeros(0)
    return _spread(step_time(rows.layout), rows.counts.size)


def _degrees(problem: Problem, devices: Array) -> _Rows:
    """Legal degrees, each with the ZeRO stage, micro-batch and recompute that need least memory.

    Data parallelism is the largest divisor of the batch that the devices have room for. Degrees
    that leave too many devices idle are dropped, unless each rank has only one sequence.
    """
    a = problem.architecture
    count, tp, pp, cp = (
        axis.ravel()
        for axis in np.meshgrid(
            np.arange(float(len(devices))), *_axes(problem, float(devices.max())), indexing="ij"
        )
    )
    place = count.astype(np.int64)
    inner = tp * pp * cp
    room = devices[place] // inner
    divisors = divisors_of(problem.global_batch)
    dp = divisors[np.maximum(np.searchsorted(divisors, room, side="right") - 1, 0)]
    used = np.where(room >= 1, inner * dp, 0.0)
    most = np.zeros(len(devices))
    np.maximum.at(most, place, used)
    busy = (used >= (1 - MAX_IDLE_SHARE) * most[place]) | (dp == problem.global_batch)
    keep = (used > 0) & busy
    layout = Layout(
        tensor_parallel=tp[keep],
        pipeline_parallel=pp[keep],
        data_parallel=dp[keep],
        context_parallel=cp[keep],
        zero_stage=np.where(pp[keep] > 1, 2.0, 3.0),
        sequence_parallel=np.where(tp[keep] > 1, 1.0, 0.0),
        recompute=RECOMPUTE_FULL,
    )
    experts = expert_degrees(a) if problem.model_parallel else ONE
    blocks = _blocks(_Rows(layout, place[keep]), max(1, WEIGHED_AT_ONCE // experts.size))
    return _joined(*(_with_experts(block, experts) for block in blocks))


def _axes(problem: Problem, most_devices: float) -> tuple[Array, Array, Array]:
    """The tensor, pipeline and context degrees that the framework offers for the model."""
    a, cp = problem.architecture, ONE
    if problem.context_degrees:
        cp = context_degrees(problem.sequence_length)
    if not problem.model_parallel:
        return ONE, ONE, cp
    limit = min(problem.scale_up_domain, problem.max_tensor_parallel)
    stages = pipeline_degrees(a.layers, largest=most_devices) if problem.pipelines else ONE
    return tensor_degrees(a, limit=limit), stages, cp


def _with_experts(rows: _Rows, degrees: Array) -> _Rows:
    """These layouts with every expert parallelism that their ranks allow."""
    rows = rows.crossed(degrees, field="expert_parallel")
    return rows.at(_experts_divide_ranks(rows.layout))


def combinations_of(*, architecture: Architecture, sequence_length: float, devices: float) -> float:
    """Combinations of degrees that a search begins with, as far as they fit the devices."""
    tp, pp, cp = np.meshgrid(
        tensor_degrees(architecture, limit=MAX_TENSOR_PARALLEL),
        pipeline_degrees(architecture.layers, largest=devices),
        context_degrees(sequence_length),
        indexing="ij",
    )
    inner = np.count_nonzero(tp * pp * cp <= devices)
    return float(inner * expert_degrees(architecture).size)


def _experts_divide_ranks(layout: Layout) -> Mask:
    ranks = layout.tensor_parallel * layout.context_parallel * layout.data_parallel
    return np.asarray(ranks % layout.expert_parallel == 0)


def _with_schedules(problem: Problem, rows: _Rows) -> _Rows:
    """These layouts with every micro-batch that divides the batch, and every interleaving."""
    rows = rows.crossed(np.array(MICRO_BATCHES), field="micro_batch")
    sequences = problem.global_batch / rows.layout.data_parallel
    rows = rows.at(np.asarray(sequences % rows.layout.micro_batch == 0))
    rows = rows.crossed(np.array((0.0, *CHUNK_LAYERS)), field="virtual_stages")
    pp, chunk = rows.layout.pipeline_parallel, np.asarray(rows.layout.virtual_stages)
    stage = layers_per_stage(layers=problem.architecture.layers, pipeline_parallel=pp)
    virtual = np.where(chunk == 0, 1.0, stage / np.maximum(chunk, 1.0))
    rows = rows._replace(layout=rows.layout._replace(virtual_stages=virtual))
    interleaved = (virtual > 1) & (virtual % 1 == 0) & _interleaves(problem, rows.layout)
    return rows.at((chunk == 0) | interleaved)


def _interleaves(problem: Problem, layout: Layout) -> Mask:
    """Whether interleaving is offered and legal: the stages of a pipeline divide the micro-batches.

    Source: what Megatron-LM accepts.
    """
    batches = micro_batches(layout=layout, global_batch=problem.global_batch)
    pp = layout.pipeline_parallel
    return np.asarray((pp > 1) & (batches % pp == 0) & problem.interleaves)


def _fitting(problem: Problem, rows: _Rows) -> tuple[_Rows, _Rows]:
    """The layouts that fit, with ZeRO stages and the least recompute that fits, and the others.

    More recompute never makes a step faster. ZeRO-2 moves as much as ZeRO-1, so it is tried only if
    ZeRO-1 does not fit without recompute. ZeRO-3 is offered only without a pipeline, because with
    one it would gather the weights for every micro-batch.
    """
    stages, codes = np.array(ZERO_STAGES), np.array(RECOMPUTE_CODES)
    every = rows.layout._replace(zero_stage=stages[:, None, None], recompute=codes[None, :, None])
    fits = np.asarray(_bytes_of(problem, every)) <= problem.room_bytes
    fits &= _zero_is_offered(rows.layout)[:, None, :]
    least = np.argmax(fits, axis=1)  # place in codes, by ZeRO stage and row
    chosen: Mask = np.any(fits, axis=1)
    chosen[1] &= ~(chosen[0] & (least[0] == 0))
    stage, row = np.nonzero(chosen)
    fitting = rows.at(row)
    layout = fitting.layout._replace(zero_stage=stages[stage], recompute=codes[least[stage, row]])
    return fitting._replace(layout=layout), rows.at(~np.any(chosen, axis=0))


def _zero_is_offered(layout: Layout) -> Mask:
    """Whether each ZeRO stage, by row, is offered: shape [stages, rows]."""
    replicated = np.asarray(layout.data_parallel * layout.context_parallel > 1)
    unpiped = np.asarray(layout.pipeline_parallel == 1)
    return np.stack([np.ones_like(replicated), replicated, replicated & unpiped])


def _with_fewer_replicas(problem: Problem, rows: _Rows, seconds: Array) -> _Rows:
    """The fastest layouts of each device count again, with fewer replicas to communicate with.

    Layouts of fewer devices are thereby tried on more, so that more devices are hardly ever slower.
    """
    order = np.lexsort((seconds, rows.counts))
    sorted_counts = rows.counts[order]
    rank = np.arange(order.size) - np.searchsorted(sorted_counts, sorted_counts)
    top = rows.at(order[rank < RETRIED])
    divisors = divisors_of(problem.global_batch)
    most = np.repeat(np.asarray(top.layout.data_parallel), divisors.size)
    fewer = top.crossed(divisors, field="data_parallel")
    fewer = fewer.at(np.asarray(fewer.layout.data_parallel < most))
    layout = fewer.layout
    batches = micro_batches(layout=layout, global_batch=problem.global_batch)
    scheduled = (layout.virtual_stages == 1) | _interleaves(problem, layout)
    fewer = fewer.at((batches % 1 == 0) & scheduled & _experts_divide_ranks(layout))
    return fewer.at(_bytes(problem, fewer) <= problem.room_bytes)


def _search_of(
    *,
    problem: Problem,
    devices: float,
    fitting: _Rows,
    seconds: Array,
    unfit: _Rows,
    runners_up: int,
    reasons: bool,
) -> Search:
    order = _first_of_each_degrees(fitting.layout, np.argsort(seconds, kind="stable"))
    first = order[: runners_up + 1]
    rejected: dict[Reason, int] = {}
    closest = None
    if reasons:
        rejected = _rejected(problem, unfit)
    if not first.size and unfit.counts.size:
        nearest = np.argmin(_bytes(problem, unfit))
        (closest,) = _candidates(problem, unfit.at(np.array([nearest])), (None,))
    return Search(
        devices=devices,
        ranked=_candidates(problem, fitting.at(first), tuple(seconds[first].tolist())),
        closest=closest,
        considered=fitting.counts.size + unfit.counts.size,
        fitting=fitting.counts.size,
        rejected=rejected,
    )


def _rejected(problem: Problem, unfit: _Rows) -> dict[Reason, int]:
    """How many layouts do not fit by their states alone, and how many with activations only."""
    memory = _memory(problem, unfit.layout)
    states = np.asarray(memory.weights + memory.gradients + memory.optimizer_states)
    hopeless = int(np.count_nonzero(states > problem.room_bytes))
    return {"states": hopeless, "activations": unfit.counts.size - hopeless}


def _memory(problem: Problem, layout: Layout) -> DeviceMemory:
    return memory_per_device(
        architecture=problem.architecture,
        layout=layout,
        sequence_length=problem.sequence_length,
        global_batch=problem.global_batch,
        recipe=problem.recipe,
    )


def _candidates(
    problem: Problem, rows: _Rows, seconds: Sequence[float | None]
) -> tuple[Candidate, ...]:
    """Each of some rows with its seconds."""
    columns = (_spread(field, rows.counts.size).tolist() for field in rows.layout)
    layouts = (Layout(*layout) for layout in zip(*columns, strict=True))
    return tuple(
        Candidate(problem, layout, one) for layout, one in zip(layouts, seconds, strict=True)
    )


def _first_of_each_degrees(layout: Layout, order: Places) -> Places:
    """The first row of each combination of degrees and ZeRO stage, in the given order."""
    key = np.zeros(order.size, dtype=np.int64)
    for degree, bound in (
        (layout.tensor_parallel, 2**10),
        (layout.pipeline_parallel, 2**14),
        (layout.expert_parallel, 2**17),
        (np.log2(layout.context_parallel), 2**5),
        (layout.zero_stage, 2**2),
    ):
        key = key * bound + np.asarray(degree)[order].astype(np.int64)
    _, first = np.unique(key, return_index=True)
    return order[np.sort(first)]
