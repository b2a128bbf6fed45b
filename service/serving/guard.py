"""What all connections of a server share, and which of them gives way when they take too much."""

from typing import Protocol

from uvicorn.server import ServerState

from service.api.http.cors import Cors
from service.metrics import ServerCounts
from service.serving.at_once import AtOnce
from service.serving.limits import Limits
from service.serving.lingering import LingeringTransport


class Bounded(Protocol):
    """A connection that can be told to give way."""

    transport: LingeringTransport

    def end_unread(self) -> None:
        """Give an answer up that is not read."""

    def give_up_body(self) -> None:
        """Refuse a request whose body is on its way."""


class GuardState(ServerState):
    """What all connections of a server share."""

    def __init__(self, limits: Limits, counts: ServerCounts) -> None:
        super().__init__()
        self.limits = limits
        self.counts = counts
        self.draining = False
        self.cors = Cors(())
        """Which pages of other hosts may read what a connection answers by itself."""
        self.at_once: AtOnce | None = None
        """Answers what needs no task. Without it, the application answers all."""
        self.idle: dict[Bounded, None] = {}
        """Connections without a request under way, the one that is idle for longest first."""
        self.arriving: dict[Bounded, None] = {}
        """Connections whose body is on its way, the one that began first first."""
        self.behind: dict[Bounded, None] = {}
        """Connections whose client does not read its answer, the one behind for longest first."""
        self.taken_bytes = 0
        """Bodies without an answer, and requests that were read ahead, of all connections."""

    def longest_idle(self) -> "Bounded | None":
        """The connection to close if there are too many. One that is still read comes last."""
        read = (one for one in self.idle if not one.transport.unread_bytes)
        return next(read, next(iter(self.idle), None))

    def cut_who_is_behind(self) -> None:
        """End connections until the answers that wait are within the limit."""
        waiting = {one: one.transport.unread_bytes for one in self.behind}
        too_much = sum(waiting.values()) - self.limits.unread_bytes
        for one, unread in waiting.items():
            if too_much <= 0:
                return
            too_much -= unread
            one.end_unread()

    def room_for(self, newcomer: "Bounded") -> bool:
        """Refuse bodies that are on their way until what was taken is within the limit.

        False if that is not enough, or would refuse the newcomer's.
        """
        while self.taken_bytes > self.limits.unfinished_bytes:
            oldest = next(iter(self.arriving), newcomer)
            if oldest is newcomer:
                return False
            oldest.give_up_body()
        return True
