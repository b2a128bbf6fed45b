"""Whether the process takes requests or is about to end. The server says it, `/readyz` reads it."""

from collections.abc import Callable

import structlog
from msgspec import Struct

log = structlog.get_logger("runquote")


def _nothing_to_reload() -> None:
    log.info("hung up", detail="the catalog is embedded; there is nothing to read again")


class Lifecycle(Struct):
    """The state of one process."""

    draining: bool = False
    """From a SIGTERM on: requests are still answered, and no more should be sent."""
    reload: Callable[[], None] = _nothing_to_reload
    """What a SIGHUP does."""
