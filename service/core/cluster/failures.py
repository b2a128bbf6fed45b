"""How much of the time that a cluster is held moves training forward: goodput.

A failure anywhere stops a synchronous run. That costs the time to notice and restart, the work
since the last checkpoint, and the checkpoints themselves. The interval between checkpoints
balances the last two. A lower goodput means more hours and a longer calendar, at the same price of
an hour. Goodput is not MFU, which counts only what happens within a step.
"""

from typing import Final, NamedTuple

import numpy as np

from service.core.figures.arrays import Real, exp, expm1, log, maximum, minimum, where
from service.core.figures.formulas import formula
from service.core.figures.units import HOURS_PER_DAY, SECONDS_PER_HOUR, Unit

LOSS_UNITS: Final[dict[str, Unit]] = {
    "goodput": "share",
    "checkpoint_share": "share",
    "restart_share": "share",
    "rework_share": "share",
    "mean_hours_between_failures": "hour",
    "checkpoint_interval_seconds": "second",
}


SECONDS_PER_DAY = HOURS_PER_DAY * SECONDS_PER_HOUR
DAYS_PER_MONTH = 365.25 / 12.0
MOST_FAILURES = 300.0
"""Failures in one interval from which on goodput is at its floor; a bound that keeps exp finite."""
LEAST_GOODPUT = 1e-3
LEAST_RATE = 1e-15


class Goodput(NamedTuple):
    """Share of held time that trains, and where the rest goes. The four shares add up to one.

    `failures_per_day` counts interruptions of the run, spot reclaims among them.
    """

    goodput: Real
    checkpoint_share: Real
    restart_share: Real
    rework_share: Real
    failures_per_day: Real
    mean_hours_between_failures: Real
    checkpoint_interval_seconds: Real


def spot_interruptions_per_device_day(
    *, monthly_reclaimed_share: Real, devices_per_instance: Real
) -> Real:
    """Rate of reclaims per device, from the share of instances reclaimed within a month.

        -ln(1 - share) / 30.4 / devices_per_instance

    One reclaimed instance interrupts the run once, however many devices it has. So the rate of a
    device is that of its instance, divided by the devices of the instance.

    Source: the meaning of the AWS Spot Advisor's bands. That the rate is constant within the month
    is our assumption.
    """
    kept = 1.0 - minimum(monthly_reclaimed_share, 1.0 - 1e-9)
    return -log(kept) / DAYS_PER_MONTH / devices_per_instance


@formula("mean_reclaimed_share", unit="share")
def mean_reclaimed_share(**monthly_reclaimed_share: Real) -> Real:
    """Share of instances that a seller takes back within a month, if it is not known which seller.

        1 - exp(mean(ln(1 - share)))

    The keywords are the sellers' ids, with one share each. Rates are averaged and not shares.

    Source: definition of the mean of rates.
    """
    kept = [1.0 - minimum(share, 1.0 - 1e-9) for share in monthly_reclaimed_share.values()]
    return 1.0 - exp(sum(log(one) for one in kept) / len(kept))


@formula("device_hours_with_reclaims", unit="device_hour")
def device_hours_with_reclaims(
    *, device_hours: Real, goodput_without: Real, goodput_with: Real
) -> Real:
    """Device-hours on capacity that is taken back, from those on capacity that is not.

        device_hours * goodput_without / goodput_with

    Both goodputs are of the same cluster: of its failures alone, and with reclaims.

    Source: definition of goodput.
    """
    return device_hours * goodput_without / goodput_with


def optimal_interval_seconds(
    *, checkpoint_seconds: Real, mean_seconds_between_failures: Real
) -> Real:
    """The training time between checkpoints that loses least.

        d = checkpoint_seconds, M = mean_seconds_between_failures
        sqrt(2 d M) * (1 + sqrt(d / 2M) / 3 + d / 18M) - d   for d < 2M, otherwise M

    `checkpoint_seconds` is the time that training stands still. A copy in the background is free.

    Source: Daly 2006 (doi 10.1016/j.future.2004.11.016, equation 37), whose first term is Young's
    (1974).
    """
    delta, mean = checkpoint_seconds, mean_seconds_between_failures
    ratio = minimum(delta / (2.0 * mean), 1.0)
    series = 1.0 + np.sqrt(ratio) / 3.0 + ratio / 9.0
    best = np.sqrt(2.0 * delta * mean) * series - delta
    return where(delta < 2.0 * mean, best, mean)


def goodput(
    *,
    devices: Real,
    failures_per_device_day: Real,
    spot_interruptions_per_device_day: Real,
    restart_seconds: Real,
    checkpoint_seconds: Real,
    checkpoint_interval_seconds: Real,
) -> Goodput:
    """Goodput of a synchronous run on `devices`, and its losses.

        L = devices * (failures + spot interruptions) per second, t = interval, d = checkpoint
        held / useful = exp(L * restart) * (exp(L * (t + d)) - 1) / (L * t)
        goodput = useful / held

    `restart_seconds` is from the failure until training runs again: detection, replacement,
    start, loading. `checkpoint_interval_seconds` = 0 asks for the interval that loses least.
    Without failures no checkpoint is needed, and goodput is 1. Goodput is never below 0.001, where
    a cluster fails faster than it restarts.

    Source: Daly 2006 (doi 10.1016/j.future.2004.11.016, equation 20), failures exponential.
    """
    per_day = devices * (failures_per_device_day + spot_interruptions_per_device_day)
    rate = maximum(per_day / SECONDS_PER_DAY, LEAST_RATE)
    delta = maximum(checkpoint_seconds, 1e-9)
    best = optimal_interval_seconds(
        checkpoint_seconds=delta, mean_seconds_between_failures=1.0 / rate
    )
    interval = where(checkpoint_interval_seconds > 0.0, checkpoint_interval_seconds, best)
    cycle = minimum(rate * (interval + delta), MOST_FAILURES)
    restart = minimum(rate * restart_seconds, MOST_FAILURES)
    held_over_useful = exp(restart) * expm1(cycle) / (rate * interval)
    share = maximum(1.0 / held_over_useful, LEAST_GOODPUT)
    share = where(per_day > 0.0, minimum(share, 1.0), 1.0)
    return _with_losses(
        share=share,
        per_day=per_day,
        rate=rate,
        interval=interval,
        delta=delta,
        restart=restart,
    )


def _with_losses(
    *, share: Real, per_day: Real, rate: Real, interval: Real, delta: Real, restart: Real
) -> Goodput:
    """Split the loss in proportion to checkpoints, restarts and half an interval of rework."""
    lost = 1.0 - share
    checkpoints = delta / interval
    rework = rate * (interval + delta) / 2.0
    whole = checkpoints + rework + restart
    return Goodput(
        goodput=share,
        checkpoint_share=lost * checkpoints / whole,
        restart_share=lost * restart / whole,
        rework_share=lost * rework / whole,
        failures_per_day=per_day,
        mean_hours_between_failures=HOURS_PER_DAY / maximum(per_day, LEAST_RATE * SECONDS_PER_DAY),
        checkpoint_interval_seconds=interval,
    )


@formula("held_device_hours", unit="device_hour")
def held_device_hours(
    *,
    useful_device_hours: Real,
    goodput: Real,
    evaluation_share: Real = 0.0,
    idle_share: Real = 0.0,
    disclosed_over_expected: Real = 1.0,
    startup_hours: Real = 0.0,
    devices: Real = 0.0,
) -> Real:
    """Device-hours held, from those that move training forward.

        useful_device_hours / goodput / (1 - evaluation_share - idle_share)
        * disclosed_over_expected + startup_hours * devices

    `disclosed_over_expected` is by how much published runs exceed what is expected of them here.
    Disclosed hours are held hours: they include failures, evaluations and waiting.

    Source: definition of the shares; the ratio is read off published runs (docs/accuracy-runs.md).
    """
    at_work = 1.0 - minimum(evaluation_share + idle_share, 1.0 - LEAST_GOODPUT)
    running = useful_device_hours / goodput / at_work * disclosed_over_expected
    return running + startup_hours * devices


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
    """Goodput of a cluster whose instances may be reclaimed too, and its losses.

        reclaims = -ln(1 - monthly_reclaimed_share) / 30.4 / devices_per_instance, per day
        L = devices * (failures + reclaims) per second, t = interval, d = checkpoint
        held / useful = exp(L * restart) * (exp(L * (t + d)) - 1) / (L * t)
        goodput = useful / held

    An interval of 0 asks for the one that loses least.

    Source: Daly 2006 (doi 10.1016/j.future.2004.11.016, equations 20 and 37), failures exponential.
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
