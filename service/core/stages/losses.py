"""Goodput, evaluation and idle time of a stage: as given, or from the cluster's failures."""

from typing import Final

from msgspec import UNSET, UnsetType

from service.core.catalog.catalog import SpotReclaim
from service.core.cluster.failures import (
    goodput_of_cluster,
    held_device_hours,
)
from service.core.cluster.hardware import device_of
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum
from service.core.request.request import Market
from service.core.request.supplies import named_offer
from service.core.stages.hours import StageContext, TimeShares

DISCLOSED: Final = "engine.measured_over_predicted.run"


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
    said = ("goodput", "evaluation_share", "idle_share")
    known = DISCLOSED in context.argument.catalog.assumptions
    if not known or any(context.work.states(member) for member in said):
        return None
    return context.argument.assume(DISCLOSED)


def _goodput(context: StageContext, *, devices: Term) -> dict[str, Term]:
    work = context.work
    if work.states("goodput"):
        return {"goodput": work.quantity("goodput", unit="share")}
    found = work.derive_parts(
        goodput_of_cluster, "reliability", devices=devices, **_reliability(context)
    )
    work.warn(
        "assumed_goodput",
        f"goodput is not given; {found['goodput'].central:.3g} follows from the failures of "
        f"{devices.central:g} devices",
        member="goodput",
    )
    return found


def _reliability(context: StageContext) -> dict[str, Term]:
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
    return found | _reclaims(context)


def _reclaims(context: StageContext) -> dict[str, Term]:
    """How often spot capacity is taken back, if the supply is spot."""
    argument, cluster = context.argument, context.cluster
    supply = cluster.at("supply")
    region: str | UnsetType = UNSET
    named = named_offer(supply.said, argument.catalog, pointer=supply.pointer)
    kind: str | None = None
    if isinstance(supply.said, Market):
        kind, region = supply.said.term, supply.said.region
    elif named is not None:
        kind, region = named.price_kind, named.region
    if kind != "spot":
        return {}
    rows = argument.catalog.spot_reclaims.get(cluster.said.accelerator, ())
    rate = _middle(tuple(row for row in rows if row.region == region) or rows)
    return {
        "monthly_reclaimed_share": argument.assume("reliability.spot_monthly_reclaimed_share")
        if rate is None
        else argument.ledger.take(rate),
        "devices_per_instance": argument.assume("reliability.devices_per_instance"),
    }


def _middle(rows: tuple[SpotReclaim, ...]) -> Datum | None:
    """The newest observation of the middle instance, in the order of the catalog."""
    if not rows:
        return None
    newest = max(row.observed_on for row in rows)
    dated = [row for row in rows if row.observed_on == newest]
    return dated[len(dated) // 2].reclaimed_share_per_month
