"""From the work of a stage to its device-hours and its time on the clock."""

from typing import Any

from msgspec import UNSET, Struct

from service.core.argument import Argument
from service.core.cluster.hardware import peak_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.model.named import Contradictory, description_of
from service.core.request.request import Cluster, Stage
from service.core.request.wire import Interval
from service.core.request.work import (
    Compute,
    Finetuning,
    Generation,
    Metered,
    Pretraining,
    Reinforcement,
    Timed,
)
from service.core.stages.finetuning import finetuned
from service.core.stages.generation import generated
from service.core.stages.hours import Hours, Place, prefix_of
from service.core.stages.losses import held_hours, held_of
from service.core.stages.reinforcement.stage import reinforced
from service.core.stages.trained_tokens import trained
from service.core.training.step import step_of
from service.core.training.step_spec import ask_of


class Effort(Struct, frozen=True, kw_only=True):
    """What a stage needs in all attempts; `hours` is one attempt, with why it may be unknown."""

    stage: Stage
    pointer: str
    cluster: Cluster
    cluster_pointer: str
    devices: Term
    device_hours: Term | None
    wall_clock_hours: Term | None
    hours: Hours

    @property
    def prefix(self) -> str:
        """The ledger's prefix for what is derived about this stage."""
        return prefix_of(self.pointer)

    @property
    def unknown(self) -> str:
        """Why the device-hours are not known, if they are not."""
        return self.hours.unknown


@formula("device_hours_of_attempts", unit="device_hour")
def repeated(*, device_hours: Real, repeat: Real) -> Real:
    """Device-hours of all attempts: device_hours * repeat."""
    return device_hours * repeat


@formula("device_hours_held", unit="device_hour")
def device_hours_held(*, hours: Real, devices: Real) -> Real:
    """Device-hours of devices held for some hours, busy or not: hours * devices."""
    return hours * devices


@formula("device_hours_for_flop", unit="device_hour")
def device_hours_for_flop(
    *, flop: Real, peak_flop_per_s: Real, mfu: Real, goodput: Real = 1.0
) -> Real:
    """Device-hours that training FLOP take, including the time that failures take back.

        flop / (peak_flop_per_s * mfu * goodput) / 3600

    `peak_flop_per_s` is dense, for one device. Recomputed activations are not in `flop`; they
    lower `mfu`.

    Source: MFU as defined in PaLM (arXiv 2204.02311, appendix B).
    """
    return flop / (peak_flop_per_s * mfu * goodput) / SECONDS_PER_HOUR


@formula("wall_clock_hours", unit="hour")
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
        hours=hours,
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
    return _predicted(argument, work, place)


def _predicted(
    argument: Argument,
    work: Pretraining | Finetuning | Generation | Reinforcement,
    place: Place,
) -> Hours:
    """One attempt at work that names a model."""
    if isinstance(work, Pretraining):
        return _pretrained(argument, work, place)
    if isinstance(work, Finetuning):
        return finetuned(argument, work, place)
    if isinstance(work, Generation):
        return generated(argument, work, place)
    return reinforced(argument, work, place)


def _timed(argument: Argument, work: Timed, devices: Term, *, pointer: str) -> Term:
    hours = argument.quantity(work.hours, pointer=f"{pointer}/work/hours", unit="hour")
    return argument.ledger.derive(
        device_hours_held,
        name=f"{prefix_of(pointer)}/device_hours_once",
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
    held = held_of(argument, work, place, by_default=False)
    if peak is None:
        return Hours(
            device_hours=None,
            mfu=mfu,
            held=held,
            unknown=f"the catalog has no {work.precision} peak of {device.id}",
        )
    flop = argument.quantity(work.flop, pointer=f"{place.work_pointer}/flop", unit="flop")
    useful = argument.ledger.derive(
        device_hours_for_flop,
        name=f"{place.prefix}/device_hours_useful",
        inputs={"flop": flop, "peak_flop_per_s": peak, "mfu": mfu},
    )
    return Hours(device_hours=held_hours(argument, useful, held, place), mfu=mfu, held=held)


def _pretrained(argument: Argument, work: Pretraining, place: Place) -> Hours:
    """Tokens through a model: as many steps as they take, each as long as predicted."""
    at = place.work_pointer
    tokens = argument.quantity(work.tokens, pointer=f"{at}/tokens", unit="token")
    described = description_of(argument, work.model, pointer=f"{at}/model")
    outcome = (
        described
        if isinstance(described, Contradictory)
        else step_of(
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
    )
    return trained(argument, work, place, outcome, processed=tokens, counted={})


def _all_attempts(argument: Argument, stage: Stage, once: Term, *, pointer: str) -> Term:
    """The device-hours of all attempts; one attempt needs no arithmetic."""
    repeat: float | Interval[Any] = stage.repeat
    if repeat == 1.0:
        return once
    attempts = argument.quantity(repeat, pointer=f"{pointer}/repeat", unit="ratio")
    return argument.ledger.derive(
        repeated,
        name=f"{prefix_of(pointer)}/device_hours",
        inputs={"device_hours": once, "repeat": attempts},
    )
