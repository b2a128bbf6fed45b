"""How deep a model is timed: whole where it fits, otherwise at the two largest depths that do."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from msgspec import UNSET, Struct
from msgspec.structs import replace

from service.core.request.transformer import Transformer
from service.measuring.building import NotMeasured
from service.measuring.case import Case, Found, TimedRecompute

Time: TypeAlias = Callable[[Case], Found]
"""What times one case."""


class NotTimed(Exception):
    """A step that could not be timed here, and why"""


class Timed(NamedTuple):
    """A case and what it came to."""

    case: Case
    found: Found


class Measured(Struct, frozen=True, kw_only=True):
    """What was timed of a described step.

    `deepest` is the whole model, or the most of its layers that was timed, with `shallow` beside
    it. `died` are the cases that needed more memory than there is.
    """

    whole: Case
    deepest: Timed
    shallow: Timed | None = None
    died: tuple[Timed, ...] = ()


def measured(
    whole: Case,
    time: Time,
    *,
    recomputes: Sequence[TimedRecompute],
    depths: tuple[int, int] | None = None,
) -> Measured:
    """What timing a case comes to, at these depths or at those that fit. Raises `NotTimed`.

    `recomputes` are tried in their order on each depth.
    """
    if depths is not None:
        shallow, deep = sorted(depths)
        for layers in (shallow, deep):
            _check_depth(whole, layers)
        found = [_timed(_at(whole, layers, recomputes[0]), time) for layers in (shallow, deep)]
        died = tuple(one for one in found if one.found.outcome == "oom")
        if died:
            raise NotTimed(_died(died[0]))
        return Measured(whole=whole, deepest=found[1], shallow=found[0])
    tried: list[Timed] = []
    for layers in halvings(whole.transformer):
        for recompute in recomputes:
            tried.append(_timed(_at(whole, layers, recompute), time))
            if tried[-1].found.outcome == "fits":
                return _with_shallow(whole, tried, time)
    raise NotTimed(_died(tried[-1]))


def _with_shallow(whole: Case, tried: list[Timed], time: Time) -> Measured:
    """The depth that fits, and if it is not the whole a shallower one beside it."""
    *died, deepest = tried
    case = deepest.case
    if case.transformer.layers == whole.transformer.layers:
        return Measured(whole=whole, deepest=deepest, died=tuple(died))
    _, *less = halvings(case.transformer)
    if not less:
        raise NotTimed(
            f"only {case.transformer.layers:g} layers fit, and two depths are needed to tell what "
            "a layer takes: lower --micro-batch or --sequence-length"
        )
    shallow = _timed(_at(whole, less[0], case.recompute), time)
    if shallow.found.outcome == "oom":
        raise NotTimed(_died(shallow))
    return Measured(whole=whole, deepest=deepest, shallow=shallow, died=tuple(died))


def halvings(transformer: Transformer) -> Iterator[int]:
    """Depths from the whole down to the least, each about half of the one before.

    Every depth has the dense layers that stand first, and whole groups of those that repeat.
    """
    first, every = _grain(transformer)
    layers = int(transformer.layers)
    yield layers
    groups = (layers - first) // every
    while groups > 1:
        groups //= 2
        yield first + groups * every


def _grain(transformer: Transformer) -> tuple[int, int]:
    """Layers that stand first and differ, and how many others repeat together."""
    moe = transformer.moe
    return (0, 1) if moe is UNSET else (int(moe.first_dense_layers), int(moe.moe_every))


def _check_depth(whole: Case, layers: int) -> None:
    first, every = _grain(whole.transformer)
    most = whole.transformer.layers
    if not first < layers <= most or (layers - first) % every:
        raise NotMeasured(
            f"--depths {layers} is no part of {most:g} layers of which the first {first} differ "
            f"and the others repeat in groups of {every}"
        )


def _at(whole: Case, layers: int, recompute: TimedRecompute) -> Case:
    cut = replace(whole.transformer, layers=float(layers))
    return replace(whole, transformer=cut, recompute=recompute)


def _timed(case: Case, time: Time) -> Timed:
    """A case that was timed or ran out of memory. Raises `NotTimed` for anything else."""
    found = time(case)
    if found.outcome not in ("fits", "oom"):
        raise NotTimed(found.why)
    return Timed(case, found)


def _died(timed: Timed) -> str:
    case, found = timed
    return (
        f"{case.transformer.layers:g} layers with a micro-batch of {case.micro_batch} sequences of "
        f"{case.sequence_length} tokens need more memory than {found.device_name} has "
        f"({found.why}); lower --micro-batch or --sequence-length"
    )
