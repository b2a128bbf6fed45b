"""Whether the process takes requests or is about to end. The server says it, `/readyz` reads it."""

from collections.abc import Callable

from msgspec import Struct


def _nothing_to_reload() -> None:
    """What an application does that has not said otherwise."""


class Lifecycle(Struct):
    """The state of one process."""

    draining: bool = False
    """From a SIGTERM on: requests are still answered, and no more should be sent."""
    reload: Callable[[], None] = _nothing_to_reload
    """What a SIGHUP does."""
