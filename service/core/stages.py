"""From the work of a stage to its device-hours and its time on the clock."""

from typing import Any, Final

from msgspec import Struct

from service.core.argument import Argument
from service.core.arrays import Real
from service.core.catalog import Accelerator
from service.core.provenance import Term
from service.core.request import Cluster, Compute, Metered, Stage, Timed
from service.core.units import SECONDS_PER_HOUR
from service.core.wire import Interval

STAND_IN_PRECISION: Final = {
    "bf16": "fp16",
    "tf32": "fp32",
    "fp8": "bf16",
    "int8": "fp8",
}
"""Where a device has no peak at a precision, what a run on it would use instead."""


class Effort(Struct, frozen=True, kw_only=True):
    """What a stage needs; without `device_hours`, `unknown` says why they cannot be known."""

    stage: Stage
    pointer: str
    cluster: Cluster
    cluster_pointer: str
    devices: Term
    device_hours: Term | None
    wall_clock_hours: Term | None
    mfu: Term | None = None
    goodput: Term | None = None
    unknown: str = ""

    @property
    def prefix(self) -> str:
        """The ledger's prefix for what is derived about this stage."""
        return _name(self.pointer)


def repeated(*, device_hours: Real, repeat: Real) -> Real:
    """Device-hours of all attempts: device_hours * repeat."""
    return device_hours * repeat


def device_hours_held(*, hours: Real, devices: Real) -> Real:
    """Device-hours of devices held for some hours, busy or not: hours * devices."""
    return hours * devices


def device_hours_for_flop(*, flop: Real, peak_flop_per_s: Real, mfu: Real, goodput: Real) -> Real:
    """Device-hours that training FLOP take, including the time that failures take back.

        flop / (peak_flop_per_s * mfu * goodput) / 3600

    `peak_flop_per_s` is dense, for one device. Recomputed activations are not in `flop`; they
    lower `mfu`.

    Source: MFU as defined in PaLM (arXiv 2204.02311, appendix B).
    """
    return flop / (peak_flop_per_s * mfu * goodput) / SECONDS_PER_HOUR


def wall_clock_hours(*, device_hours: Real, devices: Real) -> Real:
    """Hours on the clock when all devices are held together: device_hours / devices."""
    return device_hours / devices


def effort_of(
    argument: Argument,
    stage: Stage,
    *,
    pointer: str,
    cluster: Cluster,
    cluster_pointer: str,
) -> Effort:
    """Device-hours of one stage on its cluster, all attempts included."""
    devices = argument.quantity(cluster.devices, pointer=f"{cluster_pointer}/devices", unit="count")
    shares: dict[str, Term | None] = {}
    unknown = ""
    work = stage.work
    once: Term | None
    if isinstance(work, Metered):
        once = argument.quantity(
            work.device_hours,
            pointer=f"{pointer}/work/device_hours",
            unit="device_hour",
        )
    elif isinstance(work, Timed):
        once = _timed(argument, work, devices, pointer=pointer)
    else:
        device = argument.catalog.accelerator(
            cluster.accelerator, pointer=f"{cluster_pointer}/accelerator"
        )
        peak = _peak(argument, device, work, pointer=pointer)
        shares = _shares(argument, work, pointer=pointer)
        once = _computed(argument, work, peak, shares, pointer=pointer)
        if peak is None:
            unknown = f"the catalog has no {work.precision} peak of {device.id}"
    total = None if once is None else _all_attempts(argument, stage, once, pointer=pointer)
    wall_clock = total and argument.ledger.derive(
        wall_clock_hours,
        name=f"{_name(pointer)}/wall_clock_hours",
        unit="hour",
        inputs={"device_hours": total, "devices": devices},
    )
    return Effort(
        stage=stage,
        pointer=pointer,
        cluster=cluster,
        cluster_pointer=cluster_pointer,
        devices=devices,
        device_hours=total,
        wall_clock_hours=wall_clock,
        mfu=shares.get("mfu"),
        goodput=shares.get("goodput"),
        unknown=unknown,
    )


def _timed(argument: Argument, work: Timed, devices: Term, *, pointer: str) -> Term:
    hours = argument.quantity(work.hours, pointer=f"{pointer}/work/hours", unit="hour")
    return argument.ledger.derive(
        device_hours_held,
        name=f"{_name(pointer)}/device_hours_once",
        unit="device_hour",
        inputs={"hours": hours, "devices": devices},
    )


def _peak(argument: Argument, device: Accelerator, work: Compute, *, pointer: str) -> Term | None:
    """The dense peak at the asked precision, or at the one that would stand in for it."""
    precision: str = work.precision
    while precision not in device.peak_dense_flop_per_s:
        if precision not in STAND_IN_PRECISION:
            return None
        precision = STAND_IN_PRECISION[precision]
    if precision != work.precision:
        argument.warn(
            "precision_substituted",
            f"{device.id} has no {work.precision} peak; its {precision} peak was taken",
            pointer=f"{pointer}/work/precision",
        )
    return argument.ledger.take(device.peak_dense_flop_per_s[precision])


def _shares(argument: Argument, work: Compute, *, pointer: str) -> dict[str, Term | None]:
    return {
        "mfu": argument.stated_or_assumed(
            work.mfu,
            pointer=f"{pointer}/work/mfu",
            unit="share",
            assumption="compute.mfu",
            code="assumed_mfu",
        ),
        "goodput": argument.stated_or_assumed(
            work.goodput,
            pointer=f"{pointer}/work/goodput",
            unit="share",
            assumption="compute.goodput",
            code="assumed_goodput",
        ),
    }


def _computed(
    argument: Argument,
    work: Compute,
    peak: Term | None,
    shares: dict[str, Term | None],
    *,
    pointer: str,
) -> Term | None:
    mfu, goodput = shares["mfu"], shares["goodput"]
    if peak is None or mfu is None or goodput is None:
        return None
    flop = argument.quantity(work.flop, pointer=f"{pointer}/work/flop", unit="flop")
    return argument.ledger.derive(
        device_hours_for_flop,
        name=f"{_name(pointer)}/device_hours_once",
        unit="device_hour",
        inputs={"flop": flop, "peak_flop_per_s": peak, "mfu": mfu, "goodput": goodput},
    )


def _all_attempts(argument: Argument, stage: Stage, once: Term, *, pointer: str) -> Term:
    """The device-hours of all attempts; one attempt needs no arithmetic."""
    repeat: float | Interval[Any] = stage.repeat
    if repeat == 1.0:
        return once
    attempts = argument.quantity(repeat, pointer=f"{pointer}/repeat", unit="ratio")
    return argument.ledger.derive(
        repeated,
        name=f"{_name(pointer)}/device_hours",
        unit="device_hour",
        inputs={"device_hours": once, "repeat": attempts},
    )


def _name(pointer: str) -> str:
    """The ledger's prefix for what is derived about the stage at this pointer."""
    return pointer.removeprefix("/run/")
