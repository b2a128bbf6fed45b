"""Goodput, evaluation and idle time of a stage: as given, or from the cluster's failures."""

from typing import Final

from service.core.cluster.failures import (
    device_hours_with_reclaims,
    goodput_of_cluster,
    held_device_hours,
)
from service.core.cluster.hardware import device_of
from service.core.figures.ledger import Term
from service.core.request.work import Pretraining, Work
from service.core.stages.hours import TAKEN_OF_HELD_TIME, StageContext, TimeShares
from service.core.stages.reclaims import reclaims_of

DISCLOSED: Final = "engine.measured_over_predicted.run"
OF_TUNING: Final = "tuning.measured_over_predicted.run"
"""Too few whole runs of tuning are published for a fit of their own."""


def time_shares(
    context: StageContext,
    *,
    synchronous_devices: Term | None = None,
    by_default: bool = True,
    predicted: bool = False,
) -> TimeShares:
    """The shares of held time of a stage. `by_default` adds default evaluation and idle time.

    If step time is `predicted` and the request says nothing of losses, the time by which published
    runs exceed such a prediction is added.
    One failure stops `synchronous_devices`. These are all devices, unless replicas are independent.
    """
    failing = _goodput(context, devices=synchronous_devices or context.devices)
    return TimeShares(
        goodput=failing["goodput"],
        evaluation_share=_share(context, "evaluation_share", by_default),
        idle_share=_share(context, "idle_share", by_default),
        disclosed_over_expected=_practice(context) if predicted else None,
        losses={name: term for name, term in failing.items() if name != "goodput"},
    )


def held_hours(context: StageContext, useful: Term, shares: TimeShares, *, startup: Term) -> Term:
    """Device-hours held, from those that move the work forward and the hours of the start."""
    taken = {
        "evaluation_share": shares.evaluation_share,
        "idle_share": shares.idle_share,
        "disclosed_over_expected": shares.disclosed_over_expected,
    }
    return context.work.derive(
        held_device_hours,
        "device_hours_once",
        useful_device_hours=useful,
        goodput=shares.goodput,
        startup_hours=startup,
        devices=context.devices,
        **{name: share for name, share in taken.items() if share is not None},
    )


def _share(context: StageContext, member: str, by_default: bool) -> Term | None:
    work = context.work
    if work.states(member):
        return work.quantity(member, unit="share")
    return work.assume(f"reliability.{member}") if by_default else None


def _practice(context: StageContext) -> Term | None:
    """The time of whole runs over their prediction, if the request states no losses."""
    name = practice_of(context.work.said)
    known = name in context.argument.catalog.assumptions
    if not known or any(context.work.states(member) for member in TAKEN_OF_HELD_TIME):
        return None
    return context.argument.assume(name)


def practice_of(work: Work) -> str:
    """The assumption of how whole runs of this kind of work compare with their prediction."""
    return DISCLOSED if isinstance(work, Pretraining) else OF_TUNING


def with_reclaims(context: StageContext, device_hours: Term) -> Term:
    """Device-hours that were measured on capacity which is not taken back, on this cluster."""
    reclaims = reclaims_of(context)
    if not reclaims:
        return device_hours
    known = {"devices": context.devices, **_failures(context)}
    work = context.work
    held = work.derive_parts(goodput_of_cluster, "without_reclaims", **known)
    taken = work.derive_parts(goodput_of_cluster, "with_reclaims", **known, **reclaims)
    return work.derive(
        device_hours_with_reclaims,
        "device_hours_once",
        device_hours=device_hours,
        goodput_without=held["goodput"],
        goodput_with=taken["goodput"],
    )


def _goodput(context: StageContext, *, devices: Term) -> dict[str, Term]:
    work = context.work
    if work.states("goodput"):
        return {"goodput": work.quantity("goodput", unit="share")}
    found = work.derive_parts(
        goodput_of_cluster,
        "reliability",
        devices=devices,
        **_failures(context),
        **reclaims_of(context),
    )
    work.warn(
        "assumed_goodput",
        f"goodput is not given; {found['goodput'].central:.3g} follows from the failures of "
        f"{devices.central:g} devices",
        member="goodput",
    )
    return found


def _failures(context: StageContext) -> dict[str, Term]:
    cluster = context.cluster
    terms = cluster.at("reliability")
    device = device_of(cluster)
    recovery = terms.said.recovery
    found = {
        "failures_per_device_day": terms.assumed(
            "failures_per_device_day",
            unit="1/device_day",
            default=f"reliability.failures_per_device_day.{device.fleet}",
        ),
        "restart_seconds": terms.assumed(
            "restart_seconds", unit="second", default=f"reliability.restart_seconds.{recovery}"
        ),
        "checkpoint_seconds": terms.assumed(
            "checkpoint_seconds",
            unit="second",
            default=f"reliability.checkpoint_seconds.{recovery}",
        ),
    }
    if terms.states("checkpoint_interval_seconds"):
        found["checkpoint_interval_seconds"] = terms.quantity(
            "checkpoint_interval_seconds", unit="second"
        )
    return found
