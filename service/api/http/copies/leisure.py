"""What is worth its time only for an answer that is sent again and again: made at leisure.

A Brotli copy of a quote of known hours takes twenty times as long as the quote. So it is made in a
thread, one at a time, and for a tenth of the time at most. Meanwhile, and if it fails, answers go
out as they did before. The thread holds the interpreter's lock only before and after its work.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final, Literal, TypeAlias

import structlog
from cachetools import LRUCache

from service.cache.envelope import Sealed

log = structlog.get_logger("runquote.http")

WORTH_AFTER: Final = 3
"""Sendings after which a copy is worth it. An answer that was computed once and read once by its id
is seldom asked for again."""
MOST_BYTES: Final = 2**20
"""A larger answer is left as it is. One of 1 MiB takes 0.6 s and 20 MB of memory meanwhile."""
MOST_WAITING: Final = 16
"""Answers that wait for their copy, at most 1 MiB each. Beyond, the next sending tries again."""
MOST_COUNTED: Final = 4096
"""Answers whose sendings are counted: those sent last, 1 MB of memory in all."""
REST: Final = 9
"""It rests so many times as long as a copy has taken."""

Outcome: TypeAlias = Literal["made", "dropped", "failed"]
Observe: TypeAlias = Callable[[Outcome], None]


def nobody_observes(_: Outcome) -> None:
    """Nobody counts."""


class Leisure:
    """Makes copies with `make`, which is called in a thread, and gives them to `keep`."""

    def __init__(
        self,
        make: Callable[[bytes], bytes],
        keep: Callable[[bytes, bytes], None],
        observe: Observe,
    ) -> None:
        self._make = make
        self._keep = keep
        self._observe = observe
        self._sendings: LRUCache[bytes, int] = LRUCache(MOST_COUNTED)
        self._waiting: deque[tuple[bytes, Sealed]] = deque()
        self._making: asyncio.Task[None] | None = None

    def sent(self, etag: bytes, sealed: Sealed) -> None:
        """Take down that an answer was sent without such a copy. Then it may be worth one."""
        sendings = self._sendings.get(etag, 0) + 1
        if sendings == WORTH_AFTER:
            if len(sealed.content) > MOST_BYTES:
                return
            if len(self._waiting) >= MOST_WAITING:
                self._observe("dropped")
                return
            self._waiting.append((etag, sealed))
            if self._making is None or self._making.done():
                self._making = asyncio.get_running_loop().create_task(self._make_all())
        self._sendings[etag] = sendings

    async def _make_all(self) -> None:
        while self._waiting:
            etag, sealed = self._waiting.popleft()
            start = perf_counter()
            try:
                copy = await asyncio.to_thread(self._made, sealed)
            except Exception as error:  # noqa: BLE001 - whatever it is, answers go out without it
                self._observe("failed")
                log.warning("copy_not_made", etag=etag.decode("latin-1"), error=repr(error))
            else:
                self._observe("made")
                self._keep(etag, copy)
                self._sendings.pop(etag, None)
            await asyncio.sleep(REST * (perf_counter() - start))

    def _made(self, sealed: Sealed) -> bytes:
        return self._make(sealed.body(max_body_bytes=MOST_BYTES))
