"""Starts the server: one worker with one application.

The server is uvicorn and not Granian, because its protocol and its end can be guarded.
"""

import uvicorn

from service.app import build_app
from service.lifecycle import Lifecycle
from service.logs import configure_logs, request_log
from service.metrics import Metrics
from service.serving.guard import GuardState
from service.serving.limits import Limits, within_open_files
from service.serving.protocol import GuardedProtocol
from service.serving.server import GuardedServer
from service.settings import Settings


def serve(settings: Settings, limits: Limits | None = None) -> None:
    """Serve until told to stop. Requests that have come are answered.

    `limits` are those of connections. By default they are the usual ones, with as many connections
    as the settings allow.
    """
    writer = configure_logs(level=settings.log_level, form=settings.log_format)
    lifecycle, metrics = Lifecycle(), Metrics()
    metrics.watch_log(lambda: writer.dropped)
    if limits is None:
        limits = Limits(connections=settings.connections_max, request_s=settings.body_timeout_s)
    state = GuardState(within_open_files(limits), metrics.server)
    metrics.server.connections.set_function(lambda: float(len(state.connections)))
    config = uvicorn.Config(
        build_app(
            settings,
            lifecycle=lifecycle,
            metrics=metrics,
            request_log=request_log(writer, level=settings.log_level, form=settings.log_format),
        ),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=GuardedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    server = GuardedServer(
        config,
        state=state,
        lifecycle=lifecycle,
        drain_s=settings.drain_s,
        loop_lag=metrics.loop_lag,
    )
    try:
        server.run()
    finally:
        writer.close()
