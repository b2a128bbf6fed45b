"""What was timed as an anchor, and the request with it."""

import copy
from typing import Any, Final

from msgspec import UNSET, Struct

from service.core.catalog.catalog import Catalog
from service.measuring.arithmetic import Depth, Times, extrapolated, times_of
from service.measuring.asking import Asked, Parts, said_of
from service.measuring.depths import Measured, Timed
from service.scoring.devices import accelerator_named

SPEED_DIGITS: Final = 6
"""Of a speed in an anchor: steps differ by more."""
COUNT_OFF: Final = 0.02
"""Share of the parameters by which the built model may differ before it is said."""


class Speed(Struct, frozen=True, kw_only=True):
    """How fast a case ran."""

    layers: int
    recompute: str
    step_seconds: Times
    tokens_per_s: float
    parameters: int
    trained_parameters: int
    peak_allocated_gib: float | None = None
    peak_reserved_gib: float | None = None


class Whole(Struct, frozen=True, kw_only=True):
    """A step of all layers, from two depths that were timed: each layer adds as much."""

    layers: int
    from_layers: tuple[int, int]
    step_seconds: float
    tokens_per_s: float
    peak_allocated_gib: float | None = None


def speed_of(timed: Timed) -> Speed:
    """How fast a case ran that fits."""
    case, found = timed
    times = times_of(found.seconds)
    return Speed(
        layers=int(case.transformer.layers),
        recompute=case.recompute,
        step_seconds=times,
        tokens_per_s=case.tokens / times.median,
        parameters=found.parameters,
        trained_parameters=found.trained_parameters,
        peak_allocated_gib=gib_of(found.peak_allocated_bytes),
        peak_reserved_gib=gib_of(found.peak_reserved_bytes),
    )


def whole_of(measured: Measured) -> Whole | None:
    """A step of all layers, where only some were timed. Raises `Unsteady`."""
    if measured.shallow is None:
        return None
    layers = int(measured.whole.transformer.layers)
    shallow, deep = speed_of(measured.shallow), speed_of(measured.deepest)
    seconds = extrapolated(
        Depth(shallow.layers, shallow.step_seconds.median),
        Depth(deep.layers, deep.step_seconds.median),
        layers=layers,
    )
    allocated = None
    if shallow.peak_allocated_gib and deep.peak_allocated_gib:
        allocated = extrapolated(
            Depth(shallow.layers, shallow.peak_allocated_gib),
            Depth(deep.layers, deep.peak_allocated_gib),
            layers=layers,
        )
    return Whole(
        layers=layers,
        from_layers=(shallow.layers, deep.layers),
        step_seconds=seconds,
        tokens_per_s=measured.whole.tokens / seconds,
        peak_allocated_gib=allocated,
    )


def anchor_of(asked: Asked, measured: Measured) -> Parts:
    """The anchor of the deepest model that was timed. It has its own model, if that is a part."""
    case, found = measured.deepest
    speed = case.tokens / times_of(found.seconds).median
    anchor: Parts = {
        "tokens_per_s_per_device": float(f"{speed:.{SPEED_DIGITS}g}"),
        "devices": 1,
        "layout": {"micro_batch": case.micro_batch, "zero_stage": 0, "recompute": case.recompute},
        "sequence_length": case.sequence_length,
        "global_batch_tokens": case.tokens,
        "precision": case.precision,
    }
    if case.transformer.layers < measured.whole.transformer.layers:
        return anchor | {"model": {"kind": "transformer"} | said_of(case.transformer)}
    return anchor if asked.document is not None else anchor | {"model": asked.model}


def request_with(asked: Asked, anchor: Parts) -> Parts | None:
    """The request with the anchor in the timed stage. Software that it leaves out is the timed."""
    if asked.document is None:
        return None
    document = copy.deepcopy(asked.document)
    work = work_in(document, asked.stage)
    work.pop("mfu", None)
    work |= {name: value for name, value in asked.software.items() if name not in work}
    work["anchor"] = anchor
    return document


def work_in(document: Parts, stage: int) -> Parts:
    """The work of a stage of a request, as it is written."""
    work: Parts = document["run"]["stages"][stage]["work"]
    return work


def notes_of(asked: Asked, measured: Measured, catalog: Catalog) -> tuple[str, ...]:
    """What is to be known about the anchor."""
    case, found = measured.deepest
    notes = list(asked.notes)
    device = accelerator_named(found.device_name, catalog)
    wanted = asked.device
    if found.device != "cuda":
        notes.append(
            "timed on a CPU, of which PyTorch counts no memory; an anchor holds for the device "
            "that it was timed on"
        )
    elif device is None:
        notes.append(f"{found.device_name} is not in the catalog; describe it in the request")
    if wanted is not None and (device is None or wanted != device.id):
        notes.append(f"timed on {found.device_name}, and the request's cluster has {wanted}")
    if case.transformer.layers < measured.whole.transformer.layers:
        notes.append(
            f"the anchor is of {case.transformer.layers:g} of "
            f"{measured.whole.transformer.layers:g} layers, as its model says; the time of the "
            "whole is extrapolated linearly"
        )
    if asked.document is not None and "framework" not in work_in(asked.document, asked.stage):
        notes.append("the request leaves the framework open; the anchor presumes that of `work`")
    return tuple(notes)


def counted_apart(built: int, described: float) -> str | None:
    """What to say if the built model has another number of parameters than the described one."""
    if abs(built / described - 1.0) <= COUNT_OFF:
        return None
    return f"the timed model has {built:,} parameters, and the described one {described:,.0f}"


def gib_of(size: int | None) -> float | None:
    """Bytes as GiB, if they were counted."""
    return None if size is None else round(size / 2**30, 3)


def device_id(name: str, catalog: Catalog) -> str:
    """The catalog's id of a device, or its name as it says itself."""
    device = accelerator_named(name, catalog)
    return name if device is None else device.id


def stated(values: Parts) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in values.items() if value not in (None, UNSET)}
