"""Whether metered device-hours are those of the cluster's accelerator."""

import re

from msgspec import UNSET

from service.core.argument import Cursor
from service.core.catalog.catalog import ReferenceRun
from service.core.cluster.hardware import device_of
from service.core.figures.lanes import entry_at
from service.core.request.wire import Interval
from service.core.request.work import Metered
from service.core.stages.hours import StageContext


def warn_of_device(context: StageContext) -> None:
    """Warn of hours that were measured on another accelerator, as stated or as published."""
    work: Cursor[Metered] = context.work
    used, measured_on = device_of(context.cluster).id, work.said.measured_on
    if measured_on is not UNSET:
        if measured_on != used:
            _warn(work, used, "these hours", str(measured_on), member="measured_on")
        return
    run = _published_elsewhere(context, used)
    if run is not None:
        _warn(work, used, f"these hours are those of {run.id}, which", run.accelerator)


def _warn(
    work: Cursor[Metered], used: str, hours: str, device: str, *, member: str = "device_hours"
) -> None:
    label = work.argument.catalog.label
    work.warn(
        "measured_elsewhere",
        f"{hours} were measured on {label(device)}; they are taken one to one on {label(used)}",
        member=member,
    )


def _published_elsewhere(context: StageContext, used: str) -> ReferenceRun | None:
    """The published run whose hours these are, if it ran on another accelerator only.

    The hours are the same number, and the words of the stage's name are in that of the run.
    """
    hours = context.work.said.device_hours
    if isinstance(hours, Interval):
        return None
    name = _words(context.stage.said.name)
    runs = [
        run
        for run in entry_at(context.argument.catalog.runs_of_hours, hours) or ()
        if run.accelerator and name and name <= _words(f"{run.id} {run.model}")
    ]
    if any(run.accelerator == used for run in runs):
        return None
    return runs[0] if runs else None


def _words(name: str) -> set[str]:
    return set(re.findall("[a-z0-9]+", name.lower()))
