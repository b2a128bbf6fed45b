"""A rolling update as docs/rolling-update.md says: two replicas are replaced, nothing is lost."""

import signal
import time
from contextlib import ExitStack

import pytest

from tests.balancer import start_balancer
from tests.load import Caller, under_load
from tests.server import start_service

WAIT_S = 60.0


def comes_to_hold(holds) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(holds())


@pytest.mark.load
@pytest.mark.timeout(240)
def test_two_replicas_are_replaced_behind_a_balancer_and_no_request_is_lost():
    with ExitStack() as stack:
        balancer = stack.enter_context(start_balancer())

        def joined():
            replica = stack.enter_context(start_service(RUNQUOTE_DRAIN_S="2"))
            balancer.add(replica.port)
            assert comes_to_hold(lambda: balancer.is_ready(replica.port))
            return replica

        old = [joined(), joined()]
        callers = [
            Caller(balancer.port, keep_alive=keeps, until_refused=False, pause_s=0.01)
            for keeps in (True, True, True, False, False)
        ]
        with under_load(callers) as load:
            assert comes_to_hold(lambda: all(len(one.answers) > 3 for one in callers))
            for replica in old:
                new = joined()  # first one more
                replica.process.send_signal(signal.SIGTERM)  # then one less
                assert replica.process.wait(WAIT_S) == 0
                assert not balancer.is_ready(replica.port)
                assert balancer.is_ready(new.port)
            before = len(load.answers)
            assert comes_to_hold(lambda: len(load.answers) > before + 10)
        assert load.lost == []
        assert {one.status for one in load.answers} == {200}
