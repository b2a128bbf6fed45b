"""One computation for all who wait for it, for as long as anybody waits."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class ClientGone(Exception):
    """The client has closed its connection. Nobody waits for an answer."""


class Flight(Struct, Generic[T]):
    """A result that several wait for."""

    task: asyncio.Task[T]
    waiting: int = 0


class SingleFlight(Generic[T]):
    """One computation for all who ask for the same thing at the same time."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}

    async def run(self, key: str, compute: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result for a key, computed once. It is cancelled when nobody waits any more."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(asyncio.ensure_future(compute()))
            flight.task.add_done_callback(lambda task: self._landed(key, task))
            flight.task.add_done_callback(_heard)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                flight.task.cancel()
                self._landed(key, flight.task)

    def _landed(self, key: str, task: asyncio.Task[T]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]


def _heard(task: asyncio.Task[Any]) -> None:
    """Who waited has heard of an error. If all have left, it is no trouble worth a traceback."""
    if not task.cancelled():
        task.exception()


class SharedLook(Generic[T]):
    """One look-up for all who ask for the same thing at the same time, without a task of its own.

    The first who asks looks, and the others wait for what is found. If the first is cancelled, one
    of the others looks. A look-up raises nothing.
    """

    def __init__(self) -> None:
        self._looks: dict[str, asyncio.Future[T]] = {}

    async def run(self, key: str, look: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What is found for a key."""
        while (under_way := self._looks.get(key)) is not None:
            await asyncio.wait({under_way})
            if not under_way.cancelled():
                return under_way.result()
        found = self._looks[key] = asyncio.get_running_loop().create_future()
        try:
            result = await look()
            found.set_result(result)
        finally:
            del self._looks[key]
            found.cancel()
        return result


async def unless_gone(work: Coroutine[Any, Any, T], leaves: Callable[[], Awaitable[None]]) -> T:
    """The result of `work`, or `ClientGone` if `leaves` is done before. Then work is cancelled."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(leaves())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        working.cancel()
        leaving.cancel()
