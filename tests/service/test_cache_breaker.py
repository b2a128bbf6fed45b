"""Does the breaker stop asking in time, and start again by itself?"""

import asyncio

import pytest

from service.cache.breaker import Breaker
from tests.service.recording import Recorder, until

pytestmark = pytest.mark.anyio


class Probe:
    """Answers what it was told to, and counts."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        return self.answers.pop(0) if self.answers else False


def breaker_with(probe: Probe, recorder: Recorder, *, failures: int, pause_s: float) -> Breaker:
    return Breaker(
        failures_to_open=failures, pause_s=pause_s, probe=probe, moved=recorder.states.append
    )


@pytest.mark.parametrize("failures", [1, 2, 5])
async def test_it_opens_at_the_given_number_of_failures_in_a_row(recorder, failures):
    breaker = breaker_with(Probe(), recorder, failures=failures, pause_s=3600)
    for _ in range(failures - 1):
        assert not breaker.failed()
    breaker.succeeded()
    assert [breaker.failed() for _ in range(failures + 2)] == [
        *(False for _ in range(failures - 1)),
        True,
        False,
        False,
    ]
    assert recorder.states == ["open"]
    await breaker.close()


async def test_only_a_probe_closes_it(recorder):
    probe = Probe(False, False, True)
    breaker = breaker_with(probe, recorder, failures=1, pause_s=0.001)
    breaker.failed()
    breaker.succeeded()
    assert not breaker.is_closed
    await until(lambda: breaker.is_closed)
    assert probe.asked == 3
    assert recorder.states == ["open", *["half_open", "open"] * 2, "half_open", "closed"]


async def test_after_closing_it_counts_from_the_beginning(recorder):
    breaker = breaker_with(Probe(True, True), recorder, failures=2, pause_s=0.001)
    breaker.failed()
    breaker.failed()
    await until(lambda: breaker.is_closed)
    assert not breaker.failed()
    assert breaker.failed()
    await breaker.close()


async def test_a_closed_down_breaker_probes_no_more(recorder):
    probe = Probe()
    breaker = breaker_with(probe, recorder, failures=1, pause_s=0.001)
    breaker.failed()
    await until(lambda: probe.asked > 0)
    await breaker.close()
    asked = probe.asked
    await asyncio.sleep(0.02)
    assert probe.asked == asked
