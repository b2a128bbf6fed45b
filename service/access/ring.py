"""The keys in use: read at the start, and again when their file changes.

A change takes no request along: each is held to the keys that stood when it came. A file that
cannot be used changes nothing, and is told.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeAlias

import structlog

from service.access.keys import KeyEntry, KeyFileError, read_keys, recognised

log = structlog.get_logger("runquote")

Mark: TypeAlias = tuple[int, int, int] | None
"""What tells two states of a file apart: its time, size and inode. None if there is none."""


class Refused(Protocol):
    """Shows whether the file can be used."""

    def __call__(self, *, is_refused: bool) -> None:
        """The file was looked at, and is refused or not."""


class KeyRing:
    """The keys of a file. Raises `KeyFileError` if it cannot be used at the start."""

    def __init__(
        self,
        path: Path,
        *,
        every_s: float = 1.0,
        refused: Refused = lambda *, is_refused: None,  # noqa: ARG005
    ) -> None:
        self._path = path
        self._every_s = every_s
        self._refused = refused
        self._mark = _mark(path)
        self._known: Mapping[str, KeyEntry] = read_keys(path)
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._known)

    def entry_of(self, key: str) -> KeyEntry | None:
        """The entry of a key, or None if there is no such key."""
        return recognised(key, self._known)

    def start(self) -> None:
        """Begin to look whether the file changes."""
        self._task = asyncio.create_task(self._run(), name="key watch")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def look_at_once(self) -> None:
        """Look now."""
        self._told.set()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), self._every_s)
            self._told.clear()
            await self.look()

    async def look(self) -> None:
        """Take the keys of the file over, if it has changed and can be used."""
        mark = await asyncio.to_thread(_mark, self._path)
        if mark == self._mark:
            return
        try:
            known = await asyncio.to_thread(read_keys, self._path)
        except KeyFileError as error:
            log.warning("keys refused", detail=str(error), keys=len(self._known))
            self._refused(is_refused=True)
            self._mark = mark
            return
        before, self._known, self._mark = self._known, known, mark
        self._refused(is_refused=False)
        names = {entry.name for entry in known.values()}
        names_before = {entry.name for entry in before.values()}
        log.info(
            "keys read again", added=sorted(names - names_before), gone=sorted(names_before - names)
        )


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
