"""Work whose size is given: device-hours, hours on the clock, or FLOP."""

from msgspec import UNSET

from service.core.argument import Cursor, Unknown
from service.core.cluster.hardware import peak_of
from service.core.figures.arrays import Real
from service.core.figures.formulas import formula
from service.core.figures.ledger import Term
from service.core.figures.units import SECONDS_PER_HOUR
from service.core.request.work import Compute, Metered, Timed
from service.core.stages.hours import Hours, StageContext
from service.core.stages.losses import held_hours, time_shares, with_reclaims
from service.core.stages.measured import warn_of_device
from service.core.stages.reclaims import is_spot
from service.core.stages.startup import Startup, startup_of


@formula("device_hours_held", unit="device_hour")
def device_hours_held(*, hours: Real, devices: Real) -> Real:
    """Device-hours of devices held for some hours, busy or not.

        hours * devices

    Source: definition.
    """
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


def metered_hours(context: StageContext) -> Hours:
    """Device-hours as the request states them."""
    work: Cursor[Metered] = context.work
    warn_of_device(context)
    return Hours(device_hours=_on_spot(context, work.quantity("device_hours", unit="device_hour")))


def timed_hours(context: StageContext) -> Hours:
    """Device-hours of all devices, held for the hours that the request states."""
    work: Cursor[Timed] = context.work
    held = work.derive(
        device_hours_held,
        "device_hours_held",
        hours=work.quantity("hours", unit="hour"),
        devices=context.devices,
    )
    return Hours(device_hours=_on_spot(context, held))


def _on_spot(context: StageContext, hours: Term) -> Term:
    """Stated hours, with what is lost to reclaims if the request says that it is not in them."""
    work: Cursor[Metered | Timed] = context.work
    if work.said.reclaims == "added":
        return with_reclaims(context, hours)
    if work.said.reclaims is UNSET and is_spot(context):
        work.warn(
            "reclaims_not_counted",
            "spot capacity is taken back now and then, and these hours are taken as they are",
            member="reclaims",
        )
    return hours


def compute_hours(context: StageContext) -> Hours:
    """FLOP, turned into device-hours by peak, MFU and goodput."""
    work: Cursor[Compute] = context.work
    peak = peak_of(context.cluster, work.fixed("precision"))
    mfu = work.assumed("mfu", unit="share", default="compute.mfu", warns="assumed_mfu")
    shares = time_shares(context, by_default=False)
    if isinstance(peak, Unknown):
        return Hours(device_hours=peak, mfu=mfu, shares=shares)
    flop = work.quantity("flop", unit="flop")
    useful = work.derive(
        device_hours_for_flop,
        "device_hours_useful",
        flop=flop,
        peak_flop_per_s=peak.flop_per_s,
        mfu=mfu,
    )
    startup = startup_of(context, Startup(trains=True))
    return Hours(
        device_hours=held_hours(context, useful, shares, startup=startup),
        mfu=mfu,
        shares=shares,
        startup=startup,
    )
