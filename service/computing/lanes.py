"""Where quotes are computed: in turn beside the requests, or in processes of their own.

A cheap quote is computed by the event loop, one between two looks at the network. A costly one
would make all others wait, so it goes to a worker process. A worker that is late, or whose result
nobody waits for any more, is killed, and another takes its place. Both lanes take only as much as
they can do in some seconds.
"""

import asyncio
import multiprocessing
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from math import ceil
from typing import Final, TypeVar

import structlog
from pebble import ProcessExpired, ProcessFuture, ProcessPool

log = structlog.get_logger("runquote")

PRELOADED: Final = ("service.cli", "service.computing.warm")
"""Imported once, in the process that workers are forked from. The command is among them because a
worker that is started by the script `runquote` runs that script again, which imports it."""
T = TypeVar("T")


class Busy(Exception):
    """More work waits than can be done in time. `retry_after_s` is when some of it is done."""

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class Lane:
    """Work that is taken until what waits would take too long."""

    def __init__(self, *, at_once: int, most_waiting_s: float) -> None:
        self._at_once = at_once
        self._most_waiting_s = most_waiting_s
        self.waiting_s = 0.0
        """Seconds of work that run or wait."""
        self.tasks = 0
        """How many tasks run or wait."""

    @asynccontextmanager
    async def taken(self, seconds: float) -> AsyncIterator[None]:
        """Count work while it runs or waits. Raises `Busy`.

        A lane in which nothing waits takes any work.
        """
        delay_s = self.waiting_s / self._at_once
        if self.tasks and delay_s + seconds > self._most_waiting_s:
            raise Busy(
                f"{self.tasks} requests are computed or wait, which takes {delay_s:.1f} seconds",
                retry_after_s=max(ceil(delay_s), 1),
            )
        self.tasks += 1
        self.waiting_s += seconds
        try:
            yield
        finally:
            self.tasks -= 1
            self.waiting_s = self.waiting_s - seconds if self.tasks else 0.0


class Turns:
    """Work of the event loop itself, one piece between two looks at the network."""

    def __init__(self, *, most_waiting_s: float) -> None:
        self.lane = Lane(at_once=1, most_waiting_s=most_waiting_s)
        self._turn = asyncio.Lock()

    async def run(self, compute: Callable[[], T], *, seconds: float) -> T:
        """The result of a function, when its turn has come. Raises `Busy`."""
        async with self.lane.taken(seconds), self._turn:
            if self.lane.tasks > 1:
                await asyncio.sleep(0)
            return compute()


class Pool:
    """Worker processes for costly work, each task with a deadline.

    Tasks are functions of modules, with arguments that can be pickled. A pool belongs to one event
    loop, which never waits while processes start or end: threads do that.
    """

    def __init__(self, *, workers: int, most_waiting_s: float, deadline_s: float) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOADED))
        self.lane = Lane(at_once=workers, most_waiting_s=most_waiting_s)
        self.workers = workers
        self._deadline_s = deadline_s
        self._pool = self._new()
        self._starting: asyncio.Future[bool] | None = None
        self._ended = 0

    def _new(self) -> ProcessPool:
        return ProcessPool(max_workers=self.workers, context=self._context)

    async def run(self, task: Callable[..., T], *arguments: object, seconds: float) -> T:
        """The result of a task that takes about so many seconds.

        Raises `Busy` if too much waits, or if the result is not there by the deadline, and what the
        task raises. If the caller is cancelled, the task is, too. A pool that has broken, as when
        the process that workers are forked from was killed, makes place for a new one.
        """
        end = asyncio.get_running_loop().time() + self._deadline_s
        async with self.lane.taken(seconds):
            try:
                pool = await asyncio.wait_for(self._started(), self._deadline_s)
                future = pool.schedule(task, args=list(arguments), timeout=self._deadline_s)
                return await self._by(end, future, pool)
            except TimeoutError:
                raise Busy(f"it took more than {self._deadline_s:g} seconds") from None
            except (ProcessExpired, FutureCancelled) as error:
                raise Busy("the process that computed it has ended") from error
            except RuntimeError as error:
                if _lives(self._pool):
                    raise
                raise Busy("the processes that compute have ended") from error

    def is_ready(self) -> bool:
        """Whether processes have been started. If not, they begin to."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(asyncio.to_thread(_lives, self._pool))
        return self._starting.done()

    async def _started(self) -> ProcessPool:
        """The pool, or another in its place if it has broken. Raises `Busy` if that breaks, too.

        A start takes a second: the process that workers are forked from imports the engine, and
        warms up.
        """
        for _ in range(2):
            pool = self._pool
            if self._starting is None:
                self._starting = asyncio.ensure_future(asyncio.to_thread(_lives, pool))
            if await asyncio.shield(self._starting) and _lives(pool):
                return pool
            self._renew(pool)
        raise Busy("the processes that compute have ended")

    async def _by(self, end: float, future: ProcessFuture[T], pool: ProcessPool) -> T:
        """What a task gives by a time of the loop's clock. Raises `TimeoutError`.

        A worker that is killed while it takes a task keeps the others from taking any. A pool in
        which none begins and none ends has broken.
        """
        ended = self._ended
        waiting = asyncio.wrap_future(future)
        try:
            left_s = end - asyncio.get_running_loop().time()
            if not (await asyncio.wait({waiting}, timeout=left_s))[0]:
                if not future.running() and self._ended == ended:
                    self._renew(pool)
                raise TimeoutError
            self._ended += 1
            return waiting.result()
        finally:
            waiting.cancel()

    def _renew(self, broken: ProcessPool) -> None:
        """Take a new pool in the place of one that has broken."""
        if self._pool is broken:
            log.warning("worker pool renewed")
            self._pool, self._starting = self._new(), None
            threading.Thread(target=_end, args=(broken,), daemon=True).start()

    async def stop(self) -> None:
        """End all workers, whatever they do."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
        _end(self._pool)


def _lives(pool: ProcessPool) -> bool:
    """Whether a pool takes tasks. One that is new starts its processes."""
    try:
        return pool.active
    except (OSError, BrokenProcessPool) as error:
        log.warning("workers not started", reason=str(error))
        return False


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
