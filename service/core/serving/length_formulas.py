"""Lengths of sampled responses, and the time until the longest of a batch is written.

Lengths are log-normal and cut at a cap. A batch that starts together ends with its longest sample.
The fewer samples are left, the less a device has to do, but it stays held. So twice the devices can
gain nothing.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from service.core.figures.arrays import Array, Real, exp, expm1, log, maximum, minimum
from service.core.figures.formulas import formula
from service.core.figures.units import Z_90

NO_CAP_TOKENS: Final = 1e9
"""Stands for no cap. No length comes near it."""


NEWTON_STEPS: Final = 20
"""Most steps of Newton's method. Half of them suffice, unless nearly every sample is cut."""
LAST_STEP: Final = 1e-12
"""A step below this is the last: the next one would be below the digits of a float."""
# A mean above this share of the cap means that nearly every sample runs into the cap.
MAX_MEAN_OVER_CAP: Final = 0.98
NODES: Final = 20

_nodes, _weights = np.polynomial.legendre.leggauss(NODES)
# Points on the unit interval, u = v^2: dense at its start, where most samples end.
POSITIONS: Final[Array] = ((_nodes + 1) / 2) ** 2
WEIGHTS: Final[tuple[float, ...]] = tuple(float(w) for w in _weights * (_nodes + 1) / 2)
AT_ONCE: Final = 16_384
"""Numbers that are computed together. More do not fit in a core's own cache with their like."""


class Lengths(NamedTuple):
    """A log-normal distribution of response lengths in tokens, cut at `cap_tokens`."""

    log_median: Real
    sigma: Real
    cap_tokens: Real


def normal_share_below(z: Real) -> Real:
    """The standard normal distribution function, to 1.5e-7.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), formula 7.1.26.
    """
    x = np.abs(z) / math.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    series = 1.421413741 + t * (-1.453152027 + t * 1.061405429)
    series = t * (0.254829592 + t * (-0.284496736 + t * series))
    erf = 1.0 - series * exp(-x * x)
    share: Real = 0.5 * (1.0 + np.sign(z) * erf)
    return share


def sigma_of_interval(*, low: Real, high: Real) -> Real:
    """Spread of log-normal lengths if nine in ten lie between `low` and `high`.

    ln(high / low) / (2 * 1.645)
    """
    return log(high / low) / (2.0 * Z_90)


def mean_tokens(*, lengths: Lengths) -> Real:
    """Mean length of the cut distribution.

        m = log_median, s = sigma, C = cap
        exp(m + s^2/2) * N((ln C - m - s^2) / s) + C * (1 - N((ln C - m) / s))

    Source: the limited expected value of the log-normal distribution, as in actuarial tables.
    """
    m, s = lengths.log_median, lengths.sigma
    room = (log(lengths.cap_tokens) - m) / s
    whole = exp(m + s * s / 2.0) * normal_share_below(room - s)
    return whole + lengths.cap_tokens * (1.0 - normal_share_below(room))


def lengths_of(*, mean_tokens: Real, cap_tokens: Real, sigma: Real) -> Lengths:
    """The distribution whose mean after the cut is `mean_tokens`, at most 98% of the cap.

    Newton's method on the logarithm of the mean. That is concave and rises with the log median, so
    a start from the left never overshoots.
    """
    mean = minimum(mean_tokens, MAX_MEAN_OVER_CAP * cap_tokens)
    m: Real = log(mean) - sigma * sigma / 2.0
    log_cap = log(cap_tokens)
    for _ in range(NEWTON_STEPS):
        room = (log_cap - m) / sigma
        rising = exp(m + sigma * sigma / 2.0) * normal_share_below(room - sigma)
        got = rising + cap_tokens * (1.0 - normal_share_below(room))
        slope = maximum(rising / got, 1e-3)
        step = log(mean / got) / slope
        m = m + step
        if np.all(np.abs(step) < LAST_STEP):
            break
    return Lengths(log_median=m, sigma=sigma, cap_tokens=cap_tokens)


def share_longer(*, lengths: Lengths, tokens: Real) -> Real:
    """Share of the samples that are longer than this many tokens, below the cap."""
    z = (log(maximum(tokens, 1e-9)) - lengths.log_median) / lengths.sigma
    return 1.0 - normal_share_below(z)


def mean_tokens_so_far(*, lengths: Lengths) -> Real:
    """Mean number of tokens already written, of a sample seen at a random moment.

        E[L^2] / (2 E[L]),  E[L^2] = exp(2 m + 2 s^2) N(room - 2 s) + C^2 (1 - N(room))

    Long samples are seen more often than short ones, in proportion to their length.
    Source: the mean age in a renewal process.
    """
    m, s, cap = lengths.log_median, lengths.sigma, lengths.cap_tokens
    room = (log(cap) - m) / s
    whole = exp(2.0 * (m + s * s)) * normal_share_below(room - 2.0 * s)
    square = whole + cap * cap * (1.0 - normal_share_below(room))
    return square / (2.0 * mean_tokens(lengths=lengths))


def normal_quantile_above(*, share: Real) -> Real:
    """The normal deviate that this share exceeds, to 4.5e-4. The share is at most one half.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), formula 26.2.23.
    """
    t = np.sqrt(-2.0 * log(share))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    z: Real = t - above / below
    return z


def longest_tokens(*, lengths: Lengths, samples: Real) -> Real:
    """Median length of the longest of this many samples.

    min(cap, exp(m + s z)),  z the 2^(-1/samples) quantile of the normal distribution
    """
    above = -expm1(-math.log(2.0) / maximum(1.0, samples))
    z = normal_quantile_above(share=above)
    return minimum(lengths.cap_tokens, exp(lengths.log_median + lengths.sigma * z))


def drain_seconds(
    *,
    concurrent: Real,
    lengths: Lengths,
    longest_tokens: Real,
    step_seconds: Callable[[Real, Real], Real],
) -> Real:
    """Seconds until the last of `concurrent` samples that start together is written.

        integral from 0 to the longest of  step_seconds(max(1, n S(l)), l) dl

    `step_seconds(active, written)` is the time of one decoding step of one replica. S is the share
    of samples that are longer than l. Gauss-Legendre with 20 points, dense at short lengths. Points
    are computed together, in rows of an array: shape `[points, n]`.
    """
    size = np.broadcast(concurrent, longest_tokens, *lengths).size
    together = max(1, AT_ONCE // size)
    total: Array = np.zeros(1)
    for first in range(0, NODES, together):
        written = longest_tokens * POSITIONS[first : first + together, np.newaxis]
        active = concurrent * share_longer(lengths=lengths, tokens=written)
        seconds = np.asarray(step_seconds(maximum(1.0, active), written))
        rows = np.broadcast_to(seconds, np.broadcast_shapes(seconds.shape, written.shape))
        for weight, row in zip(WEIGHTS[first : first + together], rows, strict=True):
            total = total + weight * row
    total = total * longest_tokens
    return total if total.size > 1 else float(total[0])


@formula("length_sigma", unit="ratio")
def sigma_between(*, low: Real, high: Real) -> Real:
    """Spread of the logarithm of lengths, if nine in ten lie between two lengths.

        ln(high / low) / 3.29, between 0.05 and 3

    Source: quantiles of the log-normal distribution; the two limits are chosen here.
    """
    return np.clip(sigma_of_interval(low=low, high=high), 0.05, 3.0)


@formula("mean_tokens_of_interval", unit="token")
def mean_between(*, low: Real, high: Real, sigma: Real, cap_tokens: Real = NO_CAP_TOKENS) -> Real:
    """Mean length of a cut log-normal, if nine in ten lie between two lengths.

        m = (ln low + ln high) / 2
        exp(m + s^2/2) * N((ln C - m - s^2) / s) + C * (1 - N((ln C - m) / s))

    s is `sigma`, C `cap_tokens`, and N the standard normal distribution function.

    Source: the limited expected value of the log-normal distribution, as in actuarial tables.
    """
    log_median = (log(low) + log(high)) / 2.0
    return mean_tokens(lengths=Lengths(log_median, sigma, cap_tokens))


@formula("mean_tokens_after_cap", unit="token")
def mean_after_cap(*, uncut_tokens: Real, sigma: Real, cap_tokens: Real = NO_CAP_TOKENS) -> Real:
    """Mean length after the cut, of lengths whose mean would be `uncut_tokens` without it.

        m = ln uncut_tokens - s^2/2
        exp(m + s^2/2) * N((ln C - m - s^2) / s) + C * (1 - N((ln C - m) / s))

    s is `sigma`, C `cap_tokens`, and N the standard normal distribution function.

    Source: the limited expected value of the log-normal distribution, as in actuarial tables.
    """
    log_median = log(uncut_tokens) - sigma * sigma / 2.0
    return mean_tokens(lengths=Lengths(log_median, sigma, cap_tokens))


@formula("mean_tokens_below_cap", unit="token")
def kept_below_cap(*, mean_tokens: Real, cap_tokens: Real) -> Real:
    """A mean length that the cap allows.

        min(mean_tokens, 0.98 * cap_tokens)

    Source: chosen here. Nearer to the cap, nearly every sample would run into it.
    """
    return np.minimum(mean_tokens, MAX_MEAN_OVER_CAP * cap_tokens)
