"""The time that a stage holds its devices before its first step and after its last one.

Processes start, weights are loaded, kernels are compiled, and the last checkpoint is written. A
stage that is metered or timed has this time in its hours already.
"""

from typing import Final

from msgspec import Struct

from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.model.architecture import Architecture
from service.core.model.named import NamedModel
from service.core.model.parameters import params_total
from service.core.stages.hours import TAKEN_OF_HELD_TIME, StageContext

BYTES_PER_STORED_WEIGHT: Final = 2.0
"""Checkpoints are published and resumed from in 16 bits, whatever the work computes in."""
SHARE_WORTH_A_WARNING: Final = 0.1
"""From this share of a stage's hours on, the default moves its cost visibly."""


class Startup(Struct, frozen=True, kw_only=True):
    """What a stage starts, and how often it moves all weights of its model.

    `weights_read` and `weights_written` count copies of the whole model. Adapters are a fraction
    of one.
    """

    trains: bool = False
    serves: bool = False
    model: NamedModel | None = None
    weights_read: float = 0.0
    weights_written: float = 0.0


@formula("startup_bytes", unit="byte")
def startup_bytes(
    *,
    architecture: Architecture,
    bytes_per_weight: float,
    weights_read: float,
    weights_written: float,
) -> Real:
    """Bytes of weights that are read before the first step and written after the last.

        parameters * bytes_per_weight * (weights_read + weights_written)

    Source: definition.
    """
    copies = weights_read + weights_written
    return params_total(architecture=architecture) * bytes_per_weight * copies


@formula("startup_hours", unit="hour")
def startup_hours(
    *,
    training_seconds: Real = 0.0,
    serving_seconds: Real = 0.0,
    weight_bytes: Real = 0.0,
    byte_per_s: Real = 1.0,
) -> Real:
    """Hours on the clock before the first step and after the last.

        (training_seconds + serving_seconds + weight_bytes / byte_per_s) / 3600

    The seconds are those of the engines that start, one after the other.

    Source: this service's own model; its constants are in service/data/assumptions/startup.toml.
    """
    engines = training_seconds + serving_seconds
    return (engines + weight_bytes / byte_per_s) / SECONDS_PER_HOUR


def startup_of(context: StageContext, startup: Startup) -> Term:
    """The start-up time of a stage: as given, or from what it starts and loads.

    It is 0 where the request states all other losses: whoever states them has divided the held
    time, and says that nothing else takes of it.
    """
    work = context.work
    if work.states("startup_hours"):
        return work.quantity("startup_hours", unit="hour")
    if all(map(work.states, TAKEN_OF_HELD_TIME)):
        return work.derive(startup_hours)
    terms: dict[str, Term] = {}
    if startup.trains:
        terms["training_seconds"] = _assumed(context, "startup.training_seconds")
    if startup.serves:
        terms["serving_seconds"] = _assumed(context, "startup.serving_seconds")
    if startup.model is not None:
        terms["weight_bytes"] = work.derive(
            startup_bytes,
            architecture=startup.model.fixed,
            bytes_per_weight=BYTES_PER_STORED_WEIGHT,
            weights_read=startup.weights_read,
            weights_written=startup.weights_written,
        )
        terms["byte_per_s"] = _assumed(context, "startup.byte_per_s")
    return work.derive(startup_hours, **terms)


def warn_of_startup(context: StageContext, startup: Term, device_hours: Term) -> None:
    """Warn of a default start-up time that is a large part of a stage's hours."""
    share = startup.central * context.devices.central / device_hours.central
    if context.work.states("startup_hours") or share < SHARE_WORTH_A_WARNING:
        return
    context.work.warn(
        "assumed_startup",
        f"startup_hours is not given; {startup.central:.2g} hours were taken, {share:.0%} of the "
        "device-hours of an attempt",
        member="startup_hours",
    )


def _assumed(context: StageContext, name: str) -> Term:
    return context.work.assume(name, member="startup_hours")
