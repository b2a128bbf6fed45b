"""Is one thing done once for all who ask for it at one time?"""

import asyncio

import pytest

from service.computing.flights import SharedLook, SingleFlight

pytestmark = pytest.mark.anyio


async def test_all_who_ask_at_one_time_get_the_result_of_one_run():
    runs = 0

    async def compute() -> bytes:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)
        return b"body"

    flights: SingleFlight[bytes] = SingleFlight()
    results = await asyncio.gather(*(flights.run(f"q_{n % 2}", compute) for n in range(50)))
    assert results == [b"body"] * 50
    assert runs == 2
    assert await flights.run("q_1", compute) == b"body"
    assert runs == 3


async def test_what_fails_fails_for_all_and_is_tried_again():
    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise LookupError("no such accelerator")

    async def compute() -> bytes:
        return b"body"

    flights: SingleFlight[bytes] = SingleFlight()
    failures = await asyncio.gather(
        *(flights.run("q_1", fail) for _ in range(5)), return_exceptions=True
    )
    assert [type(failure) for failure in failures] == [LookupError] * 5
    assert await flights.run("q_1", compute) == b"body"


async def test_who_leaves_does_not_take_the_others_result_along():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def compute() -> bytes:
        begun.set()
        await go_on.wait()
        return b"body"

    flights: SingleFlight[bytes] = SingleFlight()
    leaver = asyncio.create_task(flights.run("q_1", compute))
    await begun.wait()
    stayer = asyncio.create_task(flights.run("q_1", compute))
    await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    go_on.set()
    assert await stayer == b"body"
    assert leaver.cancelled()


async def test_what_nobody_waits_for_any_more_is_given_up():
    begun, given_up = asyncio.Event(), asyncio.Event()

    async def compute() -> bytes:
        begun.set()
        try:
            return await asyncio.Future()
        finally:
            given_up.set()

    flights: SingleFlight[bytes] = SingleFlight()
    leavers = [asyncio.create_task(flights.run("q_1", compute)) for _ in range(3)]
    await begun.wait()
    for leaver in leavers:
        assert not given_up.is_set()
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
    await asyncio.wait_for(given_up.wait(), 60)


async def test_one_looks_for_all_who_ask_at_one_time():
    looks = 0

    async def look() -> bytes:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return b"body"

    shared: SharedLook[bytes] = SharedLook()
    found = await asyncio.gather(*(shared.run(f"q_{n % 2}", look) for n in range(50)))
    assert found == [b"body"] * 50
    assert looks == 2
    assert await shared.run("q_1", look) == b"body"
    assert looks == 3


async def test_where_the_first_leaves_another_looks():
    begun, go_on, looks = asyncio.Event(), asyncio.Event(), 0

    async def look() -> bytes:
        nonlocal looks
        looks += 1
        begun.set()
        await go_on.wait()
        return b"body"

    shared: SharedLook[bytes] = SharedLook()
    first = asyncio.create_task(shared.run("q_1", look))
    await begun.wait()
    others = [asyncio.create_task(shared.run("q_1", look)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    others[0].cancel()
    await asyncio.gather(first, others[0], return_exceptions=True)
    go_on.set()
    assert await asyncio.gather(*others[1:]) == [b"body"] * 2
    assert looks == 2
