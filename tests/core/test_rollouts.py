"""Lengths of responses and the tail of a batch: hand-worked values and laws."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.serving.length_formulas import (
    Lengths,
    drain_seconds,
    kept_below_cap,
    lengths_of,
    longest_tokens,
    mean_after_cap,
    mean_between,
    mean_tokens,
    mean_tokens_so_far,
    normal_share_below,
    sigma_between,
    sigma_of_interval,
)

caps = st.floats(64.0, 1e6)
shares = st.floats(0.01, 0.97)
sigmas = st.floats(0.2, 2.0)
counts = st.floats(1.0, 1e7)


@given(z=st.floats(-8.0, 8.0))
def test_the_normal_distribution_is_right_to_a_millionth(z):
    assert normal_share_below(z) == pytest.approx(NormalDist().cdf(z), abs=2e-7)


@given(cap=caps, share=shares, sigma=sigmas)
def test_lengths_have_the_mean_that_was_asked_for(cap, share, sigma):
    lengths = lengths_of(mean_tokens=share * cap, cap_tokens=cap, sigma=sigma)
    assert mean_tokens(lengths=lengths) == pytest.approx(share * cap, rel=1e-4)


def test_lengths_take_arrays_element_by_element():
    mean = np.array([100.0, 5_000.0])
    both = lengths_of(mean_tokens=mean, cap_tokens=8_192.0, sigma=0.9)
    one = lengths_of(mean_tokens=5_000.0, cap_tokens=8_192.0, sigma=0.9)
    assert np.asarray(both.log_median)[1] == pytest.approx(one.log_median)


def test_without_a_cap_in_reach_the_median_is_below_the_mean_by_half_the_variance():
    lengths = lengths_of(mean_tokens=1_000.0, cap_tokens=1e9, sigma=0.5)
    assert lengths.log_median == pytest.approx(math.log(1_000.0) - 0.125, abs=1e-6)


def test_nine_samples_in_ten_between_low_and_high_is_a_spread():
    sigma = sigma_of_interval(low=500.0, high=20_000.0)
    below = NormalDist(math.log(math.sqrt(500.0 * 20_000.0)), float(sigma))
    assert below.cdf(math.log(20_000.0)) - below.cdf(math.log(500.0)) == pytest.approx(0.9)


@given(cap=caps, share=shares, sigma=sigmas, few=counts, many=counts)
def test_the_longest_of_more_samples_is_no_shorter_and_never_beyond_the_cap(
    cap, share, sigma, few, many
):
    lengths = lengths_of(mean_tokens=share * cap, cap_tokens=cap, sigma=sigma)
    few, many = sorted((few, many))
    short, long = (longest_tokens(lengths=lengths, samples=n) for n in (few, many))
    assert short <= long * (1 + 1e-12)
    assert long <= cap


def test_the_longest_of_many_counts_at_once_is_that_of_each():
    lengths = lengths_of(mean_tokens=2_000.0, cap_tokens=1e9, sigma=0.9)
    counts = np.array([1.0, 16.0, 8_192.0, 1e6])
    found = longest_tokens(lengths=lengths, samples=counts)
    for n, longest in zip(counts, np.asarray(found), strict=True):
        z = NormalDist().inv_cdf(2.0 ** (-1.0 / n))
        assert longest == pytest.approx(np.exp(lengths.log_median + 0.9 * z), rel=5e-4)


@pytest.mark.parametrize(("cap", "sigma"), [(1e9, 0.5), (4_000.0, 0.9), (1_500.0, 1.2)])
def test_what_is_written_of_a_sample_met_at_random_agrees_with_sampling(cap, sigma):
    lengths = lengths_of(mean_tokens=1_000.0, cap_tokens=cap, sigma=sigma)
    normal = np.array([NormalDist().inv_cdf((i + 0.5) / 200_000) for i in range(200_000)])
    sampled = np.minimum(cap, np.exp(lengths.log_median + sigma * normal))
    expected = (sampled**2).mean() / (2 * sampled.mean())
    assert mean_tokens_so_far(lengths=lengths) == pytest.approx(expected, rel=3e-3)


def test_the_longest_of_512_log_normal_samples_is_three_deviations_out():
    lengths = Lengths(math.log(1_000.0), 1.0, 1e9)
    drawn = np.random.default_rng(1).lognormal(math.log(1_000.0), 1.0, (2_000, 512)).max(axis=1)
    assert longest_tokens(lengths=lengths, samples=512.0) == pytest.approx(
        np.median(drawn), rel=0.03
    )


@given(cap=caps, share=st.floats(0.05, 0.9), sigma=st.floats(0.3, 1.5), n=st.floats(64.0, 1e5))
def test_tokens_written_while_a_batch_drains_are_the_tokens_of_the_batch(cap, share, sigma, n):
    """With a step that takes as long as there are active samples, the drain counts tokens."""
    lengths = lengths_of(mean_tokens=share * cap, cap_tokens=cap, sigma=sigma)
    longest = longest_tokens(lengths=lengths, samples=n * 100)
    written = drain_seconds(
        concurrent=n,
        lengths=lengths,
        longest_tokens=longest,
        step_seconds=lambda active, position: active,
    )
    tail = float(longest)  # one sample stays on until the end
    assert written == pytest.approx(n * share * cap, rel=0.03, abs=tail)


def test_a_batch_takes_as_long_as_its_longest_sample_when_steps_cost_the_same():
    lengths = lengths_of(mean_tokens=2_000.0, cap_tokens=28_672.0, sigma=0.9)
    seconds = drain_seconds(
        concurrent=256.0,
        lengths=lengths,
        longest_tokens=28_672.0,
        step_seconds=lambda active, position: 0.01,
    )
    assert seconds == pytest.approx(286.72)


@pytest.mark.parametrize("batches", [1, 7, 1_500, 9_000])
def test_many_batches_drain_as_each_does_alone(batches):
    """However many points of how many batches are computed together."""
    rng = np.random.default_rng(batches)
    concurrent, longest = rng.uniform(4, 4_000, batches), rng.uniform(5_000, 20_000, batches)
    lengths = lengths_of(mean_tokens=2_000.0, cap_tokens=28_672.0, sigma=0.9)

    def drained(concurrent, longest):
        return drain_seconds(
            concurrent=concurrent,
            lengths=lengths,
            longest_tokens=longest,
            step_seconds=lambda active, written: 0.01 + active * 1e-4 + written * 1e-6,
        )

    together = np.broadcast_to(drained(concurrent, longest), batches)
    for place in {0, batches // 2, batches - 1}:
        alone = drained(float(concurrent[place]), float(longest[place]))
        assert isinstance(alone, float)
        assert together[place] == pytest.approx(alone, rel=1e-13)


def test_a_mean_is_kept_where_no_cap_is_in_reach_and_lowered_where_one_cuts():
    assert mean_after_cap(uncut_tokens=1_000.0, sigma=0.9) == pytest.approx(1_000.0)
    cut = mean_after_cap(uncut_tokens=1_000.0, sigma=0.9, cap_tokens=1_500.0)
    normal = np.array([NormalDist().inv_cdf((i + 0.5) / 100_000) for i in range(100_000)])
    lengths = np.exp(math.log(1_000.0) - 0.9**2 / 2 + 0.9 * normal)
    assert cut == pytest.approx(np.minimum(lengths, 1_500.0).mean(), rel=1e-3)


def test_the_mean_of_an_interval_is_that_of_its_log_normal():
    """The median of 500 and 2,000 is 1,000, and the mean above it by half the variance."""
    sigma = sigma_between(low=500.0, high=2_000.0)
    assert sigma == pytest.approx(math.log(4.0) / 2 / NormalDist().inv_cdf(0.95))
    mean = mean_between(low=500.0, high=2_000.0, sigma=sigma)
    assert mean == pytest.approx(1_000.0 * math.exp(sigma**2 / 2))
    assert sigma_between(low=100.0, high=100.0) == 0.05


def test_a_mean_is_at_most_98_percent_of_its_cap():
    assert kept_below_cap(mean_tokens=9_000.0, cap_tokens=8_192.0) == 0.98 * 8_192
    assert kept_below_cap(mean_tokens=900.0, cap_tokens=8_192.0) == 900.0
