"""From the work of a stage to its device-hours and its time on the clock."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from service.core.argument import Argument, Cursor, Unknown
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.request.names import PlacedStage, placed_stages
from service.core.request.request import Cluster, QuoteRequest, Stage
from service.core.request.work import (
    Compute,
    Distillation,
    Finetuning,
    Generation,
    Metered,
    Preference,
    Pretraining,
    Reinforcement,
    RewardModelling,
    Timed,
    Work,
)
from service.core.stages.generation import generation_hours
from service.core.stages.given import compute_hours, metered_hours, timed_hours
from service.core.stages.hours import Hours, StageContext
from service.core.stages.pretraining import pretraining_hours
from service.core.stages.reinforcement.stage import reinforcement_hours
from service.core.stages.startup import warn_of_startup
from service.core.stages.tuning.stage import tuning_hours

Handler: TypeAlias = Callable[[StageContext], Hours]
HANDLERS: Final[Mapping[type[Work], Handler]] = MappingProxyType(
    {
        Metered: metered_hours,
        Timed: timed_hours,
        Compute: compute_hours,
        Pretraining: pretraining_hours,
        Finetuning: tuning_hours,
        Preference: tuning_hours,
        RewardModelling: tuning_hours,
        Distillation: tuning_hours,
        Generation: generation_hours,
        Reinforcement: reinforcement_hours,
    }
)
"""The handler of each kind of work, which gives the hours of one attempt."""


class Effort(Struct, frozen=True, kw_only=True):
    """The time that a stage needs in all attempts. `hours` is that of one attempt."""

    context: StageContext
    device_hours: Term | Unknown
    wall_clock_hours: Term | None
    hours: Hours

    @property
    def stage(self) -> Stage:
        """The stage as the request states it."""
        return self.context.stage.said

    @property
    def pointer(self) -> str:
        """Where the stage stands in the request."""
        return self.context.stage.pointer

    @property
    def prefix(self) -> str:
        """The prefix of figures that are derived about this stage."""
        return self.context.stage.prefix

    @property
    def cluster(self) -> Cluster:
        """The cluster that the stage runs on."""
        return self.context.cluster.said

    @property
    def cluster_pointer(self) -> str:
        """Where that cluster stands in the request."""
        return self.context.cluster.pointer

    @property
    def step_seconds(self) -> Term | Unknown | None:
        """Seconds of a training step, if the stage has one."""
        return None if self.hours.step is None else self.hours.step.seconds

    @property
    def devices(self) -> Term:
        """How many devices the stage holds."""
        return self.context.devices


@formula("device_hours_of_attempts", unit="device_hour")
def repeated(*, device_hours: Real, repeat: Real) -> Real:
    """Device-hours of all attempts.

        device_hours * repeat

    Source: definition.
    """
    return device_hours * repeat


@formula("wall_clock_hours", unit="hour")
def wall_clock_hours(*, device_hours: Real, devices: Real) -> Real:
    """Hours on the clock when all devices are held together.

        device_hours / devices

    Source: definition.
    """
    return device_hours / devices


def efforts_of(argument: Argument, request: QuoteRequest) -> tuple[Effort, ...]:
    """Device-hours of every stage, with a warning where two stages have one name."""
    placed = tuple(placed_stages(request))
    counts = Counter(one.stage.name for one in placed)
    for one in placed:
        name = one.stage.name
        if counts[name] > 1:
            argument.warn(
                "duplicate_stage_name",
                f"{counts[name]} stages are named {name!r}; their lines are in the order of"
                " the stages",
                pointer=f"{one.pointer}/name",
            )
    return tuple(effort_of(argument, one) for one in placed)


def effort_of(argument: Argument, placed: PlacedStage) -> Effort:
    """Device-hours of one stage on its cluster, all attempts included."""
    prefix = placed.pointer.removeprefix("/run/")
    at_cluster = argument.at(placed.cluster, pointer=placed.cluster_pointer, prefix=prefix)
    context = StageContext(
        stage=argument.at(placed.stage, pointer=placed.pointer, prefix=prefix),
        cluster=at_cluster,
        devices=at_cluster.quantity("devices", unit="count"),
    )
    hours = HANDLERS[type(placed.stage.work)](context)
    once = hours.device_hours
    if isinstance(once, Unknown):
        argument.warn_of(once)
        return Effort(context=context, device_hours=once, wall_clock_hours=None, hours=hours)
    if hours.startup is not None:
        warn_of_startup(context, hours.startup, once)
    total = _all_attempts(context.stage, once)
    return Effort(
        context=context,
        device_hours=total,
        wall_clock_hours=context.stage.derive(
            wall_clock_hours, device_hours=total, devices=context.devices
        ),
        hours=hours,
    )


def _all_attempts(stage: Cursor[Stage], once: Term) -> Term:
    """The device-hours of all attempts. One attempt needs no arithmetic."""
    if stage.said.repeat == 1.0:
        return once
    attempts = stage.quantity("repeat", unit="ratio")
    return stage.derive(repeated, "device_hours", device_hours=once, repeat=attempts)
