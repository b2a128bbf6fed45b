"""From the work of a stage to its device-hours and its time on the clock."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from service.core.argument import Argument
from service.core.arrays import Real
from service.core.described import Contradictory, description_of
from service.core.hardware import Unsuited, peak_of
from service.core.planning import Unlaid
from service.core.provenance import Term
from service.core.request import (
    Cluster,
    Compute,
    Goodput,
    Interval,
    Metered,
    Pretraining,
    Stage,
    Timed,
)
from service.core.steps import Step, ask_of, step_of
from service.core.training import device_hours_of_steps, steps_of
from service.core.units import SECONDS_PER_HOUR


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
    step: Step | None = None
    steps: Term | None = None
    unknown: str = ""
    contradictory: bool = False

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


class Hours(Struct, frozen=True, kw_only=True):
    """Device-hours of one attempt, or why they are not known, and what they follow from."""

    device_hours: Term | None
    mfu: Term | None = None
    goodput: Term | None = None
    step: Step | None = None
    steps: Term | None = None
    unknown: str = ""
    contradictory: bool = False


class Place(Struct, frozen=True, kw_only=True):
    """A stage of the request, its cluster, and where both stand."""

    stage: Stage
    pointer: str
    cluster: Cluster
    cluster_pointer: str
    devices: Term

    @property
    def work_pointer(self) -> str:
        """Where the work stands."""
        return f"{self.pointer}/work"

    @property
    def prefix(self) -> str:
        """The ledger's prefix for what is derived about this stage."""
        return _name(self.pointer)


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
    place = Place(
        stage=stage,
        pointer=pointer,
        cluster=cluster,
        cluster_pointer=cluster_pointer,
        devices=devices,
    )
    hours = _hours_of(argument, place)
    once = hours.device_hours
    total = None if once is None else _all_attempts(argument, stage, once, pointer=pointer)
    wall_clock = total and argument.ledger.derive(
        wall_clock_hours,
        name=f"{place.prefix}/wall_clock_hours",
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
        mfu=hours.mfu,
        goodput=hours.goodput,
        step=hours.step,
        steps=hours.steps,
        unknown=hours.unknown,
        contradictory=hours.contradictory,
    )


def _hours_of(argument: Argument, place: Place) -> Hours:
    """One attempt, by the kind of work."""
    work = place.stage.work
    if isinstance(work, Metered):
        metered = argument.quantity(
            work.device_hours,
            pointer=f"{place.work_pointer}/device_hours",
            unit="device_hour",
        )
        return Hours(device_hours=metered)
    if isinstance(work, Timed):
        return Hours(device_hours=_timed(argument, work, place.devices, pointer=place.pointer))
    if isinstance(work, Compute):
        return _computed(argument, work, place)
    return _pretrained(argument, work, place)


def _timed(argument: Argument, work: Timed, devices: Term, *, pointer: str) -> Term:
    hours = argument.quantity(work.hours, pointer=f"{pointer}/work/hours", unit="hour")
    return argument.ledger.derive(
        device_hours_held,
        name=f"{_name(pointer)}/device_hours_once",
        unit="device_hour",
        inputs={"hours": hours, "devices": devices},
    )


def _computed(argument: Argument, work: Compute, place: Place) -> Hours:
    """FLOP, turned into device-hours by peak, MFU and goodput."""
    device = argument.catalog.accelerator(
        place.cluster.accelerator, pointer=f"{place.cluster_pointer}/accelerator"
    )
    peak, _ = peak_of(argument, device, work.precision, pointer=f"{place.work_pointer}/precision")
    mfu = argument.stated_or_assumed(
        work.mfu,
        pointer=f"{place.work_pointer}/mfu",
        unit="share",
        assumption="compute.mfu",
        code="assumed_mfu",
    )
    goodput = _goodput(argument, work.goodput, place)
    if peak is None:
        return Hours(
            device_hours=None,
            mfu=mfu,
            goodput=goodput,
            unknown=f"the catalog has no {work.precision} peak of {device.id}",
        )
    flop = argument.quantity(work.flop, pointer=f"{place.work_pointer}/flop", unit="flop")
    once = argument.ledger.derive(
        device_hours_for_flop,
        name=f"{place.prefix}/device_hours_once",
        unit="device_hour",
        inputs={"flop": flop, "peak_flop_per_s": peak, "mfu": mfu, "goodput": goodput},
    )
    return Hours(device_hours=once, mfu=mfu, goodput=goodput)


def _goodput(
    argument: Argument, stated: Goodput | Interval[Goodput] | UnsetType, place: Place
) -> Term:
    return argument.stated_or_assumed(
        stated,
        pointer=f"{place.work_pointer}/goodput",
        unit="share",
        assumption="compute.goodput",
        code="assumed_goodput",
    )


def _pretrained(argument: Argument, work: Pretraining, place: Place) -> Hours:
    """Tokens through a model: as many steps as they take, each as long as predicted."""
    at = place.work_pointer
    tokens = argument.quantity(work.tokens, pointer=f"{at}/tokens", unit="token")
    described = description_of(argument, work.model, pointer=f"{at}/model")
    if isinstance(described, Contradictory):
        return _contradicted(argument, described)
    outcome = step_of(
        argument,
        ask_of(work, described, pointer=at, prefix=place.prefix),
        place.cluster,
        cluster_pointer=place.cluster_pointer,
        devices=place.devices,
        mfu=None
        if work.mfu is UNSET
        else argument.quantity(work.mfu, pointer=f"{at}/mfu", unit="share"),
        anchor=work.anchor,
    )
    if isinstance(outcome, Contradictory):
        return _contradicted(argument, outcome)
    if isinstance(outcome, Unsuited):
        return Hours(device_hours=None, unknown=outcome.detail)
    goodput = _goodput(argument, work.goodput, place)
    if outcome.seconds is None:
        assert isinstance(outcome.placement, Unlaid)
        return Hours(
            device_hours=None, goodput=goodput, step=outcome, unknown=outcome.placement.detail
        )
    steps = argument.ledger.derive(
        steps_of,
        name=f"{place.prefix}/steps",
        unit="count",
        inputs={"tokens": tokens, "tokens_per_step": outcome.tokens_per_step},
    )
    once = argument.ledger.derive(
        device_hours_of_steps,
        name=f"{place.prefix}/device_hours_once",
        unit="device_hour",
        inputs={
            "steps": steps,
            "seconds": outcome.seconds,
            "devices": place.devices,
            "goodput": goodput,
        },
    )
    return Hours(device_hours=once, mfu=outcome.mfu, goodput=goodput, step=outcome, steps=steps)


def _contradicted(argument: Argument, found: Contradictory) -> Hours:
    argument.warn("contradictory", found.detail, pointer=found.pointer)
    return Hours(device_hours=None, unknown=found.detail, contradictory=True)


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
