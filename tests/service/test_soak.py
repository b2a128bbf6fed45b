"""Fifteen seconds of the traffic that `make soak` makes for ten minutes."""

import pytest

from tests.soak.checks import Sample, gained_mib
from tests.soak.run import soaked
from tests.soak.verdict import mistakes

SECONDS = 15.0
EARLY_MIB = 150.0
"""Caches and workers still fill up; only a leak of some MiB a second is seen."""


@pytest.mark.load
@pytest.mark.timeout(300)
def test_nothing_goes_wrong_under_mixed_traffic():
    with soaked(SECONDS) as soak:
        assert len(soak.events) == 5
        assert mistakes(soak, most_gained_mib=EARLY_MIB) == []


def test_what_is_gained_is_that_of_the_second_half():
    grown = [Sample(float(second), 2**20 * min(second, 50)) for second in range(100)]
    assert gained_mib(grown) == pytest.approx(0.0, abs=0.1)
    leaking = [Sample(float(second), 2**20 * second) for second in range(100)]
    assert gained_mib(leaking) == pytest.approx(49.0)
