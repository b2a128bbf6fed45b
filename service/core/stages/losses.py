"""Goodput, evaluation and idle time of a stage: as given, or from the cluster's failures."""

from typing import Any, Final

from msgspec import UNSET, UnsetType

from service.core.argument import Argument
from service.core.catalog.catalog import SpotReclaim
from service.core.cluster.failures import (
    Goodput,
    goodput,
    held_device_hours,
    spot_interruptions_per_device_day,
)
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.sources import Datum
from service.core.figures.units import Unit
from service.core.request.request import CatalogOffer, Market
from service.core.request.wire import Interval
from service.core.request.work import Losses
from service.core.stages.hours import Held, Place

DISCLOSED: Final = "engine.measured_over_predicted.run"
LOSS_UNITS: Final[dict[str, Unit]] = {
    "goodput": "share",
    "checkpoint_share": "share",
    "restart_share": "share",
    "rework_share": "share",
    "mean_hours_between_failures": "hour",
    "checkpoint_interval_seconds": "second",
}


def held_of(
    argument: Argument,
    losses: Losses,
    place: Place,
    *,
    synchronous_devices: Term | None = None,
    by_default: bool = True,
    predicted: bool = False,
) -> Held:
    """The shares of held time of a stage; `by_default` adds evaluation and idle time unasked.

    Where step time is `predicted` and the request says nothing of losses, what published runs took
    beyond such an expectation is added.
    One failure stops `synchronous_devices`: all of the cluster, unless replicas are on their own.
    """
    failing = _goodput(argument, losses, place, devices=synchronous_devices or place.devices)
    return Held(
        goodput=failing["goodput"],
        evaluation_share=_share(argument, losses.evaluation_share, "evaluation", place, by_default),
        idle_share=_share(argument, losses.idle_share, "idle", place, by_default),
        disclosed_over_expected=_practice(argument, losses) if predicted else None,
        losses={name: term for name, term in failing.items() if name != "goodput"},
    )


def held_hours(argument: Argument, useful: Term, held: Held, place: Place) -> Term:
    """Device-hours held for so many that move the work forward."""
    shares = {
        "evaluation_share": held.evaluation_share,
        "idle_share": held.idle_share,
        "disclosed_over_expected": held.disclosed_over_expected,
    }
    return argument.ledger.derive(
        held_device_hours,
        name=f"{place.prefix}/device_hours_once",
        inputs={"useful_device_hours": useful, "goodput": held.goodput}
        | {name: share for name, share in shares.items() if share is not None},
    )


def _share(
    argument: Argument,
    stated: float | Interval[Any] | UnsetType,
    what: str,
    place: Place,
    by_default: bool,
) -> Term | None:
    pointer = f"{place.work_pointer}/{what}_share"
    if stated is not UNSET:
        return argument.quantity(stated, pointer=pointer, unit="share")
    return argument.assume(f"reliability.{what}_share") if by_default else None


def _practice(argument: Argument, losses: Losses) -> Term | None:
    """What whole runs took over their prediction, where the request leaves all losses open."""
    said = (losses.goodput, losses.evaluation_share, losses.idle_share)
    if any(loss is not UNSET for loss in said) or DISCLOSED not in argument.catalog.assumptions:
        return None
    return argument.assume(DISCLOSED)


def _goodput(argument: Argument, losses: Losses, place: Place, *, devices: Term) -> dict[str, Term]:
    pointer = f"{place.work_pointer}/goodput"
    if losses.goodput is not UNSET:
        return {"goodput": argument.quantity(losses.goodput, pointer=pointer, unit="share")}
    found = argument.ledger.derive_parts(
        goodput_of_cluster,
        name=f"{place.prefix}/reliability",
        inputs={"devices": devices} | _reliability(argument, place),
    )
    argument.warn(
        "assumed_goodput",
        f"goodput is not given; {found['goodput'].central:.3g} follows from the failures of "
        f"{devices.central:g} devices",
        pointer=pointer,
    )
    return found


@formula("goodput_of_cluster", parts=LOSS_UNITS)
def goodput_of_cluster(
    *,
    devices: Real,
    failures_per_device_day: Real,
    restart_seconds: Real,
    checkpoint_seconds: Real,
    checkpoint_interval_seconds: Real = 0.0,
    monthly_reclaimed_share: Real = 0.0,
    devices_per_instance: Real = 1.0,
) -> Goodput:
    """Goodput of a cluster whose instances may be reclaimed too.

    Formula: `service.core.cluster.failures.goodput`; an interval of 0 is the one that loses least.
    """
    return goodput(
        devices=devices,
        failures_per_device_day=failures_per_device_day,
        spot_interruptions_per_device_day=spot_interruptions_per_device_day(
            monthly_reclaimed_share=monthly_reclaimed_share,
            devices_per_instance=devices_per_instance,
        ),
        restart_seconds=restart_seconds,
        checkpoint_seconds=checkpoint_seconds,
        checkpoint_interval_seconds=checkpoint_interval_seconds,
    )


def _reliability(argument: Argument, place: Place) -> dict[str, Term]:
    terms = place.cluster.reliability
    pointer = f"{place.cluster_pointer}/reliability"
    device = argument.catalog.accelerator(
        place.cluster.accelerator, pointer=f"{place.cluster_pointer}/accelerator"
    )

    def stated_or(value: float | Interval[Any] | UnsetType, name: str, default: str) -> Term:
        if value is UNSET:
            return argument.assume(f"reliability.{default}", pointer=f"{pointer}/{name}")
        unit: Unit = "1/device_day" if name.endswith("day") else "second"
        return argument.quantity(value, pointer=f"{pointer}/{name}", unit=unit)

    found = {
        "failures_per_device_day": stated_or(
            terms.failures_per_device_day,
            "failures_per_device_day",
            f"failures_per_device_day.{device.fleet}",
        ),
        "restart_seconds": stated_or(
            terms.restart_seconds, "restart_seconds", f"restart_seconds.{terms.recovery}"
        ),
        "checkpoint_seconds": stated_or(
            terms.checkpoint_seconds, "checkpoint_seconds", f"checkpoint_seconds.{terms.recovery}"
        ),
    }
    if terms.checkpoint_interval_seconds is not UNSET:
        found["checkpoint_interval_seconds"] = argument.quantity(
            terms.checkpoint_interval_seconds,
            pointer=f"{pointer}/checkpoint_interval_seconds",
            unit="second",
        )
    return found | _reclaims(argument, place)


def _reclaims(argument: Argument, place: Place) -> dict[str, Term]:
    """How often spot capacity is taken back, where the supply is spot."""
    supply = place.cluster.supply
    region: str | UnsetType = UNSET
    if isinstance(supply, Market):
        spot, region = supply.term == "spot", supply.region
    elif isinstance(supply, CatalogOffer):
        offer = argument.catalog.offer(supply.id, pointer=f"{place.cluster_pointer}/supply/id")
        spot, region = offer.price_kind == "spot", offer.region
    else:
        spot = False
    if not spot:
        return {}
    rows = argument.catalog.spot_reclaims.get(place.cluster.accelerator, ())
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
