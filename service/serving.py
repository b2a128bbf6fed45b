"""The server process: one worker, an application, and a clean end on SIGTERM.

The server is uvicorn and not Granian. `make bench` measures both side by side.
"""

import uvicorn

from service.app import build_app
from service.logs import configure_logs
from service.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until told to stop. Requests in flight are finished."""
    configure_logs(level=settings.log_level, form=settings.log_format)
    config = uvicorn.Config(
        build_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    uvicorn.Server(config).run()
