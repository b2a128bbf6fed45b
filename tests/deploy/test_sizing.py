"""docs/sizing.md: made from measured figures, and its arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.sizing import BUSY_SHARE, LEAST, PAGE, SPARE, page, rate_of, recorded, replicas_for


def test_the_page_is_what_the_figures_make():
    assert PAGE.read_text() == page(recorded()), "run: python -m tests.bench.sizing"


@given(st.floats(0.01, 10_000), st.floats(0.01, 1000))
def test_replicas_are_enough_with_one_away_and_no_more_than_that(rate, cpu_ms):
    replicas = replicas_for(rate, cpu_ms)
    busy = rate * cpu_ms / 1000 / (replicas - SPARE)
    assert replicas >= LEAST
    assert busy <= BUSY_SHARE * (1 + 1e-9)
    if replicas > LEAST:
        assert rate > rate_of(cpu_ms) * (replicas - SPARE - 1) * (1 - 1e-9)


def test_by_hand():
    # 1,000 requests of 3 ms are 3 CPU seconds: at 60% that is 5 cores, and one to spare.
    assert replicas_for(1000, 3.0) == 6
    assert replicas_for(1, 3.0) == 2
    assert round(rate_of(3.0)) == 200
    assert recorded().kinds[0].name == "asked before"
