"""Looks at the folder of editions every few seconds, and at once when it is told to."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, TypeAlias

import structlog

from service.editions.folder import Reason, Refusal
from service.editions.shelf import Shelf, Standing

log = structlog.get_logger("runquote")

MOST_SHOWN: Final = 2000
"""Characters of a refusal that the log shows: some twenty problems with their rows."""

Outcome: TypeAlias = Literal["swapped", "listed", "refused"]
"""Whether another edition is current, the older ones are others, or something was not taken."""
Observe: TypeAlias = Callable[[Outcome, Reason | Literal[""]], None]


class Watch:
    """Lets a newer edition of a shelf take its turn. It belongs to the thread of requests."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        every_s: float,
        observe: Observe,
        changed: Callable[[Standing], None],
    ) -> None:
        self._shelf = shelf
        self._every_s = every_s
        self._observe = observe
        self._changed = changed
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Say what was refused, and begin to look if there is anything that may change."""
        self._tell_refusals(self._shelf.standing, before=())
        if self._shelf.watched:
            self._task = asyncio.create_task(self._run(), name="catalog watch")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def look_at_once(self) -> None:
        """Look now, and take over what has changed however lately."""
        if self._shelf.watched:
            self._told.set()
        else:
            log.info("hung up", detail="the catalog is embedded; there is nothing to read again")

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), self._every_s)
            told = self._told.is_set()
            self._told.clear()
            try:
                found = await asyncio.to_thread(self._shelf.look, at_once=told)
            except Exception:
                log.exception("the catalog could not be looked at")
                self._observe("refused", "unforeseen")
                continue
            if found is not None:
                self._take_over(found)

    def _take_over(self, found: Standing) -> None:
        """Answer with what was found from the next request on."""
        before, self._shelf.standing = self._shelf.standing, found
        if found.current.digest != before.current.digest:
            self._observe("swapped", "")
            log.info(
                "catalog swapped",
                version=found.current.version,
                digest=found.current.digest,
                before=before.current.version,
            )
        elif found.versions != before.versions:
            self._observe("listed", "")
            log.info("catalog editions", versions=found.versions)
        self._tell_refusals(found, before=before.refused)
        self._changed(found)

    def _tell_refusals(self, standing: Standing, *, before: tuple[Refusal, ...]) -> None:
        """One line and one count for each refusal that is new."""
        for refusal in standing.refused:
            if refusal in before:
                continue
            self._observe("refused", refusal.reason)
            log.error(
                "catalog refused",
                what=refusal.name,
                reason=refusal.reason,
                detail=refusal.words[:MOST_SHOWN],
                current=standing.current.version,
            )
