"""Spot capacity is taken back: how often, by seller, and what that adds to stated hours."""

from math import exp, log

import pytest

from service.core.cluster.failures import mean_reclaimed_share
from tests.worlds import answer, embedded, run_of, told

H100 = "nvidia-h100-sxm-80gb"
REGIONAL = "assumptions/reliability.spot_monthly_reclaimed_share"


def quoted(work, *, devices=64, **supply):
    cluster = {"accelerator": H100, "devices": devices, "supply": supply}
    return answer(run_of({"work": work}, cluster=cluster), embedded())


def metered(reclaims=None, *, hours=50_000, **supply):
    work = {"kind": "metered", "device_hours": hours}
    return quoted(work | ({"reclaims": reclaims} if reclaims else {}), **supply)


def hours_of(answered):
    return answered.stages[0].device_hours.central


def rate_of(answered):
    """The figure of how often capacity is taken back, by its name."""
    (goodput,) = (
        figure
        for name, figure in answered.figures.items()
        if name.endswith("/with_reclaims/goodput")
    )
    return goodput.source.inputs["monthly_reclaimed_share"]


SPOT = {"kind": "market", "term": "spot"}


@pytest.mark.parametrize("reclaims", [None, "included"])
def test_stated_hours_stay_as_they_are_unless_reclaims_are_to_be_added(reclaims):
    found = metered(reclaims, **SPOT)
    assert hours_of(found) == 50_000
    warned = {one.code for one in told(found)}
    assert ("reclaims_not_counted" in warned) == (reclaims is None)


def test_reclaims_add_hours_on_spot_alone():
    assert hours_of(metered("added", **SPOT)) > 50_000
    on_demand = metered("added", kind="market")
    assert hours_of(on_demand) == 50_000
    assert "reclaims_not_counted" not in {one.code for one in told(on_demand)}
    rate = metered(None, kind="rate", usd_per_device_hour=2.0)
    assert "reclaims_not_counted" not in {one.code for one in told(rate)}


def test_timed_work_has_the_same_option():
    work = {"kind": "timed", "hours": 100}
    given = quoted(work, **SPOT)
    added = quoted(work | {"reclaims": "added"}, **SPOT)
    assert hours_of(given) == 6400
    assert hours_of(added) / hours_of(given) == pytest.approx(
        hours_of(metered("added", **SPOT)) / 50_000
    )


def test_figures_of_aws_are_for_aws_alone():
    assert rate_of(metered("added", provider="aws", **SPOT)).startswith("spot/aws:")
    segments = {"gcp": "hyperscaler", "nebius": "neocloud", "tensordock": "marketplace"}
    for seller, segment in segments.items():
        assert rate_of(metered("added", provider=seller, **SPOT)) == f"{REGIONAL}.{segment}"


def test_a_market_of_several_sellers_has_the_mean_of_their_rates():
    found = metered("added", **SPOT)
    figure = found.figures[rate_of(found)]
    inputs = figure.source.inputs
    assert set(inputs) == {vote.seller for vote in found.markets[0].votes}
    assert inputs["aws"].startswith("spot/aws:")
    kept = [log(1 - found.figures[name].value) for name in inputs.values()]
    assert figure.value == pytest.approx(1 - exp(sum(kept) / len(kept)))


def test_the_mean_is_of_rates():
    """A seller that takes half a month and one that takes none: the root of a half is kept."""
    assert mean_reclaimed_share(a=0.5, b=0.0) == pytest.approx(1 - 0.5**0.5)
    assert mean_reclaimed_share(a=0.3) == pytest.approx(0.3)


def test_every_rate_that_nobody_publishes_is_wide():
    for segment in ("hyperscaler", "neocloud", "marketplace"):
        found = embedded().assumption(f"reliability.spot_monthly_reclaimed_share.{segment}")
        assert isinstance(found.low, float)
        assert isinstance(found.high, float)
        assert found.high > 9 * found.low
        assert found.source.confidence == "low"
